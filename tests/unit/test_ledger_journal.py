"""The notes of an act under way: only this hub's own count, and only as long as the ledger has not gone past them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.files import write_atomically
from fairhaven.kernel.signing_key import SigningKey
from fairhaven.ledger import EventKind, Journal, Ledger, content_hash
from tests.support.actors import ANNA
from tests.support.ledgers import ledger_in
from tests.support.work_done import bytes_read


def _ledger(store: Path, *, key: bytes = b"k" * 32, name: str = "") -> Ledger:
    return ledger_in(store, signer=SigningKey(lambda: key), name=name)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return _ledger(tmp_path / "store")


def _written(ledger: Ledger, *texts: str) -> Journal:
    """Notes of an act that writes these texts, one after the other, to the same file."""
    journal = ledger.journal("act.json")
    with journal.writing({"who": 7}, by=ANNA, is_mine=lambda path: path == "file"):
        for text in texts:
            write_atomically(ledger.store / "file", text)
            write_atomically(ledger.store / "other", text)
    return journal


def test_each_file_of_the_act_is_noted_before_it_takes_its_place(ledger: Ledger) -> None:
    (ledger.store / "file").mkdir()  # so that nothing else can have this place
    with pytest.raises(OSError, match="file"):
        _written(ledger, "a")
    [note] = ledger.journal("act.json").notes()
    assert set(note.files) == {"file"} and (note.actor, note.facts) == (ANNA, {"who": 7})


def test_what_is_noted_last_of_a_file_is_what_is_there(ledger: Ledger) -> None:
    journal = _written(ledger, "a", "b")
    assert journal.files() == {"file": content_hash(ledger.store / "file")}
    assert [note.actor for note in journal.notes()] == [ANNA, None]
    journal.end()
    assert not journal.is_open() and journal.files() == {}


def test_another_act_adds_nothing_to_notes_that_an_earlier_one_left(ledger: Ledger) -> None:
    journal = _written(ledger, "a")
    before = journal.path.read_bytes()
    with pytest.raises(NotAllowedNow, match=r"act\.json has notes of an act that was cut short"):
        _written(ledger, "b")
    assert journal.path.read_bytes() == before and (ledger.store / "file").read_text() == "a"
    with journal.noting(is_mine=lambda path: path == "file"):  # whoever goes on with that act
        write_atomically(ledger.store / "file", "c")
    assert journal.files() == {"file": content_hash(ledger.store / "file")}


def _line(content: bytes, number: int, change: Callable[[dict[str, object]], object]) -> bytes:
    lines = content.splitlines()
    plain = json.loads(lines[number])
    change(plain)
    lines[number] = json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()
    return b"\n".join(lines) + b"\n"


ALTERATIONS: dict[str, Callable[[bytes], bytes]] = {
    "another person": lambda content: content.replace(b'"who":7', b'"who":8'),
    "another hash": lambda content: _line(content, 1, lambda plain: plain.update(files={"file": "0" * 64})),
    "another file": lambda content: content.replace(b'"file":', b'"ledger.jsonl":'),
    "without the signature": lambda content: _line(content, 0, lambda plain: plain.update(signature="")),
    "no hexadecimal": lambda content: _line(content, 0, lambda plain: plain.update(signature="zz")),
    "without the first line": lambda content: content.split(b"\n", 1)[1],
    "a line dropped": lambda content: b"".join(content.splitlines(keepends=True)[::2]),
    "a line twice": lambda content: content + content.splitlines(keepends=True)[-1],
    "lines of another form": lambda _: b"[]\n",
    "before the first entry": lambda content: _line(content, 0, lambda plain: plain.update(entries=-1000)),
    "nested too deeply": lambda _: b"[" * 200_000 + b"\n",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_notes_that_were_altered_are_refused_by_their_name(ledger: Ledger, alteration: str) -> None:
    path = _written(ledger, "a", "b", "c").path
    path.write_bytes(ALTERATIONS[alteration](path.read_bytes()))
    with pytest.raises(Invalid, match=r"act.json: is damaged, or was not written by this hub"):
        ledger_in(ledger.store, signer=SigningKey(lambda: b"k" * 32)).journal("act.json").notes()


def test_notes_of_another_act_another_hub_or_a_ledger_that_is_no_more_are_refused(
    ledger: Ledger, tmp_path: Path
) -> None:
    mine = _written(ledger, "a").path.read_bytes()
    (ledger.store / "erasing.json").write_bytes(mine)
    with pytest.raises(Invalid):
        ledger.journal("erasing.json").notes()
    others = _ledger(tmp_path / "other", key=b"o" * 32)
    (ledger.store / "act.json").write_bytes(_written(others, "a").path.read_bytes())
    with pytest.raises(Invalid):
        ledger.journal("act.json").notes()
    restored = _ledger(tmp_path / "restored", name="another")
    (restored.store / "act.json").write_bytes(mine)
    with pytest.raises(Invalid):
        restored.journal("act.json").notes()


def test_a_last_line_that_a_power_cut_tore_is_passed_over_and_the_next_one_takes_its_place(ledger: Ledger) -> None:
    journal = _written(ledger, "a", "b")
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-10])
    assert len(journal.notes()) == 1
    journal.note(files={"file": None})
    assert [dict(note.files) for note in journal.notes()][1:] == [{"file": None}]


def test_what_old_notes_say_of_a_file_counts_no_more_once_an_entry_has_had_it(ledger: Ledger) -> None:
    journal = _written(ledger, "a")
    old = journal.path.read_bytes()
    ledger.append(EventKind.LANDED_AGAIN, {}, by=ANNA, files=journal.files())
    assert journal.files() == {}
    journal.end()
    write_atomically(ledger.store / "file", "b")
    ledger.append(EventKind.LANDED_AGAIN, {}, by=ANNA, files={"file": content_hash(ledger.store / "file")})
    journal.path.write_bytes(old)
    assert ledger.journal("act.json").files() == {}


@pytest.mark.parametrize(("there", "is_taken_back"), [("a", True), ("b", False), ("altered", False)])
def test_a_last_line_whose_file_is_still_as_before_is_taken_back_and_no_other(
    ledger: Ledger, there: str, is_taken_back: bool
) -> None:
    journal = _written(ledger, "a", "b")
    write_atomically(ledger.store / "file", there)
    last = journal.files()
    journal.settle({})
    assert (journal.files() != last) is is_taken_back
    assert (journal.files()["file"] == content_hash(ledger.store / "file")) is (there != "altered")


def test_what_a_version_without_notes_left_counts_where_an_upgrade_entered_it_and_nowhere_else(ledger: Ledger) -> None:
    write_atomically(ledger.store / "erasing.json", '{"person": 7}')
    journal = ledger.journal("erasing.json")
    assert journal.before() is None
    notes = {"erasing.json": hashlib.sha256(b'{"person": 7}').hexdigest()}
    ledger.append(EventKind.UPGRADED, {"notes": notes}, by=ANNA)
    assert journal.before() == {"person": 7}
    write_atomically(ledger.store / "erasing.json", '{"person": 8}')
    assert journal.before() is None
    assert _written(ledger, "a").before() is None


def test_a_line_costs_the_same_however_many_are_there(ledger: Ledger) -> None:
    journal = ledger.journal("act.json")
    journal.begin({"who": 7}, by=ANNA)
    read = []
    for number in range(200):
        before = bytes_read()
        journal.note(files={f"landing/{number:06d}/events.parquet": "0" * 64})
        read.append(bytes_read() - before)
    assert read[-1] < 1.1 * read[10]
    assert len(journal.notes()) == 201


def test_notes_that_another_process_wrote_anew_are_read_anew(ledger: Ledger) -> None:
    mine, theirs = _written(ledger, "a", "b"), ledger_in(ledger.store, signer=SigningKey(lambda: b"k" * 32))
    assert len(mine.notes()) == 2
    theirs.journal("act.json").begin({"who": 8}, by=ANNA)
    assert [note.facts for note in mine.notes()] == [{"who": 8}]
    theirs.journal("act.json").end()
    assert mine.notes() == ()
