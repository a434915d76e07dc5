"""Who may hold a connection open while others want one: strangers so many, members as many again, each address a few.

A connection is a stranger's until a request on it is admitted. Strangers who are too many do not keep anybody out: the
oldest of the address that holds most makes room, before TLS and before a byte of a request has come. So whoever opens
many keeps out nobody but themselves, unless they have as many addresses as connections.
"""

import ipaddress
import socket
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

_NETWORK_OF_ONE = 64
"""Bits of an IPv6 address that tell one holder from another (RFC 6177): whoever has one address has all that begin so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """How many connections a server holds open, and how long it waits.

    Args:
        strangers: connections on which nobody was admitted yet, at once.
        members: further connections, on which a member was admitted.
        per_address: of either kind from one address, or from one IPv6 network of 64 bits; a proxy is one address.
        head_seconds: in which the head of a request must have come, whole; a TLS handshake likewise.
        idle_seconds: between an answer and the next request's first byte.
    """

    strangers: int = 100
    members: int = 100
    per_address: int = 64
    head_seconds: float = 10
    idle_seconds: int = 30


@dataclass(kw_only=True, slots=True)
class _Open:
    """A connection, and whether a member was admitted on it."""

    connection: socket.socket
    address: str
    is_member: bool = False


class Listener(socket.socket):
    """A listening socket that accepts as many connections as the limits let it.

    Args:
        family: IPv4 or IPv6.
    """

    def __init__(self, family: socket.AddressFamily, limits: ConnectionLimits) -> None:
        super().__init__(family)
        self._limits = limits
        self._open: dict[int, _Open] = {}  # by file descriptor, oldest first

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        """The next connection.

        Raises:
            ConnectionAbortedError: there was no room for it, and it was closed; the event loop then goes on.
        """
        connection, address = super().accept()
        new = _Open(connection=connection, address=_holder(address[0]))
        if not self._make_room(new.address):
            connection.close()
            raise ConnectionAbortedError
        self._open.pop(connection.fileno(), None)
        self._open[connection.fileno()] = new
        return connection, address

    def admit(self, file_descriptor: int) -> None:
        """Count a connection among the members', if there is room; else it stays a stranger's and is served as such."""
        members = sum(each.is_member for each in self._still_open())
        if members < self._limits.members and file_descriptor in self._open:
            self._open[file_descriptor].is_member = True

    def _make_room(self, address: str) -> bool:
        """True where one more from an address may be let in; a stranger may have been sent away for it."""
        here = [each for each in self._still_open() if each.address == address]
        strangers = [each for each in self._open.values() if not each.is_member]
        if len(here) >= self._limits.per_address:
            return self._send_away([each for each in here if not each.is_member])
        if len(strangers) >= self._limits.strangers:
            ((crowded, _),) = Counter(each.address for each in strangers).most_common(1)
            return self._send_away([each for each in strangers if each.address == crowded])
        return True

    def _send_away(self, strangers: list[_Open]) -> bool:
        if not strangers:
            return False
        connection = strangers[0].connection
        del self._open[connection.fileno()]
        with suppress(OSError):  # the other side may be gone
            connection.shutdown(socket.SHUT_RDWR)  # the event loop, whose socket it is, then closes it
        return True

    def _still_open(self) -> list[_Open]:
        self._open = {number: each for number, each in self._open.items() if each.connection.fileno() == number}
        return [*self._open.values()]


def _holder(address: str) -> str:
    """The address as far as it tells one holder from another."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _NETWORK_OF_ONE), strict=False))
