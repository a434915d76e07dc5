"""The ledger: a chain that shows every change."""

import base64
import datetime as dt
import fcntl
import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.signing_key import SigningKey
from fairhaven.ledger import Entry, EventKind, Ledger
from tests.support.actors import ANNA, BEN
from tests.support.processes import PATIENCE


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl", now=lambda: dt.datetime(2026, 11, 21, tzinfo=dt.UTC))


def test_entries_follow_each_other_by_hash(ledger: Ledger) -> None:
    first = ledger.append(EventKind.RELEASE, {"name": "r0001"}, by=ANNA)
    second = ledger.append(EventKind.RELEASE, {"name": "r0002"}, by=ANNA)
    assert (first.number, second.number) == (1, 2)
    assert second.previous == first.hash
    assert list(ledger.entries()) == [first, second]
    assert ledger.verify() == []


def test_the_same_history_has_the_same_hashes(tmp_path: Path) -> None:
    def clock() -> dt.datetime:
        return dt.datetime(2026, 11, 21, tzinfo=dt.UTC)

    one, two = Ledger(tmp_path / "a", now=clock), Ledger(tmp_path / "b", now=clock)
    assert (
        one.append(EventKind.RELEASE, {"b": 1, "a": "é"}, by=ANNA).hash
        == two.append(EventKind.RELEASE, {"a": "é", "b": 1}, by=ANNA).hash
    )


def test_work_redone_records_once(ledger: Ledger) -> None:
    ledger.append(EventKind.DELIVERY, {"number": 1}, by=ANNA)
    again = ledger.append_once(EventKind.DELIVERY, {"number": 1}, by=ANNA)
    assert again.number == 1
    assert ledger.append_once(EventKind.DELIVERY, {"number": 2}, by=ANNA).number == 2


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_changed_entry_is_found(ledger: Ledger, line: int) -> None:
    for number in range(3):
        ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
    lines = ledger.path.read_text().splitlines()
    lines[line] = lines[line].replace('"kind":"delivery"', '"kind":"Delivery"')
    ledger.path.write_text("\n".join(lines) + "\n")
    assert [fault.line for fault in ledger.verify()] == [line + 1]


def test_a_dropped_entry_is_found(ledger: Ledger) -> None:
    for number in range(3):
        ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
    lines = ledger.path.read_text().splitlines()
    ledger.path.write_text("\n".join([lines[0], lines[2]]) + "\n")
    assert "dropped" in ledger.verify()[0].message


