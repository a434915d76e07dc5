"""What another account of the machine can read of a hub and of what it gives out: tried by a process that becomes one.

Becoming another account needs root; elsewhere these tests skip, and the modes themselves are tested in their place.
"""

import grp
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Command
from tests.support.older_hub import upgraded_older_hub
from tests.support.other_accounts import NOBODYS, copied_with_owners, folder_for_all

_TRY = """
import json, os, sys
asked = json.load(sys.stdin)
os.setgroups(asked["groups"])
os.setgid(asked["account"])
os.setuid(asked["account"])
def can_read(path):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path, "rb").close()
    except PermissionError:
        return False
    return True
json.dump([path for path in asked["paths"] if can_read(path)], sys.stdout)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@pytest.fixture
def place() -> Iterator[Path]:
    with folder_for_all() as made:
        yield made


@pytest.fixture
def hub(place: Path) -> Path:
    """A small hub of an earlier version, which left its store open to every account."""
    made = upgraded_older_hub(place)
    assert stat.S_IMODE((made / "store").stat().st_mode) == 0o755
    return made


@pytest.fixture
def described(described_hub: Path, place: Path) -> Path:
    """The same once its last release is described."""
    return copied_with_owners(described_hub, place / "hub")


@needs_root
def test_without_readers_another_account_reads_no_file_of_a_store(described: Path, fairhaven: Command) -> None:
    hub = described
    fairhaven("project", "open", hub, "P", "--organisation", "O")
    fairhaven(
        "cohort", "count", hub, hub / "cohorts" / "first_pregnancy.toml", "--project", "P"
    )  # makes the audit's record, locks and an index
    assert _read_by_a_stranger(_all(hub / "store")) == set()


@needs_root
def test_readers_read_what_releases_are_made_of_and_nothing_of_persons_or_keys(
    described: Path, fairhaven: Command
) -> None:
    hub, group = described, _a_group()
    _let_read(hub, group.gr_name)
    fairhaven("project", "open", hub, "P", "--organisation", "O")
    fairhaven("cohort", "count", hub, hub / "cohorts" / "first_pregnancy.toml", "--project", "P")
    store = hub / "store"
    everything = _all(store)
    read = _read_by_a_stranger(everything, groups=[group.gr_gid])
    assert {_part(path, store) for path in read} == {
        "",
        "archive",
        "vocabulary",
        "published-ledger.jsonl",
        "checkpoint",
        "record.pub",
        "query-audit",
    }
    for part in ("archive", "vocabulary"):
        assert {path for path in everything if _part(path, store) == part and path.name[0] != "."} <= read
    assert (hub / "hub.toml") in _read_by_a_stranger([hub / "hub.toml", hub / "inbox"], groups=[group.gr_gid])
    assert _read_by_a_stranger(everything) == set(), "who is not of the group reads as little as before"


@needs_root
def test_readers_who_are_no_longer_named_read_nothing(hub: Path, fairhaven: Command) -> None:
    group = _a_group()
    before = (hub / "hub.toml").read_text()
    _let_read(hub, group.gr_name)
    fairhaven("release", "list", hub)
    (hub / "hub.toml").write_text(before)
    said = fairhaven("release", "list", hub).stderr
    assert f"was open to the group {group.gr_name}" in said
    assert _read_by_a_stranger(_all(hub / "store"), groups=[group.gr_gid]) == set()


def test_a_store_that_was_open_is_closed_by_the_next_command_which_says_who_could_read_it(
    hub: Path, fairhaven: Command
) -> None:
    store = hub / "store"
    for path in (path for path in _all(store) if "keys" not in path.parts):
        path.chmod(0o755 if path.is_dir() else 0o644)
    said = fairhaven("release", "list", hub).stderr
    assert f"{store} was open to every account of this machine (mode 0755)" in said
    assert f"{store / 'records.sqlite'} was open to every account of this machine (mode 0644)" in said
    assert {path for path in _all(store) if stat.S_IMODE(path.stat().st_mode) & 0o077} == set()
    assert fairhaven("release", "list", hub).stderr == ""


def test_checking_a_hub_closes_its_store(hub: Path, fairhaven: Command) -> None:
    (hub / "store").chmod(0o755)
    assert "was open to every account" in fairhaven("check", hub).stderr
    assert stat.S_IMODE((hub / "store").stat().st_mode) == 0o700


def test_outputs_and_new_hubs_are_for_their_account_alone_under_any_umask(
    described: Path, place: Path, fairhaven: Command
) -> None:
    before = os.umask(0)
    try:
        fairhaven("init", place / "new")
        out = _outputs(described, place, fairhaven)
    finally:
        os.umask(before)
    made = [*_all(place / "new"), *_all(out)[1:], *_all(described / "store")]
    assert {path for path in made if stat.S_IMODE(path.stat().st_mode) & 0o077} == set()
    if os.geteuid() == 0:
        assert _read_by_a_stranger(made) == set()


def test_a_group_that_the_machine_does_not_have_is_named_with_what_to_do(hub: Path, fairhaven: Command) -> None:
    _let_read(hub, "nobody-calls-a-group-so")
    said = fairhaven("release", "list", hub, code=1).stderr
    assert "hub.toml" in said and "groupadd nobody-calls-a-group-so" in said


def _outputs(hub: Path, place: Path, fairhaven: Command) -> Path:
    """Every output that a command can write, in one folder."""
    out = place / "out"
    out.mkdir(mode=0o755)
    out.chmod(0o755)
    cohort = hub / "cohorts" / "first_pregnancy.toml"
    fairhaven("report", hub, "--out", out / "report.html")
    fairhaven("export", hub, "--format", "duckdb", "--out", out / "cdm.duckdb")
    fairhaven("export", hub, "--format", "parquet", "--out", out / "cdm")
    fairhaven("cohort", "explain", hub, cohort, "--out", out / "words.md")
    fairhaven("cohort", "count", hub, cohort, "--out", out / "counts.json")
    fairhaven("cohort", "report", hub, cohort, "--out", out / "attrition.html")
    fairhaven("cohort", "generate", hub, cohort, "--out", out / "rows.parquet")
    return out


def _read_by_a_stranger(paths: Iterable[Path], *, groups: Iterable[int] = ()) -> set[Path]:
    """What of these another account, a member of these groups, can read."""
    asked = {"account": NOBODYS, "groups": list(groups), "paths": [str(path) for path in paths]}
    done = subprocess.run(
        [sys.executable, "-c", _TRY], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    return set(map(Path, json.loads(done.stdout)))


def _all(folder: Path) -> list[Path]:
    return [folder, *sorted(folder.rglob("*"))]


def _part(path: Path, store: Path) -> str:
    return next(iter(path.relative_to(store).parts), "")


def _let_read(hub: Path, readers: str) -> None:
    text = (hub / "hub.toml").read_text()
    (hub / "hub.toml").write_text(f'readers = "{readers}"\n{text}')


def _a_group() -> grp.struct_group:
    """A group of this machine, whose members the test does not change."""
    return next(group for group in grp.getgrall() if group.gr_gid not in (0, NOBODYS))
