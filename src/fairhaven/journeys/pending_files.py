"""Files of the store that an act under way has changed, or still has to put in their places; its command may have been killed.

Whoever looks for faults must not take them for such: to remove or restore one is to take from the next command what it would
finish.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fairhaven.journeys.hub_places import NOTES
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import entered_records, erasure_journal
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.listing import listed
from fairhaven.ledger import content_hash

_INDEX = "vault/index.sealed"
_BESIDE = (
    (re.compile(r"(landing/\d{6})\.(?:new|old)(/[^/]+)"), r"\1\2"),
    (re.compile(r"vault/index-\d+\.sealed"), _INDEX),
)
"""What waits to take a place, or was moved from it, and the place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingFiles:
    """What acts under way say of files: as `store_files.kept_files`, with what may still stand until they are finished.

    Args:
        kept: path in the store -> content hash, as the ledger and manifests have it.
        noted: path -> content hashes that the file may have meanwhile, other than that; None where it may be gone.
        notes: paths of the notes.
        entered: paths of the records of deliveries that the ledger has: the next command writes those that are not there.
    """

    store: Path
    kept: Mapping[str, str]
    noted: Mapping[str, frozenset[str | None]]
    notes: tuple[str, ...]
    entered: frozenset[str]

    @classmethod
    def of(cls, rooms: Rooms, kept: Mapping[str, str]) -> "PendingFiles":
        """As far as whoever asks may read the notes; those that are not this hub's say nothing.

        Args:
            kept: as of the result.
        """
        before, noted, notes = kept, dict[str, frozenset[str | None]](), []
        entered = frozenset[str]()
        # An erasure's first, because a receive may change extracts that it was killed in, and not the other way round.
        for path in sorted(NOTES, key=lambda path: rooms.store / path != erasure_journal(rooms).path):
            journal = rooms.ledger.journal(path)
            with suppress(PermissionError, Invalid):
                if journal.has_notes():
                    noted |= journal.unsettled(before)
                    before = journal.applied_to(before)
                    notes.append(path)
                elif journal.before() is not None:  # it says nothing of files, and what it is about has no hashes yet
                    notes.append(path)
        with suppress(PermissionError, Invalid):
            for path, digest in rooms.archive.files_under_way().items():
                if digest != kept.get(path):
                    noted[path] = noted.get(path, frozenset()) | {digest, kept.get(path)}
        with suppress(Invalid):
            entered = frozenset(f"deliveries/{number:06d}.json" for number in entered_records(rooms))
        return cls(store=rooms.store, kept=kept, noted=noted, notes=tuple(notes), entered=entered)

    def has(self, path: str) -> bool:
        """Whether a file that is not as the ledger has it is as an act under way left it."""
        found = content_hash(self.store / path)
        if found in self.noted.get(path, ()) or (found is None and path in self.entered):
            return True
        if any(content_hash(each) in self._wanted(path) for each in self._waiting(path)):
            return True
        place = next((beside.sub(place, path) for beside, place in _BESIDE if beside.fullmatch(path)), None)
        return place is not None and found in self._wanted(place) and content_hash(self.store / place) != found

    def not_as_noted(self) -> list[str]:
        """Files that notes name and that are another than they say, be it one of before."""
        return sorted(path for path, digests in self.noted.items() if content_hash(self.store / path) not in digests)

    def _wanted(self, path: str) -> set[str]:
        return {digest for digest in (self.kept.get(path), *self.noted.get(path, ())) if digest}

    def _waiting(self, path: str) -> list[Path]:
        """Files that may be about to take a place."""
        place = self.store / path
        if path == _INDEX:
            return listed(place.parent, "index-*.sealed")
        if path.startswith("landing/"):
            return [place.parent.with_name(f"{place.parent.name}.new") / place.name]
        return []
