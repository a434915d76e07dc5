"""The wire as hutch-bunny 1.9 spoke it: the recorded requests and results, given again by our worker, byte for byte."""

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from fairhaven.network import (
    CATEGORIES,
    AvailabilityTask,
    CodeCount,
    CollectionAbout,
    Credentials,
    DistributionTask,
    QueueKind,
    ResultFile,
    work,
)
from fairhaven.network.distribution_tables import code_result
from fairhaven.network.result import TaskResult, read_result
from fairhaven.network.task import UnreadableTask, read_task
from tests.support.actors import ANNA
from tests.support.network_wire import COLLECTION, QUICK, Numbers, connection_to, http, raw_server
from tests.support.shared_data import shared

BUNNY = CollectionAbout(software="Bunny", version="1.9.0")
AVAILABILITY = [
    "age",
    "availability",
    "basic_ethnicity_or",
    "basic_gender_or",
    "measurement",
    "multiple_in_group_and",
    "multiple_in_group_and_with_age1",
    "multiple_in_group_or",
    "procedure",
]


def reference(*parts: str) -> Any:
    return json.loads(shared("reference", "rquest", *parts).read_bytes())


@pytest.mark.parametrize("name", AVAILABILITY)
def test_a_count_is_posted_in_the_bytes_of_the_reference(name: str) -> None:
    path = shared("reference", "rquest", "results", f"{name}.out.json")
    expected = path.read_text()
    count = json.loads(expected)["queryResult"]["count"]
    assert TaskResult(uuid="unique_id", collection=COLLECTION, count=count).to_json() == expected


def test_the_table_of_codes_is_posted_in_the_bytes_of_the_reference() -> None:
    expected = shared("reference", "rquest", "results", "distribution.out.json").read_text()
    files = json.loads(expected)["queryResult"]["files"]
    text = base64.b64decode(files[0]["file_data"]).decode()
    rows = ResultFile(name="", text=text, description="", is_sensitive=True).rows()
    counts = [
        CodeCount(
            concept_id=int(row["OMOP"]),
            concept_name=row["OMOP_DESCR"],
            category=row["CATEGORY"],
            count=int(row["COUNT"]),
        )
        for row in rows
    ]
    assert len(counts) == 392
    assert list(dict.fromkeys(count.category for count in counts)) == list(CATEGORIES)
    task = read_task(
        json.dumps(reference("queries", "distribution", "distribution.json")).encode(), collection=COLLECTION
    )
    assert isinstance(task, DistributionTask)
    assert code_result(task, counts, BUNNY).to_json() == expected


@pytest.mark.parametrize("path", ["availability", "distribution"], ids=["availability queries", "distribution queries"])
def test_every_query_of_the_reference_is_read_and_icd_main_is_not_supported(path: str) -> None:
    for file in sorted(shared("reference", "rquest", "queries", path).glob("*.json")):
        task = read_task(file.read_bytes(), collection=COLLECTION)
        if file.stem == "icd":
            assert isinstance(task, UnreadableTask)
            assert task.uuid == "unique_id"
            assert task.reasons == ("its code is none of GENERIC, DEMOGRAPHICS",)
        else:
            assert isinstance(task, AvailabilityTask if path == "availability" else DistributionTask), file.stem
            assert task.query == json.loads(file.read_bytes())


def test_every_result_of_the_reference_is_taken_by_the_server() -> None:
    for file in sorted(shared("reference", "rquest", "results").glob("*.json")):
        text = file.read_text()
        assert read_result(text.encode(), uuid="unique_id", collection=COLLECTION).to_json() == text


