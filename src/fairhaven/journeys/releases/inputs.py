"""What the rows of a release depend on: equal inputs, equal rows, and no new release.

Rooms whose code makes rows state its version, and the versions are inputs; that any other line of the program is another
now (a command, a page, a comment) is not. `tests/architecture/test_row_making_code.py` sees that a version is thought of
when such code changes.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any

from fairhaven import engine, harmonise, linkage, nhs, omop
from fairhaven.intake import Extract, Source
from fairhaven.journeys.model import Rooms
from fairhaven.kernel import ids
from fairhaven.kernel.files import canonical_json, sha256_of
from fairhaven.kernel.listing import listed
from fairhaven.ledger import EventKind
from fairhaven.omop.vocabulary import Vocabulary

VERSION = 2
"""Of the journey itself, `build` with `opt_outs`: raised when the same inputs could give other rows than before."""
_ERASURES = (EventKind.ERASURE, "erasure of deliveries")  # the latter in hubs of before actors were recorded


def inputs_of(
    rooms: Rooms, fed: Sequence[Source], extracts: Sequence[Extract], as_of: dt.date, vocabulary: Vocabulary
) -> str:
    """Digest of everything that the rows of a release depend on.

    Args:
        fed: sources that delivered rows.
        extracts: all that were received.
    """
    written = [
        path
        for folder in ("sources", "mappings", "vocabulary")
        for path in listed(rooms.folder / folder)
        if path.suffix in (".toml", ".csv", ".py", ".json")
    ]
    inputs = {
        "as_of": as_of.isoformat(),
        "code": _versions(rooms, fed),
        "settings": [
            rooms.settings.birth_date,
            rooms.settings.name,
            rooms.settings.abbreviation,
            rooms.settings.holder,
        ],
        "text": {str(path.relative_to(rooms.folder)): sha256_of(path) for path in written},
        "extracts": [[extract.number, extract.sha256, extract.erased_lines] for extract in extracts],
        "vocabulary": vocabulary.digest,
        "erasures": sum(entry.kind in _ERASURES for entry in rooms.ledger.entries()),
    }
    return hashlib.sha256(canonical_json(inputs).encode()).hexdigest()


def _versions(rooms: Rooms, fed: Sequence[Source]) -> dict[str, Any]:
    """Versions of the code that makes rows."""
    return {
        "engine": engine.VERSION,
        "harmonise": harmonise.VERSION,
        "ids": ids.VERSION,
        "journey": VERSION,
        "landing": {source.name: rooms.intake.landing_version(source) for source in fed},
        "linkage": linkage.VERSION,
        "nhs": nhs.VERSION,
        "omop": omop.VERSION,
    }
