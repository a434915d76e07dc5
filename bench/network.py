"""What a task of the Cohort Discovery wire costs, beside the same two HTTP exchanges without anything behind them.

    python -m bench.network [--tasks 300]

Both ends run in this process, over the loopback: CPU-seconds are those of worker and server together. What the worker
and the queue add is reading and checking both ways, and six commits to disk for a task: four of the worker, two of the
queue. On a slow disk those are most of the wall time.
"""

import argparse
import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bench.actor import BENCH
from fairhaven.network import (
    AvailabilityTask,
    CodeCount,
    CollectionAbout,
    Connection,
    Demographics,
    DistributionTask,
    work,
)
from fairhaven.network.server import PREFIX, TaskQueue, serve, task_api

ABOUT = CollectionAbout(software="bench", version="0")


class Numbers:
    """Answers that cost nothing."""

    def __init__(self, codes: int) -> None:
        self._codes = codes

    def availability(self, query: Mapping[str, Any], *, task: AvailabilityTask) -> int:
        """A number."""
        return 570 if task.uuid == query["uuid"] else 0

    def code_distribution(self, *, task: DistributionTask) -> Iterable[CodeCount]:
        """Many numbers."""
        for number in range(self._codes):
            name = f"{task.code} concept {number}"
            yield CodeCount(concept_id=number, concept_name=name, category="Condition", count=570)

    def demographics(self, *, task: DistributionTask) -> Demographics:
        """Two numbers."""
        return Demographics(total=1130 if task.uuid else 0, sexes=[("Male", 570), ("Female", 560)])


def with_server(app: Any, use: Callable[[str], object]) -> None:
    """Serve an application while *use* runs."""
    stop, is_ready, urls = threading.Event(), threading.Event(), list[str]()

    def ready(url: str) -> None:
        urls.append(url)
        is_ready.set()

    thread = threading.Thread(target=serve, args=(app,), kwargs={"ready": ready, "stop": stop})
    thread.start()
    try:
        is_ready.wait()
        use(urls[0])
    finally:
        stop.set()
        thread.join()


def bare(tasks: int, task: bytes, result: bytes) -> float:
    """CPU-seconds of as many GETs and POSTs of the same sizes."""

    async def get(request: Request) -> Response:
        return Response(task if request.path_params else b"", media_type="application/json")

    async def post(request: Request) -> Response:
        await request.body()
        return PlainTextResponse("Job saved")

    async def exchange(url: str) -> None:
        async with httpx.AsyncClient(base_url=url) as client:
            for _ in range(tasks):
                await client.get("/task/nextjob/c.a")
                await client.post("/task/result/7/c", content=result)

    spent = 0.0

    def use(url: str) -> None:
        nonlocal spent
        began = time.process_time()
        asyncio.run(exchange(url))
        spent = time.process_time() - began

    app = Starlette(
        routes=[
            Route("/task/nextjob/{address}", get, methods=["GET"]),
            Route("/task/result/{uuid}/{collection}", post, methods=["POST"]),
        ]
    )
    with_server(app, use)
    return spent


def worked(folder: Path, query: Mapping[str, Any], tasks: int, codes: int) -> tuple[float, float, bytes, bytes]:
    """CPU- and wall-seconds of a round of a worker, with one task and one result as they went over the wire."""
    queue = TaskQueue(folder / "tasks.sqlite", by=BENCH)
    credentials = queue.members.add("hillside")
    uuids = [queue.submit(query, ["hillside"]) for _ in range(tasks)]
    spent: list[float] = []

    def use(url: str) -> None:
        connection = Connection(url=url + PREFIX, collection="hillside", credentials=credentials)
        cpu, wall = time.process_time(), time.perf_counter()
        summary = work(connection, Numbers(codes), folder=folder / "worker", about=ABOUT, by=BENCH, once=True)
        spent.extend((time.process_time() - cpu, time.perf_counter() - wall))
        assert summary.posted == tasks

    with_server(task_api(queue), use)
    (reply,) = queue.results(uuids[-1])
    uuid = queue.submit(query, ["hillside"])
    task = queue.hand_out("hillside")
    assert task is not None and uuid in task and reply.result is not None
    queue.close()
    return spent[0], spent[1], task.encode(), reply.result.to_json().encode()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=300)
    tasks = parser.parse_args().tasks
    rules = [{"varname": "OMOP", "varcat": "Person", "type": "TEXT", "oper": "=", "value": "8507"}] * 3
    cohort = {"groups": [{"rules": rules, "rules_oper": "AND"}], "groups_oper": "OR"}
    print(f"{'task':34} {'ms CPU':>8} {'ms wall':>8} {'bare HTTP, ms CPU':>18} {'ratio':>6}")
    for name, query, codes in (
        ("availability", {"cohort": cohort}, 0),
        ("GENERIC of 400 codes", {"analysis": "DISTRIBUTION", "code": "GENERIC"}, 400),
    ):
        with tempfile.TemporaryDirectory() as folder:
            cpu, wall, task, result = worked(Path(folder), query, tasks, codes)
        peer = bare(tasks, task, result)
        each = 1000 / tasks
        print(f"{name:34} {cpu * each:8.2f} {wall * each:8.2f} {peer * each:18.2f} {cpu / peer:6.1f}")


if __name__ == "__main__":
    main()
