"""What a hub's folder holds that is the hub's own, and that no output goes there."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from fairhaven.journeys.hub_records import DATABASE
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.keyring import Purpose
from fairhaven.ledger import LEDGER


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderPlace:
    """A file or folder that a hub's folder may hold, and that is the hub's own.

    Args:
        path: its name; ``*`` stands for any part of it.
        is_text: every command reads it, so the readers may.
    """

    path: str
    is_text: bool = True


FOLDER: Sequence[FolderPlace] = (
    FolderPlace(path="*.toml"),
    FolderPlace(path="controllers"),
    FolderPlace(path="classes"),
    FolderPlace(path="sources"),
    FolderPlace(path="mappings"),
    FolderPlace(path="vocabulary"),
    FolderPlace(path="projects"),
    FolderPlace(path="store", is_text=False),
    FolderPlace(path="inbox", is_text=False),
    FolderPlace(path="truth", is_text=False),  # of the demonstration
    FolderPlace(path=".gitignore", is_text=False),
)
"""Whatever is a hub's own in its folder; other files there are whoever's who put them there."""


def check_outside_hubs(path: Path) -> None:
    """Refuse a place inside what is a hub's own: its store, wherever that is, and its files.

    Raises:
        Invalid: it is inside.
    """
    real = path.parent.resolve() / path.name
    for folder in real.parents:
        if _is_of_a_store(folder) or _is_own(folder, real):
            message = f"is among a hub's own files, in {folder}, where nothing else is written. Choose another place"
            raise Invalid(Fault(path=str(path), message=message))


def _is_of_a_store(folder: Path) -> bool:
    """Whether a folder is a store, or its keys', under whatever name."""
    if (folder / "keys").exists() and any((folder / name).exists() for name in (DATABASE, LEDGER)):
        return True
    return any((folder / name).exists() for name in ("master.key", f"{Purpose.VAULT}.key", f"{Purpose.PSEUDONYMS}.key"))


def _is_own(hub: Path, path: Path) -> bool:
    """Whether a path below a hub's folder is the hub's own."""
    if not (hub / "hub.toml").exists():
        return False
    if path.parent == hub:
        return any(fnmatchcase(path.name, place.path) for place in FOLDER)
    top = hub / path.relative_to(hub).parts[0]
    # Told by what they are: a file system may not mind how a name is written.
    own = [hub / place.path for place in FOLDER]
    return any(each.exists() and top.exists() and top.samefile(each) for each in own)
