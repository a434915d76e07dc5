"""Members are served while others open connections and keep them: real sockets against the real server."""

import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairhaven.network import Credentials
from fairhaven.network.server import PREFIX, ConnectionLimits, TaskQueue, task_api
from tests.support.actors import ANNA
from tests.support.network_wire import COLLECTION, served
from tests.support.processes import PATIENCE

NEXT = f"{PREFIX}/task/nextjob/{COLLECTION}"
BEGUN = f"GET {NEXT} HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode()
SHORT = ConnectionLimits(head_seconds=0.5)
SOON = 25
"""Seconds: the machine may be busy; a connection between two requests is kept for longer."""


class Network:
    """A served queue with one member."""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self.url = httpx.URL(url)
        self.credentials = credentials

    @contextmanager
    def connected(self, *, address: str = "127.0.0.1", sends: bytes = b"") -> Iterator[socket.socket]:
        """A connection from an address of this machine."""
        place = (self.url.host, self.url.port or 0)
        with socket.create_connection(place, timeout=PATIENCE, source_address=(address, 0)) as client:
            client.sendall(sends)
            yield client

    def is_served(self) -> bool:
        """True where the member's worker, which connects anew, is answered at the first try."""
        with self.connected(sends=self.request()) as client:
            return answer(client).startswith(b"HTTP/1.1 204")

    def request(self, *, secret: str = "", method: str = "GET", path: str = NEXT, more: str = "") -> bytes:
        credentials = Credentials(username=COLLECTION, password=secret) if secret else self.credentials
        return f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {credentials.header()}\r\n{more}\r\n".encode()


@contextmanager
def network(folder: Path, **settings: Any) -> Iterator[Network]:
    queue = TaskQueue(folder / "tasks.sqlite", by=ANNA)
    try:
        credentials = queue.members.add(COLLECTION)
        with served(task_api(queue), **settings) as url:
            yield Network(url, credentials)
    finally:
        queue.close()


