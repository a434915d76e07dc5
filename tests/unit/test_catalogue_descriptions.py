"""A release describes itself rightly, and gives no small count away."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import ibis.expr.types as ir
import pyarrow as pa
import pytest

from fairhaven.catalogue import describe, described_sets
from fairhaven.engine import Engine
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.kernel.codec import from_json, to_json
from fairhaven.kernel.errors import Invalid
from fairhaven.omop import to_cdm
from fairhaven.pages.release import render
from fairhaven.release.description import Description, TableDescription, Variable
from fairhaven.release.row_counts import SourceRows, UnmappedRows
from tests.support.page_facts import PageFacts
from tests.support.release_counts import report
from tests.support.release_page_figures import ReleasePageFigures

ONS = policy_named("ons")


def _people(persons: int) -> pa.Table:
    return pa.table(
        {
            "person_id": list(range(persons)),
            "gender_concept_id": [8507 if n % 2 else 8532 for n in range(persons)],
            "year_of_birth": [1900 if n == 0 else 1940 + n % 60 for n in range(persons)],
            "person_source_value": [f"pseudonym-{n}" for n in range(persons)],
            "gender_source_value": ["rare" if n < 4 else "M" if n % 2 else "F" for n in range(persons)],
        }
    )


def _measurements(persons: int) -> pa.Table:
    rows = [(person, turn) for person in range(persons) for turn in range(3)]
    return pa.table(
        {
            "measurement_id": list(range(len(rows))),
            "person_id": [person for person, _ in rows],
            # Concept 9: forty rows, but all of one person.
            "measurement_concept_id": [4 if turn else 3 for _, turn in rows],
            "measurement_date": [
                dt.date(1871, 1, 1) if person == 5 and turn == 2 else dt.date(2000 + turn, 1, 1)
                for person, turn in rows
            ],
            "measurement_type_concept_id": [32817] * len(rows),
            "value_as_number": [
                None if turn == 0 else 9_999.0 if person == 7 and turn == 1 else float(person % 50)
                for person, turn in rows
            ],
            "unit_source_value": [None if person < 3 and turn == 0 else "mmol/L" for person, turn in rows],
        }
    )


def _lonely(first: int) -> pa.Table:
    return pa.table(
        {
            "condition_occurrence_id": list(range(first, first + 240)),
            "person_id": [1] * 40 + list(range(200)),
            "condition_concept_id": [9] * 40 + [3] * 150 + [4] * 50,
            "condition_start_date": [dt.date(2001, 1, 1)] * 240,
            "condition_type_concept_id": [32817] * 240,
            "condition_source_value": ["rare-disease"] * 40 + ["common"] * 150 + ["other"] * 50,
        }
    )


def _tables(engine: Engine, **given: pa.Table) -> Mapping[str, ir.Table]:
    return {name: engine.keep(to_cdm(engine.arrow(rows), name)) for name, rows in given.items()}


@pytest.fixture(scope="module")
def described(engine: Engine) -> Description:
    concept = engine.arrow(
        pa.table({"concept_id": [3, 4, 9, 8507, 8532], "concept_name": ["Glucose", "Sodium", "Rare", "MALE", "FEMALE"]})
    )
    tables = _tables(
        engine, person=_people(300), measurement=_measurements(300), condition_occurrence=_lonely(0), death=_no_deaths()
    )
    return describe(tables, engine=engine, policy=ONS, concept=concept, contents={"person": "p1"})


def _no_deaths() -> pa.Table:
    return pa.table({"person_id": pa.array([], "int64"), "death_date": pa.array([], "date32")})


def _table(description: Description, name: str) -> TableDescription:
    table = description.table(name)
    assert table is not None
    return table


def _variable(description: Description, table: str, name: str) -> Variable:
    return next(variable for variable in _table(description, table).variables if variable.name == name)


def test_it_says_how_many_persons_rows_and_years(described: Description) -> None:
    assert described.persons == 300
    measurement = _table(described, "measurement")
    assert (measurement.rows, measurement.persons) == (900, 300)
    assert (measurement.first_year, measurement.last_year) == (2000, 2002)
    assert [table.name for table in described.tables] == ["person", "condition_occurrence", "measurement", "death"]


def test_a_table_without_rows_is_said_to_be_empty(described: Description) -> None:
    death = _table(described, "death")
    assert (death.rows, death.persons, death.first_year) == (0, 0, None)
    assert all(variable.missing_share is None for variable in death.variables)


def test_concepts_have_names_rows_and_persons(described: Description) -> None:
    sex = _variable(described, "person", "gender_concept_id")
    assert [(bar.label, bar.code, bar.rows, bar.persons) for bar in sex.bars] == [
        ("MALE", "8507", 150, 150),
        ("FEMALE", "8532", 150, 150),
    ]
    assert (sex.distinct, sex.others, sex.missing) == (2, 0, 0)


def test_a_concept_of_few_persons_is_not_shown_however_many_rows_it_has(described: Description) -> None:
    condition = _variable(described, "condition_occurrence", "condition_concept_id")
    assert [bar.code for bar in condition.bars] == ["3"]
    assert condition.others == 90, "the one of few persons, and the smallest of the others with it"
    assert "Rare" not in json.dumps(to_json(described))


def test_rare_categories_are_not_shown(described: Description) -> None:
    sex = _variable(described, "person", "gender_source_value")
    assert "rare" not in {bar.code for bar in sex.bars}
    assert "rare-disease" not in json.dumps(to_json(described))


def test_a_number_has_a_range_without_the_outermost_few(described: Description) -> None:
    value = _variable(described, "measurement", "value_as_number")
    assert value.missing == 300
    assert value.missing_share == pytest.approx(1 / 3)
    assert value.lowest == 0
    assert value.highest is not None
    assert 45 <= value.highest <= 50
    assert value.middle == pytest.approx(24.5, abs=1)
    assert sum(bar.rows or 0 for bar in value.bars) + (value.others or 0) == 600


def test_years_of_few_persons_do_not_stretch_the_range(described: Description) -> None:
    date = _variable(described, "measurement", "measurement_date")
    assert (date.lowest, date.highest) == (2000, 2002)
    assert [bar.label for bar in date.bars] == ["2000", "2001", "2002"]


def test_a_small_number_of_missing_rows_is_not_told_nor_left_to_be_worked_out(described: Description) -> None:
    unit = _variable(described, "measurement", "unit_source_value")
    assert unit.missing is None
    assert unit.missing_share == 0
    assert unit.others is None
    assert not unit.bars, "the only value is the difference between the rows and the missing ones"


def test_pseudonyms_and_identifiers_are_never_listed(described: Description) -> None:
    assert "pseudonym-" not in json.dumps(to_json(described))
    for table in described.tables:
        for variable in table.variables:
            if variable.kind in ("identifier", "text"):
                assert not variable.bars
                assert variable.lowest is None


def test_no_count_from_one_to_nine_is_in_the_description(described: Description) -> None:
    for table in described.tables:
        counts = [table.rows, table.persons]
        for variable in table.variables:
            counts += [variable.missing, variable.others]
            counts += [count for bar in variable.bars for count in (bar.rows, bar.persons)]
        assert not [count for count in counts if count is not None and 0 < count < 10], table.name


def test_it_is_written_to_json_and_read_back_the_same(described: Description) -> None:
    assert from_json(Description, json.loads(json.dumps(to_json(described)))) == described


def test_another_form_of_description_is_made_anew(described: Description) -> None:
    with pytest.raises(Invalid):
        from_json(Description, to_json(described) | {"format": 0})


def test_a_table_whose_content_is_the_same_is_not_scanned_again(engine: Engine, described: Description) -> None:
    marked = replace(described, tables=tuple(replace(table, rows=77) for table in described.tables))
    tables = _tables(engine, person=_people(300), measurement=_measurements(20))
    again = describe(tables, engine=engine, policy=ONS, contents={"person": "p1", "measurement": "m2"}, previous=marked)
    assert _table(again, "person").rows == 77, "taken over"
    assert _table(again, "measurement").rows == 60, "scanned, because its content is new"


def test_another_policy_scans_everything_again(engine: Engine, described: Description) -> None:
    marked = replace(described, tables=tuple(replace(table, rows=77) for table in described.tables))
    tables = _tables(engine, person=_people(304))
    again = describe(tables, engine=engine, policy=policy_named("hes"), contents={"person": "p1"}, previous=marked)
    assert _table(again, "person").rows == 305, "rounded to the nearest 5"


def test_without_a_vocabulary_concepts_are_called_by_their_numbers(engine: Engine) -> None:
    only = describe(_tables(engine, person=_people(40)), engine=engine, policy=ONS)
    assert {bar.label for bar in _variable(only, "person", "gender_concept_id").bars} == {
        "Concept 8507",
        "Concept 8532",
    }


def test_a_hub_of_few_persons_says_nothing_of_them(engine: Engine) -> None:
    few = describe(_tables(engine, person=_people(6), measurement=_measurements(6)), engine=engine, policy=ONS)
    assert few.persons is None
    for table in few.tables:
        assert table.rows is None
        for variable in table.variables:
            assert not [bar for bar in variable.bars if bar.rows]
            assert (variable.lowest, variable.highest, variable.middle) == (None, None, None)


def test_not_a_number_and_infinity_have_no_place_in_a_range(engine: Engine) -> None:
    rows = _measurements(60).set_column(5, "value_as_number", pa.array([float("nan"), float("inf"), 5.0] * 60))
    value = _variable(
        describe(_tables(engine, measurement=rows), engine=engine, policy=ONS),
        "measurement",
        "value_as_number",
    )
    assert (value.lowest, value.highest, value.middle) == (5, 5, 5)
    assert value.others == 0


def _periods(persons: int) -> pa.Table:
    return pa.table(
        {
            "observation_period_id": list(range(persons)),
            "person_id": list(range(persons)),
            "observation_period_start_date": [dt.date(2000 + n % 3, 1, 1) for n in range(persons)],
            "observation_period_end_date": [dt.date(2020, 1, 1)] * persons,
            "period_type_concept_id": [32817] * persons,
        }
    )


@pytest.mark.parametrize("without", [1, 4, 9])
def test_nothing_of_a_table_tells_how_few_persons_are_not_in_it(engine: Engine, without: int) -> None:
    tables = _tables(
        engine,
        person=_people(150),
        observation_period=_periods(150 - without),
        measurement=_measurements(150 - without),
    )
    found = describe(tables, engine=engine, policy=ONS)
    period, measurement = _table(found, "observation_period"), _table(found, "measurement")
    assert found.persons == 150
    assert (period.rows, period.persons, measurement.persons) == (None, None, None)
    years = [bar.rows for bar in _variable(found, "observation_period", "observation_period_start_date").bars]
    assert years.count(None) == 1, "what is hidden of them is not less than the few who have none"
    assert measurement.rows == 3 * (150 - without)
    assert not PageFacts(report(described=found, years=(), kinds={})).narrowed(ONS.threshold)
    for variable in measurement.variables:
        persons = [bar.persons for bar in variable.bars if bar.persons is not None]
        assert not {150 - few for few in range(1, 10)} & {*persons, sum(persons)}, variable.name


def test_a_table_of_everybody_and_one_that_many_are_not_in_are_shown(engine: Engine) -> None:
    tables = _tables(engine, person=_people(150), observation_period=_periods(150), measurement=_measurements(140))
    found = describe(tables, engine=engine, policy=ONS)
    assert [table.persons for table in found.tables] == [150, 150, 140]
    assert all(table.is_whole for table in found.tables)


@pytest.mark.parametrize(("policy", "persons", "without"), [("hdr-uk", 30, 8), ("hdr-uk", 33, 8), ("hes", 150, 4)])
def test_rounding_does_not_blur_how_few_persons_have_no_row_in_a_table(
    engine: Engine, policy: str, persons: int, without: int
) -> None:
    """Each number stands there several times, by itself and as values of each variable, and together these say more than one."""
    rule = policy_named(policy)
    tables = _tables(engine, person=_people(persons), observation_period=_periods(persons - without))
    found = describe(tables, engine=engine, policy=rule)
    assert [table.persons for table in found.tables] == [rule.rounded(persons), None]
    shown = report(policy, described=found, years=(), links=(), unmapped=(), quarantine=(), kinds={}, persons=persons)
    narrowed = ReleasePageFigures(render(shown), rule).narrowed()
    assert not {name: bounds for name, bounds in narrowed.items() if "observation_period" in str(name)}


def test_a_table_withheld_is_shown_again_when_nobody_is_left_out(engine: Engine) -> None:
    def of(persons: int, previous: Description | None) -> Description:
        tables = _tables(engine, person=_people(persons), observation_period=_periods(146))
        contents = {"person": str(persons), "observation_period": "same"}
        return describe(tables, engine=engine, policy=ONS, contents=contents, previous=previous)

    close = of(150, None)
    assert _table(close, "observation_period").rows is None
    assert of(146, close) == of(146, None)
    assert of(150, of(146, None)) == close


def _conditions(engine: Engine, codes: Sequence[tuple[int, str | None]]) -> Description:
    """Of 150 persons, the conditions of these: (person, code) for each row."""
    rows = pa.table(
        {
            "condition_occurrence_id": list(range(len(codes))),
            "person_id": [person for person, _ in codes],
            "condition_concept_id": [3] * len(codes),
            "condition_start_date": [dt.date(2020, 1, 1)] * len(codes),
            "condition_type_concept_id": [32817] * len(codes),
            "condition_source_value": [code for _, code in codes],
        }
    )
    return describe(_tables(engine, person=_people(150), condition_occurrence=rows), engine=engine, policy=ONS)


def _codes_shown(found: Description) -> list[tuple[str, int | None, int | None]]:
    """The codes of the conditions, with rows and persons, once nothing narrows what is hidden of them."""
    assert not PageFacts(report(described=found, years=(), kinds={})).narrowed(ONS.threshold)
    return [(bar.code, bar.rows, bar.persons) for bar in _variable(found, *_CODES).bars]


_CODES = ("condition_occurrence", "condition_source_value")


@pytest.mark.parametrize("few", [1, 4, 9])
def test_rows_without_a_value_do_not_give_away_a_value_of_few(engine: Engine, few: int) -> None:
    common = [(person, "common") for person in range(100)] * 2
    found = _conditions(engine, [*common, *((person, "rare") for person in range(few)), *((9, None),) * 12])
    assert _variable(found, *_CODES).missing == 12
    assert _codes_shown(found) == []


@pytest.mark.parametrize("few", [1, 4, 9])
def test_of_a_value_that_nearly_all_persons_of_a_table_have_the_rows_alone_are_shown(engine: Engine, few: int) -> None:
    other = [(person, "other") for person in range(120)]
    found = _conditions(engine, [*other, *((person, "common") for person in range(few, 120)), *((50, "common"),) * 40])
    assert _codes_shown(found) == [("common", 160 - few, None), ("other", 120, 120)]


@pytest.mark.parametrize("few", [1, 4, 9])
def test_values_that_share_out_nearly_all_persons_of_a_table_do_not_tell_how_few_have_none(
    engine: Engine, few: int
) -> None:
    repeated = [(person, None) for person in range(120)] + [(5, "first")] * 30 + [(100, "second")] * 20
    each = [(person, "first" if person < 70 else "second") for person in range(120 - few)]
    shown = _codes_shown(_conditions(engine, [*repeated, *each]))
    assert shown == [("first", 100, None), ("second", 70 - few, 50 - few)]


@pytest.mark.parametrize("few", [1, 4, 9])
def test_filled_rows_do_not_tell_of_how_few_persons_there_are_none(engine: Engine, few: int) -> None:
    each = [(person, "first" if person < 70 else "second" if person < 105 else "third") for person in range(120 - few)]
    found = _conditions(engine, [*((person, None) for person in range(120)), *each])
    code = _variable(found, *_CODES)
    assert (code.missing, code.missing_share, code.others) == (None, None, None)
    assert [shown[0] for shown in _codes_shown(found)] in (["first", "second"], ["first"])


def test_rows_that_are_as_many_as_nearly_all_persons_by_chance_are_shown(engine: Engine) -> None:
    found = _conditions(engine, [(person, code) for person in range(73) for code in ("first", "second")])
    assert found.tables[-1].rows == 146
    assert _codes_shown(found) == [("first", 73, 73), ("second", 73, 73)]


def test_rows_of_few_persons_are_not_shown_as_rows_without_a_value(engine: Engine) -> None:
    found = _conditions(engine, [(person, code) for person in range(2) for code in (None, "first")] * 12)
    assert (found.tables[-1].rows, _variable(found, *_CODES).missing) == (None, None)


def test_the_persons_behind_each_count_of_a_description_are_as_many_as_it_shows(engine: Engine) -> None:
    tables = _tables(engine, person=_people(300), measurement=_measurements(300), condition_occurrence=_lonely(0))
    described = describe(tables, engine=engine, policy=ONS)
    shown = [table.persons for table in described.tables if table.persons is not None]
    shown += [
        bar.persons
        for table in described.tables
        for variable in table.variables
        for bar in variable.bars
        if bar.persons is not None
    ]
    sets = list(described_sets(described, tables, engine))
    assert sorted(count for count, _ in sets) == sorted(shown)
    assert [len(set(persons.tolist())) for _, persons in sets] == [count for count, _ in sets]
    assert all(len(persons) == len(set(persons.tolist())) for _, persons in sets)


def test_the_persons_behind_a_code_are_told_whatever_characters_it_has(engine: Engine) -> None:
    odd = "'F\0x\\"
    people = _people(40).set_column(4, "gender_source_value", pa.array([odd] * 20 + ["M"] * 20))
    tables = _tables(engine, person=people)
    shown = describe(tables, engine=engine, policy=ONS)
    assert odd in {bar.code for table in shown.tables for variable in table.variables for bar in variable.bars}
    sets = [persons.tolist() for _, persons in described_sets(shown, tables, engine)]
    assert list(range(20)) in [sorted(persons) for persons in sets]


@pytest.mark.parametrize("policy", ["ons", "hdr-uk", "hes"])
@pytest.mark.parametrize("without", [1, 6])
def test_a_page_does_not_narrow_what_the_description_on_it_hides(engine: Engine, policy: str, without: int) -> None:
    rule = policy_named(policy)
    tables = _tables(
        engine, person=_people(300), observation_period=_periods(300 - without), condition_occurrence=_lonely(0)
    )
    found = describe(tables, engine=engine, policy=rule)
    made = report(policy, described=found, years=(), links=(), unmapped=(), quarantine=())
    figures = ReleasePageFigures(render(made), rule)
    assert figures.hidden
    assert not figures.narrowed()


def test_no_hidden_count_of_a_description_is_what_is_left_of_others(described: Description) -> None:
    facts = PageFacts(report(described=described, years=(), kinds={}))
    assert any("measurement" in name for name in facts.hidden if isinstance(name, tuple))
    assert not facts.narrowed(ONS.threshold)


def test_codes_do_not_tell_the_unmapped_rows_of_their_source_where_these_are_hidden_for_the_few_of_another() -> None:
    links = tuple(
        SourceRows(source=source, cdm_table="observation", rows=900, unmapped=unmapped)
        for source, unmapped in (("gp_riverside", 3), ("gp_hillcrest", 80))
    )
    code = UnmappedRows(source="gp_hillcrest", cdm_table="observation", code="9Nu5.", rows=79, persons=40)
    facts = PageFacts(report(links=links, unmapped=(code,), years=(), kinds={}))
    assert ("observation", "gp_hillcrest", "unmapped") in facts.hidden
    assert not facts.narrowed(ONS.threshold)
