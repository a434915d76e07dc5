"""The ledger: entries in a database that refuses to change them, held by their hashes, a tree and a signed head."""

import base64
import datetime as dt
import fcntl
import hashlib
import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.exc import SQLAlchemyError

from fairhaven.journeys.hub_records import make_records
from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.files import canonical_json
from fairhaven.kernel.signing_key import SigningKey
from fairhaven.ledger import Checkpoint, EventKind, Ledger
from fairhaven.ledger.merkle import leaf_hash, root_of
from tests.support.actors import ANNA, BEN
from tests.support.ledgers import SIGNER, alter, ledger_in
from tests.support.processes import PATIENCE

PUBLISHED = "published-ledger.jsonl"


def _clock() -> dt.datetime:
    return dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose ledger has four entries."""
    store = tmp_path_factory.mktemp("ledger") / "store"
    ledger = ledger_in(store, now=_clock)
    for number in (1, 2, 3):
        ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
    return store


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(template, tmp_path / "store")


@pytest.fixture
def ledger(store: Path) -> Ledger:
    return ledger_in(store, now=_clock)


def _reader(store: Path) -> Ledger:
    """The ledger as an account has it that only reads the hub."""
    return Ledger(store, public=lambda: SIGNER.public)


def test_entries_follow_each_other_by_hash(ledger: Ledger) -> None:
    entry = ledger.append(EventKind.RELEASE, {"name": "r0001"}, by=ANNA)
    *_, before, last = ledger.entries()
    assert (last, entry.number, entry.previous) == (entry, 5, before.hash)
    assert ledger.verify() == [] and ledger.head_faults() == []


def test_the_same_history_has_the_same_hashes(tmp_path: Path) -> None:
    one, two = ledger_in(tmp_path / "a", now=_clock), ledger_in(tmp_path / "b", now=_clock)
    assert (
        one.append(EventKind.RELEASE, {"b": 1, "a": "é"}, by=ANNA).hash
        == two.append(EventKind.RELEASE, {"a": "é", "b": 1}, by=ANNA).hash
    )


def test_a_change_of_the_database_and_its_event_are_written_together_or_not_at_all(ledger: Ledger) -> None:
    with pytest.raises(SQLAlchemyError), ledger.change(EventKind.PROJECT, {}, by=ANNA) as change:
        change.connection.exec_driver_sql("CREATE TABLE mine (a); nonsense")
    assert ledger.length() == 4
    with ledger.change(EventKind.PROJECT, {"project": "a"}, by=ANNA, about="a") as change:
        change.connection.exec_driver_sql("CREATE TABLE mine (a)")
    assert (ledger.entries()[-1], change.entry.about) == (change.entry, "a")


def test_work_redone_records_once_and_stays_the_act_of_who_decided_it(ledger: Ledger) -> None:
    assert ledger.append_once(EventKind.DELIVERY, {"number": 1}, by=BEN).number == 2
    assert ledger.append_once(EventKind.ERASURE, {"persons": ["d"]}, by=ANNA).number == 5
    assert ledger.append_once(EventKind.ERASURE, {"persons": ["d"]}, by=BEN).actor == ANNA
    assert ledger.length() == 5


def test_what_is_in_use_is_recorded_each_time_it_changes(ledger: Ledger) -> None:
    for version in ("v1", "v2", "v2", "v1"):
        ledger.append_change(EventKind.VOCABULARY, {"version": version}, by=ANNA)
    assert [entry.facts["version"] for entry in ledger.entries_of(EventKind.VOCABULARY)] == ["v1", "v2", "v1"]


# What somebody does who has the database file and not the key.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET content = '{}' WHERE number = 2",
        "DELETE FROM event WHERE number = 4",
        "INSERT OR REPLACE INTO event SELECT number, '{}', hash, kind, about FROM event WHERE number = 2",
        "REPLACE INTO event SELECT * FROM event WHERE number = 2",
    ],
)
def test_the_database_itself_refuses_to_change_or_remove_an_entry(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store / "records.sqlite")) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="the ledger is only added to"):
            connection.execute(statement)
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (4,)


def _chained_anew(connection: sqlite3.Connection) -> None:
    """Every hash computed again, so that the chain holds."""
    previous = "0" * 64
    rows = connection.execute("SELECT number, content FROM event ORDER BY number").fetchall()
    connection.execute("DELETE FROM event")
    for number, (_, content) in enumerate(rows, start=1):
        plain = json.loads(content) | {"previous": previous, "number": number}
        text = canonical_json(plain)
        previous = hashlib.sha256(text.encode()).hexdigest()
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, '')", (number, text, previous, plain["kind"]))


def _anew(statement: str) -> Callable[[Path], None]:
    def act(store: Path) -> None:
        alter(store, statement)
        with closing(sqlite3.connect(store / "records.sqlite")) as connection, connection:
            _chained_anew(connection)

    return act


def _statements(*statements: str) -> Callable[[Path], None]:
    return lambda store: alter(store, *statements)


ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a row changed": (
        _statements("""UPDATE event SET content = replace(content, '"number":1}', '"number":9}') WHERE number = 2"""),
        r"ledger:2: .*altered",
    ),
    "who did it changed": (
        _statements("""UPDATE event SET content = replace(content, '"anna"', '"ben"') WHERE number = 3"""),
        r"ledger:3: .*altered",
    ),
    "a row filed under another kind": (
        _statements("UPDATE event SET kind = 'release' WHERE number = 3"),
        r"ledger:3: .*filed under what it is not",
    ),
    "a row filed under something else that it is about": (
        _statements("UPDATE event SET about = 'x' WHERE number = 3"),
        r"ledger:3: .*filed under what it is not",
    ),
    "a row dropped": (_statements("DELETE FROM event WHERE number = 2"), r"ledger:2: .*dropped"),
    "two rows swapped": (
        _statements(
            "UPDATE event SET number = 9 WHERE number = 2",
            "UPDATE event SET number = 2 WHERE number = 3",
            "UPDATE event SET number = 3 WHERE number = 9",
        ),
        r"ledger:2: .*moved or dropped",
    ),
    "a row that is none": (_statements("UPDATE event SET content = 'x' WHERE number = 2"), "ledger:2: is no entry"),
    "a row that is no text": (
        _statements("UPDATE event SET content = x'00ff' WHERE number = 2"),
        "ledger:2: is no entry|records.sqlite is damaged",
    ),
    "the tail cut": (_statements("DELETE FROM event WHERE number = 4"), "there were 4 entries, and the ledger has 3"),
    "all cut": (_statements("DELETE FROM event"), "there were 4 entries, and the ledger has 0"),
    "a row inserted and all renumbered": (
        _anew("INSERT INTO event SELECT 0, content, hash, kind, about FROM event WHERE number = 4"),
        "fewer entries than the ledger has|other ones than the ledger has",
    ),
    "everything computed anew": (
        _anew("""UPDATE event SET content = replace(content, '"number":1}', '"number":9}') WHERE number = 2"""),
        "the first 4 entries are other ones",
    ),
    "the head taken away": (_statements("DELETE FROM ledger_head"), "checkpoint: is missing"),
    "the head of another time": (
        _statements("UPDATE ledger_head SET note = replace(note, '\n4\n', '\n3\n')"),
        "was not signed by this hub's key",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_was_done_to_the_database_without_the_key_is_named_and_nothing_is_decided_by_it(
    store: Path, attack: str
) -> None:
    act, said = ATTACKS[attack]
    act(store)
    ledger = _opened(store)
    asked: tuple[Callable[[], object], ...] = (
        ledger.entries,
        ledger.files,
        ledger.head,
        lambda: ledger.append(EventKind.RELEASE, {}, by=ANNA),
        lambda: ledger.begin({}, by=ANNA),
    )
    for ask in asked:
        with pytest.raises(Invalid, match=said):
            ask()
    assert ledger.verify() + ledger.head_faults()


def _opened(store: Path, *, signer: SigningKey = SIGNER) -> Ledger:
    database = make_records(store)
    return Ledger(store, database=lambda: database, signer=signer)


def test_an_older_copy_of_the_database_is_told_by_what_was_published_since(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "older")
    _opened(store).append(EventKind.RELEASE, {}, by=ANNA)
    for path in store.glob("records.sqlite*"):
        path.unlink()
    for path in (tmp_path / "older").glob("records.sqlite*"):
        shutil.copyfile(path, store / path.name)
    with pytest.raises(Invalid, match="has 4 entries, and a head of 5 was published"):
        _opened(store).entries()


# What only a checkpoint tells that was kept elsewhere: whoever has the key as well can sign anything.


def _kept(ledger: Ledger, folder: Path) -> Path:
    kept = folder / "kept"
    kept.write_text(ledger.signed_head()[0])
    return kept


def _signed_anew(store: Path, *, signer: SigningKey = SIGNER) -> Ledger:
    """Whoever has the key signs what is there, and takes away what was published."""
    for name in ("checkpoint", PUBLISHED):
        (store / name).unlink(missing_ok=True)
    ledger = _opened(store, signer=signer)
    chain = ledger.as_read()
    root = root_of(chain.leaves).hex()
    origin = f"fairhaven/{chain.entries[0].hash[:32]}/tree"
    note = Checkpoint(origin=origin, size=chain.size, hash=root).signed(signer)
    alter(store, "DELETE FROM ledger_head", f"INSERT INTO ledger_head VALUES (1, '{note}')")
    return ledger


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        ("the tail cut", "there were 4 entries, and the ledger has 3"),
        ("everything computed anew", "the first 4 entries are other ones"),
        ("a row inserted and all renumbered", "the first 4 entries are other ones"),
    ],
)
def test_a_checkpoint_kept_elsewhere_tells_what_was_signed_again(
    store: Path, tmp_path: Path, attack: str, said: str
) -> None:
    kept = _kept(_opened(store), tmp_path)
    ATTACKS[attack][0](store)
    ledger = _signed_anew(store)
    assert ledger.verify() == [] and ledger.head_faults() == []
    [fault] = ledger.head_faults(kept)
    assert said in fault.message


def test_a_ledger_signed_anew_with_another_key_is_told_by_a_checkpoint_kept_elsewhere(
    store: Path, tmp_path: Path
) -> None:
    kept = _kept(_opened(store), tmp_path)
    [fault] = _signed_anew(store, signer=SigningKey(lambda: bytes(32))).head_faults(kept)
    assert "was not signed by this hub's key" in fault.message


def test_a_checkpoint_kept_elsewhere_holds_as_the_ledger_goes_on(ledger: Ledger, tmp_path: Path) -> None:
    kept = _kept(ledger, tmp_path)
    for number in range(5):
        ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
        assert ledger.head_faults(kept) == []


def test_no_byte_of_a_checkpoint_can_be_changed(ledger: Ledger, tmp_path: Path) -> None:
    kept = _kept(ledger, tmp_path)
    whole = kept.read_bytes()
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 1
        kept.write_bytes(altered)
        assert ledger.head_faults(kept), place


def test_the_head_is_signed_with_each_entry_in_the_form_of_c2sp_over_the_root_of_rfc_9162(ledger: Ledger) -> None:
    head = ledger.head()
    assert head is not None and head.size == 4
    origin, size, digest, empty, line, end = ledger.checkpoint.read_text().split("\n")
    assert (origin, size, empty, end) == (head.origin, "4", "", "")
    contents = [canonical_json(entry.content()).encode() for entry in ledger.entries()]
    left, right = (
        hashlib.sha256(b"\x01" + leaf_hash(one) + leaf_hash(other)).digest()
        for one, other in (contents[:2], contents[2:])
    )
    assert base64.b64decode(digest) == hashlib.sha256(b"\x01" + left + right).digest() == bytes.fromhex(head.hash)
    dash, name, signature = line.split(" ")
    key = hashlib.sha256(origin.encode() + b"\n\x01" + SIGNER.public).digest()[:4]
    assert (dash, name, base64.b64decode(signature)[:4]) == ("\u2014", origin, key)
    public = Ed25519PublicKey.from_public_bytes(SIGNER.public)
    public.verify(base64.b64decode(signature)[4:], f"{origin}\n{size}\n{digest}\n".encode())


# What is published, for accounts that may not open the database.


def test_who_only_reads_the_hub_knows_what_is_published_and_writes_nothing(ledger: Ledger) -> None:
    reader = _reader(ledger.store)
    for number in range(3):
        entry = ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
        assert reader.entries()[-1] == entry
    assert list(reader.entries()) == list(ledger.entries())
    assert reader.head() == ledger.head()
    assert reader.verify() == reader.head_faults() == []
    with pytest.raises(PermissionError):
        reader.append(EventKind.DELIVERY, {"number": 1}, by=ANNA)


def test_what_was_altered_of_what_is_published_is_told_and_the_next_act_publishes_it_again(ledger: Ledger) -> None:
    published = ledger.store / PUBLISHED
    whole = published.read_bytes()
    lines = whole.splitlines(keepends=True)
    for altered in (
        whole.replace(b'"number":2}', b'"number":9}'),
        b"".join(lines[:-1]),
        lines[0] + b"".join(lines[2:]),
        b"hello\n",
        whole[:-9],
        b"",
    ):
        published.write_bytes(altered)
        with pytest.raises(Invalid):
            _reader(ledger.store).entries()
        _opened(ledger.store).append(EventKind.RELEASE, {}, by=ANNA)
        assert list(_reader(ledger.store).entries()) == list(ledger.entries())
        whole = published.read_bytes()
        lines = whole.splitlines(keepends=True)
    for text in (b"", b"hello"):
        ledger.checkpoint.write_bytes(text)
        with pytest.raises(Invalid):
            _reader(ledger.store).entries()
        ledger = _opened(ledger.store)
        assert ledger.length() == _reader(ledger.store).length()


def test_entries_that_nobody_signed_are_none_for_who_only_reads(ledger: Ledger) -> None:
    published = ledger.store / PUBLISHED
    *_, last = ledger.entries()
    forged = {"number": 5, "at": last.at, "kind": "roll-back", "facts": {"release": "r0001"}, "previous": last.hash}
    digest = hashlib.sha256(canonical_json(forged).encode()).hexdigest()
    with published.open("a") as file:
        file.write(canonical_json(forged | {"hash": digest}) + "\n")
    assert _reader(ledger.store).length() == 4


def test_what_was_written_before_a_kill_is_published_by_the_next_command(ledger: Ledger) -> None:
    published = (ledger.store / PUBLISHED).read_bytes(), ledger.checkpoint.read_bytes()
    entry = ledger.append(EventKind.RELEASE, {}, by=ANNA)
    (ledger.store / PUBLISHED).write_bytes(published[0] + b'{"torn')
    ledger.checkpoint.write_bytes(published[1])
    assert _reader(ledger.store).length() == 4
    _opened(ledger.store).entries()
    assert _reader(ledger.store).entries()[-1] == entry


def test_what_is_entered_is_entered_though_it_cannot_be_published(ledger: Ledger) -> None:
    published = ledger.store / PUBLISHED
    published.unlink()
    published.mkdir()
    entry = ledger.append(EventKind.RELEASE, {}, by=ANNA)
    assert ledger.entries()[-1] == entry
    published.rmdir()
    ledger.append(EventKind.RELEASE, {}, by=ANNA)
    assert list(_reader(ledger.store).entries()) == list(ledger.entries())


def test_the_key_by_which_a_reader_knows_the_head_may_be_told_by_what_is_published_itself(ledger: Ledger) -> None:
    """As where the hub's own account reads a store that cannot be written."""

    def public() -> bytes:
        assert reader.as_found().entries[0].kind == EventKind.HUB_MADE
        return SIGNER.public

    reader = Ledger(ledger.store, public=public)
    assert reader.length() == 4


