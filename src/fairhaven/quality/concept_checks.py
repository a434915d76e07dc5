"""Checks on concepts: that they exist, are standard, valid, of the right domain and class, with the right sex and unit.

A table has millions of rows and a few thousand concepts: so each concept field is counted by value once (a histogram),
the histograms of all tables are joined with CONCEPT once, and every check reads the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine.model import Engine
from fairhaven.quality.column_types import TypedTables, birth_dates
from fairhaven.quality.model import QualityCheck

Numbers = tuple[int, int]
Place = tuple[str, str]

BY_FIELD = frozenset(("isForeignKey", "fkDomain", "fkClass", "isStandardValidConcept"))
BY_SEX = frozenset(("plausibleGender", "plausibleGenderUseDescendants"))
BY_UNIT = "plausibleUnitConceptIds"
BY_VALUE = frozenset(("plausibleValueLow", "plausibleValueHigh"))
SEX = {"Male": 8507, "Female": 8532}
_HISTOGRAM = pa.schema([("_place", pa.int64()), ("_value", pa.int64()), ("_rows", pa.int64())])


def is_by_concept(check: QualityCheck) -> bool:
    """True for the checks of this module."""
    if check.kind == "isForeignKey":
        return check.settings.get("fkTableName", "").lower() == "concept" and check.field.endswith("_id")
    return check.kind in BY_FIELD or check.level == "CONCEPT"


_CONCEPT = ("concept", "concept_id")
_SEX = (("", "person_id"), ("person", "person_id"), ("person", "gender_concept_id"))
_ANCESTOR = (("concept_ancestor", "ancestor_concept_id"), ("concept_ancestor", "descendant_concept_id"))
_NEEDS: Mapping[str, tuple[Place, ...]] = {
    "isForeignKey": (_CONCEPT,),
    "fkDomain": (_CONCEPT, ("concept", "domain_id")),
    "fkClass": (_CONCEPT, ("concept", "concept_class_id")),
    "isStandardValidConcept": (_CONCEPT, ("concept", "standard_concept"), ("concept", "invalid_reason")),
    "plausibleGender": _SEX,
    "plausibleGenderUseDescendants": (*_SEX, *_ANCESTOR),
    BY_UNIT: (("", "unit_concept_id"),),
    **dict.fromkeys(BY_VALUE, (("", "unit_concept_id"), ("", "value_as_number"))),
}
"""(table, column) pairs that a kind of check reads beside its own field; the empty table is the check's own."""


def needs(check: QualityCheck) -> tuple[Place, ...]:
    """(table, column) pairs that such a check reads."""
    others = ((table or check.table, column) for table, column in _NEEDS[check.kind])
    return ((check.table, check.field), *others)


@dataclass(frozen=True, kw_only=True)
class Histograms:
    """Rows by value of each concept field.

    Args:
        places: (table, field) -> number in the column `_place`.
        table: `_place`, `_value` (concept id), `_rows`.
    """

    places: Mapping[Place, int]
    table: ir.Table


def histograms(places: Iterable[Place], shapes: TypedTables, engine: Engine) -> Histograms:
    """Count each concept field by value, one pass over a table for all of its fields."""
    numbers = {place: number for number, place in enumerate(sorted(set(places)))}
    by_table: dict[str, list[Place]] = {}
    for place in numbers:
        by_table.setdefault(place[0], []).append(place)
    found: list[pa.Table] = []
    for table, fields in by_table.items():
        rows = shapes[table].table
        parts = [
            rows.filter(rows[field].notnull())
            .group_by(_value=rows[field].cast("int64"))
            .aggregate(_rows=lambda part: part.count())
            .select(_place=ibis.literal(numbers[table, field], "int64"), _value=ibis._["_value"], _rows=ibis._["_rows"])
            for _, field in fields
        ]
        found.append(engine.fetch(ibis.union(*parts) if len(parts) > 1 else parts[0]).cast(_HISTOGRAM))
    return Histograms(
        places=numbers, table=engine.arrow(pa.concat_tables(found) if found else _HISTOGRAM.empty_table())
    )


