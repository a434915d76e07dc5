"""An analyst's account: it reads releases and counts for projects without a key, and reaches nothing of who people are.

Tried by a process that becomes another account, which needs root; elsewhere these tests skip. Because that account may
not be able to read this Python, the process runs each command once as the hub's account, and so has loaded what it needs.
"""

import fcntl
import grp
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fairhaven.query_audit import question_log
from tests.support.command_line import Command
from tests.support.older_hub import unpack_older_hub
from tests.support.other_accounts import NOBODYS, folder_for_all
from tests.support.processes import ENVIRONMENT

_APPEND_ONLY, _GET_FLAGS, _SET_FLAGS = 0x20, 0x80086601, 0x40086602  # linux/fs.h

_AS_BOTH = """
import contextlib, io, json, os, sys
from fairhaven.cli import app

def run(words):
    said = io.TextIOWrapper(io.BytesIO(), write_through=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = app.run(words)
    return code, said.buffer.getvalue().decode()

asked = json.load(sys.stdin)
for words in asked["first"]:
    run(words)
os.setgroups(asked["groups"])
os.setgid(asked["account"])
os.setuid(asked["account"])
json.dump([run(words) for words in asked["commands"]], sys.stdout)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@pytest.fixture
def place() -> Iterator[Path]:
    with folder_for_all() as made:
        yield made


@pytest.fixture
def readers() -> grp.struct_group:
    """A group of this machine, whose members the test does not change."""
    return next(group for group in grp.getgrall() if group.gr_gid not in (0, NOBODYS))


@pytest.fixture
def hub(place: Path, readers: grp.struct_group, fairhaven: Command) -> Path:
    """A small hub that names its readers, and has the signed head by which they know its ledger."""
    made = unpack_older_hub(place)
    text = (made / "hub.toml").read_text()
    (made / "hub.toml").write_text(f'readers = "{readers.gr_name}"\n{text}')
    fairhaven("keys", "rotate", made)
    for project in "PQ":
        fairhaven("project", "open", made, project, "--organisation", project)
    return made


def as_analyst(
    *commands: Sequence[str | Path | int], group: int, first: Sequence[Sequence[str | Path | int]] | None = None
) -> list[tuple[int, str]]:
    """Exit code and words of each command; *first*, or else the same, are run by the hub's own account."""

    def plain(many: Sequence[Sequence[str | Path | int]]) -> list[list[str]]:
        return [list(map(str, words)) for words in many]

    asked = {
        "first": plain(commands if first is None else first),
        "commands": plain(commands),
        "groups": [group],
        "account": NOBODYS,
    }
    done = subprocess.run(
        [sys.executable, "-c", _AS_BOTH],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = [(code, words) for code, words in json.loads(done.stdout)]
    assert not any("Traceback" in words or "Fairhaven itself is at fault" in words for _, words in said), said
    return said


def test_an_analyst_reads_releases_and_counts_for_a_project_without_a_key(
    hub: Path, readers: grp.struct_group, fairhaven: Command
) -> None:
    cohort = hub / "cohorts" / "first_pregnancy.toml"
    commands = [
        ("release", "list", hub),
        ("release", "verify", hub),
        ("cohort", "count", hub, cohort),
        ("cohort", "count", hub, cohort, "--project", "P"),
        ("cohort", "budget", hub, "P"),
    ]
    said = as_analyst(*commands, group=readers.gr_gid)
    assert [code for code, _ in said] == [0] * len(commands), said
    assert "2 of 1,000 questions" in said[-1][1]
    # The hub's own account knows what was asked.
    assert "2 of 1,000 questions" in fairhaven("cohort", "budget", hub, "P").stdout
    assert "3 of 1,000" in fairhaven("cohort", "count", hub, cohort, "--project", "P").stdout


def test_an_analyst_checks_and_exports_a_release_and_gets_no_report_without_its_quarantine(
    hub: Path, place: Path, readers: grp.struct_group
) -> None:
    own, theirs = place / "own", place / "theirs"
    for out in (own, theirs):
        out.mkdir()
    os.chown(theirs, NOBODYS, NOBODYS)

    def commands(out: Path) -> list[tuple[str | Path, ...]]:
        return [
            ("quality", hub),
            ("report", hub, "--out", out / "report.html"),
            ("export", hub, "--format", "parquet", "--out", out / "cdm"),
        ]

    said = as_analyst(*commands(theirs), group=readers.gr_gid, first=commands(own))
    assert [code for code, _ in said] == [0, 1, 0], said
    assert "what was put in quarantine" in said[1][1]
    assert not (theirs / "report.html").exists()


def test_an_analyst_reaches_no_vault_delivery_or_key_and_changes_nothing(
    hub: Path, readers: grp.struct_group, fairhaven: Command
) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (hub / "store").rglob("*") if path.is_file()}

    fairhaven("cohort", "count", hub, hub / "cohorts" / "first_pregnancy.toml", "--project", "P")
    before = files()
    refused = as_analyst(
        ("build", hub),
        ("erase", hub, "--person-key", 1),
        ("trace", hub, "person", 1),
        ("keys", "check", hub),
        ("receive", hub, "gp_riverside", hub / "hub.toml"),
        group=readers.gr_gid,
        first=[("build", hub, "--plan"), ("erase", hub, "--person-key", 1, "--plan"), ("keys", "check", hub)],
    )
    assert [code for code, _ in refused] == [1] * 5, refused
    assert files() == before


_LOG = f"store/query-audit/{NOBODYS}.log"


