"""What the notes of a build and of an erasure under way say."""

from collections.abc import Callable, Sequence
from typing import Any

from fairhaven.archive.model import BegunErasure, DecidedErasure, Unpublished
from fairhaven.kernel.codec import record_of
from fairhaven.ledger import Entry, Journal
from fairhaven.release.manifest import TableVersion


def unpublished_in(notes: Journal, entries: Callable[[], Sequence[Entry]]) -> Unpublished | None:
    """What a build under way has written; None where there is none, or a release or an erasure has come since.

    Args:
        entries: gives the ledger's entries of releases and erasures.

    Raises:
        Invalid: the notes are not this hub's.
    """
    if not notes.is_open() or notes.before() is not None:  # what a version of before had written is written again
        return None
    if not (found := notes.notes()):  # it has ended meanwhile
        return None
    first = found[0]
    if first.actor is None or any(entry.number > first.entries for entry in entries()):
        return None
    tables = [record_of(each.facts["table"], TableVersion, path=notes.path) for each in found if "table" in each.facts]
    return Unpublished(
        number=first.facts["number"],
        inputs=first.facts["inputs"],
        tables={table.name: table for table in tables},
        by=[each.actor for each in found if each.actor][-1],
        seal=next((each.facts["release"] for each in reversed(found) if "release" in each.facts), ""),
    )


def erasure_in(notes: Journal) -> BegunErasure | DecidedErasure | None:
    """The erasure under way; None where there is none. Raises as `unpublished_in`."""
    if not notes.is_open():
        return None
    said = notes.before()
    if said is None:
        said = next((note.facts for note in reversed(notes.notes()) if note.facts), None)
    if said is None:  # it has ended meanwhile
        return None
    if isinstance(said, dict) and "manifests" in said:
        return record_of(said, DecidedErasure, path=notes.path, upgrade=_with_facts)
    return record_of(said, BegunErasure, path=notes.path, upgrade=_with_facts)


def _with_facts(written: dict[str, Any]) -> dict[str, Any]:
    """Before actors were recorded it held the seals, ``digests``, alone."""
    known = {**written}
    return {"facts": {"persons": known.pop("digests")}, **known} if "digests" in known else known
