"""Whatever comes over the wire: nothing that is sent makes a reader fail, and no answer comes to what was not asked."""

import json
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairhaven.kernel.errors import Invalid
from fairhaven.network import AvailabilityTask, CodeCount, DistributionTask, work
from fairhaven.network.distribution_tables import CODE_COLUMNS, CollectionAbout, code_result
from fairhaven.network.result import ResultFile, TaskResult, TaskStatus, read_result
from fairhaven.network.server import PREFIX
from fairhaven.network.task import UnreadableTask, is_name, read_task
from tests.support.actors import ANNA
from tests.support.examples import examples
from tests.support.network_wire import ABOUT, COLLECTION, QUICK, Numbers, connection_to, http, network, raw_server
from tests.support.processes import PATIENCE

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=8), below, max_size=4),
    max_leaves=12,
)
taskish: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "uuid": st.sampled_from(["7", "a-b", "..", ""]) | anything,
        "collection": st.just(COLLECTION) | anything,
        "cohort": st.just({"groups": []}) | anything,
        "analysis": st.just("DISTRIBUTION") | anything,
        "code": st.sampled_from(["GENERIC", "DEMOGRAPHICS", "ICD-MAIN"]) | anything,
        "protocol_version": st.just("v2") | anything,
        "owner": anything,
    },
)
bodies = (
    st.binary(max_size=200)
    | anything.map(lambda v: json.dumps(v).encode())
    | taskish.map(lambda v: json.dumps(v).encode())
)
resultish = st.fixed_dictionaries(
    {},
    optional={
        "uuid": st.just("7") | anything,
        "collection_id": st.just(COLLECTION) | anything,
        "status": st.sampled_from(["ok", "error", "OK"]) | anything,
        "message": anything,
        "queryResult": st.fixed_dictionaries(
            {},
            optional={
                "count": st.integers() | anything,
                "datasetCount": anything,
                "files": st.lists(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "file_name": anything,
                            "file_data": st.sampled_from(["QQ==", "Q", "", "/w=="]) | anything,
                            "file_description": anything,
                            "file_sensitive": anything,
                        },
                    ),
                    max_size=3,
                )
                | anything,
            },
        )
        | anything,
    },
)


@examples(100)
@given(bodies, st.booleans())
@example(b'{"uuid": "7", "cohort": {"a": "\\ud800"}, "collection": "collection_id"}', True)
@example(b'{"uuid": "7", "collection": "collection_id", "cohort": {"a": ' + b"9" * 5000 + b"}}", True)
def test_a_body_is_a_task_for_us_or_unreadable_with_a_reason(body: bytes, is_whole: bool) -> None:
    task = read_task(body, collection=COLLECTION, is_whole=is_whole)
    assert len(task.question) == 64
    match task:
        case UnreadableTask():
            assert task.reasons
            assert task.uuid is None or is_name(task.uuid)
        case AvailabilityTask() | DistributionTask():
            value = json.loads(body)
            assert is_whole
            assert (task.uuid, COLLECTION) == (value["uuid"], value["collection"])
            assert ("analysis" in value) == isinstance(task, DistributionTask)


@examples(100)
@given(st.binary(max_size=100) | resultish.map(lambda v: json.dumps(v).encode()))
@example(
    b'{"uuid": "7", "collection_id": "collection_id", "status": "ok", "message": "\\ud800", "queryResult": {"count": 1}}'
)
def test_a_posted_body_is_a_result_or_invalid(body: bytes) -> None:
    try:
        result = read_result(body, uuid="7", collection=COLLECTION)
    except Invalid:
        return
    assert read_result(result.to_json().encode(), uuid="7", collection=COLLECTION) == result


texts = st.text(st.characters(codec="utf-8"), max_size=30)


