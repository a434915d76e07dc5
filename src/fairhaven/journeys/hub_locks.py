"""What of a hub is changed by one command at a time, and in which order a command takes it.

Receiving goes on while a build runs, because a build holds the deliveries only until it has landed again what must be
landed again; from then on it sees the deliveries of that moment (`Intake.until`), whose files nobody changes but
who also holds the releases.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

from fairhaven.journeys.model import Rooms
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


_HELD: ContextVar[tuple[tuple[str, Locked], ...]] = ContextVar("_HELD", default=())
_ORDER = list(Locked)


@contextmanager
def holding(rooms: Rooms, *things: Locked, act: str, by: Actor | None = None, progress: Progress) -> Iterator[None]:
    """Change these things, and nobody else does; the wait for others is as long as hub.toml allows.

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
    hub, held = str(rooms.store.resolve()), _HELD.get()
    if any(place == hub and _ORDER.index(thing) >= _ORDER.index(first) for place, thing in held):
        raise RuntimeError(f"{first} cannot be taken while holding {', '.join(thing for _, thing in held)}")
    path = rooms.store / "locks" / first
    patience = rooms.settings.wait_minutes * 60.0
    with locked(path, act=act, by=str(by or ""), patience=patience, progress=progress):
        token = _HELD.set((*held, (hub, first)))
        try:
            with holding(rooms, *rest, act=act, by=by, progress=progress):
                yield
        finally:
            _HELD.reset(token)
