"""Definitions written by hand, counted by the command on Eunomia's GiBleed CDM, as plain SQL counts them."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.support.shared_data import shared

_IN_PERIOD = """
  FROM {table} e JOIN '{cdm}/observation_period.parquet' o USING (person_id)
  WHERE e.{concept} IN (SELECT descendant_concept_id FROM '{cdm}/concept_ancestor.parquet' WHERE ancestor_concept_id = {of})
    AND e.{date} BETWEEN o.observation_period_start_date AND o.observation_period_end_date"""
_BLEED = {
    "table": "'{cdm}/condition_occurrence.parquet'",
    "concept": "condition_concept_id",
    "date": "condition_start_date",
}
_COURSE = {"table": "'{cdm}/drug_era.parquet'", "concept": "drug_concept_id", "date": "drug_era_start_date"}

CELECOXIB = """name = "Celecoxib"

[concept_sets.celecoxib]
concepts = ["1118084 descendants | celecoxib"]

[entry]
limit = "first"
events = [{ drug_era = "celecoxib" }]
"""
BLEED = """name = "GI bleed"

[concept_sets.gi_bleed]
concepts = ["192671 descendants | Gastrointestinal hemorrhage"]

[entry]
limit = "first"
events = [{ condition_occurrence = "gi_bleed" }]
"""
BLEED_AFTER_CELECOXIB = """name = "GI bleed after celecoxib"

[concept_sets.celecoxib]
concepts = ["1118084 descendants | celecoxib"]

[concept_sets.gi_bleed]
concepts = ["192671 descendants | Gastrointestinal hemorrhage"]

[entry]
limit = "first"
events = [{ drug_era = "celecoxib" }]

[[rules]]
name = "No bleed before"
members = [{ times = "exactly 0", condition_occurrence = "gi_bleed", when = "any time to 0 days" }]

[[rules]]
name = "A bleed within a year"
members = [{ condition_occurrence = "gi_bleed", when = "1 day to 365 days" }]
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    folder = tmp_path_factory.mktemp("cohorts")
    for name, text in (
        ("celecoxib", CELECOXIB),
        ("gi_bleed", BLEED),
        ("gi_bleed_after_celecoxib", BLEED_AFTER_CELECOXIB),
    ):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    command = ["-m", "fairhaven.cli", "cohort", "count", "--cdm", str(_cdm()), str(folder), "--json"]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {Path(each["file"]).stem: each["persons"] for each in json.loads(done.stdout)["cohorts"]}


def _cdm() -> Path:
    return shared("data", "omop_gibleed_5.3")


def _by_sql(query: str) -> int:
    parts = {
        name: _IN_PERIOD.format(**kind, of=of, cdm="{cdm}").format(cdm=_cdm())
        for name, kind, of in (("bleeds", _BLEED, 192671), ("courses", _COURSE, 1118084))
    }
    with duckdb.connect() as connection:
        found = connection.execute(query.format(**parts)).fetchone()
    assert found is not None
    return int(found[0])


def test_persons_with_a_course_or_a_bleed_are_those_of_plain_sql(counted: dict[str, int]) -> None:
    assert counted["celecoxib"] == _by_sql("SELECT count(DISTINCT person_id) {courses}") > 1000
    assert counted["gi_bleed"] == _by_sql("SELECT count(DISTINCT person_id) {bleeds}") == 479, "as Eunomia publishes it"


def test_a_bleed_after_a_first_course_is_found_as_plain_sql_finds_it(counted: dict[str, int]) -> None:
    by_sql = _by_sql(
        """
        WITH course AS (
          SELECT person_id, min(drug_era_start_date) AS day, min(o.observation_period_start_date) AS since,
            min(o.observation_period_end_date) AS until {courses} GROUP BY person_id),
        bleed AS (SELECT person_id, condition_start_date AS day {bleeds})
        SELECT count(*) FROM course c
        WHERE NOT EXISTS (FROM bleed b WHERE b.person_id = c.person_id AND b.day BETWEEN c.since AND c.day)
          AND EXISTS (FROM bleed b WHERE b.person_id = c.person_id AND b.day BETWEEN c.day + 1 AND least(c.day + 365, c.until))
        """
    )
    assert counted["gi_bleed_after_celecoxib"] == by_sql > 100
