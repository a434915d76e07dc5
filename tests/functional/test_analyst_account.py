"""An analyst's account: it reads releases and counts for projects without a key, and reaches nothing of who people are.

Tried by a process that becomes another account, which needs root; elsewhere these tests skip. Because that account may
not be able to read this Python, the process has loaded all of Fairhaven before.
"""

import fcntl
import grp
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb
import pytest

from docs.generators.analyst_commands import COMMANDS, AccountCommand, Leave
from docs.generators.commands import commands
from fairhaven.hub import open_hub
from fairhaven.journeys.releases.report_facts import quarantined_in
from fairhaven.kernel.errors import NotPermitted
from fairhaven.ledger import Actor, ActorKind, EventKind, content_hash
from fairhaven.query_audit import question_log
from tests.support.command_line import Command
from tests.support.other_accounts import NOBODYS, as_other_account, copied_with_owners, folder_for_all
from tests.support.processes import ENVIRONMENT

_PERSONS = """\
first_name,surname,date_of_birth,person
Amina,Okafor,1980-02-03,1
Amina,Okafor,1980-02-03,1
Brian,Walsh,1951-11-30,2
"""
_SECRET = {"FAIRHAVEN_TASK_API_USERNAME": "hub", "FAIRHAVEN_TASK_API_PASSWORD": "of nobody"}
_APPEND_ONLY, _GET_FLAGS, _SET_FLAGS = 0x20, 0x80086601, 0x40086602  # linux/fs.h

_AS_OTHERS = """
import codecs, contextlib, importlib, io, json, os, pkgutil, sys
import fairhaven

for module in pkgutil.walk_packages(fairhaven.__path__, "fairhaven."):
    if not module.name.endswith(("__main__", "spark_session")):
        importlib.import_module(module.name)
codecs.lookup("utf-8-sig")
templates = importlib.import_module("fairhaven.pages.kit.templates").environment()
for name in templates.list_templates(["j2"]):
    templates.get_template(name)
from fairhaven.cli import app

def run(words):
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = app.run(words)
    return code, (out.buffer.getvalue() + err.buffer.getvalue()).decode()

for line in sys.stdin:
    asked = json.loads(line)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups(asked["groups"])
        os.setgid(asked["account"])
        os.setuid(asked["account"])
        said = [run(words) for words in asked["commands"]]
        with os.fdopen(writing, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        print(pipe.read(), flush=True)
    os.waitpid(pid, 0)
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A hub, and what commands are given beside it.

    Args:
        out: a folder of the other account.
        names: what stands for what in the table of commands.
    """

    hub: Path
    out: Path
    names: Mapping[str, str]

    def words(self, command: AccountCommand) -> list[str]:
        """The arguments of a command."""
        return [re.sub(r"^[A-Z]{2,}", lambda found: self.names[found[0]], word) for word in command.arguments.split()]

    def content(self) -> dict[str, bytes]:
        """What the hub holds but for the log of the other account."""
        files = (path for path in self.hub.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files if path != self.hub / _LOG}


class AsAnalyst(Protocol):
    """Runs commands as another account."""

    def __call__(self, *commands: Sequence[str | Path | int], group: int | None) -> list[tuple[int, str]]:
        """Exit code and words of each command, given as a member of a group or of none."""


@pytest.fixture(scope="module")
def as_analyst() -> Iterator[AsAnalyst]:
    """One process that forks another for each time that commands are run: loading what they need costs more than they do."""
    serving = subprocess.Popen(
        [sys.executable, "-c", _AS_OTHERS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, **_SECRET},
    )

    def run(*commands: Sequence[str | Path | int], group: int | None) -> list[tuple[int, str]]:
        asked = {
            "commands": [list(map(str, words)) for words in commands],
            "groups": [] if group is None else [group],
            "account": NOBODYS,
        }
        assert serving.stdin is not None and serving.stdout is not None
        serving.stdin.write(json.dumps(asked) + "\n")
        serving.stdin.flush()
        said = [(code, words) for code, words in json.loads(serving.stdout.readline())]
        assert not any("Traceback" in words or "Fairhaven itself is at fault" in words for _, words in said), said
        return said

    with serving:
        yield run
        assert serving.stdin is not None
        serving.stdin.close()


@pytest.fixture(scope="module")
def readers() -> grp.struct_group:
    """A group of this machine, whose members the test does not change."""
    return next(group for group in grp.getgrall() if group.gr_gid not in (0, NOBODYS))


@pytest.fixture(scope="module")
def made(described_hub: Path, readers: grp.struct_group, fairhaven: Command) -> Iterator[Path]:
    """A small hub that names its readers, and has the signed head by which they know its ledger."""
    with folder_for_all() as place:
        hub = copied_with_owners(described_hub, place / "hub")
        text = (hub / "hub.toml").read_text()
        (hub / "hub.toml").write_text(f'readers = "{readers.gr_name}"\n{text}')
        fairhaven("keys", "rotate", hub)
        for project in "PQ":
            fairhaven("project", "open", hub, project, "--organisation", project)
        yield hub


