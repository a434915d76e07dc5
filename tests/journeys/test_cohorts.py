"""Cohorts through the command: on any CDM, on the demonstration hub, for a project, over the wire."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.cohorts.discover import discover
from fairhaven.kernel.progress import Silent
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.killed_hub import copied
from tests.support.killed_stages import Region
from tests.support.processes import PATIENCE
from tests.support.shared_data import shared

SORE_THROAT, BRONCHITIS, MALE, FEMALE = 28060, 260139, 8507, 8532
_COLUMNS = "cohort_definition_id::BIGINT, subject_id::BIGINT, cohort_start_date::DATE, cohort_end_date::DATE"


def rule(concept: int, *, category: str = "Condition", oper: str = "=") -> dict[str, str]:
    return {"varname": "OMOP", "varcat": category, "type": "TEXT", "oper": oper, "value": str(concept)}


def question(*rules: dict[str, str], oper: str = "AND", project: str = "asthma") -> dict[str, Any]:
    """A question of Cohort Discovery: one group of rules."""
    return {
        "task_id": "t",
        "project": project,
        "owner": "someone",
        "cohort": {"groups": [{"rules": list(rules), "rules_oper": oper}], "groups_oper": "AND"},
        "collection": "hillside",
        "protocol_version": "v2",
        "char_salt": "salt",
        "uuid": "u",
    }


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A folder of questions about the demonstration region."""
    folder = tmp_path / "questions"
    folder.mkdir()
    for name, value in {
        "1": question(rule(SORE_THROAT)),
        "2": question(rule(SORE_THROAT), rule(BRONCHITIS), oper="OR"),
        "3": question(rule(MALE, category="Person")),
        "4": question(rule(SORE_THROAT), rule(FEMALE, category="Person")),
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published phenotypes; read them, do not change them."""
    folder = tmp_path_factory.mktemp("library")
    with tarfile.open(shared("data", "cohorts", "phenotypelibrary_3.37.0_json.tar.gz")) as packed:
        packed.extractall(folder, filter="data")
    return folder / "cohorts"


def test_every_fourth_published_phenotype_gives_the_reference_rows(
    fairhaven: Command, library: Path, tmp_path: Path
) -> None:
    cdm = shared("data", "cohorts", "stress_cdm_5.4_parquet")
    fourth = [file for file in sorted(library.glob("*.json")) if int(file.stem) % 4 == 0]
    fairhaven("cohort", "generate", "--cdm", cdm, "--out", tmp_path / "rows.parquet", *fourth)
    here = f"(SELECT {_COLUMNS} FROM '{tmp_path / 'rows.parquet'}')"
    there = f"(SELECT {_COLUMNS} FROM '{shared('data', 'cohorts', 'expected_cohort_rows_stress_every_4th.parquet')}')"
    differing = f"SELECT count(*) FROM (({here} EXCEPT ALL {there}) UNION ALL ({there} EXCEPT ALL {here}))"
    assert len(fourth) > 250
    assert duckdb.sql(differing).fetchone() == (0,)


def test_rows_as_parquet_and_as_csv_are_the_same_and_have_the_tables_types(
    fairhaven: Command, library: Path, tmp_path: Path
) -> None:
    cdm = shared("data", "cohorts", "stress_cdm_5.4_parquet")
    for out in ("rows.parquet", "rows.csv"):
        fairhaven("cohort", "generate", "--cdm", cdm, "--out", tmp_path / out, library / "24.json", library / "64.json")
    described = duckdb.sql(f"DESCRIBE FROM '{tmp_path / 'rows.parquet'}'").fetchall()
    assert [row[:2] for row in described] == [
        ("cohort_definition_id", "BIGINT"),
        ("subject_id", "BIGINT"),
        ("cohort_start_date", "DATE"),
        ("cohort_end_date", "DATE"),
    ]
    rows = duckdb.sql(f"FROM '{tmp_path / 'rows.parquet'}' ORDER BY ALL").fetchall()
    assert duckdb.sql(f"FROM '{tmp_path / 'rows.csv'}' ORDER BY ALL").fetchall() == rows
    said = fairhaven("cohort", "generate", "--cdm", cdm, library / "24.json", library / "64.json").stdout
    assert said == (tmp_path / "rows.csv").read_text()


def test_a_cdm_is_counted_exactly_and_step_by_step(fairhaven: Command, library: Path, tmp_path: Path) -> None:
    cdm = shared("data", "cohorts", "stress_cdm_5.4_parquet")
    counted = json.loads(
        fairhaven("cohort", "count", "--cdm", cdm, library / "24.json", library / "4.json", "--json").stdout
    )
    assert counted["policy"] is None
    assert {(each["id"], each["persons"], each["rows"]) for each in counted["cohorts"]} == {
        (24, 2825, 12177),
        (4, 13, 13),
    }
    fairhaven("cohort", "count", "--cdm", cdm, library / "24.json", library / "4.json", "--out", tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text()) == counted
    reported = json.loads(fairhaven("cohort", "report", "--cdm", cdm, library / "826.json", "--json").stdout)
    (found,) = reported["cohorts"]
    persons = [step["persons"] for step in found["steps"]]
    assert persons == sorted(persons, reverse=True)
    assert persons[-1] == found["persons"]
    assert found["sentence"].startswith("People with a first diagnosis")


def test_a_definition_is_explained_without_any_data(fairhaven: Command, library: Path, tmp_path: Path) -> None:
    said = fairhaven("cohort", "explain", library / "826.json").stdout
    assert "365 days" in said
    assert "observation ends" in said
    fairhaven("cohort", "explain", library / "826.json", "--out", tmp_path / "words.md")
    assert "## Rules" in (tmp_path / "words.md").read_text()


def test_all_faults_of_all_files_are_told_at_once_and_nothing_is_written(fairhaven: Command, tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("{not json")
    (tmp_path / "2.json").write_text(
        '{"PrimaryCriteria": {"CriteriaList": [{"LocationRegion": {}}]}, "ConceptSets": []}'
    )
    (tmp_path / "3.toml").write_text("entry = 3\n")
    out = tmp_path / "rows.parquet"
    done = fairhaven("cohort", "generate", "--cdm", tmp_path, "--out", out, *sorted(tmp_path.glob("?.*")), code=1)
    for name in ("1.json", "2.json", "3.toml"):
        assert name in done.stderr
    assert "PrimaryCriteria.CriteriaList[0]" in done.stderr
    assert not list(tmp_path.glob("*rows*")) and not list(tmp_path.glob(".*"))


def test_paths_that_are_not_there_are_told_with_all_other_faults(fairhaven: Command, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "empty").mkdir()
    paths = [tmp_path / name for name in ("absent.json", "broken.json", "empty", "missing.toml")]
    done = fairhaven("cohort", "explain", *paths, "--json", code=1)
    faults = json.loads(done.stdout)["error"]["faults"]
    assert [fault["path"] for fault in faults] == [str(path) for path in (paths[0], paths[2], paths[3], paths[1])]


def test_a_name_does_nothing_to_the_screen(fairhaven: Command, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'name = "Asthma [bold]severe[/bold] \\u001b[31m\\u0007"\n[entry]\nevents = [{ condition_occurrence = "*" }]\n'
    )
    cdm = shared("data", "omop_gibleed_5.3")
    for done in (
        fairhaven("cohort", "count", "--cdm", cdm, tmp_path / "a.toml"),
        fairhaven("cohort", "explain", tmp_path / "a.toml"),
    ):
        assert "Asthma [bold]severe[/bold] \N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}" in done.stdout


def test_options_that_mean_nothing_where_they_stand_are_refused(fairhaven: Command, tmp_path: Path) -> None:
    words = ("--project", "p", "--cdm", tmp_path)
    assert "--project" in fairhaven("cohort", "count", tmp_path, tmp_path / "a.toml", *words, code=2).stderr


def test_a_table_that_the_cdm_does_not_have_is_named(fairhaven: Command, library: Path, tmp_path: Path) -> None:
    cdm = tmp_path / "cdm"
    cdm.mkdir()
    for file in shared("data", "cohorts", "stress_cdm_5.4_parquet").glob("*.parquet"):
        if file.stem != "visit_occurrence":
            shutil.copy(file, cdm)
    done = fairhaven("cohort", "count", "--cdm", cdm, library / "24.json", code=1)
    assert "the CDM has no table visit_occurrence" in done.stderr


def test_a_killed_generate_leaves_no_file(library: Path, tmp_path: Path) -> None:
    cdm, out = shared("data", "cohorts", "stress_cdm_5.4_parquet"), tmp_path / "out" / "rows.parquet"
    out.parent.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "fairhaven.cli", "cohort", "generate", "--cdm", cdm, "--out", out, library],
        stderr=subprocess.DEVNULL,
    )
    while not list(out.parent.iterdir()):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()


def test_a_release_is_counted_as_the_hubs_policy_says(fairhaven: Command, copy: Path, asked: Path) -> None:
    counted = json.loads(fairhaven("cohort", "count", copy, asked / "3.json", "--json").stdout)
    assert (counted["policy"], counted["project"], counted["budget"]) == ("ons", None, None)
    index = discover(open_hub(copy), None, by=ANNA, progress=Silent()).index
    persons = {each["id"]: each["persons"] for each in counted["cohorts"]}
    assert persons[3] == index.count(_definition(asked / "3.json"))
    assert all(count is None or count == 0 or count >= 10 for count in persons.values())
    assert "are not shown" in fairhaven("cohort", "count", copy, asked).stdout


def test_a_project_asks_from_a_budget_that_it_can_see(fairhaven: Command, copy: Path, asked: Path) -> None:
    for project in ("p1", "p2"):
        fairhaven("project", "open", copy, project, "--organisation", "o")
    first = json.loads(fairhaven("cohort", "count", copy, asked / "3.json", "--project", "p1", "--json").stdout)
    again = json.loads(fairhaven("cohort", "count", copy, asked / "3.json", "--project", "p1", "--json").stdout)
    assert first["cohorts"][0]["outcome"] == "answered"
    assert first["cohorts"] == again["cohorts"]
    assert again["budget"]["spent"] == 2
    assert json.loads(fairhaven("cohort", "budget", copy, "p1", "--json").stdout) == again["budget"]
    assert json.loads(fairhaven("cohort", "budget", copy, "p2", "--json").stdout)["spent"] == 0


def test_the_index_goes_with_an_erasure_and_questions_go_on(
    fairhaven: Command, region: Region, tmp_path: Path, asked: Path
) -> None:
    hub = copied(region.stage("build").hub, tmp_path / "hub")
    rooms = open_hub(hub)
    before = discover(rooms, None, by=ANNA, progress=Silent())
    person = int(before.index.person_keys(before.index.universe)[0])
    fairhaven("project", "open", hub, "p1", "--organisation", "o")
    fairhaven("cohort", "count", hub, asked / "3.json", "--project", "p1")
    assert person.to_bytes(8, "little") in (hub / "store" / "query-audit.sqlite").read_bytes()
    assert "Recorded as entry" in fairhaven("erase", hub, "--person-key", person).stdout
    after = discover(rooms, None, by=ANNA, progress=Silent())
    kept = b"".join(path.read_bytes() for path in (hub / "store").glob("query-audit.sqlite*"))
    assert person.to_bytes(8, "little") not in kept and str(person).encode() not in kept
    assert after.index.persons == before.index.persons - 1
    assert person not in after.index.person_keys(after.index.universe)
    replied = json.loads(fairhaven("cohort", "count", hub, asked / "3.json", "--project", "p1", "--json").stdout)
    assert replied["cohorts"][0]["outcome"] in ("answered", "refused")


@pytest.fixture
def network(fairhaven: Command, copy: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a network that this hub runs for itself, and the environment that a worker needs."""
    secret = json.loads(fairhaven("network", "join", copy, "hillside", "--json").stdout)
    serving = subprocess.Popen(
        [sys.executable, "-m", "fairhaven.cli", "network", "serve", copy, "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert serving.stderr is not None
    said = re.search(r"http://[\d.:]+", serving.stderr.readline())
    assert said is not None
    yield (
        f"{said[0]}/link_connector_api",
        {
            "FAIRHAVEN_TASK_API_USERNAME": secret["username"],
            "FAIRHAVEN_TASK_API_PASSWORD": secret["password"],
        },
    )
    serving.send_signal(signal.SIGINT)
    serving.communicate(timeout=PATIENCE)
    assert serving.returncode == 0


def test_a_hub_answers_questions_that_come_over_the_wire(
    fairhaven: Command,
    copy: Path,
    asked: Path,
    network: tuple[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, secrets = network
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    (asked / "distribution.json").write_text(json.dumps({"analysis": "DISTRIBUTION", "code": "GENERIC", "owner": "a"}))
    (asked / "sexes.json").write_text(json.dumps({"analysis": "DISTRIBUTION", "code": "DEMOGRAPHICS", "owner": "a"}))
    uuids = {
        file.stem: json.loads(fairhaven("network", "ask", copy, file, "--json").stdout)["uuid"]
        for file in sorted(asked.iterdir())
    }
    done = json.loads(
        fairhaven("answer", copy, "--task-api", url, "--collection", "hillside", "--once", "--json").stdout
    )
    assert (done["received"], done["answered"] + done["failed"], done["posted"]) == (6, 6, 6)
    replied = {
        name: json.loads(fairhaven("network", "results", copy, uuid, "--json").stdout)[0]
        for name, uuid in uuids.items()
    }
    index = discover(open_hub(copy), None, by=ANNA, progress=Silent()).index
    exactly = {name: index.count(_definition(asked / f"{name}.json")) for name in ("1", "2", "3", "4")}
    answered = {name for name in exactly if replied[name]["state"] == "answered"}
    assert answered
    # With so few persons the audit refuses some; it says the same of each, and what it tells is true.
    assert {replied[name]["message"] for name in set(exactly) - answered} <= {"this question is not answered"}
    assert all(replied[name]["count"] == (exactly[name] if exactly[name] >= 10 else 0) for name in answered)
    counts = [int(row["COUNT"]) for row in replied["distribution"]["files"][0]["rows"]]
    assert counts and min(counts) >= 10
    assert replied["sexes"]["files"][0]["rows"][0]["CODE"] == "SEX"
    name = min(answered)
    assert fairhaven("network", "results", copy, uuids[name]).stdout.split()[-1] == str(replied[name]["count"])


def _definition(file: Path) -> Any:
    import datetime as dt

    from fairhaven.cohort.formats.format_detection import read_definition

    return read_definition(file, today=dt.date(2026, 11, 1))


def test_concepts_that_the_vocabulary_does_not_know_are_told(fairhaven: Command, tmp_path: Path) -> None:
    (tmp_path / "7.toml").write_text(
        '[concept_sets.both]\nconcepts = ["201826", "999999999 descendants"]\n'
        '[entry]\nevents = [{ condition_occurrence = "both" }]\n'
    )
    cdm = shared("data", "cohorts", "stress_cdm_5.4_parquet")
    done = fairhaven("cohort", "count", "--cdm", cdm, tmp_path / "7.toml")
    assert "not in this vocabulary, and so bringing nothing: 999999999" in done.stderr
