"""The picture of a definition in time: what must be observed, where each rule looks, how long a person stays."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from fairhaven.cohort.english.concept_names import ConceptNames
from fairhaven.cohort.english.event_phrases import one
from fairhaven.cohort.model import (
    CohortDefinition,
    DateField,
    DateOffset,
    DrugEraExit,
    Edge,
    EndOfObservation,
    Limit,
    Window,
)
from fairhaven.pages.cohort.lanes import Lane, LaneKind, LaneSpan, lanes
from fairhaven.pages.cohort.time_axis import Axis, axis_for, signed_days
from fairhaven.pages.kit.charts import canvas, percent
from fairhaven.pages.kit.figures import counted, short, whole
from fairhaven.pages.kit.svg import Child, element

_WORDS = 3
"""Looks that a lane says in words; the definition in words says all."""

_LEAST = 1.2
"""Width of a stretch that is one day, of 100."""

_TALL = 10
"""Height of a stretch, in pixels."""

_LIMITS = {Limit.FIRST: "each person's earliest", Limit.LAST: "each person's latest"}
_KEY = {
    LaneKind.PRESENT: "must be on record",
    LaneKind.ABSENT: "must not be on record",
    LaneKind.COUNTED: "is counted",
    LaneKind.PERSON: "what the person is at entry",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnLane:
    """One line of the picture: its name, what it shows in words, and the drawing."""

    name: str
    words: str
    drawing: Markup


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """The picture.

    Args:
        lanes: from above; scale: days under them; key: what the colours mean (style class, words).
        stretches: what is drawn, in words: lane, what is asked, from, to.
    """

    lanes: Sequence[DrawnLane]
    scale: Markup
    key: Sequence[tuple[str, str]]
    stretches: Sequence[tuple[str, str, str, str]]


_EDGES = {Edge.OPEN: "any time", Edge.PERIOD_START: "observation starts", Edge.PERIOD_END: "observation ends"}


def timeline(definition: CohortDefinition) -> Timeline:
    """The picture of a definition; the words beside each lane say what it shows."""
    rules = lanes(definition)
    stay = _stay(definition)
    windows = [look.window for lane in rules for look in lane.looks]
    observed = Window(since=-definition.entry.prior_days, until=definition.entry.post_days)
    everything = [*windows, stay, observed]
    axis = axis_for(everything, is_observed=definition.entry.observed)
    background = _span(axis.start, axis.end, "observed") if axis.is_observed else None
    drawn = [
        ("Under observation", _observation(definition), [background, _part(axis, observed)]),
        ("Entry event", _entry(definition), _event(axis)),
        *((_name(lane), _looks(lane.looks), _drawn(lane.looks, axis)) for lane in rules),
        ("In the cohort", _leaving(definition), _stayed(axis, stay, _stay_class(definition))),
    ]
    guides = [_guide(axis.entry, "guide entry")]
    if axis.is_observed:
        guides += [_guide(axis.start, "guide"), _guide(axis.end, "guide")]
    asked = dict.fromkeys(look.asked for lane in rules for look in lane.looks)
    entries = [(f"look {each}", _KEY[each]) for each in LaneKind if each in asked]
    return Timeline(
        lanes=[
            DrawnLane(name=name, words=words, drawing=canvas(guides, shapes, class_="lane"))
            for name, words, shapes in drawn
        ],
        scale=_scale(axis, everything),
        key=[*entries, ("look stay", "in the cohort")] if entries else [],
        stretches=[
            *([("Under observation", "is observed", *_ends(observed))] if definition.entry.observed else []),
            *((_name(lane), _KEY[look.asked], *_ends(look.window)) for lane in rules for look in lane.looks),
            ("In the cohort", "is in the cohort", *_ends(stay)),
        ],
    )


def _ends(window: Window) -> tuple[str, str]:
    """Where a stretch starts and ends, days as the scale has them."""
    entry = "end of the entry event" if window.index == DateField.END else "entry"

    def word(reach: int | Edge) -> str:
        if isinstance(reach, Edge):
            return _EDGES[reach]
        return f"{entry} {signed_days(reach)}" if reach else entry

    return word(window.since), word(window.until)


def _guide(place: float, class_: str) -> Markup:
    return element("line", x1=percent(place), x2=percent(place), y1="0", y2="100%", class_=class_)


def _span(low: float, high: float, class_: str) -> Markup:
    """A stretch of time, half-way up its lane, whose height follows the words beside it."""
    width = max(high - low, _LEAST)
    left = low if high - low >= _LEAST else (low + high) / 2 - _LEAST / 2
    return element(
        "rect",
        x=percent(left),
        width=percent(width),
        y="50%",
        height=_TALL,
        transform=f"translate(0 -{_TALL // 2})",
        rx=2,
        class_=class_,
    )


def _part(axis: Axis, observed: Window) -> Markup | None:
    """The days that must be observed."""
    place = axis.stretch(observed, in_period=True)
    return _span(*place, "observed-part") if place is not None and axis.is_observed else None


def _stayed(axis: Axis, stay: Window, class_: str) -> Markup | None:
    """From the entry event's start, whichever of its dates the end is counted from."""
    place = axis.stretch(stay, in_period=True)
    return _span(axis.entry, max(axis.entry, place[1]), class_) if place is not None else None


