"""When a definition looks: the time windows of its rules around the entry event, set apart by what they ask for."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from fairhaven.cohort.english.concept_names import ConceptNames
from fairhaven.cohort.english.criteria_phrases import Perspective, demographic
from fairhaven.cohort.english.time_windows import when
from fairhaven.cohort.model import (
    CohortDefinition,
    Correlated,
    DateField,
    Demographic,
    Group,
    Match,
    OccurrenceType,
    Window,
)


class LaneKind(StrEnum):
    """What is asked of a stretch of time; the value is its style class."""

    PRESENT = "present"
    ABSENT = "absent"
    COUNTED = "counted"
    PERSON = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneSpan:
    """One look at a person's record.

    Args:
        window: the days, from the entry event.
        in_period: only within the entry event's period of observation.
        words: what is asked, for a reader.
    """

    asked: LaneKind
    window: Window
    in_period: bool
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """Rules that look alike.

    Args:
        rules: their numbers, from 1; none for what is asked of entry events before all rules.
        name: of the rule, where it is one.
    """

    rules: tuple[int, ...]
    name: str
    looks: tuple[LaneSpan, ...]


def lanes(definition: CohortDefinition) -> list[Lane]:
    """What is asked before the rules, then the rules in their order; rules that look alike are one lane."""
    naming = ConceptNames(definition, {})
    found: dict[tuple[LaneSpan, ...], list[int]] = {}
    for number, rule in enumerate(definition.rules, start=1):
        found.setdefault(_looks(rule.group, naming), []).append(number)
    first = _looks(definition.qualifying, naming) if definition.qualifying is not None else ()
    return [
        *([Lane(rules=(), name="Asked of entry events first", looks=first)] if first else []),
        *(
            Lane(
                rules=tuple(numbers),
                name=definition.rules[numbers[0] - 1].name if len(numbers) == 1 else "",
                looks=looks,
            )
            for looks, numbers in found.items()
        ),
    ]


def _looks(group: Group, naming: ConceptNames) -> tuple[LaneSpan, ...]:
    """The looks of a group, each once."""
    return tuple(dict.fromkeys(_within(group, naming, is_negated=False)))


def _within(group: Group, naming: ConceptNames, *, is_negated: bool) -> Iterator[LaneSpan]:
    if group.match == Match.AT_MOST and group.count == 0:
        is_negated = not is_negated
    is_counted = group.match == Match.AT_MOST and group.count != 0
    for member in group.members:
        match member:
            case Group():
                yield from _within(member, naming, is_negated=is_negated)
            case Demographic():
                text = demographic(member, Perspective(naming=naming))
                words = f"Not: {text}" if is_negated else f"{text[:1].upper()}{text[1:]}"
                yield LaneSpan(asked=LaneKind.PERSON, window=Window(since=0, until=0), in_period=True, words=words)
            case Correlated():
                asked = LaneKind.COUNTED if is_counted else _asked(member, is_negated=is_negated)
                for window in (member.start, member.end):
                    if window is not None:
                        words = _words(window, asked, in_period=member.within_observation)
                        yield LaneSpan(asked=asked, window=window, in_period=member.within_observation, words=words)


def _asked(member: Correlated, *, is_negated: bool) -> LaneKind:
    times, count = member.occurrence.times, member.occurrence.count
    if count == 0 and times != OccurrenceType.AT_LEAST:
        return LaneKind.PRESENT if is_negated else LaneKind.ABSENT
    if times == OccurrenceType.AT_LEAST and count > 0:
        return LaneKind.ABSENT if is_negated and count == 1 else LaneKind.COUNTED if is_negated else LaneKind.PRESENT
    return LaneKind.COUNTED


_STARTS = {LaneKind.PRESENT: "A record", LaneKind.ABSENT: "No record", LaneKind.COUNTED: "Records are counted"}


def _words(window: Window, asked: LaneKind, *, in_period: bool) -> str:
    anchor = "the entry event" if window.index == DateField.END else "entry"
    ending = " that ends" if window.of == DateField.END else ""
    words = f"{_STARTS[asked]}{ending} {when(window, anchor, in_period=in_period)}"
    return words if in_period else f"{words}, observed or not"
