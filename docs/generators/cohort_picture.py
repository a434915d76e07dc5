"""The picture of a cohort definition on the line of time: entry, windows, exit."""

from xml.sax.saxutils import escape

from fairhaven.cohort.formats.fairhaven.notation import read_window

_LEFT, _WIDTH, _HEIGHT = 40, 920, 344
_DAYS = (-420, 500)
_INK, _QUIET, _PERIOD, _LINE, _WINDOW, _NEVER, _STAY = (
    *("#1f2d3a", "#5a6b78", "#eef2f4", "#2f7f6f"),
    *("#cfe6df", "#f4e9ee", "#2f7f6f"),
)
PERIOD = (-400, 470)
ENTRY = 0
RULES = (
    ("0 days to 90 days", "a drug within 90 days: at least 1", True),
    ("-365 days to -1 day", "the disease in the year before: exactly 0", False),
)
EXIT = 300


def picture() -> str:
    """The picture as SVG text."""
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT * 2 + _WIDTH} {_HEIGHT}" role="img" '
            'font-family="system-ui, sans-serif">'
        ),
        "<title>A cohort definition on the line of time</title>",
        (
            "<desc>An entry event lies in a period of observation, with enough of it before. Rules look at windows that are counted in days "
            "from the entry event. The stay lasts from the entry event to the exit, and no longer than observation.</desc>"
        ),
        f'<rect width="{_LEFT * 2 + _WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        *_period(),
        *_entry(),
        *(part for place, rule in enumerate(RULES) for part in _rule(104 + place * 62, *rule)),
        *_stay(),
        *_axis(),
    ]
    return "\n".join((*parts, "</svg>", ""))


def _period() -> list[str]:
    start, end = map(_x, PERIOD)
    return [
        f'<rect x="{start:g}" y="34" width="{end - start:g}" height="{_HEIGHT - 78}" rx="8" fill="{_PERIOD}"/>',
        _text(start + 10, 54, "observation period", size=13, fill=_QUIET),
        _arrow(start, _x(ENTRY), 74, "prior_days"),
        _arrow(_x(ENTRY), end, 74, "post_days"),
    ]


def _entry() -> list[str]:
    x = _x(ENTRY)
    return [
        f'<path d="M{x:g} 30 V{_HEIGHT - 44}" stroke="{_INK}" stroke-width="1.5" stroke-dasharray="4 3"/>',
        f'<circle cx="{x:g}" cy="30" r="7" fill="{_INK}"/>',
        _text(x, 16, "entry event", size=15, weight=600, anchor="middle"),
    ]


def _rule(y: float, window: str, words: str, is_there: bool) -> list[str]:
    """A window from the language's own notation, with events that are in it or must not be."""
    read = read_window(window)
    if not isinstance(read.since, int) or not isinstance(read.until, int):
        raise ValueError(f"{window} has an open end, which the picture does not show")
    start, end = _x(read.since), _x(read.until)
    fill, line = (_WINDOW, _LINE) if is_there else (_NEVER, "#a2587a")
    middle = (start + end) / 2
    mark = (
        f'<circle cx="{middle:g}" cy="{y + 13}" r="6" fill="{line}"/>'
        if is_there
        else f'<path d="M{middle - 6:g} {y + 7} l12 12 m0 -12 l-12 12" stroke="{line}" stroke-width="2.5"/>'
    )
    x, label = (end + 10, y + 11) if read.since >= 0 else (start, y + 42)
    return [
        f'<rect x="{start:g}" y="{y}" width="{end - start:g}" height="26" rx="5" fill="{fill}" stroke="{line}"/>',
        mark,
        _text(x, label, words, size=13, weight=600),
        _text(x, label + 16, f'when = "{window}"', size=12, fill=_QUIET),
    ]


def _stay() -> list[str]:
    start, end = _x(ENTRY), _x(EXIT)
    y = 248
    return [
        f'<rect x="{start:g}" y="{y}" width="{end - start:g}" height="26" rx="5" fill="{_STAY}"/>',
        _text((start + end) / 2, y + 18, "in the cohort", size=14, weight=600, anchor="middle", fill="#ffffff"),
        _text(start + 6, y + 42, "cohort_start_date", size=12, fill=_QUIET),
        _text(
            end, y + 42, "cohort_end_date: exit, or the first censoring event", size=12, fill=_QUIET, anchor="middle"
        ),
    ]


def _axis() -> list[str]:
    y = _HEIGHT - 26
    ticks = [
        part
        for day in (-365, -180, 0, 90, 300)
        for part in (
            f'<path d="M{_x(day):g} {y} v6" stroke="{_QUIET}"/>',
            _text(_x(day), y + 20, "day 0" if day == 0 else f"{day:+d}", size=12, fill=_QUIET, anchor="middle"),
        )
    ]
    return [f'<path d="M{_LEFT} {y} H{_LEFT + _WIDTH}" stroke="{_QUIET}"/>', *ticks]


def _arrow(start: float, end: float, y: float, words: str) -> str:
    return "\n".join(
        (
            f'<path d="M{start + 4:g} {y} H{end - 4:g}" stroke="{_QUIET}" stroke-dasharray="2 3"/>',
            f'<path d="M{start + 10:g} {y - 4} l-6 4 l6 4 M{end - 10:g} {y - 4} l6 4 l-6 4" stroke="{_QUIET}" fill="none"/>',
            f'<rect x="{(start + end) / 2 - 40:g}" y="{y - 9}" width="80" height="18" fill="{_PERIOD}"/>',
            _text((start + end) / 2, y + 4, words, size=12, fill=_QUIET, anchor="middle"),
        )
    )


def _x(day: float) -> float:
    return round(_LEFT + _WIDTH * (day - _DAYS[0]) / (_DAYS[1] - _DAYS[0]), 1)


def _text(
    x: float, y: float, text: str, *, size: float, weight: int = 400, anchor: str = "start", fill: str = _INK
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" text-anchor="{anchor}" fill="{fill}">'
        f"{escape(text)}</text>"
    )
