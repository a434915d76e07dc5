"""The mapping language by example: a table of rows, a rule, and what the CDM holds afterwards."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fairhaven.engine import Engine
from fairhaven.harmonise import CodeMap, Harmonised, contradictions, local_maps, read_mapping
from fairhaven.harmonise.local_maps import MapPart
from fairhaven.harmonise.mapping_rows import mapped_rows
from fairhaven.kernel.toml import Document
from tests.support.harmonise_cases import AS_OF, PEOPLE, TWO_PEOPLE, landed, made, mapping, rows_of, vocabulary_tables

DAY = dt.date(2020, 3, 1)
CODED = """
[map.code]
column = "code"
vocabulary = "SNOMED"
"""


class Made:
    """Rows of a table `events` through one rule."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder

    def of(self, rule: str, rows: Sequence[Any], schema: Any = None, **more: Any) -> Harmonised:
        rules = mapping(self.folder, PEOPLE + rule)
        given = [{"patient_ref": "p1", "day": DAY, **row} for row in rows]
        tables = {"people": landed("people", TWO_PEOPLE), "events": landed("events", given, schema=schema)}
        return made(self.engine, rules, tables, **more)

    def generic(self, rule: str, rows: list[dict[str, Any]], column: str, schema: Any = None) -> list[Any]:
        """One column of the generic rows that the rule yields, before assembly."""
        given = [{"patient_ref": "p1", "day": DAY, **row} for row in rows]
        table = self.engine.arrow(landed("events", given, schema=schema))
        (found,) = mapped_rows([mapping(self.folder, rule)], {"events": table})
        return sorted(self.engine.fetch(found.rows.select(column))[column].to_pylist(), key=repr)

    def rows(self, found: Harmonised, table: str, *columns: str) -> list[tuple[Any, ...]]:
        return rows_of(self.engine, found, table, *columns)


@pytest.fixture
def events(engine: Engine, tmp_path: Path) -> Made:
    return Made(engine, tmp_path)


def rule(set_: str = "", *, to: str = "event", before: str = "", code: str = CODED) -> str:
    return f"""
[[map]]
name = "events"
from = "events"
to = "{to}"
{before}
{code}
[map.set]
start_date = "day"
{set_}
"""


def test_the_domain_of_the_concept_decides_the_table(events: Made) -> None:
    found = events.of(
        rule(),
        [
            {"code": "195967001"},
            {"code": "76009000"},
            {"code": "229819007"},
            {"code": "119297000"},
            {"code": "69805005"},
        ],
    )
    assert events.rows(found, "condition_occurrence", "person_id", "condition_concept_id") == [(11, 317009)]
    assert events.rows(found, "procedure_occurrence", "procedure_concept_id") == [(4181583,)]
    assert events.rows(found, "observation", "observation_concept_id") == [(4275495,)]
    assert events.rows(found, "specimen", "specimen_concept_id") == [(4171373,)]
    assert events.rows(found, "device_exposure", "device_concept_id") == [(4217646,)]


def test_an_unmapped_code_keeps_concept_0_and_its_source_value(events: Made) -> None:
    found = events.of(rule(), [{"code": "nonsense"}])
    assert events.rows(found, "observation", "observation_concept_id", "observation_source_value") == [(0, "nonsense")]
    assert found.unmapped is not None
    ranked = events.engine.fetch(found.unmapped).to_pylist()
    assert [(row["vocabulary_id"], row["code"], row["rows"]) for row in ranked] == [("SNOMED", "nonsense", 1)]


def test_an_unmapped_code_goes_where_the_rule_says(events: Made) -> None:
    found = events.of(rule(before='unmapped_to = "condition_occurrence"'), [{"code": "nonsense"}])
    assert events.rows(found, "condition_occurrence", "condition_concept_id") == [(0,)]


def test_a_rule_may_fix_the_table(events: Made) -> None:
    found = events.of(rule(to="observation"), [{"code": "195967001"}])
    assert events.rows(found, "observation", "observation_concept_id") == [(317009,)]
    assert "condition_occurrence" not in found.tables


def test_a_source_concept_leads_to_its_standard_ones(events: Made) -> None:
    code = '[map.code]\ncolumn = "code"\nvocabulary = "ICD10"'
    found = events.of(rule(code=code), [{"code": "J45.9"}, {"code": "E149"}, {"code": "R69"}])
    columns = ("condition_concept_id", "condition_source_concept_id", "condition_source_value")
    assert events.rows(found, "condition_occurrence", *columns) == [
        (201826, 45600000, "E149"),
        (317009, 45548118, "J45.9"),
        (317009, 45600000, "E149"),
    ]
    unmapped = ("observation_concept_id", "observation_source_concept_id")
    assert events.rows(found, "observation", *unmapped) == [(0, 45600002)]


def test_maps_to_value_becomes_the_value(events: Made) -> None:
    code = '[map.code]\ncolumn = "code"\nvocabulary = "ICD10"'
    found = events.of(rule(code=code), [{"code": "Z83.3"}])
    assert events.rows(found, "observation", "observation_concept_id", "value_as_concept_id") == [(4167217, 201826)]


def test_icd10_is_cleaned_and_falls_back_to_its_category(events: Made) -> None:
    code = '[map.code]\ncolumn = "code"\nvocabulary = "ICD10"\nclean = "icd10"'
    delivered = {"J459": 317009, "j45.9": 317009, "J459D": 317009, "E11X": 201826, "E119": 201826, "E11.-": 201826}
    found = events.of(rule(code=code), [{"code": code} for code in delivered])
    rows = events.rows(found, "condition_occurrence", "condition_source_value", "condition_concept_id")
    assert dict(rows) == delivered


def test_a_local_map_wins_over_the_vocabulary_and_may_name_several_concepts(events: Made) -> None:
    local = [
        CodeMap(vocabulary="snomed", code="195967001", text="", target_concept_id=201826),
        CodeMap(vocabulary="SNOMED", code="195967001", text="", target_concept_id=4193704),
    ]
    found = events.of(rule(), [{"code": "195967001"}], local=local)
    assert events.rows(found, "condition_occurrence", "condition_concept_id") == [(201826,), (4193704,)]


