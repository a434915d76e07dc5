"""A worker against a real server, and against servers that fail in every way a server can."""

import datetime as dt
import json
import logging
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound, NotPermitted, Refused
from fairhaven.network import Backoff, Connection, QueueKind, TaskStatus, WorkerSummary, read_credentials, work
from fairhaven.network.server import CollectionState
from fairhaven.network.worker_session import ATTEMPTS
from tests.support.actors import ANNA
from tests.support.network_wire import (
    ABOUT,
    AVAILABILITY,
    COLLECTION,
    QUICK,
    Notes,
    Numbers,
    connection_to,
    http,
    network,
    raw_server,
    run_once,
    served,
)
from tests.support.processes import PATIENCE, started

TASK = json.dumps({"uuid": "7", "collection": COLLECTION, "cohort": {"groups": []}}).encode()
GENERIC = {"analysis": "DISTRIBUTION", "code": "GENERIC"}


def test_one_round_drains_both_queues(tmp_path: Path) -> None:
    with network(tmp_path) as (queue, connection):
        uuids = [queue.submit(query, [COLLECTION]) for query in (AVAILABILITY, GENERIC) for _ in range(5)]
        summary = run_once(connection, Numbers(), tmp_path / "worker")
        assert (summary.received, summary.answered, summary.posted, summary.trouble) == (10, 10, 10, "")
        assert {queue.results(uuid)[0].state for uuid in uuids} == {CollectionState.ANSWERED}


def test_a_task_that_comes_twice_gets_the_same_answer_without_counting_again(tmp_path: Path) -> None:
    posted: list[bytes] = []
    left = 0

    def reply(request: bytes, client: socket.socket) -> None:
        nonlocal left
        if request.startswith(b"GET"):
            left -= 1
            client.sendall(http(200, TASK) if left >= 0 else http(204))
        else:
            posted.append(request.partition(b"\r\n\r\n")[2])
            client.sendall(http(200, b"Job saved"))

    answers = Numbers(570)
    with raw_server(reply) as url:
        for count, times in ((570, 2), (580, 1), (590, 3)):
            answers.count, left = count, times
            run_once(connection_to(url), answers, tmp_path)
    assert len(posted) == 6
    assert len(set(posted)) == 1
    assert len(answers.asked) == 1


def test_a_result_that_cannot_be_posted_is_kept_and_posted_by_the_next_run(tmp_path: Path) -> None:
    posted: list[bytes] = []
    status = 503
    tasks = [TASK]

    def reply(request: bytes, client: socket.socket) -> None:
        if request.startswith(b"GET"):
            client.sendall(http(200, tasks.pop()) if tasks else http(204))
        else:
            posted.append(request.partition(b"\r\n\r\n")[2])
            client.sendall(http(status))

    with raw_server(reply) as url:
        answers = Numbers(570)
        first = run_once(connection_to(url), answers, tmp_path)
        assert (first.answered, first.posted, first.unposted) == (1, 0, 1)
        assert first.trouble == "the server answers 503"
        answers.count, status = 999, 200
        second = run_once(connection_to(url), answers, tmp_path)
    assert (second.answered, second.posted, second.unposted, second.trouble) == (0, 1, 0, "")
    assert len(posted) == 1 + QUICK.patience
    assert len(set(posted)) == 1


def test_a_result_at_which_the_server_fails_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    tasks = [TASK.replace(b'"7"', f'"{number}"'.encode()) for number in (7, 8, 9)]
    posted: list[str] = []
    stop, notes = threading.Event(), Notes()

    def reply(request: bytes, client: socket.socket) -> None:
        if request.startswith(b"GET"):
            client.sendall(http(200, tasks.pop(0)) if tasks else http(204))
            return
        uuid = request.split(b" ")[1].split(b"/")[-2].decode()
        client.sendall(http(500 if uuid == "7" else 200))
        posted.append(uuid)
        if {"8", "9"} <= set(posted):
            stop.set()

    with raw_server(reply) as url:
        summary = work(
            connection_to(url),
            Numbers(),
            folder=tmp_path,
            about=ABOUT,
            by=ANNA,
            stop=stop,
            pace=Backoff(interval=0.01, first=30),
            progress=notes,
        )
    assert (summary.posted, summary.unposted, summary.trouble) == (2, 1, "")
    assert posted.count("7") == 1
    assert "task 7: the result is kept and posted later; the server answers 500" in notes.lines


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_a_result_that_the_server_does_not_want_is_not_posted_again(tmp_path: Path, status: int) -> None:
    tasks = [TASK]
    posts = []

    def reply(request: bytes, client: socket.socket) -> None:
        if request.startswith(b"GET"):
            client.sendall(http(200, tasks.pop()) if tasks else http(204))
        else:
            posts.append(1)
            client.sendall(http(status))

    with raw_server(reply) as url:
        summary = run_once(connection_to(url), Numbers(), tmp_path)
        run_once(connection_to(url), Numbers(), tmp_path)
    assert (summary.declined, summary.unposted, len(posts)) == (1, 0, 1)


