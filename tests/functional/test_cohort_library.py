"""The whole OHDSI Phenotype Library is read, and what it reads to can be run and written in the language's own form."""

import datetime as dt
import json
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fairhaven.cohort.definition_checks import check_definition
from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.fairhaven import read_json, to_json
from fairhaven.cohort.formats.format_detection import definition_id, read_definition
from fairhaven.cohort.model import CohortDefinition
from tests.support.shared_data import shared

PUBLISHED = 1100
ITEMS = 45_606


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    archive = shared("data", "cohorts", "phenotypelibrary_3.37.0_json.tar.gz")
    with tarfile.open(archive) as files:
        return {
            Path(file.name).name: taken.read()
            for file in files.getmembers()
            if file.name.endswith(".json") and (taken := files.extractfile(file)) is not None
        }


@pytest.fixture(scope="module")
def library(contents: dict[str, bytes]) -> dict[str, CohortDefinition]:
    return {name: read_circe(content, path=name) for name, content in contents.items()}


def test_every_definition_reads_whole(library: dict[str, CohortDefinition]) -> None:
    assert len(library) == PUBLISHED
    assert sum(len(each.items) for definition in library.values() for each in definition.concept_sets) == ITEMS
    for name, definition in library.items():
        check_definition(definition, name)


def test_every_definition_survives_its_own_form(library: dict[str, CohortDefinition]) -> None:
    for definition in list(library.values())[::10]:
        assert read_json(to_json(definition)) == definition


def test_reading_costs_a_few_times_what_parsing_the_json_does(contents: dict[str, bytes]) -> None:
    def seconds(read: Callable[[bytes], object]) -> float:
        before = time.process_time()
        for content in contents.values():
            read(content)
        return time.process_time() - before

    assert seconds(read_circe) < 15 * seconds(json.loads)  # bench/cohort_reading.py: 5


def test_a_file_of_the_library_has_its_name_for_an_id(tmp_path: Path, contents: dict[str, bytes]) -> None:
    path = tmp_path / "10.json"
    path.write_bytes(contents["10.json"])
    assert definition_id(path) == 10
    assert read_definition(path, today=dt.date(2026, 11, 22)).name == "10"
