"""A store that lost something: told in words what to do, with exit code 1, or made again from what was delivered."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from fairhaven.cli.app import run
from fairhaven.cli.storage_errors import storage_fault
from fairhaven.hub import open_hub
from tests.support.killed_hub import copied
from tests.support.killed_stages import Region


@pytest.fixture
def received(region: Region) -> Path:
    return region.stage("receive").hub


RECORDS = (
    "archive/releases/0001.json",
    "deliveries/000002.json",
    "landing/000003/extract.json",
    "vocabulary/current.json",
)
NOTES = (
    "archive/building.json",
    "archive/erasure.json",
    "erasing.json",
    "landing-again.json",
    "vocabulary/loading.json",
)


def written(place: str, content: bytes) -> Callable[[Path], object]:
    def write(store: Path) -> None:
        (store / place).parent.mkdir(parents=True, exist_ok=True)
        (store / place).write_bytes(content)

    return write


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        *((written(place, b"[]"), f"{place} is damaged") for place in RECORDS),
        *((written(place, b'{"tables": 1}'), f"{place} is damaged") for place in RECORDS),
        *((written(place, b"[]"), f"{place}: is damaged, or was not written by this hub") for place in NOTES),
        (lambda store: shutil.rmtree(store / "keys"), "Restore the folder from the hub's key backup"),
        (written("keys/vault.key", b"short"), "keys/vault.key is damaged"),
        (written("deliveries/000002.json", b"{"), "deliveries/000002.json is damaged"),
        (
            written("archive/erasure.json", b'{"manifests": [[]]}\n'),
            "archive/erasure.json: is damaged, or was not written",
        ),
        (
            lambda store: shutil.rmtree(store / "landing/000003"),
            "landing/000003/extract.json: is missing, and the ledger has it",
        ),
        (written("vault/identity/000002.sealed", b"FHE1"), "vault/identity/000002.sealed: was altered"),
        (lambda store: (store / "vault/identity/000002.sealed").unlink(), "vault/identity/000002.sealed: is missing"),
        (written("records.sqlite", b"nonsense\n"), "records.sqlite is damaged"),
    ],
)
def test_what_cannot_be_made_again_is_named(
    received: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], object],
    said: str,
) -> None:
    hub = copied(received, tmp_path / "hub")
    damage(hub / "store")
    assert run(["build", str(hub)]) == 1
    words = capsys.readouterr().err
    assert said in words
    assert "Traceback" not in words


def test_landed_files_that_are_gone_or_cut_off_are_landed_again(received: Path, tmp_path: Path) -> None:
    hub = copied(received, tmp_path / "hub")
    rooms = open_hub(hub)
    extract = rooms.intake.extracts("gp_riverside")[0]
    first, *others = sorted((hub / f"store/landing/{extract.number:06d}").glob("*.parquet"))
    first.unlink()
    others[0].write_bytes(others[0].read_bytes()[:-5])
    assert rooms.intake.to_land_again(rooms.sources["gp_riverside"]) == [extract]


def test_what_the_disk_says_no_to_is_told_without_a_row() -> None:
    full = duckdb.IOException('IO Error: Could not write file "/hub/store/x": No space left on device')
    lost = duckdb.IOException('IO Error: No files found that match the pattern "/hub/store/archive/person/a.parquet"')
    assert "the disk is full" in (storage_fault(full) or "")
    assert "the disk is full" in (storage_fault(OSError(errno.ENOSPC, "No space left on device")) or "")
    assert (storage_fault(lost) or "").startswith("/hub/store/archive/person/a.parquet is missing or damaged")
    assert storage_fault(duckdb.ConversionException("Could not convert string 'Jane Doe' to INT32")) is None
    assert storage_fault(ValueError("a fault of Fairhaven")) is None
