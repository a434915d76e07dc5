"""What is dear to make, made once a run whatever the number of processes that run the tests; the demonstration hub."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import run_process

PERSONS = 300


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder of this run that all of its processes see."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def made_once(place: Path, make: Callable[[Path], object]) -> Path:
    """A folder or file of that *place*, made under another name first; whoever comes while it is made waits for it."""
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            partial = place.with_name(f"{place.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.rename(place)
    return place


def demonstration(folder: Path) -> None:
    """The demonstration hub with its two releases."""
    made = run_process("demo", folder, "--persons", PERSONS, "--no-serve", "--json")
    assert len(json.loads(made.stdout)["releases"]) == 2
