"""The report on a release as pages draw it: every count as it may be shown (`protected_counts` decides how)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from fairhaven.disclosure import Policy, Protected
from fairhaven.ledger import Checkpoint
from fairhaven.quality import QualityCheck
from fairhaven.release.description import Description
from fairhaven.release.facts import SourceFacts


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantineShown:
    """Lines of files set aside for one reason, as far as they may be shown."""

    source: str
    table: str
    field: str
    reason: str
    rows: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class CountAndShare:
    """A count and its share of the whole, 0 to 1; the share is None where the count is hidden."""

    count: Protected
    share: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFlow:
    """What became of the rows of one source.

    Args:
        received: of the tables whose lines are told.
        lost: ``quarantined``, ``opted-out``, ``replaced`` (withdrawn and superseded) -> rows; in_use: the others.
        written: CDM table -> rows of it that come from the source.
    """

    source: SourceFacts
    received: Protected
    lost: Mapping[str, Protected]
    in_use: Protected
    written: Mapping[str, Protected]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableFlow:
    """What became of the rows of one table of a source, or of all whose lines are told; of the others everything is hidden."""

    source: str
    table: str
    received: Protected
    quarantined: Protected
    opted_out: Protected
    landed: Protected
    withdrawn: Protected
    superseded: Protected
    current: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenTable:
    """Rows of a CDM table, of one source or of all, and how many of them have no standard concept."""

    table: str
    source: str
    rows: Protected
    unmapped: CountAndShare


@dataclass(frozen=True, kw_only=True, slots=True)
class RowsShown:
    """The way of the rows from extracts to the release.

    Args:
        sources: what became of each source's rows; by_table: of each table of each; total: of all.
        lost: ``quarantined``, ``opted-out``, ``replaced`` -> rows of all sources, where there are any.
        in_use: rows that the release is made of; made: rows of the release, of the tables of which they are shown.
        unmapped: share of these that have no standard concept, as far as that is shown.
        tables: the tables of the release; written: their rows by source.
    """

    sources: tuple[SourceFlow, ...]
    by_table: tuple[TableFlow, ...]
    total: TableFlow
    lost: Mapping[str, Protected]
    in_use: Protected
    made: int
    unmapped: float
    tables: tuple[WrittenTable, ...]
    written: tuple[WrittenTable, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkageShown:
    """How patient records became persons.

    Args:
        records: patient records of all sources, which are known but for what the policy rounds.
        several: share of the persons who are known to more than one source; None where that gives away few, or a hidden part.
        steps: step of linkage -> records that it joined to a person.
        by_sources: number of sources -> persons known to that many.
        clerical: pairs left for a person to decide; merges, splits: persons of the release before who became one, or more.
    """

    records: Protected
    persons: Protected
    several: float | None
    steps: Mapping[str, CountAndShare]
    by_sources: Mapping[int, CountAndShare]
    clerical: Protected
    merges: Protected
    splits: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Checks of one Kahn category (``conformance``, ``completeness``, ``plausibility``) on one CDM table."""

    category: str
    table: str
    passed: int
    failed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedCheck:
    """A check that failed.

    Args:
        failed: rows that violate it, with their share of those checked.
        checked: rows that were looked at; None where the check is about a table.
    """

    check: QualityCheck
    failed: CountAndShare
    checked: Protected | None


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityShown:
    """Quality in numbers: checks by category and table, and those that failed, the worst first."""

    scores: tuple[Score, ...]
    failed: tuple[FailedCheck, ...]

    @property
    def passed(self) -> int:
        """Checks that passed."""
        return sum(score.passed for score in self.scores)

    @property
    def applied(self) -> int:
        """Checks that passed or failed."""
        return self.passed + sum(score.failed for score in self.scores)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnmappedCode:
    """A source code that has no standard concept, and its rows."""

    source: str
    cdm_table: str
    code: str
    rows: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class OptOutShown:
    """Persons of one source whom an opt-out keeps out. ``kind``: ``type-1`` or ``national``."""

    source: str
    kind: str
    persons: Protected
    list_date: dt.date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAside:
    """Landed rows of one source that no CDM row was made of, for one reason (the words of `harmonise`: ``no date``)."""

    source: str
    reason: str
    rows: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class FileShown:
    """One delivered file, without its lines: the files of a table would tell by how few one has more than another."""

    number: int
    source: str
    received_on: dt.date
    dropped: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PartnerCdmShown:
    """What a source's CDM says of itself, and what of that does not fit; sentences that follow its name, without counts of rows."""

    source: str
    said: str
    doubts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableChange:
    """Difference of one CDM table to the release before, in rows."""

    table: str
    added: Protected
    changed: Protected
    gone: Protected
    now: Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Difference to the release before: the tables that differ, and how many do not."""

    moved: tuple[TableChange, ...]
    same: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseReport:
    """What the report on a release shows. What is None or empty is not known, and its section is left out.

    Args:
        policy: the rule by which the counts are protected.
        head: of the ledger, when the report was made.
        unmapped: rows without a standard concept; codes: theirs, the most frequent first.
        years: source -> year -> event rows.
        asked: name of the release that was asked for, where this one's figures stand for its own; else empty.
    """

    hub: str
    release: str
    previous: str
    as_of: dt.date
    hash: str
    policy: Policy
    vocabulary: str
    code_version: str
    sources: tuple[SourceFacts, ...]
    persons: Protected | None
    rows: RowsShown | None
    linkage: LinkageShown | None
    kinds: Mapping[frozenset[str], Protected]
    years: Mapping[str, Mapping[int, Protected]]
    quality: QualityShown | None
    description: Description | None
    unmapped: int
    codes: tuple[UnmappedCode, ...]
    changes: Changes | None
    opt_outs: tuple[OptOutShown, ...]
    quarantine: tuple[QuarantineShown, ...]
    set_aside: tuple[SetAside, ...]
    notes: Protected
    extracts: tuple[FileShown, ...]
    partner_cdms: tuple[PartnerCdmShown, ...] = ()
    head: Checkpoint | None = None
    asked: str = ""
