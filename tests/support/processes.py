"""Processes of Python's own beside the test: they import what the test can import."""

import os
import subprocess
import sys
from typing import Any

PATIENCE = 300.0
"""Seconds that a test waits for what surely comes: many, because a machine may be busy with something else."""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
"""An environment in which a process of the same Python finds Fairhaven and the modules of tests."""


def started(script: str, **settings: Any) -> subprocess.Popen[str]:
    """A process that runs a script, with its output as text; *settings* are those of `subprocess.Popen`."""
    return subprocess.Popen([sys.executable, "-c", script], env=ENVIRONMENT, text=True, **settings)
