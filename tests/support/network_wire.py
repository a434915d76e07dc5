"""Both ends of the Cohort Discovery wire for tests: a served queue, answers that are plain numbers, a server that fails."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairhaven.network import (
    AvailabilityTask,
    Backoff,
    CodeCount,
    CollectionAbout,
    Connection,
    Credentials,
    Demographics,
    DistributionTask,
    WorkerSummary,
    work,
)
from fairhaven.network.server import PREFIX, TaskQueue, serve, task_api
from tests.support.actors import ANNA
from tests.support.processes import PATIENCE

COLLECTION = "collection_id"
ABOUT = CollectionAbout(software="Fairhaven", version="0.1.0", rounding=10, threshold=10)
COHORT = {
    "groups": [
        {
            "rules": [{"varname": "OMOP", "varcat": "Person", "type": "TEXT", "oper": "=", "value": "8507"}],
            "rules_oper": "AND",
        }
    ],
    "groups_oper": "OR",
}
AVAILABILITY = {"cohort": COHORT}
QUICK = Backoff(interval=0.01, first=0.01, longest=0.05, patience=3)


class Numbers:
    """Answers that count how often they were asked; `count` may be a number or what to raise."""

    def __init__(self, count: int | Exception = 570) -> None:
        self.count = count
        self.asked: list[Mapping[str, Any]] = []

    def availability(self, query: Mapping[str, Any], *, task: AvailabilityTask) -> int:
        self.asked.append(query)
        if isinstance(self.count, Exception):
            raise self.count
        return self.count

    def code_distribution(self, *, task: DistributionTask) -> Iterable[CodeCount]:
        self.asked.append(task.query)
        return [
            CodeCount(concept_id=260139, concept_name="Acute bronchitis", category="Condition", count=440),
            CodeCount(concept_id=8507, concept_name="MALE", category="Gender", count=570),
        ]

    def demographics(self, *, task: DistributionTask) -> Demographics:
        self.asked.append(task.query)
        return Demographics(total=1130, sexes=[("Male", 570), ("Female", 560)])


class Notes:
    """Progress that keeps what it gets."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, title: str) -> None:
        self.lines.append(title)

    def advance(self, done: int, total: int, unit: str) -> None:
        self.lines.append(f"{done}/{total} {unit}")

    def note(self, message: str) -> None:
        self.lines.append(message)


@contextmanager
def served(app: Any, **settings: Any) -> Iterator[str]:
    """An application served by a thread of this process; gives its address."""
    addresses: list[str] = []
    is_ready, stop = threading.Event(), threading.Event()

    def ready(url: str) -> None:
        addresses.append(url)
        is_ready.set()

    thread = threading.Thread(target=serve, args=(app,), kwargs={"ready": ready, "stop": stop, **settings})
    thread.start()
    try:
        assert is_ready.wait(20)
        yield addresses[0]
    finally:
        stop.set()
        thread.join(PATIENCE)


@contextmanager
def network(folder: Path, *, collection: str = COLLECTION, **settings: Any) -> Iterator[tuple[TaskQueue, Connection]]:
    """A hub's queue with one member, and that member's connection to it."""
    queue = TaskQueue(folder / "tasks.sqlite", by=ANNA, **settings)
    try:
        credentials = queue.members.add(collection)
        with served(task_api(queue)) as url:
            yield queue, Connection(url=url + PREFIX, collection=collection, credentials=credentials, deadline=PATIENCE)
    finally:
        queue.close()


def run_once(connection: Connection, answers: Any, folder: Path, **settings: Any) -> WorkerSummary:
    """One round of a worker."""
    return work(connection, answers, folder=folder, about=ABOUT, by=ANNA, once=True, **{"pace": QUICK, **settings})


def connection_to(url: str, **settings: Any) -> Connection:
    """A connection with a secret of no worth."""
    credentials = Credentials(username="hillside", password="correct horse battery")
    return Connection(
        **{"url": url, "collection": COLLECTION, "credentials": credentials, "deadline": PATIENCE, **settings}
    )


@contextmanager
def raw_server(reply: Callable[[bytes, socket.socket], None]) -> Iterator[str]:
    """A server that hands each request to *reply* as bytes, with the socket to do as it likes with."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            with client:
                client.settimeout(PATIENCE)
                try:
                    if request := _request(client):
                        reply(request, client)
                except OSError:
                    continue

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/link_connector_api"
    finally:
        stop.set()
        thread.join(PATIENCE)
        listener.close()


def _request(client: socket.socket) -> bytes:
    """One whole request: its head, and as much body as it says; nothing where the client went away before."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = client.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length:
        piece = client.recv(65536)
        if not piece:
            return b""
        body += piece
    return head + b"\r\n\r\n" + body


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole HTTP reply."""
    head = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