def test_a_log_that_an_analyst_cuts_refuses_the_next_count(
    hub: Path, readers: grp.struct_group, fairhaven: Command
) -> None:
    count = _counted_by_both(hub, readers, fairhaven)
    _as_account(f"open({str(hub / _LOG)!r}, 'wb').close()", group=readers.gr_gid)
    assert f"the log of what uid {NOBODYS} asked, was cut off or altered" in fairhaven(*count, code=1).stderr
    [(code, said)] = as_analyst(count, group=readers.gr_gid)
    assert code == 1
    assert "was cut off or altered" in said


def test_a_line_that_an_analyst_makes_up_stops_the_analyst_and_nobody_else(
    hub: Path, readers: grp.struct_group, fairhaven: Command
) -> None:
    count = _counted_by_both(hub, readers, fairhaven)
    size = (hub / _LOG).stat().st_size
    _as_account(f"open({str(hub / _LOG)!r}, 'ab').write(b'{{}}\\n')", group=readers.gr_gid)
    done = fairhaven(*count)
    assert "5 of 1,000" in done.stdout
    assert f"uid {NOBODYS} counts no more; other accounts do" in done.stderr
    [(code, said)] = as_analyst(count, group=readers.gr_gid, first=[(*count[:-1], "Q")])
    assert code == 1 and "line 2 was not written by a count" in said
    _as_account(f"import os; os.truncate({str(hub / _LOG)!r}, {size})", group=readers.gr_gid)
    [(code, said)] = as_analyst(count, group=readers.gr_gid, first=[(*count[:-1], "Q")])
    assert code == 0 and "6 of 1,000" in said


def test_an_analyst_takes_away_no_log_of_another_and_makes_none_in_anothers_name(
    hub: Path, readers: grp.struct_group, fairhaven: Command
) -> None:
    count = _counted_by_both(hub, readers, fairhaven)
    logs = hub / "store" / "query-audit"
    for attack in (
        f"import os; os.unlink({str(logs / '0.log')!r})",
        f"import os; os.rename({str(logs / '0.log')!r}, {str(logs / 'x')!r})",
        f"open({str(logs / '0.log')!r}, 'ab')",
        f"open({str(logs / 'record.sqlite')!r}, 'ab')",
        f"import os; os.replace({str(hub / _LOG)!r}, {str(logs / 'record.sqlite')!r})",
        f"open({str(hub / 'store' / 'query-audit.sqlite')!r}, 'rb')",
        f"import os; os.symlink('/etc/passwd', {str(hub / 'store' / 'link')!r})",
    ):
        assert "PermissionError" in _as_account(attack, group=readers.gr_gid), attack
    # A log in another's name, as the same account can begin one, is nobody's, and holds nothing up.
    _as_account(f"import shutil; shutil.copy({str(hub / _LOG)!r}, {str(logs / '12345.log')!r})", group=readers.gr_gid)
    _as_account(f"import os; os.mkfifo({str(logs / '12346.log')!r})", group=readers.gr_gid)
    assert "5 of 1,000" in fairhaven(*count).stdout


def test_who_holds_the_record_of_questions_for_ever_is_named(
    hub: Path, readers: grp.struct_group, fairhaven: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = _counted_by_both(hub, readers, fairhaven)
    monkeypatch.setattr(question_log, "_PATIENCE", 0.2)
    logs = hub / "store" / "query-audit"
    holding = (
        "import fcntl, os, sys, time\n"
        f"os.setgroups([{readers.gr_gid}]); os.setgid({NOBODYS}); os.setuid({NOBODYS})\n"
        f"fcntl.flock(os.open({str(logs)!r}, os.O_RDONLY), fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        try:
            said = fairhaven(*count, code=1).stderr
        finally:
            holder.kill()
    assert f"process {holder.pid} of uid {NOBODYS} has held the record of questions" in said
    assert "5 of 1,000" not in said


def _counted_by_both(hub: Path, readers: grp.struct_group, fairhaven: Command) -> tuple[str | Path, ...]:
    """A hub in which its own account has asked three times and an analyst once; gives the command that asks."""
    count = ("cohort", "count", hub, hub / "cohorts" / "first_pregnancy.toml", "--project", "P")
    fairhaven(*count)
    [(code, said)] = as_analyst(count, group=readers.gr_gid)
    assert code == 0, said
    assert "4 of 1,000" in fairhaven(*count).stdout  # the ledger has seen what the analyst asked
    return count


def _as_account(code: str, *, group: int) -> str:
    """What Python says of code that the analyst's account runs."""
    become = f"import os; os.umask(0o027); os.setgroups([{group}]); os.setgid({NOBODYS}); os.setuid({NOBODYS})\n"
    return subprocess.run([sys.executable, "-c", become + code], capture_output=True, text=True, check=False).stderr


def test_questions_are_recorded_in_a_log_from_which_the_file_system_lets_nothing_be_taken(
    hub: Path, fairhaven: Command
) -> None:
    count = ("cohort", "count", hub, hub / "cohorts" / "first_pregnancy.toml", "--project", "P")
    fairhaven(*count)
    log = hub / "store" / "query-audit" / f"{os.geteuid()}.log"
    try:
        _set_append_only(log, is_set=True)
    except OSError:
        pytest.skip("this file system has no such flag, or root may not set it")
    try:
        with pytest.raises(PermissionError):
            log.write_bytes(b"")
        with log.open("ab") as file:
            file.write(b'{"torn')
        assert "2 of 1,000" in fairhaven(*count).stdout
    finally:
        _set_append_only(log, is_set=False)


def _set_append_only(path: Path, *, is_set: bool) -> None:
    with path.open("rb") as file:
        (flags,) = struct.unpack("l", fcntl.ioctl(file, _GET_FLAGS, struct.pack("l", 0)))
        wanted = flags | _APPEND_ONLY if is_set else flags & ~_APPEND_ONLY
        fcntl.ioctl(file, _SET_FLAGS, struct.pack("l", wanted))
