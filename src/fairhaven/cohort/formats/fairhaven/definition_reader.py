"""Plain values in the own form become a definition; every fault is noted with its place."""

from collections.abc import Callable
from typing import TypeVar

from fairhaven.cohort.definition_checks import DEPTH, check_parts
from fairhaven.cohort.formats.fairhaven.definition_writer import EVERY
from fairhaven.cohort.formats.fairhaven.notation import (
    read_filter,
    read_item,
    read_match,
    read_moment,
    read_occurrence,
    read_period,
    read_window,
)
from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    Correlated,
    Criterion,
    DateAdjustment,
    DateField,
    DateOffset,
    Demographic,
    Domain,
    DrugEraExit,
    EndOfObservation,
    EntryEvents,
    Eras,
    Events,
    Exit,
    Group,
    InclusionRule,
    Limit,
    Match,
    Occurrence,
    Window,
)
from fairhaven.kernel.errors import check_faults
from fairhaven.kernel.toml import Document, Section

Read = TypeVar("Read")

_NOT_TABLES = {
    *("source_concepts", "first", "dates", "period", "where", "nested"),
    *("times", "when", "and_when", "same_visit", "within_observation"),
}
_LIMITS = tuple(limit.value for limit in Limit)


def read_definition(document: Document) -> CohortDefinition:
    """The definition that a document holds, checked.

    Raises:
        Invalid: with all faults, each with its place in the own form and, in a TOML file, its line.
    """
    check_faults(document.faults)
    root = document.root
    definition = CohortDefinition(
        name=root.text("name", ""),
        description=root.text("description", ""),
        concept_sets=tuple(_concept_set(name, section) for name, section in root.section("concept_sets").named()),
        entry=_entry(root.section("entry")) if isinstance(root.raw("entry"), dict) else _no_entry(root),
        qualifying=_group_at(root, "qualifying", 1),
        qualified_limit=_limit(root, "qualified_limit"),
        rules=tuple(_rule(section) for section in root.sections("rules")),
        limit=_limit(root, "limit"),
        exit=_exit(root),
        censoring=tuple(_criterion(section, 1) for section in root.sections("censoring")),
        gap_days=root.whole("gap_days", 0),
        window=_noted(root, "window", read_period),
    )
    root.finish()
    if not document.faults:
        for place, message in check_parts(definition):
            document.fault(place, message)
    check_faults(sorted(document.faults, key=lambda fault: fault.line or 0))
    return definition


def _no_entry(root: Section) -> EntryEvents:
    root.fault("entry", "must be a table, [entry], that says which events let a person in")
    return EntryEvents(events=())


def _concept_set(name: str, section: Section) -> ConceptSet:
    if "concepts" not in section:
        section.fault("concepts", "is missing; give a list of texts")
    return ConceptSet(id=name, name=section.text("name", ""), items=_noted_each(section, "concepts", read_item))


def _entry(section: Section) -> EntryEvents:
    if "events" not in section:
        section.fault("events", "is missing; list the events that let a person in")
    return EntryEvents(
        events=tuple(_criterion(part, 1) for part in section.sections("events")),
        prior_days=section.whole("prior_days", 0),
        post_days=section.whole("post_days", 0),
        limit=_limit(section, "limit"),
        observed=section.yes("observed", True),
    )


def _rule(section: Section) -> InclusionRule:
    return InclusionRule(
        name=section.text("name", ""), description=section.text("description", ""), group=_group(section, 1)
    )


def _group_at(section: Section, key: str, depth: int) -> Group | None:
    inner = section.section(key)
    return _group(inner, depth) if key in section else None


def _group(section: Section, depth: int) -> Group:
    """The part of a table that is a group; the caller has its other keys."""
    match, count = _noted(section, "match", read_match) or (Match.ALL, None)
    members = tuple(_member(part, depth + 1) for part in section.sections("members"))
    return Group(match=match, count=count, members=members)


