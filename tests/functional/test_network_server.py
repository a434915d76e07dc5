"""The other side of the wire: members, leases, one answer to each task, and what is not let in."""

import base64
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.ledger import EventKind
from fairhaven.network import Connection, Credentials, work
from fairhaven.network.result import TaskResult, failed
from fairhaven.network.server import PREFIX, CollectionState, TaskQueue, serve, task_api
from tests.support.actors import ANNA, BEN
from tests.support.network_wire import ABOUT, AVAILABILITY, COLLECTION, QUICK, Numbers, served
from tests.support.processes import PATIENCE, started

GENERIC = {"analysis": "DISTRIBUTION", "code": "GENERIC"}
BASE = f"{PREFIX}/task"


class Hub:
    """A served queue whose clock the test moves."""

    def __init__(self, folder: Path) -> None:
        self.seconds = 1_000_000.0
        self.queue = TaskQueue(folder / "tasks.sqlite", by=ANNA, lease=60, lifetime=3600, now=lambda: self.seconds)
        self.url = ""

    def client(self, credentials: Credentials | None) -> httpx.Client:
        auth = httpx.BasicAuth(credentials.username, credentials.password) if credentials else None
        return httpx.Client(base_url=self.url, auth=auth, timeout=PATIENCE)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path)
    with served(task_api(hub.queue, largest=2000, patience=PATIENCE)) as url:
        hub.url = url
        yield hub
    hub.queue.close()


@pytest.fixture
def member(hub: Hub) -> Iterator[httpx.Client]:
    with hub.client(hub.queue.members.add(COLLECTION)) as client:
        yield client


def post(client: httpx.Client, result: TaskResult) -> httpx.Response:
    body = result.to_json()
    return client.post(f"{BASE}/result/{result.uuid}/{result.collection}", content=body)


def test_a_task_has_the_fields_of_the_reference_in_its_order(hub: Hub, member: httpx.Client) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    task = member.get(f"{BASE}/nextjob/{COLLECTION}.a").json()
    assert list(task) == [
        "task_id",
        "project",
        "owner",
        "cohort",
        "collection",
        "protocol_version",
        "char_salt",
        "uuid",
    ]
    assert (task["uuid"], task["collection"], task["protocol_version"]) == (uuid, COLLECTION, "v2")
    assert task["cohort"] == AVAILABILITY["cohort"]
    hub.queue.submit(GENERIC, [COLLECTION])
    task = member.get(f"{BASE}/nextjob/{COLLECTION}.b").json()
    assert list(task) == ["code", "analysis", "uuid", "collection", "owner"]


@pytest.mark.parametrize(
    ("query", "suffix", "status"),
    [
        (AVAILABILITY, ".a", 200),
        (AVAILABILITY, ".b", 204),
        (AVAILABILITY, "", 200),
        (AVAILABILITY, ".c", 204),
        (GENERIC, ".a", 204),
        (GENERIC, ".b", 200),
        (GENERIC, "", 200),
    ],
)
def test_each_queue_hands_out_its_own_kind(
    hub: Hub, member: httpx.Client, query: dict[str, Any], suffix: str, status: int
) -> None:
    hub.queue.submit(query, [COLLECTION])
    assert member.get(f"{BASE}/nextjob/{COLLECTION}{suffix}").status_code == status


def test_a_task_is_hidden_for_the_lease_and_then_handed_out_again(hub: Hub, member: httpx.Client) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    address = f"{BASE}/nextjob/{COLLECTION}"
    assert hub.queue.results(uuid)[0].state is CollectionState.WAITING
    first = member.get(address)
    assert first.status_code == 200
    assert hub.queue.results(uuid)[0].state is CollectionState.HANDED_OUT
    hub.seconds += 59
    assert member.get(address).status_code == 204
    hub.seconds += 1
    assert member.get(address).content == first.content
    assert post(member, TaskResult(uuid=uuid, collection=COLLECTION, count=30)).status_code == 200
    hub.seconds += 61
    assert member.get(address).status_code == 204
    assert hub.queue.results(uuid)[0].state is CollectionState.ANSWERED