def test_the_worker_says_on_the_wire_what_the_reference_said(tmp_path: Path) -> None:
    """The log's server gave an availability task, then DEMOGRAPHICS, then ICD-MAIN, all under one uuid.

    The reference leaves ICD-MAIN without an answer; our worker says that it has none.
    """
    text = shared("reference", "rquest", "results", "task-api-wire-log.jsonl").read_text()
    log = [json.loads(line) for line in text.splitlines()]
    tasks = [
        reference("queries", "availability", "availability.json"),
        reference("queries", "distribution", "demographics.json"),
        reference("queries", "distribution", "icd.json"),
    ]
    said: list[dict[str, Any]] = []

    def reply(request: bytes, client: Any) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, path, _ = first.split(" ")
        said.append(
            {
                "m": method,
                "p": path,
                "auth": headers.get("authorization"),
                "ct": headers.get("content-type"),
                "body": body.decode(),
            }
        )
        if method == "POST":
            client.sendall(http(200, b"Job saved"))
        else:
            client.sendall(http(200, json.dumps(tasks.pop(0)).encode()) if tasks else http(204))

    with raw_server(reply) as url:
        summary = work(
            connection_to(url, credentials=Credentials(username="u", password="p"), queues=(QueueKind.AVAILABILITY,)),
            Numbers(570),
            folder=tmp_path,
            about=BUNNY,
            by=ANNA,
            once=True,
            pace=QUICK,
        )
    until_icd = 5
    assert said[:until_icd] == log[:until_icd]
    icd = said[until_icd]
    assert (icd["m"], icd["p"]) == ("POST", "/link_connector_api/task/result/unique_id/collection_id")
    assert json.loads(icd["body"])["status"] == "error"
    assert said[until_icd + 1] == log[until_icd]
    assert (summary.answered, summary.failed, summary.posted) == (2, 1, 3)


ERRORS: Iterable[tuple[str, Mapping[str, Any], str]] = [
    ("no cohort", {"cohort": None}, "it has no cohort"),
    ("another collection", {"collection": "other"}, "it is for another collection"),
    ("another version", {"protocol_version": "v3"}, "its protocol_version is not v2"),
    ("another analysis", {"analysis": "PHEWAS", "code": "GENERIC"}, "its analysis is not DISTRIBUTION"),
    ("a code that is a list", {"analysis": "DISTRIBUTION", "code": []}, "its code is none of GENERIC, DEMOGRAPHICS"),
]


@pytest.mark.parametrize(("change", "reason"), [row[1:] for row in ERRORS], ids=[row[0] for row in ERRORS])
def test_a_task_that_does_not_fit_says_why_and_keeps_its_uuid(change: Mapping[str, Any], reason: str) -> None:
    value = {"uuid": "7", "collection": COLLECTION, "protocol_version": "v2", "cohort": {"groups": []}, **change}
    task = read_task(json.dumps(value).encode(), collection=COLLECTION)
    assert isinstance(task, UnreadableTask)
    assert task.uuid == "7"
    assert reason in task.reasons


@pytest.mark.parametrize(
    ("body", "uuid"),
    [
        (b'{"uuid": "7", "cohort": {', "7"),
        (b'{"cohort": {"groups": ["uuid"]}, "uuid" :"a-b_c.d:e"', "a-b_c.d:e"),
        (b'{"uuid": "7", "uuid": "8"', None),
        (b'{"value": "\\"uuid\\": \\"7\\""', None),
        (b'{"uuid": "../../admin"', None),
        (b'{"uuid": NaN}', None),
        (b"<html>sign in</html>", None),
        (b"", None),
        (b"[]", None),
        (b'{"uuid": 7}', None),
        (b'{"uuid": ""}', None),
        (b'{"uuid": ".."}', None),
        (b"\xff\xfe\x00", None),
        (b"[" * 100_000, None),
        (b'{"uuid": "7", "cohort": ' + b'{"a":' * 50 + b"1" + b"}" * 51, "7"),
        (b'{"uuid": "7", "cohort": ' + b'{"a":' * 50_000, "7"),
    ],
)
def test_a_body_that_is_no_task_gives_its_uuid_where_one_can_be_read(body: bytes, uuid: str | None) -> None:
    task = read_task(body, collection=COLLECTION)
    assert isinstance(task, UnreadableTask)
    assert task.uuid == uuid


def test_who_asks_and_when_does_not_make_another_question() -> None:
    value = reference("queries", "availability", "age.json")
    again = {**value, "task_id": "job-2", "owner": "user2", "char_salt": "other", "project": "p2"}
    other = json.loads(json.dumps(value).replace("20|30", "20|31"))
    first, second, third = (read_task(json.dumps(one).encode(), collection=COLLECTION) for one in (value, again, other))
    assert first.question == second.question != third.question


def test_a_name_cannot_break_the_table() -> None:
    task = DistributionTask(uuid="7", collection=COLLECTION, code="GENERIC", query={})  # type: ignore[arg-type]
    counts = [
        CodeCount(concept_id=1, concept_name="two\twords\nand a\r\nline\u2028end", category="Drug", count=10),
        CodeCount(concept_id=2, concept_name="too few", category="Drug", count=0),
    ]
    result = code_result(task, counts, BUNNY)
    (row,) = result.files[0].rows()
    assert row["OMOP_DESCR"] == "two words and a line end"
    assert result.count == 1
