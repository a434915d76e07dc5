"""What is in a folder: all of it, or a refusal. Python's own `glob` shows a folder that this account may not look into as an empty
one, and a record that seems to be empty is a record that is lost.
"""

import os
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Invalid, NotPermitted


def listed(folder: Path, pattern: str = "*") -> list[Path]:
    """What is in a folder, in the order of the names; nothing where there is no folder.

    Args:
        pattern: of names, in which ``*`` stands for anything, a dot at the beginning as well.

    Raises:
        NotPermitted: this account may not look into it.
        Invalid: it is no folder.
    """
    return [folder / name for name, _ in _entries(folder) if fnmatchcase(name, pattern)]


def listed_below(folder: Path, *patterns: str, is_left_out: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """What is in a folder and in the folders below it, in order; no link is followed.

    Args:
        patterns: of names, as of `listed`; one of them must fit. Without any, all that is there.
        is_left_out: says of a path that neither it nor what is below it is wanted; such a folder is not looked into.

    Raises:
        NotPermitted, Invalid: as `listed`.
    """
    found = []
    for name, is_folder in _entries(folder):
        is_meant = not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
        if not (is_meant or is_folder) or is_left_out(path := folder / name):
            continue
        if is_meant:
            found.append(path)
        if is_folder:
            found += listed_below(path, *patterns, is_left_out=is_left_out)
    return found


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Names of what is in a folder, in order, and whether each is a folder and no link: that the listing itself tells, and a store has
    many files. Raises as `listed`."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except FileNotFoundError:
        return []
    except PermissionError:
        raise NotPermitted(why_refused(folder)) from None
    except NotADirectoryError:
        raise Invalid(
            f"{folder} is to be a folder, and is none. Restore it, or take away what is in its place."
        ) from None