def test_an_entry_rewritten_with_its_hash_is_found_by_the_next(ledger: Ledger) -> None:
    for number in range(2):
        ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
    lines = ledger.path.read_text().splitlines()
    other = Ledger(ledger.path.with_name("other"), now=lambda: dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    other.append(EventKind.DELIVERY, {"number": 9}, by=ANNA)
    ledger.path.write_text(other.path.read_text() + lines[1] + "\n")
    assert [fault.line for fault in ledger.verify()] == [2]


def test_an_entry_in_another_notation_is_the_same_entry(ledger: Ledger) -> None:
    entry = ledger.append(EventKind.RELEASE, {"hash": "é", "release": "r0001"}, by=ANNA)
    written = json.loads(ledger.path.read_text())
    for same in (
        json.dumps(dict(reversed(written.items()))),
        '{"facts": {"release": "r0009"},' + json.dumps(written)[1:],
    ):
        ledger.path.write_text(f"{same}\n")
        assert list(ledger.entries()) == [entry]


def test_what_is_put_into_a_line_is_found_also_where_its_other_text_is_as_it_was(ledger: Ledger) -> None:
    first = ledger.append(EventKind.RELEASE, {"release": "r0001"}, by=ANNA)
    ledger.append(EventKind.RELEASE, {"release": "r0002"}, by=ANNA)
    lines = ledger.path.read_text().splitlines()
    hashed = f',"hash":"{first.hash}"'
    for altered in (
        lines[0].replace('"r0001"', f'"r0001"{hashed}'),  # beside the facts
        lines[0].replace(hashed, "").replace('"r0001"', f'"r0001"{hashed}'),
        lines[0].replace(hashed, f'{hashed},"facts":{{"release":"r0009"}}'),
        f"{lines[0]}, {lines[1]}",
        f"{lines[0]} {lines[1]}",
    ):
        ledger.path.write_text(f"{altered}\n{lines[1]}\n")
        assert ledger.verify()[:1] and ledger.verify()[0].line == 1, altered


@pytest.mark.parametrize("cut", [1, 7, 60])
def test_a_line_torn_by_a_power_cut_is_passed_over_and_written_again(ledger: Ledger, cut: int) -> None:
    ledger.append(EventKind.DELIVERY, {"number": 1}, by=ANNA)
    whole = ledger.path.read_bytes()
    ledger.append(EventKind.DELIVERY, {"number": 2}, by=ANNA)
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    assert [entry.facts["number"] for entry in ledger.entries()] == [1]
    assert ledger.append(EventKind.DELIVERY, {"number": 3}, by=ANNA).number == 2
    assert ledger.path.read_bytes().startswith(whole)
    assert ledger.verify() == []


def test_a_first_line_torn_leaves_an_empty_ledger(ledger: Ledger) -> None:
    ledger.append(EventKind.DELIVERY, {"number": 1}, by=ANNA)
    ledger.path.write_bytes(ledger.path.read_bytes()[:20])
    assert list(ledger.entries()) == []
    assert ledger.append(EventKind.DELIVERY, {"number": 2}, by=ANNA).number == 1
    assert ledger.verify() == []


def test_an_entry_longer_than_the_read_window_is_followed(ledger: Ledger) -> None:
    ledger.append(EventKind.RELEASE, {"rules": ["x" * 1000] * 200}, by=ANNA)
    ledger.append(EventKind.RELEASE, {"rules": ["y" * 1000] * 200}, by=ANNA)
    ledger.append(EventKind.RELEASE, {"rules": []}, by=ANNA)
    assert ledger.verify() == []


def test_a_file_that_is_no_ledger_is_refused(ledger: Ledger) -> None:
    ledger.path.write_text("hello\n")
    with pytest.raises(Invalid):
        ledger.append(EventKind.RELEASE, {}, by=ANNA)
    with pytest.raises(Invalid):
        list(ledger.entries())
    assert len(ledger.verify()) == 1


def test_the_file_is_one_json_object_a_line(ledger: Ledger) -> None:
    ledger.append(EventKind.RELEASE, {"name": "r0001"}, by=ANNA)
    assert set(json.loads(ledger.path.read_text())) == {
        "number",
        "at",
        "kind",
        "facts",
        "actor",
        "previous",
        "hash",
    }


OLD = (
    '{"at":"2026-11-21T00:00:00+00:00","facts":{"delivery":1},"hash":"%s","kind":"delivery","number":1,"previous":"%s"}',
    '{"at":"2026-11-21T00:00:00+00:00","facts":{},"hash":"%s","kind":"erasure of deliveries","number":2,"previous":"%s"}',
)


def written_before_actors() -> str:
    """Two lines as the first version of the ledger wrote them."""
    previous, lines = "0" * 64, []
    for line in OLD:
        plain = json.loads(line % ("", previous))
        del plain["hash"]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        previous, before = hashlib.sha256(text.encode()).hexdigest(), previous
        lines.append(line % (previous, before))
    return "\n".join(lines) + "\n"


def test_a_ledger_of_before_actors_is_read_verified_and_continued(ledger: Ledger) -> None:
    ledger.path.write_text(written_before_actors())
    new = ledger.append(EventKind.RELEASE, {"name": "r0001"}, by=ANNA)
    first, second, third = ledger.entries()
    assert (first.actor, second.actor, third.actor) == (None, None, ANNA)
    assert second.kind == "erasure of deliveries"
    assert third == new
    assert ledger.verify() == []
    assert ledger.append_once(EventKind.DELIVERY, {"delivery": 1}, by=ANNA).number == 1


@pytest.mark.parametrize(
    ("old", "new"), [('"anna"', '"ben"'), ('"actor":{"kind":"operating-system user","name":"anna"},', "")]
)
def test_who_did_it_cannot_be_changed_or_taken_out_unseen(ledger: Ledger, old: str, new: str) -> None:
    ledger.append(EventKind.RELEASE, {"name": "r0001"}, by=ANNA)
    text = ledger.path.read_text()
    assert old in text
    ledger.path.write_text(text.replace(old, new))
    assert "altered" in ledger.verify()[0].message


def test_work_redone_by_another_person_stays_the_act_of_who_decided_it(ledger: Ledger) -> None:
    ledger.append_once(EventKind.ERASURE, {"persons": ["d"]}, by=ANNA)
    assert ledger.append_once(EventKind.ERASURE, {"persons": ["d"]}, by=BEN).actor == ANNA
    assert ledger.length() == 1


def test_what_is_in_use_is_recorded_each_time_it_changes(ledger: Ledger) -> None:
    for version in ("v1", "v2", "v2", "v1"):
        ledger.append_change(EventKind.VOCABULARY, {"version": version}, by=ANNA)
    assert [entry.facts["version"] for entry in ledger.entries()] == ["v1", "v2", "v1"]


SIGNER = SigningKey(lambda: bytes(range(32)))


@pytest.fixture
def signed(tmp_path: Path) -> Ledger:
    ledger = Ledger(tmp_path / "signed.jsonl", signer=SIGNER, now=lambda: dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    ledger.begin({"keys": {}}, by=ANNA)
    for number in (1, 2, 3):
        ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
    return ledger


def test_the_head_is_signed_after_each_entry_in_the_form_of_c2sp(signed: Ledger) -> None:
    head = signed.head()
    assert head is not None and head.size == 4
    origin, size, digest, empty, line, end = signed.checkpoint.read_text().split("\n")
    assert (origin, size, empty, end) == (head.origin, "4", "", "")
    assert base64.b64decode(digest).hex() == head.hash
    dash, name, signature = line.split(" ")
    key = hashlib.sha256(origin.encode() + b"\n\x01" + SIGNER.public).digest()[:4]
    assert (dash, name, base64.b64decode(signature)[:4]) == ("\u2014", origin, key)
    public = Ed25519PublicKey.from_public_bytes(SIGNER.public)
    public.verify(base64.b64decode(signature)[4:], f"{origin}\n{size}\n{digest}\n".encode())
    assert signed.head_faults() == []


def test_a_ledger_that_was_cut_is_told_by_its_signed_head_and_nothing_is_entered(signed: Ledger) -> None:
    lines = signed.path.read_bytes().splitlines(keepends=True)
    signed.path.write_bytes(b"".join(lines[:-1]))
    assert signed.verify() == []
    with pytest.raises(Invalid, match="it was cut"):
        signed.append(EventKind.DELIVERY, {"number": 9}, by=ANNA)
    signed.path.unlink()
    with pytest.raises(Invalid, match="it was cut"):
        signed.append(EventKind.DELIVERY, {"number": 9}, by=ANNA)


def test_a_ledger_written_anew_from_the_start_is_told_by_its_signed_head(signed: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other", now=lambda: dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
    other.append(EventKind.HUB_MADE, {"keys": {}}, by=ANNA)
    for number in (1, 7, 3):
        other.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
    signed.path.write_bytes(other.path.read_bytes())
    assert signed.verify() == []
    with pytest.raises(Invalid, match="written anew"):
        signed.append(EventKind.DELIVERY, {"number": 9}, by=ANNA)


def test_a_checkpoint_kept_elsewhere_tells_what_one_beside_the_ledger_no_longer_can(
    signed: Ledger, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(signed.checkpoint.read_bytes())
    signed.append(EventKind.DELIVERY, {"number": 4}, by=ANNA)
    assert signed.head_faults(kept) == []
    # Somebody who has the key cuts the ledger, and would sign what is left.
    signed.path.write_bytes(b"".join(signed.path.read_bytes().splitlines(keepends=True)[:2]))
    signed.checkpoint.write_text(Ledger(signed.path).head().signed(SIGNER))  # type: ignore[union-attr]
    assert signed.head_faults() == []
    [fault] = signed.head_faults(kept)
    assert "it was cut" in fault.message


def test_a_lost_or_altered_checkpoint_is_a_fault_and_one_of_another_key_too(signed: Ledger) -> None:
    before = signed.checkpoint.read_bytes()
    for place in range(len(before)):
        altered = bytearray(before)
        altered[place] ^= 1
        signed.checkpoint.write_bytes(altered)
        assert signed.head_faults(), place
    signed.checkpoint.write_bytes(before)
    [fault] = Ledger(signed.path, signer=SigningKey(lambda: bytes(32))).head_faults()
    assert "was not signed by this hub's key" in fault.message
    signed.checkpoint.unlink()
    [fault] = signed.head_faults()
    assert "is missing" in fault.message


def test_an_entry_whose_signing_was_cut_off_is_signed_with_the_next(signed: Ledger) -> None:
    before = signed.checkpoint.read_bytes()
    signed.append(EventKind.DELIVERY, {"number": 4}, by=ANNA)
    signed.checkpoint.write_bytes(before)
    assert signed.head_faults() == []
    signed.append(EventKind.DELIVERY, {"number": 5}, by=ANNA)
    assert signed.checkpoint.read_text().split("\n")[1] == "6"


@pytest.mark.parametrize("act", [Ledger.append_once, Ledger.append_change])
def test_an_act_done_again_signs_the_head_that_its_first_run_was_killed_before_signing(
    tmp_path: Path, act: Callable[..., Entry]
) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", signer=SIGNER)
    first = ledger.begin({"keys": {}}, by=ANNA)
    ledger.checkpoint.unlink()
    assert ledger.begin({"keys": {}}, by=ANNA) == first
    assert ledger.checkpoint.read_text().split("\n")[1] == "1"
    second = act(ledger, EventKind.VOCABULARY, {"version": "v"}, by=ANNA)
    before = ledger.checkpoint.read_bytes()
    third = act(ledger, EventKind.VOCABULARY, {"version": "w"}, by=ANNA)
    ledger.checkpoint.write_bytes(before)
    assert act(ledger, EventKind.VOCABULARY, {"version": "w"}, by=BEN) == third != second
    assert ledger.checkpoint.read_text().split("\n")[1] == "3"


def test_a_head_whose_writing_was_killed_leaves_nothing_beside_the_next(signed: Ledger) -> None:
    (signed.store / ".checkpoint.torn.part").write_text("cut o")
    signed.append(EventKind.RELEASE, {"name": "r2"}, by=ANNA)
    assert {path.name for path in signed.store.iterdir()} == {"signed.jsonl", "checkpoint", "locks"}


def test_who_may_read_the_ledger_holds_nobody_up_by_a_lock_on_it(signed: Ledger) -> None:
    with signed.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writing = Thread(target=lambda: signed.append(EventKind.RELEASE, {"name": "r2"}, by=ANNA), daemon=True)
        writing.start()
        writing.join(PATIENCE)
        assert not writing.is_alive()
    assert stat.S_IMODE((signed.store / "locks").stat().st_mode) == 0o700


def test_nothing_is_decided_by_a_ledger_whose_chain_or_head_does_not_hold(signed: Ledger) -> None:
    whole = signed.path.read_text()
    signed.path.write_text(whole.replace('"number":2}', '"number":7}', 1))
    for ask in (signed.entries, signed.files, signed.length, signed.head):
        with pytest.raises(Invalid, match=r"signed\.jsonl:3: .*altered.*Restore the ledger"):
            ask()
    signed.path.write_text(whole)
    assert signed.length() == 4
    signed.checkpoint.unlink()
    for ask in (signed.entries, signed.files, signed.length, signed.head):
        with pytest.raises(Invalid, match="checkpoint: is missing"):
            ask()


def test_a_line_that_the_head_counts_is_never_cut_away(signed: Ledger) -> None:
    torn = signed.path.read_bytes()[:-1]
    signed.path.write_bytes(torn)
    for kind in (EventKind.DELIVERY, EventKind.HUB_MADE):
        with pytest.raises(Invalid, match="it was cut"):
            signed.append(kind, {"number": 9}, by=ANNA)
    assert signed.path.read_bytes() == torn


def test_a_ledger_begun_anew_without_keys_and_without_a_head_is_not_taken_for_one_of_before(signed: Ledger) -> None:
    signed.checkpoint.unlink()
    for lines in (0, 1, 2):
        signed.path.unlink()
        anew = Ledger(signed.path)
        for number in range(lines):
            anew.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
        with pytest.raises(Invalid, match="checkpoint: is missing"):
            signed.entries()
        with pytest.raises(Invalid, match="checkpoint: is missing"):
            signed.append(EventKind.DELIVERY, {"number": 9}, by=ANNA)


def test_making_a_hub_that_was_killed_before_its_first_head_gives_it_one_and_nothing_else_does(signed: Ledger) -> None:
    lines = signed.path.read_bytes().splitlines(keepends=True)
    signed.checkpoint.unlink()
    signed.begin({"keys": {}}, by=ANNA)
    assert not signed.checkpoint.exists()
    signed.path.write_bytes(lines[0])
    signed.begin({"keys": {}}, by=ANNA)
    assert signed.length() == 1


def test_a_hub_of_before_has_no_head_until_it_is_begun_and_then_must_have_one(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl", signer=SIGNER, public=lambda: None)
    ledger.append(EventKind.DELIVERY, {"number": 1}, by=ANNA)
    assert (ledger.length(), ledger.checkpoint.exists(), ledger.is_signed()) == (1, False, False)
    ledger.begin({}, by=ANNA)
    assert (ledger.length(), ledger.is_signed()) == (1, True)
    ledger.append(EventKind.KEYS_ROTATED, {"keys": {}}, by=ANNA)
    ledger.checkpoint.unlink()
    with pytest.raises(Invalid, match="checkpoint: is missing"):
        ledger.entries()


def test_an_entry_is_read_once_whoever_appends(signed: Ledger) -> None:
    first, *_ = signed.entries()
    other = Ledger(signed.path, signer=SIGNER)
    other.append(EventKind.DELIVERY, {"number": 4}, by=ANNA)
    assert signed.length() == 5
    signed.append(EventKind.DELIVERY, {"number": 5}, by=ANNA)
    assert other.length() == 6
    assert signed.entries()[0] is first
    assert signed.entries() is signed.entries()
