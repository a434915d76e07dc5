"""Hubs whose commands are killed: a process that forks one command at a time, and what a store holds in the end.

Run as a script it imports Fairhaven once, then reads one order a line (JSON: folder, command, arguments, step) and forks
a process for each. That process runs the journey as the command line does. Where a step is given, it kills itself with
SIGKILL before its step-th change of a file, so that every gap between two changes can be hit; where none is given, it
may be killed from outside at any moment.
"""

import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.actors import ANNA, BEN
from tests.support.processes import ENVIRONMENT

_TODAY = dt.date(2026, 11, 2)
EXPORTED = "exported"
"""Folder of a hub's folder for what is exported of it."""
_CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a command ended. ``code`` is negative where a signal ended it; ``changes`` counts what it did to files."""

    code: int
    changes: int
    seconds: float
    said: str


class Commands:
    """The forking process, seen from the test."""

    def __init__(self, process: subprocess.Popen[str], temporary: Path) -> None:
        self._process = process
        self._temporary = temporary

    def left(self) -> list[str]:
        """What commands have left among their temporary files, but folders that the account's next reader removes."""
        return sorted(path.name for path in self._temporary.iterdir() if not path.name.startswith("fairhaven-work-"))

    def run(
        self, folder: Path, command: str, *arguments: Any, step: int | None = None, after: float | None = None
    ) -> Ended:
        """Run one command.

        Args:
            step: the change of a file before which it kills itself.
            after: seconds after which it is killed.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        order = {"folder": str(folder), "command": command, "arguments": arguments, "step": step}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if after is not None:
            time.sleep(after)
            # The process is not reaped before this line is answered, so the number is still its own.
            os.kill(pid, signal.SIGKILL)
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


@contextmanager
def commands(temporary: Path, *, under: Sequence[str] = ()) -> Iterator[Commands]:
    """The forking process, for as long as it is needed.

    Args:
        temporary: an empty folder, in which the commands make their temporary files.
        under: what the process is started by, with its arguments.
    """
    command = [*under, sys.executable, "-W", "ignore", "-m", __name__]
    environment = {**ENVIRONMENT, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        yield Commands(process, temporary)
        assert process.stdin is not None
        process.stdin.close()


def prepare(folder: Path, *, persons: int = 40, seed: int = 5) -> None:
    """A demonstration hub with the first month received; nothing is built yet."""
    from fairhaven import region
    from fairhaven.hub import open_hub
    from fairhaven.journeys.deliveries.receive import take_vocabulary
    from fairhaven.journeys.hub_keys import make_keys
    from fairhaven.kernel.progress import Silent

    make_keys(folder / "store", by=ANNA, secret=b"killed hub's own secret" + bytes(9))
    made = region.write(folder, persons=persons, seed=seed, progress=Silent())
    for path in (folder / "sources").glob("*.toml"):
        # A single bad row of a handful is more than the demonstration's sources allow.
        path.write_text(re.sub(r"quarantine_limit = \S+", "quarantine_limit = 0.5", path.read_text()))
    take_vocabulary(open_hub(folder), region.material_vocabulary(), by=ANNA, progress=Silent())
    months = [
        [day.isoformat(), [[source, [str(file.relative_to(folder)) for file in files]] for source, files in delivered]]
        for day, delivered in made.deliveries
    ]
    (folder / "months.json").write_text(json.dumps(months))


def receive_month(folder: Path, month: int) -> None:
    """Take all deliveries of a month."""
    from fairhaven.hub import open_hub
    from fairhaven.journeys.deliveries.receive import receive_delivery
    from fairhaven.kernel.progress import Silent

    day, delivered = json.loads((folder / "months.json").read_text())[month]
    rooms = open_hub(folder)
    for source, files in delivered:
        receive_delivery(
            rooms,
            source=source,
            files=[folder / file for file in files],
            received_on=dt.date.fromisoformat(day),
            today=_TODAY,
            by=ANNA,
            progress=Silent(),
        )


def build(folder: Path) -> None:
    """Build from all that was received."""
    from fairhaven.hub import open_hub
    from fairhaven.journeys.releases.build import build_release
    from fairhaven.kernel.progress import Silent

    build_release(open_hub(folder), as_of=None, today=_TODAY, by=ANNA, progress=Silent())


def erase(folder: Path, person: int) -> None:
    """Erase a person."""
    from fairhaven.hub import open_hub
    from fairhaven.journeys.persons.erase import erase_person
    from fairhaven.kernel.progress import Silent

    erase_person(open_hub(folder), person_key=person, by=ANNA, progress=Silent())


def erase_from_archive(store: Path, person: int) -> None:
    """Erase a person from an archive that no hub has."""
    from tests.support.ledgers import archive_in

    archive_in(store).erase([person], facts={"persons": ["digest"]}, by=BEN)


def init(folder: Path) -> None:
    """Make a new hub."""
    from fairhaven.hub import make_hub

    make_hub(folder, by=ANNA)


def rotate(folder: Path) -> None:
    """Rotate the keys."""
    from fairhaven.hub import open_hub
    from fairhaven.journeys.hub_keys import rotate_keys
    from fairhaven.kernel.progress import Silent

    rotate_keys(open_hub(folder), by=ANNA, progress=Silent())


def run(folder: Path, *words: str) -> None:
    """Run a command as it is given on the command line, with the hub's folder for its own."""
    from fairhaven.cli import app

    os.chdir(folder)
    if code := app.run(words):
        raise SystemExit(code)


