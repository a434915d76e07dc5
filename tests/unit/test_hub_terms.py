"""What a hub's folder says of terms beside its sources: told by `check` with the other faults, and by nothing else."""

import csv
import datetime as dt
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from fairhaven.access.terms.data_use import DuoModifier, DuoPermission
from fairhaven.access.terms.terms_files import read_proposed_terms, shipped_tiers
from fairhaven.hub.hub_files import read_text
from fairhaven.hub.hub_terms import terms_faults, terms_warnings
from fairhaven.hub.new_hub import make_hub
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.shared_data import shared

_DAY = dt.date(2026, 12, 1)


@pytest.fixture
def region_hub(tmp_path: Path) -> Path:
    """The text of the demonstration's hub."""
    with as_file(files("fairhaven.region").joinpath("hub")) as folder:
        return Path(shutil.copytree(folder, tmp_path / "hub"))


def test_the_controllers_of_the_demonstration_have_terms_for_all_their_sources(region_hub: Path) -> None:
    text, proposed = read_text(region_hub), read_proposed_terms(region_hub)
    assert not terms_faults(proposed, text)
    assert not terms_warnings(proposed, text, today=_DAY)
    for dataset, source in text.sources.items():
        controller = proposed.controllers[source.controller]
        assert controller.terms_for(dataset) is not None
        assert shipped_tiers().needed([controller.sensitivity[dataset]], []).name == "guarded"


def test_a_new_hub_begins_with_terms_that_have_no_fault(tmp_path: Path) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    proposed = read_proposed_terms(tmp_path / "hub")
    assert not terms_faults(proposed, read_text(tmp_path / "hub"))
    assert proposed.controllers["example"].terms


def test_check_tells_contradictions_beside_faults_and_no_other_command_minds(
    region_hub: Path, fairhaven: Command
) -> None:
    parkview, hes = region_hub / "controllers/parkview.toml", region_hub / "sources/north_trust_hes.toml"
    parkview.write_text(parkview.read_text().replace('"charity"]', '"charity", "industry"]'))
    hes.write_text(hes.read_text().replace("national_opt_out = true", "national_opt_out = false"))
    (region_hub / "controllers/council.toml").write_text("title = 3\n")
    said = fairhaven("check", region_hub, code=1).stderr
    assert "controllers/council.toml:1: title: must be a text" in said
    assert "controllers/north_trust.toml:26: terms.episodes.flow.opt_outs: people who opted out are left out" in said
    assert "terms.gp_record.use.sectors: allows companies, which NPU rules out" in said
    assert read_text(region_hub).controllers >= {"council", "parkview"}


def test_what_the_terms_of_a_controller_forget_is_a_warning(region_hub: Path) -> None:
    file = region_hub / "controllers/parkview.toml"
    file.write_text(file.read_text().replace('["gp_parkview"]', '["gp_riverside"]'))
    text, proposed = read_text(region_hub), read_proposed_terms(region_hub)
    [fault] = terms_faults(proposed, text)
    assert fault.message == "gp_riverside is no source of this controller (its sources: gp_parkview)"
    [warning] = terms_warnings(proposed, text, today=_DAY)
    assert warning.message.startswith("says no terms for gp_parkview, so the hub reads that for itself")


def test_the_codes_of_data_use_are_those_of_the_ontology() -> None:
    with shared("reference", "duo", "duo.csv").open(encoding="utf-8") as file:
        published = {row["shorthand"]: row["id"] for row in csv.DictReader(file) if row["shorthand"]}
    assert {code.value: code.identifier for code in (*DuoPermission, *DuoModifier)} == published