def test_one_code_with_two_meanings_is_told_apart_by_its_text(events: Made) -> None:
    code = '[map.code]\ncolumn = "code"\nvocabulary = "local"\ntext = "words"'
    local = [
        CodeMap(vocabulary="local", code="A1", text="Asthma", target_concept_id=317009),
        CodeMap(vocabulary="local", code="A1", text="Diabetes", target_concept_id=201826),
        CodeMap(vocabulary="local", code="", text="Sugar", target_concept_id=4193704),
    ]
    rows = [{"code": "A1", "words": "asthma "}, {"code": "A1", "words": "DIABETES"}, {"code": None, "words": "sugar"}]
    found = events.of(rule(code=code), rows, local=local)
    columns = ("condition_concept_id", "condition_source_value")
    assert events.rows(found, "condition_occurrence", *columns) == [(201826, "A1"), (317009, "A1"), (4193704, "sugar")]


LOCAL = '[map.code]\ncolumn = "code"\nvocabulary = "lab"'


def entry(code: str, target: int, **more: Any) -> CodeMap:
    return CodeMap(vocabulary="lab", code=code, text="", target_concept_id=target, **more)


def test_a_local_code_with_a_decimal_place_is_the_one_without_where_no_map_has_it(events: Made) -> None:
    local = [entry("1.0", 317009), entry("1", 201826), entry("2", 317009)]
    found = events.of(
        rule(before='unmapped_to = "condition_occurrence"', code=CODED.replace("SNOMED", "lab")),
        [{"code": "1.0"}, {"code": "2.0"}, {"code": "3.0"}],
        local=local,
    )
    assert dict(events.rows(found, "condition_occurrence", "condition_source_value", "condition_concept_id")) == {
        "1.0": 317009,
        "2.0": 317009,
        "3.0": 0,
    }


def test_dots_and_blanks_tell_local_codes_apart(events: Made) -> None:
    local = [entry("1.1", 317009), entry("11", 201826)]
    found = events.of(rule(code=LOCAL), [{"code": "1.1"}, {"code": "11"}, {"code": "1 1"}], local=local)
    columns = ("condition_source_value", "condition_concept_id")
    assert events.rows(found, "condition_occurrence", *columns) == [("1.1", 317009), ("11", 201826)]
    assert events.rows(found, "observation", "observation_source_value", "observation_concept_id") == [("1 1", 0)]


def test_a_map_that_was_approved_without_a_concept_keeps_the_vocabulary_out(events: Made) -> None:
    local = [CodeMap(vocabulary="SNOMED", code="195967001", text="", target_concept_id=0)]
    found = events.of(rule(), [{"code": "195967001"}, {"code": "44054006"}], local=local)
    assert events.rows(found, "condition_occurrence", "condition_concept_id") == [(201826,)]
    columns = ("observation_concept_id", "observation_source_concept_id")
    assert events.rows(found, "observation", *columns) == [(0, 317009)]


def test_targets_of_maps_are_standard_or_the_hubs_own(events: Made) -> None:
    vocabulary = vocabulary_tables(events.engine)
    concept = events.engine.fetch(vocabulary.concept.filter(vocabulary.concept["concept_code"] == "J45.9"))
    local = [
        entry("not standard", concept["concept_id"][0].as_py()),
        entry("unknown", 999_999_999),
        entry("own", 2_000_000_001),
    ]
    rows = [{"code": each.code} for each in local]
    found = events.of(rule(code=LOCAL, before='unmapped_to = "condition_occurrence"'), rows, local=local)
    columns = ("condition_source_value", "condition_concept_id")
    assert events.rows(found, "condition_occurrence", *columns) == [
        ("not standard", 317009),
        ("own", 2_000_000_001),
        ("unknown", 0),
    ]


def test_a_map_gives_the_value_and_the_unit_that_belong_to_a_code(events: Made) -> None:
    local = [entry("A", 3004249), entry("A", 4184633, part=MapPart.VALUE), entry("A", 8876, part=MapPart.UNIT)]
    rows = [{"code": "A", "unit": None}, {"code": "A", "unit": "mmol/mol"}]
    found = events.of(rule('unit = "unit"', code=LOCAL, to="measurement"), rows, local=local)
    columns = ("measurement_concept_id", "value_as_concept_id", "unit_concept_id")
    assert events.rows(found, "measurement", *columns) == [(3004249, 4184633, 8876), (3004249, 4184633, 9579)]


def test_an_entry_without_words_is_for_words_that_no_other_entry_asks_for(events: Made) -> None:
    local = [
        CodeMap(vocabulary="SNOMED-CT", code="1", text="Asthma", target_concept_id=317009),
        CodeMap(vocabulary="SNOMED-CT", code="1", text="", target_concept_id=201826),
        CodeMap(vocabulary="SNOMED-CT", code="", text="Wheeze", target_concept_id=4193704),
    ]
    code = '[map.code]\ncolumn = "code"\nvocabulary = "SNOMED-CT"\ntext = "words"'
    rows = [{"code": "1", "words": "asthma"}, {"code": "1", "words": "other"}, {"code": None, "words": "wheeze"}]
    found = events.of(rule(code=code), rows, local=local)
    assert events.rows(found, "condition_occurrence", "condition_concept_id") == [(201826,), (317009,), (4193704,)]


READ = CODED.replace("SNOMED", "Read")


def test_dots_within_a_read_code_tell_it_apart_and_those_that_fill_it_up_do_not(events: Made) -> None:
    maps = [
        CodeMap(vocabulary="Read", code=code, text="", target_concept_id=target)
        for code, target in (("H33..", 317009), ("H33..11", 201826), ("H3311", 4193704))
    ]
    given = ("H33", "H33..", "H33..00", "H33..11", "H3311", "H331.")
    found = events.of(
        rule(before='unmapped_to = "condition_occurrence"', code=READ), [{"code": code} for code in given], local=maps
    )
    assert dict(events.rows(found, "condition_occurrence", "condition_source_value", "condition_concept_id")) == {
        **dict.fromkeys(given[:3], 317009),
        "H33..11": 201826,
        "H3311": 4193704,
        "H331.": 0,
    }