def _drops(request: bytes, client: socket.socket) -> None:
    client.close()


def _resets(request: bytes, client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _breaks_off(request: bytes, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + TASK[:20])


def _is_silent(request: bytes, client: socket.socket) -> None:
    client.recv(1)  # until the worker goes away


def _drips(request: bytes, client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:  # until the worker goes away
        client.sendall(b"y")
        time.sleep(0.02)


def _babbles(request: bytes, client: socket.socket) -> None:
    client.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")


def _sends(reply: bytes) -> Callable[[bytes, socket.socket], None]:
    return lambda request, client: client.sendall(reply)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_drops, "the connection broke"),
        (_resets, "the connection broke"),
        (_breaks_off, "the connection broke"),
        (_is_silent, "the server did not answer in time"),
        (_drips, "the server did not answer in time"),
        (_babbles, "the connection broke"),
        (_sends(http(500)), "the server answers 500"),
        (_sends(http(503, b"", "Retry-After: soon")), "the server answers 503"),
        (_sends(http(200, b"\x1f\x8b", "Content-Encoding: gzip")), "the task is compressed, which was not asked for"),
        (_sends(http(401)), "the server refuses our name and secret (401)"),
        (_sends(http(404)), "the server knows no such address or collection (404); check both"),
        (
            _sends(http(302, b"", "Location: http://127.0.0.1:1/elsewhere")),
            "the server sends us elsewhere (302), which is not followed; check the address",
        ),
        (
            _sends(http(301, b"", "Location: ht!tp://[")),
            "the server sends us elsewhere (301), which is not followed; check the address",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_round_ends_and_says_what_is_wrong_with_the_server(
    tmp_path: Path, reply: Callable[[bytes, socket.socket], None], reason: str
) -> None:
    waits: list[float] = []
    notes = Notes()
    with raw_server(reply) as url:
        deadline = 0.25 if "in time" in reason else PATIENCE
        connection = connection_to(url, deadline=deadline)
        summary = run_once(connection, Numbers(), tmp_path, pause=waits.append, progress=notes)
    assert summary.trouble == reason
    assert summary.received == 0
    assert notes.lines == [f"{reason}; trying again"]
    is_lasting = "check" in reason or "secret" in reason
    assert len(waits) == (0 if is_lasting else QUICK.patience - 1)


def test_a_server_that_is_not_there_is_said_once_and_again_when_it_is_back(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    notes, waits, stop = Notes(), list[float](), threading.Event()
    with network(tmp_path) as (queue, connection):
        here = connection.url
        gone = Connection(
            url=f"http://127.0.0.1:{port}", collection=COLLECTION, credentials=connection.credentials, deadline=PATIENCE
        )
        queue.submit(AVAILABILITY, [COLLECTION])

        def pause(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 8:
                # The server comes back; to the worker it is the same one.
                object.__setattr__(gone, "url", here)
            if len(waits) > 8:
                stop.set()

        summary = work(
            gone,
            Numbers(),
            folder=tmp_path / "worker",
            about=ABOUT,
            by=ANNA,
            pace=Backoff(interval=5, first=1, longest=20),
            pause=pause,
            stop=stop,
            progress=notes,
        )
    assert summary.posted == 1
    assert notes.lines[0] == "the server cannot be reached; trying again"
    assert notes.lines[1].endswith("answered")
    assert notes.lines[2] == "the server can be worked with again"
    assert all(half <= wait <= 2 * half for wait, half in zip(waits, (0.5, 1, 2, 4, 8, 10, 10, 10), strict=False))
    assert 4 <= waits[8] <= 6


def test_the_server_is_left_alone_for_as_long_as_it_asks(tmp_path: Path) -> None:
    waits: list[float] = []
    with raw_server(_sends(http(429, b"", "Retry-After: 17"))) as url:
        run_once(connection_to(url), Numbers(), tmp_path, pause=waits.append, pace=Backoff(patience=2))
    assert waits == [17]


@pytest.mark.parametrize(
    ("body", "is_answered"),
    [
        (b'{"uuid": "7", "cohort": {', True),
        (b'{"uuid": "7", "collection": "other", "cohort": {}}', True),
        (b'{"uuid": "7", "collection": "collection_id"}', True),
        (b'{"uuid": "7", "junk": "' + b"x" * 3000 + b'"}', True),
        (b"<html>please sign in</html>", False),
        (b"x" * 3000, False),
        (b"null", False),
        (b"", False),
    ],
)
def test_a_malformed_task_gets_an_error_result_where_it_names_a_uuid(
    tmp_path: Path, body: bytes, is_answered: bool
) -> None:
    posted: list[dict[str, Any]] = []
    tasks = [body]
    notes = Notes()

    def reply(request: bytes, client: socket.socket) -> None:
        if request.startswith(b"GET"):
            client.sendall(http(200, tasks.pop()) if tasks else http(204))
        else:
            posted.append(json.loads(request.partition(b"\r\n\r\n")[2]))
            client.sendall(http(200))

    answers = Numbers()
    with raw_server(reply) as url:
        summary = run_once(connection_to(url, largest=2000), answers, tmp_path, progress=notes)
    assert not answers.asked
    assert (summary.failed, summary.skipped, summary.posted) == ((1, 0, 1) if is_answered else (0, 1, 0))
    assert [(one["status"], one["uuid"], one["collection_id"]) for one in posted] == (
        [("error", "7", COLLECTION)] if is_answered else []
    )
    assert not any(word in line for line in notes.lines for word in ("sign", "xxx", 'other"', "junk"))


def test_a_page_that_is_no_task_does_not_keep_a_round_going(tmp_path: Path) -> None:
    with raw_server(_sends(http(200, b"<html>please sign in</html>"))) as url:
        summary = run_once(connection_to(url), Numbers(), tmp_path)
    assert summary.skipped == 2


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            Invalid("groups.0.rules.0: 8507 is not"),
            "the question cannot be read, or asks for what this hub does not support",
        ),
        (NotPermitted("the budget of project p1 is used up"), "this question is not answered"),
    ],
)
def test_a_refusal_becomes_an_error_result_that_tells_nothing(tmp_path: Path, error: Exception, message: str) -> None:
    with network(tmp_path) as (queue, connection):
        uuid = queue.submit(AVAILABILITY, [COLLECTION])
        run_once(connection, Numbers(error), tmp_path / "worker")
        (reply,) = queue.results(uuid)
    assert reply.result is not None
    assert (reply.state, reply.result.count, reply.result.message) == (CollectionState.FAILED, 0, message)


@pytest.mark.parametrize(
    "error",
    [
        NotAllowedNow("the release is being built"),
        NotFound("release 3 was withdrawn"),
        RuntimeError("row 17: 999 000 0018"),
    ],
)
def test_a_task_that_cannot_be_answered_now_is_kept_and_at_last_given_up(tmp_path: Path, error: Exception) -> None:
    notes = Notes()

    def run() -> WorkerSummary:
        # The clock stands still: no run lasts until the task may be tried again.
        return run_once(connection, answers, tmp_path / "worker", progress=notes, now=lambda: 0.0)

    with network(tmp_path) as (queue, connection):
        uuid = queue.submit(AVAILABILITY, [COLLECTION])
        answers = Numbers(error)
        for _ in range(ATTEMPTS):
            summary = run()
            assert (summary.unanswered, summary.failed) == (1, 0)
        summary = run()
        assert len(answers.asked) == ATTEMPTS
        (reply,) = queue.results(uuid)
    assert (summary.failed, summary.posted) == (1, 1)
    assert reply.state is CollectionState.FAILED
    assert "row 17" not in " ".join(notes.lines)


def test_a_task_that_failed_once_is_answered_by_the_next_try(tmp_path: Path) -> None:
    with network(tmp_path) as (queue, connection):
        uuid = queue.submit(AVAILABILITY, [COLLECTION])
        run_once(connection, Numbers(NotAllowedNow("not now")), tmp_path / "worker")
        run_once(connection, Numbers(120), tmp_path / "worker")
        (reply,) = queue.results(uuid)
    assert reply.result is not None
    assert reply.result.count == 120


def test_a_task_that_cannot_be_answered_now_waits_longer_each_time_while_others_are_answered(tmp_path: Path) -> None:
    seconds, tried, stop = 0.0, list[float](), threading.Event()

    class Building(Numbers):
        def availability(self, query: Any, *, task: Any) -> int:
            tried.append(seconds)
            raise NotAllowedNow("the release is being built")

    def pause(wait: float) -> None:
        nonlocal seconds
        seconds += 10
        if seconds > 2000:
            stop.set()

    with network(tmp_path) as (queue, connection):
        blocked = queue.submit(AVAILABILITY, [COLLECTION])
        asked = [queue.submit(GENERIC, [COLLECTION]) for _ in range(3)]
        summary = work(
            connection,
            Building(),
            folder=tmp_path / "worker",
            about=ABOUT,
            by=ANNA,
            stop=stop,
            pause=pause,
            now=lambda: seconds,
        )
        assert {queue.results(uuid)[0].state for uuid in asked} == {CollectionState.ANSWERED}
        assert queue.results(blocked)[0].state is CollectionState.FAILED
    assert (summary.answered, summary.failed) == (3, 1)
    gaps = [later - sooner for sooner, later in pairwise(tried)]
    assert len(gaps) == ATTEMPTS - 1
    assert all(half <= gap <= min(300, 2 * half) + 10 for gap, half in zip(gaps, (30, 60, 120, 150), strict=True))


def test_one_folder_has_one_worker(tmp_path: Path) -> None:
    messages: list[str] = []

    def second(request: bytes, client: socket.socket) -> None:
        if not messages:
            with pytest.raises(NotAllowedNow) as caught:
                run_once(connection_to("http://127.0.0.1:1"), Numbers(), tmp_path)
            messages.append(str(caught.value))
        client.sendall(http(204))

    with raw_server(second) as url:
        run_once(connection_to(url), Numbers(), tmp_path)
    assert re.match(r"the answering that started .* by anna is under way", messages[0])


def test_a_damaged_record_is_said_and_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "record.sqlite"
    path.write_bytes(b"not a database, by any means" * 100)
    before = path.read_bytes()
    with pytest.raises(Invalid, match=r"record\.sqlite is damaged"):
        run_once(connection_to("http://127.0.0.1:1"), Numbers(), tmp_path)
    assert path.read_bytes() == before


def test_no_secret_is_in_a_log_a_note_or_a_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    notes = Notes()
    with network(tmp_path) as (queue, connection):
        queue.submit(AVAILABILITY, [COLLECTION])
        run_once(connection, Numbers(), tmp_path / "worker", progress=notes)
        secret = connection.credentials.password
        said = "\n".join([*notes.lines, caplog.text, repr(connection), repr(queue.members)])
        assert secret not in said
        assert connection.credentials.header().split(" ")[1] not in said
    assert caplog.text
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in stored


def test_a_certificate_that_is_not_trusted_ends_the_exchange_before_the_secret_is_sent(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with served(app, certificate=certificate, key=key) as url:
        assert url.startswith("https://")
        untrusted = run_once(connection_to(url), Numbers(), tmp_path / "one")
        trusted = run_once(connection_to(url, authority=certificate), Numbers(), tmp_path / "two")
    assert untrusted.trouble == "the server's certificate is not trusted"
    assert trusted.trouble == ""


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, both made now."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(secret, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[1].touch(mode=0o600)
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    assert ssl.create_default_context(cafile=paths[0])
    return paths


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://hub.example/link_connector_api", "sends the secret in the clear"),
        ("https://u:p@hub.example", "holds a name or a secret"),
        ("https://hub.example/?x=1", "ends in a query"),
        ("ftp://hub.example", "begins with https"),
        ("https://", "begins with https"),
        ("https://hub.example:port", "is not an address"),
        ("hub.example", "begins with https"),
    ],
)
def test_an_address_that_is_not_safe_is_refused_before_anything_is_sent(url: str, fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        connection_to(url)


def test_every_fault_of_a_connection_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        connection_to("gopher://x", collection="c.a", queues=(), authority=tmp_path / "none.pem")
    assert [fault.field for fault in caught.value.faults] == ["url", "collection", "queues", "authority"]


def test_credentials_come_from_variables_or_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    name = {"FAIRHAVEN_TASK_API_USERNAME": "u"}
    assert read_credentials({**name, "FAIRHAVEN_TASK_API_PASSWORD": "p:q"}).password == "p:q"
    path = tmp_path / "secret"
    path.write_text("u:p:q\n")
    path.chmod(0o640)
    with pytest.raises(NotAllowedNow, match=f"chmod 600 {path}"):
        read_credentials({"FAIRHAVEN_TASK_API_SECRET_FILE": str(path)})
    path.chmod(0o600)
    assert read_credentials({"FAIRHAVEN_TASK_API_SECRET_FILE": str(path)}).header() == "Basic dTpwOnE="
    with pytest.raises(Invalid) as caught:
        read_credentials({})
    assert len(caught.value.faults) == 2
    path.write_text("hunter2\n")
    with pytest.raises(Invalid) as caught:
        read_credentials({"FAIRHAVEN_TASK_API_SECRET_FILE": str(path)})
    assert "hunter2" not in str(caught.value)


WORKER = """
import time
from pathlib import Path
from tests.support.actors import ANNA
from tests.support.network_wire import ABOUT, QUICK, COLLECTION
from fairhaven.network import Connection, Credentials, work

class Moments:
    '''Every count is another, so that an answer that was made twice shows.'''
    def availability(self, query, *, task):
        print('counting', flush=True)
        time.sleep({seconds})
        return time.time_ns() // 1000 % 10**9
    def code_distribution(self, *, task): raise AssertionError
    def demographics(self, *, task): raise AssertionError

summary = work(
    Connection(url={url!r}, collection=COLLECTION, credentials=Credentials(username='u', password='p'), deadline={deadline}),
    Moments(), folder=Path({folder!r}), about=ABOUT, by=ANNA, once={once!r}, pace=QUICK,
)
print(summary, flush=True)
"""


def worker_process(url: str, folder: Path, *, seconds: float = 0.0, once: bool = True) -> subprocess.Popen[str]:
    script = WORKER.format(url=url, deadline=PATIENCE, folder=str(folder), seconds=seconds, once=once)
    return started(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


class TaskServer:
    """A server whose tasks are gone once handed out, as the national one's are, and that keeps what is posted."""

    def __init__(self, uuids: list[str]) -> None:
        self.waiting = list(uuids)
        self.posted: dict[str, list[bytes]] = {}
        self.is_taking = True
        self.has_posted = threading.Event()

    def reply(self, request: bytes, client: socket.socket) -> None:
        if request.startswith(b"GET"):
            body = TASK.replace(b'"7"', json.dumps(self.waiting.pop(0)).encode()) if self.waiting else None
            client.sendall(http(200, body) if body else http(204))
            return
        head, _, body = request.partition(b"\r\n\r\n")
        self.posted.setdefault(head.split(b" ")[1].split(b"/")[-2].decode(), []).append(body)
        self.has_posted.set()
        client.sendall(http(200 if self.is_taking else 503))


def test_a_worker_killed_between_counting_and_posting_says_the_same_after_a_restart(tmp_path: Path) -> None:
    server = TaskServer(["7"])
    server.is_taking = False
    with raw_server(server.reply) as url:
        with worker_process(url, tmp_path, once=False) as process:
            assert server.has_posted.wait(PATIENCE)
            process.kill()
        server.is_taking = True
        with worker_process(url, tmp_path) as process:
            said, errors = process.communicate(timeout=PATIENCE)
    assert "counting" not in said
    assert "posted=1" in said, errors
    assert len(server.posted["7"]) >= 2
    assert len(set(server.posted["7"])) == 1


def test_a_worker_killed_while_counting_does_not_lose_the_task(tmp_path: Path) -> None:
    server = TaskServer(["7"])
    with raw_server(server.reply) as url:
        with worker_process(url, tmp_path, seconds=60) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "counting\n"
            process.kill()
        assert not server.posted
        with worker_process(url, tmp_path) as process:
            said, errors = process.communicate(timeout=PATIENCE)
    assert "posted=1" in said, errors
    assert len(server.posted["7"]) == 1


def test_ctrl_c_ends_a_worker_in_good_order(tmp_path: Path) -> None:
    is_asked = threading.Event()

    def reply(request: bytes, client: socket.socket) -> None:
        is_asked.set()
        client.sendall(http(204))

    with raw_server(reply) as url, worker_process(url, tmp_path, once=False) as process:
        assert is_asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "is_stopped=True" in said
    assert errors == ""


def test_ctrl_c_does_not_wait_for_a_server_that_is_silent(tmp_path: Path) -> None:
    is_asked, is_over = threading.Event(), threading.Event()

    def reply(request: bytes, client: socket.socket) -> None:
        is_asked.set()
        is_over.wait(PATIENCE)

    with raw_server(reply) as url, worker_process(url, tmp_path, once=False) as process:
        assert is_asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        # Who waited for the server would wait until the deadline, which is as long as the patience of this test.
        said, errors = process.communicate(timeout=PATIENCE)
        is_over.set()
    assert "is_stopped=True" in said
    assert errors == ""


def test_ctrl_c_while_counting_keeps_the_task(tmp_path: Path) -> None:
    server = TaskServer(["7"])
    with raw_server(server.reply) as url:
        with worker_process(url, tmp_path, seconds=60) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "counting\n"
            process.send_signal(signal.SIGINT)
            said, errors = process.communicate(timeout=PATIENCE)
        assert "unanswered=1" in said
        assert errors == ""
        summary = run_once(connection_to(url), Numbers(), tmp_path)
    assert summary.posted == 1


@pytest.mark.parametrize("kind", [Refused, NotAllowedNow, NotFound])
def test_ctrl_c_that_shows_as_a_refusal_keeps_the_task(tmp_path: Path, kind: type[Exception]) -> None:
    refusal = kind("r0001 was altered while it was read")
    refusal.__cause__ = RuntimeError("INTERRUPT Error: Interrupted!")
    refusal.__cause__.__cause__ = KeyboardInterrupt()
    with network(tmp_path) as (queue, connection):
        uuid = queue.submit(AVAILABILITY, [COLLECTION])
        summary = run_once(connection, Numbers(refusal), tmp_path / "worker")
        assert (summary.is_stopped, summary.unanswered, summary.posted) == (True, 1, 0)
        run_once(connection, Numbers(), tmp_path / "worker")
        (reply,) = queue.results(uuid)
    assert reply.state is CollectionState.ANSWERED


@pytest.mark.slow
def test_a_worker_killed_again_and_again_answers_each_task_once(tmp_path: Path) -> None:
    uuids = [f"t{number}" for number in range(150)]
    server = TaskServer(uuids)
    kills = 0
    with raw_server(server.reply) as url:
        while server.waiting and kills < 40:
            with worker_process(url, tmp_path, seconds=0.02, once=False) as process:
                server.is_taking = kills % 3 != 0
                time.sleep(0.8 + 0.037 * (kills % 11))
                process.kill()
            kills += 1
        server.is_taking = True
        with worker_process(url, tmp_path) as process:
            said, _ = process.communicate(timeout=PATIENCE)
    # This server has no leases: a task that was on its way when a worker died is lost, at most one each time.
    assert kills >= 3
    assert "unposted=0, unanswered=0" in said
    assert len(server.posted) >= len(uuids) - kills
    assert all(len(set(bodies)) == 1 for bodies in server.posted.values())


def test_both_queues_of_the_connection_are_asked_in_turn(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def reply(request: bytes, client: socket.socket) -> None:
        asked.append(request.split(b" ")[1])
        client.sendall(http(204))

    with raw_server(reply) as url:
        run_once(connection_to(url), Numbers(), tmp_path)
        run_once(connection_to(url, queues=(QueueKind.BOTH,)), Numbers(), tmp_path)
    path = b"/link_connector_api/task/nextjob/collection_id"
    assert asked == [path + b".a", path + b".b", path]


def test_an_answer_that_is_no_count_is_not_posted(tmp_path: Path) -> None:
    for wrong in (-1, 3.5, True, None, "570"):
        with network(tmp_path / str(wrong)) as (queue, connection):
            uuid = queue.submit(AVAILABILITY, [COLLECTION])
            summary = run_once(connection, Numbers(wrong), tmp_path / str(wrong) / "worker")  # type: ignore[arg-type]
            assert (summary.answered, summary.unanswered) == (0, 1)
            assert queue.results(uuid)[0].result is None
    assert TaskStatus.OK.value == "ok"


def test_a_record_of_the_first_version_is_read(tmp_path: Path) -> None:
    with network(tmp_path) as (queue, connection):
        uuid = queue.submit(AVAILABILITY, [COLLECTION])
        run_once(connection, Numbers(NotAllowedNow("not now")), tmp_path / "worker", now=lambda: 0.0)
        with closing(sqlite3.connect(tmp_path / "worker" / "record.sqlite")) as record:
            record.execute("ALTER TABLE task RENAME COLUMN ended_at TO settled_at")
            record.execute("PRAGMA user_version = 1")
        assert run_once(connection, Numbers(), tmp_path / "worker").posted == 1
        assert queue.results(uuid)[0].state is CollectionState.ANSWERED
