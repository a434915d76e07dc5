"""The same checks and the same scorecard on every engine, and DataQualityDashboard's own numbers."""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pytest

from fairhaven.engine import Engine
from fairhaven.omop import CDM
from fairhaven.omop.external_cdm import open_cdm
from fairhaven.quality import (
    CheckStatus,
    DqdThresholds,
    Origin,
    QualityCheck,
    QualityReport,
    Severity,
    check,
    failing,
    scorecard,
)
from fairhaven.quality.cdm_checks import defined_checks
from tests.support.quality_cdm import TODAY, day, sound, tables
from tests.support.shared_data import shared

DAY_OF_THE_NUMBERS = dt.date(2026, 11, 21)
WITHOUT_ANSWER = {"field_cdmfield_note_nlp_offset", "field_isforeignkey_cohort_definition_cohort_definition_id"}
"""Checks that DQD's SQL cannot run on DuckDB."""


def faulty() -> dict[str, list[dict[str, object]]]:
    """The small CDM with one fault of many kinds."""
    rows = sound()
    rows["condition_occurrence"][0] |= {"condition_concept_id": 9201, "condition_end_date": day("2014-01-01")}
    rows["condition_occurrence"][1] |= {"condition_concept_id": 0, "visit_occurrence_id": 99}
    rows["measurement"][0] |= {"measurement_date": day("2030-01-01"), "unit_concept_id": 8840}
    rows["measurement"][1] |= {"measurement_id": 401, "unit_source_value": "x" * 60}
    rows["measurement"][2] |= {"measurement_date": day("2019-06-01"), "measurement_concept_id": 5}
    rows["condition_era"].pop()
    rows["observation_period"].append(rows["observation_period"][0] | {"observation_period_id": 9})
    return rows


def of_concepts() -> tuple[QualityCheck, ...]:
    place: dict[str, Any] = {"level": "CONCEPT", "severity": Severity.CHARACTERIZATION}
    condition = place | {"table": "condition_occurrence", "field": "condition_concept_id"}
    measurement = place | {"table": "measurement", "field": "measurement_concept_id", "concept": "3004410"}
    above = {"plausibleGenderUseDescendants": "Female"}
    limit = {"plausibleValueHigh": "6"}
    return (
        QualityCheck(kind="plausibleGender", concept="320128", settings={"plausibleGender": "Male"}, **condition),
        QualityCheck(kind="plausibleGenderUseDescendants", concept="316866,200962", settings=above, **condition),
        QualityCheck(kind="plausibleUnitConceptIds", settings={"plausibleUnitConceptIds": "8554"}, **measurement),
        QualityCheck(kind="plausibleValueHigh", unit="8554", settings=limit, **measurement),
    )


def numbers(report: QualityReport) -> dict[str, tuple[int | None, int | None, str]]:
    return {result.check.id: (result.violated, result.denominator, result.status) for result in report.results}


def test_every_engine_finds_the_same(reference: Engine, spark: Engine) -> None:
    checks = DqdThresholds(name="all", checks=defined_checks() + of_concepts())
    reports = [
        check(tables(faulty(), engine), engine=engine, today=TODAY, thresholds=checks) for engine in (reference, spark)
    ]
    assert numbers(reports[0]) == numbers(reports[1])
    assert len(reports[0].failed()) > 10


def test_every_engine_has_the_same_scorecard(reference: Engine, spark: Engine) -> None:
    origins = {1: Origin(source="a", kind="gp"), 2: Origin(source="b", kind="hospital")}
    cards = []
    for engine in (reference, spark):
        found = tables(faulty(), engine)
        parted = {
            name: table.mutate(row_extract=(table["person_id"] % 3).cast("int32"))
            for name, table in found.items()
            if "person_id" in table.columns
        }
        cards.append(scorecard(found | parted, engine=engine, origins=origins))
    assert cards[0] == cards[1]


def test_every_engine_names_the_same_rows(reference: Engine, spark: Engine) -> None:
    found = [(engine, tables(faulty(), engine)) for engine in (reference, spark)]
    report = check(found[0][1], engine=reference, today=TODAY)
    chosen = [
        r.check for r in report.results if r.violated and r.check.kind not in ("cdmTable", "measureValueCompleteness")
    ]
    for item in chosen:
        first, second = (failing(item, cdm, engine=engine, today=TODAY) for engine, cdm in found)
        assert first == second, item.id


def gibleed(engine: Engine) -> dict[str, ir.Table]:
    """GiBleed in the shape of CDM 5.4: what it lacks is there and empty, as it was for DQD."""
    folder = shared("data", "omop_gibleed_5.3")
    found = {}
    for name, definition in CDM.items():
        file = folder / f"{name}.parquet"
        schema = definition.schema_of()
        if not file.exists():
            found[name] = engine.arrow(schema.to_pyarrow().empty_table())
            continue
        table = engine.parquet([file])
        found[name] = table.select(
            **{column: table[column] if column in table.columns else ibis.null(kind) for column, kind in schema.items()}
        )
    return found


def test_dqd_gives_the_same_numbers_for_gibleed(reference: Engine) -> None:
    thresholds = DqdThresholds.read(shared("data", "dqd"))
    report = check(gibleed(reference), engine=reference, today=DAY_OF_THE_NUMBERS, thresholds=thresholds)

    found = {name: pair[:2] for name, pair in numbers(report).items() if name not in WITHOUT_ANSWER}
    assert found == expected(shared("data", "dqd", "expected_gibleed_5.4.csv"))
    assert not [result for result in report.results if result.status is CheckStatus.ERROR]


def expected(file: Path) -> dict[str, tuple[int, int]]:
    with file.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if not row["error"]]
    return {
        "_".join(
            part
            for part in (
                "concept" if row["conceptId"] else "field" if row["cdmFieldName"] else "table",
                row["checkName"],
                row["cdmTableName"],
                row["cdmFieldName"],
                row["conceptId"],
            )
            if part
        )
        .replace(" ", "")
        .lower(): (int(float(row["numViolatedRows"])), int(float(row["numDenominatorRows"])))
        for row in rows
    }


@pytest.mark.parametrize(
    "place",
    [
        ("omop_synthea27nj_5.4", "Synthea27Nj_5.4.zip"),
        pytest.param(("cohorts", "stress_cdm_5.4_parquet"), marks=pytest.mark.slow),
        # Of GiBleed `test_dqd_gives_the_same_numbers_for_gibleed` finds a check that stumbles.
        pytest.param(("omop_gibleed_5.3",), marks=pytest.mark.slow),
    ],
)
def test_no_check_stumbles_over_a_cdm_that_somebody_else_made(place: tuple[str, ...], tmp_path: Path) -> None:
    thresholds = DqdThresholds.read(shared("data", "dqd"))
    with open_cdm(shared("data", *place)) as opened:
        for chosen in (thresholds, None):
            report = check(opened.tables, engine=opened.engine, today=DAY_OF_THE_NUMBERS, thresholds=chosen)
            reasons = {result.reason for result in report.results if result.status is CheckStatus.ERROR}
            assert all(reason.endswith("does not exist.") for reason in reasons), reasons
            assert sum(report.rows.values()) > 100_000
            violated = [item for item in report.results if item.violated and item.check.level == "FIELD"]
            kinds = {item.check.kind: item.check for item in violated if not item.check.kind.startswith("cdm")}
            for item in kinds.values():
                assert failing(item, opened.tables, engine=opened.engine, today=DAY_OF_THE_NUMBERS, limit=5)[1], item.id
