"""Every reader of a foreign file, given hostile bytes for as long as the trials say (``--cpu-minutes``)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile_process import CANARY
from tests.support.hostile_readers import READERS


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_no_bytes_break_a_reader_or_make_it_open_anything_else(
    reader: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seconds = 60 * float(pytestconfig.getoption("--cpu-minutes")) / len(READERS)
    (tmp_path / "outside").mkdir()
    secret = tmp_path / "outside" / "secret"
    secret.write_bytes(CANARY)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile_process", reader, str(seconds), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        kept = Path(shutil.copy(tmp_path / "last", tmp_path / f"broke-{reader}"))
        pytest.fail(f"exit code {done.returncode} with the bytes in {kept}\n{done.stderr[-6000:]}")
    counts = json.loads(done.stdout)
    assert counts["refused"] < counts["read"], counts
    assert secret.read_bytes() == CANARY
    assert sorted(path.name for path in tmp_path.iterdir()) == ["inside", "last", "outside"]
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret"]
    spilled = [path for path in (tmp_path / "inside").rglob("*") if path.is_file() and CANARY in path.read_bytes()]
    assert not spilled
