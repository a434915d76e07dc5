"""What each check finds: one thing is planted in a CDM that is sound, and the check names the row.

Read a case as: in this table, the row with this key gets these values; then this check says (violated, looked at).
"""

from typing import Any

import pytest

from fairhaven.engine import Engine
from fairhaven.quality import DqdThresholds, QualityCheck, Severity, check, failing
from fairhaven.quality.cdm_checks import defined_checks
from fairhaven.quality.not_applicable import reads
from tests.support.quality_cdm import TODAY, Rows, day, sound, tables

KEYS = {"death": "person_id", "person": "person_id"}


def defined(kind: str, table: str, field: str = "") -> QualityCheck:
    return next(item for item in defined_checks() if (item.kind, item.table, item.field) == (kind, table, field))


def of_dqd(kind: str, table: str, field: str, concept: str = "", **settings: str) -> QualityCheck:
    return QualityCheck(
        kind=kind,
        level="CONCEPT" if concept else "FIELD",
        table=table,
        field=field,
        concept=concept,
        unit=settings.pop("unit", ""),
        severity=Severity.CHARACTERIZATION,
        settings=settings,
    )


def planted(table: str, key: int | None, values: dict[str, Any]) -> Rows:
    """The sound CDM with one row changed, or, where *key* is None, one row more."""
    rows = sound()
    if key is None:
        rows.setdefault(table, []).append(values)
        return rows
    name = next(iter(rows[table][0])) if table not in KEYS else KEYS[table]
    changed = next(row for row in rows[table] if row[name] == key)
    changed.update(values)
    return rows