@examples(60)
@given(
    st.builds(
        TaskResult,
        uuid=st.just("7"),
        collection=st.just(COLLECTION),
        status=st.sampled_from(TaskStatus),
        count=st.integers(0, 2**53 - 1),
        datasets=st.integers(0, 1),
        message=texts,
        files=st.lists(
            st.builds(ResultFile, name=texts.filter(bool), text=texts, description=texts, is_sensitive=st.booleans()),
            max_size=3,
        ).map(tuple),
    )
)
def test_a_result_comes_back_as_it_was_sent(result: TaskResult) -> None:
    assert read_result(result.to_json().encode(), uuid="7", collection=COLLECTION) == result


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 2**31), st.text(max_size=20), st.integers(0, 50)), max_size=5))
def test_no_name_of_a_concept_breaks_a_line_or_a_column(rows: list[tuple[int, str, int]]) -> None:
    task = DistributionTask(uuid="7", collection=COLLECTION, code="GENERIC", query={})  # type: ignore[arg-type]
    counts = [CodeCount(concept_id=i, concept_name=name, category="Drug", count=n) for i, name, n in rows]
    (table, _) = code_result(task, counts, CollectionAbout(software="Fairhaven", version="1")).files
    header, *lines = table.text.split("\n")
    assert header.split("\t") == list(CODE_COLUMNS)
    assert [int(line.split("\t")[2]) for line in lines] == [n for _, _, n in rows if n]
    assert all(len(line.split("\t")) == len(CODE_COLUMNS) for line in lines)
    assert len(table.rows()) == len(lines)


@pytest.fixture(scope="module")
def talker() -> Any:
    """A server that says what `talker.says` holds, to every request."""

    class Talker:
        says = b""
        url = ""
        posted: list[bytes]

    talker = Talker()
    talker.posted = []

    def reply(request: bytes, client: socket.socket) -> None:
        if request.startswith(b"POST"):
            talker.posted.append(request.partition(b"\r\n\r\n")[2])
        client.sendall(talker.says)

    with raw_server(reply) as url:
        talker.url = url
        yield talker


heads = st.sampled_from([200, 200, 200, 204, 301, 400, 401, 404, 409, 500, 503, 599, 700]).flatmap(
    lambda status: bodies.map(lambda body: http(status, body))
)


@examples(20)
@given(
    st.binary(max_size=60) | heads | heads.flatmap(lambda reply: st.integers(0, len(reply)).map(lambda n: reply[:n]))
)
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n")
@example(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http:\xb3/127.0.0.1:1/\r\n\r\n")
@example(http(200, b'{"uuid": "7", "collection": "collection_id", "cohort": {}}'))
def test_a_worker_ends_its_round_whatever_the_server_says(talker: Any, says: bytes) -> None:
    talker.says, talker.posted = says, []
    with TemporaryDirectory() as folder:
        summary = work(
            connection_to(talker.url),
            Numbers(),
            folder=Path(folder),
            about=ABOUT,
            by=ANNA,
            once=True,
            pace=QUICK,
            pause=lambda seconds: None,
        )
    assert summary.answered <= len(talker.posted)
    assert all(json.loads(body)["collection_id"] == COLLECTION for body in talker.posted)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with network(tmp_path_factory.mktemp("door")) as (queue, connection):
        auth = httpx.BasicAuth(connection.credentials.username, connection.credentials.password)
        with httpx.Client(base_url=connection.url.removesuffix(PREFIX), auth=auth, timeout=PATIENCE) as client:
            yield queue, client


@examples(40)
@given(st.binary(max_size=100) | resultish.map(lambda v: json.dumps(v).encode()), st.booleans())
def test_the_server_answers_every_body_and_takes_none_that_does_not_fit(door: Any, body: bytes, is_known: bool) -> None:
    queue, client = door
    uuid = queue.submit({"cohort": {}}, [COLLECTION]) if is_known else "7"
    body = body.replace(b'"7"', json.dumps(uuid).encode())
    response = client.post(f"{PREFIX}/task/result/{uuid}/{COLLECTION}", content=body)
    try:
        expected: TaskResult | None = read_result(body, uuid=uuid, collection=COLLECTION)
    except Invalid:
        expected = None
    if not is_known:
        assert response.status_code == 404
    else:
        assert response.status_code == (400 if expected is None else 200)
        assert queue.results(uuid)[0].result == expected
