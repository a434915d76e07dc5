"""The other side of the wire: tasks wait here for the collections of a network, and their answers are taken here."""

from fairhaven.network.server.http_server import serve
from fairhaven.network.server.members import Members
from fairhaven.network.server.queue import Reply, Standing, TaskQueue
from fairhaven.network.server.task_api import PREFIX, task_api

__all__ = ["PREFIX", "Members", "Reply", "Standing", "TaskQueue", "serve", "task_api"]