@pytest.fixture(scope="module")
def asked(made: Path, readers: grp.struct_group, fairhaven: Command, as_analyst: AsAnalyst) -> Iterator[Path]:
    """The same hub when its own account has asked three times and an analyst once."""
    with folder_for_all() as place:
        hub = copied_with_owners(made, place / "hub")
        fairhaven(*_count(hub))
        [(code, said)] = as_analyst(_count(hub), group=readers.gr_gid)
        assert code == 0, said
        assert "3 of 1,000" in fairhaven(*_count(hub)).stdout  # the ledger has seen what the analyst asked
        yield hub


def _count(hub: Path) -> tuple[str | Path, ...]:
    """The command that asks."""
    return ("cohort", "count", hub, hub / "cohorts" / "first_pregnancy.toml", "--project", "P")


@pytest.fixture
def place() -> Iterator[Path]:
    with folder_for_all() as made:
        yield made


@pytest.fixture
def hub(made: Path, place: Path) -> Path:
    """See `made`."""
    return copied_with_owners(made, place / "hub")


@pytest.fixture
def asked_hub(asked: Path, place: Path) -> Path:
    """See `asked`."""
    return copied_with_owners(asked, place / "hub")


def test_an_analyst_reads_releases_and_counts_for_a_project_without_a_key(
    hub: Path, readers: grp.struct_group, fairhaven: Command, as_analyst: AsAnalyst
) -> None:
    cohort = hub / "cohorts" / "first_pregnancy.toml"
    commands = [
        ("release", "list", hub),
        ("release", "verify", hub),
        ("cohort", "count", hub, cohort),
        ("cohort", "count", hub, cohort, "--project", "P"),
        ("cohort", "budget", hub, "P"),
    ]
    fairhaven(*_count(hub))
    said = as_analyst(*commands, group=readers.gr_gid)
    assert [code for code, _ in said] == [0] * len(commands), said
    assert "2 of 1,000 questions" in said[-1][1]
    # The hub's own account knows what was asked.
    assert "2 of 1,000 questions" in fairhaven("cohort", "budget", hub, "P").stdout
    assert "3 of 1,000" in fairhaven("cohort", "count", hub, cohort, "--project", "P").stdout


def test_an_analyst_gets_no_report_on_a_release_that_does_not_say_its_quarantine(hub: Path) -> None:
    rooms = open_hub(hub)
    release = rooms.archive.release()
    with as_other_account(), pytest.raises(NotPermitted, match="does not say what was put in quarantine"):
        quarantined_in(rooms, release)


def test_an_analyst_does_not_ask_of_a_release_of_which_it_is_not_known_what_it_tells(
    hub: Path, readers: grp.struct_group, as_analyst: AsAnalyst
) -> None:
    (hub / "store" / "archive" / "releases" / "0002" / "description.json").unlink()
    [(code, said)] = as_analyst(_count(hub), group=readers.gr_gid)
    assert code == 1 and "r0002 is not described as it is now" in said and "Ask the account that runs the hub" in said
    assert "of 1,000" not in said


@pytest.fixture(scope="module")
def given(demo: Path, readers: grp.struct_group, fairhaven: Command) -> Iterator[Given]:
    """A hub of today that names its readers, and in which the project P was counted for once."""
    with folder_for_all() as place:
        hub = Path(shutil.copytree(demo, place / "hub"))
        text = (hub / "hub.toml").read_text()
        (hub / "hub.toml").write_text(f'readers = "{readers.gr_name}"\n{text}')
        out = place / "out"
        out.mkdir()
        os.chown(out, NOBODYS, NOBODYS)
        (place / "persons.csv").write_text(_PERSONS)
        (place / "question.json").write_text('{"analysis": "DISTRIBUTION", "code": "GENERIC"}')
        cohort = Path(shutil.copy(hub / "cohorts" / "first_pregnancy.toml", place))
        for file in place.glob("*.*"):
            file.chmod(0o644)
        fairhaven("project", "open", hub, "P", "--organisation", "P")
        fairhaven("cohort", "count", hub, cohort, "--project", "P", "--out", place / "counts.json")
        fairhaven("export", hub, "--format", "parquet", "--out", place / "cdm")
        rooms = open_hub(hub)
        files = rooms.archive.files(rooms.archive.release(), "condition_occurrence")
        [row] = duckdb.sql(
            f"SELECT max(condition_occurrence_id) FROM read_parquet({[str(file) for file in files]})"
        ).fetchall()
        names = {
            "DIR": hub,
            "OUT": out,
            "COHORT": cohort,
            "PERSONS": place / "persons.csv",
            "QUESTION": place / "question.json",
            "ROW": row[0],
        }
        yield Given(hub=hub, out=out, names={name: str(value) for name, value in names.items()})


