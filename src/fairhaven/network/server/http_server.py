"""Serving an application over HTTP: with TLS, or on this machine only, for a proxy that does the TLS."""

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from fairhaven.kernel.errors import Invalid, NotAllowedNow
from fairhaven.network.connection import is_loopback

_MOST_AT_ONCE = 200
_BACKLOG = 128


def serve(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    certificate: Path | None = None,
    key: Path | None = None,
    ready: Callable[[str], object] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serve until Ctrl-C, or until *stop* is set.

    Args:
        host: the address to listen at; beyond this machine only with a certificate.
        port: 0 for one that is free.
        certificate: PEM file of the server's certificate and its chain.
        key: PEM file of its key.
        ready: gets the server's address as soon as it may be used.
        stop: set it to end the server, from another thread.

    Raises:
        Invalid: the server would send secrets in the clear, or the certificate cannot be used.
        NotAllowedNow: the address cannot be listened at.
    """
    if certificate is None and not is_loopback(host):
        raise Invalid(
            f"serving {host} without a certificate would send every collection's secret in the clear. "
            "Give a certificate and key, or serve 127.0.0.1 behind a proxy that does the TLS."
        )
    config = uvicorn.Config(
        app,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=_MOST_AT_ONCE,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError):
        pair = f"the certificate {certificate}" + (f" and its key {key}" if key else ", without a key of its own,")
        raise Invalid(f"{pair} cannot be used") from None
    with _listening(host, port) as listener:
        if ready is not None:
            scheme, name = "https" if certificate else "http", f"[{host}]" if ":" in host else host
            ready(f"{scheme}://{name}:{listener.getsockname()[1]}")
        try:
            _Server(config, stop or threading.Event()).run(sockets=[listener])
        except KeyboardInterrupt:
            return


class _Server(uvicorn.Server):
    """Uvicorn's server, which ends when an event says so."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event) -> None:
        super().__init__(config)
        self._stop = stop

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether to end."""
        return await super().on_tick(counter) or self._stop.is_set()


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise NotAllowedNow(f"{host}:{port} cannot be listened at: {error.strerror}.") from None
    return listener
