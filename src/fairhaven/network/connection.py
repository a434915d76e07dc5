"""Where a worker connects to and as whom: the address, the collection, the name and secret, and how long and how large an exchange may be."""

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.secret_files import read_secret
from fairhaven.network.task import LARGEST, QueueKind, is_collection

USERNAME = "FAIRHAVEN_TASK_API_USERNAME"
PASSWORD = "FAIRHAVEN_TASK_API_PASSWORD"
SECRET_FILE = "FAIRHAVEN_TASK_API_SECRET_FILE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """A name and a secret; neither is in its text.

    Args:
        username: without a colon, as HTTP Basic wants it.
        password: the secret.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)

    def header(self) -> str:
        """What goes into ``Authorization``."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """A task API as a worker uses it.

    Args:
        url: what comes before ``/task/nextjob``, for example ``https://hub.example/link_connector_api``.
        collection: the collection that is answered for.
        credentials: as whom.
        queues: which queues are asked, in turn.
        authority: certificates (PEM) that are trusted in place of the usual ones, for a server of a private network.
        is_plain_allowed: whether ``http`` may be used beyond this machine; the secret then travels in the clear.
        deadline: seconds that one exchange may take in all.
        largest: bytes of a task that are read.

    Raises:
        Invalid: with every fault.
    """

    url: str
    collection: str
    credentials: Credentials
    queues: tuple[QueueKind, ...] = (QueueKind.AVAILABILITY, QueueKind.DISTRIBUTION)
    authority: Path | None = None
    is_plain_allowed: bool = False
    deadline: float = 60.0
    largest: int = LARGEST

    def __post_init__(self) -> None:
        checks = (
            (
                is_collection(self.collection),
                "collection",
                "is letters, digits and _ . : -, 128 at most, and does not end in a dot and one letter",
            ),
            (bool(self.queues), "queues", "names at least one queue"),
        )
        faults = [Fault(field=field, message=message) for is_right, field, message in checks if not is_right]
        if self.authority is not None and not self.authority.is_file():
            faults.append(Fault(field="authority", message="there is no such file", path=str(self.authority)))
        check_faults([*_address_faults(self.url, is_plain_allowed=self.is_plain_allowed), *faults])


def read_credentials(environment: Mapping[str, str] = os.environ) -> Credentials:
    """Read name and secret: from a file of one line ``name:secret`` that only its owner may read, or from two variables.

    Raises:
        Invalid: something is missing. The message holds nothing of the secret.
        NotAllowedNow: others could read or change the file.
    """
    if (name := environment.get(SECRET_FILE)) is not None:
        return _from_file(Path(name))
    username, password = environment.get(USERNAME, ""), environment.get(PASSWORD, "")
    faults = [
        Fault(field=variable, message=f"is not set; set it, or {SECRET_FILE} to a file with the line name:secret")
        for variable, value in ((USERNAME, username), (PASSWORD, password))
        if not value
    ]
    if ":" in username:
        faults.append(Fault(field=USERNAME, message="holds a colon, which HTTP Basic does not allow"))
    check_faults(faults)
    return Credentials(username=username, password=password)


def _from_file(path: Path) -> Credentials:
    try:
        text = read_secret(path, if_read="if others may have read it, ask the tool's operator for another").decode()
    except PermissionError:
        raise Invalid(Fault(path=str(path), field=SECRET_FILE, message=why_refused(path))) from None
    except (OSError, UnicodeDecodeError):
        raise Invalid(Fault(path=str(path), field=SECRET_FILE, message="the file cannot be read")) from None
    username, colon, password = text.strip().partition(":")
    if not (username and colon and password) or "\n" in text.strip():
        raise Invalid(Fault(path=str(path), message="is not one line name:secret"))
    return Credentials(username=username, password=password)


def _address_faults(url: str, *, is_plain_allowed: bool) -> list[Fault]:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return [Fault(field="url", message="is not an address")]
    is_web = parts.scheme in {"http", "https"} and bool(host)
    is_in_the_clear = is_web and parts.scheme == "http" and not (is_plain_allowed or is_loopback(host or ""))
    checks = (
        (not is_web, "is not an address that begins with https://"),
        (is_in_the_clear, "begins with http://, which sends the secret in the clear; use https://"),
        (
            parts.username is not None or parts.password is not None,
            f"holds a name or a secret; those belong into {SECRET_FILE}",
        ),
        (bool(parts.query or parts.fragment), "ends in a query or fragment; the paths are put after it"),
    )
    return [Fault(field="url", message=message) for is_wrong, message in checks if is_wrong]


def is_loopback(host: str) -> bool:
    """True for a host that is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
