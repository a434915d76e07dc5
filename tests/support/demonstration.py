"""The demonstration hub, made once a run whatever the number of processes that run the tests."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.command_line import run_process

PERSONS = 300


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder of this run that all of its processes see."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def made_once(folder: Path) -> Path:
    """The hub with its two releases in *folder*; whoever comes while it is made waits for it."""
    hub = folder / "demonstration"
    with (folder / "demonstration.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not hub.exists():
            partial = folder / "demonstration.partial"
            shutil.rmtree(partial, ignore_errors=True)
            made = run_process("demo", partial, "--persons", PERSONS, "--no-serve", "--json")
            assert len(json.loads(made.stdout)["releases"]) == 2
            partial.rename(hub)
    return hub
