"""What became of every row: by rule and outcome, and source rows that no rule took."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.gather import Numbered
from fairhaven.harmonise.keeping import kept
from fairhaven.harmonise.model import EVENT_TABLES, Count

NOT_TAKEN = "not taken"
END_DROPPED = "end before start dropped"


def counted(
    engine: Engine,
    rules: Sequence[Numbered],
    events: ir.Table | None,
    tables: Mapping[str, Mapping[str, ir.Table]],
) -> tuple[Count, ...]:
    """Counts of event rows by rule and outcome, and of source rows that no rule took.

    Args:
        events: kept events.
        tables: current tables by source.
    """
    return (*_outcomes(engine, rules, events), *_not_taken(engine, rules, tables))


def _outcomes(engine: Engine, rules: Sequence[Numbered], events: ir.Table | None) -> list[Count]:
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
            Count(
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
            counts.append(Count(rule=number, source=rule.source, table=rule.table, outcome=END_DROPPED, rows=dropped))
    return counts


def _not_taken(engine: Engine, rules: Sequence[Numbered], tables: Mapping[str, Mapping[str, ir.Table]]) -> list[Count]:
    """One scan for each table of which no rule reads every row."""
    readers: dict[tuple[str, str], list[Numbered]] = defaultdict(list)
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
                counts.append(Count(rule=0, source=source, table=name, outcome=NOT_TAKEN, rows=missed))
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
    return kept(engine, ranked).order_by(ibis.desc("rows"), "vocabulary_id", "code", "rule")
