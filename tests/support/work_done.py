"""How much work something is, counted and not timed: what does not hang on how busy the machine is."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_counting: list[tuple[Path, Counter[str]]] = []


def bytes_read() -> int:
    """How many bytes this process has read so far."""
    said = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(said["rchar"])


@contextmanager
def opened_below(folder: Path) -> Iterator[Counter[str]]:
    """Path below the folder -> how often Python opened it meanwhile, be it a file or a folder that was listed."""
    counted: Counter[str] = Counter()
    _listen()
    _counting.append((folder, counted))
    try:
        yield counted
    finally:
        _counting.remove((folder, counted))


@cache
def _listen() -> None:
    sys.addaudithook(_count)  # it stays for as long as the process


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("open", "os.listdir", "os.scandir"):
        return
    for folder, counted in _counting:
        if str(arguments[0]).startswith(f"{folder}/"):
            counted[str(Path(arguments[0]).relative_to(folder))] += 1
