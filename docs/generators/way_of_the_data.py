"""The picture of the way of the data. Its rooms are those of the code; a test holds the picture to them."""

from xml.sax.saxutils import escape

ROOMS = (
    ("intake", "parsed, typed,\nquarantined"),
    ("linkage", "who is\none person"),
    ("harmonise", "to OMOP, with\nthe way back"),
    ("quality", "checked,\nscored"),
    ("archive", "sealed,\nversioned"),
    ("catalogue", "described,\nshown"),
)
_LEFT, _TOP, _WIDTH, _GAP, _HEIGHT = 170, 40, 128, 18, 96
_INK, _ROOM, _LINE, _VAULT = "#1f2d3a", "#e8f1ee", "#2f7f6f", "#f4e9ee"


def picture() -> str:
    """The picture as SVG text."""
    width = _LEFT + len(ROOMS) * (_WIDTH + _GAP) + 150
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} 250" role="img" font-family="system-ui, sans-serif">',
        "<title>The way of the data</title>",
        (
            "<desc>Extracts of GP practices, hospitals, councils and registries go through intake, linkage, harmonise, quality, archive and "
            "catalogue to a release. Bytes as delivered and identities are kept sealed beside it.</desc>"
        ),
        f'<rect width="{width}" height="250" fill="#ffffff"/>',
    ]
    for index, source in enumerate(("GP practices", "hospitals", "social care", "registries", "partners' CDMs")):
        y = _TOP + 8 + index * 22
        parts.append(_text(14, y, source, size=13))
        parts.append(
            f'<path d="M118 {y - 4} C 145 {y - 4}, 145 {_TOP + _HEIGHT / 2}, {_LEFT} {_TOP + _HEIGHT / 2}" stroke="{_LINE}" fill="none" opacity="0.55"/>'
        )
    for index, (room, words) in enumerate(ROOMS):
        x = _LEFT + index * (_WIDTH + _GAP)
        parts.append(
            f'<rect x="{x}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{_ROOM}" stroke="{_LINE}"/>'
        )
        parts.append(_text(x + _WIDTH / 2, _TOP + 30, room, size=16, weight=600, anchor="middle"))
        for line, text in enumerate(words.split("\n")):
            parts.append(_text(x + _WIDTH / 2, _TOP + 56 + line * 17, text, size=12.5, anchor="middle"))
        parts.append(f'<path d="M{x + _WIDTH} {_TOP + _HEIGHT / 2} h{_GAP}" stroke="{_LINE}" stroke-width="2"/>')
    end = _LEFT + len(ROOMS) * (_WIDTH + _GAP)
    parts.append(_text(end + 8, _TOP + 34, "release r0002", size=15, weight=600))
    parts.append(_text(end + 8, _TOP + 56, "OMOP CDM 5.4", size=12.5))
    parts.append(_text(end + 8, _TOP + 74, "report, export", size=12.5))
    for room, words, x in (
        ("bytes as delivered, encrypted", "changed by nothing but an erasure", _LEFT),
        ("identity vault, sealed", "names and NHS numbers, only here", _LEFT + 2 * (_WIDTH + _GAP) + 20),
        ("ledger", "every delivery, release and erasure, chained", _LEFT + 5 * (_WIDTH + _GAP) - 40),
    ):
        parts.append(
            f'<rect x="{x}" y="176" width="264" height="54" rx="8" fill="{_VAULT}" stroke="#a2587a" stroke-dasharray="4 3"/>'
        )
        parts.append(_text(x + 132, 198, room, size=13.5, weight=600, anchor="middle"))
        parts.append(_text(x + 132, 217, words, size=11.5, anchor="middle"))
    for index in (0, 1, 4):
        middle = _LEFT + index * (_WIDTH + _GAP) + _WIDTH / 2
        target = (_LEFT + 132, _LEFT + 2 * (_WIDTH + _GAP) + 152, _LEFT + 5 * (_WIDTH + _GAP) + 92)[
            (0, 1, 4).index(index)
        ]
        parts.append(
            f'<path d="M{middle} {_TOP + _HEIGHT} C {middle} 160, {target} 150, {target} 176" stroke="#a2587a" fill="none" stroke-dasharray="4 3"/>'
        )
    return "\n".join((*parts, "</svg>", ""))


def _text(x: float, y: float, text: str, *, size: float, weight: int = 400, anchor: str = "start") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" text-anchor="{anchor}" fill="{_INK}">{escape(text)}</text>'
