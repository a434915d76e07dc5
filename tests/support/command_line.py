"""The `fairhaven` command in tests: as a process of its own, or, much cheaper, in the process of the test."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Protocol

from fairhaven.cli import app

Done = subprocess.CompletedProcess[str]


class Command(Protocol):
    """Runs a command and asserts how it ends."""

    def __call__(self, *words: str | Path | int, code: int = 0) -> Done:
        """What it said; *code* is the exit code that it must end with."""


def run(*words: str | Path | int, code: int = 0) -> Done:
    """The command in this process: parsed, refused and shown as for a user, without loading every library anew."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        ended = app.run(list(map(str, words)))
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return _checked(Done(list(map(str, words)), ended, *said), code)


def run_process(*words: str | Path | int, code: int = 0) -> Done:
    """The command as a user runs it, where the process itself is the point."""
    return _checked(subprocess.run(command_line(*words), capture_output=True, text=True, check=False), code)


def command_line(*words: str | Path | int) -> list[str]:
    """The command for `subprocess`."""
    return [sys.executable, "-m", "fairhaven.cli", *map(str, words)]


def _checked(done: Done, code: int) -> Done:
    assert "Traceback" not in done.stderr and "Fairhaven itself is at fault" not in done.stderr, done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return done
