"""What tests of other accounts of this machine share."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODYS = 54_321
"""An account that nobody has."""


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that every account may enter, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o711)
        yield Path(made)