def test_of_two_maps_that_disagree_the_first_by_name_counts_and_check_names_the_codes() -> None:
    later = {"valid_from": dt.date(2030, 1, 1)}
    files = {
        "b.csv": [
            entry("SAME", 1),
            entry("OTHER", 2),
            entry("MORE", 3),
            entry("MORE", 4),
            entry("ZERO", 5),
            entry("THEN", 6, valid_to=dt.date(2029, 12, 31)),
        ],
        "a.csv": [entry("SAME", 1), entry("OTHER", 9), entry("MORE", 3), entry("ZERO", 0), entry("THEN", 7, **later)],
    }
    made_of = local_maps(files, on=DAY).to_pylist()
    assert sorted((row["code"], row["target_concept_id"]) for row in made_of) == [
        *(("MORE", 3), ("OTHER", 9), ("SAME", 1), ("THEN", 6), ("ZERO", 0)),
    ]
    [fault] = contradictions(files)
    assert fault.path == "vocabulary/b.csv"
    assert fault.message.startswith("maps 3 codes otherwise than vocabulary/a.csv")
    assert fault.message.endswith("OTHER, MORE, ZERO")


def test_codes_that_a_spreadsheet_changed_are_mended_where_that_is_certain_and_counted(events: Made) -> None:
    given = (
        "44054006",
        "44054006\u00a0",
        '="44054006"',
        "44054006.0",
        "4.4054006E+07",
        "1.23E+17",
        "'999000021000000109",
        "J45.9",
    )
    found = events.of(
        rule(before='unmapped_to = "condition_occurrence"', code=CODED + 'text = "term"'),
        [{"code": code, "term": None} for code in given],
        schema=pa.schema(
            [("patient_ref", pa.string()), ("day", pa.date32()), ("code", pa.string()), ("term", pa.string())]
        ),
        local=[CodeMap(vocabulary="SNOMED", code="999000021000000109", text="", target_concept_id=317009)],
    )
    columns = ("condition_source_value", "condition_concept_id")
    assert dict(events.rows(found, "condition_occurrence", *columns)) == {
        **dict.fromkeys(given[:5], 201826),
        "1.23E+17": 0,
        "'999000021000000109": 317009,
        "J45.9": 0,
    }
    said = {count.outcome: count.rows for count in found.counts if count.outcome.startswith("code ")}
    assert said == {
        "code that a spreadsheet changed, mended": 5,
        "code that a spreadsheet seems to have changed, unmapped": 1,
    }


def test_a_code_of_icd_9_that_lost_its_nought_is_no_other_code(events: Made) -> None:
    local = [
        CodeMap(vocabulary="ICD9CM", code=code, text="", target_concept_id=target)
        for code, target in (("038.9", 317009), ("389", 201826))
    ]
    coded = CODED.replace("SNOMED", "ICD9CM")
    found = events.of(rule(code=coded), [{"code": code} for code in ("38.9", "038.9", "389")], local=local)
    columns = ("condition_source_value", "condition_concept_id")
    assert set(events.rows(found, "condition_occurrence", *columns)) == {
        ("38.9", 317009),
        ("038.9", 317009),
        ("389", 201826),
    }


def test_the_vocabulary_may_come_from_a_column_through_a_map(events: Made) -> None:
    code = """
[map.code]
column = "code"
vocabulary = { column = "system", map = { I = "ICD10" }, default = "SNOMED" }
"""
    found = events.of(rule(code=code), [{"code": "J45.9", "system": "I"}, {"code": "44054006", "system": "x"}])
    assert events.rows(found, "condition_occurrence", "condition_concept_id") == [(201826,), (317009,)]


def test_further_codes_are_tried_where_the_first_has_no_standard_concept(events: Made) -> None:
    code = CODED + '[map.code_2]\ncolumn = "other"\nvocabulary = "ICD10"\n'
    found = events.of(rule(code=code), [{"code": "nonsense", "other": "J45.9"}])
    columns = ("condition_concept_id", "condition_source_value")
    assert events.rows(found, "condition_occurrence", *columns) == [(317009, "nonsense")]


def test_a_concept_may_be_fixed(events: Made) -> None:
    code = "[map.code]\nconcept_id = 3004249"
    found = events.of(rule('value_number = "v"', code=code), [{"v": 120.0}])
    assert events.rows(found, "measurement", "measurement_concept_id", "value_as_number") == [(3004249, 120.0)]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ('x = "a"', ["a"]),
        ('x = ["a", "b"]', ["a", "b"]),
        ('x = { not = "a" }', ["", "b", "b2", None]),
        ("x = { present = true }", ["a", "b", "b2"]),
        ("x = { present = false }", ["", None]),
        ('x = { starts_with = "b" }', ["b", "b2"]),
        ('x = { matches = "^[a-z]$" }', ["a", "b"]),
        ('x = { present = true, not = ["a", "b2"] }', ["b"]),
        ("n = 3", ["b"]),
        ("n = { at_least = 2, at_most = 3 }", ["b", "b2"]),
        ("day = { at_least = 2020-03-01 }", ["", "a", "b", "b2", None]),
    ],
)
def test_conditions_say_which_rows_a_rule_takes(events: Made, condition: str, kept: list[str | None]) -> None:
    rows: list[dict[str, Any]] = [{"x": "a", "n": 1}, {"x": "b", "n": 3}, {"x": "b2", "n": 2}, {"x": None}, {"x": ""}]
    rows = [{"code": "229819007"} | row for row in rows]
    text = rule('value_text = "x"', before=f"when = {{ {condition} }}")
    assert events.generic(text, rows, "value_text") == sorted(kept, key=repr)


@pytest.mark.parametrize("condition", ['x = { not = "Refuted" }', 'x = { matches = "^[^R]" }'])
def test_what_was_withheld_may_be_what_is_refused(events: Made, condition: str) -> None:
    rows = [{"code": "229819007", "x": x} for x in ("Confirmed", "[withheld 9294851c624578e1]")]
    text = rule('value_text = "x"', before=f"when = {{ {condition} }}")
    assert events.generic(text, rows, "value_text") == ["Confirmed"]


