"""The facts that the page shows. Whoever has them fills them in; the page protects counts of persons and of values."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from fairhaven.disclosure import Policy
from fairhaven.release.description import Description


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A feed.

    Args:
        name: as in ``sources/NAME.toml``.
        title: for people: "Riverside Surgery, GP record".
        kind: ``gp``, ``hospital``, ``social-care``, ``registry``, ``laboratory``, ``genomics``, ``imaging``, ``cdm``.
    """

    name: str
    title: str
    kind: str
    controller: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """Rows of one table of one source, over all its deliveries. received = landed + quarantined + opted_out.

    Args:
        withdrawn: landed rows that a later delivery took back.
        superseded: landed rows that a later delivery replaced.
    """

    source: str
    table: str
    received: int
    landed: int
    quarantined: int = 0
    opted_out: int = 0
    withdrawn: int = 0
    superseded: int = 0

    @property
    def current(self) -> int:
        """Landed rows that the release is made of."""
        return self.landed - self.withdrawn - self.superseded


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Rows of one CDM table that come from one source; ``unmapped`` of them have concept 0."""

    source: str
    cdm_table: str
    rows: int
    unmapped: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A step of linkage and how many patient records it joined to a person."""

    name: str
    records: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Linkage:
    """How patient records became persons.

    Args:
        records: patient records of all sources; persons: whom they belong to.
        steps: in the order in which they were tried; their records add up to ``records``.
        persons_by_sources: number of sources -> persons found in that many.
        clerical: pairs left for a person to decide.
        merges, splits: persons of the release before who became one, or more than one.
    """

    records: int
    persons: int
    steps: tuple[Step, ...] = ()
    persons_by_sources: Mapping[int, int] = field(default_factory=dict)
    clerical: int = 0
    merges: int = 0
    splits: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Kinds:
    """Persons whose data comes from exactly these kinds of source."""

    kinds: frozenset[str]
    persons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class YearRows:
    """Event rows of one source in one year, and of how many persons."""

    source: str
    year: int
    rows: int
    persons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """Checks of one Kahn category (``conformance``, ``completeness``, ``plausibility``) on one CDM table."""

    category: str
    table: str
    passed: int
    failed: int
    not_applicable: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A check that failed, in words.

    Args:
        words: what is expected, for example "Every visit ends on or after the day it starts".
        rows_failed, rows_checked: the latter 0 where the check is about a table.
        threshold: share of failing rows that is still a pass, 0 to 1.
        level: ``error``, ``warning`` or ``note``.
    """

    name: str
    table: str
    field: str
    category: str
    words: str
    rows_failed: int
    rows_checked: int
    threshold: float = 0.0
    level: str = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scorecard:
    """Quality in numbers: ``scores`` by category and table, and the checks that failed."""

    scores: tuple[Score, ...]
    failing: tuple[Check, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Unmapped:
    """A source code that has no standard concept; ``name`` where the source says one."""

    source: str
    cdm_table: str
    vocabulary: str
    code: str
    rows: int
    persons: int | None = None
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quarantine:
    """Rows set aside for one reason."""

    source: str
    table: str
    field: str
    reason: str
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAside:
    """Landed rows of one source that no CDM row was made of, for one reason (the words of `harmonise`: ``no date``)."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OptOut:
    """Persons of one source whom an opt-out keeps out. ``kind``: ``type-1`` or ``national``; ``rows``: where known."""

    source: str
    kind: str
    persons: int
    rows: int | None = None
    list_date: dt.date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Difference of one CDM table to the release before, in rows."""

    table: str
    before: int
    after: int
    added: int
    changed: int
    gone: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One delivered file. ``rows`` received in it; ``dropped`` names the columns outside the agreement."""

    extract: int
    source: str
    file: str
    received_on: dt.date | None
    rows: int
    sha256: str = ""
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportFacts:
    """Everything on the page. Sections without facts are left out, so that a partly known release still reads well.

    Args:
        release: name, for example ``r0002``; ``previous`` the one before, empty for the first.
        hash: of the release's manifest.
        notes_withheld: free-text notes kept out until they are de-identified; None where the hub has none.
        links: rows written to the CDM, by source.
    """

    hub: str
    release: str
    as_of: dt.date
    hash: str
    previous: str = ""
    policy: Policy
    persons: int = 0
    vocabulary: str = ""
    code_version: str = ""
    sources: tuple[Source, ...] = ()
    flows: tuple[Flow, ...] = ()
    links: tuple[Link, ...] = ()
    linkage: Linkage | None = None
    kinds: tuple[Kinds, ...] = ()
    completeness: tuple[YearRows, ...] = ()
    scorecard: Scorecard | None = None
    description: Description | None = None
    unmapped: tuple[Unmapped, ...] = ()
    quarantine: tuple[Quarantine, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    opt_outs: tuple[OptOut, ...] = ()
    changes: tuple[Change, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    notes_withheld: int | None = None