def test_a_task_that_nobody_answers_goes_behind_the_others_and_at_last_expires(hub: Hub, member: httpx.Client) -> None:
    first = hub.queue.submit(AVAILABILITY, [COLLECTION])
    address = f"{BASE}/nextjob/{COLLECTION}.a"
    assert member.get(address).json()["uuid"] == first
    second = hub.queue.submit(AVAILABILITY, [COLLECTION])
    hub.seconds += 61
    assert [member.get(address).json()["uuid"] for _ in range(2)] == [second, first]
    hub.seconds += 3600
    assert member.get(address).status_code == 204
    assert hub.queue.results(first)[0].state is CollectionState.EXPIRED


def test_the_first_answer_stays(hub: Hub, member: httpx.Client) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    answer = TaskResult(uuid=uuid, collection=COLLECTION, count=30)
    first = post(member, answer)
    assert (first.status_code, first.text, first.headers["Content-Type"]) == (
        200,
        "Job saved",
        "text/plain; charset=utf-8",
    )
    again = post(member, answer)
    assert (again.status_code, again.text) == (200, "Job saved")
    other = post(member, TaskResult(uuid=uuid, collection=COLLECTION, count=40))
    assert other.status_code == 409
    assert other.json()["status"] == "CONFLICT"
    assert other.json()["message"] == "Job file already uploaded"
    assert post(member, failed(uuid=uuid, collection=COLLECTION, message="")).status_code == 409
    (reply,) = hub.queue.results(uuid)
    assert reply.result == answer


def test_of_many_answers_at_once_one_is_taken(hub: Hub, member: httpx.Client) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    with ThreadPoolExecutor(12) as pool:
        answers = [TaskResult(uuid=uuid, collection=COLLECTION, count=count) for count in range(24)]
        statuses = [response.status_code for response in pool.map(lambda answer: post(member, answer), answers)]
    assert sorted(statuses) == [200] + [409] * 23
    (reply,) = hub.queue.results(uuid)
    assert reply.result == answers[statuses.index(200)]


def test_of_many_workers_at_once_each_gets_another_task(hub: Hub, member: httpx.Client) -> None:
    uuids = {hub.queue.submit(AVAILABILITY, [COLLECTION]) for _ in range(20)}
    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(lambda _: member.get(f"{BASE}/nextjob/{COLLECTION}"), range(30)))
    assert sorted(reply.status_code for reply in replies) == [200] * 20 + [204] * 10
    assert {reply.json()["uuid"] for reply in replies if reply.status_code == 200} == uuids


def test_an_error_result_is_an_answer_and_says_why(hub: Hub, member: httpx.Client) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    assert post(member, failed(uuid=uuid, collection=COLLECTION, message="no such concept")).status_code == 200
    (reply,) = hub.queue.results(uuid)
    assert reply.result is not None
    assert (reply.state, reply.result.message) == (CollectionState.FAILED, "no such concept")


def test_one_question_goes_to_several_collections_and_each_answers_for_itself(hub: Hub) -> None:
    names = ["hillside", "seaview", "dale"]
    clients = {name: hub.client(hub.queue.members.add(name)) for name in names}
    uuid = hub.queue.submit(AVAILABILITY, [*names, "dale"])
    for count, (name, client) in enumerate(clients.items()):
        with client:
            assert client.get(f"{BASE}/nextjob/{name}").json()["collection"] == name
            if name != "dale":
                assert post(client, TaskResult(uuid=uuid, collection=name, count=count * 10)).status_code == 200
    replies = hub.queue.results(uuid)
    assert [(reply.collection, reply.result.count if reply.result else None) for reply in replies] == [
        ("dale", None),
        ("hillside", 0),
        ("seaview", 10),
    ]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"collection_id:").decode(),
        "Basic " + base64.b64encode(b"collection_id:wrong").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic " + "QUFB" * 900,
        "Bearer abc",
    ],
)
def test_nobody_is_let_in_without_the_secret(hub: Hub, member: httpx.Client, authorization: str | None) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    headers = {} if authorization is None else {"Authorization": authorization}
    with hub.client(None) as stranger:
        for response in (
            stranger.get(f"{BASE}/nextjob/{COLLECTION}", headers=headers),
            stranger.get(f"{BASE}/nextjob/no_such_collection", headers=headers),
            stranger.post(f"{BASE}/result/{uuid}/{COLLECTION}", headers=headers, content=b"{}"),
        ):
            assert (response.status_code, response.text) == (401, "not admitted")
            assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert hub.queue.results(uuid)[0].state is CollectionState.WAITING