def _event(axis: Axis) -> Markup:
    if axis.entry_end > axis.entry:
        return _span(axis.entry, axis.entry_end, "event")
    return element("circle", cx=percent(axis.entry), cy="50%", r=6, class_="event")


def _drawn(looks: Sequence[LaneSpan], axis: Axis) -> Iterator[Markup]:
    """Wide stretches first, so that narrow ones lie upon them."""
    places = [(axis.stretch(look.window, in_period=look.in_period), look) for look in looks]
    seen = [(place, look) for place, look in places if place is not None]
    for (low, high), look in sorted(seen, key=lambda each: each[0][0] - each[0][1]):
        style = f"look {look.asked}"
        if look.asked is LaneKind.PERSON:
            yield element("circle", cx=percent(low), cy="50%", r=5, class_=style)
            continue
        yield _span(low, high, f"{style} ends" if look.window.of == DateField.END else style)
        if look.asked is LaneKind.ABSENT and high - low >= 2 * _LEAST:
            inner = (percent(low + 0.6), percent(high - 0.6))
            yield element("line", x1=inner[0], x2=inner[1], y1="50%", y2="50%", class_="strike")


def _scale(axis: Axis, windows: Iterable[Window]) -> Markup:
    """Days under the lanes."""
    days = [
        (reach, window.index) for window in windows for reach in (window.since, window.until) if isinstance(reach, int)
    ]
    ends = [(axis.start, "start", "observation starts"), (axis.end, "end", "observation ends")]
    marks: list[Child] = [
        element("text", words, x=percent(place), y=14, text_anchor="middle") for place, words in axis.marks(days)
    ]
    if axis.is_observed:
        marks += [
            element("text", words, x=percent(place), y=31, text_anchor=anchor, class_="ends")
            for place, anchor, words in ends
        ]
    return canvas(marks, class_="scale")


def _name(lane: Lane) -> str:
    if lane.name:
        return f"{lane.rules[0]}. {lane.name}" if lane.rules else lane.name
    return f"Rules {_numbers(lane.rules)}" if len(lane.rules) > 1 else f"Rule {lane.rules[0]}"


def _numbers(numbers: Sequence[int]) -> str:
    """``1, 3–5 and 8``"""
    starts = [numbers[0], *(after for before, after in pairwise(numbers) if after != before + 1)]
    ends = [*(before for before, after in pairwise(numbers) if after != before + 1), numbers[-1]]
    said = [
        str(first) if first == last else f"{first}–{last}" if last > first + 1 else f"{first}, {last}"
        for first, last in zip(starts, ends, strict=True)
    ]
    return " and ".join([", ".join(said[:-1]), said[-1]]) if len(said) > 1 else said[0]


def _looks(looks: Sequence[LaneSpan]) -> str:
    said = list(dict.fromkeys(look.words for look in looks))
    if not said:
        return "Nothing is asked"
    more = f"; and {counted(len(said) - _WORDS, 'more look')}" if len(said) > _WORDS else ""
    first, *others = said[:_WORDS]
    return "; ".join([first, *(words[:1].lower() + words[1:] for words in others)]) + more


def _observation(definition: CohortDefinition) -> str:
    entry = definition.entry
    if not entry.observed:
        return "Not asked for"
    spans = [
        f"{counted(days, 'day')} {side}"
        for days, side in ((entry.prior_days, "before"), (entry.post_days, "after"))
        if days
    ]
    return f"At least {' and '.join(spans)} entry" if spans else "On the day of entry"


def _entry(definition: CohortDefinition) -> str:
    events, naming = definition.entry.events, ConceptNames(definition, {})
    said = one(events[0], naming) if len(events) == 1 else f"one of {whole(len(events))} kinds of event"
    is_first = len(events) == 1 and events[0].first
    limit = None if is_first else _LIMITS.get(definition.entry.limit) or _LIMITS.get(definition.limit)
    words = f"{said}; {limit}" if limit else said
    return short(words[:1].upper() + words[1:], 160)


def _stay(definition: CohortDefinition) -> Window:
    match definition.exit:
        case DateOffset(date=date, days=days):
            return Window(since=min(0, days), until=days, index=date)
        case EndOfObservation() | DrugEraExit():
            return Window(since=0, until=Edge.PERIOD_END)


def _stay_class(definition: CohortDefinition) -> str:
    is_open = isinstance(definition.exit, DrugEraExit) or bool(definition.censoring)
    return "look stay open" if is_open else "look stay"


def _leaving(definition: CohortDefinition) -> str:
    match definition.exit:
        case EndOfObservation():
            said = "Until observation ends" if definition.entry.observed else "From entry on"
        case DateOffset(date=DateField.START, days=0):
            said = "On the day of entry only"
        case DateOffset(date=DateField.END, days=0):
            said = "Until the entry event ends"
        case DateOffset(date=date, days=days):
            edge = "entry" if date == DateField.START else "the end of the entry event"
            said = f"Until {counted(abs(days), 'day')} {'after' if days > 0 else 'before'} {edge}"
        case DrugEraExit(concepts=concepts):
            said = f"Until their course of {ConceptNames(definition, {}).set(concepts)} ends"
    if definition.censoring:
        said += f", or earlier with {counted(len(definition.censoring), 'kind')} of event"
    if definition.gap_days:
        said += f"; stays within {counted(definition.gap_days, 'day')} of each other are one"
    return said
