"""The task API as a web application: the two routes of the wire, each for a member and for no one else.

Status codes and texts are those that existing workers expect: ``Job saved`` to a result that is taken, and to a
conflict the object that hutch-relay sends (its client compares the text; hutch-bunny takes any 4xx for final).
"""

import asyncio
import datetime as dt

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.network.server.queue import TaskQueue
from fairhaven.network.task import QueueKind

PREFIX = "/link_connector_api"
_SAVED = "Job saved"
_CONFLICT = "Job file already uploaded"
_REALM = 'Basic realm="Fairhaven task API", charset="UTF-8"'
_UNKNOWN_QUEUES = "cdefghijklmnopqrstuvwxyz"


def task_api(queue: TaskQueue, *, prefix: str = PREFIX, largest: int = 16 << 20, patience: float = 60.0) -> Starlette:
    """The application; it holds no state beside the queue.

    Args:
        queue: tasks, answers and members.
        prefix: what comes before ``/task``.
        largest: bytes of a result that are taken.
        patience: seconds in which a result's body must have come.
    """
    api = _TaskApi(queue, largest=largest, patience=patience)
    return Starlette(
        routes=[
            Route(f"{prefix}/task/nextjob/{{address}}", api.next_task, methods=["GET"]),
            Route(f"{prefix}/task/result/{{uuid}}/{{collection}}", api.result, methods=["POST"]),
        ]
    )


class _TaskApi:
    def __init__(self, queue: TaskQueue, *, largest: int, patience: float) -> None:
        self._queue, self._largest, self._patience = queue, largest, patience

    async def next_task(self, request: Request) -> Response:
        """200 with a task, 204 where none waits."""
        collection, queue = _address(request.path_params["address"])
        if not await self._is_member(request, collection):
            return _not_admitted()
        body = None if queue is None else await run_in_threadpool(self._queue.hand_out, collection, queue)
        if body is None:
            return Response(status_code=204)
        return Response(body, media_type="application/json")

    async def result(self, request: Request) -> Response:
        """200 where the result is taken, or was taken before; 404, 409, 400 or 413 where it is not."""
        uuid, collection = request.path_params["uuid"], request.path_params["collection"]
        if not await self._is_member(request, collection):
            return _not_admitted()
        try:
            async with asyncio.timeout(self._patience):
                body = await self._body(request)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("the body did not come in time", status_code=408, headers={"Connection": "close"})
        if body is None:
            return PlainTextResponse(
                f"a result is {self._largest} bytes at most", status_code=413, headers={"Connection": "close"}
            )
        try:
            await run_in_threadpool(self._queue.accept, uuid, collection, body)
        except NotFound as error:
            return PlainTextResponse(str(error), status_code=404)
        except NotAllowedNow:
            conflict = {
                "status": "CONFLICT",
                "timestamp": dt.datetime.now(dt.UTC).strftime("%m-%d-%Y %H:%M:%S"),
                "message": _CONFLICT,
                "debugMessage": _CONFLICT,
            }
            return JSONResponse(conflict, status_code=409)
        except Invalid as error:
            return JSONResponse({"faults": [str(fault) for fault in error.faults]}, status_code=400)
        return PlainTextResponse(_SAVED)

    async def _is_member(self, request: Request, collection: str) -> bool:
        authorization = request.headers.get("Authorization", "")
        is_member = await run_in_threadpool(self._queue.members.admits, collection, authorization)
        if is_member and (admitted := getattr(request.state, "admitted", None)):
            admitted()  # the server keeps a share of its connections for members
        return is_member

    async def _body(self, request: Request) -> bytes | None:
        """The body; None as soon as it is longer than is taken."""
        if (whole_number(request.headers.get("Content-Length", "")) or 0) > self._largest:
            return None
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._largest:
                return None
        return bytes(body)


def _address(address: str) -> tuple[str, QueueKind | None]:
    """A collection and which of its queues; None for a queue of which nothing is ever handed out."""
    collection, dot, letter = address.rpartition(".")
    if dot and letter in {QueueKind.AVAILABILITY, QueueKind.DISTRIBUTION}:
        return collection, QueueKind(letter)
    if dot and len(letter) == 1 and letter in _UNKNOWN_QUEUES:
        return collection, None
    return address, QueueKind.BOTH


def _not_admitted() -> Response:
    return PlainTextResponse("not admitted", status_code=401, headers={"WWW-Authenticate": _REALM})