PERIOD = "observation_period_start_date"
CASES = [
    # check, table, key of the row, its new values, (violated, looked at), keys
    (defined("isRequired", "measurement", "measurement_date"), "measurement", 401, {"measurement_date": None}, (1, 3), [401]),
    (defined("measureValueCompleteness", "measurement", "value_as_number"), "measurement", 402, {"value_as_number": None},
     (1, 3), [402]),
    (defined("isPrimaryKey", "measurement", "measurement_id"), "measurement", 402, {"measurement_id": 401}, (2, 3), [401]),
    (defined("isForeignKey", "measurement", "visit_occurrence_id"), "measurement", 402, {"visit_occurrence_id": 99}, (1, 3),
     [402]),
    (defined("isForeignKey", "measurement", "measurement_concept_id"), "measurement", 402, {"measurement_concept_id": 5},
     (1, 3), [402]),
    (defined("fkDomain", "condition_occurrence", "condition_concept_id"), "condition_occurrence", 101,
     {"condition_concept_id": 9201}, (1, 3), [101]),
    (defined("fkClass", "drug_era", "drug_concept_id"), "drug_era", 300, {"drug_concept_id": 320128}, (1, 1), [300]),
    (defined("isStandardValidConcept", "condition_occurrence", "condition_concept_id"), "concept", 320128,
     {"standard_concept": None}, (3, 3), [101, 102, 103]),
    (defined("isStandardValidConcept", "condition_occurrence", "condition_concept_id"), "concept", 320128,
     {"invalid_reason": "D"}, (3, 3), [101, 102, 103]),
    (defined("standardConceptRecordCompleteness", "condition_occurrence", "condition_concept_id"), "condition_occurrence",
     102, {"condition_concept_id": 0}, (1, 3), [102]),
    (defined("standardConceptRecordCompleteness", "measurement", "unit_concept_id"), "measurement", 401,
     {"unit_concept_id": None}, (1, 3), [401]),
    (defined("standardConceptRecordCompleteness", "measurement", "unit_concept_id"), "measurement", 401,
     {"unit_concept_id": None, "unit_source_value": None}, (0, 2), []),
    (defined("sourceValueCompleteness", "condition_occurrence", "condition_source_value"), "condition_occurrence", 102,
     {"condition_concept_id": 0}, (1, 3), [102]),
    (defined("plausibleValueLow", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("1840-01-01")}, (1, 3), [401]),
    (defined("plausibleValueHigh", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("2026-03-03")}, (1, 3), [401]),
    (defined("plausibleValueHigh", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("2026-03-02")}, (0, 3), []),
    (defined("plausibleValueHigh", "person", "month_of_birth"), "person", 1, {"month_of_birth": 13}, (1, 3), [1]),
    (defined("plausibleStartBeforeEnd", "condition_occurrence", "condition_start_date"), "condition_occurrence", 103,
     {"condition_end_date": day("2015-05-01")}, (1, 3), [103]),
    (defined("plausibleAfterBirth", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("1951-06-14")}, (1, 3), [401]),
    (defined("plausibleAfterBirth", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("1951-06-15")}, (0, 3), []),
    (defined("plausibleBeforeDeath", "measurement", "measurement_date"), "measurement", 403,
     {"measurement_date": day("2019-05-01")}, (1, 1), [403]),
    (defined("plausibleBeforeDeath", "measurement", "measurement_date"), "measurement", 403,
     {"measurement_date": day("2019-04-30")}, (0, 1), []),
    (of_dqd("plausibleDuringLife", "measurement", "measurement_date"), "measurement", 403,
     {"measurement_date": day("2019-05-01")}, (1, 1), [403]),
    (of_dqd("plausibleTemporalAfter", "measurement", "measurement_date", plausibleTemporalAfterTableName="PERSON",
            plausibleTemporalAfterFieldName="BIRTH_DATETIME"), "measurement", 401,
     {"measurement_date": day("1951-05-31")}, (1, 3), [401]),
    (of_dqd("plausibleTemporalAfter", "condition_occurrence", "condition_end_date",
            plausibleTemporalAfterTableName="CONDITION_OCCURRENCE",
            plausibleTemporalAfterFieldName="CONDITION_START_DATE"), "condition_occurrence", 101,
     {"condition_end_date": day("2015-05-01")}, (1, 3), [101]),
    (defined("withinVisitDates", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("2015-05-12")}, (1, 3), [401]),
    (defined("withinVisitDates", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("2015-05-11"), "visit_occurrence_id": 11}, (0, 3), []),
    (defined("withinObservationPeriod", "measurement", "measurement_date"), "measurement", 401,
     {"measurement_date": day("2009-12-31")}, (1, 3), [401]),
    (defined("measurePersonCompleteness", "measurement"), "measurement", 402, {"person_id": 1}, (1, 3), [2]),
    (defined("measureConditionEraCompleteness", "condition_era"), "condition_era", 202, {"person_id": 1}, (1, 3), [2]),
    (defined("measureObservationPeriodOverlap", "observation_period"), "observation_period", None,
     {"observation_period_id": 9, "person_id": 2, PERIOD: day("2021-01-01"),
      "observation_period_end_date": day("2021-02-01")}, (1, 3), [2]),
    (defined("measureObservationPeriodOverlap", "observation_period"), "observation_period", None,
     {"observation_period_id": 9, "person_id": 2, PERIOD: day("2021-01-02"),
      "observation_period_end_date": day("2021-02-01")}, (0, 3), []),
    (defined("textLength", "measurement", "unit_source_value"), "measurement", 401, {"unit_source_value": "x" * 51}, (1, 3),
     [401]),
    (defined("identifierSize", "measurement", "measurement_id"), "measurement", 401, {"measurement_id": 2**53}, (1, 3),
     [2**53]),
    (of_dqd("plausibleGender", "condition_occurrence", "condition_concept_id", "200962", plausibleGender="Male"),
     "condition_occurrence", 102, {"condition_concept_id": 200962}, (1, 1), [102]),
    (of_dqd("plausibleGender", "condition_occurrence", "condition_concept_id", "200962", plausibleGender="Male"),
     "condition_occurrence", 101, {"condition_concept_id": 200962}, (0, 1), []),
    (of_dqd("plausibleGenderUseDescendants", "condition_occurrence", "condition_concept_id", "316866,200962",
            plausibleGenderUseDescendants="Female"), "person", 2, {"gender_concept_id": 8532}, (2, 3), [101, 103]),
    (of_dqd("plausibleUnitConceptIds", "measurement", "measurement_concept_id", "3004410", plausibleUnitConceptIds="8554"),
     "measurement", 402, {"unit_concept_id": 8840}, (1, 3), [402]),
    (of_dqd("plausibleUnitConceptIds", "measurement", "measurement_concept_id", "3004410", plausibleUnitConceptIds="8554"),
     "measurement", 402, {"unit_concept_id": 0}, (0, 2), []),
    (of_dqd("plausibleValueHigh", "measurement", "measurement_concept_id", "3004410", unit="8554", plausibleValueHigh="20"),
     "measurement", 402, {"value_as_number": 21.0}, (1, 3), [402]),
    (of_dqd("plausibleValueLow", "measurement", "measurement_concept_id", "3004410", unit="8554", plausibleValueLow="4"),
     "measurement", 402, {"value_as_number": 3.9}, (1, 3), [402]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("item", "table", "key", "values", "numbers", "keys"),
    CASES,
    ids=[f"{n}-{case[0].id}" for n, case in enumerate(CASES)],
)
def test_a_planted_violation_is_counted_and_its_row_named(
    engine: Engine,
    item: QualityCheck,
    table: str,
    key: int | None,
    values: dict[str, Any],
    numbers: tuple[int, int],
    keys: list[int],
) -> None:
    rows = planted(table, key, values)
    found = tables({name: rows[name] for name in reads(item) & rows.keys()}, engine)
    report = check(found, engine=engine, today=TODAY, thresholds=DqdThresholds(name="one", checks=(item,)))

    [result] = report.results
    assert (result.violated, result.denominator) == numbers
    assert failing(item, found, engine=engine, today=TODAY)[1] == keys


def test_the_sound_cdm_passes_every_check(engine: Engine) -> None:
    report = check(tables(sound(), engine, with_empty=True), engine=engine, today=TODAY)

    assert report.failed() == ()