def load_vocabulary(folder: Path, path: str) -> None:
    """Load another vocabulary, by somebody else than who does all the rest."""
    from fairhaven.hub import open_hub
    from fairhaven.journeys.deliveries.receive import take_vocabulary
    from fairhaven.kernel.progress import Silent

    take_vocabulary(open_hub(folder), Path(path), by=BEN, progress=Silent())


def outcome(folder: Path) -> dict[str, Any]:
    """All that a store holds, without what is random by design (keys of files, salts and the seals over them, times)."""
    import duckdb

    from fairhaven.hub import open_hub
    from fairhaven.journeys.hub_keys import recorded_checks
    from fairhaven.kernel.codec import to_json
    from fairhaven.kernel.files import read_json
    from fairhaven.ledger import EventKind

    rooms = open_hub(folder)
    store = rooms.store
    index = rooms.vault.index()
    with duckdb.connect() as connection:
        landed = {
            str(path.relative_to(store)): connection.execute(
                "SELECT count(*), sum(hash(r)) FROM read_parquet(?) AS r", [str(path)]
            ).fetchone()
            for path in sorted((store / "landing").rglob("*.parquet"))
        }
        identities = rooms.vault.records()
        connection.register("identities", identities)
        records = connection.execute(
            "SELECT row_extract, count(*), sum(hash(i)) FROM identities AS i GROUP BY 1 ORDER BY 1"
        ).fetchall()
    extracts = rooms.vault.extracts()
    return {
        "releases": [
            {
                "name": release.name,
                "content": release.content,
                "as_of": str(release.as_of),
                **_without_seals(to_json(release.facts)),
            }
            for release in rooms.archive.releases()
        ],
        "problems": [str(problem) for problem in rooms.archive.verify()],
        "ledger": rooms.ledger.verify(),
        "entries": _entries(rooms.ledger.entries()),
        # Run again after its end, a rotation is another one.
        "rotated": any(entry.kind == EventKind.KEYS_ROTATED for entry in rooms.ledger.entries()),
        "keys": recorded_checks(rooms.ledger.as_found().entries) == rooms.keyring.check_values(),
        "deliveries": [read_json(path) for path in sorted((store / "deliveries").glob("*.json"))],
        "extracts": [read_json(path) for path in sorted((store / "landing").glob("*/extract.json"))],
        "landed": landed,
        "sealed": {
            path.stem: len(rooms.keyring.deliveries.open_bytes(path)) for path in sorted((store / "received").iterdir())
        },
        "identities": records,
        "index": index.to_pylist() if index is not None else None,
        "described": {
            str(path.relative_to(store)): read_json(path)
            for path in sorted((store / "archive/releases").glob("*/*.json"))
            if path.name not in ("dcat.jsonld", "croissant.json", "hdruk.json")
        },
        "files": sorted(
            str(path.relative_to(store)) for path in store.rglob("*") if not _is_kept_tokens(path, extracts)
        ),
        "exported": _exported(folder / EXPORTED),
    }