def test_rows_that_no_rule_takes_are_counted(events: Made) -> None:
    found = events.of(
        rule(before='when = { code = "195967001" }'), [{"code": "195967001"}, {"code": "x"}, {"code": None}]
    )
    assert [(count.source, count.table, count.rows) for count in found.counts if count.outcome == "not taken"] == [
        ("gp", "events", 2)
    ]


@pytest.mark.parametrize(
    ("value", "row", "expected"),
    [
        ('"x"', {"x": "a"}, "a"),
        ('{ value = "kg" }', {}, "kg"),
        ('{ column = "x", map = { 1 = "M", 2 = "F" } }', {"x": "2"}, "F"),
        ('{ column = "x", map = { 1 = "M" } }', {"x": "9"}, None),
        ('{ column = "x", map = { 1 = "M" }, default = "U" }', {"x": "9"}, "U"),
        ('{ column = "x", map = { 1 = "M" }, default = { keep = true } }', {"x": "9"}, "9"),
        ('{ first = ["x", "y"] }', {"x": None, "y": "b"}, "b"),
        ('{ join = ["x", "y"], with = "|" }', {"x": "a", "y": "b"}, "a|b"),
        ('{ join = ["x", "y"], with = "|" }', {"x": None, "y": "b"}, None),
        ('{ column = "x", upper = true, strip = ".-", cut = 3 }', {"x": " a.b-cd"}, "ABC"),
        ('{ column = "x", from_character = 2, cut = 2 }', {"x": "abcd"}, "bc"),
        ('{ column = "x", pattern = "([0-9]+) mg" }', {"x": "take 20 mg daily"}, "20"),
        ('{ column = "x", pattern = "([0-9]+) mg" }', {"x": "as needed"}, None),
    ],
)
def test_values_as_text(events: Made, value: str, row: dict[str, Any], expected: str | None) -> None:
    given = {"code": "229819007", "x": None, "y": None} | row
    schema = pa.schema(
        [("patient_ref", "string"), ("day", "date32"), ("code", "string"), ("x", "string"), ("y", "string")]
    )
    assert events.generic(rule(f"value_text = {value}"), [given], "value_text", schema) == [expected]


@pytest.mark.parametrize(
    ("value", "row", "expected"),
    [
        ('"n"', {"n": 1.5}, 1.5),
        ("2.5", {}, 2.5),
        ('"x"', {"x": " 7.5 "}, 7.5),
        ('"x"', {"x": "much"}, None),
        ('{ column = "n", scale = 100 }', {"n": 1.7}, 170.0),
        ('{ column = "n", scale = 0.5, offset = 1 }', {"n": 4.0}, 3.0),
        ('{ column = "n", unit = "x", scales = { lb = 0.5 } }', {"n": 10.0, "x": "lb"}, 5.0),
        ('{ column = "n", unit = "x", scales = { lb = 0.5 } }', {"n": 10.0, "x": "kg"}, 10.0),
    ],
)
def test_values_as_numbers(events: Made, value: str, row: dict[str, Any], expected: float | None) -> None:
    given = {"code": "8480-6", "n": None, "x": None} | row
    schema = pa.schema(
        [("patient_ref", "string"), ("day", "date32"), ("code", "string"), ("n", "float64"), ("x", "string")]
    )
    (result,) = events.generic(rule(f"value_number = {value}"), [given], "value_number", schema)
    assert result == (pytest.approx(expected) if expected is not None else None)


def test_dates_with_times_and_days_added(events: Made) -> None:
    given = {"code": "195967001", "clock": "14:30:00", "stay": 3}
    found = events.of(
        rule(
            'start_datetime = { date = "day", time = "clock" }\nend_date = { column = "day", add_days = "stay" }\n'
            'end_datetime = { date = { column = "day", add_days = "stay" }, time = "clock" }'
        ),
        [given],
    )
    columns = ("start_datetime", "start_date", "end_date", "end_datetime")
    assert events.rows(found, "condition_occurrence", *(f"condition_{column}" for column in columns)) == [
        (dt.datetime(2020, 3, 1, 14, 30), DAY, dt.date(2020, 3, 4), dt.datetime(2020, 3, 4, 14, 30))  # noqa: DTZ001
    ]


@pytest.mark.parametrize(("days", "expected"), [(36_525, dt.date(2120, 3, 2)), (36_526, DAY), (99_999_999_999, DAY)])
def test_days_beyond_a_century_are_none_and_end_no_build(events: Made, days: int, expected: dt.date) -> None:
    mapping = rule('end_date = { column = "day", add_days = "stay" }')
    assert events.generic(mapping, [{"code": "195967001", "stay": days}], "end_date") == [expected]


def test_an_end_before_its_start_is_dropped_and_counted(events: Made) -> None:
    found = events.of(rule('end_date = { column = "day", minus_days = 1 }'), [{"code": "195967001"}])
    assert events.rows(found, "condition_occurrence", "condition_end_date") == [(None,)]
    [emptied] = found.emptied
    assert (emptied.table, emptied.column, emptied.reason) == ("events", "condition_end_date", "is before the start")
    assert (emptied.rows, emptied.given) == (1, 1)


