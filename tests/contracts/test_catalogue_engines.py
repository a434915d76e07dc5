"""A release describes itself in the same words on every engine, up to the last digit of an approximate percentile."""

import datetime as dt
from dataclasses import replace

import pyarrow as pa

from fairhaven.catalogue import describe
from fairhaven.engine import Engine
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.omop import to_cdm
from fairhaven.release.description import Description

PERSONS = 120
PEOPLE = pa.table(
    {
        "person_id": list(range(PERSONS)),
        "gender_concept_id": [8507 if n % 3 else 8532 for n in range(PERSONS)],
        "year_of_birth": [1940 + n % 30 for n in range(PERSONS)],
        "gender_source_value": [None if n < 15 else "M" if n % 3 else "F" for n in range(PERSONS)],
    }
)
MEASURED = pa.table(
    {
        "measurement_id": list(range(3 * PERSONS)),
        "person_id": [n // 3 for n in range(3 * PERSONS)],
        "measurement_concept_id": [3 + n % 2 for n in range(3 * PERSONS)],
        "measurement_date": [dt.date(2010 + n % 5, 1, 1) for n in range(3 * PERSONS)],
        "measurement_type_concept_id": [32817] * (3 * PERSONS),
        "value_as_number": [float(n % 40) if n % 7 else None for n in range(3 * PERSONS)],
    }
)


def _described(engine: Engine) -> Description:
    tables = {
        "person": engine.keep(to_cdm(engine.arrow(PEOPLE), "person")),
        "measurement": engine.keep(to_cdm(engine.arrow(MEASURED), "measurement")),
    }
    concept = engine.arrow(pa.table({"concept_id": pa.array([3, 4], "int32"), "concept_name": ["Glucose", "Sodium"]}))
    try:
        return describe(tables, engine=engine, policy=policy_named("ons"), concept=concept)
    finally:
        for table in tables.values():
            engine.drop(table)


def test_engines_describe_a_release_alike(spark: Engine, reference: Engine) -> None:
    theirs, ours = _described(spark), _described(reference)
    assert _without_percentiles(theirs) == _without_percentiles(ours)


def _without_percentiles(description: Description) -> Description:
    return replace(
        description,
        tables=tuple(
            replace(table, variables=tuple(replace(variable, middle=None) for variable in table.variables))
            for table in description.tables
        ),
    )
