"""The log of questions: what was added stays, whoever writes the tables beside it, and nothing is believed that it says."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.kernel.errors import Invalid
from fairhaven.query_audit import Asker, LogHead, QueryAudit, rules_named
from fairhaven.query_audit.question_log import packed

PERSONS = 1_000
RULES = replace(rules_named("standard"), budget=10)
US = Asker(project="ours")


def opened(folder: Path) -> QueryAudit:
    audit = QueryAudit(folder / "audit.sqlite", policy_named("hdr-uk"), RULES)
    if not audit.knows("r1"):
        audit.add_release("r1", np.arange(PERSONS, dtype=np.int64))
    return audit


def ask(folder: Path, *sets: range) -> list[int | None]:
    with opened(folder) as audit:
        decided = [audit.ask(BitMap(persons), asker=US, release="r1") for persons in sets]
    return [decision.count.value if decision.count else None for decision in decided]


def spent(folder: Path) -> int:
    with opened(folder) as audit:
        return audit.budget("ours").spent


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """A folder in which three questions were asked."""
    ask(tmp_path, range(100, 214), range(300, 424), range(5))
    return tmp_path


def test_a_log_that_was_cut_refuses_the_next_count(asked: Path) -> None:
    log = asked / "audit.log"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(Invalid, match="was cut off or altered"):
        opened(asked)


def test_a_log_that_was_begun_anew_refuses_the_next_count(asked: Path) -> None:
    (asked / "audit.log").write_bytes(b"")
    with pytest.raises(Invalid, match="was cut off or altered"):
        opened(asked)


def test_a_log_in_whose_last_line_a_byte_is_another_refuses_the_next_count(asked: Path) -> None:
    log = asked / "audit.log"
    log.write_bytes(log.read_bytes().replace(b'"shown":0', b'"shown":1') or b"")
    data = bytearray(log.read_bytes())
    data[-10] ^= 1
    log.write_bytes(data)
    with pytest.raises(Invalid, match="was cut off or altered"):
        opened(asked)


def test_tables_and_log_that_were_both_cut_are_refused_by_whoever_has_seen_more(asked: Path, tmp_path: Path) -> None:
    shutil.copytree(asked, tmp_path / "kept")
    ask(asked, range(500, 700))
    with opened(asked) as audit:
        seen = audit.head()
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
    with pytest.raises(Invalid, match="Restore both from the hub's backup"):
        opened(asked)


@pytest.mark.parametrize("rest", [b'{"previous": "', b"\xff\xfe", b'{"acts":[]'])
def test_a_line_that_a_power_cut_tore_is_passed_over_and_stays(asked: Path, rest: bytes) -> None:
    log = asked / "audit.log"
    log.write_bytes(log.read_bytes() + rest)
    assert ask(asked, range(500, 700)) == [200]
    assert rest + b"\n" in log.read_bytes()
    assert spent(asked) == 4


def question(**change: Any) -> dict[str, Any]:
    asker = {"project": "ours", "organisation": "", "is_federated": False}
    persons, sketch = packed(np.arange(100, dtype=np.uint32)), packed(np.zeros(128, np.int32))
    written = {"id": 4, "asker": asker, "release": 1, "digest": "00" * 16, "is_refused": False, "shown": 100}
    return {**written, "persons": persons, "sketch": sketch, **change}


VERDICT = {"coalition": "project ours", "question": 3, "kind": "fresh", "differing": None}


@pytest.mark.parametrize(
    "acts",
    [
        [question(id=2)],
        [question(id=9)],
        [question(release=2)],
        [question(release="1; DROP TABLE question")],
        [question(digest="nothing of hex")],
        [question(persons=packed(np.array([PERSONS], np.uint32)))],
        [question(persons=packed(np.zeros(50_000_000, np.uint32)))],
        [question(persons="no numbers")],
        [question(persons=[1, 2, 3])],
        [question(sketch=packed(np.zeros(129, np.int32)))],
        [question(sketch=packed(np.zeros(3, np.int32)))],
        [question(release=10**30)],
        [question(shown=10**30)],
        [{**VERDICT, "question": 4}],
        [{**VERDICT, "question": -2}],
        [{**VERDICT, "kind": "told"}],
        [{"table": "secret", "bytes": "00"}],
        "all",
    ],
    ids=lambda acts: json.dumps(acts)[:60],
)
def test_a_line_that_no_count_wrote_is_refused_and_nothing_of_it_is_taken_over(asked: Path, acts: object) -> None:
    with opened(asked) as audit:
        head = audit.head()
    log, before = asked / "audit.log", (asked / "audit.sqlite").read_bytes()
    log.write_bytes(log.read_bytes() + json.dumps({"previous": head.hash, "account": 1, "acts": acts}).encode() + b"\n")
    with pytest.raises(Invalid, match=r"Restore|not of Fairhaven"):
        opened(asked)
    assert (asked / "audit.sqlite").read_bytes() == before


def test_a_line_that_does_not_follow_the_one_before_it_is_refused(asked: Path) -> None:
    log = asked / "audit.log"
    log.write_bytes(
        log.read_bytes() + json.dumps({"previous": LogHead().hash, "account": 1, "acts": []}).encode() + b"\n"
    )
    with pytest.raises(Invalid, match="line 4"):
        opened(asked)


def test_a_log_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "audit.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        opened(tmp_path)
    assert not (tmp_path / "elsewhere").exists()
