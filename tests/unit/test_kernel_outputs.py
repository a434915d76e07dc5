"""Where outputs may be written, and what is left of them when their command is killed."""

import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from fairhaven.journeys.hub_folder import check_outside_hubs
from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.outputs import Output, clear_left, clear_noted
from tests.support.other_accounts import NOBODYS

_KILLED = """
import os, sys
from pathlib import Path
from fairhaven.journeys.hub_folder import check_outside_hubs
from fairhaven.kernel.outputs import Output
notes, places = map(Path, sys.argv[1:])
with Output(path=places / "cdm", command="export", check_place=check_outside_hubs, notes=notes).folder() as work:
    (work / "cdm.duckdb").write_text("rows")
    with Output(path=places / "page", command="report", check_place=check_outside_hubs, notes=notes).file() as file:
        file.write(b"rows")
        os._exit(0)
"""


def _at(path: Path, *, command: str = "report", force: bool = False) -> Output:
    return Output(path=path, command=command, check_place=check_outside_hubs, is_forced=force)


def test_an_output_appears_when_it_is_whole_and_is_its_accounts_alone(tmp_path: Path) -> None:
    out = tmp_path / "new" / "rows"
    with suppress(RuntimeError), _at(out).file() as file:
        file.write(b"half")
        raise RuntimeError
    assert list(out.parent.iterdir()) == []
    with _at(out).file() as file:
        file.write(b"all")
        assert not out.exists()
    assert (out.read_text(), list(out.parent.iterdir())) == ("all", [out])
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_what_a_command_made_it_writes_over_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "page"
    _at(out).write("first")
    _at(out).write("second")
    assert out.read_text() == "second"
    with pytest.raises(NotAllowedNow, match=r"not as `fairhaven cohort count` made it.*--force"):
        _at(out, command="cohort count")
    out.write_text("edited")
    with pytest.raises(NotAllowedNow, match="is there already"):
        _at(out)
    _at(out, force=True).write("third")
    assert out.read_text() == "third"


