"""The other side of the wire: a network of hubs that this one puts questions to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.json_document import json_object
from fairhaven.ledger import Actor
from fairhaven.network import Credentials
from fairhaven.network.server import CollectionReply, TaskQueue, serve, task_api


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkQuestion:
    """A question that was put to collections.

    Args:
        uuid: what `replies` finds their answers by.
        collections: who was asked.
    """

    uuid: str
    collections: tuple[str, ...]


def serve_network(
    rooms: Rooms,
    *,
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    by: Actor,
    ready: Callable[[str], object],
) -> None:
    """Hand out tasks and take answers until Ctrl-C."""
    with _network(rooms, by=by) as tasks:
        serve(task_api(tasks), host=host, port=port, certificate=certificate, key=key, ready=ready)


def add_member(rooms: Rooms, collection: str, *, renew: bool = False, by: Actor) -> Credentials:
    """Let a collection join this hub's network, or give a member another secret.

    Raises:
        Invalid: the collection's name cannot be used.
        NotAllowedNow: the collection is a member already, and *renew* is not wanted.
        NotFound: *renew* is wanted, and the collection is no member.
    """
    with _network(rooms, by=by) as tasks:
        return tasks.members.renew(collection) if renew else tasks.members.add(collection)


def remove_member(rooms: Rooms, collection: str, *, by: Actor) -> None:
    """End a collection's membership; its answers are kept.

    Raises:
        NotFound: there is no such member.
    """
    with _network(rooms, by=by) as tasks:
        tasks.members.remove(collection)


def put_question(rooms: Rooms, file: Path, *, to: Sequence[str] | None, by: Actor) -> NetworkQuestion:
    """Put a question to collections of this hub's network.

    Args:
        file: a query in the RQuest form.
        to: whom; None for every member.

    Raises:
        NotFound: there is no such file, or some of the collections are no members.
        Invalid: the file holds no query that a worker can read, or nobody would be asked.
    """
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    question = dict(json_object(file.read_bytes(), path=str(file)))
    with _network(rooms, by=by) as tasks:
        asked = tuple(to or tasks.members.names())
        return NetworkQuestion(uuid=tasks.submit(question, asked), collections=asked)


def replies(rooms: Rooms, uuid: str, *, by: Actor) -> list[CollectionReply]:
    """What the collections have said to a question.

    Raises:
        NotFound: nothing was asked under this uuid.
    """
    with _network(rooms, by=by) as tasks:
        return tasks.results(uuid)


@contextmanager
def _network(rooms: Rooms, *, by: Actor) -> Iterator[TaskQueue]:
    """The tasks, answers and members of this hub's network; what is done to it is entered in the ledger."""
    queue = TaskQueue(rooms.store / "network.sqlite", by=by)
    try:
        _record_acts(rooms, queue)  # of a command that was killed before it could
        yield queue
        _record_acts(rooms, queue)
    finally:
        queue.close()


def _record_acts(rooms: Rooms, queue: TaskQueue) -> None:
    for act in queue.acts.waiting():
        rooms.ledger.append_once(act.kind, act.facts, by=act.by)
        queue.acts.forget(act)
