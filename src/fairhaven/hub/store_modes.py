"""Who may read what of a hub's store: its owner everything; the group that ``readers`` of hub.toml names what releases are
made of and what counts need; nobody else anything.

Nobody reaches what is in a folder that they may not enter. So an opening looks at the store and what stands at its top,
and goes through all of it only where something there is not as it must be.
"""

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fairhaven.journeys.model import HubText
from fairhaven.kernel.errors import Fault, Invalid

_SHARED = ("archive", "vocabulary", "ledger.jsonl", "checkpoint", "record.pub")
"""What the readers may read, beside the audit's record."""

_AUDIT = "query-audit.sqlite"
_LOG = "query-audit.log"
"""To which the readers may add what they ask; the file tells who rewrites it (`query_audit.question_log`)."""
_KEYS = "keys"
_WITHHELD = "erasure.json"
"""Says who is to be erased."""

_TEXT = ("*.toml", "controllers", "sources", "mappings", "vocabulary")
"""What every command reads of a hub."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ROOT = 0


def modes_of(hub: HubText) -> "StoreModes":
    """The modes that a hub's settings ask for.

    Raises:
        Invalid: this machine has no group of the name that hub.toml gives.
    """
    readers = hub.settings.readers
    try:
        return StoreModes(folder=hub.folder, group=grp.getgrnam(readers).gr_gid if readers else None)
    except KeyError:
        message = f"this machine has no group {readers!r}; make it (groupadd {readers}), or name another"
        raise Invalid(Fault(path="hub.toml", field="readers", message=message)) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreModes:
    """The modes that a hub's folders and files are to have.

    Args:
        folder: the hub's folder.
        group: number of the readers' group, if there is one.
    """

    folder: Path
    group: int | None

    def close(self, *, tell: Callable[[str], object]) -> None:
        """Close what is open to more accounts than it may be, and say what that was."""
        store = self._store
        loose = [path for path in self._top() if self._is_loose(path)]
        wrong = [path for path in self._top() if self._is_wrong(path)]
        if not wrong:
            return
        # What is in a folder that nobody else may enter was open to nobody else.
        reachable = loose if stat.S_IMODE(store.stat().st_mode) & _OTHERS else []
        words = [
            f"{path} was open to {_who(path)} (mode {stat.S_IMODE(path.stat().st_mode):04o})" for path in reachable
        ]
        owner = store.stat().st_uid
        if os.geteuid() not in (owner, _ROOT):
            if words:
                who = _name_of(owner)
                tell(f"{'; '.join(words)}. It stays so until {who} runs `fairhaven check {self.folder}`.")
            return
        self.apply()
        if words:
            tell(f"{'; '.join(words)}. It is closed now. Who read it until now is not known to Fairhaven.")

    def apply(self) -> None:
        """Give every folder and file of the store its mode, and let the readers read the hub's text."""
        store = self._store
        if os.geteuid() not in (store.stat().st_uid, _ROOT):
            return
        self._give(store)
        for place, folders, files in os.walk(store):
            for name in (*folders, *files):
                # A command that runs beside this one may have taken it away.
                with contextlib.suppress(FileNotFoundError):
                    self._give(Path(place) / name)
        if self.group is not None:
            for path in self._text():
                self._let_read(path, self.group)

    @property
    def _store(self) -> Path:
        return (self.folder / "store").resolve()

    def _top(self) -> Iterator[Path]:
        yield self._store
        for place in (self._store, self._store / _KEYS):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                yield from sorted(path for path in place.iterdir() if not (path.is_symlink() or self._is_refused(path)))

    def _is_loose(self, path: Path) -> bool:
        found = path.stat()
        more = stat.S_IMODE(found.st_mode) & _OTHERS & ~self._mode(path)
        is_other_group = bool(found.st_mode & stat.S_IRWXG) and found.st_gid != self.group
        return bool(more) or is_other_group

    def _is_wrong(self, path: Path) -> bool:
        return self._is_loose(path) or stat.S_IMODE(path.stat().st_mode) != self._mode(path)

    def _mode(self, path: Path) -> int:
        parts = path.relative_to(self._store).parts
        if not path.is_dir():
            if parts == (_LOG,) and self.group is not None:
                return 0o660
            return 0o640 if self._is_shared(parts) else 0o600
        return 0o750 if self._is_shared(parts) else 0o700

    def _is_refused(self, path: Path) -> bool:
        """Whether it is a key, or the folder of the keys, that others could read: whoever needs it refuses it, with what to do."""
        parts = path.relative_to(self._store).parts
        if parts[:1] != (_KEYS,):
            return False
        return bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)

    def _is_shared(self, parts: tuple[str, ...]) -> bool:
        if self.group is None or any(part == _WITHHELD or part.startswith(".") for part in parts):
            return False
        return not parts or parts[0] in _SHARED or parts[0].startswith(_AUDIT)

    def _give(self, path: Path) -> None:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) or self._is_refused(path):
            return
        mode = self._mode(path)
        # The group first: otherwise another group could read for a moment.
        if mode & stat.S_IRWXG and self.group is not None and found.st_gid != self.group:
            os.chown(path, -1, self.group)
        if stat.S_IMODE(found.st_mode) != mode:
            path.chmod(mode)

    def _text(self) -> Iterator[Path]:
        yield self.folder
        for pattern in _TEXT:
            for path in self.folder.glob(pattern):
                yield path
                yield from path.rglob("*")

    @staticmethod
    def _let_read(path: Path, group: int) -> None:
        found = path.lstat()
        wanted = stat.S_IMODE(found.st_mode) | (0o050 if stat.S_ISDIR(found.st_mode) else 0o040)
        if stat.S_ISLNK(found.st_mode) or (stat.S_IMODE(found.st_mode) == wanted and found.st_gid == group):
            return
        os.chown(path, -1, group)
        path.chmod(wanted)


def _who(path: Path) -> str:
    found = path.stat()
    if found.st_mode & stat.S_IRWXO:
        return "every account of this machine"
    with contextlib.suppress(KeyError):
        return f"the group {grp.getgrgid(found.st_gid).gr_name}"
    return f"the group {found.st_gid}"


def _name_of(owner: int) -> str:
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:  # a container may run under a number without a name
        return f"uid {owner}"
