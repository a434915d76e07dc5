"""What is in a folder: all of it, or a refusal. Python's own `glob` shows a folder that this account may not look into as an empty
one, and a record that seems to be empty is a record that is lost.
"""

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
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except PermissionError:
        raise NotPermitted(why_refused(folder)) from None
    except NotADirectoryError:
        raise Invalid(
            f"{folder} is to be a folder, and is none. Restore it, or take away what is in its place."
        ) from None
    return [path for path in found if fnmatchcase(path.name, pattern)]


def listed_below(
    folder: Path, pattern: str = "*", *, is_left_out: Callable[[Path], bool] = lambda _: False
) -> list[Path]:
    """What is in a folder and in the folders below it, in order; no link is followed.

    Args:
        pattern: as of `listed`.
        is_left_out: says of a path that neither it nor what is below it is wanted; such a folder is not looked into.

    Raises:
        NotPermitted, Invalid: as `listed`.
    """
    found = []
    for path in listed(folder):
        if is_left_out(path):
            continue
        if fnmatchcase(path.name, pattern):
            found.append(path)
        if path.is_dir() and not path.is_symlink():
            found += listed_below(path, pattern, is_left_out=is_left_out)
    return found
