"""Is a definition one that can be run? Everything that is wrong with it, each with its place in the language's own form."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, TypeVar

from fairhaven.cohort.domains import (
    DEMOGRAPHIC_FIELDS,
    DOMAINS,
    ERA_FIELDS,
    DomainField,
    FieldKind,
    FieldOrigin,
    countable,
)
from fairhaven.cohort.model import (
    Abnormal,
    CohortDefinition,
    Compare,
    ConceptSet,
    Correlated,
    Criterion,
    DateAdjustment,
    DateOffset,
    Dates,
    Demographic,
    Domain,
    DrugEraExit,
    Edge,
    Eras,
    Events,
    Filter,
    Group,
    InSet,
    Known,
    Match,
    Numbers,
    Occurrence,
    OneOf,
    Text,
    UserPeriod,
    Window,
)
from fairhaven.kernel.errors import Fault, check_faults

DEPTH = 64
"""How deep groups, nested groups and eras may lie in each other; published definitions stay below 10."""

MAX_DAYS = 3_652_058
"""Days of the calendar, year 1 to 9999: a number of days beyond it is a slip of the pen."""

MAX_CONCEPT = 2**63 - 1
MAX_NUMBER = 10**15
"""Whole numbers up to here are exact in every engine's floating point."""

Part = TypeVar("Part")
Found: TypeAlias = Iterator[tuple[str, str]]
"""Faults as (place, message)."""

_FITS: Mapping[FieldKind, tuple[type, ...]] = {
    FieldKind.WHOLE: (Numbers, Known),
    FieldKind.NUMBER: (Numbers, Known),
    FieldKind.DATE: (Dates, Known),
    FieldKind.CONCEPT: (OneOf, InSet, Known),
    FieldKind.TEXT: (Text, Known),
    FieldKind.FLAG: (Abnormal,),
}
_TAKES: Mapping[FieldKind, str] = {
    FieldKind.WHOLE: "a whole number (>= 18) or is known",
    FieldKind.NUMBER: "a number (>= 6.5) or is known",
    FieldKind.DATE: "a date (>= 2010-01-01) or is known",
    FieldKind.CONCEPT: "concepts (in 8507, 8532; in set NAME) or is known",
    FieldKind.TEXT: 'a text (like "%x%") or is known',
    FieldKind.FLAG: "is abnormal",
}
_BROKEN = "holds half a character, which no text file can"
_JOINED = (FieldOrigin.PROVIDER, FieldOrigin.VISIT, FieldOrigin.CARE_SITE)
_ERA_COUNTABLE = ("start_date", "end_date", "days")


def check_definition(definition: CohortDefinition, path: str = "") -> None:
    """Hold a definition to the rules of the language.

    Args:
        path: how its file is named in faults.

    Raises:
        Invalid: with every fault, each with its place in the own form (`rules[1].members[0].where[2]`).
    """
    check_faults([Fault(message=message, path=path, field=place) for place, message in check_parts(definition)])


def check_parts(definition: CohortDefinition) -> Found:
    """Every fault of a definition as (place, message)."""
    yield from _texts(definition)
    yield from _concept_sets(definition.concept_sets)
    parts = _Parts(definition.concept_sets)
    entry = definition.entry
    yield from _days("entry.prior_days", entry.prior_days)
    yield from _days("entry.post_days", entry.post_days)
    if not entry.events:
        yield "entry.events", "lets nobody in; give at least one kind of event"
    for place, criterion in _numbered("entry.events", entry.events):
        yield from parts.criterion(place, criterion, 1)
        if not entry.observed and not (isinstance(criterion, Events) and criterion.domain == Domain.PERSON):
            yield (
                "entry.observed",
                f"is false, which only events of the table person allow; {place} is something else",
            )
    yield from parts.group("qualifying", definition.qualifying or Group(), 1)
    for place, rule in _numbered("rules", definition.rules):
        yield from parts.group(place, rule.group, 1)
    yield from parts.exit(definition)
    for place, criterion in _numbered("censoring", definition.censoring):
        yield from parts.criterion(place, criterion, 1)
    yield from _days("gap_days", definition.gap_days)
    yield from _period("window", definition.window)


