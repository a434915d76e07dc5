"""What stands in the place of a file and is none is refused in words, and never waited for."""

import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from fairhaven.harmonise.local_maps import read_code_map
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.file_locks import locked
from fairhaven.kernel.files import read_json, sha256_of
from fairhaven.kernel.outputs import clear_noted
from fairhaven.kernel.plain_files import open_plain, read_plain
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.signing_key import read_public
from fairhaven.kernel.sqlite_files import open_database, read_number
from fairhaven.ledger import Ledger, content_hash
from fairhaven.records import Database
from tests.support.ledgers import SIGNER


def _lock(path: Path) -> None:
    with locked(path, act="build", by="", patience=0, progress=Silent()):
        pass


OPENERS: dict[str, Callable[[Path], object]] = {
    "JSON": read_json,
    "a hash": sha256_of,
    "a lock": _lock,
    "the ledger": lambda path: Ledger(path.parent, database=lambda: Database.at(path), signer=SIGNER).entries(),
    "notes of an act": lambda path: Ledger(path.parent, signer=SIGNER).journal(path.name).notes(),
    "a public key": read_public,
    "a database": lambda path: open_database(path, "", version=1),
    "a database to read": lambda path: read_number(path, "SELECT 1"),
    "sealed bytes": Envelope(lambda: bytes(32)).open_bytes,
    "a code map": read_code_map,
}


@pytest.mark.parametrize("what", OPENERS)
def test_a_pipe_in_the_place_of_a_file_is_refused_in_words(tmp_path: Path, what: str) -> None:
    os.mkfifo(path := tmp_path / "store.json")
    with pytest.raises(Invalid, match="is a pipe, a socket or a device, and a file belongs there"):
        OPENERS[what](path)


def test_so_are_sockets_and_devices_and_of_a_hash_there_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/null"), Path("/dev/zero")):
            for flags in (os.O_RDONLY, os.O_RDWR, os.O_WRONLY):
                with pytest.raises(Invalid, match="a file belongs there"):
                    open_plain(path, flags)
            assert content_hash(path) == "no file"
    with pytest.raises(IsADirectoryError):
        read_plain(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "nothing")


@pytest.mark.parametrize(
    "note", [b"", b"/", b"/tmp", b"relative/.x.fairhaven-part", b"/tmp/.page.fairhaven-par", b"/tmp/\xc3"]
)
def test_a_note_of_an_output_that_was_cut_short_goes(tmp_path: Path, note: bytes) -> None:
    (path := tmp_path / "0123456789abcdef").write_bytes(note)
    assert clear_noted(tmp_path) == [] and not path.exists()


def test_a_pipe_among_notes_of_outputs_goes_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "0123456789abcdef")
    assert clear_noted(tmp_path) == [] and not path.exists()