def by_field(
    checks: Sequence[QualityCheck], counted: Histograms, shapes: TypedTables, engine: Engine
) -> dict[str, int]:
    """Violating rows of the checks on whole fields, by check id."""
    if not checks:
        return {}
    concept = shapes["concept"].table
    columns = {
        name: concept[name] if name in concept.columns else ibis.null("string")
        for name in ("domain_id", "concept_class_id", "standard_concept", "invalid_reason")
    }
    rows = counted.table
    other = concept.select(_concept=concept["concept_id"], **columns)
    both = rows.left_join(other, rows["_value"] == other["_concept"])
    is_bad = (both["standard_concept"] != "S") | both["standard_concept"].isnull() | both["invalid_reason"].notnull()
    summed = both.group_by(
        _place=both["_place"],
        _is_missing=both["_concept"].isnull(),
        _is_zero=both["_value"] == 0,
        _domain=both["domain_id"],
        _class=both["concept_class_id"],
        _is_bad=is_bad,
    ).aggregate(_rows=both["_rows"].sum())
    groups: dict[int, list[dict[str, object]]] = {}
    for group in engine.fetch(summed).to_pylist():
        groups.setdefault(group["_place"], []).append(group)
    return {
        check.id: sum(
            int(str(group["_rows"]))
            for group in groups.get(counted.places.get((check.table, check.field), -1), ())
            if _violates(check, group)
        )
        for check in checks
    }


def _violates(check: QualityCheck, group: Mapping[str, object]) -> bool:
    """DQD's rules on a group of equal rows. Concept 0 has no domain; a missing concept is isForeignKey's matter."""
    if check.kind == "isForeignKey":
        return bool(group["_is_missing"])
    if group["_is_missing"] or group["_is_zero"]:
        return False
    if check.kind == "fkDomain":
        return group["_domain"] is not None and group["_domain"] != check.settings["fkDomain"]
    if check.kind == "fkClass":
        return group["_class"] is not None and group["_class"] != check.settings["fkClass"]
    return bool(group["_is_bad"])


def by_sex(
    checks: Sequence[QualityCheck], counted: Histograms, shapes: TypedTables, engine: Engine
) -> dict[str, Numbers]:
    """Rows of concepts that only one sex can have, of persons of another; once for each ancestor listed."""
    if not checks:
        return {}
    targets = _targets(checks, counted, shapes, engine)
    present = engine.fetch(
        targets.inner_join(
            counted.table,
            [targets["_place"] == counted.table["_place"], targets["_concept"] == counted.table["_value"]],
        ).select(
            _check=targets["_check"], _place=targets["_place"], _concept=targets["_concept"], _rows=ibis._["_rows"]
        )
    )
    numbers = {check.id: [0, 0] for check in checks}
    for row in present.to_pylist():
        numbers[checks[row["_check"]].id][1] += row["_rows"]
    for place, number in counted.places.items():
        mask = pa.compute.equal(present["_place"], number)
        part = present.filter(mask).select(["_check", "_concept"])
        if part.num_rows == 0:
            continue
        wanted = engine.arrow(part)
        rows = shapes[place[0]].table
        sexes = birth_dates(shapes["person"].table)
        matched = rows.select(_person_id=rows["person_id"], _value=rows[place[1]]).inner_join(
            wanted, ibis._["_value"] == wanted["_concept"]
        )
        with_sex = matched.inner_join(sexes, matched["_person_id"] == sexes["_person"])
        summed = with_sex.group_by("_check", "_gender").aggregate(_rows=with_sex.count())
        for group in engine.fetch(summed).to_pylist():
            check = checks[group["_check"]]
            right = SEX.get(check.settings.get(check.kind, ""), SEX["Female"])
            if group["_gender"] is not None and group["_gender"] != right:
                numbers[check.id][0] += group["_rows"]
    return {name: (violated, rows) for name, (violated, rows) in numbers.items()}


