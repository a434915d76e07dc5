"""Results about what a hub takes in."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairhaven.intake import Receipt

__all__ = ["LoadedVocabulary", "Receipt"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedVocabulary:
    """A vocabulary that was taken over.

    Args:
        version: as the vocabulary names itself, or ``digest-...`` where it does not.
        rows: table -> rows.
        notes: what a person should know of it.
    """

    version: str
    rows: Mapping[str, int]
    notes: tuple[str, ...]
