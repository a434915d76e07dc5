"""What became of every row: by rule and outcome, and source rows that no rule took."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.generic_rows import EVENT_TABLES, column_or_null
from fairhaven.harmonise.numbered_rules import NumberedRows
from fairhaven.identifiers.withheld import FREE_TEXT, MARK
from fairhaven.release.facts import RuleOutcome

NO_PERSON = "no person"
NO_BIRTH_YEAR = "no birth year"
NO_DATE = "no date"
AFTER_RELEASE = "after the release"
BEFORE_BIRTH = "before birth"
NO_VISIT = "no visit"
NOT_TAKEN = "not taken"
ENDS_FIRST = "ends before it starts"
AFTER_DEATH = "after death"
ANOTHER_DEATH = "another death of the person"
SAYS_NOTHING = "says nothing"
"""Of a place: what it says (an address) may not be released."""
LEFT_OUT = (
    *(NO_PERSON, NO_BIRTH_YEAR, NO_DATE, AFTER_RELEASE, BEFORE_BIRTH, NO_VISIT, ENDS_FIRST, AFTER_DEATH),
    *(ANOTHER_DEATH, SAYS_NOTHING, NOT_TAKEN),
)
"""Outcomes of rows that are in no CDM table."""
JOINED = "one with another row"
"""Outcome of rows that describe the person, the visit, the period or the place of another row, and are in its row."""
CODE_MENDED = "code that a spreadsheet changed, mended"
CODE_DAMAGED = "code that a spreadsheet seems to have changed, unmapped"
CODE_WITHHELD = "code that was withheld because it tells who somebody is, unmapped"
SAID_OF_ROWS = (CODE_MENDED, CODE_DAMAGED, CODE_WITHHELD)
"""What is said of rows beside where they went: such counts add nothing up."""

_OF_PERSONS = ("person", "visit_occurrence", "visit_detail", "death", "note", "observation_period", "payer_plan_period")
_PLACES = {"location": "location_ref", "care_site": "care_site_ref", "provider": "provider_ref"}
_STARTS = ("start_date", "start_datetime", "date", "datetime")


def count_outcomes(
    engine: Engine,
    rules: Sequence[NumberedRows],
    rows_of: Callable[[str], ir.Table | None],
    events: ir.Table | None,
    who: ir.Table,
    tables: Mapping[str, Mapping[str, ir.Table]],
    *,
    kept: Mapping[str, ir.Table],
    left_out: Sequence[RuleOutcome],
    as_of: dt.date,
) -> tuple[RuleOutcome, ...]:
    """Counts of generic rows by rule and outcome, and of source rows that no rule took.

    A row's outcome is the CDM table it is in, or why it is in none.

    Args:
        rows_of: gathered rows of a kind.
        events: kept events.
        who: persons of patients (`people.People`).
        tables: current tables by source.
        kept: kind -> rows of the CDM, with ``rule``, where several generic rows may have become one.
        left_out: what was counted on the way of rows that could have been in the CDM.
    """
    others = [count for kind in _OF_PERSONS for count in _of_kind(engine, rules, kind, rows_of(kind), who, as_of)]
    others += [count for kind in _PLACES for count in _of_places(engine, rules, kind, rows_of(kind))]
    in_cdm = _by_rule(engine, kept)
    merged = [count for each in others for count in _merged(each, in_cdm, left_out)]
    return (*_of_events(engine, rules, events), *merged, *left_out, *_not_taken(engine, rules, tables))


def _by_rule(engine: Engine, kept: Mapping[str, ir.Table]) -> Mapping[str, Mapping[int, int]]:
    """Kind -> rule -> rows in the CDM."""
    counts = {kind: engine.fetch(rows.group_by("rule").agg(rows=rows.count())) for kind, rows in kept.items()}
    return {kind: {row["rule"]: row["rows"] for row in found.to_pylist()} for kind, found in counts.items()}


def _merged(
    count: RuleOutcome, kept: Mapping[str, Mapping[int, int]], left_out: Sequence[RuleOutcome]
) -> list[RuleOutcome]:
    """A count of rows that could be in the CDM parted into those that are and those that another stands for."""
    if count.outcome not in kept:
        return [count]
    rows = kept[count.outcome].get(count.rule, 0)
    others = count.rows - rows - sum(other.rows for other in left_out if other.rule == count.rule)
    why = ANOTHER_DEATH if count.outcome == "death" else JOINED
    parted = (replace(count, rows=rows), replace(count, outcome=why, rows=others))
    return [part for part in parted if part.rows]


def start_of(rows: ir.Table, kind: str, as_of: dt.date) -> ir.DateValue | None:
    """The day on which rows of a kind begin; None where no rule gives them one.

    Of a death of which only the month or the year is known it is the last day of it (Themis 104), but of one that is not over
    the day that the release speaks up to: otherwise whoever died this month would be alive.
    """
    given = [rows[name].cast("date") for name in _STARTS if name in rows.columns]
    start: ir.DateValue | None = ibis.coalesce(*given) if given else None
    if start is None or kind != "death" or "date_from" not in rows.columns:
        return start
    return _is_under_way(rows["date_from"], start, as_of).ifelse(ibis.literal(as_of), start)


def ends_of(rows: ir.Table, kind: str, as_of: dt.date) -> tuple[ir.DateValue, ir.TimestampValue]:
    """The day and the moment on which rows of a kind end; of a month or a year that is not over (``end_from``) the day of the release."""
    moment = column_or_null(rows, "end_datetime", kind)
    day = ibis.coalesce(column_or_null(rows, "end_date", kind), moment.cast("date"))
    if "end_from" not in rows.columns:
        return day, moment
    is_cut = _is_under_way(rows["end_from"], day, as_of)
    return is_cut.ifelse(ibis.literal(as_of), day), is_cut.ifelse(ibis.null("timestamp(6)"), moment)


def _is_under_way(first: ir.Value, last: ir.Value, as_of: dt.date) -> ir.BooleanValue:
    """Whether the release's day is within what a part of a date covers, and before its last day."""
    day = ibis.literal(as_of)
    return ((first <= day) & (last > day)).fill_null(False)


