"""A whole hub as an earlier version of the code left it: small, with two releases. `tests/data/README.md` says how it was made."""

import shutil
from pathlib import Path

OLDER_HUB = Path(__file__).parent.parent / "data" / "hub-of-899b4d3.tar.xz"


def unpack_older_hub(folder: Path) -> Path:
    """The hub, in a folder of its own below *folder*, with the modes that it had."""
    shutil.unpack_archive(OLDER_HUB, folder, filter="tar")
    return folder / "hub"
