"""What `check` finds by trying each rule on a made-up row: what would end a build."""

from pathlib import Path

import pytest

from fairhaven.harmonise import read_mapping
from fairhaven.intake import read_source
from fairhaven.journeys.releases.rule_checks import rule_faults
from fairhaven.kernel.toml import Document

SOURCE = """
title = "t"
controller = "c"
kind = "hospital"
format = "delimited"
mapping = ["m.toml"]
[tables.e]
patient = "p"
[tables.e.columns]
p = "text"
text = "text"
number = "number"
whole = "whole"
day = "date"
moment = "datetime"
clock = "time"
flag = "yes-no"
"""
GOOD = [
    *(
        'day = { at_least = "2020-01-01" }',
        "day = 2020-01-01",
        "text = { at_least = 5 }",
        "flag = true",
        'number = ["1", "2"]',
        'text = { matches = "^[A-Z]" }',
    ),
    *(
        'end_date = { column = "day", add_days = "whole" }',
        'end_date = { column = "text", add_days = 1 }',
        'end_datetime = { date = "moment", time = "clock" }',
    ),
    *(
        'value_text = { first = ["text", "number", "day"] }',
        'value_number = { column = "text", unit = "text", scales = { kg = 2 } }',
    ),
    *(
        'value_text = { column = "text", map = { a = 1 }, default = { keep = true } }',
        'value_text = { column = "text", map = { a = 1, b = "x" }, default = 2.5 }',
    ),
]
BAD = [
    ('day = { at_least = "soon" }', "not comparable"),
    ('number = { at_least = "5" }', "not comparable"),
    ("text = { at_least = 2020-01-01 }", "not comparable"),
    ("text = [[1]]", "the engine does not take it"),
    ('end_date = { column = "number", add_days = 1 }', "DOUBLE -> DATE"),
    ('end_date = { column = "day", add_days = 9223372036854775807 }', "out of range"),
    ('value_number = "day"', "DATE -> DOUBLE"),
    ('value_number = { first = ["number", "flag"] }', "Cannot compute precedence"),
    ('value_text = { column = "text", cut = -1 }', "must be a non-negative value"),
    ('value_number = { column = "flag", part = "year" }', "BOOLEAN -> DATE"),
]


def mapping(lines: list[str]) -> str:
    """A rule for each line: a condition, or what is set."""
    made = []
    for number, line in enumerate(lines):
        is_set = line.startswith(("end_", "value_"))
        made.append(
            f'[[map]]\nname = "r{number}"\nfrom = "e"\nto = "event"\nwhen = {{ {"" if is_set else line} }}\n'
            f'[map.code]\ncolumn = "text"\nvocabulary = "SNOMED"\n[map.set]\nstart_date = "day"\n{line if is_set else ""}\n'
        )
    return "".join(made)


def faults(folder: Path, lines: list[str]) -> list[str]:
    (folder / "s.toml").write_text(SOURCE)
    (folder / "m.toml").write_text(mapping(lines))
    source, document = read_source(Document(folder / "s.toml")), Document(folder / "m.toml", "mappings/m.toml")
    rules = read_mapping(document)
    assert source is not None and rules is not None and not document.faults, document.faults
    return [str(fault) for fault in rule_faults({"s": source}, {"m.toml": rules})]


def test_each_rule_that_would_end_a_build_is_told_with_its_line_and_no_other(tmp_path: Path) -> None:
    assert faults(tmp_path, GOOD) == []
    found = faults(tmp_path, [*GOOD, *(line for line, _ in BAD)])
    assert len(found) == len(BAD)
    for number, ((_, said), fault) in enumerate(zip(BAD, found, strict=True), start=len(GOOD)):
        assert fault.startswith("mappings/m.toml:") and f"rule r{number}: " in fault and said in fault


@pytest.mark.parametrize("kind", ["fhir", "omop"])
def test_rules_of_sources_whose_tables_are_not_declared_are_left_to_the_build(tmp_path: Path, kind: str) -> None:
    (tmp_path / "s.toml").write_text(
        f'title = "t"\ncontroller = "c"\nkind = "gp"\nformat = "{kind}"\nmapping = ["m.toml"]\n'
    )
    (tmp_path / "m.toml").write_text(mapping([BAD[0][0]]))
    source, rules = read_source(Document(tmp_path / "s.toml")), read_mapping(Document(tmp_path / "m.toml"))
    assert source is not None and rules is not None
    assert rule_faults({"s": source}, {"m.toml": rules}) == []