def test_a_prescription_without_supply_lasts_thirty_days_and_what_is_given_ends_as_it_starts(events: Made) -> None:
    kinds = 'type_concept_id = { column = "kind", map = { written = 32838, posted = 32857, given = 32818, listed = 32830 } }'
    dates = 'end_date = "ends"\ndays_supply = "days"\nstart_datetime = { date = "day", time = "clock" }'
    last, early = dt.date(2020, 3, 9), dt.date(2020, 2, 28)
    rows = [
        {"kind": kind, "days": days, "ends": ends, "code": "861007", "clock": "09:30:00"}
        for kind, days, ends in (
            ("written", None, None),
            ("written", 5, None),
            ("written", 0, None),
            ("written", 5, last),
            ("written", None, early),
            ("posted", None, None),
            ("given", None, None),
            ("listed", None, None),
        )
    ]
    found = events.of(
        rule(f"{kinds}\n{dates}", code=CODED.replace("SNOMED", "RxNorm")),
        rows,
        schema=pa.schema(
            [
                ("patient_ref", pa.string()),
                ("day", pa.date32()),
                ("kind", pa.string()),
                ("days", pa.int32()),
                ("ends", pa.date32()),
                ("code", pa.string()),
                ("clock", pa.string()),
            ]
        ),
    )
    columns = ("drug_type_concept_id", "days_supply", "drug_exposure_end_date", "verbatim_end_date")
    assert events.rows(found, "drug_exposure", *columns) == sorted(
        [
            (32838, None, dt.date(2020, 3, 30), None),
            (32838, 5, dt.date(2020, 3, 5), None),
            (32838, 0, DAY, None),
            (32838, 5, last, last),
            # An end before the start is not one, but stands as the source has it.
            (32838, None, dt.date(2020, 3, 30), early),
            (32857, None, dt.date(2020, 5, 29), None),
            (32818, None, DAY, None),
            (32830, None, DAY, None),
        ],
        key=repr,
    )
    ends = dict(events.rows(found, "drug_exposure", "drug_type_concept_id", "drug_exposure_end_datetime"))
    assert ends[32818] == dt.datetime(2020, 3, 1, 9, 30)  # noqa: DTZ001
    assert ends[32830] is None


def test_units_operators_ranges_and_coded_values(events: Made) -> None:
    code = """
[map.code]
column = "code"
vocabulary = "LOINC"
[map.value]
column = "result"
vocabulary = "SNOMED"
"""
    found = events.of(
        rule('value_number = "n"\nunit = "u"\noperator = { value = "<" }\nrange_high = 140', code=code),
        [
            {"code": "8480-6", "n": 120.0, "u": "mmHg", "result": "10828004"},
            {"code": "8480-6", "n": 80.0, "u": "MM HG"},
            {"code": "8480-6", "n": 60.0, "u": "mmHg", "result": "a code without a standard concept"},
        ],
    )
    columns = ("value_as_number", "unit_concept_id", "unit_source_value", "operator_concept_id", "value_as_concept_id")
    assert events.rows(found, "measurement", *columns) == [
        (120.0, 8876, "mmHg", 4171756, 4184633),
        (60.0, 8876, "mmHg", 4171756, 0),
        (80.0, 8876, "MM HG", 4171756, None),
    ]


def test_columns_side_by_side_become_rows(events: Made) -> None:
    text = """
[[map]]
name = "diagnoses"
from = "events"
to = "event"
when = { diagnosis = { not = "-" } }
[map.unpivot]
diagnosis = "DIAG_{01..03}"
[map.code]
column = "diagnosis"
vocabulary = "ICD10"
clean = "icd10"
[map.set]
start_date = "day"
status = { column = "position", map = { 1 = "primary" }, default = "secondary" }
"""
    rows = [{"DIAG_01": "J459", "DIAG_02": None, "DIAG_03": "E11X"}, {"DIAG_01": "-", "DIAG_02": "", "DIAG_03": None}]
    found = events.of(text, rows)
    columns = ("condition_source_value", "condition_status_source_value", "condition_status_concept_id")
    assert events.rows(found, "condition_occurrence", *columns) == [
        ("E11X", "secondary", 32908),
        ("J459", "primary", 32902),
    ]


def test_groups_of_columns_are_unpivoted_together_and_missing_ones_are_null(events: Made) -> None:
    text = """
[[map]]
name = "operations"
from = "events"
to = "procedure_occurrence"
[map.unpivot]
operation = "OP_{1..3}"
done = ["ON_1", "ON_2", "ON_3"]
[map.code]
column = "operation"
vocabulary = "SNOMED"
[map.set]
start_date = { first = ["done", "day"] }
"""
    row = {"OP_1": "76009000", "OP_2": "76009000", "ON_1": dt.date(2020, 3, 5)}
    found = events.of(text, [row])
    assert events.rows(found, "procedure_occurrence", "procedure_date") == [(DAY,), (dt.date(2020, 3, 5),)]


def test_episodes_name_their_spell_and_become_one_visit_with_details(events: Made) -> None:
    text = """
[[map]]
name = "spells"
from = "events"
to = "visit_occurrence"
[map.set]
visit_ref = "spell"
start_date = "day"
end_date = "until"
concept_id = { value = "inpatient" }
care_site_ref = "site"

[[map]]
name = "episodes"
from = "events"
to = "visit_detail"
[map.set]
visit_ref = "spell"
visit_detail_ref = "episode"
start_date = "day"
end_date = "until"
concept_id = { value = "inpatient" }

[[map]]
name = "sites"
from = "events"
to = "care_site"
[map.set]
care_site_ref = "site"

[[map]]
name = "diagnoses"
from = "events"
to = "event"
[map.code]
column = "code"
vocabulary = "SNOMED"
[map.set]
start_date = "day"
visit_ref = "spell"
visit_detail_ref = "episode"
"""
    rows = [
        {"spell": "s1", "episode": "e1", "until": dt.date(2020, 3, 4), "site": "RGT01", "code": "195967001"},
        {
            "spell": "s1",
            "episode": "e2",
            "day": dt.date(2020, 3, 4),
            "until": dt.date(2020, 3, 9),
            "site": "RGT01",
            "code": "44054006",
        },
        {"spell": "s2", "episode": "e3", "day": dt.date(2021, 1, 1), "until": None, "site": "RGT02", "code": None},
    ]
    found = events.of(text, rows)
    visits = events.rows(
        found, "visit_occurrence", "visit_start_date", "visit_end_date", "visit_concept_id", "visit_occurrence_id"
    )
    assert [visit[:3] for visit in visits] == [
        (DAY, dt.date(2020, 3, 9), 9201),
        (dt.date(2021, 1, 1), dt.date(2021, 1, 1), 9201),
    ]
    details = events.rows(found, "visit_detail", "visit_detail_start_date", "visit_occurrence_id", "visit_detail_id")
    assert [detail[1] for detail in details] == [visits[0][3], visits[0][3], visits[1][3]]
    conditions = events.rows(
        found, "condition_occurrence", "condition_start_date", "visit_occurrence_id", "visit_detail_id"
    )
    assert conditions == [(start, visit, detail) for start, visit, detail in details[:2]]
    assert len(events.rows(found, "care_site", "care_site_id", "care_site_source_value")) == 2


