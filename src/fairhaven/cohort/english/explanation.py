"""A definition in words: every statement, in the order of its meaning."""

from collections.abc import Iterator, Mapping

from fairhaven.cohort.english.concept_names import ConceptNames
from fairhaven.cohort.english.criteria_phrases import Perspective, group_lines
from fairhaven.cohort.english.event_phrases import moment, noun, one
from fairhaven.cohort.english.phrases import LIMITS, many, quoted, within
from fairhaven.cohort.english.summary import summarised
from fairhaven.cohort.english.text_layout import Explanation, ExplanationLine, ExplanationPart
from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    Criterion,
    DateField,
    DateOffset,
    Demographic,
    DrugEraExit,
    EndOfObservation,
    EntryEvents,
    Eras,
    Events,
    Filter,
    Group,
    InSet,
    Limit,
    UserPeriod,
)

_LINES = 12
"""Lines shown of a concept set; then the rest is counted."""


def explain(
    definition: CohortDefinition, *, names: Mapping[int, str] | None = None, concept_lines: int | None = _LINES
) -> Explanation:
    """Everything that a definition says, for a clinician and a member of the public alike.

    Args:
        definition: a checked definition.
        names: names of concepts from a vocabulary, for those that the definition does not name.
        concept_lines: lines shown of each concept set; None shows all.
    """
    naming = ConceptNames(definition, names or {})
    return Explanation(
        name=definition.name,
        sentence=summarised(definition, naming),
        parts=tuple(part for part in _parts(definition, naming, concept_lines) if part.lines),
    )


def sentence(definition: CohortDefinition) -> str:
    """Who is in the cohort, from when until when, in one English sentence."""
    return summarised(definition, ConceptNames(definition, {}))


def _parts(definition: CohortDefinition, naming: ConceptNames, concept_lines: int | None) -> Iterator[ExplanationPart]:
    if definition.description.strip():
        yield ExplanationPart(
            title="In its author's words", lines=(ExplanationLine(text=" ".join(definition.description.split())),)
        )
    voice = Perspective(naming=naming, observed=definition.entry.observed)
    yield ExplanationPart(title="Who enters", lines=tuple(_entry(definition, voice)))
    yield ExplanationPart(title="Rules", lines=tuple(_rules(definition, voice)), is_numbered=True)
    yield ExplanationPart(title="How long they stay", lines=tuple(_stay(definition, voice)))
    yield ExplanationPart(title="Concept sets", lines=tuple(_concept_sets(definition, naming, concept_lines)))
    yield ExplanationPart(
        title="How to read this", lines=tuple(ExplanationLine(text=text) for text in _notes(definition))
    )


def _entry(definition: CohortDefinition, voice: Perspective) -> Iterator[ExplanationLine]:
    entry = definition.entry
    events = tuple(_entry_event(criterion, voice) for criterion in entry.events)
    if len(events) == 1:
        stop = "" if events[0].below else "."
        yield ExplanationLine(text=f"The entry event is {events[0].text}{stop}", below=events[0].below)
    else:
        yield ExplanationLine(text="An entry event is any of these:", below=events)
    yield from (ExplanationLine(text=text) for text in _observation(entry))
    if entry.limit != Limit.ALL:
        yield ExplanationLine(text=f"Of each person's entry events the {LIMITS[entry.limit]} goes on.")
    if definition.qualifying is not None and definition.qualifying.members:
        yield ExplanationLine(
            text="An entry event goes on only where:", below=group_lines(definition.qualifying, voice)
        )
    if definition.qualifying is not None and definition.qualified_limit != Limit.ALL:
        yield ExplanationLine(text=f"Of those the {LIMITS[definition.qualified_limit]} of each person goes on.")


def _entry_event(criterion: Criterion, voice: Perspective) -> ExplanationLine:
    text = one(criterion, voice.naming)
    if isinstance(criterion, Events) and criterion.nested is not None:
        below = group_lines(criterion.nested, voice.at(f"that {noun(criterion).one}"))
        return ExplanationLine(text=f"{text}, counting only {noun(criterion).more} for which:", below=below)
    return ExplanationLine(text=text)


def _observation(entry: EntryEvents) -> Iterator[str]:
    if not entry.observed:
        yield "It counts whether or not the person was under observation."
        return
    spans = [
        f"at least {many(days, 'day')} {side}"
        for days, side in ((entry.prior_days, "before"), (entry.post_days, "after"))
        if days
    ]
    also = f" and for {' and '.join(spans)}" if spans else ""
    yield f"The person must be under observation on the event's first day{also}."


def _rules(definition: CohortDefinition, voice: Perspective) -> Iterator[ExplanationLine]:
    for index, rule in enumerate(definition.rules, start=1):
        about = (
            (ExplanationLine(text=f"In its author's words: {quoted(rule.description)}"),)
            if rule.description.strip()
            else ()
        )
        yield ExplanationLine(
            text=" ".join(rule.name.split()) or f"Rule {index}", below=(*about, *group_lines(rule.group, voice))
        )


def _stay(definition: CohortDefinition, voice: Perspective) -> Iterator[ExplanationLine]:
    if definition.limit != Limit.ALL:
        of = "that meet every rule" if definition.rules else "that went on"
        yield ExplanationLine(text=f"Of the entry events {of}, each person's {LIMITS[definition.limit]} counts.")
    yield ExplanationLine(
        text=f"A person is in the cohort from the start of the entry event {_exit(definition, voice.naming)}."
    )
    if definition.censoring:
        below = tuple(_entry_event(criterion, voice) for criterion in definition.censoring)
        yield ExplanationLine(
            text="The stay ends earlier with the first of these that starts on or after its first day:", below=below
        )
    gap = f", or follow each other within {many(definition.gap_days, 'day')}," if definition.gap_days else ""
    yield ExplanationLine(text=f"Stays of a person that overlap{gap} are one.")
    if definition.window is not None and definition.window != UserPeriod():
        yield ExplanationLine(text=f"Only the part of a stay {within(definition.window)} counts.")


