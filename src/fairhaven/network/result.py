"""Results of the Cohort Discovery wire, as a worker posts them and a server takes them.

Fields, their order and their spelling are those of hutch-bunny 1.9; `TaskResult.to_json` gives its bytes.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.network.task import PROTOCOL

_FILE_TYPE = "BCOS"
_LARGEST = 2**53
_LONGEST_TEXT = 1000
_MOST_FILES = 20
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a pair, which JSON may hold and which has no UTF-8."""


class TaskStatus(StrEnum):
    """How a task ended."""

    OK = "ok"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultFile:
    """One table that goes with a result.

    Args:
        name: ``code.distribution``, ``demographics.distribution`` or ``metadata.bcos``.
        text: tab-separated lines, the first with the names of the columns.
        description: for a reader.
        is_sensitive: whether it holds counts.
    """

    name: str
    text: str
    description: str
    is_sensitive: bool

    def rows(self) -> list[dict[str, str]]:
        """The table's lines by its columns; a line that is too short ends with empty fields."""
        header, *lines = [line.split("\t") for line in self.text.splitlines() if line] or [[]]
        return [dict(zip(header, [*line, *[""] * len(header)], strict=False)) for line in lines]

    def to_wire(self) -> dict[str, Any]:
        """The file as JSON; ``file_size`` is the thousands of characters of the base64 text."""
        data = base64.b64encode(self.text.encode()).decode()
        return {
            "file_name": self.name,
            "file_data": data,
            "file_description": self.description,
            "file_reference": "",
            "file_sensitive": self.is_sensitive,
            "file_size": len(data) / 1000,
            "file_type": _FILE_TYPE,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskResult:
    """One answer to one task.

    Args:
        uuid: the task.
        collection: who answers.
        status: whether there is an answer.
        count: persons for an availability task, rows of the first file for a distribution.
        datasets: 1 with a distribution, else 0.
        files: the tables of a distribution.
        message: why there is no answer.
    """

    uuid: str
    collection: str
    status: TaskStatus = TaskStatus.OK
    count: int = 0
    datasets: int = 0
    files: tuple[ResultFile, ...] = ()
    message: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or not 0 <= self.count < _LARGEST:
            raise ValueError("a count is a whole number of zero or more")

    def to_json(self) -> str:
        """The body that is posted."""
        return json.dumps(
            {
                "uuid": self.uuid,
                "status": self.status.value,
                "collection_id": self.collection,
                "message": self.message,
                "protocolVersion": PROTOCOL,
                "queryResult": {
                    "count": self.count,
                    "datasetCount": self.datasets,
                    "files": [file.to_wire() for file in self.files],
                },
            }
        )


def failed(*, uuid: str, collection: str, message: str) -> TaskResult:
    """The result that says that there is no answer."""
    return TaskResult(uuid=uuid, collection=collection, status=TaskStatus.ERROR, message=message)


def read_result(body: bytes, *, uuid: str, collection: str) -> TaskResult:
    """Read a posted result.

    Args:
        uuid: the task in the address that it was posted to.
        collection: the collection in that address.

    Raises:
        Invalid: it has not the form of a result; every fault with its place, none with its content.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Invalid("the body is not an object")
    status = value.get("status")
    checks = (
        (value.get("uuid") == uuid, "uuid", "is not the task of the address"),
        (value.get("collection_id") == collection, "collection_id", "is not the collection of the address"),
        (
            isinstance(status, str) and status.lower() in set(TaskStatus),
            "status",
            f"is none of {', '.join(TaskStatus)}",
        ),
        (isinstance(value.get("protocolVersion", PROTOCOL), str), "protocolVersion", "is not a text"),
    )
    faults = [Fault(field=field, message=reason) for is_right, field, reason in checks if not is_right]
    message = _text(value, "message", "message", faults)
    answer = value.get("queryResult")
    if not isinstance(answer, dict):
        faults.append(Fault(field="queryResult", message="is not an object"))
        answer = {}
    count = _count(answer, "count", faults)
    datasets = _count(answer, "datasetCount", faults)
    files = _files(answer.get("files"), faults)
    check_faults(faults)
    return TaskResult(
        uuid=uuid,
        collection=collection,
        status=TaskStatus(str(status).lower()),
        count=count,
        datasets=datasets,
        files=files,
        message=message,
    )


def _count(answer: Mapping[str, Any], name: str, faults: list[Fault]) -> int:
    value = answer.get(name, 0 if name != "count" else None)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST:
        faults.append(Fault(field=f"queryResult.{name}", message="is not a whole number of zero or more"))
        return 0
    return value


def _text(value: Mapping[str, Any], name: str, place: str, faults: list[Fault]) -> str:
    text = value.get(name) or ""
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT or _SURROGATE.search(text):
        faults.append(Fault(field=place, message=f"is not a text of {_LONGEST_TEXT} characters at most"))
        return ""
    return text


def _files(value: object, faults: list[Fault]) -> tuple[ResultFile, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_FILES:
        faults.append(Fault(field="queryResult.files", message=f"is not a list of {_MOST_FILES} files at most"))
        return ()
    return tuple(_file(file, f"queryResult.files.{number}", faults) for number, file in enumerate(value))


def _file(value: object, place: str, faults: list[Fault]) -> ResultFile:
    if not isinstance(value, dict):
        faults.append(Fault(field=place, message="is not an object"))
        value = {}
    name = _text(value, "file_name", f"{place}.file_name", faults)
    if value and not name:
        faults.append(Fault(field=f"{place}.file_name", message="is missing"))
    try:
        text = base64.b64decode(value.get("file_data", ""), validate=True).decode()
    except (binascii.Error, TypeError, ValueError):
        faults.append(Fault(field=f"{place}.file_data", message="is not base64 of UTF-8 text"))
        text = ""
    return ResultFile(
        name=name,
        text=text,
        description=_text(value, "file_description", f"{place}.file_description", faults),
        is_sensitive=value.get("file_sensitive") is not False,
    )