def _is_kept_tokens(path: Path, extracts: Collection[int]) -> bool:
    """Whether it is what texts are compared with, of an extract that is here: kept by whoever needed it, made again by whoever misses it."""
    return path.parent.name == "tokens" and path.suffix == ".sealed" and int(path.stem) in extracts


def _entries(entries: Iterable[Any]) -> list[tuple[str, str]]:
    """Kind and facts of each entry but those of rotations; whoever lands again after a kill enters only what was left of it."""
    from fairhaven.ledger import EventKind

    found, landed_again = [], defaultdict[str, set[int]](set)
    for entry in entries:
        if entry.kind == EventKind.LANDED_AGAIN:
            landed_again[entry.facts["source"]].update(entry.facts["extracts"])
        elif entry.kind != EventKind.KEYS_ROTATED:
            found.append((str(entry.kind), json.dumps(_without_seals(entry.facts), sort_keys=True)))
    return sorted(found + [("landed again", f"{source} {sorted(each)}") for source, each in landed_again.items()])


def _exported(folder: Path) -> dict[str, Any]:
    """Every file beside an export, and the rows of each of its tables."""
    import duckdb

    found: dict[str, Any] = dict.fromkeys(str(path.relative_to(folder)) for path in folder.rglob("*"))
    with duckdb.connect() as connection:
        for name in found:
            if name.endswith(".parquet") and (folder / name).is_file():
                relations = {name: f"read_parquet('{folder / name}')"}
            elif name.endswith(".duckdb"):
                connection.execute(f"ATTACH '{folder / name}' AS exported (READ_ONLY)")
                tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'exported'")
                relations = {table: f"exported.{table}" for (table,) in tables.fetchall()}
            else:
                continue
            found[name] = {
                table: connection.execute(f"SELECT count(*), sum(hash(r)) FROM {relation} AS r").fetchone()
                for table, relation in relations.items()
            }
    return found


def differences(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Where two outcomes differ, a line for each place."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in sorted(expected.keys() | found.keys()):
            yield from differences(expected.get(name), found.get(name), f"{place}/{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{place}/{number}")
    elif isinstance(expected, list) and isinstance(found, list):
        yield from (f"{place}: missing {str(one)[:300]}" for one in expected if one not in found)
        yield from (f"{place}: too many {str(one)[:300]}" for one in found if found.count(one) > expected.count(one))
    elif expected != found:
        yield f"{place}: {str(expected)[:300]} became {str(found)[:300]}"


def _without_seals(facts: Any) -> Any:
    return {name: value for name, value in facts.items() if name not in ("hash", "superseded", "seals", "inputs")}


def _serve() -> None:
    """Fork a process for each order."""
    import duckdb  # noqa: F401 - imported before the first fork, so that no trial waits for it
    import splink  # noqa: F401

    import fairhaven.journeys.persons.erase
    import fairhaven.journeys.releases.build  # noqa: F401
    from fairhaven.kernel.version import code_version

    code_version()
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _obey(order, writing)
        os.close(writing)
        _say(pid)
        sys.stdin.readline()
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        counted = re.findall(r"^changes (\d+)$", said, re.MULTILINE)
        ended = {
            "code": os.waitstatus_to_exitcode(status),
            "changes": int(counted[-1]) if counted else -1,
            "seconds": time.monotonic() - began,
            "said": said,
        }
        _say(json.dumps(ended))


def _say(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _obey(order: dict[str, Any], writing: int) -> None:
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    changes = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        is_change = event in _CHANGES or (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if is_change:
            changes += 1
            if changes == order["step"]:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    code = 1
    try:
        _COMMANDS[order["command"]](Path(order["folder"]), *order["arguments"])
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here, and the test shows what it said
        traceback.print_exc()
    finally:
        _say(f"changes {changes}")
        os._exit(code)


_COMMANDS: dict[str, Callable[..., None]] = {
    "prepare": prepare,
    "receive": receive_month,
    "build": build,
    "erase": erase,
    "erase_from_archive": erase_from_archive,
    "init": init,
    "rotate": rotate,
    "load_vocabulary": load_vocabulary,
    "run": run,
}


def copied(folder: Path, target: Path) -> Path:
    """A copy of a hub to do harm to."""
    shutil.copytree(folder, target)
    return target


if __name__ == "__main__":
    _serve()
