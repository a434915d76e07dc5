"""The one sentence: who is in the cohort, from when until when."""

from collections.abc import Sequence
from dataclasses import replace

from fairhaven.cohort.english.concept_names import ConceptNames
from fairhaven.cohort.english.criteria_phrases import Perspective, clauses
from fairhaven.cohort.english.event_phrases import merged, noun
from fairhaven.cohort.english.phrases import LIMITS, days_from, joined, many, quoted, within
from fairhaven.cohort.english.value_phrases import of_person
from fairhaven.cohort.model import (
    CohortDefinition,
    Criterion,
    DateField,
    DateOffset,
    Demographic,
    Domain,
    DrugEraExit,
    EndOfObservation,
    EntryEvents,
    Events,
    Group,
    Limit,
    Match,
    UserPeriod,
)

_EVENTS = 4
_RULES = 4
_LETTERS = 400
"""Beyond these many a sentence counts instead of naming; the explanation's statements say all."""


def summarised(definition: CohortDefinition, naming: ConceptNames) -> str:
    """The sentence of a definition."""
    traits, clauses = _who(definition, naming)
    if _is_person(definition.entry):
        return f"People{_persons(definition.entry, traits, naming)}{f' who {clauses}' if clauses else ''}."
    people = f"People {joined(traits)}, with" if traits else "People with"
    text = f"{people} {_entering(definition, naming)}{f', who {clauses}' if clauses else ''}"
    return f"{text}; {_stay(definition, naming)}."


def _who(definition: CohortDefinition, naming: ConceptNames) -> tuple[list[str], str]:
    """What is said of the persons, and the clauses of the rules."""
    voice = Perspective(naming=naming, has="have", is_="are", anchor="entry", observed=definition.entry.observed)
    traits: list[str] = []
    said: list[str] = []
    named: list[str] = []
    number = 0
    if definition.qualifying is not None and definition.qualifying.members:
        limit = LIMITS.get(definition.qualified_limit)
        traits = [] if limit else _traits(definition.qualifying, naming)
        if not traits:
            text = joined(clauses(definition.qualifying, voice)) or "meet further conditions at entry"
            number += 1
            said.append(f"{text} (of such events each person's {limit})" if limit else text)
    for rule in definition.rules:
        own = _traits(rule.group, naming)
        traits += own
        if rule.group.members and not own:
            own = clauses(rule.group, voice)
            said += own
            named += [] if own else [" ".join(rule.name.split())]
            number += 1
    parts = [*said, *_by_name(named)]
    if number > _RULES or sum(map(len, parts)) > _LETTERS:
        return traits, f"meet {number} {'further ' if traits else ''}{'condition' if number == 1 else 'conditions'}"
    return traits, joined(parts)


def _by_name(rules: Sequence[str]) -> list[str]:
    """Rules whose conditions a sentence leaves out, by their names."""
    named = [quoted(name) for name in rules if name]
    if len(named) < len(rules):
        return [f"meet {many(len(rules), 'rule')} besides"]
    return [f"meet the {'rule' if len(named) == 1 else 'rules'} {joined(named)}"] if named else []


def _traits(group: Group, naming: ConceptNames) -> list[str]:
    """What a group says, if it says nothing but what the person is: ``aged 18 or over``."""
    is_every = group.match == Match.ALL or (group.match == Match.ANY and len(group.members) == 1)
    demographics = [member for member in group.members if isinstance(member, Demographic)]
    if not is_every or len(demographics) < len(group.members):
        return []
    return [of_person(item, naming) for member in demographics for item in member.filters]


def _is_person(entry: EntryEvents) -> bool:
    return all(isinstance(each, Events) and each.domain == Domain.PERSON for each in entry.events)


def _persons(entry: EntryEvents, traits: list[str], naming: ConceptNames) -> str:
    """What the entry asks of persons as such, with the traits of the rules."""
    either = [joined([of_person(item, naming) for item in each.filters]) for each in entry.events]
    asked = joined([f"either {either[0]}", *either[1:]] if len(either) > 1 else either, "or") if all(either) else ""
    more = " (under conditions)" if any(isinstance(each, Events) and each.nested for each in entry.events) else ""
    said = joined([each for each in (asked, *traits) if each])
    return f" {said}{more}" if said else more


def _entering(definition: CohortDefinition, naming: ConceptNames) -> str:
    entry = definition.entry
    phrases = merged(
        [replace(each, nested=None) if isinstance(each, Events) else each for each in entry.events], naming
    )
    text = _either(phrases) + _nested(entry.events, naming)
    if entry.limit != Limit.ALL and not _is_first(entry):
        text += f" (each person's {LIMITS[entry.limit]})"
    spans = [
        f"{side} at least {many(days, 'day')} of observation"
        for days, side in ((entry.prior_days, "after"), (entry.post_days, "before"))
        if days
    ]
    return f"{text}, {' and '.join(spans)}" if spans else text


def _either(events: list[str]) -> str:
    """As many kinds of event as a sentence carries, at least one."""
    most = len(events)
    while most > 1 and (most > _EVENTS or sum(map(len, events[:most])) > _LETTERS):
        most -= 1
    rest = len(events) - most
    if rest:
        events = [*events[:most], "one other kind of event" if rest == 1 else f"one of {rest} other kinds of event"]
    return joined(events, "or")


def _nested(events: Sequence[Criterion], naming: ConceptNames) -> str:
    """The conditions on entry events themselves."""
    groups = [each.nested for each in events if isinstance(each, Events) and each.nested is not None]
    if not groups:
        return ""
    if len(events) == 1:
        voice = Perspective(naming=naming, has="have", is_="are", anchor=f"that {noun(events[0]).one}")
        text = joined(clauses(groups[0], voice))
        return f" for which they {text}" if text and len(text) <= _LETTERS // 2 else " that meets conditions of its own"
    return (
        " (which must meet conditions of its own)"
        if len(groups) == len(events)
        else " (some under conditions of their own)"
    )


def _is_first(entry: EntryEvents) -> bool:
    return len(entry.events) == 1 and entry.events[0].first


def _stay(definition: CohortDefinition, naming: ConceptNames) -> str:
    entry = definition.entry
    if _is_first(entry) or entry.limit != Limit.ALL:
        start = f"that {noun(entry.events[0]).one if len(entry.events) == 1 else 'event'}"
    elif definition.limit != Limit.ALL:
        start = f"the {LIMITS[definition.limit]} such event"
    else:
        start = "each such event"
    stay = _until(definition, start, naming)
    if definition.censoring:
        # Conditions on these events make a sentence too long; without them it would say too much.
        plain = not any(isinstance(each, Events) and each.nested for each in definition.censoring)
        events = _either(merged(definition.censoring, naming)) if plain else ""
        stay += f", or until {events if events and len(events) < _LETTERS // 2 else 'an event that ends it'}, if that comes first"
    if definition.window is not None and definition.window != UserPeriod():
        stay += f"; only the days {within(definition.window)} count"
    return stay


def _until(definition: CohortDefinition, start: str, naming: ConceptNames) -> str:
    match definition.exit:
        case EndOfObservation():
            return f"from {start} until observation ends"
        case DateOffset(date=DateField.START, days=0):
            return f"on the day of {start} only"
        case DateOffset(date=date, days=days):
            until = days_from(days, "it" if date == DateField.START else "its end") if days else "it ends"
            return f"from {start} until {until}, while under observation"
        case DrugEraExit(concepts=concepts):
            return f"from {start} until their course of {naming.set(concepts)} ends, while under observation"