def test_a_head_whose_publishing_was_killed_leaves_nothing_beside_the_next(ledger: Ledger) -> None:
    (ledger.store / ".checkpoint.torn.part").write_text("cut o")
    ledger.append(EventKind.RELEASE, {"name": "r2"}, by=ANNA)
    assert not list(ledger.store.glob(".*.part"))


def test_who_may_read_what_is_published_holds_nobody_up_by_a_lock_on_it(ledger: Ledger) -> None:
    with (ledger.store / PUBLISHED).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writing = Thread(target=lambda: ledger.append(EventKind.RELEASE, {"name": "r2"}, by=ANNA), daemon=True)
        writing.start()
        writing.join(PATIENCE)
        assert not writing.is_alive()
    assert stat.S_IMODE((ledger.store / "locks").stat().st_mode) == 0o700


# Beginning, going on, and several processes.


def test_a_ledger_is_begun_once(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    with pytest.raises(Invalid, match="checkpoint: is missing"):
        _opened(store).append(EventKind.DELIVERY, {"number": 1}, by=ANNA)
    first = _opened(store).begin({"keys": {}}, by=ANNA)
    assert (first.number, first.kind) == (1, EventKind.HUB_MADE)
    assert _opened(store).begin({"keys": {"other": "x"}}, by=BEN) == first


def test_an_entry_is_read_once_whoever_appends(store: Path) -> None:
    mine, other = _opened(store), _opened(store)
    first, *_ = mine.entries()
    other.append(EventKind.DELIVERY, {"number": 4}, by=ANNA)
    assert mine.length() == 5
    mine.append(EventKind.DELIVERY, {"number": 5}, by=ANNA)
    assert other.length() == 6
    assert mine.entries()[0] is first
    assert mine.entries() is mine.entries()


def test_many_write_at_once_and_every_entry_is_there_and_published(store: Path) -> None:
    ledgers = [_opened(store) for _ in range(3)]

    def write(ledger: Ledger, thread: int) -> None:
        for number in range(5):
            ledger.append(EventKind.DELIVERY, {"thread": thread, "number": number}, by=ANNA)

    threads = [Thread(target=write, args=(ledgers[each % 3], each)) for each in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = _opened(store).entries()
    written = [(entry.facts["thread"], entry.facts["number"]) for entry in entries[4:]]
    assert sorted(written) == [(thread, number) for thread in range(6) for number in range(5)]
    assert list(_reader(store).entries()) == list(entries)


# Proofs, for who has no Fairhaven.


def test_an_entry_of_a_ledger_is_proved_and_that_it_goes_on_from_a_checkpoint(ledger: Ledger, tmp_path: Path) -> None:
    kept = _kept(ledger, tmp_path)
    ledger.append(EventKind.RELEASE, {}, by=ANNA)
    proof = ledger.prove(2, since=kept)
    assert (proof.number, proof.content) == (2, canonical_json(ledger.entries()[1].content()))
    assert proof.since is not None and proof.since.size == 4
    with pytest.raises(NotFound, match="there is no entry 6: the ledger has 5"):
        ledger.prove(6)
    with pytest.raises(NotFound, match="there is no file"):
        ledger.prove(1, since=tmp_path / "none")
    kept.write_text(kept.read_text().replace("\n4\n", "\n3\n"))
    with pytest.raises(Invalid, match="was not signed"):
        ledger.prove(1, since=kept)