def exclusion_reason(rows: ir.Table, as_of: dt.date, kind: str = "") -> ir.StringValue:
    """Why a row cannot be in the CDM, NULL where it can.

    Dates are judged by the OHDSI Themis conventions: what starts after the release is a plan or a mistake, what starts
    before the year before birth is another person's or a mistake, as is a death before birth; records after death are kept, the quality
    checks count them.

    Args:
        rows: with ``person_id``, ``birth_year`` and ``born`` (`people.People`), and ``start`` where they have a date.
    """
    birth_year = rows["birth_year"]
    tests = [(rows["person_id"].isnull(), NO_PERSON), (birth_year.isnull(), NO_BIRTH_YEAR)]
    if "start" in rows.columns:
        start = rows["start"]
        tests += [
            (start.isnull(), NO_DATE),
            (start > ibis.literal(as_of), AFTER_RELEASE),
            (number_of(start) < rows["born"] if kind == "death" else start.year() < birth_year - 1, BEFORE_BIRTH),
        ]
    return ibis.cases(*tests, else_=ibis.null("string"))


def number_of(day: ir.Value) -> ir.Value:
    """20261130."""
    return day.year() * 10_000 + day.month() * 100 + day.day()


def count_as(engine: Engine, rules: Sequence[NumberedRows], rows: ir.Table, outcome: str) -> list[RuleOutcome]:
    """Counts of rows that all came to one outcome, by their ``rule``."""
    return _counted(engine, rules, rows.group_by("rule").agg(rows=rows.count()).mutate(outcome=ibis.literal(outcome)))


def _counted(engine: Engine, rules: Sequence[NumberedRows], found: ir.Table) -> list[RuleOutcome]:
    """Outcomes in order, from ``rule, outcome, rows`` and, of events, ``is_mapped``."""
    by_number = {rule.rule.number: rule.rule for rule in rules}
    outcomes = [
        RuleOutcome(source=by_number[row["rule"]].source, table=by_number[row["rule"]].table, **row)
        for row in engine.fetch(found).to_pylist()
    ]
    return sorted(outcomes, key=attrgetter("rule", "outcome", "is_mapped"))