def test_every_command_is_tried_as_another_account() -> None:
    assert {each.words for each in COMMANDS} == {" ".join(words) for words, _ in commands()}


@pytest.fixture(scope="module")
def tried(given: Given, readers: grp.struct_group, as_analyst: AsAnalyst) -> Mapping[bool, list[tuple[int, str]]]:
    """What every command of the table said to an account of the readers (True), and to one that is in no such group."""
    before = given.content()
    said = {}
    for is_reader in (False, True):
        shutil.rmtree(given.out / "hub", ignore_errors=True)
        words = ([*each.words.split(), *given.words(each), "--json"] for each in COMMANDS)
        said[is_reader] = as_analyst(*words, group=readers.gr_gid if is_reader else None)
    assert given.content() == before, "a hub of another account was changed"
    return said


@pytest.mark.parametrize("is_reader", [True, False])
def test_the_commands_that_work_for_an_account_are_those_of_the_table_and_the_others_say_whose_it_is(
    tried: Mapping[bool, list[tuple[int, str]]], is_reader: bool
) -> None:
    works = {Leave.EVERYBODY, Leave.READERS} if is_reader else {Leave.EVERYBODY}
    for each, (code, words) in zip(COMMANDS, tried[is_reader], strict=True):
        document, _ = json.JSONDecoder().raw_decode(words)
        refused = document.get("error") if isinstance(document, dict) else None
        assert (code == 0) == (each.leave in works) == (not refused), (each, words)
        if refused:
            assert refused["code"] == "not_permitted", (each, refused)
            said = refused["message"]
            assert re.search("this needs the account root: .* Ask root to run the command, or ", said), (each, said)


