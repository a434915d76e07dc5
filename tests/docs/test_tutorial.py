"""The tutorial, done step by step as it is written."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import run

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-release.md"
_BLOCK = re.compile(r"(?:\*\*`(?P<path>[^`]+)`\*\*\s*\n\s*\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)


def test_the_tutorial_works_as_it_is_written(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(demo, "demo")
    said = ""
    python = ""
    for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["path"]:
            path = Path(block["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"], encoding="utf-8")
        elif block["language"] == "sh":
            for line in block["text"].strip().splitlines():
                command, *words = shlex.split(line)
                assert command == "fairhaven"
                said += run(*words).stdout
        elif block["language"] == "python":
            python += block["text"]
    # It starts the command as its reader does: by the name under which it is installed.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    asked = subprocess.run([sys.executable, "-c", python], env=environment, capture_output=True, text=True, check=True)
    assert "5 rows received, 4 landed, 1 quarantined" in said
    assert "outside the agreement, dropped: Phone" in said
    assert "clinic.csv, line" in asked.stdout
    assert Path("report.html").exists()
