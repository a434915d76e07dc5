"""The nouns of the archive: what differs, what is wrong, what an erasure takes away."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something that is not as a manifest says.

    Args:
        release: name of the release, empty where it is about the archive as a whole.
        table: the CDM table, empty for none.
        path: the file, relative to the store, empty for none.
        message: what is wrong and what it means.
    """

    release: str = ""
    table: str = ""
    path: str = ""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.release, self.path or self.table, self.message) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """How one table differs between two releases, in rows.

    Args:
        added: rows only the later release has.
        changed: rows that both have under one key, with another value in some CDM column.
        gone: rows only the earlier release has.
    """

    added: int = 0
    changed: int = 0
    gone: int = 0

    @property
    def is_empty(self) -> bool:
        """True where nothing differs."""
        return not (self.added or self.changed or self.gone)


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What erasing persons takes away: a plan, or the account of it done.

    Args:
        persons: how many were asked for.
        rows: release -> table -> rows that go.
        files: distinct files that are rewritten or removed.
        superseded: release -> hash of the manifest that goes; releases after the first one touched are sealed anew.
    """

    persons: int
    rows: Mapping[str, Mapping[str, int]]
    files: int
    superseded: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """True where no release has a row of these persons."""
        return not self.superseded
