"""Values that a row of the release does not have, though its source gave one: references to nothing, what rows that are not
there would say, ends before the start.

They are marked where they are emptied, in boolean columns ``emptied_<column>`` of kept rows, and counted from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.cdm_columns import CDM_COLUMNS
from fairhaven.harmonise.numbered_rules import NumberedRows
from fairhaven.release.facts import EmptiedValues

NAMES_NOTHING = "names no row of the release"
NOT_THERE = "is said by a row that is not there"
BEFORE_START = "is before the start"
_LOCATION = {"location_ref": "location_id"}


@dataclass(frozen=True, kw_only=True)
class Emptied:
    """Where a value may have been emptied.

    Args:
        column: of generic rows: ``visit_ref``, ``end_date``.
        kept: the column of the kept rows that holds what is left of it.
        reason: why it was emptied.
        marked: the boolean column that tells, where rules give it.
    """

    column: str
    kept: str
    reason: str = NAMES_NOTHING
    marked: str = ""

    @property
    def mark(self) -> str:
        """The boolean column that is true where the value was emptied."""
        return self.marked or f"emptied_{self.column}"


ENDS = (
    Emptied(column="end_date", kept="end_date", reason=BEFORE_START),
    Emptied(column="end_datetime", kept="end_datetime", reason=BEFORE_START),
)
STAFF = (Emptied(column="provider_ref", kept="provider_id"), Emptied(column="care_site_ref", kept="care_site_id"))


def _unsaid(column: str) -> Emptied:
    return Emptied(column=column, kept=column, reason=NOT_THERE, marked="names_nothing")


UNSAID_CODE, UNSAID_PAYER, UNSAID_GENDER = _unsaid("source_value"), _unsaid("payer"), _unsaid("gender")
"""What a row has from another one that it refers to (a drug from a FHIR Medication), where that one is not there."""


def without_false_ends(rows: ir.Table, stated: str = "end_date") -> ir.Table:
    """Rows with ``end_date`` (from the column *stated*) and ``end_datetime`` that are not before the start, and the marks of `ENDS`.

    An end before its start cannot both be true; the start is what the row is found by, so the end goes. On the day of the
    start only the time goes.
    """
    end, ended = rows[stated], rows["end_datetime"]
    is_before = (end < rows["start_date"]).fill_null(False)
    is_earlier = is_before | (ended < rows["start_datetime"]).fill_null(False)
    return rows.mutate(
        end_date=is_before.ifelse(ibis.null("date"), end),
        end_datetime=is_earlier.ifelse(ibis.null("timestamp(6)"), ended),
        emptied_end_date=is_before,
        emptied_end_datetime=is_earlier & ended.notnull(),
    )


def with_marks(rows: ir.Table, references: Sequence[Emptied]) -> ir.Table:
    """Rows after `health_system.referred`, with the mark of each reference that was looked up and not found."""
    return rows.mutate(
        **{
            each.mark: (rows[each.column].fill_null("") != "") & rows[each.kept].isnull()
            if each.column in rows.columns
            else ibis.literal(False)
            for each in references
        }
    )


def count_emptied(
    engine: Engine, rules: Sequence[NumberedRows], rows: ir.Table, table: ir.StringValue, checks: Sequence[Emptied]
) -> list[EmptiedValues]:
    """What was emptied in rows that are in the release, by the table that they came from and the one that they are in.

    Args:
        rows: kept, with ``rule``, what is left, and the marks; without one that no rule gives there is nothing to count.
        table: over *rows*: the CDM table that each is in.
    """
    checks = [each for each in checks if each.mark in rows.columns]
    sums = {each.mark: rows[each.mark].sum() for each in checks}
    sums |= {f"given_{each.column}": (rows[each.mark] | rows[each.kept].notnull()).sum() for each in checks}
    found = engine.fetch(rows.group_by("rule", cdm_table=table).agg(**sums)).to_pylist()
    by_number = {rule.rule.number: rule.rule for rule in rules}
    return [
        EmptiedValues(
            source=by_number[row["rule"]].source,
            table=by_number[row["rule"]].table,
            cdm_table=row["cdm_table"],
            column=column,
            reason=each.reason,
            rows=row[each.mark],
            given=row[f"given_{each.column}"],
        )
        for row in found
        for each in checks
        if row[each.mark] and (column := {**_LOCATION, **CDM_COLUMNS[row["cdm_table"]]}.get(each.column))
    ]
