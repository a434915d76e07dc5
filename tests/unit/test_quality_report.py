"""A report says what failed, how bad that is, and what need not be scanned again."""

from typing import Any

import ibis
import ibis.expr.types as ir
import pytest

from fairhaven.engine import Engine
from fairhaven.kernel.codec import from_json, to_json
from fairhaven.quality import CheckStatus, Origin, QualityReport, Scorecard, Severity, check, scorecard
from tests.support.quality_cdm import TODAY, day, sound, tables


@pytest.fixture(scope="module")
def report(engine: Engine) -> QualityReport:
    """Of the small CDM without a fault."""
    return check(tables(sound(), engine), engine=engine, today=TODAY)


def result(report: QualityReport, name: str):  # type: ignore[no-untyped-def]
    return next(item for item in report.results if item.check.id == name)


def test_a_report_survives_json(report: QualityReport) -> None:
    assert from_json(QualityReport, to_json(report)) == report


def test_the_worst_level_decides_what_fails(report: QualityReport) -> None:
    assert report.worst is Severity.FATAL
    assert [report.fails(level) for level in ("fatal", "convention", "characterization", "never")] == [True] * 3 + [
        False
    ]

    mild = QualityReport(
        as_of=TODAY,
        checked_against="CDM 5.4",
        rows={},
        results=tuple(item for item in report.results if item.check.severity is not Severity.FATAL),
    )
    assert not mild.fails("fatal")


def test_a_missing_table_fails_once_and_the_rest_does_not_apply(engine: Engine) -> None:
    rows = sound()
    del rows["measurement"]
    report = check(tables(rows, engine), engine=engine, today=TODAY)

    assert result(report, "table_cdmtable_measurement").status is CheckStatus.FAILED
    others = {item.status for item in report.results if item.check.table == "measurement"} - {CheckStatus.FAILED}
    assert others == {CheckStatus.NOT_APPLICABLE}
    assert result(report, "field_cdmfield_measurement_person_id").reason == "Table MEASUREMENT does not exist."


def test_an_empty_field_does_not_apply_but_its_completeness_does(engine: Engine) -> None:
    report = check(tables(sound(), engine, with_empty=True), engine=engine, today=TODAY)

    assert result(report, "field_isforeignkey_measurement_provider_id").reason == (
        "Field MEASUREMENT.PROVIDER_ID is not populated."
    )
    assert result(report, "field_measurevaluecompleteness_measurement_provider_id").status is CheckStatus.PASSED


def test_pass_rates_are_by_kahns_categories(report: QualityReport) -> None:
    rates = report.pass_rates()
    assert {rate.category for rate in rates} == {"Completeness", "Conformance", "Plausibility"}
    assert all(rate.share is not None and 0 < rate.share <= 1 for rate in rates)


def test_what_did_not_change_is_not_scanned_again(engine: Engine) -> None:
    first_tables = tables(sound(), engine)
    contents = {name: f"{name} 1" for name in first_tables}
    first = check(first_tables, engine=engine, today=TODAY, contents=contents)
    assert set(first.scanned) == set(first_tables) - {"concept", "concept_ancestor"}

    again = check(first_tables, engine=engine, today=TODAY, contents=contents, known=first)
    assert again.scanned == ()
    assert again.results == first.results

    rows = sound()
    rows["measurement"][0]["measurement_date"] = day("2030-01-01")
    changed = check(
        tables(rows, engine), engine=engine, today=TODAY, contents=contents | {"measurement": "2"}, known=first
    )
    assert changed.scanned == ("measurement",)
    assert result(changed, "field_plausiblevaluehigh_measurement_measurement_date").violated == 1


def test_a_change_in_a_table_that_is_referred_to_is_seen(engine: Engine) -> None:
    contents = {name: f"{name} 1" for name in sound()}
    first = check(tables(sound(), engine), engine=engine, today=TODAY, contents=contents)
    rows = sound()
    rows["visit_occurrence"].pop()
    changed = check(
        tables(rows, engine), engine=engine, today=TODAY, contents=contents | {"visit_occurrence": "2"}, known=first
    )

    assert result(changed, "field_isforeignkey_measurement_visit_occurrence_id").violated == 1
    assert "drug_era" not in changed.scanned


def test_a_future_date_is_looked_at_again_on_a_later_day(engine: Engine) -> None:
    rows = sound()
    rows["measurement"][0]["measurement_date"] = day("2026-04-01")
    found = tables(rows, engine)
    contents = dict.fromkeys(found, "1")
    name = "field_plausiblevaluehigh_measurement_measurement_date"
    first = check(found, engine=engine, today=TODAY, contents=contents)
    later = check(found, engine=engine, today=day("2026-05-01"), contents=contents, known=first)

    assert result(first, name).violated == 1
    assert result(later, name).violated == 0
    assert later.scanned == ("measurement",)


def test_the_scorecard_says_which_kinds_of_data_each_person_has(engine: Engine) -> None:
    rows = sound()
    extracts = {"condition_occurrence": [1, 1, 2], "measurement": [2, 3, 3], "visit_occurrence": [1, 1, 1]}
    for name, numbers in extracts.items():
        for row, number in zip(rows[name], numbers, strict=True):
            row["row_extract"] = number
    found = tables(rows, engine)
    for name, numbers in extracts.items():
        lineage = engine.connection.execute("SELECT 1").fetchone()  # type: ignore[attr-defined]
        assert lineage is not None
        key = found[name].columns[0]
        cases = [(found[name][key] == row[key], number) for row, number in zip(rows[name], numbers, strict=True)]
        found[name] = found[name].mutate(row_extract=_case(cases))
    origins = {1: Origin(source="gp_a", kind="gp"), 2: Origin(source="gp_b", kind="gp"), 3: Origin(source="trust", kind="hospital")}  # fmt: skip
    card = scorecard(found, engine=engine, origins=origins, report=check(found, engine=engine, today=TODAY))

    assert card.persons == 3
    assert {linked.kinds: linked.persons for linked in card.linked} == {("gp",): 1, ("gp", "hospital"): 2}
    assert {reach.kind: (reach.persons, reach.rows) for reach in card.reach} == {"gp": (3, 7), "hospital": (2, 2)}
    filled = {(item.source, item.field): (item.rows, item.filled) for item in card.completeness if item.table == "measurement"}  # fmt: skip
    assert filled["trust", "unit_concept_id"] == (2, 2)
    assert filled["gp_b", "value_as_concept_id"] == (1, 0)
    assert {(item.source, item.rows) for item in card.records if item.table == "measurement"} == {
        ("gp_b", 1),
        ("trust", 2),
    }
    assert {item.year for item in card.records if item.table == "measurement"} == {2015}
    assert from_json(Scorecard, to_json(card)) == card


def test_a_release_with_persons_and_no_other_row_of_theirs_has_a_scorecard(engine: Engine) -> None:
    found = {"person": tables(sound(), engine)["person"]}
    empty = tables(sound(), engine)["measurement"].mutate(row_extract=ibis.literal(1, type="int32")).limit(0)
    for several in (found, found | {"measurement": empty}):
        card = scorecard(several, engine=engine, origins={1: Origin(source="gp", kind="gp")})
        assert (card.persons, card.linked, card.reach) == (3, (), ())


def _case(cases: Any) -> ir.Value:
    return ibis.cases(*cases).cast("int32")