def test_a_secret_opens_its_own_collection_only_and_until_it_is_renewed_or_removed(hub: Hub) -> None:
    first = hub.queue.members.add("hillside", username="worker")
    hub.queue.members.add("seaview", username="worker")
    with hub.client(first) as client:
        assert client.get(f"{BASE}/nextjob/hillside").status_code == 204
        assert client.get(f"{BASE}/nextjob/seaview").status_code == 401
        renewed = hub.queue.members.renew("hillside")
        assert client.get(f"{BASE}/nextjob/hillside").status_code == 401
    with hub.client(renewed) as client:
        assert client.get(f"{BASE}/nextjob/hillside").status_code == 204
        hub.queue.members.remove("hillside")
        assert client.get(f"{BASE}/nextjob/hillside").status_code == 401
    assert hub.queue.members.names() == ["seaview"]


def test_what_cannot_be_done_with_members_is_said(hub: Hub) -> None:
    members = hub.queue.members
    members.add("hillside")
    with pytest.raises(NotAllowedNow, match="is a member already"):
        members.add("hillside")
    for name in ("x.a", "a b", "", "../x"):
        with pytest.raises(Invalid):
            members.add(name)
    with pytest.raises(Invalid):
        members.add("dale", username="a:b")
    for change in (members.renew, members.remove):
        with pytest.raises(NotFound):
            change("seaview")


def test_a_question_that_no_worker_could_read_is_not_put(hub: Hub, member: httpx.Client) -> None:
    queries: list[dict[str, Any]] = [
        {},
        {"cohort": []},
        {"analysis": "DISTRIBUTION", "code": "ICD-MAIN"},
        {"analysis": "GWAS"},
    ]
    for query in queries:
        with pytest.raises(Invalid):
            hub.queue.submit(query, [COLLECTION])
    with pytest.raises(Invalid, match="longer than is read"):
        hub.queue.submit({"cohort": {"groups": ["x" * (1 << 20)]}}, [COLLECTION])
    with pytest.raises(Invalid, match="nobody would be asked"):
        hub.queue.submit(AVAILABILITY, [])
    with pytest.raises(NotFound, match="nobody was asked: dale, moor"):
        hub.queue.submit(AVAILABILITY, [COLLECTION, "dale", "moor"])
    assert member.get(f"{BASE}/nextjob/{COLLECTION}").status_code == 204
    with pytest.raises(NotFound):
        hub.queue.results("7")


GOOD: dict[str, Any] = {
    "uuid": "UUID",
    "status": "ok",
    "collection_id": COLLECTION,
    "message": "",
    "protocolVersion": "v2",
    "queryResult": {"count": 10, "datasetCount": 0, "files": []},
}
FILE = {"file_name": "code.distribution", "file_data": base64.b64encode(b"BIOBANK\tCODE").decode(), "file_type": "BCOS"}