def _member(section: Section, depth: int) -> Correlated | Demographic | Group:
    if depth > DEPTH:
        return _too_deep(section, Group())
    if "demographic" in section:
        return Demographic(filters=_noted_each(section, "demographic", read_filter))
    if "members" in section:
        return _group(section, depth)
    return Correlated(
        events=_criterion(section, depth),
        occurrence=_noted(section, "times", read_occurrence) or Occurrence(),
        start=_noted(section, "when", read_window) or Window(),
        end=_noted(section, "and_when", read_window),
        within_observation=section.yes("within_observation", True),
        same_visit=section.yes("same_visit", False),
    )


def _criterion(section: Section, depth: int) -> Criterion:
    if depth > DEPTH:
        return _too_deep(section, Eras(of=()))
    if "eras_of" in section:
        return Eras(
            of=tuple(_criterion(part, depth + 1) for part in section.sections("eras_of")),
            gap_days=section.whole("gap_days", 0),
            first=section.yes("first", False),
            dates=_dates(section),
            filters=_noted_each(section, "where", read_filter),
        )
    named = [domain for domain in Domain if domain in section]
    if len(named) != 1:
        _name_no_table(section, named)
        return Eras(of=())
    (domain,) = named
    concepts = section.text(domain, EVERY)
    return Events(
        domain=domain,
        concepts=None if concepts == EVERY else concepts,
        source_concepts=section.text("source_concepts", None),
        first=section.yes("first", False),
        dates=_dates(section),
        period=_noted(section, "period", read_period),
        filters=_noted_each(section, "where", read_filter),
        nested=_group_at(section, "nested", depth + 1),
    )


def _name_no_table(section: Section, named: list[Domain]) -> None:
    """One fault for it all; keys without a meaning are named with it, since one of them may be the table misspelt."""
    section.pass_over()
    also = [key for key in section.values if key not in _NOT_TABLES]
    seen = f" (found: {', '.join(also)})" if also else ""
    section.document.fault(
        section.field,
        f'names {"several tables" if named else "no table"} of events{seen}; give exactly one, with a concept set or "{EVERY}": '
        f"{', '.join(Domain)}",
    )


def _exit(root: Section) -> Exit:
    match root.raw("exit"):
        case None | "end of observation":
            return EndOfObservation()
        case str():
            date, days = _noted(root, "exit", read_moment) or (DateField.START, 0)
            return DateOffset(date=date, days=days)
        case dict():
            section = root.section("exit")
            return DrugEraExit(
                concepts=section.text("drug_era"),
                gap_days=section.whole("gap_days", 0),
                offset=section.whole("offset", 0),
                days_supply=section.whole("days_supply", None),
            )
    root.fault("exit", 'must be "end of observation", a date such as "start_date + 30 days", or a drug era')
    return EndOfObservation()


def _dates(section: Section) -> DateAdjustment | None:
    texts = section.texts("dates", ())
    if "dates" not in section:
        return None
    if len(texts) != 2:
        section.fault(
            "dates", 'must be the new start and the new end, for example ["start_date", "end_date + 30 days"]'
        )
        return None
    start, start_days = _read(section, "dates[0]", read_moment, texts[0]) or (DateField.START, 0)
    end, end_days = _read(section, "dates[1]", read_moment, texts[1]) or (DateField.END, 0)
    return DateAdjustment(start=start, start_days=start_days, end=end, end_days=end_days)


def _limit(section: Section, key: str) -> Limit:
    return Limit(section.text(key, Limit.ALL.value, choices=_LIMITS) or Limit.ALL)


def _noted(section: Section, key: str, read: Callable[[str], Read]) -> Read | None:
    text = section.text(key, None)
    return None if text is None else _read(section, key, read, text)


def _noted_each(section: Section, key: str, read: Callable[[str], Read]) -> tuple[Read, ...]:
    texts = enumerate(section.texts(key, ()))
    each = (_read(section, f"{key}[{index}]", read, text) for index, text in texts)
    return tuple(item for item in each if item is not None)


def _read(section: Section, key: str, read: Callable[[str], Read], text: str) -> Read | None:
    """What *read* makes of a text; None, with a fault, where it cannot."""
    try:
        return read(text)
    except ValueError as error:
        section.fault(key, str(error))
        return None


def _too_deep(section: Section, otherwise: Read) -> Read:
    section.document.fault(section.field, f"is nested deeper than {DEPTH} levels; nothing below it was read")
    return otherwise
