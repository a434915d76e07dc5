"""Ctrl-C at any moment of a command: a line of words, exit code 1, and the same command finishes when it is run again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.killed_hub import copied
from tests.support.killed_stages import Region

# What it takes Python itself to start is before any of our code.
COMMAND = "import sys; from fairhaven.cli import main; print('started', flush=True); main()"


def run(words: list[str], *, after: float | None = None) -> tuple[int, str, float]:
    """Exit code, what it said, and seconds from its start to its end."""
    began = time.monotonic()
    code, _, said = outcome(words, after=after)
    return code, said, time.monotonic() - began


def outcome(words: list[str], *, after: float | None = None) -> tuple[int, str, str]:
    """Exit code, what it gave, and what it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        if after is not None:
            time.sleep(after)
            process.send_signal(signal.SIGINT)
        given, said = process.communicate()
    return process.returncode, given, said


def words_of(name: str, hub: Path) -> list[str]:
    match name:
        case "receive":
            later = sorted((hub / "inbox").iterdir())[1]
            return ["receive", str(hub), "gp_riverside", *map(str, sorted((later / "gp_riverside").iterdir()))]
        case "build":
            return ["build", str(hub)]
        case _:
            return ["cohort", "count", str(hub), str(sorted((hub / "cohorts").iterdir())[0])]


def interrupt_often(region: Region, folder: Path, name: str, trials: int) -> None:
    """Interrupt a command so many times at moments spread over its length, then let it end."""
    before = region.stage("build" if name == "count" else "receive").hub
    words = words_of(name, copied(before, folder / "undisturbed"))
    code, said, seconds = run(words)
    assert code == 0, said
    hub = copied(before, folder / "hub")
    words = words_of(name, hub)
    chance = random.Random(7)
    interrupted = 0
    for trial in range(trials):
        after = (trial + chance.random()) / trials * seconds
        code, said, _ = run(words, after=after)
        assert "Traceback" not in said, f"after {after:.3f} s: {said}"
        if code:
            interrupted += 1
            assert (code, "Interrupted" in said) == (1, True), f"after {after:.3f} s: {said}"
    assert interrupted or trials < 3
    code, said, _ = run(words)
    assert code == 0, said
    assert not list((hub / "store").rglob("work-*"))


def test_a_command_that_is_interrupted_says_so_and_finishes_when_run_again(region: Region, tmp_path: Path) -> None:
    interrupt_often(region, tmp_path, "receive", trials=3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["receive", "build", "count"])
def test_a_command_that_is_interrupted_at_thirty_moments_says_so_each_time(
    region: Region, tmp_path: Path, name: str
) -> None:
    interrupt_often(region, tmp_path, name, trials=30)


DESTRUCTOR = """
import os, signal, time
from fairhaven.kernel.interruption import heed_in_destructors

class Slow:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

heed_in_destructors()
began = time.monotonic()
try:
    slow = Slow()
    del slow
    time.sleep(60)
except KeyboardInterrupt:
    print(time.monotonic() - began < 30)
"""


QUERY = """
import os, signal, threading, time
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.interruption import is_interruption

def query():
    with open_duckdb(spill=None) as connection:
        connection.execute("SELECT sum(hash(a.range * b.range)) FROM range(1_000_000) a, range(1_000_000) b")

def reworded():
    try:
        query()
    except RuntimeError:
        raise ValueError("could not be counted") from None

threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
began = time.monotonic()
try:
    reworded()
except ValueError as error:
    # The query has hours to go, and DuckDB's closing would wait for its threads.
    print(time.monotonic() - began < 60, is_interruption(error), is_interruption(ValueError("could not be counted")))
"""

MODULE = """
import sys
from fairhaven.kernel.interruption import forget_interruption

try:
    exec("raise KeyboardInterrupt")
except KeyboardInterrupt:
    forget_interruption()
sys.exit(1)
"""

SAIL = """
import os, signal, sys, time
from pathlib import Path
from fairhaven.engine import open_engine

engine = open_engine("sail", Path(sys.argv[1]))
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    engine.close()
    print("closed")
"""


def in_a_process(code: str, *words: str | Path) -> str:
    """What code prints that sends itself Ctrl-C: everything in its process hears it, so it has one of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_an_interruption_inside_a_query_ends_it_at_once_and_is_known_however_often_it_was_raised_anew() -> None:
    assert in_a_process(QUERY) == "True True False"


def test_an_interruption_inside_a_destructor_ends_the_command_too() -> None:
    assert in_a_process(DESTRUCTOR) == "True"


@pytest.mark.parametrize("after", [0.01, 0.05, 0.1])
def test_a_command_that_is_interrupted_before_it_is_loaded_gives_json_where_it_was_asked_for(after: float) -> None:
    code, given, said = outcome(["release", "list", "hub", "--json"], after=after)
    assert (code, json.loads(given)["error"]["code"]) == (1, "interrupted")
    assert "Traceback" not in said


ENDED_BY_THE_INTERPRETER = """
import atexit, os, signal
from fairhaven.cli import main

# As a library that was cut off while it was loaded can end the process, when the interpreter takes itself apart.
atexit.register(os.kill, os.getpid(), signal.SIGSEGV)
signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
main()
"""


def test_an_interrupted_command_does_not_end_in_a_crash_of_what_it_had_half_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED_BY_THE_INTERPRETER, "release", "list", "hub"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Interrupted" in done.stderr) == (1, True)


def test_an_interruption_in_a_text_that_python_ran_is_not_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(MODULE)
    done = subprocess.run([sys.executable, "-m", "command"], cwd=tmp_path, check=False)
    assert done.returncode == 1


def test_an_interruption_with_sail_open_does_not_wait_for_a_server_that_has_stopped(tmp_path: Path) -> None:
    if find_spec("pysail") is None:
        pytest.skip("pysail is not installed here")
    assert in_a_process(SAIL, tmp_path) == "closed"