def _of_kind(
    engine: Engine, rules: Sequence[NumberedRows], kind: str, rows: ir.Table | None, who: ir.Table, as_of: dt.date
) -> list[RuleOutcome]:
    if rows is None:
        return []
    start = start_of(rows, kind, as_of)
    dated = {} if start is None else {"start": start}
    joined = rows.select("rule", "source", "patient_ref", **dated).left_join(who, ["source", "patient_ref"])
    outcome = ibis.coalesce(exclusion_reason(joined, as_of, kind), ibis.literal(kind))
    return _counted(engine, rules, joined.group_by("rule", outcome=outcome).agg(rows=joined.count()))


def _of_places(engine: Engine, rules: Sequence[NumberedRows], kind: str, rows: ir.Table | None) -> list[RuleOutcome]:
    """Rows that name a place or a provider; a rule over events may have none to name."""
    if rows is None:
        return []
    named = rows[_PLACES[kind]]
    blank = count_as(engine, rules, rows.filter(named == ""), SAYS_NOTHING) if kind == "location" else []
    return [*count_as(engine, rules, rows.filter(named.fill_null("") != ""), kind), *blank]


def _of_events(engine: Engine, rules: Sequence[NumberedRows], events: ir.Table | None) -> list[RuleOutcome]:
    if events is None:
        return []
    found = events.group_by("rule", "outcome", is_mapped=events["concept_id"] != 0).agg(rows=events.count())
    return [
        *_counted(engine, rules, found),
        *count_as(engine, rules, _in_cdm(events, "is_code_mended"), CODE_MENDED),
        *count_as(engine, rules, _in_cdm(events, "is_code_damaged"), CODE_DAMAGED),
        *count_as(engine, rules, _with_code_withheld(events), CODE_WITHHELD),
    ]


def _with_code_withheld(events: ir.Table) -> ir.Table:
    """Events of the CDM without a concept whose code nobody may know; free text that stands for one is another matter."""
    code = events["source_value"]
    is_withheld = code.startswith(MARK) & (code != FREE_TEXT) & (events["concept_id"] == 0)
    return events.filter(is_withheld.fill_null(False) & events["outcome"].isin(EVENT_TABLES))


def _in_cdm(events: ir.Table, test: str) -> ir.Table:
    return events.filter(events[test] & events["outcome"].isin(EVENT_TABLES))


def _not_taken(
    engine: Engine, rules: Sequence[NumberedRows], tables: Mapping[str, Mapping[str, ir.Table]]
) -> list[RuleOutcome]:
    """One scan for each table of which no rule reads every row."""
    readers: dict[tuple[str, str], list[ir.BooleanValue | None]] = defaultdict(list)
    for rule in rules:
        readers[rule.rule.source, rule.rule.table].append(rule.rows.takes)
    counts = []
    for source, several in tables.items():
        for name, table in several.items():
            takes = readers[source, name]
            if all(test is not None for test in takes):
                missed = engine.count(table.filter(~ibis.or_(*takes)))
                counts.append(RuleOutcome(rule=0, source=source, table=name, outcome=NOT_TAKEN, rows=missed))
    return [count for count in counts if count.rows]


def unmapped(engine: Engine, events: ir.Table) -> ir.Table:
    """Codes without a standard concept, the most frequent first: ``rule, vocabulary_id, code, outcome, rows``.

    Args:
        events: kept events. Rows that are not in the CDM for another reason are left out.
    """
    missing = events.filter((events["concept_id"] == 0) & events["outcome"].isin(EVENT_TABLES))
    ranked = missing.group_by("rule", "vocabulary_id", "outcome", code=missing["source_value"]).agg(
        rows=missing.count()
    )
    return engine.keep(ranked).order_by(ibis.desc("rows"), "vocabulary_id", "code", "rule")
