"""The manual of the cohort language says what the language does: each of its examples is read, explained and run."""

import re
from pathlib import Path

import pytest

from docs.generators.cohort_examples import EXAMPLES, PEOPLE, SETS, tables
from fairhaven.cohort.domains import DOMAINS, ERA_FIELDS
from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.fairhaven import read_toml, to_toml
from fairhaven.cohort.model import CohortDefinition
from fairhaven.engine import DuckDBEngine
from tests.support.cohort_oracle import Oracle
from tests.support.cohort_results import on, stays

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "cohort-language.md"
HOW_TO = ROOT / "docs" / "how-to" / "write-a-cohort.md"
OF_THE_REGION = ROOT / "src" / "fairhaven" / "region" / "hub" / "cohorts"


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dict[int, CohortDefinition]:
    path = tmp_path_factory.mktemp("examples") / "example.toml"
    found = {}
    for number, example in enumerate(EXAMPLES, start=1):
        path.write_text(f"{example.text}\n{SETS}", encoding="utf-8")
        found[number] = read_toml(path)
    return found


def test_each_example_finds_whom_the_manual_says(definitions: dict[int, CohortDefinition]) -> None:
    rows = tables()
    engine = DuckDBEngine(threads=1)
    found = stays(engine, on(engine, rows), definitions)
    engine.close()
    told = {
        number: tuple(f"{PEOPLE[person - 1].name} {start}/{end}" for person, start, end in each)
        for number, each in found.items()
    }
    assert told == {number: example.stays for number, example in enumerate(EXAMPLES, start=1)}
    oracle = Oracle(rows)
    assert {number: oracle.stays(each) for number, each in definitions.items()} == found


def test_examples_are_written_as_the_program_would_write_them(definitions: dict[int, CohortDefinition]) -> None:
    for number, example in enumerate(EXAMPLES, start=1):
        without_sets = re.sub(r"\n*\[concept_sets\.\w+\]\n(?:\w.*\n)+", "\n", to_toml(definitions[number]))
        assert re.sub(r"\n{3,}", "\n\n", without_sets).strip() == example.text.strip(), example.title


def test_every_field_of_every_table_is_in_the_manual() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (of_every_table,) = re.findall(r"^### Every table but person.*?\n(.*?)(?=\n##)", text, re.MULTILINE | re.DOTALL)
    assert all(f"`{name}`" in of_every_table for name in ERA_FIELDS)
    for domain, facts in DOMAINS.items():
        (row,) = re.findall(rf"^### {domain}\n(.*?)(?=\n##|\Z)", text, re.MULTILINE | re.DOTALL)
        assert [name for name in facts.fields if f"`{name}`" not in row + of_every_table] == []


def test_the_definitions_of_the_region_are_right_and_written_as_the_program_writes_them() -> None:
    paths = sorted(OF_THE_REGION.glob("*.toml"))
    assert len(paths) >= 6
    for path in paths:
        comment, _, text = path.read_text(encoding="utf-8").partition("\n")
        assert comment.startswith("# ")
        assert to_toml(read_toml(path)) == text, path.name


def test_the_how_to_builds_up_a_definition_that_is_right_at_each_step(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    text = ""
    for number, block in enumerate(blocks):
        text = f"{text}\n{block}"
        path = tmp_path / f"step{number}.toml"
        path.write_text(text, encoding="utf-8")
        if number:
            read_toml(path)
    whole = read_toml(path)
    assert whole == read_toml(OF_THE_REGION / "type_2_diabetes_on_metformin.toml")


def test_circe_and_own_form_of_the_same_definition_are_equal() -> None:
    """The table of what Circe calls things is held by reading one of each."""
    circe = read_circe(
        {
            "ConceptSets": [{"id": 1, "name": "x", "expression": {"items": []}}],
            "PrimaryCriteria": {
                "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 1, "First": True}}],
                "ObservationWindow": {"PriorDays": 365, "PostDays": 0},
                "PrimaryCriteriaLimit": {"Type": "First"},
            },
            "QualifiedLimit": {"Type": "First"},
            "ExpressionLimit": {"Type": "First"},
            "InclusionRules": [],
            "CensoringCriteria": [],
            "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
            "CensorWindow": {},
        }
    )
    assert 'events = [{ condition_occurrence = "1", first = true }]' in to_toml(circe)
    assert circe.entry.prior_days == 365
