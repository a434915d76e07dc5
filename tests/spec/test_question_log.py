"""The logs of questions: what was added stays, and nothing is believed that a line says of answers or of what they cost."""

import base64
import hashlib
import json
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.kernel.errors import Invalid
from fairhaven.query_audit import Asker, QueryAudit, rules_named
from fairhaven.query_audit.question_log import packed, unpacked

PERSONS = 1_000
RULES = replace(rules_named("standard"), budget=10)
US = Asker(project="ours")
OTHER = 54_321
"""An account that nobody has."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


def opened_as_it_is(folder: Path) -> QueryAudit:
    return QueryAudit(folder / "audit.sqlite", policy_named("hdr-uk"), RULES, is_shared=True)


@contextmanager
def opened(folder: Path) -> Iterator[QueryAudit]:
    is_new = not (folder / "audit.sqlite").exists()
    with opened_as_it_is(folder) as audit:
        if is_new:
            audit.add_release("r1", np.arange(PERSONS, dtype=np.int64))
        yield audit


def ask(folder: Path, *sets: range) -> list[int | None]:
    with opened(folder) as audit:
        decided = [audit.ask(BitMap(persons), asker=US, release="r1") for persons in sets]
    return [decision.count.value if decision.count else None for decision in decided]


def spent(folder: Path) -> int:
    with opened(folder) as audit:
        return audit.budget("ours").spent


def log_of(folder: Path, account: int | None = None) -> Path:
    return folder / "audit" / f"{os.geteuid() if account is None else account}.log"


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A folder in which three questions were asked."""
    ask(tmp_path, range(100, 214), range(300, 424), range(5))
    return tmp_path


def test_a_log_that_was_cut_refuses_the_next_count(asked: Path) -> None:
    log = log_of(asked)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(Invalid, match="was cut off or altered"):
        spent(asked)


def test_a_log_that_was_begun_anew_refuses_the_next_count(asked: Path) -> None:
    log_of(asked).write_bytes(b"")
    with pytest.raises(Invalid, match="was cut off or altered"):
        spent(asked)


def test_a_log_in_whose_last_line_a_byte_is_another_refuses_the_next_count(asked: Path) -> None:
    log = log_of(asked)
    data = bytearray(log.read_bytes())
    data[-10] ^= 1
    log.write_bytes(data)
    with pytest.raises(Invalid, match="was cut off or altered"):
        spent(asked)


def test_tables_and_log_that_were_both_cut_are_refused_by_whoever_has_seen_more(asked: Path, tmp_path: Path) -> None:
    shutil.copytree(asked, tmp_path / "kept")
    ask(asked, range(500, 700))
    with opened(asked) as audit:
        seen = audit.heads()
        audit.check(seen)
    with opened(tmp_path / "kept") as audit, pytest.raises(Invalid, match="was cut off or altered"):
        audit.check(seen)


def test_tables_of_an_earlier_day_take_over_what_the_log_has_since(asked: Path) -> None:
    earlier = (asked / "audit.sqlite").read_bytes()
    assert ask(asked, range(500, 700)) == [200]
    (asked / "audit.sqlite").write_bytes(earlier)
    assert spent(asked) == 4
    assert ask(asked, range(500, 702)) == [200], "the earlier answer, because two persons are all the difference"


def test_a_log_whose_tables_are_lost_is_not_begun_anew(asked: Path) -> None:
    (asked / "audit.sqlite").unlink()
    with pytest.raises(Invalid, match="restore the whole record of questions"):
        spent(asked)


@pytest.mark.parametrize("rest", [b'{"previous": "', b"\xff\xfe", b'{"acts":[]'])
def test_a_line_that_a_power_cut_tore_is_passed_over_and_stays(asked: Path, rest: bytes) -> None:
    log = log_of(asked)
    log.write_bytes(log.read_bytes() + rest)
    assert ask(asked, range(500, 700)) == [200]
    assert rest + b"\n" in log.read_bytes()
    assert spent(asked) == 4


