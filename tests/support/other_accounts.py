"""What tests of other accounts of this machine share."""

import os
import subprocess
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


@contextmanager
def without_leave(folder: Path) -> Iterator[None]:
    """As an account that may not look into a folder: another one, where only root is never refused."""
    folder.chmod(0)
    try:
        with as_other_account():
            yield
    finally:
        folder.chmod(0o700)


@contextmanager
def as_other_account() -> Iterator[None]:
    """Become an account that nobody has, and that is in no group, where that may be; where not, stay the one that runs the tests."""
    is_root, groups = os.geteuid() == 0, os.getgroups()
    if is_root:
        os.setgroups([])
        os.setegid(NOBODYS)
        os.seteuid(NOBODYS)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)


def copied_with_owners(folder: Path, target: Path) -> Path:
    """A copy of a folder in which every file belongs to whom it belonged; only root makes one."""
    subprocess.run(["cp", "--archive", folder, target], check=True)
    return target