def test_registrations_become_observation_periods_that_do_not_overlap(events: Made) -> None:
    text = """
[[map]]
name = "registrations"
from = "events"
to = "observation_period"
[map.set]
start_date = "day"
end_date = "until"
"""
    rows = [
        {"until": dt.date(2020, 6, 1)},
        {"day": dt.date(2020, 5, 1), "until": dt.date(2020, 7, 1)},
        {"day": dt.date(2022, 5, 1), "until": None},
    ]
    found = events.of(text, rows)
    columns = ("person_id", "observation_period_start_date", "observation_period_end_date")
    assert events.rows(found, "observation_period", *columns) == [
        (11, DAY, dt.date(2020, 7, 1)),
        (11, dt.date(2022, 5, 1), dt.date(2026, 11, 21)),
    ]


def test_without_registrations_observation_is_from_first_to_last_record(events: Made) -> None:
    found = events.of(rule(), [{"code": "195967001"}, {"code": "44054006", "day": dt.date(2022, 2, 2)}])
    columns = ("observation_period_start_date", "observation_period_end_date")
    assert events.rows(found, "observation_period", *columns) == [(DAY, dt.date(2022, 2, 2))]


def test_an_end_that_is_not_in_the_release_makes_observation_no_longer(events: Made) -> None:
    # Z83.3 is a condition to its source and an observation in OMOP, where it has no end.
    rows = [
        {"code": "416471007", "until": dt.date(2021, 1, 1)},
        {"code": "195967001", "until": dt.date(2020, 9, 1)},
    ]
    found = events.of(rule('end_date = "until"'), rows)
    assert len(events.rows(found, "observation", "observation_date")) == 1
    assert events.rows(found, "observation_period", "observation_period_end_date") == [(dt.date(2020, 9, 1),)]


def test_of_a_death_of_a_month_or_a_year_the_last_day_counts_and_no_day_after_the_release(events: Made) -> None:
    written = [
        "2020-02",
        "2020",
        "2019-00-00",
        "2020-02-03",
        "2026-11",
        "2026",
        "2026-12",
        "1959-12",
        "1960-04-30",
        "1960",
    ]
    text = """
[[map]]
name = "deaths"
from = "events"
to = "death"
[map.set]
date = "dod"
"""
    rows: list[dict[str, Any]] = [
        {"patient_ref": f"d{number}", "dod": dod, "day": None, "day_last_day": None}
        for number, dod in enumerate(written)
    ]
    rows += [{"patient_ref": "lands", "dod": None, "day": dt.date(2026, 11, 1), "day_last_day": dt.date(2026, 11, 30)}]
    persons = [{**TWO_PEOPLE[0], "patient_ref": row["patient_ref"]} for row in rows]
    landed_ = {"people": landed("people", persons), "events": landed("events", rows)}
    index = {("gp", str(row["patient_ref"])): number for number, row in enumerate(rows)}
    rules = mapping(events.folder, PEOPLE + text + text.replace("dod", "day").replace('"deaths"', '"landed"'))
    found = made(events.engine, rules, landed_, people=index, birth_date="day")
    days = dict(events.rows(found, "death", "person_id", "death_date"))
    assert {number: str(day) for number, day in days.items()} == {
        0: "2020-02-29",
        1: "2020-12-31",
        2: "2019-12-31",
        3: "2020-02-03",
        **dict.fromkeys((4, 5, 10), str(AS_OF)),  # of what is not over the day of the release
        9: "1960-12-31",
    }
    outcomes = {(count.rule, count.outcome): count.rows for count in found.counts if count.outcome != "person"}
    # The day of its birth is known, so a death may not be on the day before.
    assert outcomes[2, "after the release"] == 1 and outcomes[2, "before birth"] == 2
    assert outcomes[2, "death"] == 7 and outcomes[3, "death"] == 1


def test_what_ended_in_a_month_that_is_not_over_ended_by_the_day_of_the_release(events: Made) -> None:
    visits = """
[[map]]
name = "visits"
from = "events"
to = "visit_occurrence"
[map.set]
start_date = "day"
end_date = "last"
end_from = "day"
concept_id = { value = 9201 }
"""
    text = visits + rule('end_date = "last"\nend_from = "day"', to="condition_occurrence")
    spans = [(dt.date(2026, 11, 1), dt.date(2026, 11, 30)), (dt.date(2026, 1, 1), dt.date(2026, 12, 31))]
    spans.append((dt.date(2026, 10, 1), dt.date(2026, 10, 31)))
    found = events.of(text, [{"code": "195967001", "day": first, "last": last} for first, last in spans])
    ends = sorted([AS_OF, AS_OF, dt.date(2026, 10, 31)])
    assert sorted(end for (end,) in events.rows(found, "visit_occurrence", "visit_end_date")) == ends
    assert sorted(end for (end,) in events.rows(found, "condition_occurrence", "condition_end_date")) == ends


def test_a_person_has_words_for_sex_and_ethnicity_and_a_postcode_district(events: Made) -> None:
    found = events.of(rule(), [{"code": "195967001"}])
    columns = ("person_id", "gender_concept_id", "race_concept_id", "year_of_birth", "month_of_birth", "day_of_birth")
    assert events.rows(found, "person", *columns) == [(11, 8532, 8527, 1960, 5, None), (12, 8507, 0, 1985, 1, None)]
    assert events.rows(found, "location", "zip") == [("CB1",), ("CB2",)]


def test_death_ends_observation_sixty_days_later(events: Made) -> None:
    text = """
[[map]]
name = "deaths"
from = "events"
to = "death"
[map.code]
column = "code"
vocabulary = "ICD10"
clean = "icd10"
[map.set]
date = "day"

[[map]]
name = "registrations"
from = "events"
to = "observation_period"
[map.set]
start_date = { column = "day", minus_days = 100 }
"""
    found = events.of(text, [{"code": "J459"}, {"code": "J459", "day": dt.date(2020, 3, 2)}])
    columns = ("person_id", "cause_concept_id", "cause_source_concept_id", "cause_source_value")
    assert events.rows(found, "death", *columns) == [(11, 317009, 45548118, "J459")]
    (ended,) = {end for (end,) in events.rows(found, "observation_period", "observation_period_end_date")}
    assert ended in (dt.date(2020, 4, 30), dt.date(2020, 5, 1))


