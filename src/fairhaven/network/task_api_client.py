"""One worker's line to a task API: each exchange ends in a typed outcome, whatever the other side does.

Outbound only. Redirects are not followed, the certificate is verified, a body is read up to a limit, and one exchange
takes no longer than its deadline in all: a server that sends a byte now and then is given up like one that is silent.
"""

import asyncio
import ssl
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TypeAlias
from urllib.parse import quote

import httpx

from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.network.connection import Connection
from fairhaven.network.task import QueueKind

_REPLY = 64 << 10
_NOT_NOW = frozenset({408, 425, 429})
_NOT_US = frozenset({401, 403})


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskReceived:
    """A task came; `is_whole` is False where it was longer than is read."""

    body: bytes
    is_whole: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueEmpty:
    """Nothing waits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultAccepted:
    """The server has the result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultDeclined:
    """The server does not want the result, and will not want it later: the task is unknown, or answered already."""

    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TransportFailure:
    """It did not work; another time it may.

    Args:
        reason: in words for a person.
        is_lasting: True where only a person can mend it, for example a wrong secret.
        is_about_one: True where the server can be reached and fails at this one result.
        retry_after: seconds the server asks to be left alone.
    """

    reason: str
    is_lasting: bool = False
    is_about_one: bool = False
    retry_after: float | None = None


Fetched: TypeAlias = TaskReceived | QueueEmpty | TransportFailure
Posted: TypeAlias = ResultAccepted | ResultDeclined | TransportFailure


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reply:
    status: int
    headers: httpx.Headers
    body: bytes
    is_whole: bool


class TaskApiClient(AbstractContextManager["TaskApiClient"]):
    """The line; use it in a ``with``, in a thread that runs no event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            headers={
                "Authorization": connection.credentials.header(),
                "Accept": "application/json",
                # A compressed body could be a thousand times larger than what was counted.
                "Accept-Encoding": "identity",
                "User-Agent": f"fairhaven/{version('fairhaven')}",
            },
            verify=ssl.create_default_context(cafile=connection.authority) if connection.authority else True,
            follow_redirects=False,
            timeout=min(30.0, connection.deadline),
        )

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def next_task(self, queue: QueueKind) -> Fetched:
        """Ask a queue for its next task."""
        address = quote(queue.address(self._connection.collection), safe="")
        reply = self._exchange("GET", f"task/nextjob/{address}", None, self._connection.largest)
        match reply:
            case TransportFailure():
                return reply
            case _Reply(status=200) if reply.headers.get("Content-Encoding", "identity") != "identity":
                return TransportFailure(reason="the task is compressed, which was not asked for")
            case _Reply(status=200):
                return TaskReceived(body=reply.body, is_whole=reply.is_whole)
            case _Reply(status=204):
                return QueueEmpty()
            case _:
                return _trouble(reply)

    def post(self, uuid: str, body: str) -> Posted:
        """Hand in the result of a task."""
        path = f"task/result/{quote(uuid, safe='')}/{quote(self._connection.collection, safe='')}"
        reply = self._exchange("POST", path, body.encode(), _REPLY)
        match reply:
            case TransportFailure():
                return reply
            case _Reply(status=status) if 200 <= status < 300:
                return ResultAccepted()
            case _Reply(status=status) if 400 <= status < 500 and status not in _NOT_NOW | _NOT_US:
                return ResultDeclined(status=status)
            case _:
                trouble = _trouble(reply)
                return replace(trouble, is_about_one=not trouble.is_lasting)

    def _exchange(self, method: str, path: str, content: bytes | None, largest: int) -> _Reply | TransportFailure:
        try:
            return self._runner.run(self._talk(method, path, content, largest))
        except (TimeoutError, httpx.TimeoutException):
            return TransportFailure(reason="the server did not answer in time")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return TransportFailure(reason=_words(error))

    async def _talk(self, method: str, path: str, content: bytes | None, largest: int) -> _Reply:
        url = f"{self._connection.url.rstrip('/')}/{path}"
        headers = {} if content is None else {"Content-Type": "application/json"}
        async with (
            asyncio.timeout(self._connection.deadline),
            self._client.stream(method, url, content=content, headers=headers) as reply,
        ):
            body, is_whole = b"", True
            async for piece in reply.aiter_raw():
                body += piece
                if len(body) > largest:
                    body, is_whole = body[:largest], False
                    break
            return _Reply(status=reply.status_code, headers=reply.headers, body=body, is_whole=is_whole)


def _trouble(reply: _Reply) -> TransportFailure:
    retry_after = whole_number(reply.headers.get("Retry-After", ""), digits=8)
    status = reply.status
    if status in _NOT_US:
        reason = f"the server refuses our name and secret ({status})"
    elif 300 <= status < 400:
        reason = f"the server sends us elsewhere ({status}), which is not followed; check the address"
    elif status == 404:
        reason = "the server knows no such address or collection (404); check both"
    else:
        reason = f"the server answers {status}"
    is_lasting = 300 <= status < 500 and status not in _NOT_NOW
    return TransportFailure(reason=reason, is_lasting=is_lasting, retry_after=retry_after)


def _words(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the server's certificate is not trusted"
        cause = cause.__cause__ or cause.__context__
    return "the server cannot be reached" if isinstance(error, httpx.ConnectError) else "the connection broke"
