"""The other side of the wire: tasks wait here for the collections of a network, and their answers are taken here."""

from fairhaven.network.server.http_server import serve
from fairhaven.network.server.members import CollectionRegister
from fairhaven.network.server.open_connections import ConnectionLimits
from fairhaven.network.server.queue import CollectionReply, CollectionState, TaskQueue
from fairhaven.network.server.task_api import PREFIX, task_api

__all__ = [
    "PREFIX",
    "CollectionRegister",
    "CollectionReply",
    "CollectionState",
    "ConnectionLimits",
    "TaskQueue",
    "serve",
    "task_api",
]
