"""The rows behind a number: keys of the rows that violate a check."""

import datetime as dt
from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from fairhaven.engine.model import Engine
from fairhaven.kernel.errors import Invalid
from fairhaven.omop.cdm import CDM
from fairhaven.quality import concept_checks, cross_row_checks
from fairhaven.quality.column_types import TypedTables
from fairhaven.quality.model import QualityCheck
from fairhaven.quality.not_applicable import PRESENCE, obstacle
from fairhaven.quality.row_checks import datatype_rule, joined, row_rule


def failing(
    check: QualityCheck, tables: Mapping[str, ir.Table], *, engine: Engine, today: dt.date, limit: int = 1000
) -> tuple[str, list[int | str]]:
    """Keys of rows that violate a check.

    Returns:
        the column that the keys are of (the table's primary key, `person_id` where the table has none or the check is
        about persons, else its first column), and at most *limit* keys in order.

    Raises:
        Invalid: the check cannot run on these tables; the message says why.
    """
    shapes = TypedTables(tables)
    if check.kind in PRESENCE:
        return "", []
    if reason := obstacle(check, shapes, today=today):
        raise Invalid(reason)
    rows = _violated(check, shapes, today)
    if rows is None:
        return "", []
    column = _key(check, rows)
    # Grouped, not distinct: on Spark a sorted distinct came out with a row twice.
    keys = rows.filter(rows[column].notnull()).group_by(_key=rows[column]).aggregate(_rows=ibis._.count())
    return column, engine.fetch(keys.order_by("_key").limit(limit))["_key"].to_pylist()


def _key(check: QualityCheck, rows: ir.Table) -> str:
    key = CDM[check.table].primary_key if check.table in CDM else ""
    return next((name for name in (key, "person_id") if name in rows.columns), rows.columns[0])


def _violated(check: QualityCheck, shapes: TypedTables, today: dt.date) -> ir.Table | None:
    if concept_checks.is_by_concept(check):
        return _by_concept(check, shapes)
    if check.kind in cross_row_checks.KINDS:
        return cross_row_checks.violated_rows(check, shapes)
    rule = datatype_rule(check, shapes) if check.kind == "cdmDatatype" else row_rule(check, today=today)
    if rule is None:
        return None
    rows = joined(shapes, check.table, rule.over)
    return rows.filter(rule.violated(rows))


def _by_concept(check: QualityCheck, shapes: TypedTables) -> ir.Table:
    rows = shapes[check.table].table
    value = rows[check.field]
    if check.kind in concept_checks.BY_SEX:
        return _wrong_sex(check, shapes)
    if check.kind == concept_checks.BY_UNIT:
        plausible = [0, *concept_checks.concept_list(check.settings.get(concept_checks.BY_UNIT, ""))]
        return rows.filter(value == int(check.concept), rows["unit_concept_id"].notin(plausible))
    if check.kind in concept_checks.BY_VALUE:
        number, limit = rows["value_as_number"], float(check.settings[check.kind])
        is_beyond = number < limit if check.kind == "plausibleValueLow" else number > limit
        return rows.filter(value == int(check.concept), rows["unit_concept_id"] == int(float(check.unit)), is_beyond)
    concept = shapes["concept"].table
    if check.kind == "isForeignKey":
        known = concept.select(_concept=concept["concept_id"])
        return rows.filter(value.notnull()).anti_join(known, value == known["_concept"])
    is_wrong = concept_checks.is_wrong(check.kind, check.settings.get(check.kind, ""), concept)
    wrong = concept.filter(is_wrong).select(_concept=concept["concept_id"])
    return rows.semi_join(wrong, value == wrong["_concept"])


def _wrong_sex(check: QualityCheck, shapes: TypedTables) -> ir.Table:
    rows = joined(shapes, check.table, "person")
    wrong = rows.filter(rows["_gender"] != concept_checks.right_sex(check))
    listed = concept_checks.concept_list(check.concept)
    if check.kind == "plausibleGender":
        return wrong.filter(wrong[check.field].isin(listed))
    tree = shapes["concept_ancestor"].table
    below = tree.filter(tree["ancestor_concept_id"].isin(listed)).select(_concept=tree["descendant_concept_id"])
    return wrong.semi_join(below, wrong[check.field] == below["_concept"])
