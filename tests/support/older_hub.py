"""A whole hub as an earlier version of the code left it: small, with two releases. `tests/data/README.md` says how it was made."""

import os
import shutil
from pathlib import Path

from tests.support.command_line import run

OLDER_HUB = Path(__file__).parent.parent / "data" / "hub-of-899b4d3.tar.xz"


def unpack_older_hub(folder: Path) -> Path:
    """The hub as it was left, in a folder of its own below *folder*, with the modes that it had."""
    shutil.unpack_archive(OLDER_HUB, folder, filter="tar")
    return folder / "hub"


def upgraded_older_hub(folder: Path) -> Path:
    """The same, brought forward."""
    hub = unpack_older_hub(folder)
    run("upgrade", hub)
    return hub


def describe_older_hub(folder: Path) -> None:
    """In *folder* the hub, ``hub``, after the code of today described its last release to report on it, ``report.html``.

    Under any umask: so modes that a test finds are what the code gave, not what the account's umask took away.
    """
    before = os.umask(0)
    try:
        hub = upgraded_older_hub(folder)
        run("report", hub, "--out", folder / "report.html")
    finally:
        os.umask(before)