def with_answer(**change: Any) -> dict[str, Any]:
    return {"queryResult": {**GOOD["queryResult"], **change}}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uuid": "other"}, "uuid"),
        ({"collection_id": "other"}, "collection_id"),
        ({"status": "fine"}, "status"),
        ({"status": None}, "status"),
        ({"message": "x" * 1001}, "message"),
        ({"queryResult": None}, "queryResult"),
        (with_answer(count=-1), "queryResult.count"),
        (with_answer(count=1.5), "queryResult.count"),
        (with_answer(count=True), "queryResult.count"),
        (with_answer(count="10"), "queryResult.count"),
        (with_answer(count=10**30), "queryResult.count"),
        (with_answer(datasetCount=None), "queryResult.datasetCount"),
        (with_answer(files={}), "queryResult.files"),
        (with_answer(files=[{}] * 21), "queryResult.files"),
        (with_answer(files=[7]), "queryResult.files.0"),
        (with_answer(files=[FILE, {**FILE, "file_data": "*"}]), "queryResult.files.1.file_data"),
        (with_answer(files=[{**FILE, "file_data": "/w=="}]), "queryResult.files.0.file_data"),
        (with_answer(files=[{**FILE, "file_name": None}]), "queryResult.files.0.file_name"),
    ],
)
def test_a_result_that_does_not_fit_is_not_taken_and_the_place_is_named(
    hub: Hub, member: httpx.Client, change: dict[str, Any], field: str
) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    body = {**GOOD, "uuid": uuid, **change}
    response = member.post(f"{BASE}/result/{uuid}/{COLLECTION}", content=json.dumps(body))
    assert response.status_code == 400
    assert any(fault.startswith(f"{field}: ") for fault in response.json()["faults"]), response.text
    assert hub.queue.results(uuid)[0].result is None
    body = {**GOOD, "uuid": uuid, **with_answer(files=[FILE])}
    assert member.post(f"{BASE}/result/{uuid}/{COLLECTION}", content=json.dumps(body)).status_code == 200


def test_all_faults_of_a_result_are_named_at_once(hub: Hub, member: httpx.Client) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    response = member.post(f"{BASE}/result/{uuid}/{COLLECTION}", content=b"{}")
    assert len(response.json()["faults"]) == 5


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"\xff", b"[" * 1900, b"1" * 1900])
def test_a_body_that_is_no_result_is_not_taken(hub: Hub, member: httpx.Client, body: bytes) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    assert member.post(f"{BASE}/result/{uuid}/{COLLECTION}", content=body).status_code == 400


def test_a_result_for_a_task_that_was_never_put_is_not_found(hub: Hub, member: httpx.Client) -> None:
    assert post(member, TaskResult(uuid="7", collection=COLLECTION)).status_code == 404


def test_a_body_that_is_too_long_is_cut_off(hub: Hub, member: httpx.Client) -> None:
    uuid = hub.queue.submit(AVAILABILITY, [COLLECTION])
    path = f"{BASE}/result/{uuid}/{COLLECTION}"
    assert member.post(path, content=b"x" * 2001).status_code == 413
    assert member.post(path, content=(b"x" * 500 for _ in range(5))).status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(hub: Hub) -> None:
    credentials = hub.queue.members.add("dale")
    with (
        served(task_api(hub.queue, patience=0.2)) as url,
        socket.create_connection((httpx.URL(url).host, httpx.URL(url).port), timeout=PATIENCE) as client,
    ):
        client.sendall(
            f"POST {BASE}/result/7/dale HTTP/1.1\r\nHost: x\r\nAuthorization: {credentials.header()}\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        assert client.recv(100).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{BASE}/nextjob/{COLLECTION}", 405),
        ("GET", f"{BASE}/result/7/{COLLECTION}", 405),
        ("GET", f"{BASE}/queue/{COLLECTION}", 404),
        ("GET", "/", 404),
        ("GET", f"{BASE}/nextjob/..%2f..%2fetc", 404),
        ("GET", f"{BASE}/nextjob/%00%27%3B--", 401),
        ("GET", f"{BASE}/nextjob/%25", 401),
    ],
)
def test_there_is_no_other_way_in(hub: Hub, member: httpx.Client, method: str, path: str, status: int) -> None:
    assert member.request(method, path).status_code == status