def _exit(definition: CohortDefinition, naming: ConceptNames) -> str:
    match definition.exit:
        case EndOfObservation():
            return "until observation ends" if definition.entry.observed else "on"
        case DateOffset(date=date, days=0):
            return "on that day only" if date == DateField.START else "until that event ends, or observation does"
        case DateOffset(date=date, days=days):
            return f"until {moment(date, days)}, or until observation ends if that is earlier"
        case DrugEraExit() as era:
            return f"until their course of {naming.set(era.concepts)} ends{_course(era)}; without one at that time, until observation ends"


def _course(era: DrugEraExit) -> str:
    said = [f"gaps of up to {many(era.gap_days, 'day')} do not end it"] if era.gap_days else []
    if era.days_supply is not None:
        said.append(f"each exposure is taken to last {many(era.days_supply, 'day')}")
    if era.offset:
        days = f"{many(abs(era.offset), 'day')} {'is' if abs(era.offset) == 1 else 'are'}"
        said.append(f"{days} {'added to' if era.offset > 0 else 'taken off'} each exposure")
    return f" ({'; '.join(said)})" if said else ""


def _concept_sets(definition: CohortDefinition, naming: ConceptNames, most: int | None) -> Iterator[ExplanationLine]:
    used = set(_used(definition))
    for item in definition.concept_sets:
        if item.id in used:
            yield _concept_set(item, naming, most)
        else:
            yield ExplanationLine(text=f"{naming.set(item.id)} is not used.")


def _concept_set(concept_set: ConceptSet, naming: ConceptNames, most: int | None) -> ExplanationLine:
    lines = [_item(item, naming) for item in concept_set.items]
    if most is not None and len(lines) > most:
        lines = [*lines[: most - 1], f"and {many(len(lines) - most + 1, 'more line')}"]
    if not lines:
        lines = ["nothing: no concept is in it"]
    return ExplanationLine(text=naming.set(concept_set.id), below=tuple(ExplanationLine(text=line) for line in lines))


def _item(item: ConceptSetItem, naming: ConceptNames) -> str:
    name = item.name or naming.concept(item.concept_id)
    id_ = "" if name.startswith("concept ") else f" ({item.concept_id})"
    below = ", with everything below it" if item.descendants else ""
    if item.mapped:
        below += " and the source codes that map to these" if below else ", with the source codes that map to it"
    return f"{'not ' if item.excluded else ''}{name}{id_}{below}"


def _notes(definition: CohortDefinition) -> Iterator[str]:
    """What every reader has to know, where it matters for this definition."""
    groups = [rule.group for rule in definition.rules]
    if definition.qualifying is not None:
        groups.append(definition.qualifying)
    nested = [*definition.entry.events, *definition.censoring]
    if any(group.members for group in groups) or any(isinstance(each, Events) and each.nested for each in nested):
        yield "“Before” and “after” an event count from the day it starts, unless its end is named."
        if definition.entry.observed:
            yield (
                "Events are looked for in the period of observation in which the entry event lies, unless it says "
                "“whether or not under observation”."
            )
    if any(item.field in ("age", "age_at_end") for item in _filters(definition)):
        yield "An age is the year of the event less the year of birth."
    if any(isinstance(each, Events) and each.first for each in _criteria(definition)):
        yield (
            "“A first diagnosis” and the like is the earliest on record; what is said after it must be true of that one."
        )
    yield "Only what was recorded can be known: “no record of” something does not prove that it was not there."


def _used(definition: CohortDefinition) -> Iterator[str]:
    """Ids of the concept sets that the definition refers to."""
    for criterion in _criteria(definition):
        if isinstance(criterion, Events):
            yield from (name for name in (criterion.concepts, criterion.source_concepts) if name is not None)
    for item in _filters(definition):
        if isinstance(item.test, InSet):
            yield item.test.concept_set
    if isinstance(definition.exit, DrugEraExit):
        yield definition.exit.concepts


def _criteria(definition: CohortDefinition) -> Iterator[Criterion]:
    """Every criterion, also those in groups and in each other."""
    return (part for part in _walked(definition) if not isinstance(part, Demographic))


def _filters(definition: CohortDefinition) -> Iterator[Filter]:
    """Every test of a field, of events and of persons."""
    return (item for part in _walked(definition) for item in part.filters)


def _walked(definition: CohortDefinition) -> Iterator[Criterion | Demographic]:
    qualifying = () if definition.qualifying is None else (definition.qualifying,)
    rules = (rule.group for rule in definition.rules)
    for part in (*definition.entry.events, *definition.censoring, *qualifying, *rules):
        yield from _below(part)


def _below(part: Criterion | Group | Correlated | Demographic) -> Iterator[Criterion | Demographic]:
    """A part itself, and what it is made of."""
    inner: tuple[Criterion | Group | Correlated | Demographic, ...] = ()
    match part:
        case Group():
            inner = part.members
        case Correlated():
            inner = (part.events,)
        case Eras():
            inner = part.of
        case Events(nested=Group() as nested):
            inner = (nested,)
    if not isinstance(part, Group | Correlated):
        yield part
    for each in inner:
        yield from _below(each)
