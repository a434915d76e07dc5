"""Public pairs of FHIR resources and the OMOP rows that another project expects: ours are the same, or the page of the mapping says why not.

The pairs are not part of this project. FAIRHAVEN_GOLDEN_PAIRS names a folder of them: `*.json` with ``fixtures`` and ``cases`` (``desc``, ``fhir``,
``omop``: table -> rows, with ``ref:<id>`` for what a resource became), and ``vocabulary/`` with the concepts that they assume.
"""

import datetime as dt
import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from fairhaven.hub import make_hub, open_hub
from fairhaven.journeys.deliveries.receive import receive_delivery, take_vocabulary
from fairhaven.journeys.releases.build import build_release
from fairhaven.kernel.progress import Silent
from fairhaven.omop import CDM
from tests.support.actors import ANNA
from tests.support.partner_cdm import AS_OF, release

Row = dict[str, Any]
VARIABLE = "FAIRHAVEN_GOLDEN_PAIRS"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "fhir-mapping.md"
SOURCE = """
title = "Pairs"
controller = "pairs"
kind = "hospital"
format = "fhir"
national_opt_out = false
coded = ["observation.value_text", "observation_component.value_text"]

[dialect]
time_zone = "UTC"
"""
REFERRED = {
    "person_id": "person",
    "visit_occurrence_id": "visit_occurrence",
    "provider_id": "provider",
    "care_site_id": "care_site",
    "location_id": "location",
}
OF_EVENTS = (
    *("condition_occurrence", "drug_exposure", "procedure_occurrence", "device_exposure", "measurement", "observation"),
    *("specimen", "note", "payer_plan_period"),
)
"""Tables in which a row that a pair does not expect is a difference."""

Allows = Callable[[Any, Any], bool]


def anything(_: Any, __: Any) -> bool:
    return True


def told(_: Any, ours: Any) -> bool:
    return ours is not None


def lost(_: Any, ours: Any) -> bool:
    return ours is None


def either(*values: tuple[Any, Any]) -> Allows:
    return lambda theirs, ours: (theirs, ours) in values


def standard_type(_: Any, ours: Any) -> bool:
    return 32800 <= (ours or 0) < 32900


