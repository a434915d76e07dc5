"""The nouns of the linkage room."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

IDENTITY_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("patient_ref", pa.string()),
        ("row_extract", pa.int32()),
        ("nhs_number", pa.string()),
        ("given_name", pa.string()),
        ("family_name", pa.string()),
        ("birth_date", pa.date32()),
        ("sex", pa.string()),
        ("postcode", pa.string()),
        ("address", pa.string()),
        ("ethnicity", pa.string()),
    ]
)
"""Identity records as intake hands them to the vault (docs/explanation/the-way-of-the-data.md)."""

INDEX_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("patient_ref", pa.string()),
        ("person_id", pa.int64()),
        ("step", pa.string()),
        ("weight", pa.float64()),
    ]
)
"""The index of persons: one row for each patient of each source."""

MERGES_SCHEMA = pa.schema([("person_id", pa.int64()), ("into_person_id", pa.int64())])
"""Persons of the index before that are one now: *person_id* lives on as *into_person_id*."""

SPLITS_SCHEMA = pa.schema([("person_id", pa.int64()), ("new_person_id", pa.int64())])
"""Persons of the index before of whose patients some are now another person, *new_person_id*."""

CLERICAL_SCHEMA = pa.schema(
    [
        ("left_source", pa.string()),
        ("left_patient_ref", pa.string()),
        ("left_person_id", pa.int64()),
        ("right_source", pa.string()),
        ("right_patient_ref", pa.string()),
        ("right_person_id", pa.int64()),
        ("weight", pa.float64()),
    ]
)
"""Pairs of persons left apart whose match weight lies between the two thresholds: for a human to look at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchThresholds:
    """Match weights (log2 of the odds that two records are one person) that decide.

    They are set beforehand, the same for every hub, and are never fitted to labelled data.

    Args:
        link: mean weight of the pairs of two groups from which they are one person.
        clerical: mean weight above which a pair left apart is listed for a human.
        floor: pairs below this count as this: one absurd value must not outvote many good ones.
        ceiling: pairs above this count as this.
        unseen: weight of a pair that no blocking rule brought together.
    """

    link: float = 0.0
    clerical: float = -2.0
    floor: float = -8.0
    ceiling: float = 16.0
    unseen: float = -2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkageSummary:
    """What came of a linkage, in counts; nothing in it is a row's value.

    Args:
        patients: patients of all sources, one for each (source, patient_ref).
        persons: persons they are.
        sources: source -> patients.
        persons_by_sources: number of sources that know a person -> persons.
        steps: step -> patients linked by it (`alone`: by none).
        valid_numbers: patients with a valid NHS number.
        clerical: pairs listed for a human.
        merges: persons of the index before that were joined to an older one.
        splits: new persons that were part of one before.
        notes: words about what was left undone and why, for example that Splink had too little to learn from.
    """

    patients: int
    persons: int
    sources: Mapping[str, int]
    persons_by_sources: Mapping[int, int]
    steps: Mapping[str, int]
    valid_numbers: int
    clerical: int
    merges: int
    splits: int
    thresholds: MatchThresholds
    notes: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for a manifest."""
        plain = asdict(self)
        plain["persons_by_sources"] = {str(sources): count for sources, count in self.persons_by_sources.items()}
        plain["notes"] = list(self.notes)
        return plain


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkageResult:
    """The result of `service.link`: tables shaped as the schemas of this module say."""

    index: pa.Table
    merges: pa.Table
    splits: pa.Table
    clerical: pa.Table
    summary: LinkageSummary


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkageFields:
    """Which comparison columns a table of standardised records has.

    Args:
        checked_id: the national number carries a check digit (NHS); else any shared identifier.
        extras: further text columns (of a trial's files), e.g. ``occupation``.
    """

    checked_id: bool = True
    extras: Sequence[str] = field(default_factory=tuple)
