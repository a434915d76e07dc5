"""What becomes of each row of a partner's CDM. This is the manual of `harmonise/cdm_rows.py`.

All rows of all cases are one CDM of one person, harmonised once; a case's rows are known by their lines.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fairhaven.engine import DuckDBEngine, Engine
from fairhaven.harmonise import Harmonised, HubFacts, SourceTables, harmonise, omop_rows
from fairhaven.intake.cdm_reader import IDENTIFYING
from fairhaven.omop import CDM
from tests.support.harmonise_cases import AS_OF, index_of, landed, vocabulary_tables

Row = dict[str, Any]
DAY, LATER = dt.date(2020, 3, 4), dt.date(2020, 3, 9)
NINE = dt.datetime.combine(DAY, dt.time(9, 30))
ASTHMA, DIABETES, ASTHMA_ICD, TWO_ICD, FAMILY_ICD, LOST_ICD = 317009, 201826, 45548118, 45600000, 45600001, 45600002
FAMILY_HISTORY, UNKNOWN = 4167217, 2_000_000_001
_TYPES = {"integer": pa.int64(), "float": pa.float64(), "date": pa.date32(), "datetime": pa.timestamp("us")}


@dataclass(frozen=True)
class Case:
    """A row of a CDM table, and the rows it gives: of *into* (the same table where it is empty), the columns named.

    A value that is a tuple (table, key) is the identifier that this hub gave to the partner's row of that key.
    """

    name: str
    table: str
    given: Row
    rows: list[Row] = field(default_factory=list)
    into: str = ""


def condition(**more: Any) -> Row:
    return {"condition_start_date": DAY, "condition_type_concept_id": 32020, **more}


def measurement(**more: Any) -> Row:
    return {"measurement_concept_id": 3004249, "measurement_date": DAY, "measurement_type_concept_id": 5001, **more}


def drug(**more: Any) -> Row:
    return {
        "drug_concept_id": 40163924,
        "drug_exposure_start_date": DAY,
        "drug_exposure_end_date": LATER,
        "drug_type_concept_id": 32838,
        **more,
    }


def at_birth(end: dt.date, **more: Any) -> Row:
    """A drug that begins with the month of birth, as one of the day itself lands."""
    return drug(drug_exposure_start_date=dt.date(1960, 5, 1), drug_exposure_end_date=end, **more)


def same(table: str, given: Row) -> Case:
    """A row that is in the release as it was given."""
    return Case(f"{table}: every column as it was", table, given, [given])


_STANDARD = condition(
    condition_concept_id=ASTHMA,
    condition_source_concept_id=ASTHMA_ICD,
    condition_source_value="J45.9",
    condition_start_datetime=NINE,
    condition_end_date=LATER,
    condition_end_datetime=NINE + dt.timedelta(days=5),
    condition_status_concept_id=32902,
    condition_status_source_value="main",
    stop_reason="better",
)
CASES = [
    same("condition_occurrence", _STANDARD),
    Case(
        "a concept that this hub's vocabulary does not know is kept",
        "condition_occurrence",
        condition(condition_concept_id=UNKNOWN, condition_source_value="local"),
        [{"condition_concept_id": UNKNOWN, "condition_source_concept_id": 0, "condition_source_value": "local"}],
    ),
    Case(
        "a concept that is not standard gives way to what it maps to, and is the source concept where there is none",
        "condition_occurrence",
        condition(condition_concept_id=ASTHMA_ICD, condition_source_concept_id=0),
        [{"condition_concept_id": ASTHMA, "condition_source_concept_id": ASTHMA_ICD}],
    ),
    Case(
        "the partner's own source concept goes before it",
        "condition_occurrence",
        condition(condition_concept_id=ASTHMA_ICD, condition_source_concept_id=UNKNOWN),
        [{"condition_concept_id": ASTHMA, "condition_source_concept_id": UNKNOWN}],
    ),
    Case(
        "a concept that is not standard and maps to nothing is kept",
        "condition_occurrence",
        condition(condition_concept_id=LOST_ICD),
        [{"condition_concept_id": LOST_ICD}],
    ),
    Case(
        "a concept that maps to two becomes two rows",
        "condition_occurrence",
        condition(condition_concept_id=TWO_ICD),
        [{"condition_concept_id": DIABETES}, {"condition_concept_id": ASTHMA}],
    ),
    Case(
        "a row whose new concept is of another domain goes to that domain's table, with the value it maps to",
        "condition_occurrence",
        condition(condition_concept_id=FAMILY_ICD, condition_source_value="Z83.3"),
        [
            {
                "observation_concept_id": FAMILY_HISTORY,
                "value_as_concept_id": DIABETES,
                "observation_date": DAY,
                "observation_source_value": "Z83.3",
                "observation_source_concept_id": FAMILY_ICD,
            }
        ],
        into="observation",
    ),
    Case(
        "a standard concept is kept in the table where the partner has it, whatever its domain",
        "observation",
        {"observation_concept_id": ASTHMA, "observation_date": DAY},
        [{"observation_concept_id": ASTHMA, "observation_type_concept_id": 32843}],
    ),
    Case(
        "concept 0 is kept in its table with its source value",
        "procedure_occurrence",
        {"procedure_concept_id": 0, "procedure_date": DAY, "procedure_source_value": "X99"},
        [{"procedure_concept_id": 0, "procedure_source_value": "X99"}],
    ),
    same(
        "measurement",
        measurement(
            measurement_datetime=NINE,
            measurement_source_value="8480-6",
            measurement_source_concept_id=3004249,
            operator_concept_id=4172703,
            value_as_number=121.5,
            value_as_concept_id=4184633,
            value_source_value="121.50",
            unit_concept_id=UNKNOWN,
            unit_source_value="mm[Hg]",
            unit_source_concept_id=8876,
            range_low=90.0,
            range_high=140.0,
        ),
    ),
    Case(
        "what is empty is left empty: no unit is guessed from its text, no source value made of the number",
        "measurement",
        measurement(value_as_number=7.0, unit_source_value="mm[Hg]"),
        [
            {
                "value_as_number": 7.0,
                "unit_concept_id": None,
                "unit_source_value": "mm[Hg]",
                "value_source_value": None,
                "operator_concept_id": None,
            }
        ],
    ),
    same(
        "drug_exposure",
        drug(
            drug_exposure_start_datetime=NINE,
            verbatim_end_date=DAY,
            stop_reason="done",
            refills=2,
            quantity=28.0,
            days_supply=5,
            sig="one a day",
            route_concept_id=4132161,
            route_source_value="by mouth",
            lot_number="L1",
            dose_unit_source_value="mg",
            drug_source_value="861007",
            drug_source_concept_id=40163924,
        ),
    ),
    Case(
        "an end that was inferred does not become verbatim",
        "drug_exposure",
        drug(),
        [{"drug_exposure_end_date": LATER, "verbatim_end_date": None, "route_concept_id": None}],
    ),
    Case(
        "of what was given without an end the day is the start's, which the CDM requires, and no time is made up",
        "drug_exposure",
        drug(drug_exposure_end_date=None, drug_exposure_start_datetime=NINE, drug_type_concept_id=32818),
        [{"drug_exposure_end_date": DAY, "drug_exposure_end_datetime": None, "verbatim_end_date": None}],
    ),
    Case(
        "a whole number that the CDM cannot hold is none",
        "drug_exposure",
        drug(days_supply=2**40),
        [{"days_supply": None, "drug_exposure_end_date": LATER}],
    ),
    Case(
        "a supply of more than a century ends no build: what was given without an end lasts as long as usual",
        "drug_exposure",
        drug(drug_exposure_end_date=None, days_supply=2**31 - 1, drug_type_concept_id=32818),
        [{"days_supply": 2**31 - 1, "drug_exposure_end_date": DAY}],
    ),
    Case(
        "an end that was counted from the day of birth would tell it: it is counted from the start that is released",
        "drug_exposure",
        at_birth(dt.date(1960, 6, 9), days_supply=28, drug_exposure_end_datetime=dt.datetime.combine(dt.date(1960, 6, 9), dt.time())),
        [{"drug_exposure_end_date": dt.date(1960, 5, 28), "drug_exposure_end_datetime": None}],
    ),
    Case(
        "so is one of a supply that is as long as usual",
        "drug_exposure",
        at_birth(dt.date(1960, 6, 30)),
        [{"drug_exposure_end_date": dt.date(1960, 5, 30), "verbatim_end_date": None}],
    ),
    Case(
        "also where the source stated another end, which could not be",
        "drug_exposure",
        at_birth(dt.date(1960, 6, 9), days_supply=28, verbatim_end_date=dt.date(1960, 5, 2)),
        [{"drug_exposure_end_date": dt.date(1960, 5, 28), "verbatim_end_date": dt.date(1960, 5, 2)}],
    ),
    Case(
        "an end that the source stated stays",
        "drug_exposure",
        at_birth(dt.date(1960, 6, 9), days_supply=28, verbatim_end_date=dt.date(1960, 6, 9)),
        [{"drug_exposure_end_date": dt.date(1960, 6, 9), "verbatim_end_date": dt.date(1960, 6, 9)}],
    ),
    Case(
        "so does one that no day of birth and no supply give",
        "drug_exposure",
        at_birth(dt.date(1960, 5, 20)),
        [{"drug_exposure_end_date": dt.date(1960, 5, 20)}],
    ),
    Case(
        "and one of what lasts no usual time",
        "drug_exposure",
        at_birth(dt.date(1960, 5, 20), drug_type_concept_id=32818),
        [{"drug_exposure_end_date": dt.date(1960, 5, 20)}],
    ),
    same(
        "observation",
        {
            "observation_concept_id": 4275495,
            "observation_date": DAY,
            "observation_type_concept_id": 38000280,
            "value_as_string": "ten a day",
            "value_as_concept_id": 0,
            "value_source_value": None,
            "qualifier_concept_id": 4184633,
            "qualifier_source_value": "certain",
            "unit_concept_id": 0,
        },
    ),
    same(
        "procedure_occurrence",
        {
            "procedure_concept_id": 4181583,
            "procedure_date": DAY,
            "procedure_datetime": NINE,
            "procedure_end_date": LATER,
            "procedure_type_concept_id": 38000275,
            "modifier_concept_id": UNKNOWN,
            "modifier_source_value": "left",
            "quantity": 1,
        },
    ),
    same(
        "device_exposure",
        {
            "device_concept_id": 4217646,
            "device_exposure_start_date": DAY,
            "device_exposure_end_date": LATER,
            "device_type_concept_id": 38000267,
            "unique_device_id": "(01)414",
            "production_id": "P1",
            "quantity": 3,
            "unit_concept_id": 8876,
        },
    ),
    same(
        "specimen",
        {
            "specimen_concept_id": 4171373,
            "specimen_date": DAY,
            "specimen_type_concept_id": 32856,
            "quantity": 2.5,
            "unit_concept_id": 8876,
            "unit_source_value": "ml",
            "anatomic_site_concept_id": UNKNOWN,
            "anatomic_site_source_value": "arm",
            "disease_status_concept_id": UNKNOWN,
            "disease_status_source_value": "well",
            "specimen_source_value": "BLD",
        },
    ),
    Case(
        "references are followed",
        "condition_occurrence",
        condition(condition_concept_id=ASTHMA, visit_occurrence_id=70, visit_detail_id=80, provider_id=60),
        [
            {
                "visit_occurrence_id": ("visit_occurrence", 70),
                "visit_detail_id": ("visit_detail", 80),
                "provider_id": ("provider", 60),
            }
        ],
    ),
    Case(
        "a reference to a row that is not there is left empty",
        "condition_occurrence",
        condition(condition_concept_id=ASTHMA, visit_occurrence_id=0, visit_detail_id=0, provider_id=0),
        [{"visit_occurrence_id": None, "visit_detail_id": None, "provider_id": None}],
    ),
    Case(
        "a visit: concepts, source values and where from and to; who and where by this hub's identifiers",
        "visit_occurrence",
        {
            "visit_occurrence_id": 70,
            "visit_concept_id": 9201,
            "visit_start_date": DAY,
            "visit_start_datetime": NINE,
            "visit_end_date": LATER,
            "visit_type_concept_id": 44818517,
            "visit_source_value": "v-1",
            "visit_source_concept_id": UNKNOWN,
            "admitted_from_concept_id": 8870,
            "admitted_from_source_value": "A",
            "discharged_to_concept_id": 8536,
            "discharged_to_source_value": "home",
            "provider_id": 60,
            "care_site_id": 50,
        },
        [
            {
                "visit_concept_id": 9201,
                "visit_start_datetime": NINE,
                "visit_end_date": LATER,
                "visit_type_concept_id": 44818517,
                "visit_source_value": "v-1",
                "visit_source_concept_id": UNKNOWN,
                "admitted_from_concept_id": 8870,
                "admitted_from_source_value": "A",
                "discharged_to_concept_id": 8536,
                "discharged_to_source_value": "home",
                "provider_id": ("provider", 60),
                "care_site_id": ("care_site", 50),
            }
        ],
    ),
    Case(
        "a visit names the one before",
        "visit_occurrence",
        {
            "visit_occurrence_id": 71,
            "visit_concept_id": 9202,
            "visit_start_date": LATER,
            "visit_end_date": LATER,
            "preceding_visit_occurrence_id": 70,
        },
        [{"preceding_visit_occurrence_id": ("visit_occurrence", 70), "visit_concept_id": 9202}],
    ),
    Case(
        "a part of a visit",
        "visit_detail",
        {
            "visit_detail_id": 80,
            "visit_occurrence_id": 70,
            "visit_detail_concept_id": 32037,
            "visit_detail_start_date": DAY,
            "visit_detail_end_date": LATER,
            "visit_detail_source_value": "ward",
        },
        [
            {
                "visit_occurrence_id": ("visit_occurrence", 70),
                "visit_detail_concept_id": 32037,
                "visit_detail_source_value": "ward",
            }
        ],
    ),
    Case(
        "a part of a part",
        "visit_detail",
        {
            "visit_detail_id": 81,
            "visit_occurrence_id": 70,
            "parent_visit_detail_id": 80,
            "preceding_visit_detail_id": 80,
            "visit_detail_start_date": DAY,
            "visit_detail_end_date": DAY,
        },
        [{"parent_visit_detail_id": ("visit_detail", 80), "preceding_visit_detail_id": ("visit_detail", 80)}],
    ),
    Case(
        "a part of a visit that is not there is left out",
        "visit_detail",
        {"visit_detail_id": 82, "visit_occurrence_id": 99, "visit_detail_start_date": DAY},
    ),
    Case(
        "a person: concepts as they were, the place and the provider by this hub's identifiers",
        "person",
        {
            "birth_date": dt.date(1960, 5, 1),
            "year_of_birth": 1960,
            "month_of_birth": 5,
            "gender_concept_id": 8532,
            "gender_source_value": "F",
            "gender_source_concept_id": UNKNOWN,
            "race_concept_id": 0,
            "race_source_value": "white",
            "race_source_concept_id": 0,
            "ethnicity_concept_id": 38003564,
            "location_id": 40,
            "provider_id": 60,
            "care_site_id": 50,
        },
        [
            {
                "year_of_birth": 1960,
                "month_of_birth": 5,
                "day_of_birth": None,
                "gender_concept_id": 8532,
                "gender_source_value": "F",
                "gender_source_concept_id": UNKNOWN,
                "race_concept_id": 0,
                "race_source_value": "white",
                "race_source_concept_id": 0,
                "ethnicity_concept_id": 38003564,
                "person_source_value": "p1",
                "location_id": ("location", 40),
                "provider_id": ("provider", 60),
                "care_site_id": ("care_site", 50),
            }
        ],
    ),
    same(
        "death",
        {
            "death_date": dt.date(2026, 1, 2),
            "death_datetime": dt.datetime.combine(dt.date(2026, 1, 2), dt.time(3, 4)),
            "death_type_concept_id": 32879,
            "cause_concept_id": ASTHMA,
            "cause_source_value": "J45.9",
            "cause_source_concept_id": ASTHMA_ICD,
        },
    ),
    same(
        "observation_period",
        {
            "observation_period_start_date": dt.date(2019, 1, 1),
            "observation_period_end_date": dt.date(2021, 1, 1),
            "period_type_concept_id": 44814724,
        },
    ),
    same(
        "payer_plan_period",
        {
            "payer_plan_period_start_date": DAY,
            "payer_plan_period_end_date": LATER,
            "payer_concept_id": 280,
            "payer_source_value": "Medicare",
            "payer_source_concept_id": UNKNOWN,
            "plan_concept_id": 0,
            "plan_source_value": "gold",
            "sponsor_concept_id": UNKNOWN,
            "family_source_value": "f1",
            "stop_reason_concept_id": UNKNOWN,
            "stop_reason_source_value": "moved",
        },
    ),
    Case(
        "a note: its class and language; its text is withheld",
        "note",
        {
            "note_date": DAY,
            "note_datetime": NINE,
            "note_type_concept_id": 32831,
            "note_class_concept_id": UNKNOWN,
            "language_concept_id": 4182347,
            "visit_occurrence_id": 70,
        },
        [
            {
                "note_date": DAY,
                "note_datetime": NINE,
                "note_type_concept_id": 32831,
                "note_class_concept_id": UNKNOWN,
                "note_text": "[withheld until de-identified]",
                "language_concept_id": 4182347,
                "visit_occurrence_id": ("visit_occurrence", 70),
            }
        ],
    ),
    Case(
        "a care site",
        "care_site",
        {
            "care_site_id": 50,
            "care_site_name": "Hillside",
            "place_of_service_concept_id": 8756,
            "place_of_service_source_value": "OP",
            "care_site_source_value": "cs-50",
            "location_id": 41,
        },
        [
            {
                "care_site_name": "Hillside",
                "place_of_service_concept_id": 8756,
                "place_of_service_source_value": "OP",
                "care_site_source_value": "cs-50",
                "location_id": ("location", 41),
            }
        ],
    ),
    Case(
        "a provider, without name and number",
        "provider",
        {
            "provider_id": 60,
            "specialty_concept_id": 38004446,
            "specialty_source_value": "GP",
            "specialty_source_concept_id": UNKNOWN,
            "gender_concept_id": 8507,
            "gender_source_value": "m.",
            "gender_source_concept_id": 8507,
            "year_of_birth": 1970,
            "care_site_id": 50,
        },
        [
            {
                "provider_name": None,
                "specialty_concept_id": 38004446,
                "specialty_source_value": "GP",
                "specialty_source_concept_id": UNKNOWN,
                "gender_concept_id": 8507,
                "gender_source_value": "m.",
                "gender_source_concept_id": 8507,
                "year_of_birth": 1970,
                "care_site_id": ("care_site", 50),
            }
        ],
    ),
    Case(
        "places that say the same are one, so that nobody's household is shown",
        "location",
        {"location_id": 40, "city": "Leeds", "zip": "LS1", "country_concept_id": UNKNOWN},
        [{"city": "Leeds", "zip": "LS1", "country_concept_id": UNKNOWN}],
    ),
    Case("the other of these places", "location", {"location_id": 41, "city": "Leeds", "zip": "LS1", "country_concept_id": UNKNOWN}),
    Case(
        "a state or postcode that is too long is not cut, for it would name another place",
        "location",
        {"location_id": 42, "city": "Worcester", "state": "Massachusetts", "zip": "01607-1728", "country_concept_id": UNKNOWN},
        [{"city": "Worcester", "state": None, "zip": "016071728", "location_source_value": "01607-1728"}],
    ),
]  # fmt: skip


def tables(cases: list[Case] = CASES) -> dict[str, pa.Table]:
    """The rows of all cases as they land."""
    made = {}
    for table in dict.fromkeys(case.table for case in cases):
        schema = _schema(table)
        rows = [{"patient_ref": "p1", **case.given} for case in cases if case.table == table]
        made[table] = landed(table, rows, schema=schema)
    return made


def _schema(table: str) -> pa.Schema:
    hidden = (*IDENTIFYING.get(table, ()), "person_id")
    fields = [(f.name, _TYPES.get(f.type, pa.string())) for f in CDM[table].fields if f.name not in hidden]
    more = [("birth_date", pa.date32())] if table == "person" else []
    return pa.schema([("patient_ref", pa.string()), *fields, *more])


def made_of(engine: Engine, given: Mapping[str, pa.Table]) -> Harmonised:
    """A hub with this CDM as its only source."""
    current = {name: engine.arrow(table) for name, table in given.items()}
    source = SourceTables(name="partner", kind="cdm", format="omop", tables=current)
    return harmonise(
        engine,
        [source],
        persons=engine.arrow(index_of({("partner", "p1"): 11})),
        vocabulary=vocabulary_tables(engine),
        hub=HubFacts(name="Test hub", abbreviation="test"),
        as_of=AS_OF,
        standards={"partner": omop_rows(current)},
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Row]]]:
    """The CDM's rows by table."""
    engine = DuckDBEngine(tmp_path_factory.mktemp("spill"), threads=1)
    harmonised = made_of(engine, tables())
    rules = {rule.number: rule.table for rule in harmonised.rules}
    yield {
        name: [row | {"from": rules[row["row_rule"]]} for row in engine.fetch(table).to_pylist()]
        for name, table in harmonised.tables.items()
        if name != "cdm_source"
    }
    engine.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_row_of_a_partners_cdm(case: Case, found: dict[str, list[Row]]) -> None:
    into = case.into or case.table
    rows = [row for row in found[into] if (row["from"], row["row_line"]) == (case.table, _line(case))]
    names = list(case.rows[0]) if case.rows else []
    expected = [{name: _ours(value, found) for name, value in row.items()} for row in case.rows]
    assert sorted(({name: row[name] for name in names} for row in rows), key=repr) == sorted(expected, key=repr)
    key = CDM[into].primary_key
    assert all(
        0 < row[key] < 2**53 and row[key] not in case.given.values() for row in rows if key and key != "person_id"
    )


def test_every_row_is_lost_or_found_and_counted(tmp_path: Path) -> None:
    engine = DuckDBEngine(tmp_path, threads=1)
    given = tables() | {
        "condition_era": landed("condition_era", [{"patient_ref": "p1"}]),
        "concept": landed("concept", [{"concept_id": 1}]),
    }
    counts = {(count.table, count.outcome): count.rows for count in made_of(engine, given).counts}
    assert counts["condition_era", "not taken"] == 1
    assert counts["visit_detail", "no visit"] == 1
    assert not any(table == "concept" for table, _ in counts)
    engine.close()


def _line(case: Case) -> int:
    """The line of the case's row in its table, counted as `landed` counts."""
    return [other for other in CASES if other.table == case.table].index(case) + 2


def _ours(value: Any, found: dict[str, list[Row]]) -> Any:
    if not isinstance(value, tuple):
        return value
    table, number = value
    key = CDM[table].primary_key
    case = next(case for case in CASES if case.table == table and case.given[key] == number)
    if table == "location":
        case = next(other for other in CASES if other.table == table)
    [row] = [row for row in found[table] if row["row_line"] == _line(case)]
    return row[key]