def test_a_file_that_appears_while_the_output_is_made_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "page"
    with pytest.raises(NotAllowedNow), _at(out).file():
        out.write_text("somebody else's")
    assert (out.read_text(), list(tmp_path.iterdir())) == ("somebody else's", [out])


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_a_pipe_and_a_device_are_not_written_over(tmp_path: Path, force: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(NotAllowedNow, match="is there already"):
            _at(path, force=force)


@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_written_through_a_link(tmp_path: Path, force: bool) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("precious")
    (tmp_path / "to-file").symlink_to(tmp_path / "real" / "file")
    (tmp_path / "to-nothing").symlink_to(tmp_path / "real" / "nothing")
    (tmp_path / "to-folder").symlink_to(tmp_path / "real")
    for path in ("to-file", "to-nothing", "to-folder/new", "to-folder/../new", "to-folder/deeper/new"):
        with pytest.raises(Invalid, match="is a link"):
            _at(tmp_path / path, force=force)
    with pytest.raises(Invalid, match="is a link"):
        _at(Path("/dev/stdout"), force=force)
    assert (tmp_path / "real" / "file").read_text() == "precious"


@pytest.mark.parametrize(
    "place",
    [
        "store/keys/master.key",
        "store/x",
        "store",
        "STORE/../store/x",
        "sources/gp.toml",
        "sources/new/page.html",
        "controllers/x",
        "mappings/x",
        "vocabulary/x.csv",
        "inbox/x",
        "hub.toml",
        "disclosure.toml",
        ".gitignore",
    ],
)
def test_nothing_is_written_among_a_hubs_own_files(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = _a_hub(tmp_path / "hub")
    monkeypatch.chdir(hub)
    for path in (hub / place, Path(place), hub / "results" / ".." / place):
        with pytest.raises(Invalid, match="among a hub's own files"):
            _at(path, force=True)


def test_a_store_that_stands_elsewhere_and_is_linked_is_a_hubs_own_too(tmp_path: Path) -> None:
    hub = _a_hub(tmp_path / "hub")
    (hub / "store").rename(tmp_path / "volume")
    (hub / "store").symlink_to(tmp_path / "volume")
    for path in (tmp_path / "volume" / "x", tmp_path / "volume" / "archive" / "x", tmp_path / "volume" / "keys" / "x"):
        with pytest.raises(Invalid, match="among a hub's own files"):
            _at(path, force=True)


def test_beside_a_hubs_own_files_there_is_room(tmp_path: Path) -> None:
    hub = _a_hub(tmp_path / "hub")
    for path in (hub / "report.html", hub / "results" / "store" / "x", tmp_path / "store" / "x"):
        _at(path).write("page")
        assert path.read_text() == "page"


def test_of_two_writers_of_an_output_the_second_is_told_and_spoils_nothing(tmp_path: Path) -> None:
    out = tmp_path / "rows"
    with _at(out).file() as file:
        file.write(b"first")
        with pytest.raises(NotAllowedNow, match=f"another command is writing {out}"), _at(out).file():
            pass
        assert clear_left(tmp_path) == []
    assert (out.read_text(), list(tmp_path.iterdir())) == ("first", [out])


def test_what_a_killed_command_left_is_removed_and_named_wherever_it_was_noted(tmp_path: Path) -> None:
    notes, places = tmp_path / "notes", tmp_path / "places"
    subprocess.run([sys.executable, "-c", _KILLED, notes, places], check=True)
    left = {places / ".cdm.fairhaven-part", places / ".page.fairhaven-part"}
    assert set(places.iterdir()) == left
    assert set(clear_noted(notes)) == left
    assert (list(places.iterdir()), list(notes.iterdir())) == ([], [])


def test_what_is_being_written_is_noted_and_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    with Output(path=tmp_path / "page", command="report", check_place=check_outside_hubs, notes=notes).file() as file:
        file.write(b"rows")
        assert clear_noted(notes) == []
    assert (tmp_path / "page").read_bytes() == b"rows"
    assert list(notes.iterdir()) == []


def test_a_note_that_names_something_else_removes_nothing(tmp_path: Path) -> None:
    notes, precious = tmp_path / "notes", tmp_path / "precious"
    notes.mkdir()
    precious.mkdir()
    (notes / "0123456789abcdef").write_text(str(precious))
    (tmp_path / ".x.fairhaven-part").symlink_to(precious)
    (notes / "fedcba9876543210").write_text(str(tmp_path / ".x.fairhaven-part"))
    assert (clear_noted(notes), clear_left(tmp_path)) == ([], [])
    assert precious.is_dir()


def test_what_is_written_stays_in_its_folder_whatever_others_put_in_the_place_of_its_name(tmp_path: Path) -> None:
    part, trap = tmp_path / ".cdm.fairhaven-part", tmp_path / "trap"
    trap.mkdir()
    with suppress(RuntimeError), _at(tmp_path / "cdm").folder() as work:
        part.rename(tmp_path / "moved")
        part.symlink_to(trap)
        (work / "rows").write_text("of persons")
        assert [path.name for path in (tmp_path / "moved").iterdir()] == ["rows"]
        raise RuntimeError
    assert (list(trap.iterdir()), list((tmp_path / "moved").iterdir())) == ([], [])


def test_a_folder_that_others_gave_the_name_of_a_half_written_one_is_not_removed(tmp_path: Path) -> None:
    part, precious = tmp_path / ".cdm.fairhaven-part", tmp_path / "precious"
    (precious / "deep").mkdir(parents=True)
    with suppress(RuntimeError), _at(tmp_path / "cdm").folder() as work:
        (work / "rows").write_text("of persons")
        part.rename(tmp_path / "moved")
        precious.rename(part)
        raise RuntimeError
    assert clear_left(tmp_path) == []
    assert [path.name for path in part.iterdir()] == ["deep"]
    with pytest.raises(NotAllowedNow, match=f"if there is none, remove {part}"), _at(tmp_path / "cdm").folder():
        pass
    (part / "deep").rmdir()
    assert clear_left(tmp_path) == [part]


def test_a_file_that_others_put_in_the_place_of_what_was_written_gets_no_mode_and_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    precious, part = tmp_path / "precious", tmp_path / ".page.fairhaven-part"
    precious.write_text("private")
    precious.chmod(0o600)
    out = Output(path=tmp_path / "page", command="report", check_place=check_outside_hubs, group=os.getegid())

    def written() -> None:
        with out.file() as file:
            file.write(b"page")
            part.unlink()
            part.symlink_to(precious)

    with pytest.raises(NotAllowedNow, match="exchanged it meanwhile"):
        written()
    assert stat.S_IMODE(precious.stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_another_account_left_is_not_removed(tmp_path: Path) -> None:
    left = tmp_path / ".page.fairhaven-part"
    left.write_text("half")
    os.chown(left, NOBODYS, -1)
    assert clear_left(tmp_path) == []
    assert left.exists()


def _a_hub(folder: Path) -> Path:
    for name in ("store/keys", "store/archive", "sources", "controllers", "mappings", "vocabulary", "inbox", "results"):
        (folder / name).mkdir(parents=True)
    (folder / "store" / "records.sqlite").write_text("")
    (folder / "store" / "keys" / "master.key").write_text("key")
    (folder / "hub.toml").write_text("")
    return folder


def test_a_name_that_is_no_text_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="must be UTF-8"):
        _at(tmp_path / "a\udcff.html")
