"""What descriptions of releases tell of persons is made known to the query audit: it is the first answer that everybody got.

Whatever lies beside a release may have been handed out, so a description of an earlier form, by another rule, or altered since, tells as
one of today does; and so do those of other releases than the one that is asked of, as persons are followed from one to the next.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.archive import Release
from fairhaven.catalogue import described_sets
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import open_release
from fairhaven.kernel.codec import read_record
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import read_json
from fairhaven.ledger import content_hash
from fairhaven.query_audit import QueryAudit
from fairhaven.release.description import FORMAT, Description

DESCRIPTION, ROW_COUNTS = "description.json", "measures.json"


def make_counts_known(rooms: Rooms, audit: QueryAudit, releases: Iterable[Release]) -> None:
    """Have the audit know the persons of each release that describes itself, and what that tells of them; each description once.

    Raises:
        NotAllowedNow: this account may only ask, and one of them is not known yet.
    """
    for release in releases:
        digest = content_hash(rooms.archive.description(release.number) / DESCRIPTION)
        if digest is None or audit.was_told(release.content, digest):
            continue
        if (description := _description(rooms, release)) is not None:
            keys, sets = _told(rooms, release, description)
            audit.add_release(release.content, keys)
            audit.tell(release.content, digest, sets)


def tells_as_written(rooms: Rooms, release: Release) -> bool:
    """Whether a release has a description, in whatever form and by whatever rule, that was not altered."""
    path = rooms.archive.description(release.number) / DESCRIPTION
    found = content_hash(path)
    # A hub of before, of which no stock was taken, has descriptions that its ledger does not know.
    is_as_written = found == rooms.ledger.files().get(rooms.archive.inside(path), found)
    return is_as_written and _description(rooms, release) is not None


def _description(rooms: Rooms, release: Release) -> Description | None:
    """What describes the release, in whatever form; None where it is of rows erased since, or nothing of it can be read."""
    folder = rooms.archive.description(release.number)
    try:
        description = read_record(folder / DESCRIPTION, Description, upgrade=_of_today)
    except (FileNotFoundError, Invalid):
        return None
    try:
        is_of_others = read_json(folder / ROW_COUNTS)["content"] != release.content
    except (FileNotFoundError, Invalid, KeyError, TypeError):
        is_of_others = False  # the description may have been handed out without
    return None if is_of_others else description


def _of_today(written: Any) -> Any:
    # Earlier forms have less, and nothing that they have means anything else today.
    return {**written, "format": FORMAT}


def _told(
    rooms: Rooms, release: Release, description: Description
) -> tuple[NDArray[np.int64], list[tuple[BitMap, int]]]:
    """``person_id`` of each person of a release, as its bitmaps number them, and each count that is told, with the persons."""
    with open_release(rooms, release.name) as opened:
        persons = opened.engine.fetch(opened.tables["person"].select("person_id"))["person_id"].to_numpy()
        keys = np.sort(persons.astype(np.int64))

        # What another release tells is told as that one's.
        sets = (
            []
            if description.figures_of
            else [
                (BitMap(np.searchsorted(keys, theirs).astype(np.uint32)), count)
                for count, theirs in described_sets(description, opened.tables, opened.engine)
            ]
        )
    return keys, sets
