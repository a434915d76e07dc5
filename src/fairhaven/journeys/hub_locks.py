"""What of a hub is changed by one command at a time, and in which order a command takes it.

Receiving goes on while a build runs, because a build holds the deliveries only until it has landed again what must be
landed again; from then on it sees the deliveries of that moment (`Intake.until`), whose files nobody changes but
who also holds the releases.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from fairhaven.journeys.model import HubText
from fairhaven.kernel.file_locks import locked
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor


class Locked(StrEnum):
    """What is locked, in the order in which it is taken: who holds one never waits for one before it, so no two
    commands wait for each other.

    Attributes:
        RELEASES: the archive, what describes releases, the index of persons.
        DELIVERIES: what was received, landed and sealed, and the identity records of its patients.
        VOCABULARY: the vocabularies that are loaded.
    """

    RELEASES = "releases"
    DELIVERIES = "deliveries"
    VOCABULARY = "vocabulary"


@dataclass
class _Patience:
    """Seconds that a command may still wait, for all locks together."""

    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """A lock that this command holds.

    Args:
        hub: the store of the hub, resolved.
        patience: of the command, for whatever else of the hub it locks.
    """

    hub: str
    thing: Locked
    patience: _Patience


_HELD: ContextVar[tuple[_Held, ...]] = ContextVar("_HELD", default=())
_ORDER = list(Locked)


@contextmanager
def holding(hub: HubText, *things: Locked, act: str, by: Actor | None = None, progress: Progress) -> Iterator[None]:
    """Change these things, and nobody else does; for all that a command locks it waits no longer than hub.toml allows.

    Args:
        act: what is done, a noun, for those who must wait.
        by: who does it; None where what is made follows from what is there, whoever asks for it.

    Raises:
        NotAllowedNow: others still held one of them after that time.
        RuntimeError: this command holds one of them already, or one that comes after it.
    """
    if not things:
        yield
        return
    first, *rest = sorted(things, key=_ORDER.index)
    store, held = str(hub.store.resolve()), _HELD.get()
    mine = [each for each in held if each.hub == store]
    if any(_ORDER.index(each.thing) >= _ORDER.index(first) for each in mine):
        raise RuntimeError(f"{first} cannot be taken while holding {', '.join(each.thing for each in mine)}")
    path = hub.store / "locks" / first
    patience = mine[-1].patience if mine else _Patience(hub.settings.wait_minutes * 60.0)
    began = time.monotonic()
    with locked(path, act=act, by=str(by or ""), patience=patience.seconds, progress=progress):
        patience.seconds = max(patience.seconds - (time.monotonic() - began), 0.0)
        token = _HELD.set((*held, _Held(hub=store, thing=first, patience=patience)))
        try:
            with holding(hub, *rest, act=act, by=by, progress=progress):
                yield
        finally:
            _HELD.reset(token)
