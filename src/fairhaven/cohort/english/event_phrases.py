"""Events and eras as nouns with what is asked of them: ``a first diagnosis of “Asthma” at age 18 or over``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from fairhaven.cohort.english.concept_names import ConceptNames
from fairhaven.cohort.english.phrases import day, days_from, joined, many, with_article
from fairhaven.cohort.english.value_phrases import after_event
from fairhaven.cohort.model import Criterion, DateField, Domain, Eras, Events, UserPeriod


@dataclass(frozen=True, kw_only=True, slots=True)
class EventNoun:
    """What an event of a table is called.

    Args:
        one, more: singular and plural.
        of: joins the concept set's name.
        every: said where every row of the table counts.
    """

    one: str
    more: str
    of: str
    every: str = ""


NOUNS: Mapping[Domain, EventNoun] = {
    Domain.CONDITION_ERA: EventNoun(one="spell", more="spells", of="of", every="of any condition"),
    Domain.CONDITION_OCCURRENCE: EventNoun(one="diagnosis", more="diagnoses", of="of", every="of any condition"),
    Domain.DEATH: EventNoun(one="death", more="deaths", of="from"),
    Domain.DEVICE_EXPOSURE: EventNoun(one="use", more="uses", of="of the device", every="of any device"),
    Domain.DOSE_ERA: EventNoun(
        one="course at a steady dose", more="courses at a steady dose", of="of", every="of any ingredient"
    ),
    Domain.DRUG_ERA: EventNoun(one="course", more="courses", of="of", every="of any ingredient"),
    Domain.DRUG_EXPOSURE: EventNoun(one="exposure", more="exposures", of="to", every="to any drug"),
    Domain.EPISODE: EventNoun(one="episode", more="episodes", of="of", every="of any kind"),
    Domain.MEASUREMENT: EventNoun(one="measurement", more="measurements", of="of", every="of any kind"),
    Domain.OBSERVATION: EventNoun(one="observation", more="observations", of="of", every="of any kind"),
    Domain.OBSERVATION_PERIOD: EventNoun(one="period of observation", more="periods of observation", of="of type"),
    Domain.PAYER_PLAN_PERIOD: EventNoun(one="period of insurance", more="periods of insurance", of="with the payer"),
    Domain.PERSON: EventNoun(one="record as a person", more="records as a person", of="of"),
    Domain.PROCEDURE_OCCURRENCE: EventNoun(one="procedure", more="procedures", of="of type", every="of any type"),
    Domain.SPECIMEN: EventNoun(one="specimen", more="specimens", of="of", every="of any kind"),
    Domain.VISIT_DETAIL: EventNoun(one="part of a visit", more="parts of visits", of="of type", every="of any type"),
    Domain.VISIT_OCCURRENCE: EventNoun(one="visit", more="visits", of="of type", every="of any type"),
}
_RUN = EventNoun(one="run", more="runs", of="of")


def noun(criterion: Criterion) -> EventNoun:
    """What the events are called."""
    return NOUNS[criterion.domain] if isinstance(criterion, Events) else _RUN


def one(criterion: Criterion, naming: ConceptNames) -> str:
    """One event, with its article; conditions nested in it are left to the caller."""
    return with_article(_phrase(criterion, naming, noun(criterion).one))


def one_bare(criterion: Criterion, naming: ConceptNames) -> str:
    """One event without article, to follow a number."""
    return _phrase(criterion, naming, noun(criterion).one)


def more(criterion: Criterion, naming: ConceptNames) -> str:
    """Several events."""
    return _phrase(criterion, naming, noun(criterion).more)


def merged(criteria: Iterable[Criterion], naming: ConceptNames, most: int = 5) -> list[str]:
    """Events of one kind that differ in their concept set alone are named together, the others one by one.

    Conditions nested in them are left to the caller.

    Args:
        most: concept sets named of each kind; then the rest is counted.
    """
    alike: dict[Criterion, list[str]] = {}
    for criterion in criteria:
        if isinstance(criterion, Events) and criterion.concepts is not None:
            alike.setdefault(replace(criterion, concepts=None), []).append(naming.set(criterion.concepts))
        else:
            alike.setdefault(criterion, [])
    return [
        with_article(_phrase(criterion, naming, noun(criterion).one, _either(list(dict.fromkeys(names)), most)))
        for criterion, names in alike.items()
    ]


def _either(names: list[str], most: int) -> str:
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} other concept sets"]
    return joined(names, "or")


def _phrase(criterion: Criterion, naming: ConceptNames, word: str, names: str = "") -> str:
    first = "first " if criterion.first else ""
    match criterion:
        case Events():
            subject = _subject(criterion, naming, word, names)
        case Eras():
            parts = joined([more(part, naming) for part in criterion.of], "or")
            nested = " (each with conditions of its own)" if any(_has_nested(part) for part in criterion.of) else ""
            gap = f"gaps of up to {many(criterion.gap_days, 'day')}" if criterion.gap_days else "no gaps"
            subject = f"{word} of {parts}{nested} with {gap} between them"
    is_visit = isinstance(criterion, Events) and criterion.domain == Domain.VISIT_OCCURRENCE
    tests = [after_event(item, naming, is_visit=is_visit) for item in criterion.filters]
    phrases = [f"{first}{subject}", *tests]
    if criterion.dates is not None:
        start = moment(criterion.dates.start, criterion.dates.start_days)
        phrases.append(f"(dated from {start} to {moment(criterion.dates.end, criterion.dates.end_days)})")
    if isinstance(criterion, Events) and criterion.period is not None:
        phrases.append(_taken(criterion.period))
    return " ".join(phrase for phrase in phrases if phrase)


def _subject(events: Events, naming: ConceptNames, word: str, names: str) -> str:
    names = names or (naming.set(events.concepts) if events.concepts is not None else "")
    every = NOUNS[events.domain].every if events.source_concepts is None else ""
    phrases = [word, f"{NOUNS[events.domain].of} {names}" if names else every]
    if events.source_concepts is not None:
        phrases.append(f"with a source code of {naming.set(events.source_concepts)}")
    return " ".join(phrase for phrase in phrases if phrase)


def _has_nested(criterion: Criterion) -> bool:
    match criterion:
        case Events():
            return criterion.nested is not None
        case Eras():
            return any(_has_nested(part) for part in criterion.of)


def moment(date: DateField, days: int) -> str:
    """``30 days after its start``."""
    return days_from(days, "its start" if date == DateField.START else "its end")


def _taken(period: UserPeriod) -> str:
    match period.start, period.end:
        case None, None:
            return ""
        case start, None if start:
            return f"that contains {day(start)}, taken from that day on"
        case None, end if end:
            return f"that contains {day(end)}, taken up to that day"
        case start, end if start and end and start != end:
            return f"that contains {day(start)} and {day(end)}, taken from the one to the other"
        case start, _:
            assert start is not None
            return f"that contains {day(start)}, taken as that day alone"