WITHHELD = "[withheld 9294851c624578e1]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{ column = "x", map = { Refuted = "no" }, default = "yes" }', None),
        ('{ column = "x", map = { Refuted = 1 }, default = 2 }', None),
        ('{ column = "x", map = { Refuted = "no" }, default = { keep = true } }', WITHHELD),
        ('{ column = "x", pattern = "([a-z]+)" }', WITHHELD),
        ('{ column = "x", upper = true, cut = 4 }', WITHHELD),
        ('{ join = ["code", "x"], with = "-" }', f"[withheld 229819007-{WITHHELD}"),
    ],
)
def test_what_is_made_of_a_value_that_was_withheld_is_withheld_or_not_known(
    events: Made, value: str, expected: str | None
) -> None:
    found = events.generic(rule(f"qualifier = {value}"), [{"code": "229819007", "x": WITHHELD}], "qualifier")
    assert found == [expected]


def test_a_number_whose_unit_was_withheld_is_not_known(events: Made) -> None:
    scaled = rule('value_number = { column = "n", unit = "x", scales = { g = 1000 } }')
    rows = [{"code": "229819007", "n": 2.0, "x": x} for x in ("g", "mg", WITHHELD)]
    assert events.generic(scaled, rows, "value_number") == [2.0, 2000.0, None]


def test_a_code_that_was_withheld_is_counted_by_name(events: Made) -> None:
    rows = [{"code": code} for code in (WITHHELD, "[withheld until de-identified]", "195967001", "nothing known")]
    said = {each.outcome: each.rows for each in events.of(rule(), rows).counts if "withheld" in each.outcome}
    assert said == {"code that was withheld because it tells who somebody is, unmapped": 1}


def test_to_python_a_value_that_was_withheld_is_none_that_it_may_take_and_a_key_still_joins(events: Made) -> None:
    (events.folder / "states.py").write_text(
        "def results(tables):\n"
        "    rows, names = tables['events'], tables['people'].select(visit='visit_id', other_key='row_key')\n"
        "    rows = rows.filter(rows.state != 'refuted')\n"
        "    rows = rows.inner_join(names, rows.visit_id == names.visit)\n"
        "    return rows.select('row_key', 'row_extract', 'row_line', 'patient_ref', start_date=rows.day, code=rows.code)\n"
    )
    states = [
        (WITHHELD, "a"),
        ("confirmed", WITHHELD),
        ("refuted", "a"),
        (None, "a"),
        ("[withheld until de-identified]", "a"),
    ]
    given = [
        {"patient_ref": "p1", "day": DAY, "code": state or "", "state": state, "visit_id": visit}
        for state, visit in states
    ]
    tables = {
        "events": events.engine.arrow(landed("events", given)),
        "people": events.engine.arrow(
            landed("people", [{"patient_ref": "p1", "visit_id": WITHHELD}, {"patient_ref": "p1", "visit_id": "a"}])
        ),
    }
    text = '[[map]]\nname = "states"\nfrom = ["events", "people"]\nto = "event"\npython = "states:results"\n'
    (found,) = mapped_rows([mapping(events.folder, text)], tables)
    taken = events.engine.fetch(found.rows.select("code"))["code"].to_pylist()
    assert sorted(taken) == ["[withheld until de-identified]", "confirmed"]


def test_python_may_make_the_rows(events: Made) -> None:
    (events.folder / "smears.py").write_text(
        "import ibis\ndef results(tables):\n"
        "    t = tables['events']\n"
        "    return t.select('row_key', 'row_extract', 'row_line', 'patient_ref', code=t.code,\n"
        "                    vocabulary_id=ibis.literal('SNOMED'), start_date=t.day)\n",
        encoding="utf-8",
    )
    text = '[[map]]\nname = "smears"\nfrom = ["events", "people"]\nto = "event"\npython = "smears:results"\n'
    found = events.of(text.replace("python", "python"), [{"code": "195967001"}])
    assert events.rows(found, "condition_occurrence", "condition_concept_id") == [(317009,)]


def test_every_row_names_its_extract_line_and_rule(events: Made) -> None:
    found = events.of(rule(), [{"code": "76009000"}, {"code": "195967001"}])
    ((extract, line, number),) = events.rows(found, "condition_occurrence", "row_extract", "row_line", "row_rule")
    assert (extract, line) == (1, 3)
    (named,) = [found_rule for found_rule in found.rules if found_rule.number == number]
    assert (named.name, named.source, named.table) == ("events", "gp", "events")
    assert named.file == "mappings/test.toml:12"


def test_what_cannot_be_in_the_cdm_is_counted_with_its_reason(events: Made) -> None:
    rows: list[dict[str, Any]] = [
        {"patient_ref": "p9"},
        {"patient_ref": "p3"},
        {"day": None},
        {"day": dt.date(2030, 1, 1)},
        {"day": dt.date(1950, 1, 1)},
        {"visit": "v1"},
    ]
    text = rule() + rule(to="visit_occurrence", code="").replace('"events"\nfrom', '"visits"\nfrom', 1)
    text += rule('visit_ref = "visit"', to="visit_detail", code="").replace('"events"\nfrom', '"details"\nfrom', 1)
    people = {("gp", "p1"): 11, ("gp", "p2"): 12, ("gp", "p3"): 13}
    found = events.of(text, [{"code": "195967001", "visit": None, **row} for row in rows], people=people)
    names = {found_rule.number: found_rule.name for found_rule in found.rules}
    reasons = {"no person", "no birth year", "no date", "after the release", "before birth"}
    for name, last in (
        ("events", {"condition_occurrence"}),
        ("visits", {"visit_occurrence"}),
        ("details", {"no visit"}),
    ):
        outcomes = {count.outcome: count.rows for count in found.counts if names.get(count.rule) == name}
        assert outcomes == dict.fromkeys(reasons | last, 1), name


