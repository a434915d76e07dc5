"""The same sources give the same CDM on every engine, row for row."""

import datetime as dt
from pathlib import Path
from typing import Any

from fairhaven.engine import Engine
from fairhaven.harmonise import CodeMap, HubFacts, SourceTables, harmonise, local_maps, omop_rows
from tests.spec.test_harmonise_omop import tables as partners_tables
from tests.support.harmonise_cases import AS_OF, PEOPLE, TWO_PEOPLE, index_of, landed, mapping, vocabulary_tables

RULES = """
[[map]]
name = "spells"
from = "apc"
to = "visit_occurrence"
[map.set]
visit_ref = "spell"
start_date = "admitted"
end_date = { column = "admitted", add_days = "stay" }
concept_id = { value = "inpatient" }
care_site_ref = "site"
provider_ref = "doctor"

[[map]]
name = "episodes"
from = "apc"
to = "visit_detail"
[map.set]
visit_ref = "spell"
visit_detail_ref = "episode"
start_datetime = { date = "admitted", time = "clock" }
concept_id = { value = "inpatient" }

[[map]]
name = "sites"
from = "apc"
to = "care_site"
[map.set]
care_site_ref = "site"

[[map]]
name = "doctors"
from = "apc"
to = "provider"
[map.set]
provider_ref = "doctor"
care_site_ref = "site"

[[map]]
name = "diagnoses"
from = "apc"
to = "event"
unmapped_to = "condition_occurrence"
[map.unpivot]
diagnosis = "DIAG_{1..3}"
[map.code]
column = "diagnosis"
vocabulary = "ICD10"
clean = "icd10"
[map.set]
start_date = "admitted"
visit_ref = "spell"
visit_detail_ref = "episode"
status = { column = "position", map = { 1 = "primary" }, default = "secondary" }

[[map]]
name = "measures"
from = "apc"
to = "event"
when = { pressure = { at_least = 1 } }
[map.code]
concept_id = 3004249
[map.value]
column = "result"
vocabulary = "SNOMED"
[map.set]
start_date = "admitted"
value_number = { column = "pressure", unit = "unit", scales = { cmHg = 10 } }
unit = { column = "unit", map = { cmHg = "mmHg" }, default = { keep = true } }
value_text = { column = "words", pattern = "([0-9]+) times", strip = "." }

[[map]]
name = "drugs"
from = "apc"
to = "event"
when = { drug = { present = true, matches = "^[0-9]+$" } }
[map.code]
column = "drug"
vocabulary = "RxNorm"
text = "words"
[map.set]
start_date = "admitted"
days_supply = "stay"

[[map]]
name = "deaths"
from = "people"
to = "death"
when = { died = { present = true } }
[map.set]
date = "died"

[[map]]
name = "deaths of a month"
from = "people"
to = "death"
when = { died_in = { present = true } }
[map.set]
date = "died_in"
"""
APC: list[dict[str, Any]] = [
    {
        "patient_ref": f"p{number % 3 + 1}",
        "spell": f"s{number // 2}",
        "episode": f"e{number}",
        "site": "RGT01" if number % 2 else "RGT02",
        "doctor": f"C{number % 4}",
        "admitted": dt.date(2020, 1, 1) + dt.timedelta(days=17 * number),
        "clock": "09:30:00" if number % 3 else None,
        "stay": number % 5 or None,
        "DIAG_1": ["J459", "E11X", "Z833", "R69X", None, "E149D"][number % 6],
        "DIAG_2": ["E149", None, ""][number % 3],
        "pressure": float(number) * 10 if number % 4 else None,
        "unit": ["mmHg", "cmHg", "mm[Hg]", "odd"][number % 4],
        "result": "10828004" if number % 5 == 0 else None,
        "words": "taken 3 times" if number % 2 else "é☃ \"'\\",
        "drug": ["861007", "6809", "bad", None][number % 4],
    }
    for number in range(24)
]


def contents(engine: Engine, folder: Path) -> dict[str, list[Any]]:
    """The CDM of a source with rules and of a partner's CDM, with each of its cases, harmonised together."""
    people = [
        person
        | (
            {"died": dt.date(2020, 9, 1), "died_in": None}
            if person["patient_ref"] == "p1"
            else {"died": None, "died_in": "2020-09"}
        )
        for person in TWO_PEOPLE
    ]
    rows = {"people": landed("people", people), "apc": landed("apc", APC)}
    practice = SourceTables(
        name="gp",
        kind="gp",
        format="delimited",
        tables={name: engine.arrow(table) for name, table in rows.items()},
        mapping=[mapping(folder, PEOPLE + RULES)],
    )
    delivered = {name: engine.arrow(table) for name, table in partners_tables().items()}
    partner = SourceTables(name="partner", kind="cdm", format="omop", tables=delivered)
    found = harmonise(
        engine,
        [practice, partner],
        persons=engine.arrow(index_of({("gp", "p1"): 11, ("gp", "p2"): 12, ("gp", "p3"): 13, ("partner", "p1"): 21})),
        vocabulary=vocabulary_tables(engine),
        local=local_maps(
            {"local.csv": [CodeMap(vocabulary="ICD10", code="R69", text="", target_concept_id=317009)]}, on=AS_OF
        ),
        hub=HubFacts(name="Test hub", abbreviation="test", birth_date="month"),
        as_of=AS_OF,
        standards={"partner": omop_rows(delivered)},
    )
    return {
        name: sorted((tuple(row.values()) for row in engine.fetch(table).to_pylist()), key=repr)
        for name, table in found.tables.items()
    } | {"counts": sorted(repr(count) for count in found.counts)}


def test_every_engine_makes_the_same_cdm(spark: Engine, reference: Engine, tmp_path: Path) -> None:
    theirs, ours = contents(spark, tmp_path), contents(reference, tmp_path)
    assert set(theirs) == set(ours)
    for table, rows in ours.items():
        assert theirs[table] == rows, table
    # Neither source has taken the other's place.
    assert {row[0] for row in ours["person"]} >= {11, 12, 21}
