"""The page on cohorts through the command: what it shows is what the figures say, on a hub and on any CDM."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Command
from tests.support.html_page import Page, check_nothing_fetched, check_screen_reader, check_style_policy


@pytest.fixture(scope="module")
def cdm(fairhaven: Command, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cdm") / "omop.duckdb"
    fairhaven("export", demo, "--format", "duckdb", "--out", out)
    return out


def test_the_page_shows_each_cohort_of_a_folder_with_the_figures_of_the_command(
    fairhaven: Command, demo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pages" / "cohorts.html"
    said = fairhaven("cohort", "report", demo, demo / "cohorts", "--out", out, "--json")
    html, found = out.read_text(encoding="utf-8"), json.loads(said.stdout)
    check_nothing_fetched(html)
    check_style_policy(html)
    check_screen_reader(html)
    text = Page(html).text
    assert len(found["cohorts"]) == len(list((demo / "cohorts").glob("*.toml")))
    for cohort in found["cohorts"]:
        assert cohort["sentence"] in text
        assert cohort["hash"] in text
        assert cohort["persons"] is None or f"{cohort['persons']:,}" in text
        assert all(step["step"] in text for step in cohort["steps"] if step["step"][0].isupper())
    assert "as of 1 November 2026" in text
    assert "Counts from 1 to 9 are not shown." in text


def test_the_page_on_a_cdm_has_its_name_its_day_and_exact_counts(
    fairhaven: Command, demo: Path, cdm: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cohort.html"
    definition = demo / "cohorts" / "first_pregnancy.toml"
    said = fairhaven("cohort", "report", "--cdm", cdm, definition, "--out", out, "--json")
    (cohort,) = json.loads(said.stdout)["cohorts"]
    text = Page(out.read_text(encoding="utf-8")).text
    assert "OMOP CDM omop.duckdb , as of 1 November 2026" in text
    assert "Counts are exact" in text
    assert f"persons {cohort['persons']:,}" in text
    assert str(cdm.parent) not in text
    assert all(step["persons"] is not None for step in cohort["steps"])


def test_a_malformed_definition_leaves_no_page_and_no_part_of_one(
    fairhaven: Command, demo: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[entry]\nevents = []\n", encoding="utf-8")
    fairhaven("cohort", "report", demo, wrong, "--out", tmp_path / "page.html", code=1)
    assert [file.name for file in tmp_path.iterdir()] == ["wrong.toml"]