RESULTS = [
    # the text, operator, number, unit, SNOMED code of the value; nothing throughout: it is kept as text
    ("5.2", None, 5.2, None, None),
    ("<5", "<", 5.0, None, None),
    ("≤5", "<=", 5.0, None, None),
    (">= 10", ">=", 10.0, None, None),
    ("=>10", ">=", 10.0, None, None),
    (" 1,234.5 ", None, 1234.5, None, None),
    ("1,234,567", None, 1234567.0, None, None),
    (">.5", ">", 0.5, None, None),
    ("-3", None, -3.0, None, None),
    ("1e3", None, 1000.0, None, None),
    ("5 mmol/L", None, 5.0, "mmol/L", None),
    ("<5.0mmol/l", "<", 5.0, "mmol/l", None),
    ("98%", None, 98.0, "%", None),
    ("4.5 x10^9/L", None, 4.5, "x10^9/L", None),
    ("72 per minute", None, 72.0, "per minute", None),
    ("POS", None, None, None, "10828004"),
    ("Negative", None, None, None, "260385009"),
    ("not detected", None, None, None, "260415000"),
    *(
        (text, None, None, None, None)
        for text in (
            "1,23",
            "1,2345",
            "0,125",
            "<0,005",
            "12 L",
            "5-10",
            "120/80",
            "1:40",
            "3+",
            "5 seen by Dr Smith",
            "12 Jan 2020",
            "haemolysed",
        )
    ),
    *((text, None, None, None, None) for text in ("~5", "<", "5 5", "1 234", "five", "<<5", "NaN", "1_000", "0x1F")),
]


def test_results_as_text_become_operator_number_unit_and_value(events: Made) -> None:
    given = rule(before='coded = ["result"]') + '\n[map.result]\ncolumn = "result"\n'
    rows = [{"code": "8480-6", "result": text, "spare": "kg"} for text, *_ in RESULTS]
    table = events.engine.arrow(landed("events", [{"patient_ref": "p1", "day": DAY, **row} for row in rows]))
    (found,) = mapped_rows([mapping(events.folder, given)], {"events": table})
    names = ["operator", "value_number", "unit", "value_code", "value_text", "value_source_value"]
    made_of = {
        row["value_source_value"] or row["value_text"]: tuple(row[name] for name in names[:4])
        for row in events.engine.fetch(found.rows.select(*names)).to_pylist()
    }
    assert made_of == {text.strip(): tuple(expected) for text, *expected in RESULTS}
    assert {"value_text", "value_source_value"} <= found.coded


def test_a_result_that_is_not_understood_may_be_free_text_and_a_unit_of_its_own_column_serves_where_the_text_has_none(
    events: Made,
) -> None:
    loinc = CODED.replace("SNOMED", "LOINC")
    given = rule('unit = "spare"', code=loinc) + '\n[map.result]\ncolumn = "result"\ndecimal = ","\n'
    rows = [
        {"code": "8480-6", "result": text, "spare": "mmHg"}
        for text in ("1.234,5", "7 mm[Hg]", "seen by Dr Smith", "<5,0")
    ]
    found = events.of(given, rows)
    columns = ("value_as_number", "unit_source_value", "operator_concept_id", "value_source_value")
    assert set(events.rows(found, "measurement", *columns)) == {
        (5.0, "mmHg", 4171756, "<5,0"),
        (7.0, "mm[Hg]", None, "7 mm[Hg]"),
        (1234.5, "mmHg", None, "1.234,5"),
        (None, "mmHg", None, "[withheld until de-identified]"),
    }


def test_the_year_of_birth_comes_from_the_age_at_an_event(events: Made) -> None:
    years = 'minus_years = { column = "age", map = { 7001 = 0, 7003 = 0 }, default = { keep = true } }'
    person = f'\n[[map]]\nname = "p"\nfrom = "events"\nto = "person"\n[map.set]\nbirth_year = {{ date = "day", part = "year", {years} }}\n'
    rows = [{"age": age} for age in ("60", "7003", "7099", "", "-1", "0.5", "x", "130")]
    assert events.generic(person, rows, "birth_year") == [*[1890, 1960], 2020, 2020, *[None] * 4]
    plain = person.replace(years, "minus_years = 2").replace('date = "day"', 'column = "day"')
    assert events.generic(plain, [{"age": "1"}], "birth_year") == [2018]
    month = '\n[[map]]\nname = "p"\nfrom = "events"\nto = "person"\n[map.set]\nbirth_year = { column = "day", part = "year" }\nbirth_month = { column = "day", part = "month" }\n'
    assert events.generic(month, [{"age": "1"}], "birth_month") == [3]


def test_a_date_that_is_worked_out_of_a_text_that_is_none_is_nothing(events: Made) -> None:
    written = [{"text": text} for text in ("2020-02-28", "unknown", "2020-02-30")]
    days = events.generic(
        rule('end_date = { column = "text", add_days = 2 }'), [{"code": "x", **row} for row in written], "end_date"
    )
    assert days == [None, None, dt.date(2020, 3, 1)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('end_date = { column = "day", minus_years = 1 }', "part: is missing"),
        ('end_date = { column = "day", part = "month", minus_years = 1 }', "gives a year"),
        ('end_date = { column = "day", part = "week" }', "is not one of year, month, day"),
        ('value_number = "x"\n[map.result]\ncolumn = "y"', "does not go with [map.result]"),
        ('unit = "x"\n[map.result]\ncolumn = "y"\ndecimal = ";"', "is not one of ., ,"),
        (
            'unit = "x"\n[map.result]\ncolumn = "y"\n[map.value]\ncolumn = "z"\nvocabulary = "SNOMED"',
            "value: does not go with [map.result]",
        ),
    ],
)
def test_what_a_value_cannot_be_is_a_fault(tmp_path: Path, given: str, said: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(rule(given))
    document = Document(path)
    assert read_mapping(document) is None or document.faults
    assert any(said in str(fault) for fault in document.faults), document.faults
