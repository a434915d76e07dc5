"""What became of every row: by rule and outcome, and source rows that no rule took."""

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.generic_rows import EVENT_TABLES, keep_typed
from fairhaven.harmonise.numbered_rules import NumberedRows
from fairhaven.release.facts import RuleOutcome

NO_PERSON = "no person"
NO_BIRTH_YEAR = "no birth year"
NO_DATE = "no date"
AFTER_RELEASE = "after the release"
BEFORE_BIRTH = "before birth"
NO_VISIT = "no visit"
NOT_TAKEN = "not taken"
END_DROPPED = "end before start dropped"
LEFT_OUT = (NO_PERSON, NO_BIRTH_YEAR, NO_DATE, AFTER_RELEASE, BEFORE_BIRTH, NO_VISIT, NOT_TAKEN)
"""Outcomes of rows that are in no CDM table."""

_OF_PERSONS = ("person", "visit_occurrence", "visit_detail", "death", "note", "observation_period", "payer_plan_period")
_STARTS = ("start_date", "start_datetime", "date", "datetime")


def count_outcomes(
    engine: Engine,
    rules: Sequence[NumberedRows],
    rows_of: Callable[[str], ir.Table | None],
    events: ir.Table | None,
    who: ir.Table,
    tables: Mapping[str, Mapping[str, ir.Table]],
    *,
    as_of: dt.date,
) -> tuple[RuleOutcome, ...]:
    """Counts of generic rows by rule and outcome, and of source rows that no rule took.

    An event's outcome is the CDM table it is in, or why it is in none. Rows of other kinds are counted before they are
    merged, so `visit_occurrence` counts the rows that tell of visits.

    Args:
        rows_of: gathered rows of a kind.
        events: kept events.
        who: persons of patients (`people.People`).
        tables: current tables by source.
    """
    others = [count for kind in _OF_PERSONS for count in _of_kind(engine, rules, kind, rows_of(kind), who, as_of)]
    return (*_outcomes(engine, rules, events), *others, *_not_taken(engine, rules, tables))


def exclusion_reason(
    person_id: ir.Value, birth_year: ir.Value, start: ir.Value | None, as_of: dt.date
) -> ir.StringValue:
    """Why a row cannot be in the CDM, NULL where it can.

    Dates are judged by the OHDSI Themis conventions: what starts after the release is a plan or a mistake, what starts
    before the year before birth is another person's or a mistake; records after death are kept, the quality checks
    count them.
    """
    tests: list[tuple[ir.BooleanValue, str]] = [(person_id.isnull(), NO_PERSON), (birth_year.isnull(), NO_BIRTH_YEAR)]
    if start is not None:
        tests += [
            (start.isnull(), NO_DATE),
            (start > ibis.literal(as_of), AFTER_RELEASE),
            (start.year() < birth_year - 1, BEFORE_BIRTH),
        ]
    return ibis.cases(*tests, else_=ibis.null("string"))


def left_out(engine: Engine, rules: Sequence[NumberedRows], rows: ir.Table, outcome: str) -> list[RuleOutcome]:
    """Counts of rows that a later step left out, by their ``rule``."""
    by_number = {rule.rule.number: rule.rule for rule in rules}
    found = engine.fetch(rows.group_by("rule").agg(rows=rows.count())).to_pylist()
    return [
        RuleOutcome(rule=rule.number, source=rule.source, table=rule.table, outcome=outcome, rows=int(row["rows"]))
        for row in sorted(found, key=lambda row: int(row["rule"]))
        for rule in [by_number[row["rule"]]]
    ]


def _of_kind(
    engine: Engine, rules: Sequence[NumberedRows], kind: str, rows: ir.Table | None, who: ir.Table, as_of: dt.date
) -> Iterable[RuleOutcome]:
    if rows is None:
        return
    dates = [rows[name].cast("date") for name in _STARTS if name in rows.columns]
    start = ibis.coalesce(*dates) if dates else None
    if kind == "person":
        start = None
    named = rows.select("rule", "source", "patient_ref", **({} if start is None else {"start": start}))
    joined = named.left_join(who, ["source", "patient_ref"])
    reason = exclusion_reason(
        joined["person_id"], joined["birth_year"], joined["start"] if start is not None else None, as_of
    )
    found = joined.group_by("rule", outcome=ibis.coalesce(reason, ibis.literal(kind))).agg(rows=joined.count())
    by_number = {rule.rule.number: rule.rule for rule in rules}
    for row in sorted(engine.fetch(found).to_pylist(), key=lambda row: (row["rule"], row["outcome"])):
        rule = by_number[row["rule"]]
        yield RuleOutcome(
            rule=rule.number, source=rule.source, table=rule.table, outcome=row["outcome"], rows=int(row["rows"])
        )


def _outcomes(engine: Engine, rules: Sequence[NumberedRows], events: ir.Table | None) -> list[RuleOutcome]:
    if events is None:
        return []
    by_number = {rule.rule.number: rule.rule for rule in rules}
    is_mapped = events["concept_id"] != 0
    found = events.group_by("rule", "outcome", is_mapped=is_mapped).agg(
        rows=events.count(), ends=events["is_end_dropped"].cast("int64").sum()
    )
    counts = []
    ends: dict[int, int] = defaultdict(int)
    rows = engine.fetch(found).to_pylist()
    for row in sorted(rows, key=lambda row: (row["rule"], row["outcome"], row["is_mapped"])):
        rule = by_number[row["rule"]]
        ends[rule.number] += int(row["ends"] or 0)
        counts.append(
            RuleOutcome(
                rule=rule.number,
                source=rule.source,
                table=rule.table,
                outcome=row["outcome"],
                rows=int(row["rows"]),
                is_mapped=bool(row["is_mapped"]),
            )
        )
    for number, dropped in ends.items():
        if dropped:
            rule = by_number[number]
            counts.append(
                RuleOutcome(rule=number, source=rule.source, table=rule.table, outcome=END_DROPPED, rows=dropped)
            )
    return counts


def _not_taken(
    engine: Engine, rules: Sequence[NumberedRows], tables: Mapping[str, Mapping[str, ir.Table]]
) -> list[RuleOutcome]:
    """One scan for each table of which no rule reads every row."""
    readers: dict[tuple[str, str], list[NumberedRows]] = defaultdict(list)
    for rule in rules:
        readers[rule.rule.source, rule.rule.table].append(rule)
    counts = []
    for source, several in tables.items():
        for name, table in several.items():
            reading = readers[source, name]
            if any(rule.rows.takes is None for rule in reading):
                continue
            rows = table
            if reading:
                rows = table.filter(~ibis.or_(*[rule.rows.takes for rule in reading]))
            missed = engine.count(rows)
            if missed:
                counts.append(RuleOutcome(rule=0, source=source, table=name, outcome=NOT_TAKEN, rows=missed))
    return counts


def unmapped(engine: Engine, events: ir.Table) -> ir.Table:
    """Codes without a standard concept, the most frequent first: ``rule, vocabulary_id, code, outcome, rows``.

    Args:
        events: kept events. Rows that are not in the CDM for another reason are left out.
    """
    missing = events.filter((events["concept_id"] == 0) & events["outcome"].isin(EVENT_TABLES))
    ranked = missing.group_by("rule", "vocabulary_id", "outcome", code=missing["source_value"]).agg(
        rows=missing.count()
    )
    return keep_typed(engine, ranked).order_by(ibis.desc("rows"), "vocabulary_id", "code", "rule")
