"""Every concept id that is built in exists, is standard, and is of the domain of the column it is for."""

import csv
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import parquet
from fairhaven.harmonise.fhir import allergies, encounters, observations, patients
from fairhaven.omop import concepts
from fairhaven.omop.snomed_identifiers import is_snomed_identifier
from fairhaven.quality.concept_checks import SEX
from tests.support.shared_data import shared

FACTS = Path(__file__).parent.parent / "data" / "concepts_built_in.csv"

BUILT_IN: Mapping[str, tuple[str, Iterable[int]]] = {
    "types": ("Type Concept", concepts.TYPE.values()),
    "types of sources": ("Type Concept", concepts.TYPE_OF_KIND.values()),
    "usual supplies": ("Type Concept", concepts.USUAL_SUPPLY),
    "visits": ("Visit", concepts.VISIT.values()),
    "sexes": ("Gender", concepts.GENDER.values()),
    "sexes that are checked": ("Gender", SEX.values()),
    "races": ("Race", [*concepts.RACE.values(), concepts.SEVERAL_RACES]),
    "what a race is an observation of": ("Observation", [concepts.RACE_OBSERVED]),
    "ethnicities": ("Ethnicity", concepts.ETHNICITY.values()),
    "operators": ("Meas Value Operator", concepts.OPERATOR.values()),
    "condition statuses": ("Condition Status", concepts.CONDITION_STATUS.values()),
    "routes": ("Route", concepts.ROUTE.values()),
    "units": ("Unit", concepts.UNIT.values()),
    "languages": ("Language", [concepts.LANGUAGE_ENGLISH]),
    "encodings and versions": ("Metadata", [concepts.NOTE_ENCODING_UTF8, concepts.CDM_VERSION_CONCEPT]),
    "FHIR: classes of encounters": ("Visit", encounters.CLASS.values()),
    "FHIR: admitted from": ("Visit", encounters.ADMITTED_FROM.values()),
    "FHIR: discharged to": ("Visit", encounters.DISCHARGED_TO.values()),
    "FHIR: races": ("Race", patients.OMB_RACE.values()),
    "FHIR: ethnicities": ("Ethnicity", patients.OMB_ETHNICITY.values()),
    # The guide gives kinds of allergy of several domains; the rows are observations whatever these are.
    "FHIR: allergies": ("", [*allergies.ALLERGY.values(), allergies.ANY_ALLERGY, *allergies.INTOLERANCE.values()]),
}
"""What is built in: where, the domain of the column, and the ids; 0 is no concept."""

_COLUMNS = {"admitted_from_concept_id": "Visit", "discharged_to_concept_id": "Visit"}
"""Columns to which a shipped mapping gives ids, and their domains."""


@dataclass(frozen=True)
class Fact:
    domain: str
    is_standard: bool
    seen_in: str


@pytest.fixture(scope="module")
def facts() -> Mapping[int, Fact]:
    with FACTS.open(encoding="utf-8") as lines:
        return {
            int(row["concept_id"]): Fact(row["domain_id"], row["standard_concept"] == "S", row["seen_in"])
            for row in csv.DictReader(lines)
        }


@pytest.mark.parametrize("where", BUILT_IN)
def test_a_built_in_concept_is_standard_and_of_the_domain_of_its_column(where: str, facts: Mapping[int, Fact]) -> None:
    domain, ids = BUILT_IN[where]
    wanted = set(ids) - {0}
    assert wanted <= facts.keys(), f"not in {FACTS.name}: {sorted(wanted - facts.keys())}"
    assert [number for number in wanted if not facts[number].is_standard] == []
    assert {facts[number].domain for number in wanted} <= ({domain} if domain else {"", "Condition", "Observation"})


def _shipped(given: object, column: str = "") -> Iterator[tuple[str, int]]:
    """Column and id of the numbers that a shipped mapping gives to columns of concepts."""
    if isinstance(given, Mapping):
        for name, value in given.items():
            yield from _shipped(value, name if str(name).endswith("_concept_id") else column)
    elif isinstance(given, list):
        for value in given:
            yield from _shipped(value, column)
    elif isinstance(given, int) and column:
        yield column, given


def test_so_is_what_a_shipped_mapping_gives(facts: Mapping[int, Fact]) -> None:
    folder = files("fairhaven").joinpath("region", "hub", "mappings")
    given = {pair for file in folder.iterdir() for pair in _shipped(tomllib.loads(file.read_text(encoding="utf-8")))}
    assert given
    wrong = [
        (column, number)
        for column, number in given
        if number and (number not in facts or facts[number].domain != _COLUMNS[column])
    ]
    assert wrong == []


def test_the_units_of_the_demonstration_are_those_of_the_code() -> None:
    with files("fairhaven").joinpath("region", "data", "measures.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if int(row["unit_concept_id"])]
    assert {row["unit"]: int(row["unit_concept_id"]) for row in rows if row["unit"] in concepts.UNIT} == {
        row["unit"]: concepts.UNIT[row["unit"]] for row in rows if row["unit"] in concepts.UNIT
    }


def test_the_facts_are_those_of_a_vocabulary(facts: Mapping[int, Fact], tmp_path: Path) -> None:
    path = shared("data/vocab_subset/concept_union.parquet")
    with open_duckdb(spill=tmp_path, reaches=[path], threads=1) as connection:
        found = connection.execute(
            "SELECT concept_id::BIGINT, any_value(domain_id), bool_or(coalesce(standard_concept = 'S', false)) "
            f"FROM {parquet(path)} WHERE concept_id IN ({', '.join(map(str, facts))}) GROUP BY 1"
        ).fetchall()
    assert len(found) > len(facts) / 2
    assert [row for row in found if (facts[row[0]].domain, facts[row[0]].is_standard) != row[1:]] == []


def test_built_in_codes_of_snomed_ct_are_identifiers() -> None:
    codes = {*concepts.RESULT_WORD.values(), *observations.INTERPRETATION.values()}
    assert [code for code in codes if not is_snomed_identifier(code)] == []
    assert not any(is_snomed_identifier(code[:-1] + str((int(code[-1]) + 1) % 10)) for code in codes)
    assert all(re.fullmatch("[0-9]+", code) for code in codes)