def test_tasks_answers_and_members_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "tasks.sqlite"
    first = TaskQueue(path, by=ANNA)
    credentials = first.members.add(COLLECTION)
    uuids = [first.submit(AVAILABILITY, [COLLECTION]) for _ in range(2)]
    first.accept(uuids[0], COLLECTION, TaskResult(uuid=uuids[0], collection=COLLECTION, count=30).to_json().encode())
    first.close()
    second = TaskQueue(path, by=ANNA)
    assert second.members.admits(COLLECTION, credentials.header())
    assert [second.results(uuid)[0].state for uuid in uuids] == [CollectionState.ANSWERED, CollectionState.WAITING]
    second.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_queue_killed_at_any_moment_has_every_task_that_it_gave_a_name_to(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from tests.support.actors import ANNA
from tests.support.network_wire import AVAILABILITY, COLLECTION
from fairhaven.network.server import TaskQueue
queue = TaskQueue(Path({str(tmp_path / "tasks.sqlite")!r}), by=ANNA)
queue.members.add(COLLECTION)
while True:
    print(queue.submit(AVAILABILITY, [COLLECTION]), flush=True)
"""
    with started(script, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        uuids = [process.stdout.readline().strip() for _ in range(30)]
        process.kill()
    queue = TaskQueue(tmp_path / "tasks.sqlite", by=ANNA)
    assert all(len(queue.results(uuid)) == 1 for uuid in uuids)
    queue.close()


def test_two_workers_of_one_network_answer_for_their_own_collections(hub: Hub, tmp_path: Path) -> None:
    names = ["hillside", "seaview"]
    connections = {
        name: Connection(
            url=hub.url + PREFIX, collection=name, credentials=hub.queue.members.add(name), deadline=PATIENCE
        )
        for name in names
    }
    uuids = [hub.queue.submit(AVAILABILITY, names) for _ in range(3)]
    threads = [
        threading.Thread(
            target=work,
            args=(connections[name], Numbers(count)),
            kwargs={"folder": tmp_path / name, "about": ABOUT, "once": True, "by": ANNA, "pace": QUICK},
        )
        for name, count in zip(names, (110, 220), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for uuid in uuids:
        assert [reply.result.count for reply in hub.queue.results(uuid) if reply.result] == [110, 220]


def test_secrets_are_not_served_in_the_clear_beyond_this_machine(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="in the clear"):
        serve(task_api(hub.queue), host="0.0.0.0")
    with pytest.raises(Invalid, match="cannot be used"):
        serve(task_api(hub.queue), certificate=tmp_path / "none.pem", key=tmp_path / "none.key")
    (tmp_path / "open.key").write_text("a key")
    (tmp_path / "open.key").chmod(0o644)
    with pytest.raises(NotAllowedNow, match="chmod 600"):
        serve(task_api(hub.queue), certificate=tmp_path / "none.pem", key=tmp_path / "open.key")
    with pytest.raises(NotAllowedNow, match="cannot be listened at"):
        serve(task_api(hub.queue), port=int(hub.url.rpartition(":")[2]))


def test_what_is_done_to_a_network_waits_for_the_ledger_with_who_did_it(tmp_path: Path) -> None:
    queue = TaskQueue(tmp_path / "tasks.sqlite", by=ANNA)
    queue.members.add(COLLECTION)
    uuid = queue.submit(AVAILABILITY, [COLLECTION])
    with pytest.raises(NotAllowedNow):
        queue.members.add(COLLECTION)
    queue.close()
    queue = TaskQueue(tmp_path / "tasks.sqlite", by=BEN)
    queue.members.remove(COLLECTION)
    joined, asked, left = queue.acts.waiting()
    assert [(act.kind, act.by) for act in (joined, asked, left)] == [
        (EventKind.MEMBER_JOINED, ANNA),
        (EventKind.NETWORK_QUESTION, ANNA),
        (EventKind.MEMBER_LEFT, BEN),
    ]
    assert asked.facts["uuid"] == uuid
    queue.acts.forget(joined)
    assert queue.acts.waiting() == [asked, left]
    queue.close()
