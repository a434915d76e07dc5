"""A connection to the server that is not waited for: the head of each request must come whole before a deadline.

Uvicorn waits for ever for a head that has begun, for a body that nobody reads, and for what comes after a first byte.
While an application answers, the deadlines are the application's.
"""

import asyncio
from typing import Any

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from fairhaven.network.server.open_connections import ConnectionLimits, Listener


class HttpConnection(H11Protocol):
    """Uvicorn's HTTP/1.1 with a deadline.

    An application says by ``request.state.admitted()`` that a request is a member's.

    Args:
        listener: counts the connection, and whether it is a member's.
    """

    def __init__(self, config: Config, state: ServerState, *, listener: Listener, limits: ConnectionLimits) -> None:
        super().__init__(config, state, {"admitted": self._admitted})
        self._listener = listener
        self._seconds = limits.head_seconds
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        super().connection_lost(exc)
        self._stop_watching()

    def data_received(self, data: bytes) -> None:
        """Take what came; what is still missing has no more time for it."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Between two requests the server is patient, unless the rest of this one or the start of another is under way."""
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]:
            self._watch()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._deadline is None and not self.transport.is_closing():
            # Closing would wait for what was written to be read, and with TLS for a farewell.
            self._deadline = self.loop.call_later(self._seconds, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _admitted(self) -> None:
        found: Any = self.transport.get_extra_info("socket")
        if found is not None:
            self._listener.admit(found.fileno())