def answer(client: socket.socket) -> bytes:
    """What comes next; nothing where the server ended the connection."""
    try:
        return client.recv(1000)
    except ConnectionResetError:
        return b""


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1000) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def seconds_until_ended(client: socket.socket, *, drip: bytes) -> float:
    """How long a connection lasts on which a byte comes ten times a second."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        client.settimeout(0.1)
        try:
            client.sendall(drip)
            if not client.recv(1000):
                break
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            break
    return time.monotonic() - began


def test_a_member_is_served_while_300_send_their_heads_slowly(tmp_path: Path) -> None:
    with network(tmp_path) as ours, ExitStack() as held:
        for number in range(300):
            held.enter_context(ours.connected(address=f"127.0.0.{2 + number % 5}", sends=BEGUN))
        assert ours.is_served()


def test_a_member_is_served_while_300_connections_of_its_own_address_say_nothing(tmp_path: Path) -> None:
    with network(tmp_path) as ours, ExitStack() as held:
        for _ in range(300):
            held.enter_context(ours.connected())
        assert ours.is_served()


def test_an_address_has_so_many_connections_and_takes_none_from_another(tmp_path: Path) -> None:
    limits = ConnectionLimits(strangers=20, per_address=8)
    with network(tmp_path, limits=limits) as ours, ExitStack() as held:
        other = held.enter_context(ours.connected(address="127.0.0.2", sends=BEGUN))
        many = [held.enter_context(ours.connected(sends=BEGUN)) for _ in range(50)]
        assert ours.is_served()  # so the others were accepted, or not, before
        assert is_open(other)
        assert sum(map(is_open, many)) <= 8


def test_strangers_of_many_addresses_send_each_other_away_and_no_member(tmp_path: Path) -> None:
    limits = ConnectionLimits(strangers=10, members=2)
    with network(tmp_path, limits=limits) as ours, ExitStack() as held:
        member = held.enter_context(ours.connected(sends=ours.request()))
        assert answer(member).startswith(b"HTTP/1.1 204")
        many = [
            held.enter_context(ours.connected(address=f"127.0.0.{2 + number}", sends=BEGUN)) for number in range(60)
        ]
        assert ours.is_served()
        assert sum(map(is_open, many)) <= 10
        member.sendall(ours.request())
        assert answer(member).startswith(b"HTTP/1.1 204")


def test_a_wrong_secret_makes_no_member_of_a_connection(tmp_path: Path) -> None:
    limits = ConnectionLimits(strangers=3)
    with network(tmp_path, limits=limits) as ours, ExitStack() as held:
        wrong = held.enter_context(ours.connected(sends=ours.request(secret="wrong")))
        assert answer(wrong).startswith(b"HTTP/1.1 401")
        for _ in range(3):
            held.enter_context(ours.connected())
        assert ours.is_served()
        # The end of a connection may reach this side a moment after the answer on another.
        patience = time.monotonic() + PATIENCE
        while is_open(wrong) and time.monotonic() < patience:
            time.sleep(0.01)
        assert not is_open(wrong)


def test_members_are_held_to_their_share_and_served_beyond_it(tmp_path: Path) -> None:
    limits = ConnectionLimits(strangers=2, members=3, per_address=100)
    with network(tmp_path, limits=limits) as ours, ExitStack() as held:
        for _ in range(10):
            client = held.enter_context(ours.connected(sends=ours.request()))
            assert answer(client).startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize(
    ("sends", "drip"),
    [
        (b"", b"G"),
        (BEGUN, b"x"),
        (b"\r\n", b""),
        (f"POST {NEXT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".encode(), b"x"),
        (f"POST {NEXT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode(), b"1\r\nx\r\n"),
        (f"GET {NEXT} HTTP/1.1\r\nHost: x\r\n\r\nG".encode(), b""),
        (f"GET {NEXT} HTTP/1.1\r\nHost: x\r\n\r\nG".encode(), b"G"),
        (f"GET {NEXT} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nG".encode(), b"x"),
    ],
    ids=["byte by byte", "head", "empty line", "body", "chunks", "second head stops", "second head", "upgrade"],
)
def test_what_comes_too_slowly_is_not_waited_for(tmp_path: Path, sends: bytes, drip: bytes) -> None:
    with network(tmp_path, limits=SHORT) as ours, ours.connected(sends=sends) as client:
        assert seconds_until_ended(client, drip=drip) < SOON
        assert ours.is_served()


def test_a_member_who_stops_in_a_second_head_is_not_waited_for(tmp_path: Path) -> None:
    with network(tmp_path, limits=SHORT) as ours, ours.connected(sends=ours.request()) as client:
        assert answer(client).startswith(b"HTTP/1.1 204")
        assert seconds_until_ended(client, drip=b"G") < SOON


def test_a_member_may_pause_between_requests_for_longer_than_a_head_may_take(tmp_path: Path) -> None:
    with network(tmp_path, limits=SHORT) as ours, ours.connected(sends=ours.request()) as client:
        assert answer(client).startswith(b"HTTP/1.1 204")
        time.sleep(1)
        client.sendall(ours.request())
        assert answer(client).startswith(b"HTTP/1.1 204")


def test_a_head_that_is_too_long_is_cut_off(tmp_path: Path) -> None:
    with network(tmp_path) as ours, ours.connected(sends=BEGUN + b"x" * 40_000) as client:
        assert answer(client)[:12] in (b"HTTP/1.1 400", b"")


def test_a_handshake_that_does_not_end_is_not_waited_for_and_keeps_nobody_out(tmp_path: Path) -> None:
    certificate, key = tmp_path / "hub.pem", tmp_path / "hub.key"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    limits = ConnectionLimits(strangers=20, head_seconds=2)
    trusted = ssl.create_default_context(cafile=str(certificate))
    with network(tmp_path, limits=limits, certificate=certificate, key=key) as ours, ExitStack() as held:
        many = [held.enter_context(ours.connected(sends=b"\x16\x03\x01")) for _ in range(200)]
        basic = httpx.BasicAuth(ours.credentials.username, ours.credentials.password)
        with httpx.Client(base_url=ours.url, verify=trusted, auth=basic, timeout=PATIENCE) as member:
            assert member.get(NEXT).status_code == 204
        assert sum(map(is_open, many)) <= 20
        assert seconds_until_ended(many[-1], drip=b"") < SOON