def line(log: Path, **change: Any) -> bytes:
    """A line that follows, of a hundred persons, with what is to be another."""
    heads = json.loads(log.read_text().splitlines()[0])["previous"]
    for each in log.read_bytes().splitlines(keepends=True):
        heads = hashlib.sha256(heads.encode() + each).hexdigest()
    written = {
        "previous": heads,
        "place": 3,
        "asker": {"project": "ours", "organisation": "", "is_federated": False},
        "release": "r1",
        "cells": [cell()],
    }
    return json.dumps({**written, **change}).encode() + b"\n"


def cell(persons: str = packed(np.arange(100, dtype=np.uint32)), **change: Any) -> dict[str, Any]:
    return {"persons": persons, "definition": "", "shown": None, **change}


@pytest.mark.parametrize("persons", [[], [0], [999], range(100, 213), range(0, PERSONS, 31), range(0, PERSONS, 400)])
def test_sets_in_lines_are_read_also_as_earlier_versions_wrote_them(persons: list[int] | range) -> None:
    numbers = np.array(persons, np.uint32)
    plain = zlib.compress(numbers.tobytes(), 1)
    for text in (packed(numbers), base64.b64encode(plain).decode(), base64.b85encode(plain).decode()):
        assert unpacked(text, most=PERSONS).tolist() == list(persons)


DEEP: list[Any] = []
for _ in range(300):
    DEEP = [DEEP]
