"""Groups of conditions: as statements below each other, and as clauses of a sentence."""

from dataclasses import dataclass, replace

from fairhaven.cohort.english.concept_names import ConceptNames
from fairhaven.cohort.english.event_phrases import more, noun, one, one_bare
from fairhaven.cohort.english.phrases import joined
from fairhaven.cohort.english.text_layout import ExplanationLine
from fairhaven.cohort.english.time_windows import when
from fairhaven.cohort.english.value_phrases import of_person
from fairhaven.cohort.model import (
    Correlated,
    DateField,
    Demographic,
    Events,
    Group,
    Match,
    Occurrence,
    OccurrenceType,
    Window,
)

_SAME_DAY = Window(since=0, until=0)
"""The entry event's own day, which is under observation by itself."""

_CLAUSES = 3
"""Conditions that a sentence takes from one group."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Perspective:
    """Of whom and from when conditions are said.

    Args:
        has, is_: "has" and "is", or "have" and "are".
        anchor: the index event, for example "the entry event".
        observed: observation matters to the definition, so that what disregards it says so.
    """

    naming: ConceptNames
    has: str = "has"
    is_: str = "is"
    anchor: str = "the entry event"
    observed: bool = True

    def at(self, anchor: str) -> "Perspective":
        """The same, from another event."""
        return replace(self, anchor=anchor)


def group_lines(group: Group, voice: Perspective) -> tuple[ExplanationLine, ...]:
    """The group as statements: one for its only member, or a heading and one below for each."""
    if not group.members:
        return (ExplanationLine(text="Nothing is asked."),)
    if len(group.members) == 1 and _is_plain(group):
        return _member_lines(group.members[0], voice)
    below = tuple(line for member in group.members for line in _member_lines(member, voice))
    return (ExplanationLine(text=f"{quantified(group)}:", below=below),)


def quantified(group: Group) -> str:
    """``All of these hold``, ``At least 2 of these hold``."""
    match group.match, group.count:
        case Match.ALL, _:
            return "All of these hold" if len(group.members) != 2 else "Both of these hold"
        case (Match.ANY, _) | (Match.AT_LEAST, 1):
            return "At least one of these holds"
        case Match.AT_MOST, 0:
            return "None of these holds" if len(group.members) > 1 else "This does not hold"
        case Match.AT_MOST, 1:
            return "At most one of these holds"
        case how, count:
            return f"{str(how).capitalize()} {count} of these hold"


def clauses(group: Group, voice: Perspective) -> list[str]:
    """The group as clauses that must all hold ("has ...", "has no record of ..."); none where a sentence would not carry it."""
    if len(group.members) > _CLAUSES:
        return []
    if not (_is_plain(group) if len(group.members) == 1 else group.match in (Match.ALL, Match.ANY)):
        return []
    parts = [_member_clause(member, voice) for member in group.members]
    said = [part for part in parts if part is not None]
    if len(said) < len(parts):
        return []
    if len(said) > 1 and group.match == Match.ANY:
        return [f"{'either ' if len(said) == 2 else ''}{joined(said, 'or')}"]
    return said


def _is_plain(group: Group) -> bool:
    """A group of one member that says no more than its member."""
    return group.match in (Match.ALL, Match.ANY) or (group.match, group.count) == (Match.AT_LEAST, 1)


def _member_lines(member: Correlated | Demographic | Group, voice: Perspective) -> tuple[ExplanationLine, ...]:
    match member:
        case Group():
            return group_lines(member, voice)
        case Demographic():
            return (ExplanationLine(text=f"The person {demographic(member, voice)}."),)
        case Correlated(events=Events(nested=Group() as nested) as events):
            text = f"The person {correlated(member, voice)}, counting only {noun(events).more} for which:"
            return (ExplanationLine(text=text, below=group_lines(nested, voice.at(f"that {noun(events).one}"))),)
        case Correlated():
            return (ExplanationLine(text=f"The person {correlated(member, voice)}."),)


def _member_clause(member: Correlated | Demographic | Group, voice: Perspective) -> str | None:
    match member:
        case Group():
            inner = clauses(member, voice)
            return inner[0] if len(member.members) == 1 and inner else None
        case Demographic():
            return demographic(member, voice)
        case Correlated(events=Events(nested=Group())):
            return None
        case Correlated():
            return correlated(member, voice)


def demographic(member: Demographic, voice: Perspective) -> str:
    """``is aged 18 or over and recorded as female``."""
    if not member.filters:
        return f"{voice.is_} anyone"
    return f"{voice.is_} {joined([of_person(item, voice.naming) for item in member.filters])}"


def correlated(member: Correlated, voice: Perspective) -> str:
    """``has at least 2 diagnoses of “Asthma” in the 365 days before the entry event``."""
    in_period = member.within_observation
    start = _dated(member.start, voice.anchor, in_period=in_period)
    text = f"{voice.has} {_counted(member, voice.naming)} {start}"
    if member.end is not None:
        text += f" and {_dated(member.end, voice.anchor, in_period=in_period, is_second=True)}"
    if member.same_visit:
        text += f" in the same visit as {voice.anchor}"
    is_plain = in_period or not voice.observed or member.start == _SAME_DAY
    return text if is_plain else f"{text}, whether or not under observation"


def _dated(window: Window, anchor: str, *, in_period: bool, is_second: bool = False) -> str:
    words = when(window, anchor, in_period=in_period)
    if window.of == DateField.END:
        return f"ending {words}"
    return f"starting {words}" if is_second else words


def _counted(member: Correlated, naming: ConceptNames) -> str:
    events, occurrence = member.events, member.occurrence
    times, count = occurrence.times, occurrence.count
    if count == 0:
        none = f"no record of {one(events, naming)}"
        return f"any number of {more(events, naming)}, or none," if times == OccurrenceType.AT_LEAST else none
    if occurrence.distinct is not None and (times, count) != (OccurrenceType.AT_LEAST, 1):
        return f"{more(events, naming)} {_different(occurrence)}"
    if occurrence.distinct is not None and occurrence.distinct not in ("start_date", "concept_id"):
        return f"{one(events, naming)} {_different(occurrence)}"
    if (times, count) == (OccurrenceType.AT_LEAST, 1):
        return one(events, naming)
    return f"{times} {count:,} {one_bare(events, naming) if count == 1 else more(events, naming)}"


_DIFFERENT = {
    "start_date": ("on", "day"),
    "end_date": ("ending on", "day"),
    "concept_id": ("with", "concept"),
    "visit_occurrence_id": ("in", "visit"),
    "days": ("of", "length"),
}
"""Column whose different values are counted: how it is said of them, and what one of them is."""


def _different(occurrence: Occurrence) -> str:
    column = str(occurrence.distinct)
    before, one_value = _DIFFERENT.get(column, ("with", "value"))
    what = one_value if occurrence.count == 1 else f"different {one_value}s"
    of = "" if column in _DIFFERENT else f" of {column.removesuffix('_id').replace('_', ' ')}"
    return f"{before} {occurrence.times} {occurrence.count:,} {what}{of}"
