"""Which rows a check looks at, and which of them violate it: one rule for counting and for naming the rows.

A `RowRule` is written on one table, or on it joined with one other (`over`); the fused scan sums all rules of a table
and join in one pass, and `failing_rows` filters by the same rule. Rules that compare a row with other rows are in
`cross_row_checks`.

Where a rule has a counterpart in DQD 2.8.4 it gives the same numbers; SQL's three-valued logic is kept: a comparison
with NULL is no violation.
"""

import datetime as dt
import re
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.omop.cdm import CDM
from fairhaven.quality.column_types import TypedTables, as_day, as_found, birth_dates
from fairhaven.quality.model import QualityCheck

Test = Callable[[ir.Table], ir.BooleanValue]

_GREATEST_ID = 2**53
"""Beyond it a double, and so JSON and R, no longer distinguishes one whole number from the next."""
_AFTER_DEATH = 60
_AROUND_VISIT = 7
"""Days that DQD allows: after a death, and around a visit."""


@dataclass(frozen=True, kw_only=True)
class RowRule:
    """A check that one row (with the person, death or visit it belongs to) decides.

    Args:
        key: equal keys mean equal rules, so that a scan sums each only once.
        over: ``""``, ``person``, ``death`` or ``visit_occurrence``: inner join, rows as often as they match.
        violated: True for a violating row.
        is_null_of: column whose absent values are the violations, for a scan that counts the present ones anyway.
        filled: column; rows with a value in it are looked at. Counting a column is cheaper than any test.
        decided_by: columns; where none of them has a value in any row, no row is violated, nor looked at by *counted*.
        counted: True for a row that is looked at, where that is not about one column. Neither: every row.
        counted_over: as *over*, for *counted*.
        needs: (table, column) pairs that must be there.
    """

    key: str
    violated: Test
    over: str = ""
    is_null_of: str = ""
    filled: str = ""
    decided_by: tuple[str, ...] = ()
    counted: Test | None = None
    counted_over: str = ""
    needs: tuple[tuple[str, str], ...] = ()


class UnreadableError(Exception):
    """A threshold file asks for something that cannot be read; becomes the status error of that check."""


def joined(shapes: TypedTables, table: str, over: str, columns: Collection[str] = ()) -> ir.Table:
    """Rows of a table joined with the person, death or visit they belong to (or not joined: ``""``).

    Args:
        columns: those that are needed; none given means all. A join of few columns costs Ibis less to write down.
    """
    rows = shapes[table].table
    if over and columns:
        key = "visit_occurrence_id" if over == "visit_occurrence" else "person_id"
        rows = rows.select(*sorted({*columns, key}))
    match over:
        case "":
            return rows
        case "person":
            other = birth_dates(shapes["person"].table)
            return rows.inner_join(other, rows["person_id"] == other["_person"])
        case "death":
            death = shapes["death"].table
            window = ibis.window(group_by=death["person_id"], order_by=death["death_date"])
            other = death.select(
                _person=death["person_id"],
                _death=as_day(death["death_date"]),
                _is_first=ibis.row_number().over(window) == 0,
            )
            return rows.inner_join(other, rows["person_id"] == other["_person"])
        case _:
            visit = shapes["visit_occurrence"].table
            other = visit.select(
                _visit=visit["visit_occurrence_id"],
                _visit_start=as_day(visit["visit_start_date"]),
                _visit_end=as_day(visit["visit_end_date"]),
            )
            return rows.inner_join(other, rows["visit_occurrence_id"] == other["_visit"])


def datatype_rule(check: QualityCheck, shapes: TypedTables) -> RowRule | None:
    """Values of a whole-number field that are none; None where the column's type already says that all are."""
    shape = shapes[check.table]
    kind = shape.raw[check.field].type()
    if kind.is_integer() or kind.is_null():
        return None
    name = as_found(check.field) if as_found(check.field) in shape.table.columns else check.field

    def violated(rows: ir.Table) -> ir.BooleanValue:
        text = rows[name].cast("string")
        return text.notnull() & (text.try_cast("float64").isnull() | text.contains("."))

    return RowRule(key=f"type {check.field}", violated=violated, decided_by=(name,))


