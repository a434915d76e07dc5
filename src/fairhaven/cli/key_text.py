"""A hub's keys in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairhaven.cli.key_results import CheckedKeys, RotatedKeys


def checked(found: "CheckedKeys") -> Iterator[str]:
    """What each key is for, and what is wrong."""
    for purpose, file in found.keys.items():
        yield f"  {purpose:<11} {file.name:<15} {purpose.meaning}"
    if found.faults:
        yield "Something is wrong with the keys:"
        yield from (f"  {fault}" for fault in found.faults)
    else:
        yield f"The keys are this hub's, nobody else may read them, and they open all {found.files:,} sealed files."
    if not found.is_split:
        yield "One file serves several purposes, as an earlier version made it; `fairhaven keys rotate` gives each its own."


def rotated(done: "RotatedKeys") -> Iterator[str]:
    """What is new and what was kept."""
    began = "An interrupted rotation was finished" if done.is_finished else "The keys were rotated"
    yield f"{began}: new keys for {' and '.join(done.renewed)}, wrapped anew for {done.files:,} sealed files."
    yield f"Kept: {', '.join(done.kept)}. (Other pseudonyms need a new store.)"
    yield "Back up store/keys now, apart from the store; backups of the store from before need the keys of before."
