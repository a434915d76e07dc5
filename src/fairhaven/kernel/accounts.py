"""Accounts of the machine, as people call them, and what to say to one that may not do what it asked for."""

import grp
import os
import pwd
import stat
from pathlib import Path


def account_name(number: int) -> str:
    """The name of an account, or its number where it has none, as in a container."""
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return f"uid {number}"


def group_name(number: int) -> str:
    """The name of a group, or its number where it has none."""
    try:
        return grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return f"gid {number}"


def why_refused(path: Path) -> str:
    """Where the machine does not let this account read or write a path: whose it is, who asked, and what to do.

    As far as this account can see: of what is in a folder that it may not enter, it is told of the folder.
    """
    gate, found = _nearest(path)
    me, owner = account_name(os.geteuid()), account_name(found.st_uid)
    is_folder = stat.S_ISDIR(found.st_mode)
    # To what is in a folder its entering is enough: what is not there is to be made.
    needed = os.R_OK if gate == path.absolute() else 0
    if _may(gate, needed | (os.X_OK if is_folder else 0)):
        act, bits = "change", stat.S_IWGRP
    else:
        act, bits = ("look into", stat.S_IRGRP | stat.S_IXGRP) if is_folder else ("read", stat.S_IRGRP)
    if found.st_uid == os.geteuid():
        mode = stat.S_IMODE(found.st_mode)
        return (
            f"{me} may not {act} {gate}, though it is its own: the mode is {mode:04o}, or the file system protects it. Change the "
            f"mode (chmod u+rw{'x' if is_folder else ''} {gate}), or what protects it (lsattr {gate}), and run the command again."
        )
    of_group = ""
    if found.st_mode & bits == bits and found.st_gid not in (os.getegid(), *os.getgroups()):
        of_group = group_name(found.st_gid)
    whose = f"{owner} and the group {of_group}" if of_group else f"{owner} alone"
    instead = "have it take you into that group" if of_group else f"run it as {owner}"
    return (
        f"this needs the account {owner}: {me}, as whom the command runs, may not {act} {gate}, which is for {whose}. "
        f"Ask {owner} to run the command, or {instead}."
    )


def _nearest(path: Path) -> tuple[Path, os.stat_result]:
    """The path, or what is nearest above it that this account may look at."""
    for each in (absolute := path.absolute(), *absolute.parents):
        try:
            return each, each.lstat()
        except OSError:
            continue
    return (root := Path("/")), root.stat()


def _may(path: Path, what: int) -> bool:
    return os.access(path, what, effective_ids=os.access in os.supports_effective_ids)