def _targets(checks: Sequence[QualityCheck], counted: Histograms, shapes: TypedTables, engine: Engine) -> ir.Table:
    """`_check`, `_place`, `_concept`: which concepts each check is about, descendants unfolded."""

    def listed(kind: str) -> ir.Table | None:
        rows = [
            {"_check": number, "_place": counted.places[check.table, check.field], "_concept": concept}
            for number, check in enumerate(checks)
            if check.kind == kind and (check.table, check.field) in counted.places
            for concept in concept_list(check.concept)
        ]
        schema = pa.schema([("_check", pa.int64()), ("_place", pa.int64()), ("_concept", pa.int64())])
        return engine.arrow(pa.Table.from_pylist(rows, schema=schema)) if rows or kind == "plausibleGender" else None

    plain = listed("plausibleGender")
    above = listed("plausibleGenderUseDescendants")
    assert plain is not None
    if above is None:
        return plain
    tree = shapes["concept_ancestor"].table
    unfolded = above.inner_join(tree, above["_concept"] == tree["ancestor_concept_id"]).select(
        _check=above["_check"], _place=above["_place"], _concept=tree["descendant_concept_id"].cast("int64")
    )
    return plain.union(unfolded)


def concept_list(text: str) -> list[int]:
    """Concept ids of a threshold file: ``123`` or ``123,456``."""
    return [int(part) for part in text.split(",") if part.strip().lstrip("-").isdigit()]


def by_unit(checks: Sequence[QualityCheck], shapes: TypedTables, engine: Engine) -> dict[str, Numbers]:
    """Rows with a unit that is not in the concept's list; unit 0 is the matter of standardConceptRecordCompleteness."""
    numbers: dict[str, Numbers] = {}
    for place in sorted({(check.table, check.field) for check in checks}):
        own = [check for check in checks if (check.table, check.field) == place]
        wanted = engine.arrow(
            pa.table({"_concept": pa.array(sorted({int(check.concept) for check in own}), pa.int64())})
        )
        rows = shapes[place[0]].table
        slim = rows.select(_value=rows[place[1]], _unit=rows["unit_concept_id"])
        summed = (
            slim.semi_join(wanted, slim["_value"] == wanted["_concept"])
            .group_by("_value", "_unit")
            .aggregate(_rows=lambda part: part.count())
        )
        units: dict[int, dict[int | None, int]] = {}
        for group in engine.fetch(summed).to_pylist():
            units.setdefault(group["_value"], {})[group["_unit"]] = group["_rows"]
        for check in own:
            found = units.get(int(check.concept), {})
            plausible = {0, *concept_list(check.settings.get(BY_UNIT, ""))}
            violated = sum(rows for unit, rows in found.items() if unit is not None and unit not in plausible)
            numbers[check.id] = (violated, sum(rows for unit, rows in found.items() if unit != 0))
    return numbers


def by_value(checks: Sequence[QualityCheck], shapes: TypedTables, engine: Engine) -> dict[str, Numbers]:
    """Numeric results of a concept in a unit beyond the concept's limit (threshold files of DQD before 2.6)."""
    numbers = {check.id: (0, 0) for check in checks}
    for place in sorted({(check.table, check.field) for check in checks}):
        limits = [
            {
                "_check": number,
                "_concept": int(check.concept),
                "_wanted": int(float(check.unit)),
                "_limit": float(check.settings[check.kind]),
                "_is_low": check.kind == "plausibleValueLow",
            }
            for number, check in enumerate(checks)
            if (check.table, check.field) == place
        ]
        wanted = engine.arrow(pa.Table.from_pylist(limits))
        rows = shapes[place[0]].table
        slim = rows.select(_value=rows[place[1]], _unit=rows["unit_concept_id"], _number=rows["value_as_number"])
        both = slim.filter(slim["_number"].notnull()).inner_join(
            wanted, [slim["_value"] == wanted["_concept"], slim["_unit"] == wanted["_wanted"]]
        )
        beyond = ibis.ifelse(both["_is_low"], both["_number"] < both["_limit"], both["_number"] > both["_limit"])
        summed = both.group_by("_check").aggregate(_violated=both.count(where=beyond), _rows=both.count())
        for group in engine.fetch(summed).to_pylist():
            numbers[checks[group["_check"]].id] = (int(group["_violated"] or 0), group["_rows"])
    return numbers
