"""Files that hold a secret: keys of a hub, the key of a server's certificate, what a task API asks for. One rule says which are used.

A secret that somebody else could read, change or exchange is not used: by the file's mode or another name of it (a hard link), by its
owner, or by the folder that it stands in. It is looked at opened, so what was looked at is what is read.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairhaven.kernel.accounts import account_name
from fairhaven.kernel.errors import NotAllowedNow

_ROOT = 0
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def read_secret(path: Path, *, if_read: str) -> bytes:
    """What a secret file holds.

    Args:
        if_read: what is to be done where somebody else may have read it.

    Raises:
        FileNotFoundError, PermissionError: it is not there, or this account may not read it.
        NotAllowedNow: somebody else could read, change or exchange it.
    """
    with held_secret(path, if_read=if_read) as held:
        return held.read_bytes()


@contextmanager
def held_secret(path: Path, *, if_read: str) -> Iterator[Path]:
    """A secret file, opened; the path names this opening, for a library that reads it by a path, and ends with it. As `read_secret`."""
    descriptor = os.open(path, _READING)
    try:
        found = os.fstat(descriptor)
        # A link is followed, and then both folders count: where the link stands, and where the file does.
        folders = {folder: folder.stat() for folder in (path.absolute().parent, path.resolve().parent)}
        _check(path, found, folders, if_read)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def check_closed(folder: Path, *, if_read: str) -> None:
    """Refuse a folder of secrets that others could so much as enter.

    Raises:
        NotAllowedNow: they could.
    """
    found = folder.stat()
    if found.st_mode & _OTHERS:
        raise _open(folder, found, if_read)


def _check(path: Path, found: os.stat_result, folders: dict[Path, os.stat_result], if_read: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotAllowedNow(f"{path} is to hold a secret, and is no file. Put the secret there as a file.")
    me = os.geteuid()
    # A key of the machine may be root's, with a group whose services read it (/etc/ssl/private): PostgreSQL allows the same.
    is_of_the_machine = found.st_uid == _ROOT != me
    if found.st_mode & _OTHERS & ~(stat.S_IRGRP if is_of_the_machine else 0):
        raise _open(path, found, if_read)
    # Root runs commands for the account whose folder it is.
    trusted = {me, _ROOT, *(each.st_uid for each in folders.values() if me == _ROOT)}
    if found.st_uid not in trusted:
        raise NotAllowedNow(
            f"{path} is {account_name(found.st_uid)}'s, who could change it, so it is not used. Put the secret into a file of "
            f"{account_name(me)} (chmod 600); {if_read}."
        )
    if found.st_nlink > 1:
        raise NotAllowedNow(
            f"{path} has {found.st_nlink} names (hard links), and who has another of them can keep or change it, so it is not used. "
            f"Make it anew under one name; {if_read}."
        )
    for folder, its in folders.items():
        if its.st_mode & _OTHERS_WRITE and not its.st_mode & stat.S_ISVTX:
            raise NotAllowedNow(
                f"{path} stands in {folder}, in which {_who(its.st_mode)} could put another in its place (mode "
                f"{stat.S_IMODE(its.st_mode):04o}), so it is not used. Run chmod go-w {folder}; {if_read}."
            )


def _open(path: Path, found: os.stat_result, if_read: str) -> NotAllowedNow:
    mode = stat.S_IMODE(found.st_mode)
    allowed = "700" if stat.S_ISDIR(found.st_mode) else "600"
    return NotAllowedNow(
        f"{path} is open to {_who(mode)} (mode {mode:04o}); a secret that others could read or change is not used. Run "
        f"chmod {allowed} {path}; {if_read}."
    )


def _who(mode: int) -> str:
    return "every account of this machine" if mode & stat.S_IRWXO else "the group of its owner"
