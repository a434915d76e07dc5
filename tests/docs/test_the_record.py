"""The script for an outsider, as docs/explanation/the-record.md has it, checks what a hub proves and refuses what it does not."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fairhaven.kernel.codec import to_json
from fairhaven.kernel.files import write_json
from fairhaven.ledger import EventKind
from tests.support.actors import ANNA
from tests.support.ledgers import SIGNER, ledger_in

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "the-record.md"


@pytest.fixture(scope="module")
def script() -> str:
    [text] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(text)


def _run(script: str, proof: Path, key: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script, proof, key], capture_output=True, text=True, check=False)


def test_the_script_of_thirty_lines_uses_nothing_but_python_and_cryptography(script: str) -> None:
    lines = [line for line in script.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) <= 30
    assert set(re.findall(r"^(?:import|from) ([a-z0-9, ]+)", script, re.MULTILINE)) == {
        "base64, hashlib, json, sys",
        "cryptography",
    }


def test_the_script_accepts_every_event_and_nothing_that_was_altered(script: str, tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path / "store")
    for number in range(6):
        ledger.append(EventKind.DELIVERY, {"number": number}, by=ANNA)
    key, proof = tmp_path / "record.pub", tmp_path / "proof.json"
    SIGNER.write_public(key)
    for number in (1, 4, 7):
        write_json(proof, to_json(ledger.prove(number)))
        done = _run(script, proof, key)
        assert done.returncode == 0 and f"Event {number} of 7 is in fairhaven/" in done.stdout, done.stderr
    true = json.loads(proof.read_text())
    altered = (
        {"content": true["content"].replace('"number":5', '"number":6')},
        {"number": 6},
        {"path": true["path"][:-1]},
        {"path": true["path"][::-1]},
        {"checkpoint": true["checkpoint"].replace("\n7\n", "\n6\n")},
    )
    for change in altered:
        write_json(proof, true | change)
        assert _run(script, proof, key).returncode != 0, change
