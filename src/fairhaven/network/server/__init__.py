"""The other side of the wire: tasks wait here for the collections of a network, and their answers are taken here."""

from fairhaven.network.server.app import PREFIX, task_api
from fairhaven.network.server.members import Members
from fairhaven.network.server.queue import Reply, Standing, TaskQueue
from fairhaven.network.server.serving import serve

__all__ = ["PREFIX", "Members", "Reply", "Standing", "TaskQueue", "serve", "task_api"]
