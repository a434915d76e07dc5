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

from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.kernel.open_files import allow_open_files

_KINDS = {
    stat.S_ISLNK: "is a link; deliver the file itself, because what a link points to may be changed or not be yours",
    stat.S_ISFIFO: "is a pipe; deliver a file",
    stat.S_ISSOCK: "is a socket; deliver a file",
    stat.S_ISCHR: "is a device; deliver a file",
    stat.S_ISBLK: "is a device; deliver a file",
}


_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Should it have become a pipe since, opening it does not wait."""


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
            Invalid: by now it is no plain file, or it cannot be read.
        """
        with _named(self._open()) as path:
            yield path

    def _open(self) -> int:
        at = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in self.place.parts[:-1]:
                above, at = at, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(above)
            name = self.place.name
            _check(os.lstat(name, dir_fd=at).st_mode, self.path)
            descriptor = os.open(name, _READING | os.O_NOFOLLOW, dir_fd=at)
        except OSError as error:
            raise Invalid(_unreadable(self.path, error)) from None
        finally:
            os.close(at)
        return _checked(descriptor, self.path)


def given(path: Path) -> ForeignFile:
    """A file as a person named it."""
    return ForeignFile(folder=path.parent, place=Path(path.name))


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """A file as a person named it to read it where it is, opened; a link to it is their own.

    Raises:
        Invalid: it is no plain file, or cannot be read.
    """
    try:
        _check(path.stat().st_mode, path)
        descriptor = os.open(path, _READING)
    except OSError as error:
        raise Invalid(_unreadable(path, error)) from None
    with _named(_checked(descriptor, path)) as held:
        yield held


def content_of(path: Path, *, shown: str, largest: int) -> bytes:
    """All of a small file, as a person named it.

    Args:
        shown: how the file is named in faults.
        largest: bytes that such a file may have.

    Raises:
        NotFound: there is no such file.
        Invalid: it is no plain file, is too large, or cannot be read.
    """
    try:
        # Looked at first: a pipe would be waited for without end.
        status = path.stat()
        message = kind_fault(status.st_mode) or "is too large for what it is to hold" * (status.st_size > largest)
        if message:
            raise Invalid(Fault(message=message, path=shown))
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{shown}: there is no such file") from None
    except PermissionError:
        raise Invalid(Fault(message=why_refused(path), path=shown)) from None
    except OSError as error:
        raise Invalid(Fault(message=f"cannot be read ({type(error).__name__})", path=shown)) from None


def files_below(folder: Path, *, levels: int | None = None) -> list[ForeignFile]:
    """The files of a folder and of the folders in it, by their places; hidden ones (``.DS_Store``) are left out.

    Args:
        levels: how deep to look: 1 is the folder alone; None looks everywhere.

    Raises:
        Invalid: anything below is neither a folder nor a plain file, has a name that cannot be recorded, or is a folder that
            cannot be read; all of it is named.
    """
    found: list[ForeignFile] = []
    faults: list[Fault] = []

    def leave_nothing_out(error: OSError) -> None:
        faults.append(_unreadable(Path(error.filename), error))

    for at, folders, files in os.walk(folder, onerror=leave_nothing_out):
        depth = len(Path(at).relative_to(folder).parts) + 1
        for name in (*folders, *files):
            path = Path(at, name)
            try:
                mode = path.lstat().st_mode
            except OSError as error:
                leave_nothing_out(error)
                continue
            message = name_fault(name) or kind_fault(mode)
            if message:
                faults.append(Fault(path=str(path), message=message))
            elif stat.S_ISREG(mode) and not name.startswith("."):
                found.append(ForeignFile(folder=folder, place=path.relative_to(folder)))
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


def check_room_for(files: int) -> None:
    """Let the process hold so many files open beside what it has open.

    Raises:
        Invalid: it may not, whatever it asks for.
    """
    # Each is opened twice: once to be held, once to be read; the libraries open theirs.
    wanted = 2 * files + 256
    if (allowed := allow_open_files(wanted)) < wanted:
        message = f"holds {files:,} files, and this account may open {allowed:,} at a time; give fewer and larger ones"
        raise Invalid(Fault(message=message))


def name_fault(name: str) -> str:
    """Why a file or folder cannot have this name; empty where it can. Bytes that are not UTF-8 are surrogates in it."""
    if any("\ud800" <= character <= "\udfff" for character in name):
        return "the file's name is not UTF-8, so it could not be recorded; rename it"
    return ""


@contextmanager
def _named(descriptor: int) -> Iterator[Path]:
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _checked(descriptor: int, path: Path) -> int:
    try:
        _check(os.fstat(descriptor).st_mode, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _unreadable(path: Path, error: OSError) -> Fault:
    unsaid = f"cannot be read ({error.strerror}), and nothing is left out unsaid;"
    if isinstance(error, PermissionError):
        return Fault(path=str(path), message=f"{unsaid} {why_refused(path)}")
    return Fault(path=str(path), message=f"{unsaid} give it again when it is whole")


def _check(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise Invalid(Fault(path=str(path), message=kind_fault(mode) or "is a folder now; deliver a file"))
