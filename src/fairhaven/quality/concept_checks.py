"""Checks on concepts: that they exist, are standard, valid, of the right domain and class, with the right sex and unit.

A table has millions of rows and a few thousand concepts: so each concept field is counted by value once (a histogram),
the histograms of all tables are joined with CONCEPT once, and every check reads the result.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine.model import Engine
from fairhaven.quality.column_types import TypedTables, birth_dates, stacked
from fairhaven.quality.model import Numbers, QualityCheck

Place = tuple[str, str]

BY_FIELD = frozenset(("isForeignKey", "fkDomain", "fkClass", "isStandardValidConcept"))
BY_SEX = frozenset(("plausibleGender", "plausibleGenderUseDescendants"))
BY_UNIT = "plausibleUnitConceptIds"
BY_VALUE = frozenset(("plausibleValueLow", "plausibleValueHigh"))
SEX = {"Male": 8507, "Female": 8532}
_TARGETS = pa.schema(
    [
        ("_check", pa.string()),
        ("_place", pa.int64()),
        ("_concept", pa.int64()),
        ("_right", pa.int64()),
        ("_is_ancestor", pa.bool_()),
    ]
)
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
    found: list[pa.Table] = []
    for table, fields in groupby(numbers, key=itemgetter(0)):
        rows = shapes[table].table
        parts = [
            rows.filter(rows[field].notnull())
            .group_by(_place=ibis.literal(numbers[table, field], "int64"), _value=rows[field].cast("int64"))
            .aggregate(_rows=lambda part: part.count())
            for _, field in fields
        ]
        found.append(engine.fetch(stacked(parts)).cast(_HISTOGRAM))
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
    other = concept.select("concept_id", **columns)
    rows = counted.table.left_join(other, counted.table["_value"] == other["concept_id"])
    # Many fields have the same rule, which is summed once.
    rules = {_rule(check): f"_rule_{number}" for number, check in enumerate(checks)}
    sums = {name: rows["_rows"].sum(where=is_wrong(kind, wanted, rows)) for (kind, wanted), name in rules.items()}
    summed = engine.fetch(rows.group_by("_place").aggregate(**sums)).to_pylist()
    groups = {group["_place"]: group for group in summed}
    return {
        check.id: int(groups.get(counted.places.get((check.table, check.field)), {}).get(rules[_rule(check)]) or 0)
        for check in checks
    }


def _rule(check: QualityCheck) -> tuple[str, str]:
    """What decides whether a concept is wrong for a check: its kind, and the domain or class that is wanted."""
    return check.kind, check.settings.get(check.kind, "")


def is_wrong(kind: str, wanted: str, concept: ir.Table) -> ir.BooleanValue:
    """DQD's rules on a row of CONCEPT, or the NULLs of one that is missing, which is isForeignKey's matter alone.

    Concept 0 is right everywhere.
    """
    match kind:
        case "isForeignKey":
            return concept["concept_id"].isnull()
        case "fkDomain":
            wrong = concept["domain_id"] != wanted
        case "fkClass":
            wrong = concept["concept_class_id"] != wanted
        case _:
            standard = concept["standard_concept"]
            wrong = (standard != "S") | standard.isnull() | concept["invalid_reason"].notnull()
    return (concept["concept_id"] != 0) & wrong


def by_sex(
    checks: Sequence[QualityCheck], counted: Histograms, shapes: TypedTables, engine: Engine
) -> dict[str, Numbers]:
    """Rows of concepts that only one sex can have, of persons of another; once for each ancestor listed."""
    if not checks:
        return {}
    targets = _targets(checks, counted, shapes, engine)
    histogram = counted.table
    both = targets.inner_join(
        histogram, [targets["_place"] == histogram["_place"], targets["_concept"] == histogram["_value"]]
    )
    present = engine.fetch(both.select("_check", "_place", "_concept", "_right", "_rows"))
    numbers = {check.id: [0, 0] for check in checks}
    for row in present.to_pylist():
        numbers[row["_check"]][1] += row["_rows"]
    for (table, field), number in counted.places.items():
        part = present.filter(pa.compute.equal(present["_place"], number)).select(["_check", "_concept", "_right"])
        if part.num_rows == 0:
            continue
        wanted = engine.arrow(part)
        rows = shapes[table].table
        sexes = birth_dates(shapes["person"].table)
        matched = rows.select(_person_id=rows["person_id"], _value=rows[field]).inner_join(
            wanted, ibis._["_value"] == wanted["_concept"]
        )
        with_sex = matched.inner_join(sexes, matched["_person_id"] == sexes["_person"])
        wrong = with_sex.filter(with_sex["_gender"] != with_sex["_right"])
        summed = wrong.group_by("_check").aggregate(_rows=wrong.count())
        for group in engine.fetch(summed).to_pylist():
            numbers[group["_check"]][0] += group["_rows"]
    return {name: (violated, rows) for name, (violated, rows) in numbers.items()}


def right_sex(check: QualityCheck) -> int:
    """The gender concept of those who can have the check's concept."""
    return SEX.get(check.settings.get(check.kind, ""), SEX["Female"])


def _targets(checks: Sequence[QualityCheck], counted: Histograms, shapes: TypedTables, engine: Engine) -> ir.Table:
    """`_check`, `_place`, `_concept`, `_right`: which concepts each check is about, descendants unfolded."""
    rows = [
        {
            "_check": check.id,
            "_place": counted.places[check.table, check.field],
            "_concept": concept,
            "_right": right_sex(check),
            "_is_ancestor": check.kind == "plausibleGenderUseDescendants",
        }
        for check in checks
        if (check.table, check.field) in counted.places
        for concept in concept_list(check.concept)
    ]
    listed = engine.arrow(pa.Table.from_pylist(rows, schema=_TARGETS))
    columns = ("_check", "_place", "_concept", "_right")
    plain = listed.filter(~listed["_is_ancestor"]).select(*columns)
    if not any(row["_is_ancestor"] for row in rows):
        return plain
    tree = shapes["concept_ancestor"].table
    above = listed.filter(listed["_is_ancestor"])
    below = above.inner_join(tree, above["_concept"] == tree["ancestor_concept_id"])
    return plain.union(below.mutate(_concept=below["descendant_concept_id"].cast("int64")).select(*columns))


def concept_list(text: str) -> list[int]:
    """Concept ids of a threshold file: ``123`` or ``123,456``."""
    return [int(part) for part in text.split(",") if re.fullmatch(r"\s*-?[0-9]{1,18}\s*", part)]


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
