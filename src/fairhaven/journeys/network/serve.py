"""The other side of the wire: a network of hubs that this one puts questions to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairhaven.cohort.formats.json_document import json_object
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import NotFound
from fairhaven.network.server import TaskQueue, serve, task_api


@contextmanager
def network(rooms: Rooms) -> Iterator[TaskQueue]:
    """The tasks, answers and members of this hub's network."""
    queue = TaskQueue(rooms.store / "network.sqlite")
    try:
        yield queue
    finally:
        queue.close()


def serve_network(
    rooms: Rooms, *, host: str, port: int, certificate: Path | None, key: Path | None, ready: Callable[[str], object]
) -> None:
    """Hand out tasks and take answers until Ctrl-C."""
    with network(rooms) as tasks:
        serve(task_api(tasks), host=host, port=port, certificate=certificate, key=key, ready=ready)


def read_question(file: Path) -> dict[str, Any]:
    """A query from a file.

    Raises:
        NotFound: there is no such file.
        Invalid: it holds no JSON object.
    """
    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    return dict(json_object(file.read_bytes(), path=str(file)))
