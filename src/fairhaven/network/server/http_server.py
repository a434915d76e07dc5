"""Serving an application over HTTP: with TLS, or on this machine only, for a proxy that does the TLS."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.kernel.secret_files import held_secret
from fairhaven.network.connection import is_loopback
from fairhaven.network.server.http_connection import HttpConnection
from fairhaven.network.server.open_connections import ConnectionLimits, Listener

_BACKLOG = 128
_IF_READ = "if others may have read it, have another certificate made"
_LARGEST_HEAD = 1 << 14  # bytes
_USUAL = ConnectionLimits()
_FAREWELL_SECONDS = 5  # for the end of TLS


def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    limits: ConnectionLimits = _USUAL,
    ready: Callable[[str], object] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve until Ctrl-C, or until *stop* is set.

    Args:
        host: the address to listen at; beyond this machine only with a certificate.
        port: 0 for one that is free.
        certificate: PEM file of the server's certificate and its chain.
        key: PEM file of its key.
        limits: how many may be connected, and how long is waited for a request.
        ready: gets the server's address as soon as it may be used.
        stop: set it to end the server, from another thread.

    Raises:
        Invalid: the server would send secrets in the clear, or the certificate cannot be used.
        NotAllowedNow: the address cannot be listened at, or others could read or change the key.
    """
    if certificate is None and not is_loopback(host):
        raise Invalid(
            f"serving {host} without a certificate would send every collection's secret in the clear. "
            "Give a certificate and key, or serve 127.0.0.1 behind a proxy that does the TLS."
        )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",  # would be a connection without a deadline
        h11_max_incomplete_event_size=_LARGEST_HEAD,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=5,
    )
    _load(config, certificate, key)
    with _listening(host, port, limits) as listener:
        if ready is not None:
            scheme, name = "https" if certificate else "http", f"[{host}]" if ":" in host else host
            ready(f"{scheme}://{name}:{listener.getsockname()[1]}")
        try:
            _Server(config, stop or threading.Event(), listener, limits).run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _load(config: uvicorn.Config, certificate: Path | None, key: Path | None) -> None:
    try:
        with ExitStack() as opened:
            if secret := key or certificate:
                held = opened.enter_context(held_secret(secret, if_read=_IF_READ))
                config.ssl_certfile, config.ssl_keyfile = (certificate, held) if key else (held, None)
            config.load()
    except PermissionError:
        raise
    except (ssl.SSLError, OSError):
        pair = f"the certificate {certificate}" + (f" and its key {key}" if key else ", without a key of its own,")
        raise Invalid(f"{pair} cannot be used") from None


class _Server(uvicorn.Server):
    """Uvicorn's server, which ends when an event says so and waits for nobody."""

    def __init__(
        self, config: uvicorn.Config, stop: threading.Event, listener: Listener, limits: ConnectionLimits
    ) -> None:
        super().__init__(config)
        self._stop, self._listener, self._limits = stop, listener, limits

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - it is our listener
        """Listen; Uvicorn's own way leaves a minute to a TLS handshake, and knows no connection before it."""
        await self.lifespan.startup()
        connection = partial(
            HttpConnection, self.config, self.server_state, listener=self._listener, limits=self._limits
        )
        is_tls = self.config.ssl is not None
        server = await asyncio.get_running_loop().create_server(
            connection,
            sock=self._listener,
            ssl=self.config.ssl,
            backlog=_BACKLOG,
            ssl_handshake_timeout=self._limits.head_seconds if is_tls else None,
            ssl_shutdown_timeout=_FAREWELL_SECONDS if is_tls else None,
        )
        self.servers = [server]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether to end."""
        return await super().on_tick(counter) or self._stop.is_set()


def _listening(host: str, port: int, limits: ConnectionLimits) -> Listener:
    listener = Listener(socket.AF_INET6 if ":" in host else socket.AF_INET, limits)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise NotAllowedNow(f"{host}:{port} cannot be listened at: {error.strerror}.") from None
    return listener