NOTHING = either((0, None), (None, 0))
CONVENTIONS: Sequence[tuple[str, Allows, Sequence[str]]] = (
    ("Concept 0 and none", NOTHING, ("*_concept_id",)),
    (
        "Concept 0 and none",
        anything,
        ("*.place_of_service_*", "location.country_concept_id", "*.gender_source_concept_id"),
    ),
    ("Types of rows", standard_type, ("*_type_concept_id",)),
    ("Condition status", anything, ("condition_occurrence.condition_status_*",)),
    ("An encounter without a start", lost, ("*.visit_occurrence_id",)),
    ("Source values", told, ("*_source_value",)),
    ("Source values", lost, ("observation.value_as_string",)),
    ("Ends that the CDM requires", lost, ("*_end_datetime", "person.birth_datetime")),
    ("End of an exposure", told, ("drug_exposure.drug_exposure_end_date", "drug_exposure.verbatim_end_date")),
    (
        "Several codings",
        told,
        ("drug_exposure.drug_*concept_id", "measurement.measurement_source_concept_id", "observation.row more"),
    ),
    ("Several codings", lost, ("measurement.row missing",)),
    ("A code without a standard concept", told, ("drug_exposure.row more",)),
    ("Domains", told, ("condition_occurrence.row more",)),
    ("Allergy", anything, ("observation.observation_concept_id", "observation.value_as_string")),
    ("Allergy", anything, ("observation.qualifier_concept_id",)),
    ("Units", told, ("*.unit_concept_id", "*.unit_source_value")),
    ("Devices", lost, ("device_exposure.device_exposure_end_date",)),
    ("Reports", lost, ("note.row missing", "note.note_title", "observation.value_source_value")),
    ("Panels", anything, ("observation.row missing", "observation.row more", "measurement.row more")),
    ("Places", anything, ("location.*", "care_site.location_id", "person.location_id")),
    ("Who somebody is", lost, ("provider.*",)),
    (
        "Sex, race and speciality that are not known",
        either((8551, 0), (8521, 0), (8522, 0), (38004446, 0), (8657, 8527), (38003563, 38003564)),
        ("person.*_concept_id", "provider.*_concept_id"),
    ),
    ("Several races", either((8515, 1546847)), ("person.race_concept_id",)),
    ("Words for an end", lost, ("condition_occurrence.stop_reason",)),
    ("Relationships", lost, ("fact_relationship.row missing",)),
    (
        "Encounter.class",
        either((8870, 9201), (42898160, 9201), (8870, 8782), (8676, 8863)),
        ("visit_occurrence.visit_concept_id",),
    ),
    ("Moments", told, ("procedure_occurrence.procedure_date*",)),
    ("What never lands", told, ("note.note_text",)),
)
"""Words of the page, what they allow of both values, and where: ``table.column``, or a row that only one side has. The first that fits counts."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    name: str
    resources: list[Row]
    rows: Mapping[str, list[Row]]


def pairs(folder: Path) -> list[Pair]:
    found: list[Pair] = []
    for path in sorted(folder.glob("*.json")):
        held = json.loads(path.read_text())
        for case in held["cases"]:
            number = len(found)
            resources = [_own(each, number) for each in (*held.get("fixtures", ()), *case["fhir"])]
            found.append(Pair(name=f"{path.stem}: {case['desc'][:60]}", resources=resources, rows=case["omop"]))
    return found


def _own(value: Any, number: int) -> Any:
    """A resource with ids of its own, so that all pairs go into one hub."""
    if isinstance(value, list):
        return [_own(each, number) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: _own(each, number) for name, each in value.items()}
    if "resourceType" in made and "id" in made:
        made["id"] = f"k{number}-{made['id']}"
    if isinstance(reference := made.get("reference"), str):
        before, sign, name = reference.rpartition(":" if reference.startswith("urn:") else "/")
        made["reference"] = f"{before}{sign}k{number}-{name}"
    return made


def differences(pair: Pair, ours: Mapping[str, list[Row]]) -> Iterator[tuple[str, Any, Any]]:
    """``table.column`` and both values of what differs; rows are paired by what they have in common."""
    for table in (*pair.rows, *(name for name in OF_EVENTS if name not in pair.rows)):
        left = list(ours.get(table, ()))
        for given in pair.rows.get(table, ()):
            theirs = {name: value for name, value in given.items() if not name.endswith("__name") and value is not None}
            if not left:
                yield f"{table}.row missing", theirs, None
                continue
            best = min(left, key=lambda row: sum(theirs.get(name) != row.get(name) for name in {*theirs, *row}))
            left.remove(best)
            for name in sorted({*theirs, *best}):
                is_named = str(theirs.get(name)).startswith("id:") or (
                    name == CDM[table].primary_key and name not in theirs
                )
                if theirs.get(name) != best.get(name) and not is_named:
                    yield f"{table}.{name}", theirs.get(name), best.get(name)
        for row in left:
            yield f"{table}.row more", None, row


def convention(what: str, theirs: Any, ours: Any) -> str | None:
    """The first convention that allows it."""
    fits = (
        name
        for name, allows, where in CONVENTIONS
        if any(fnmatchcase(what, each) for each in where) and allows(theirs, ours)
    )
    return next(fits, None)


def became(found: list[Pair], folder: Path, work: Path) -> dict[int, dict[str, list[Row]]]:
    """Pair -> table -> rows of the release that its resources became, with ``ref:<id>`` in the place of identifiers."""
    make_hub(work / "hub", by=ANNA)
    settings = work / "hub" / "hub.toml"
    settings.write_text(settings.read_text().replace('birth_date = "month"', 'birth_date = "day"'))
    (work / "hub" / "controllers" / "pairs.toml").write_text('title = "Pairs"\n')
    (work / "hub" / "sources" / "pairs.toml").write_text(SOURCE)
    take_vocabulary(open_hub(work / "hub"), folder / "vocabulary", by=ANNA, progress=Silent())
    lines = [(number, each) for number, pair in enumerate(found) for each in pair.resources]
    file = work / "pairs.ndjson"
    file.write_text("".join(json.dumps(each) + "\n" for _, each in lines))
    rooms = open_hub(work / "hub")
    receive_delivery(rooms, source="pairs", files=[file], received_on=AS_OF, today=AS_OF, by=ANNA, progress=Silent())
    build_release(rooms, as_of=AS_OF, today=AS_OF, by=ANNA, progress=Silent())
    connection = release(rooms)
    made = [row[0] for row in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
    tables = {name: connection.table(name).arrow().read_all().to_pylist() for name in made if name in CDM}
    ids = {
        (table, row[key]): lines[row["row_line"] - 1]
        for table, key in ((table, CDM[table].primary_key) for table in REFERRED.values())
        for row in tables.get(table, ())
    }
    rows: dict[int, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for table, held in tables.items():
        for row in held:
            by = ids.get(("person", row["person_id"])) if table == "observation_period" else None
            line = row.get("row_line")
            if by or line:
                number = by[0] if by else lines[line - 1][0]
                rows[number][table].append(_as_given(table, row, ids))
    return rows


def _as_given(table: str, row: Row, ids: Mapping[tuple[str, int], tuple[int, Row]]) -> Row:
    made = {}
    for name, value in row.items():
        if value is None or name.startswith("row_") or (name == CDM[table].primary_key and name not in REFERRED):
            continue
        if name in REFERRED and (other := ids.get((REFERRED[name], value))):
            made[name] = "ref:" + other[1].get("id", "").partition("-")[2]
        elif isinstance(value, dt.date):
            made[name] = value.isoformat()
        else:
            made[name] = value
    return made


@pytest.mark.slow
def test_public_pairs_come_out_as_they_expect_or_by_a_convention_that_the_page_states(tmp_path: Path) -> None:
    if VARIABLE not in os.environ:
        pytest.skip(f"the pairs are not part of the project: name their folder in {VARIABLE}")
    folder = Path(os.environ[VARIABLE])
    found = pairs(folder)
    assert found, f"{folder} has no pairs"
    ours = became(found, folder, tmp_path)
    page, counts, unexplained = PAGE.read_text(), Counter[str](), []
    for number, pair in enumerate(found):
        reasons = {}
        for what, theirs, our in differences(pair, ours[number]):
            reasons[what, str(theirs), str(our)] = convention(what, theirs, our)
        unexplained += [(pair.name, *each) for each, name in reasons.items() if name is None]
        counts.update({str(name) for name in reasons.values()} or {"exact"})
    (tmp_path / "counts.json").write_text(json.dumps(dict(counts.most_common())))
    assert [name for name, _, _ in CONVENTIONS if f"**{name}**" not in page and f"## {name}" not in page] == []
    assert unexplained == []
