"""Where a command writes what it was asked for: where it may, not through a link, and over no file that the same command did
not make.

A file that a command made carries its name in an extended attribute, with the size and time that it had; a file that was
changed since, or that stands where there are no such attributes, counts as somebody else's.

Others may write into the folder of an output as well, and there can rename and exchange what is being made. So it is written,
given its mode and emptied by what was opened, never by a name that may by now be another thing's.
"""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, NotPermitted
from fairhaven.kernel.file_locks import is_held, left_behind
from fairhaven.kernel.files import make_folder, sync
from fairhaven.kernel.listing import listed, listed_below
from fairhaven.kernel.plain_files import open_plain

_PART = ".fairhaven-part"
_LONGEST_PATH = 1 << 16
REMOVED = "Removed what a killed command had left: {}"
_MADE_BY = "user.fairhaven.made_by"
_HALF = b"half written"
"""What a folder says by whom it was made until it is whole: one without it may be anybody's, renamed by somebody else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """A place that a command may write to; it is looked at when this is made, and again when all is written.

    Args:
        path: as the user gave it.
        command: that writes it, for example ``report``.
        check_place: refuses a place where no output may be.
        is_forced: a file that is there is written over, whatever made it.
        group: number of the group that may read it; None for nobody but the owner.
        notes: folder in which is noted what is being written, so that `clear_noted` finds it after a kill; None where nothing
            can be noted.

    Raises:
        NotAllowedNow: something is there already that this command did not make, or another command is writing it.
        Invalid: nothing may be written there (`check_place`), or the way there leads through a link.
    """

    path: Path
    command: str
    check_place: Callable[[Path], None]
    is_forced: bool = False
    group: int | None = None
    notes: Path | None = None

    def __post_init__(self) -> None:
        """Look at the place before anything is done."""
        self._check()

    @contextmanager
    def file(self) -> Iterator[BinaryIO]:
        """A file to be written bit by bit; it appears when all is written, and not at all after an error."""
        with self._begun() as part, os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+b") as file:
            self._hold(file.fileno())
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                self._put(part, file.fileno())
            finally:
                part.unlink(missing_ok=True)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A private folder beside the place, by a path that stays the same folder's; whatever `put` has not given the place is gone
        at the end."""
        with self._begun() as part:
            part.mkdir(mode=0o700)
            descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._hold(descriptor)
            try:
                yield _by(descriptor)
            finally:
                with contextlib.suppress(OSError):
                    _remove_folder(part, descriptor)
                os.close(descriptor)

    def write(self, data: bytes | str) -> None:
        """Write all of it at once."""
        with self.file() as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def put(self, built: Path) -> None:
        """Give a finished file or folder, of what `folder` gave, its place, in one step."""
        descriptor = os.open(built, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._put(built, descriptor)
        finally:
            os.close(descriptor)

    def _put(self, built: Path, descriptor: int) -> None:
        self._check()
        opened = _by(descriptor)
        is_folder = opened.is_dir()
        for path in (opened, *(listed_below(opened) if is_folder else ())):
            self._let_read(path)
        if not is_folder:
            self._sign(opened)
        if is_folder or self.path.exists():
            built.replace(self.path)
        else:
            try:
                os.link(built, self.path)
            except FileExistsError:
                raise NotAllowedNow(f"{self.path} appeared meanwhile; nothing was written over it.") from None
            except OSError:  # a file system without hard links
                built.replace(self.path)
        if not os.path.samestat(self.path.lstat(), os.fstat(descriptor)):
            raise NotAllowedNow(
                f"{self.path} is not what was written: somebody else who may write into {self.path.parent} exchanged it meanwhile. Do "
                "not use it; choose a folder into which nobody else writes."
            )
        sync(self.path.parent)

    @property
    def _part(self) -> Path:
        return self.path.with_name(f".{self.path.name}{_PART}")

    @contextmanager
    def _begun(self) -> Iterator[Path]:
        """Where it is written until it is whole, noted from before it is there."""
        part = self._part.absolute()
        note = self.notes / hashlib.sha256(str(part).encode()).hexdigest()[:16] if self.notes else None
        part.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(part):
            raise self._taken()
        with _noting(note, part) if note else contextlib.nullcontext():
            yield part

    def _taken(self) -> NotAllowedNow:
        return NotAllowedNow(
            f"another command is writing {self.path}; nothing was done. Try again when it has ended; if there is none, remove {self._part}."
        )

    def _hold(self, descriptor: int) -> None:
        """Lock what is being made, so that others see that its maker lives (`clear_left`)."""
        if not is_held(descriptor, self._part):
            raise self._taken()
        if hasattr(os, "setxattr"):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, _MADE_BY, _HALF)

    def _let_read(self, path: Path) -> None:
        if self.group is not None:
            # Whoever is not of the group keeps what they wrote to themselves.
            with contextlib.suppress(PermissionError):
                os.chown(path, -1, self.group)
                path.chmod(0o750 if path.is_dir() else 0o640)

    def _sign(self, built: Path) -> None:
        if hasattr(os, "setxattr"):
            with contextlib.suppress(OSError):
                os.setxattr(built, _MADE_BY, self._signature(built.stat()))

    def _is_ours(self, found: os.stat_result) -> bool:
        if hasattr(os, "getxattr"):
            with contextlib.suppress(OSError):
                return os.getxattr(self.path, _MADE_BY) == self._signature(found)
        return False

    def _signature(self, found: os.stat_result) -> bytes:
        return f"{self.command} {found.st_size} {found.st_mtime_ns}".encode()

    def _check(self) -> None:
        try:
            str(self.path).encode()
        except UnicodeEncodeError:
            raise Invalid("the name of an output must be UTF-8; choose another name") from None
        _check_no_link(self.path)
        self.check_place(self.path)
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "no file"
            raise NotAllowedNow(
                f"{self.path} is there already and is {what}; nothing was written. Choose another place, or move it away."
            )
        if not (self.is_forced or self._is_ours(found)):
            raise NotAllowedNow(
                f"{self.path} is there already, and not as `fairhaven {self.command}` made it; nothing was written. "
                "Choose another place, move it away, or write over it with --force."
            )


