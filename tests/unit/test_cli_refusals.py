"""What ends a command: one form on stdout for a program, words on stderr for a person, and never a row's value."""

import errno
import grp
import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairhaven.cli import app as tree
from fairhaven.cli.refusals import DEBUG, refuse
from fairhaven.kernel import errors
from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import ErrorCode, FairhavenError, Fault, Invalid, NotAllowedNow, Refusal
from tests.support.other_accounts import NOBODYS, as_other_account, folder_for_all

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")

_READERS: list[Callable[[Path], object]] = [Path.read_bytes, pq.read_table, lambda path: duckdb.sql(f"FROM '{path}'")]


def _family(error: type[FairhavenError]) -> list[type[FairhavenError]]:
    return [error, *(each for child in error.__subclasses__() for each in _family(child))]


def _ended(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, str], str]:
    with pytest.raises(type(error)) as raised:
        raise error
    assert refuse(raised.value, as_json=True) == 1
    said = capsys.readouterr()
    return json.loads(said.out)["error"], said.err


def test_every_error_of_the_tree_has_the_code_of_its_name() -> None:
    tree_of_errors = [error for error in _family(FairhavenError) if error.__module__ == errors.__name__]
    names = {"".join(f"_{letter}" if letter.isupper() else letter for letter in e.__name__)[1:] for e in tree_of_errors}
    assert {name.lower() for name in names} - {"fairhaven_error"} == {error.code for error in tree_of_errors}
    assert all(code.meaning for code in ErrorCode)


def test_faults_keep_their_places() -> None:
    faults = [Fault(path="hub.toml", line=3, field="name", message="is missing"), Fault(message="more")]
    refusal = Refusal.of(Invalid(faults))
    assert refusal.code == "invalid"
    assert refusal.faults == tuple(faults)
    assert refusal.message == "hub.toml:3: name: is missing\nmore"


def test_each_line_of_a_refusal_is_a_fault() -> None:
    refusal = Refusal.of(NotAllowedNow("one thing\nanother"))
    assert [fault.message for fault in refusal.faults] == ["one thing", "another"]


def test_a_refusal_without_words_has_a_fault_all_the_same() -> None:
    assert Refusal.because(ErrorCode.REFUSED, "").faults == (Fault(message=""),)


def test_an_interruption_is_said_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    told, words = _ended(KeyboardInterrupt(), capsys)
    assert told["code"] == "interrupted"
    assert "run the same command again" in words


def test_what_the_disk_says_no_to_is_said_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    told, words = _ended(OSError(errno.EIO, "Input/output error", "hub/store"), capsys)
    assert told["code"] == "storage"
    assert "hub/store" in words


@pytest.mark.parametrize("error", [errno.EROFS, errno.ENOSPC])
def test_a_disk_that_takes_nothing_is_named_with_what_to_do(error: int, capsys: pytest.CaptureFixture[str]) -> None:
    told, words = _ended(OSError(error, "", "hub/store"), capsys)
    assert told["code"] == "storage"
    assert "hub/store" in words and ("Mount it" in words or "Make room" in words)


@needs_root
@pytest.mark.parametrize("read", _READERS)
def test_an_account_that_may_not_read_a_file_is_told_whose_it_is_and_what_to_do(
    read: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    with folder_for_all() as place:
        path = place / "rows.parquet"
        pq.write_table(pa.table({"id": [1]}), path)
        path.chmod(0o600)
        with as_other_account():
            with pytest.raises((OSError, duckdb.Error)) as raised:
                read(path)
            assert refuse(raised.value, as_json=True) == 1
        said = capsys.readouterr()
        assert json.loads(said.out)["error"]["code"] == "not_permitted"
        assert said.err == (
            f"Refused\n  this needs the account root: uid {NOBODYS}, as whom the command runs, may not read {path}, which is for root "
            "alone. Ask root to run the command, or run it as root.\n"
        )


@needs_root
def test_what_to_do_follows_from_who_may_and_who_asks() -> None:
    with folder_for_all() as place:
        folder, ours = place / "store", place / "ours"
        folder.mkdir()
        (folder / "locks").mkdir()
        ours.mkdir()
        os.chown(ours, NOBODYS, NOBODYS)
        daemons = grp.getgrgid(1)
        os.chown(folder, -1, daemons.gr_gid)
        folder.chmod(0o750)
        ours.chmod(0o500)
        with as_other_account():
            assert (
                f"may not look into {folder}, which is for root and the group {daemons.gr_name}. Ask root to run the command, or have it take you"
                in why_refused(folder / "locks" / "releases")
            )
            assert "though it is its own: the mode is 0500" in why_refused(ours / "report.html")
        for mode in (0o755, 0o711):
            folder.chmod(mode)
            with as_other_account():
                assert f"may not change {folder}, which is for root alone" in why_refused(folder / "report.html")


def test_a_fault_of_fairhaven_names_its_place_and_no_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DEBUG, raising=False)
    told, words = _ended(ValueError("could not convert 'Jane Doe'"), capsys)
    assert told["code"] == "internal"
    assert "ValueError" in words
    assert __name__ in words
    assert "Jane" not in words + json.dumps(told)
    assert "Traceback" not in words


def test_its_traceback_is_shown_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DEBUG, "1")
    with pytest.raises(ValueError, match="Jane"):
        _ended(ValueError("could not convert 'Jane Doe'"), capsys)
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "internal"


@pytest.mark.parametrize(
    "words",
    [
        ["build"],
        ["build", "hub", "--as-of", "yesterday"],
        ["release", "lst", "hub"],
        ["demo", "hub", "--persons", "many"],
        ["quality", "hub", "--colour", "red"],
    ],
)
def test_wrong_usage_is_said_in_the_same_form(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert tree.run([*words, "--json"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == "usage"
    assert "Usage: fairhaven" in said.err
    assert tree.run(words) == 2
    assert not capsys.readouterr().out