def row_rule(check: QualityCheck, *, today: dt.date) -> RowRule | None:
    """The rule of a check that rows decide; None for the other kinds.

    Every kind is a check of OHDSI's DataQualityDashboard (inst/csv/OMOP_CDMv5.4_Check_Descriptions.csv has their words,
    inst/sql/sql_server their SQL); its result is ``violating rows / rows looked at``. What differs from kind to kind is
    which rows are looked at: all for completeness, those with a value for plausibility, those of a person who died, or
    that belong to a visit, for what is compared with them. `RowRule.filled`, `counted` and `over` are these choices. Two
    kinds that are not DQD's check what it takes for granted: texts fit their column, identifiers survive JSON.

    Raises:
        UnreadableError: a limit in the threshold file is none that is known.
    """
    name = check.field
    match check.kind:
        case "isRequired" | "measureValueCompleteness":
            return RowRule(key=f"null {name}", violated=lambda rows: rows[name].isnull(), is_null_of=name)
        case "standardConceptRecordCompleteness" | "sourceConceptRecordCompleteness":
            return _mapped(check)
        case "plausibleValueLow" | "plausibleValueHigh" if check.level == "FIELD":
            return _limit(check, today)
        case "plausibleStartBeforeEnd":
            return _start_before_end(check)
        case "plausibleTemporalAfter":
            return _temporal_after(check)
        case "plausibleAfterBirth":
            return RowRule(
                key=f"before birth {name}",
                over="person",
                violated=lambda rows: as_day(rows[name]) < rows["_birth"],
                filled=name,
                decided_by=(name,),
                needs=(("person", "person_id"), (check.table, "person_id")),
            )
        case "plausibleBeforeDeath" | "plausibleDuringLife":
            return _before_death(check)
        case "withinVisitDates":
            return RowRule(
                key=f"outside visit {name}",
                over="visit_occurrence",
                violated=lambda rows: (
                    (as_day(rows[name]) < _shifted(rows["_visit_start"], -_AROUND_VISIT))
                    | (as_day(rows[name]) > _shifted(rows["_visit_end"], _AROUND_VISIT))
                ),
                decided_by=("visit_occurrence_id",),
                counted=lambda _: ibis.literal(True),
                counted_over="visit_occurrence",
                needs=(
                    (check.table, "visit_occurrence_id"),
                    ("visit_occurrence", "visit_occurrence_id"),
                    ("visit_occurrence", "visit_start_date"),
                    ("visit_occurrence", "visit_end_date"),
                ),
            )
        case "textLength":
            length = CDM[check.table][name].length or 0
            return RowRule(
                key=f"longer than {length} {name}",
                violated=lambda rows: rows[name].length() > length,
                filled=name,
                decided_by=(name,),
            )
        case "identifierSize":
            return RowRule(
                key=f"identifier {name}",
                violated=lambda rows: (rows[name] >= _GREATEST_ID) | (rows[name] <= -_GREATEST_ID),
                filled=name,
                decided_by=(name,),
            )
        case _:
            return None


def _shifted(day: ir.DateValue, days: int) -> ir.DateValue:
    return day + ibis.interval(days=days)


def _mapped(check: QualityCheck) -> RowRule:
    """Concept 0, or, for the fields that may be empty, no concept although there is a source value."""
    name, source = check.field, paired_source_value(check.table, check.field)
    if not source:
        return RowRule(
            key=f"zero {name}",
            violated=lambda rows: rows[name] == 0,
            filled=name,
            decided_by=(name,),
        )
    return RowRule(
        key=f"zero or unmapped {name}",
        violated=lambda rows: (rows[name] == 0) | (rows[name].isnull() & rows[source].notnull()),
        counted=lambda rows: rows[name].notnull() | rows[source].notnull(),
        decided_by=(name, source),
        needs=((check.table, source),),
    )


_PAIRED = {
    "admitted_from_concept_id": "admitted_from_source_value",
    "admitting_source_concept_id": "admitting_source_value",
    "anatomic_site_concept_id": "anatomic_site_source_value",
    "cause_concept_id": "cause_source_value",
    "cause_source_concept_id": "cause_source_value",
    "condition_status_concept_id": "condition_status_source_value",
    "country_concept_id": "country_source_value",
    "discharge_to_concept_id": "discharge_to_source_value",
    "discharged_to_concept_id": "discharged_to_source_value",
    "disease_status_concept_id": "disease_status_source_value",
    "modifier_concept_id": "modifier_source_value",
    "payer_concept_id": "payer_source_value",
    "payer_source_concept_id": "payer_source_value",
    "place_of_service_concept_id": "place_of_service_source_value",
    "plan_concept_id": "plan_source_value",
    "plan_source_concept_id": "plan_source_value",
    "qualifier_concept_id": "qualifier_source_value",
    "route_concept_id": "route_source_value",
    "specialty_concept_id": "specialty_source_value",
    "specialty_source_concept_id": "specialty_source_value",
    "sponsor_concept_id": "sponsor_source_value",
    "sponsor_source_concept_id": "sponsor_source_value",
    "stop_reason_concept_id": "stop_reason_source_value",
    "stop_reason_source_concept_id": "stop_reason_source_value",
    "unit_concept_id": "unit_source_value",
    "unit_source_concept_id": "unit_source_value",
}
"""Concept fields that may be empty, with the field that holds the source's text; DQD 2.7 and later look at both."""


