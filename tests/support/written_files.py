"""What a command writes to files, as ``strace`` sees it: also to those that are gone at its end.

What is written is put together by the places that it is written to, whatever became of the file. What the kernel copies by
itself is noted by the file that it is from, and a file that is written by way of memory by its own name.
"""

import codecs
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,mmap,sendfile,copy_file_range,splice,io_uring_setup"
)
_LINE = re.compile(
    rb"(\d+\.\d+) (\w+)\((.*)\) += (\d+|0x[0-9a-f]+)(?:<(.*?)>(?:\(deleted\))?)?(?: \([A-Z_|]+\))?$", re.DOTALL
)
_FILE = re.compile(rb"(\d+)<(/.*?)>(?:\(deleted\))?(?=[,)]|$)")
_TEXT = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NO_DISK = (b"/memfd:", b"/dev/null", b"/dev/pts", b"/dev/tty", b"/proc/")


def needs_strace() -> pytest.MarkDecorator:
    """Skips where nobody can watch."""
    reason = ""
    if (strace := shutil.which("strace")) is None:
        reason = "strace is not installed here"
    elif subprocess.run([strace, "-f", "--seccomp-bpf", "true"], capture_output=True, check=False).returncode:
        reason = "strace may not watch processes here"
    return pytest.mark.skipif(bool(reason), reason=reason)


def watching(log: Path) -> list[str]:
    """What to put before a command so that it is watched; *log* is an empty folder."""
    # A file for each thread, so that no line is broken by another's; the time says which was first.
    return [
        "strace",
        "-ff",
        "-ttt",
        "--seccomp-bpf",
        "-y",
        "-s",
        str(1 << 28),
        "-e",
        f"trace={_CALLS}",
        "-e",
        "signal=none",
        "-o",
        str(log / "t"),
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What was written to disks.

    Args:
        files: path -> what was written there, once for each time that it was opened to be written.
        sources: what the kernel copied into files by itself.
        mapped: files that memory was written to.
    """

    files: dict[str, list[bytearray]] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    mapped: set[str] = field(default_factory=set)


def written(log: Path) -> Written:
    """What the processes that were watched wrote to disks."""
    found = Written()
    places: dict[bytes, int] = {}
    for call, arguments, result, opened in _calls(log):
        if call in (b"openat", b"open", b"creat"):
            if opened.startswith(b"/") and re.search(rb"O_(WRONLY|RDWR|CREAT|TRUNC)", arguments):
                places[opened] = 0
                found.files.setdefault(opened.decode(), []).append(bytearray())
            continue
        if call == b"io_uring_setup":
            raise AssertionError("a process writes in a way that is not watched")
        files = _FILE.findall(
            arguments if call in (b"sendfile", b"copy_file_range", b"splice", b"mmap") else arguments[:5000]
        )
        if not files or (files[0][1].startswith(_NO_DISK) and call != b"copy_file_range"):
            continue
        path = files[0][1]
        match call:
            case b"lseek":
                places[path] = result
            case b"mmap":
                if b"MAP_SHARED" in arguments and b"PROT_WRITE" in arguments:
                    found.mapped.add(path.decode())
            case b"sendfile":
                found.sources.add(files[1][1].decode())
            case b"copy_file_range" | b"splice":
                if not files[-1][1].startswith(_NO_DISK):
                    found.sources.add(path.decode())
            case _:
                # One text is by far the usual, and long.
                one = arguments[arguments.find(b'"') + 1 : arguments.rfind(b'"')]
                texts = _TEXT.findall(arguments) if b"v" in call else [one]
                content = b"".join(codecs.escape_decode(text)[0] for text in texts)[:result]
                last = arguments[arguments.rfind(b", ") + 2 :]
                at = int(last) if call.startswith(b"pwrite") and last.isdigit() else places.get(path, 0)
                kept = found.files.setdefault(path.decode(), [bytearray()])[-1]
                kept.extend(bytes(max(0, at + len(content) - len(kept))))
                kept[at : at + len(content)] = content
                if not call.startswith(b"pwrite"):
                    places[path] = at + len(content)
    return found


def _calls(log: Path) -> Iterator[tuple[bytes, bytes, int, bytes]]:
    lines = [
        matched.groups()
        for thread in sorted(log.iterdir())
        for line in thread.read_bytes().split(b"\n")
        if (matched := _LINE.match(line))
    ]
    for _, call, arguments, result, opened in sorted(lines, key=lambda line: float(line[0])):
        yield call, arguments, int(result, 0), opened or b""