WRONG = [
    {"release": "r2"},
    {"release": "1; DROP TABLE question"},
    {"cells": "all"},
    {"cells": [cell(packed(np.array([PERSONS], np.uint32)))]},
    {"cells": [cell(base64.b64encode(zlib.compress(bytes(200_000_000), 1)).decode())]},
    {"cells": [cell("bits:" + base64.b64encode(bytes(4 * PERSONS + 1)).decode())]},
    {"cells": [cell("bits:" + base64.b64encode(b"\xff" * (PERSONS // 8 + 1)).decode())]},
    {"cells": [cell("bits:\u00e9")]},
    {"cells": [cell("no numbers")]},
    {"cells": [cell([1, 2, 3])]},  # type: ignore[arg-type]
    {"cells": [cell(shown=10**30)]},
    {"asker": {"project": "", "organisation": "", "is_federated": False}},
    {"asker": {"project": "\ud800", "organisation": "", "is_federated": False}},
    {"release": DEEP},
    {"place": "first"},
    {"previous": "0" * 64},
    {"spent": 1_000},
    {"table": "secret", "bytes": "00"},
]


@pytest.mark.parametrize("change", WRONG, ids=lambda change: json.dumps(change)[:60])
def test_a_line_that_no_count_wrote_is_named_and_nothing_of_it_is_taken_over(
    asked: Path, change: dict[str, Any]
) -> None:
    log, before = log_of(asked), (asked / "audit.sqlite").read_bytes()
    end = log.stat().st_size
    log.write_bytes(log.read_bytes() + line(log, **change))
    with pytest.raises(Invalid, match=f"line 4 was not written by a count.*truncate -s {end} "):
        ask(asked, range(500, 700))
    assert (asked / "audit.sqlite").read_bytes() == before
    os.truncate(log, end)
    assert ask(asked, range(500, 700)) == [200]


def test_tables_that_lost_an_answer_are_not_taken_for_a_line_that_no_count_wrote(asked: Path) -> None:
    with closing(sqlite3.connect(asked / "audit.sqlite")) as tables, tables:
        tables.execute("DELETE FROM question WHERE id = 1")
    log = log_of(asked)
    near = cell(packed(np.arange(100, 213, dtype=np.uint32)))
    log.write_bytes(log.read_bytes() + line(log, cells=[near]))
    with pytest.raises(Invalid, match="lost a part of what was answered"):
        ask(asked, range(500, 700))


@needs_root
@pytest.mark.parametrize("change", WRONG, ids=lambda change: json.dumps(change)[:60])
def test_a_line_that_another_account_made_up_is_named_and_stops_nobody_else(
    asked: Path, change: dict[str, Any]
) -> None:
    mine, theirs = log_of(asked), log_of(asked, OTHER)
    theirs.write_bytes(mine.read_bytes().splitlines(keepends=True)[0])
    with opened(asked) as audit:
        assert audit.heads().keys() == {os.geteuid()}, "what is in the wrong hands is nobody's log"
    os.chown(theirs, OTHER, OTHER)
    theirs.write_bytes(theirs.read_bytes() + line(theirs, **change))
    assert ask(asked, range(500, 700)) == [200]
    with opened(asked) as audit:
        assert audit.heads()[OTHER].lines == 1
        [fault] = audit.faults
        assert (fault.account, fault.line) == (OTHER, 2)
        assert f"uid {OTHER} counts no more; other accounts do" in fault.text
        assert audit.budget("ours").spent == 5


@needs_root
def test_what_a_line_of_another_account_costs_and_gets_is_decided_by_the_rules(asked: Path) -> None:
    theirs = log_of(asked, OTHER)
    lines = log_of(asked).read_bytes().splitlines(keepends=True)
    theirs.write_bytes(lines[0] + line_after(lines[0], persons=range(700, 900)))
    os.chown(theirs, OTHER, OTHER)
    assert spent(asked) == 5, "each line is one question of its project, whatever it says"
    assert ask(asked, range(700, 902)) == [200], "the answer that was given to the other account"


def line_after(first: bytes, *, persons: range) -> bytes:
    before = json.loads(first)
    chained = hashlib.sha256(before["previous"].encode() + first).hexdigest()
    cells = [cell(packed(np.array(persons, np.uint32)))]
    return json.dumps({**before, "previous": chained, "cells": cells}).encode() + b"\n"


@needs_root
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "closed", "gone", "replaced"])
def test_a_log_in_whose_place_something_else_stands_holds_up_no_count_and_what_hides_lines_is_refused(
    asked: Path, kind: str
) -> None:
    theirs = log_of(asked, OTHER)
    theirs.write_bytes(log_of(asked).read_bytes().splitlines(keepends=True)[0])
    os.chown(theirs, OTHER, OTHER)
    assert spent(asked) == 4
    theirs.unlink()
    match kind:
        case "link":
            theirs.symlink_to(log_of(asked))
        case "pipe":
            os.mkfifo(theirs)
        case "folder":
            theirs.mkdir()
        case "closed" | "replaced":
            theirs.write_bytes(b"")
    if theirs.exists():
        os.lchown(theirs, OTHER, OTHER)
    with pytest.raises(Invalid, match=f"log of what uid {OTHER} asked, was cut off or altered"):
        spent(asked)
    with opened(asked) as audit:
        audit.forget([3])  # what an account did to its log does not stand in an erasure's way


def test_what_stands_in_the_place_of_an_accounts_own_log_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    log_of(tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Invalid, match=r"another account's, a link or no file"):
        ask(tmp_path, range(500, 700))
    assert not (tmp_path / "elsewhere").exists()


def test_a_table_without_cells_is_a_question_in_the_log_as_well(asked: Path) -> None:
    before = (asked / "audit.sqlite").read_bytes()
    with opened(asked) as audit:
        assert audit.ask_together({}, asker=US, release="r1") == {}
    (asked / "audit.sqlite").write_bytes(before)  # another account counts in a copy, and throws it away
    assert spent(asked) == 4


def test_a_log_that_was_cut_can_be_gone_on_without_and_what_was_answered_stays_so(asked: Path) -> None:
    log_of(asked).write_bytes(b"")
    account = os.geteuid()
    with opened_as_it_is(asked) as audit:
        assert [is_whole for _, is_whole in audit.logs({}).values()] == [False]
        with audit.setting_aside(account) as left:
            assert left is not None and left.read() == b""
        assert audit.logs({}) == {}
    assert spent(asked) == 3
    assert ask(asked, range(100, 215)) == [110], "the answer to nearly the same set"
    assert log_of(asked).read_bytes().count(b"\n") == 1


def test_the_copy_for_other_accounts_holds_nobodys_id(tmp_path: Path) -> None:
    ids = np.arange(PERSONS, dtype=np.int64) + 7_654_321_000_000
    with QueryAudit(tmp_path / "audit.sqlite", policy_named("hdr-uk"), RULES, is_shared=True) as audit:
        audit.add_release("r1", ids)
    copy = (tmp_path / "audit" / "record.sqlite").read_bytes()
    assert copy
    assert not any(each.tobytes() in copy for each in ids)
