"""Who may read what of a hub's store: its owner everything; the group that ``readers`` of hub.toml names what releases are
made of and what counts need; nobody else anything.

Nobody reaches what is in a folder that they may not enter. So an opening looks at the store and what stands at its top,
and goes through all of it only where something there is not as it must be.
"""

import contextlib
import grp
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairhaven.journeys.hub_folder import FOLDER
from fairhaven.journeys.hub_places import Access, place_of
from fairhaven.journeys.hub_records import DATABASE
from fairhaven.journeys.model import HubText
from fairhaven.kernel.accounts import account_name, group_name
from fairhaven.kernel.errors import Fault, Invalid, NotPermitted
from fairhaven.kernel.listing import listed
from fairhaven.ledger import LEDGER

_KEYS = "keys"
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
        """Close what is open to more accounts than it may be, and say what that was.

        Raises:
            Invalid: the store is a link that somebody else than its owner may have made, or to what is no store.
        """
        self._check_link()
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
        if not self._is_ours:
            if words:
                who = account_name(store.stat().st_uid)
                tell(f"{'; '.join(words)}. It stays so until {who} runs `fairhaven check {self.folder}`.")
            return
        self.apply()
        if words:
            tell(f"{'; '.join(words)}. It is closed now. Who read it until now is not known to Fairhaven.")

    def apply(self) -> None:
        """Give every folder and file of the store its mode, and let the readers read the hub's text."""
        store = self._store
        if not self._is_ours:
            return
        self._check_link()
        self._give(store, at=None)
        for path, at in _below(store):
            self._give(path, at=at)
        if self.group is not None:
            for path, standing_in in self._text():
                _let_read(path, self.group, at=standing_in)

    @property
    def group_of_outputs(self) -> int | None:
        """The group that may read what this account writes of the hub: the readers, where it is the hub's own account (or root);
        what another account writes is its own, to hand on or not."""
        return self.group if self._is_ours else None

    @property
    def _is_ours(self) -> bool:
        return os.geteuid() in (self._store.stat().st_uid, _ROOT)

    @property
    def _store(self) -> Path:
        return (self.folder / "store").resolve()

    def _top(self) -> Iterator[Path]:
        yield self._store
        for place in (self._store, self._store / _KEYS):
            with contextlib.suppress(NotPermitted):  # the readers may not look at keys
                yield from (path for path in listed(place) if not (path.is_symlink() or self._is_refused(path)))

    def _check_link(self) -> None:
        """Refuse a store that is a link, unless its owner (or root) made it and it leads to a store.

        Whoever may write to a hub's folder could otherwise have root's command close and open a tree of somebody else's.
        """
        link = self.folder / "store"
        if not link.is_symlink():
            return
        maker, owner = link.lstat().st_uid, self._store.stat().st_uid
        if maker in (owner, _ROOT) and any((self._store / name).is_file() for name in (DATABASE, LEDGER)):
            return
        message = (
            f"is a link to {self._store}, which is no store or is another account's than the link, so nothing there was touched. "
            "Link the store itself, as its owner"
        )
        raise Invalid(Fault(path=str(link), message=message))

    def _is_loose(self, path: Path) -> bool:
        found = path.stat()
        more = stat.S_IMODE(found.st_mode) & _OTHERS & ~self._mode(path, is_folder=path.is_dir())
        is_other_group = bool(found.st_mode & stat.S_IRWXG) and found.st_gid != self.group
        return bool(more) or is_other_group

    def _is_wrong(self, path: Path) -> bool:
        return self._is_loose(path) or stat.S_IMODE(path.stat().st_mode) != self._mode(path, is_folder=path.is_dir())

    def _mode(self, path: Path, *, is_folder: bool) -> int:
        inside = _inside(path, self._store)
        access = self._access(inside)
        if not is_folder:
            return 0o600 if access is Access.NONE else 0o640
        if access is Access.ADD and (place := place_of(inside)) and place.path == inside:
            # Sticky: nobody takes away or replaces another's. Setgid: what one account makes the group can read.
            return 0o3770
        return 0o700 if access is Access.NONE else 0o750

    def _is_refused(self, path: Path) -> bool:
        """Whether it is a key, or the folder of the keys, that others could read: whoever needs it refuses it, with what to do."""
        return self._is_key(path) and bool(stat.S_IMODE(path.stat().st_mode) & _OTHERS)

    def _is_key(self, path: Path) -> bool:
        return path.relative_to(self._store).parts[:1] == (_KEYS,)

    def _access(self, inside: str) -> Access:
        """What the readers may do with a path of the store."""
        if inside == ".":
            return Access.NONE if self.group is None else Access.READ
        place = place_of(inside)
        is_hidden = any(part.startswith(".") for part in inside.split("/"))
        return Access.NONE if self.group is None or place is None or is_hidden else place.readers

    def _give(self, path: Path, *, at: int | None) -> None:
        with _opened(path, at=at) as opened:
            if opened is None:
                return
            found = os.fstat(opened)
            owner = self._store.stat().st_uid
            if found.st_uid not in (owner, _ROOT):
                return  # what another account made in the folder of logs is its own
            if _has_other_names(found) and (
                found.st_uid != owner or self._access(_inside(path, self._store)) is Access.ADD
            ):
                return  # put there, where the machine lets them, by who may add files and not change this one
            permissions = stat.S_IMODE(found.st_mode)
            if self._is_key(path) and permissions & _OTHERS:
                return
            mode = self._mode(path, is_folder=stat.S_ISDIR(found.st_mode))
            # The group first: otherwise another group could read for a moment.
            if mode & stat.S_IRWXG and self.group is not None and found.st_gid != self.group:
                os.chown(_place(opened), -1, self.group)
            if permissions != mode:
                _place(opened).chmod(mode)

    def _text(self) -> Iterator[tuple[Path, int | None]]:
        yield self.folder, None
        for place in (each for each in FOLDER if each.is_text):
            for path in listed(self.folder, place.path):
                yield path, None
                yield from _below(path)


