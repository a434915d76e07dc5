"""A new release is made when its rows could be others, and not for any other line of the program."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fairhaven


def _planned(hub: Path, code: Path) -> str:
    """What a build of the hub would do, said by the code in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "fairhaven.cli", "build", str(hub), "--plan"],
        env={**os.environ, "PYTHONPATH": str(code)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_another_command_makes_no_new_release_and_another_rule_does(demo: Path, tmp_path: Path) -> None:
    code = Path(shutil.copytree(Path(fairhaven.__file__).parent, tmp_path / "code/fairhaven"))
    command, rules = code / "cli/release_commands.py", code / "harmonise/__init__.py"
    command.write_text(command.read_text() + "\nANOTHER_COMMAND = True\n")
    assert "nothing has changed since r0002" in _planned(demo, code.parent)
    rules.write_text(rules.read_text() + "\nVERSION += 1\n")
    assert "write the tables of r0003" in _planned(demo, code.parent)