def paired_source_value(table: str, field: str) -> str:
    """Source value that belongs to a concept field that may be empty; empty for the fields that may not."""
    if field.startswith("gender_"):
        return "gender_source_value" if table == "provider" else ""
    return "" if table == "dose_era" else _PAIRED.get(field, "")


def _limit(check: QualityCheck, today: dt.date) -> RowRule:
    name = check.field
    is_low = check.kind == "plausibleValueLow"
    limit = limit_of(check.settings[check.kind], today)
    is_date = check.settings.get("cdmDatatype", "") in ("date", "datetime")
    if is_date != isinstance(limit, dt.date):
        raise UnreadableError("the limit is not of the field's type")
    bound = ibis.literal(limit, "date") if isinstance(limit, dt.date) else ibis.literal(limit)

    def violated(rows: ir.Table) -> ir.BooleanValue:
        value = as_day(rows[name]) if is_date else rows[name]
        return value < bound if is_low else value > bound

    return RowRule(key=f"{check.kind} {limit} {name}", violated=violated, filled=name, decided_by=(name,))


def limit_of(text: str, today: dt.date) -> dt.date | float | int:
    """A limit as threshold files write it: ``31``, ``'19500101'``, ``DATEADD(dd,1,GETDATE())``, ``YEAR(GETDATE())+1``.

    Raises:
        UnreadableError: it is none of these.
    """
    compact = re.sub(r"\s", "", text).upper()
    if re.fullmatch(r"-?[0-9]{1,18}", compact):
        return int(compact)
    if re.fullmatch(r"-?(?:[0-9]{0,40}\.)?[0-9]{1,40}(E-?[0-9]{1,2})?", compact):
        return float(compact)
    if compact == "GETDATE()":
        return today
    if year := re.fullmatch(r"YEAR\(GETDATE\(\)\)([+-][0-9]{1,4})?", compact):
        return today.year + int(year[1] or 0)
    # A day that the calendar does not have, or one beyond its end.
    with suppress(ValueError, OverflowError):
        if day := re.fullmatch(r"'?([0-9]{4})-?([0-9]{2})-?([0-9]{2})'?", compact):
            return dt.date(int(day[1]), int(day[2]), int(day[3]))
        if shifted := re.fullmatch(r"DATEADD\((?:DD|DAY|D),(-?[0-9]{1,9}),GETDATE\(\)\)", compact):
            return today + dt.timedelta(days=int(shifted[1]))
    raise UnreadableError("the limit cannot be read")


def _start_before_end(check: QualityCheck) -> RowRule:
    start, end = check.field, check.settings["plausibleStartBeforeEndFieldName"].lower()
    return RowRule(
        key=f"{start} after {end}",
        violated=lambda rows: as_day(rows[start]) > as_day(rows[end]),
        decided_by=(start,),
        counted=lambda rows: rows[start].notnull() & rows[end].notnull(),
        needs=((check.table, end),),
    )


def _temporal_after(check: QualityCheck) -> RowRule:
    name = check.field
    other = check.settings["plausibleTemporalAfterTableName"].lower()
    earlier = check.settings["plausibleTemporalAfterFieldName"].lower()
    if other == "person":
        return RowRule(
            key=f"before midyear {name}",
            over="person",
            violated=lambda rows: rows["_midyear"] > as_day(rows[name]),
            decided_by=(name,),
            needs=(("person", "person_id"), (check.table, "person_id")),
        )
    if other != check.table:
        raise UnreadableError("only PERSON and the table itself can be compared with")
    return RowRule(
        key=f"{earlier} after {name}",
        violated=lambda rows: as_day(rows[earlier]) > as_day(rows[name]),
        decided_by=(name,),
        needs=((check.table, earlier),),
    )


def _before_death(check: QualityCheck) -> RowRule:
    """A person with two deaths counts twice in plausibleBeforeDeath's denominator, once in plausibleDuringLife's."""
    name = check.field
    is_life = check.kind == "plausibleDuringLife"

    def counted(rows: ir.Table) -> ir.BooleanValue:
        return rows["_is_first"] if is_life else rows[name].notnull()

    return RowRule(
        key=f"{check.kind} {name}",
        over="death",
        violated=lambda rows: as_day(rows[name]) > _shifted(rows["_death"], _AFTER_DEATH),
        decided_by=() if is_life else (name,),
        counted=counted,
        counted_over="death",
        needs=(("death", "person_id"), ("death", "death_date"), (check.table, "person_id")),
    )
