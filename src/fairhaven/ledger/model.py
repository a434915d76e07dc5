"""The nouns of the record: who did something, what kind of thing it was, and the entry that says so."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class ActorKind(StrEnum):
    """How we know who somebody is."""

    OPERATING_SYSTEM_USER = "operating-system user"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who does something that changes a hub.

    Args:
        name: unique among actors of the kind on this machine, for example a login name.
    """

    kind: ActorKind
    name: str

    def __str__(self) -> str:
        """The name, as messages say it."""
        return self.name


class EventKind(StrEnum):
    """What happened. Hubs of before actors were recorded hold "erasure of deliveries" beside "erasure"."""

    HUB_MADE = "hub made"
    KEYS_ROTATED = "keys rotated"
    VOCABULARY = "vocabulary"
    DELIVERY = "delivery"
    LANDED_AGAIN = "landed again"
    RELEASE = "release"
    DESCRIPTION = "description"
    ROLL_BACK = "roll-back"
    ERASURE = "erasure"
    MEMBER_JOINED = "member joined"
    MEMBER_RENEWED = "member's secret renewed"
    MEMBER_LEFT = "member left"
    NETWORK_QUESTION = "question to the network"
    QUESTIONS = "questions recorded"
    LOG_SET_ASIDE = "log of questions set aside"
    PROJECT = "project opened"
    STOCK_TAKEN = "stock taken"
    UPGRADED = "hub upgraded"
    ORGANISATION = "organisation recorded"
    ACCOUNT = "account made"
    ACCOUNT_DETAILS = "account's details recorded"
    ACCOUNT_DETAILS_ERASED = "account's details erased"
    ACCOUNT_ENDED = "account ended"
    ROLE_GIVEN = "role given"
    ROLE_CONFIRMED = "role confirmed"
    ROLE_ENDED = "role ended"


_ALWAYS = ("number", "at", "kind", "facts", "previous")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One record.

    Args:
        number: place in the ledger, from 1.
        at: when it was written, UTC, ISO 8601.
        kind: what happened, an `EventKind`; entries of older versions may hold a kind that is none.
        facts: what is to be remembered of it; never a person's data.
        files: path in the store -> content hash (`content_hash`) of what the act wrote, None for what it removed.
        about: what it was done to, by an id that everybody may know; empty where the facts say it.
        actor: who decided it; None in entries of before actors were recorded.
        previous: hash of the entry before.
        hash: SHA-256 of this entry.
    """

    number: int
    at: str
    kind: str
    facts: Mapping[str, Any]
    files: Mapping[str, str | None] = field(default_factory=dict)
    about: str = ""
    actor: Actor | None = None
    previous: str
    hash: str

    def content(self) -> dict[str, Any]:
        """What is hashed. What an entry has not, as files, has no key in it: so were entries written before, and so they verify."""
        plain = asdict(self)
        del plain["hash"]
        return {key: value for key, value in plain.items() if value or key in _ALWAYS}
