"""A small CDM in which nothing is wrong, for tests that plant one thing that is."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.omop import CDM

TODAY = dt.date(2026, 3, 1)
Rows = dict[str, list[dict[str, Any]]]


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def sound() -> Rows:
    """Three persons, their periods, visits and events, and the concepts of all these."""
    concepts = [
        (0, "No matching concept", "Metadata", "Undefined"),
        (8507, "MALE", "Gender", "Gender"),
        (8532, "FEMALE", "Gender", "Gender"),
        (8527, "White", "Race", "Race"),
        (38003564, "Not Hispanic", "Ethnicity", "Ethnicity"),
        (32817, "EHR", "Type Concept", "Type Concept"),
        (9201, "Inpatient Visit", "Visit", "Visit"),
        (320128, "Essential hypertension", "Condition", "Disorder"),
        (316866, "Hypertensive disorder", "Condition", "Disorder"),
        (200962, "Primary malignant neoplasm of prostate", "Condition", "Disorder"),
        (1503297, "metformin", "Drug", "Ingredient"),
        (3004410, "Hemoglobin A1c", "Measurement", "Lab Test"),
        (8554, "percent", "Unit", "Unit"),
        (8840, "milligram per deciliter", "Unit", "Unit"),
    ]
    return {
        "concept": [
            {
                "concept_id": number,
                "concept_name": name,
                "domain_id": domain,
                "vocabulary_id": "SNOMED",
                "concept_class_id": kind,
                "standard_concept": "S" if number else None,
                "concept_code": str(number),
                "valid_start_date": day("1970-01-01"),
                "valid_end_date": day("2099-12-31"),
            }
            for number, name, domain, kind in concepts
        ],
        "concept_ancestor": [
            {"ancestor_concept_id": 316866, "descendant_concept_id": 320128, "min_levels_of_separation": 1},
            {"ancestor_concept_id": 200962, "descendant_concept_id": 200962, "min_levels_of_separation": 0},
        ],
        "person": [
            {
                "person_id": number,
                "gender_concept_id": sex,
                "year_of_birth": 1950 + number,
                "month_of_birth": 6,
                "day_of_birth": 15,
                "race_concept_id": 8527,
                "ethnicity_concept_id": 38003564,
                "gender_source_value": "x",
            }
            for number, sex in ((1, 8507), (2, 8532), (3, 8507))
        ],
        "observation_period": [
            {
                "observation_period_id": number,
                "person_id": number,
                "observation_period_start_date": day("2010-01-01"),
                "observation_period_end_date": day("2020-12-31") if number < 3 else day("2019-03-01"),
                "period_type_concept_id": 32817,
            }
            for number in (1, 2, 3)
        ],
        "visit_occurrence": [
            {
                "visit_occurrence_id": 10 + number,
                "person_id": number,
                "visit_concept_id": 9201,
                "visit_start_date": day("2015-05-01"),
                "visit_end_date": day("2015-05-04"),
                "visit_type_concept_id": 32817,
            }
            for number in (1, 2, 3)
        ],
        "condition_occurrence": [
            {
                "condition_occurrence_id": 100 + number,
                "person_id": number,
                "condition_concept_id": 320128,
                "condition_start_date": day("2015-05-02"),
                "condition_end_date": day("2015-06-01"),
                "condition_type_concept_id": 32817,
                "visit_occurrence_id": 10 + number,
                "condition_source_value": f"I1{number}",
            }
            for number in (1, 2, 3)
        ],
        "condition_era": [
            {
                "condition_era_id": 200 + number,
                "person_id": number,
                "condition_concept_id": 320128,
                "condition_era_start_date": day("2015-05-02"),
                "condition_era_end_date": day("2015-06-01"),
                "condition_occurrence_count": 1,
            }
            for number in (1, 2, 3)
        ],
        "drug_era": [
            {
                "drug_era_id": 300,
                "person_id": 1,
                "drug_concept_id": 1503297,
                "drug_era_start_date": day("2015-05-02"),
                "drug_era_end_date": day("2015-06-01"),
            }
        ],
        "measurement": [
            {
                "measurement_id": 400 + number,
                "person_id": number,
                "measurement_concept_id": 3004410,
                "measurement_date": day("2015-05-02"),
                "measurement_type_concept_id": 32817,
                "value_as_number": 6.5,
                "unit_concept_id": 8554,
                "unit_source_value": "%",
                "visit_occurrence_id": 10 + number,
                "measurement_source_value": "HbA1c",
            }
            for number in (1, 2, 3)
        ],
        "death": [{"person_id": 3, "death_date": day("2019-03-01"), "death_type_concept_id": 32817}],
    }


def tables(
    rows: Mapping[str, list[dict[str, Any]]], engine: Engine, *, with_empty: bool = False
) -> dict[str, ir.Table]:
    """These rows as CDM tables; *with_empty*: and every other table of the CDM, without rows."""
    return {
        name: engine.arrow(pa.Table.from_pylist(rows.get(name, []), schema=table.schema_of().to_pyarrow()))
        for name, table in CDM.items()
        if with_empty or rows.get(name)
    }