class _Parts:
    """The checks of the parts that refer to concept sets."""

    def __init__(self, concept_sets: Iterable[ConceptSet]) -> None:
        self.known = {item.id for item in concept_sets}

    def criterion(self, place: str, criterion: Criterion, depth: int) -> Found:
        if depth > DEPTH:
            yield place, f"is nested deeper than {DEPTH} levels"
            return
        match criterion:
            case Events():
                yield from self.events(place, criterion, depth)
            case Eras():
                if not criterion.of:
                    yield f"{place}.eras_of", "is empty; give at least one kind of event that eras are built from"
                for inner, part in _numbered(f"{place}.eras_of", criterion.of):
                    yield from self.criterion(inner, part, depth + 1)
                yield from _days(f"{place}.gap_days", criterion.gap_days)
                yield from self.filters(
                    f"{place}.where", criterion.filters, ERA_FIELDS, "eras that a definition builds"
                )
        yield from _dates(f"{place}.dates", criterion.dates)

    def events(self, place: str, events: Events, depth: int) -> Found:
        domain, facts = events.domain, DOMAINS[events.domain]
        yield from self.concept_set(f"{place}.{domain}", events.concepts)
        if events.concepts is not None and facts.concept is None:
            yield f"{place}.{domain}", f'the table {domain} has no concept; write {domain} = "*"'
        yield from self.concept_set(f"{place}.source_concepts", events.source_concepts)
        if events.source_concepts is not None and facts.source_concept is None:
            yield f"{place}.source_concepts", f"the table {domain} has no source concept"
        if domain == Domain.PERSON and events.dates is not None:
            yield f"{place}.dates", "a person has no dates that could be moved"
        if events.period is not None and domain not in (Domain.OBSERVATION_PERIOD, Domain.PAYER_PLAN_PERIOD):
            yield f"{place}.period", "is only for observation_period and payer_plan_period"
        yield from _period(f"{place}.period", events.period)
        yield from self.filters(f"{place}.where", events.filters, facts.fields, f"the table {domain}")
        if events.nested is not None:
            yield from self.group(f"{place}.nested", events.nested, depth + 1)

    def group(self, place: str, group: Group, depth: int) -> Found:
        if depth > DEPTH:
            yield place, f"is nested deeper than {DEPTH} levels"
            return
        if group.match in (Match.AT_LEAST, Match.AT_MOST):
            if group.count is None:
                yield f"{place}.match", f'is "{group.match}" without a number'
            elif group.count < 0:
                yield f"{place}.match", "counts below 0"
        elif group.count is not None:
            yield f"{place}.match", f'has a number, which "{group.match}" does not take'
        for inner, member in _numbered(f"{place}.members", group.members):
            match member:
                case Group():
                    yield from self.group(inner, member, depth + 1)
                case Demographic():
                    yield from self.filters(
                        f"{inner}.demographic", member.filters, DEMOGRAPHIC_FIELDS, "the person at an index event"
                    )
                case Correlated():
                    yield from self.correlated(inner, member, depth + 1)

    def correlated(self, place: str, member: Correlated, depth: int) -> Found:
        yield from self.criterion(place, member.events, depth)
        yield from _occurrence(f"{place}.times", member.occurrence, member.events)
        yield from _window(f"{place}.when", member.start)
        if member.end is not None:
            yield from _window(f"{place}.and_when", member.end)
        if member.same_visit and not (isinstance(member.events, Events) and DOMAINS[member.events.domain].visit):
            yield f"{place}.same_visit", "is only for events of a table that names their visit"

    def filters(self, place: str, filters: Iterable[Filter], fields: Mapping[str, DomainField], of: str) -> Found:
        for inner, item in _numbered(place, filters):
            field = fields.get(item.field)
            if field is None:
                yield inner, f"{item.field} is not a field of {of} (its fields: {', '.join(fields)})"
            elif not isinstance(item.test, _FITS[field.kind]):
                yield inner, f"{item.field} is a {field.kind}; its test must be {_TAKES[field.kind]}"
            else:
                yield from self.test(inner, item, field)

    def test(self, place: str, item: Filter, field: DomainField) -> Found:
        match item.test:
            case Known(yes=False) if field.via in _JOINED:
                yield place, f"{item.field} comes from {field.via}, which cannot be asked for what is missing"
            case Numbers() | Dates() as test:
                yield from _range(place, test, field.kind)
            case OneOf(concepts=()):
                yield place, "names no concept; give at least one concept id"
            case OneOf(concepts=concepts):
                yield from (
                    (place, "names what is no concept id") for concept in concepts if not 0 <= concept <= MAX_CONCEPT
                )
            case InSet(concept_set=name):
                yield from self.concept_set(place, name)
            case Text(pattern=pattern) if _is_broken(pattern):
                yield place, _BROKEN

    def exit(self, definition: CohortDefinition) -> Found:
        match definition.exit:
            case DateOffset(days=days):
                yield from _days("exit", days, negative=True)
            case DrugEraExit() as era:
                yield from self.concept_set("exit.drug_era", era.concepts)
                yield from _days("exit.gap_days", era.gap_days)
                yield from _days("exit.offset", era.offset, negative=True)
                yield from _days("exit.days_supply", era.days_supply)

    def concept_set(self, place: str, name: str | None) -> Found:
        if name is not None and name not in self.known:
            yield place, f"there is no concept set {name!r} (there are: {', '.join(sorted(self.known)) or 'none'})"


