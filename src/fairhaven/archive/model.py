"""The nouns of the archive: what differs, what is wrong, what an erasure takes away, what notes of an act under way say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairhaven.ledger import Actor
from fairhaven.release.manifest import TableVersion, seal_of


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


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class SplitRow:
    """A row of an erased person that stands under another's key, in releases of when the two were taken for one.

    Args:
        person: that key.
        extract, line, rule: where the row comes from, as its lineage says.
    """

    person: int
    extract: int
    line: int
    rule: int


def touched_by(person_keys: Sequence[int], split: Sequence[SplitRow]) -> list[int]:
    """Every person key of which an erasure may rewrite rows."""
    return sorted({*person_keys, *(row.person for row in split)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpublished:
    """What the notes of a build say, in ``building.json``: the tables that it has written.

    Args:
        number: of the release that the build is for.
        inputs: digest of all that the tables are made of.
        by: who builds, and publishes.
        seal: of the manifest that is about to be put in place; empty until then.
    """

    number: int
    inputs: str
    tables: Mapping[str, TableVersion]
    by: Actor
    seal: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BegunErasure:
    """What the notes of an erasure say, in ``erasure.json``, until the decision: whom to erase.

    Args:
        facts: what the ledger's entry is to say beside the seals.
        by: who decided; None where that was before actors were recorded.
        split: their rows under other persons' keys.
    """

    persons: tuple[int, ...]
    facts: Mapping[str, Any]
    by: Actor | None = None
    split: tuple[SplitRow, ...] = ()

    @property
    def touched(self) -> list[int]:
        """Every person key under which rows are looked for."""
        return touched_by(self.persons, self.split)


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedErasure:
    """What they say from the decision on: what is to be carried out, without the persons.

    Args:
        tables: those whose Delta logs are written anew.
        superseded: release -> hash of the manifest that goes.
        by: who decided; None where that was before actors were recorded.
        manifests: the new ones, sealed: they are put in place as they are, in whatever format they were sealed.
    """

    facts: Mapping[str, Any]
    tables: tuple[str, ...]
    superseded: Mapping[str, str]
    manifests: tuple[Mapping[str, Any], ...]
    by: Actor | None = None

    @property
    def seals(self) -> dict[int, str]:
        """Number of each release that is written anew -> seal of its new manifest."""
        return {manifest.get("number", 0): seal_of(manifest) for manifest in self.manifests}
