"""How large a compressed file may become: counted while it is unpacked, because its header may say anything."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol

from fairhaven.kernel.errors import Fault, Invalid

_CHUNK = 1 << 20
_GB = 10**9
UNSUSPICIOUS = 64 * 10**6
"""Bytes that a file may always become: a small text of one value over and over is packed a thousandfold."""
MOST_COLUMNS = 10_000
"""Of a table from outside, each a name in every query. The widest of the NHS (HES) have some hundreds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpansionLimits:
    """Limits on what a zip, a gzip or a Parquet file becomes (``[expansion]`` of hub.toml).

    Args:
        times: its own size so many times. Texts of health records are packed 5 to 50 times; deflate reaches 1,032.
        gigabytes: in all, whatever its own size.
        files: how many files a zip may hold.
    """

    times: int = 200
    gigabytes: int = 100
    files: int = 10_000

    def most_bytes(self, packed: int) -> int:
        """What a file of so many bytes may become."""
        return min(max(self.times * packed, UNSUSPICIOUS), self.gigabytes * _GB)


USUAL = ExpansionLimits()
ACCEPTED = ExpansionLimits(times=1 << 40, gigabytes=1 << 40, files=1 << 40)
"""For what was received under the limits of its day and is read again: a build or an erasure must not stop at a new limit."""


class Unpacking(Protocol):
    """A stream of what comes out of a compressed one."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Expansion:
    """The unpacking of one file, held to its limits.

    Args:
        packed: its size in bytes.
        shown: how faults name it.
    """

    def __init__(self, limits: ExpansionLimits, packed: int, shown: str) -> None:
        self._most = limits.most_bytes(packed)
        self._shown = shown
        self._unpacked = 0

    def copy(self, content: Unpacking, out: BinaryIO) -> None:
        """Unpack a stream; several streams of the same file count together.

        Raises:
            Invalid: they become more than they may. What was written is the caller's to remove.
        """
        while chunk := content.read(_CHUNK):
            self._unpacked += len(chunk)
            if self._unpacked > self._most:
                raise too_large(self._shown, f"would become more than {self._most / _GB:,.1f} GB when it is unpacked")
            out.write(chunk)


def too_large(shown: str, what: str) -> Invalid:
    """The refusal of a file that would become more than it may."""
    todo = (
        "so nothing of it was taken. If that is right, give what is in it instead, or raise the limits in hub.toml "
        "([expansion])."
    )
    return Invalid(Fault(path=shown, message=f"{what}, {todo}"))
