"""Plain values in the own form become a definition; every fault is noted with its place."""

from collections.abc import Callable
from typing import Any, TypeVar

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
    UserPeriod,
    Window,
)
from fairhaven.kernel.errors import check_faults
from fairhaven.kernel.toml import Document, Section

Read = TypeVar("Read")
Default = TypeVar("Default")

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
    window = root.text("window", None)
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
        window=None if window is None else _noted(root, "window", read_period, window, UserPeriod()),
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
    concept_set = ConceptSet(
        id=name, name=section.text("name", ""), items=_noted_each(section, "concepts", read_item, default=None)
    )
    section.finish()
    return concept_set


def _entry(section: Section) -> EntryEvents:
    if "events" not in section:
        section.fault("events", "is missing; list the events that let a person in")
    entry = EntryEvents(
        events=tuple(_criterion(part, 1) for part in section.sections("events")),
        prior_days=section.whole("prior_days", 0),
        post_days=section.whole("post_days", 0),
        limit=_limit(section, "limit"),
        observed=section.yes("observed", True),
    )
    section.finish()
    return entry


def _rule(section: Section) -> InclusionRule:
    rule = InclusionRule(
        name=section.text("name", ""), description=section.text("description", ""), group=_group(section, 1)
    )
    section.finish()
    return rule


def _group_at(section: Section, key: str, depth: int) -> Group | None:
    if key not in section:
        section.raw(key)
        return None
    inner = section.section(key)
    group = _group(inner, depth)
    inner.finish()
    return group


def _group(section: Section, depth: int) -> Group:
    """The part of a table that is a group; its caller has the table's other keys and finishes it."""
    every: tuple[Match, int | None] = (Match.ALL, None)
    match, count = _noted(section, "match", read_match, section.text("match", "all"), every)
    return Group(
        match=match, count=count, members=tuple(_member(part, depth + 1) for part in section.sections("members"))
    )


def _member(section: Section, depth: int) -> Correlated | Demographic | Group:
    if depth > DEPTH:
        return _too_deep(section, Group())
    if "demographic" in section:
        member: Correlated | Demographic | Group = Demographic(filters=_noted_each(section, "demographic", read_filter))
    elif "members" in section:
        member = _group(section, depth)
    else:
        return _correlated(section, depth)
    section.finish()
    return member


def _correlated(section: Section, depth: int) -> Correlated:
    times, when, and_when = (section.text(key, None) for key in ("times", "when", "and_when"))
    same_visit = section.yes("same_visit", False)
    within_observation = section.yes("within_observation", True)
    return Correlated(
        events=_criterion(section, depth),
        occurrence=Occurrence() if times is None else _noted(section, "times", read_occurrence, times, Occurrence()),
        start=Window() if when is None else _noted(section, "when", read_window, when, Window()),
        end=None if and_when is None else _noted(section, "and_when", read_window, and_when, Window()),
        within_observation=within_observation,
        same_visit=same_visit,
    )


def _criterion(section: Section, depth: int) -> Criterion:
    if depth > DEPTH:
        return _too_deep(section, Eras(of=()))
    if "eras_of" in section:
        criterion: Criterion = Eras(
            of=tuple(_criterion(part, depth + 1) for part in section.sections("eras_of")),
            gap_days=section.whole("gap_days", 0),
            first=section.yes("first", False),
            dates=_dates(section),
            filters=_noted_each(section, "where", read_filter),
        )
        section.finish()
        return criterion
    named = [domain for domain in Domain if domain in section]
    if len(named) != 1:
        _name_no_table(section, named)
        return Eras(of=())
    (domain,) = named
    concepts = section.text(domain, EVERY)
    period = section.text("period", None)
    criterion = Events(
        domain=domain,
        concepts=None if concepts == EVERY else concepts,
        source_concepts=section.text("source_concepts", None),
        first=section.yes("first", False),
        dates=_dates(section),
        period=None if period is None else _noted(section, "period", read_period, period, UserPeriod()),
        filters=_noted_each(section, "where", read_filter),
        nested=_group_at(section, "nested", depth + 1),
    )
    section.finish()
    return criterion


def _name_no_table(section: Section, named: list[Domain]) -> None:
    """One fault for it all; keys without a meaning are told with it, since one of them may be the table misspelt."""
    also = [key for key in section.values if key not in _NOT_TABLES]
    seen = f" (found: {', '.join(also)})" if also else ""
    section.document.fault(
        section.field,
        f'names {"several tables" if named else "no table"} of events{seen}; give exactly one, with a concept set or "{EVERY}": '
        f"{', '.join(Domain)}",
    )


def _exit(root: Section) -> Exit:
    value = root.raw("exit")
    if value is None:
        return EndOfObservation()
    if isinstance(value, str):
        if value == "end of observation":
            return EndOfObservation()
        date, days = _noted(root, "exit", read_moment, value, (DateField.START, 0))
        return DateOffset(date=date, days=days)
    if not isinstance(value, dict):
        root.fault("exit", 'must be "end of observation", a date such as "start_date + 30 days", or a drug era')
        return EndOfObservation()
    section = root.section("exit")
    era = DrugEraExit(
        concepts=section.text("drug_era"),
        gap_days=section.whole("gap_days", 0),
        offset=section.whole("offset", 0),
        days_supply=section.whole("days_supply", None),
    )
    section.finish()
    return era


def _dates(section: Section) -> DateAdjustment | None:
    texts = section.texts("dates", ())
    if "dates" not in section:
        return None
    if len(texts) != 2:
        section.fault(
            "dates", 'must be the new start and the new end, for example ["start_date", "end_date + 30 days"]'
        )
        return None
    start, start_days = _noted(section, "dates[0]", read_moment, texts[0], (DateField.START, 0))
    end, end_days = _noted(section, "dates[1]", read_moment, texts[1], (DateField.END, 0))
    return DateAdjustment(start=start, start_days=start_days, end=end, end_days=end_days)


def _limit(section: Section, key: str) -> Limit:
    return Limit(section.text(key, Limit.ALL.value, choices=_LIMITS) or Limit.ALL)


def _noted(section: Section, key: str, read: Callable[[str], Read], text: Any, otherwise: Default) -> Read | Default:
    try:
        return read(text)
    except ValueError as error:
        section.fault(key, str(error))
        return otherwise


def _noted_each(section: Section, key: str, read: Callable[[str], Read], default: Any = ()) -> tuple[Read, ...]:
    texts = section.texts(key, *(() if default is None else (default,)))
    each = [(f"{key}[{index}]", text) for index, text in enumerate(texts)]
    return tuple(item for place, text in each if (item := _noted(section, place, read, text, None)) is not None)


def _too_deep(section: Section, otherwise: Read) -> Read:
    section.document.fault(section.field, f"is nested deeper than {DEPTH} levels; nothing below it was read")
    return otherwise
