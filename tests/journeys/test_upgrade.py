"""A hub brought forward: by whom, from what, killed on the way, and into PostgreSQL."""

import json
import re
import shutil
from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from fairhaven.ledger import EventKind
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.older_hub import unpack_older_hub
from tests.support.postgresql_server import PostgresqlServer


@pytest.fixture
def older(tmp_path: Path) -> Path:
    return unpack_older_hub(tmp_path)


def test_any_other_command_on_an_older_hub_says_so_and_stops(older: Path, fairhaven: Command, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (older / "store").rglob("*") if path.is_file()}
    for words in (("release", "list", older), ("build", older), ("ledger", "show", older), ("check", older)):
        refused = fairhaven(*words, code=1).stderr
        assert "was made by an earlier version" in refused and f"fairhaven upgrade {older}" in refused
    assert {path: path.read_bytes() for path in (older / "store").rglob("*") if path.is_file()} == before


def test_a_plan_says_what_an_upgrade_would_do_and_does_nothing(older: Path, fairhaven: Command) -> None:
    said = fairhaven("upgrade", older, "--plan").stdout
    assert "take over 18 entries of store/ledger.jsonl" in said and "Nothing was done" in said
    assert not (older / "store/records.sqlite").exists()


def test_every_entry_is_taken_over_as_it_was_and_what_was_published_of_them_still_holds(
    older: Path, fairhaven: Command
) -> None:
    lines = (older / "store/ledger.jsonl").read_text().splitlines()
    done = json.loads(fairhaven("upgrade", older, "--json").stdout)
    assert done["entry"] == len(lines) + 1
    entries = open_hub(older).ledger.entries()
    assert [entry.hash for entry in entries[:-1]] == [json.loads(line)["hash"] for line in lines]
    assert entries[-1].kind == EventKind.UPGRADED and entries[-1].previous == entries[-2].hash
    assert entries[-1].facts["ledger"] == {"size": len(lines), "hash": entries[-2].hash, "head": ""}
    assert not (older / "store/ledger.jsonl").exists()
    assert "nothing to upgrade" in fairhaven("upgrade", older).stdout
    fairhaven("ledger", "verify", older)


def test_an_upgrade_that_was_killed_before_the_file_went_is_ended(older: Path, fairhaven: Command) -> None:
    file = older / "store/ledger.jsonl"
    kept = file.read_bytes()
    fairhaven("upgrade", older)
    file.write_bytes(kept)
    for name in ("checkpoint", "published-ledger.jsonl", "record.pub"):  # none is written before the file goes
        (older / "store" / name).unlink(missing_ok=True)
    assert "an upgrade was cut short" in fairhaven("release", "list", older, code=1).stderr.replace("\n", " ")
    fairhaven("upgrade", older)
    assert not file.exists() and open_hub(older).ledger.length() == 19


def test_an_upgrade_that_was_killed_before_the_public_half_was_written_is_ended(
    older: Path, fairhaven: Command
) -> None:
    fairhaven("upgrade", older)
    (older / "store/record.pub").unlink()
    assert "write store/record.pub" in fairhaven("upgrade", older, "--plan").stdout
    fairhaven("upgrade", older)
    assert (older / "store/record.pub").exists()
    assert "nothing to upgrade" in fairhaven("upgrade", older).stdout


@pytest.mark.parametrize("planted", ["what is published", "nothing", "the file of before"])
def test_a_ledger_that_something_put_beside_the_database_is_named_and_not_taken_over(
    older: Path, fairhaven: Command, planted: str
) -> None:
    store = older / "store"
    before = (store / "ledger.jsonl").read_bytes()
    fairhaven("upgrade", older)
    published = (store / "published-ledger.jsonl").read_bytes()
    (store / "ledger.jsonl").write_bytes(
        {"what is published": published, "nothing": b"", "the file of before": before}[planted]
    )
    assert "or something put it there" in fairhaven("release", "list", older, code=1).stderr.replace("\n", " ")
    assert "Remove it" in fairhaven("upgrade", older, code=1).stderr
    (store / "ledger.jsonl").unlink()
    assert "r0002" in fairhaven("release", "list", older).stdout


def test_a_published_ledger_is_not_taken_for_one_of_before_where_the_database_is_gone(
    older: Path, fairhaven: Command
) -> None:
    fairhaven("upgrade", older)
    (older / "store/records.sqlite").unlink()
    assert "is not there" in fairhaven("release", "list", older, code=1).stderr
    (older / "store/published-ledger.jsonl").rename(older / "store/ledger.jsonl")
    assert "Remove it" in fairhaven("upgrade", older, code=1).stderr


def test_a_database_without_a_hubs_tables_is_told_as_such_by_every_command(older: Path, fairhaven: Command) -> None:
    fairhaven("upgrade", older)
    (older / "store/records.sqlite").write_bytes(b"")
    for words in (("release", "list", older), ("upgrade", older)):
        assert "holds no hub's records" in fairhaven(*words, code=1).stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("alteration", "said"),
    [
        (lambda text: text.replace('"delivery":3', '"delivery":4', 1), r"ledger\.jsonl:\d+: .*altered"),
        (lambda text: "\n".join(text.splitlines()[1:]) + "\n", r"ledger\.jsonl:1: .*dropped"),
        (lambda text: "", "has no entry"),
        (lambda text: "nonsense\n", r"ledger\.jsonl:1: is no entry"),
    ],
)
def test_a_ledger_that_does_not_hold_is_not_taken_over(
    older: Path, fairhaven: Command, alteration: object, said: str
) -> None:
    file = older / "store/ledger.jsonl"
    file.write_text(alteration(file.read_text()))  # type: ignore[operator]
    for plan in ((), ("--plan",)):
        assert re.search(said, fairhaven("upgrade", older, *plan, code=1).stderr.replace("\n", " "))
    assert file.exists() and not (older / "store/records.sqlite").exists()


def test_the_records_of_a_hub_move_into_postgresql_and_go_on_there(
    older: Path, fairhaven: Command, postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fairhaven("upgrade", older)
    before = open_hub(older).ledger.entries()
    settings = older / "hub.toml"
    settings.write_text(f'database = "{postgresql.url()}"\n' + settings.read_text())
    monkeypatch.setenv("FAIRHAVEN_DATABASE_PASSWORD", postgresql.password)
    assert "fairhaven upgrade" in fairhaven("release", "list", older, code=1).stderr
    assert "to the database of PostgreSQL" in fairhaven("upgrade", older, "--plan").stdout
    fairhaven("upgrade", older)
    assert not list((older / "store").glob("records.sqlite*"))
    after = open_hub(older).ledger.entries()
    assert after[:-1] == before and after[-1].facts["database"] == "postgresql"
    fairhaven("project", "open", older, "P", "--organisation", "O")
    assert "21 entries" in fairhaven("ledger", "verify", older).stdout
    # Another hub's records are not taken for this one's.
    fresh = unpack_older_hub(older.parent / "fresh")
    fairhaven("upgrade", fresh)
    open_hub(fresh).ledger.append(EventKind.PROJECT, {}, by=ANNA)
    shutil.copyfile(settings, fresh / "hub.toml")
    assert "holds other records than this hub's" in fairhaven("upgrade", fresh, code=1).stderr.replace("\n", " ")
    assert (fresh / "store/records.sqlite").exists()
