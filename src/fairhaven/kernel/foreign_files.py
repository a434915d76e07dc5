"""Files that somebody else put where they are: plain files only, reached through no link.

A link in a delivery would have the hub read what its sender cannot (its keys, say), and a pipe would be waited for without
end. Each file is looked at when it is opened, not before, and read through that opening: what is put in its place in the
meantime is not read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairhaven.kernel.errors import Fault, Invalid

_KINDS = {
    stat.S_ISLNK: "is a link; deliver the file itself, because what a link points to may be changed or not be yours",
    stat.S_ISFIFO: "is a pipe; deliver a file",
    stat.S_ISSOCK: "is a socket; deliver a file",
    stat.S_ISCHR: "is a device; deliver a file",
    stat.S_ISBLK: "is a device; deliver a file",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignFile:
    """A plain file as it was found.

    Args:
        folder: what the person named: the folder that the file was given in or below. A link on the way to it is the
            person's own.
        place: the file below that folder, reached through folders only.
    """

    folder: Path
    place: Path

    @property
    def path(self) -> Path:
        """Where it was found."""
        return self.folder / self.place

    @contextmanager
    def held(self) -> Iterator[Path]:
        """The file, opened; the path names this opening and ends with it.

        Raises:
            Invalid: by now it is no plain file.
        """
        descriptor = self._open()
        try:
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        at = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in self.place.parts[:-1]:
                above, at = at, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(above)
            name = self.place.name
            _check(os.lstat(name, dir_fd=at).st_mode, self.path)
            # Should it have become a pipe since, opening it does not wait.
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        except OSError as error:
            message = f"cannot be read ({error.strerror}); deliver it again when it is whole"
            raise Invalid(Fault(path=str(self.path), message=message)) from None
        finally:
            os.close(at)
        try:
            _check(os.fstat(descriptor).st_mode, self.path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


def given(path: Path) -> ForeignFile:
    """A file as a person named it."""
    return ForeignFile(folder=path.parent, place=Path(path.name))


def files_below(folder: Path, *, levels: int | None = None) -> list[ForeignFile]:
    """The files of a folder and of the folders in it, by their places; hidden ones (``.DS_Store``) are left out.

    Args:
        levels: how deep to look: 1 is the folder alone; None looks everywhere.

    Raises:
        Invalid: anything below is neither a folder nor a plain file; all of it is named.
    """
    found: list[ForeignFile] = []
    faults: list[Fault] = []
    for at, folders, files in os.walk(folder):
        depth = len(Path(at).relative_to(folder).parts) + 1
        for name in (*folders, *files):
            path = Path(at, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                if not name.startswith("."):
                    found.append(ForeignFile(folder=folder, place=path.relative_to(folder)))
            elif message := kind_fault(mode):
                faults.append(Fault(path=str(path), message=message))
        if depth == levels:
            folders.clear()
    if faults:
        raise Invalid(sorted(faults, key=lambda fault: fault.path))
    return sorted(found, key=lambda file: file.path)


def kind_fault(mode: int) -> str:
    """Why what has this mode is not read; empty for folders and plain files."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return next((words for is_kind, words in _KINDS.items() if is_kind(mode)), "is neither a file nor a folder")


def _check(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise Invalid(Fault(path=str(path), message=kind_fault(mode) or "is a folder now; deliver a file"))
