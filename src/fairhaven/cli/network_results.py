"""Results about a network of hubs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from fairhaven.journeys.network.serve import NetworkQuestion
from fairhaven.network import WorkerSummary
from fairhaven.network.server import CollectionReply, CollectionState

__all__ = ["JoinedCollection", "LeftCollection", "NetworkQuestion", "QuestionReply", "ServedNetwork", "WorkerSummary"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedNetwork:
    """A task API that is being served; it is said when it can be used, and the command goes on until Ctrl-C.

    Args:
        address: for example ``http://127.0.0.1:8743``.
    """

    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinedCollection:
    """A member of the network.

    Args:
        collection: its name.
        username, password: what it names itself with; the hub keeps a hash of the password alone.
    """

    collection: str
    username: str
    password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftCollection:
    """A collection that is no longer a member.

    Args:
        collection: its name.
    """

    collection: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyTable:
    """A table of a distribution.

    Args:
        name: for example ``code.distribution``.
        rows: column -> value, as it came.
    """

    name: str
    rows: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionReply:
    """What one collection has said to a question.

    Args:
        collection: its name.
        state: how far the question is with it.
        count: persons, or rows of a distribution's first table; null while there is no answer.
        message: why there is no answer; empty for none.
        files: tables of a distribution.
    """

    collection: str
    state: CollectionState
    count: int | None
    message: str
    files: tuple[ReplyTable, ...]

    @classmethod
    def of(cls, reply: CollectionReply) -> Self:
        """A reply with its tables read."""
        found = reply.result
        return cls(
            collection=reply.collection,
            state=reply.state,
            count=found.count if found else None,
            message=found.message if found else "",
            files=tuple(ReplyTable(name=file.name, rows=tuple(file.rows())) for file in found.files) if found else (),
        )