def _below(folder: Path) -> Iterator[tuple[Path, int]]:
    """What is in a folder and its folders, each with an opening of the folder that it stands in: no link is followed, also where
    a folder becomes one meanwhile. What another account keeps to itself, in the folder of logs, is passed over: it has its own modes."""
    ours = {folder.lstat().st_uid, os.getuid(), 0}
    for place, folders, files, at in os.fwalk(folder):
        for name in (*folders, *files):
            yield Path(place, name), at
        # Who may add to a folder could nest a thousand in it; what stands in another account's folders is given no mode.
        folders[:] = [name for name in folders if _owner(name, at) in ours]


def _owner(name: str, at: int) -> int | None:
    try:
        return os.stat(name, dir_fd=at, follow_symlinks=False).st_uid
    except FileNotFoundError:
        return None


@contextmanager
def _opened(path: Path, *, at: int | None) -> Iterator[int | None]:
    """A file or folder, opened for its mode alone; None for a link, and for what a command beside this one has taken away.

    Args:
        at: an opening of the folder that it stands in; None for a path to be followed, but for its end.
    """
    try:
        opened = os.open(path if at is None else path.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    try:
        yield None if stat.S_ISLNK(os.fstat(opened).st_mode) else opened
    finally:
        os.close(opened)


def _place(opened: int) -> Path:
    return Path(f"/proc/self/fd/{opened}")


def _let_read(path: Path, group: int, *, at: int | None) -> None:
    with _opened(path, at=at) as opened:
        if opened is None:
            return
        found = os.fstat(opened)
        if _has_other_names(found):
            return
        # To read alone: under umask 002 the group of before could write, and the readers would have its place.
        wanted = (stat.S_IMODE(found.st_mode) | (0o050 if stat.S_ISDIR(found.st_mode) else 0o040)) & ~0o022
        if stat.S_IMODE(found.st_mode) != wanted or found.st_gid != group:
            os.chown(_place(opened), -1, group)
            _place(opened).chmod(wanted)


def _inside(path: Path, store: Path) -> str:
    return path.relative_to(store).as_posix()


def _has_other_names(found: os.stat_result) -> bool:
    """Whether a file has hard links, and so may be one of elsewhere."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 1


def _who(path: Path) -> str:
    found = path.stat()
    if found.st_mode & stat.S_IRWXO:
        return "every account of this machine"
    return f"the group {group_name(found.st_gid)}"
