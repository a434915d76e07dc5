"""Tasks of the Cohort Discovery wire: what a worker is asked, and what a server may hand out.

Source: the task API ("link connector API", protocol v2) as hutch-bunny 1.9 and hutch-relay speak it. A body with
``analysis`` asks for a distribution of the whole collection, any other asks for the size of a cohort.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from fairhaven.kernel.files import canonical_json

PROTOCOL = "v2"
"""The one version of the wire that is spoken."""

LARGEST = 1 << 20
"""Bytes of a task: a worker reads no more, a server hands out no more."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}")
_QUEUE_AT_END = re.compile(r"\.[a-z]$")
_UUID_IN_TEXT = re.compile(rb'(?<!\\)"uuid"\s*:\s*"([A-Za-z0-9_.:-]{1,128})"')
_DEEPEST = 40


class QueueKind(StrEnum):
    """A collection's queues; a worker asks for one by its letter after the collection's name, or for both at once."""

    BOTH = ""
    AVAILABILITY = "a"
    DISTRIBUTION = "b"

    def address(self, collection: str) -> str:
        """The last part of the address that is asked, for example ``hillside.a``."""
        return f"{collection}.{self}" if self else collection


class Distribution(StrEnum):
    """The distributions that are answered; ``ICD-MAIN`` is in the protocol, and no known worker answers it."""

    GENERIC = "GENERIC"
    DEMOGRAPHICS = "DEMOGRAPHICS"


@dataclass(frozen=True, kw_only=True, slots=True)
class AvailabilityTask:
    """How many persons are in a cohort?

    Args:
        uuid: the server's name for the task.
        collection: whom it is put to.
        query: the task's whole JSON; its ``cohort`` is the question.
    """

    uuid: str
    collection: str
    query: Mapping[str, Any] = field(repr=False)
    queue: ClassVar = QueueKind.AVAILABILITY

    @property
    def question(self) -> str:
        """SHA-256 of what is asked; who asks, when, and under which name leave it as it is."""
        return _digest({"cohort": self.query["cohort"]})


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributionTask:
    """How are the persons of a collection distributed?

    Args:
        uuid: the server's name for the task.
        collection: whom it is put to.
        code: which distribution.
        query: the task's whole JSON.
    """

    uuid: str
    collection: str
    code: Distribution
    query: Mapping[str, Any] = field(repr=False)
    queue: ClassVar = QueueKind.DISTRIBUTION

    @property
    def question(self) -> str:
        """SHA-256 of what is asked."""
        return _digest({"analysis": self.query["analysis"], "code": self.code})


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableTask:
    """A body that cannot be answered.

    Args:
        uuid: the server's name for it; None where none can be read.
        reasons: what is wrong with it, without any of its content.
        question: SHA-256 of the body.
    """

    uuid: str | None
    reasons: tuple[str, ...]
    question: str


Task: TypeAlias = AvailabilityTask | DistributionTask


def is_name(value: object) -> bool:
    """True for a text that is safe as one part of an address: letters, digits, ``_ . : -``, at most 128."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_collection(value: object) -> bool:
    """True for a name of a collection: one whose end cannot be taken for a queue's letter."""
    return isinstance(value, str) and is_name(value) and not _QUEUE_AT_END.search(value)


def read_task(body: bytes, *, collection: str, is_whole: bool = True) -> Task | UnreadableTask:
    """Read the body of a task that was put to *collection*.

    Args:
        is_whole: False where the body was longer than is read, and *body* is its beginning.
    """
    if not is_whole:
        return _unreadable(body, _uuid_in(body), "it is longer than is read")
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return _unreadable(body, _uuid_in(body), "it is not JSON")
    if not isinstance(value, dict):
        return _unreadable(body, None, "it is not an object")
    uuid = value.get("uuid")
    if not isinstance(uuid, str) or not is_name(uuid):
        return _unreadable(body, None, "it has no uuid that can be used")
    if reasons := _faults(value, collection):
        return _unreadable(body, uuid, *reasons)
    if "analysis" in value:
        return DistributionTask(uuid=uuid, collection=collection, code=Distribution(value["code"]), query=value)
    return AvailabilityTask(uuid=uuid, collection=collection, query=value)


def _faults(value: Mapping[str, Any], collection: str) -> list[str]:
    is_distribution, code = "analysis" in value, value.get("code")
    checks = (
        (value.get("collection") != collection, "it is for another collection"),
        (value.get("protocol_version", PROTOCOL) != PROTOCOL, f"its protocol_version is not {PROTOCOL}"),
        (not _is_shallow(value), f"it is nested deeper than {_DEEPEST} levels"),
        (is_distribution and value["analysis"] != "DISTRIBUTION", "its analysis is not DISTRIBUTION"),
        (
            is_distribution and not (isinstance(code, str) and code in set(Distribution)),
            f"its code is none of {', '.join(Distribution)}",
        ),
        (not is_distribution and not isinstance(value.get("cohort"), dict), "it has no cohort"),
    )
    return [reason for is_wrong, reason in checks if is_wrong]


def _is_shallow(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            below
            for one in level
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def _unreadable(body: bytes, uuid: str | None, *reasons: str) -> UnreadableTask:
    return UnreadableTask(uuid=uuid, reasons=reasons, question=hashlib.sha256(body).hexdigest())


def _uuid_in(body: bytes) -> str | None:
    """The one uuid that a text names which is no JSON, or not all of it."""
    found = {match.decode() for match in _UUID_IN_TEXT.findall(body)}
    return next(iter(found)) if len(found) == 1 and is_name(next(iter(found))) else None


def _digest(value: Mapping[str, Any]) -> str:
    # JSON may hold half of a surrogate pair, which has no UTF-8.
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