def _numbered(place: str, parts: Iterable[Part]) -> Iterator[tuple[str, Part]]:
    return ((f"{place}[{index}]", part) for index, part in enumerate(parts))


def _concept_sets(concept_sets: Iterable[ConceptSet]) -> Found:
    for name, count in Counter(item.id for item in concept_sets).items():
        if count > 1:
            yield f"concept_sets.{name}", f"{count} concept sets have this id"
        if not name or name == "*":
            yield "concept_sets", 'a concept set needs an id, and "*" is none'
    for concept_set in concept_sets:
        for place, item in _numbered(f"concept_sets.{concept_set.id}.concepts", concept_set.items):
            if not 0 <= item.concept_id <= MAX_CONCEPT:
                yield place, "is no concept id"


def _texts(definition: CohortDefinition) -> Found:
    """Texts with half a character of UTF-16, which JSON can smuggle in."""
    texts = {"name": definition.name, "description": definition.description}
    for concept_set in definition.concept_sets:
        place = f"concept_sets.{concept_set.id}"
        texts[place] = concept_set.id + concept_set.name + "".join(item.name for item in concept_set.items)
    for index, rule in enumerate(definition.rules):
        texts[f"rules[{index}].name"] = rule.name
        texts[f"rules[{index}].description"] = rule.description
    for place, text in texts.items():
        if _is_broken(text):
            yield place.encode(errors="replace").decode(), _BROKEN


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _range(place: str, test: Numbers | Dates, kind: FieldKind) -> Found:
    if test.compare in (Compare.BETWEEN, Compare.OUTSIDE):
        if test.to is None:
            yield place, f'"{test.compare}" needs two ends'
        elif test.value > test.to:  # type: ignore[operator]
            yield place, "the first end is above the second; nothing lies between them"
    elif test.to is not None:
        yield place, f'"{test.compare}" takes one value, not two'
    for end in [end for end in (test.value, test.to) if isinstance(end, int | float)]:
        if not abs(end) <= MAX_NUMBER:
            yield place, f"compares with what is no number, or one beyond {MAX_NUMBER:.0e}"
        elif kind == FieldKind.WHOLE and end != int(end):
            yield place, "compares a whole number with a fraction"


def _occurrence(place: str, occurrence: Occurrence, events: Criterion) -> Found:
    if occurrence.count < 0:
        yield place, "counts below 0"
    if occurrence.distinct is not None:
        columns = countable(events.domain) if isinstance(events, Events) else _ERA_COUNTABLE
        if occurrence.distinct not in columns:
            yield place, f"different {occurrence.distinct} cannot be counted here ({', '.join(columns)} can)"


def _dates(place: str, dates: DateAdjustment | None) -> Found:
    if dates is not None:
        yield from _days(f"{place}[0]", dates.start_days, negative=True)
        yield from _days(f"{place}[1]", dates.end_days, negative=True)


def _window(place: str, window: Window) -> Found:
    yield from _days(place, window.since, negative=True)
    yield from _days(place, window.until, negative=True)


def _days(place: str, days: int | Edge | None, *, negative: bool = False) -> Found:
    if isinstance(days, int) and days < 0 and not negative:
        yield place, "is a number of days below 0"
    if isinstance(days, int) and abs(days) > MAX_DAYS:
        yield place, f"is more days than the calendar has ({MAX_DAYS:,})"


def _period(place: str, period: UserPeriod | None) -> Found:
    if period is not None and period.start and period.end and period.start > period.end:
        yield place, "ends before it starts"
