"""The tutorial, done step by step as it is written."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-release.md"
_BLOCK = re.compile(r"(?:\*\*`(?P<path>[^`]+)`\*\*\s*\n\s*\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL)


def test_the_tutorial_works_as_it_is_written(demo: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    shutil.copytree(demo, tmp_path / "demo")
    said = ""
    python = ""
    for block in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["path"]:
            path = tmp_path / block["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"], encoding="utf-8")
        elif block["language"] == "sh":
            for line in block["text"].strip().splitlines():
                said += run("bash", "-c", line)
        elif block["language"] == "python":
            python += block["text"]
    said += run(sys.executable, "-c", python)
    assert "5 rows received, 4 landed, 1 quarantined" in said
    assert "outside the agreement, dropped: Phone" in said
    assert "clinic.csv, line" in said
    assert (tmp_path / "report.html").exists()
