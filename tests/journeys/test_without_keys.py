"""Who reads releases needs no keys of the vault, and hears nothing of them."""

import shutil
from pathlib import Path

import pytest

from fairhaven.kernel.keyring import SEALING
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
    ],
    ids=" ".join,
)
def test_what_reads_releases_needs_no_key(
    fairhaven: Command, keyless: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = {"HUB": keyless, "OUT": tmp_path / "report.html"}
    done = fairhaven(*(said.get(word, word) for word in words))
    assert "key backup" not in done.stdout + done.stderr


def test_counts_and_exports_need_the_key_that_signs_the_ledger_and_no_other(
    fairhaven: Command, copy: Path, tmp_path: Path
) -> None:
    for purpose in SEALING:
        (copy / f"store/keys/{purpose}.key").unlink()
    cohort = copy / "cohorts" / "type_2_diabetes_on_metformin.toml"
    fairhaven("cohort", "count", copy, cohort)
    fairhaven("project", "open", copy, "p", "--organisation", "o")
    fairhaven("cohort", "count", copy, cohort, "--project", "p")
    fairhaven("cohort", "budget", copy, "p")
    fairhaven("cohort", "generate", copy, cohort)
    fairhaven("cohort", "report", copy, cohort)
    fairhaven("export", copy, "--format", "parquet", "--out", tmp_path / "cdm")


def test_a_build_without_keys_says_which_are_missing(fairhaven: Command, keyless: Path) -> None:
    done = fairhaven("build", keyless, "--as-of", "2026-12-01", code=1)
    assert "Restore the folder from the hub's key backup" in done.stderr
