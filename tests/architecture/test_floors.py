"""The floors hold: code uses what stands below it, never beside or above."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source_tree import ROOT


def test_every_import_goes_downwards() -> None:
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_nothing_happens_at_import() -> None:
    """Importing the command line reads no settings, opens no engine and loads no heavy library."""
    code = "import fairhaven.cli, sys; print([m for m in ('splink', 'deltalake', 'pyspark', 'pandas', 'sqlalchemy', 'alembic') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_what_opens_no_engine_loads_no_dialects_of_databases() -> None:
    """Ibis' backend brings those of a dozen databases, a sixth of the CPU of a report."""
    code = "import fairhaven.hub, sys; print('ibis.backends.duckdb' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
