"""Who reads releases needs no keys of the vault, and hears nothing of them."""

import shutil
from pathlib import Path

import pytest

from tests.support.command_line import Command


@pytest.fixture
def keyless(copy: Path) -> Path:
    """The demonstration hub on a machine that has no keys."""
    shutil.rmtree(copy / "store" / "keys")
    return copy


@pytest.mark.parametrize(
    "words",
    [
        ("release", "list", "HUB"),
        ("release", "show", "HUB"),
        ("release", "diff", "HUB"),
        ("release", "verify", "HUB"),
        ("quality", "HUB"),
        ("report", "HUB", "--out", "OUT"),
        ("check", "HUB"),
        ("cohort", "count", "HUB", "COHORT"),
        ("cohort", "count", "HUB", "COHORT", "--project", "p"),
        ("cohort", "report", "HUB", "COHORT"),
        ("cohort", "generate", "HUB", "COHORT"),
        ("cohort", "budget", "HUB", "p"),
        ("export", "HUB", "--format", "parquet", "--out", "FOLDER"),
    ],
    ids=" ".join,
)
def test_what_reads_releases_needs_no_key(
    fairhaven: Command, keyless: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = {"HUB": keyless, "OUT": tmp_path / "report.html", "FOLDER": tmp_path / "cdm"}
    said["COHORT"] = keyless / "cohorts" / "type_2_diabetes_on_metformin.toml"
    done = fairhaven(*(said.get(word, word) for word in words))
    assert "key backup" not in done.stdout + done.stderr


def test_a_build_without_keys_says_which_are_missing(fairhaven: Command, keyless: Path) -> None:
    done = fairhaven("build", keyless, "--as-of", "2026-12-01", code=1)
    assert "Restore the folder from the hub's key backup" in done.stderr