@pytest.mark.usefixtures("tried")
def test_what_an_analyst_writes_is_theirs_alone_and_what_the_hubs_own_account_writes_the_readers_read(
    given: Given, readers: grp.struct_group
) -> None:
    theirs = list(given.out.rglob("*"))
    assert {path.name for path in theirs} >= {"report.html", "cdm", "person.parquet", "rows.parquet", "hub.toml"}
    found = {(path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in theirs}
    assert found == {(NOBODYS, 0o600), (NOBODYS, 0o700)}
    place = given.out.parent
    ours = [path.stat() for path in (place / "counts.json", place / "cdm", *(place / "cdm").iterdir())]
    assert {(each.st_gid, stat.S_IMODE(each.st_mode)) for each in ours} == {
        (readers.gr_gid, 0o640),
        (readers.gr_gid, 0o750),
    }


_LOG = f"store/query-audit/{NOBODYS}.log"


def test_a_log_that_an_analyst_cuts_refuses_the_next_count(
    asked_hub: Path, readers: grp.struct_group, fairhaven: Command, as_analyst: AsAnalyst
) -> None:
    _as_account(f"open({str(asked_hub / _LOG)!r}, 'wb').close()", group=readers.gr_gid)
    assert (
        f"the log of what uid {NOBODYS} asked, was cut off or altered" in fairhaven(*_count(asked_hub), code=1).stderr
    )
    [(code, said)] = as_analyst(_count(asked_hub), group=readers.gr_gid)
    assert code == 1
    assert "was cut off or altered" in said


def test_the_hubs_own_account_alone_goes_on_without_a_log_that_was_cut_and_the_ledger_has_who(
    asked_hub: Path, readers: grp.struct_group, fairhaven: Command, as_analyst: AsAnalyst
) -> None:
    set_aside = ("cohort", "questions", asked_hub, "--set-aside", NOBODYS)
    assert "there is nothing to go on without" in fairhaven(*set_aside, code=1).stderr
    _as_account(f"import os; os.truncate({str(asked_hub / _LOG)!r}, 9)", group=readers.gr_gid)
    [(code, said)] = as_analyst(set_aside, group=readers.gr_gid)
    assert code == 1 and "only the account that runs the hub" in said
    assert f"{NOBODYS}  uid {NOBODYS}  1 line seen, cut off" in fairhaven(*set_aside[:3]).stdout
    assert "What was asked since the hub last saw it is not known" in fairhaven(*set_aside).stdout
    entry = open_hub(asked_hub).ledger.entries()[-1]
    assert (entry.kind, entry.facts) == (EventKind.LOG_SET_ASIDE, {"account": NOBODYS, "lines": 1})
    assert entry.actor == Actor(kind=ActorKind.OPERATING_SYSTEM_USER, name="root")
    [(kept, digest)] = entry.files.items()
    assert content_hash(asked_hub / "store" / kept) == digest and (asked_hub / "store" / kept).stat().st_size == 9
    assert "4 of 1,000" in fairhaven(*_count(asked_hub)).stdout  # what the analyst had asked stays asked
    [(code, said)] = as_analyst(_count(asked_hub), group=readers.gr_gid)
    assert code == 0 and "5 of 1,000" in said
    (asked_hub / "store" / kept).write_bytes(b"as if nothing had been asked")
    done = fairhaven("store", "verify", asked_hub, code=1)
    assert f"{kept}: was altered" in done.stdout + done.stderr


def test_a_line_that_an_analyst_makes_up_stops_the_analyst_and_nobody_else(
    asked_hub: Path, readers: grp.struct_group, fairhaven: Command, as_analyst: AsAnalyst
) -> None:
    size = (asked_hub / _LOG).stat().st_size
    _as_account(f"open({str(asked_hub / _LOG)!r}, 'ab').write(b'{{}}\\n')", group=readers.gr_gid)
    done = fairhaven(*_count(asked_hub))
    assert "4 of 1,000" in done.stdout
    assert f"uid {NOBODYS} counts no more; other accounts do" in done.stderr
    [(code, said)] = as_analyst(_count(asked_hub), group=readers.gr_gid)
    assert code == 1 and "line 2 was not written by a count" in said
    _as_account(f"import os; os.truncate({str(asked_hub / _LOG)!r}, {size})", group=readers.gr_gid)
    [(code, said)] = as_analyst(_count(asked_hub), group=readers.gr_gid)
    assert code == 0 and "5 of 1,000" in said


def test_an_analyst_takes_away_no_log_of_another_and_makes_none_in_anothers_name(
    asked_hub: Path, readers: grp.struct_group, fairhaven: Command
) -> None:
    logs = asked_hub / "store" / "query-audit"
    for attack in (
        f"import os; os.unlink({str(logs / '0.log')!r})",
        f"import os; os.rename({str(logs / '0.log')!r}, {str(logs / 'x')!r})",
        f"open({str(logs / '0.log')!r}, 'ab')",
        f"open({str(logs / 'record.sqlite')!r}, 'ab')",
        f"import os; os.replace({str(asked_hub / _LOG)!r}, {str(logs / 'record.sqlite')!r})",
        f"open({str(asked_hub / 'store' / 'query-audit.sqlite')!r}, 'rb')",
        f"import os; os.symlink('/etc/passwd', {str(asked_hub / 'store' / 'link')!r})",
    ):
        assert "PermissionError" in _as_account(attack, group=readers.gr_gid), attack
    # A log in another's name, as the same account can begin one, is nobody's, and holds nothing up.
    _as_account(
        f"import shutil; shutil.copy({str(asked_hub / _LOG)!r}, {str(logs / '12345.log')!r})", group=readers.gr_gid
    )
    _as_account(f"import os; os.mkfifo({str(logs / '12346.log')!r})", group=readers.gr_gid)
    assert "4 of 1,000" in fairhaven(*_count(asked_hub)).stdout


def test_who_holds_the_record_of_questions_for_ever_is_named(
    asked_hub: Path, readers: grp.struct_group, fairhaven: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question_log, "_PATIENCE", 0.2)
    logs = asked_hub / "store" / "query-audit"
    holding = (
        "import fcntl, os, sys, time\n"
        f"os.setgroups([{readers.gr_gid}]); os.setgid({NOBODYS}); os.setuid({NOBODYS})\n"
        f"fcntl.flock(os.open({str(logs)!r}, os.O_RDONLY), fcntl.LOCK_EX); print('held', flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        try:
            said = fairhaven(*_count(asked_hub), code=1).stderr
        finally:
            holder.kill()
    assert f"process {holder.pid} of uid {NOBODYS} has held the record of questions" in said
    assert "4 of 1,000" not in said


def _as_account(code: str, *, group: int) -> str:
    """What Python says of code that the analyst's account runs."""
    become = f"import os; os.umask(0o027); os.setgroups([{group}]); os.setgid({NOBODYS}); os.setuid({NOBODYS})\n"
    return subprocess.run([sys.executable, "-c", become + code], capture_output=True, text=True, check=False).stderr


def test_questions_are_recorded_in_a_log_from_which_the_file_system_lets_nothing_be_taken(
    hub: Path, fairhaven: Command
) -> None:
    fairhaven(*_count(hub))
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
        assert "2 of 1,000" in fairhaven(*_count(hub)).stdout
    finally:
        _set_append_only(log, is_set=False)


def _set_append_only(path: Path, *, is_set: bool) -> None:
    with path.open("rb") as file:
        (flags,) = struct.unpack("l", fcntl.ioctl(file, _GET_FLAGS, struct.pack("l", 0)))
        wanted = flags | _APPEND_ONLY if is_set else flags & ~_APPEND_ONLY
        fcntl.ioctl(file, _SET_FLAGS, struct.pack("l", wanted))