def clear_left(folder: Path) -> list[Path]:
    """Remove what killed commands were writing in a folder; what belongs to living ones is kept.

    Returns:
        what was removed.
    """
    with contextlib.suppress(NotPermitted):  # what one may only put something into is as it is
        return [part for part in listed(folder, f".*{_PART}") if _is_removed(part)]
    return []


def clear_noted(notes: Path) -> list[Path]:
    """Remove what killed commands were writing wherever it was noted (`Output.notes`); what belongs to living ones is kept.

    Returns:
        what was removed.
    """
    removed = []
    for note in listed(notes, "[0-9a-f]*"):
        with left_behind(note) as descriptor:
            if descriptor is None:
                continue
            part = _noted(descriptor)
            if part and _is_removed(part):
                removed.append(part)
            # Of one that was cut short nothing is there yet.
            if part is None or not os.path.lexists(part):
                note.unlink(missing_ok=True)
    return removed


@contextmanager
def _noting(note: Path, part: Path) -> Iterator[None]:
    """Note what is made meanwhile. The note is held until that is done: one that nobody holds is a killed command's."""
    make_folder(note.parent)
    while not is_held(descriptor := open_plain(note, os.O_WRONLY | os.O_CREAT), note):
        os.close(descriptor)
    with os.fdopen(descriptor, "wb") as file:
        file.truncate()
        file.write(bytes(part))
        file.flush()
        os.fsync(descriptor)
        sync(note.parent)
        yield
        # Not after an error: what could not be removed then is looked for by the next command.
        note.unlink(missing_ok=True)


def _noted(note: int) -> Path | None:
    """What an opened note says; None for one that was cut short, or is none."""
    if not stat.S_ISREG(os.fstat(note).st_mode):
        return None
    part = Path(os.fsdecode(os.read(note, _LONGEST_PATH)))
    return part if part.is_absolute() and part.name.startswith(".") and part.name.endswith(_PART) else None


def _is_removed(part: Path) -> bool:
    with left_behind(part) as descriptor:
        if descriptor is None:
            return False
        mode = os.fstat(descriptor).st_mode
        try:
            if stat.S_ISREG(mode):
                part.unlink()
            elif not stat.S_ISDIR(mode):
                return False  # a pipe of that name is nobody's half-written output
            elif _is_half_written(descriptor):
                _remove_folder(part, descriptor)
            else:
                part.rmdir()  # killed before it said what it is, it is empty
        except OSError:
            return False
    return True


def _is_half_written(folder: int) -> bool:
    if hasattr(os, "getxattr"):
        with contextlib.suppress(OSError):
            return os.getxattr(folder, _MADE_BY) == _HALF
    return False


def _remove_folder(part: Path, descriptor: int) -> None:
    """Empty an opened folder, and take away its name; nothing in another folder that has the name by now."""
    for path in listed(_by(descriptor)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    part.rmdir()


def _by(descriptor: int) -> Path:
    """A path of what is opened, whatever its name has become."""
    return Path(f"/proc/self/fd/{descriptor}")


def _check_no_link(path: Path) -> None:
    """Refuse a way that leads through a link; those at the top of the file system are the machine's own (/tmp on a Mac)."""
    way = Path(path.anchor) if path.is_absolute() else Path.cwd()
    for part in path.parts[1:] if path.is_absolute() else path.parts:
        top, way = way, way / part
        if way.is_symlink() and top != Path(way.anchor):
            raise Invalid(
                Fault(
                    path=str(path),
                    message=f"{way} is a link, and nothing is written through one. Give the place that you mean",
                )
            )
