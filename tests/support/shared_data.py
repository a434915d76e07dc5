"""Test data that is not part of the project: found beside the checkout, or where FAIRHAVEN_SHARED says."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("FAIRHAVEN_SHARED", Path(__file__).resolve().parents[3] / "shared"))


def shared(*parts: str) -> Path:
    """A file or folder of the shared test data; the test is skipped, and says so, where it is not there."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the shared test data {'/'.join(parts)} is not here (set FAIRHAVEN_SHARED)")
    return path
