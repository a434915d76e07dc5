"""What a release's manifest says besides its tables: what it was made of, and what became of every row received.

The rooms that find these facts (`intake`, `linkage`, `harmonise`) make them as these types; whoever shows them reads them
as these types. Counts are exact and for the hub's own eyes: whoever shows them outside protects them first
(`disclosure`). They speak for the day of the build: an erasure seals a manifest anew with the facts it had, so that they
still count an erased person, whom none of them names.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """A source that a release is made of.

    Args:
        name: as in ``sources/NAME.toml``.
        title: for people: "Riverside Surgery, GP record".
        kind: ``gp``, ``hospital``, ``social-care``, ``registry``, ``laboratory``, ``genomics``, ``imaging``, ``cdm``.
        controller: name of the data controller.
    """

    name: str
    title: str
    kind: str
    controller: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractFacts:
    """One delivered file.

    Args:
        number: of the extract, as `row_extract` has it.
        delivery: number of the delivery it came with; received_on: that delivery's day.
        rows: rows received in it.
        dropped: names of its columns outside the agreement, which were not landed.
    """

    number: int
    source: str
    file: str
    sha256: str
    delivery: int
    received_on: dt.date
    rows: int
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RowFlow:
    """Rows of one table of one source, over all its extracts.

    Args:
        received: rows in the files as delivered; = landed + quarantined + opted_out.
        landed: rows kept, of patients who are not opted out; = superseded + withdrawn + current.
        quarantined: rows that did not fit.
        opted_out: rows of patients who are opted out or were erased.
        superseded: rows that gave way to another row with the same key, or to a later full delivery.
        repeated: those of them that gave way in their own delivery, where several rows had one key.
        outdated: those of them that gave way to a row in quarantine, so that nothing of their key counts.
        withdrawn: rows that are the last word on their key and take it back.
        current: rows that go on into the build.
    """

    source: str
    table: str
    received: int
    landed: int
    quarantined: int
    opted_out: int
    superseded: int
    withdrawn: int
    current: int
    repeated: int = 0
    outdated: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedRows:
    """Rows of one table of one source, over all its extracts, that did not fit for one reason. A row that has several faults is counted for each.

    Args:
        field: the column; empty where the whole row is at fault.
    """

    source: str
    table: str
    field: str
    reason: str
    rows: int


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
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class OptOutFacts:
    """Patients of one source whom an opt-out keeps out.

    Args:
        kind: ``type-1`` (as a practice's codes say) or ``national`` (the national data opt-out).
        list_date: of the national list.
    """

    source: str
    kind: str
    patients: int
    list_date: dt.date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingRule:
    """One mapping rule as a release lists it; `row_rule` of a CDM row is its number.

    Args:
        number: from 1 within the release.
        name: unique within its source; row identifiers depend on it, so renaming a rule renumbers its rows.
        table: the source's table that it reads.
        file: where the rule is written, for example ``mappings/gp.toml:12`` or ``fhir/condition``.
        target: kind of row, or the CDM table that it always yields.
    """

    number: int
    name: str
    source: str
    table: str
    file: str
    target: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleOutcome:
    """How many generic rows of a rule came to what, for the flow picture and the reconciliation.

    Args:
        rule: number of the rule; 0 for source rows that no rule took (then `source` and `table` say where).
        outcome: where they went (a CDM table), or why they went nowhere: ``no person``, ``no birth year``, ``no date``,
            ``no visit``, ``not taken``. ``one with another row`` where several rows describe one person, visit or place.
    """

    rule: int
    source: str
    table: str
    outcome: str
    rows: int
    is_mapped: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EmptiedValues:
    """Values of one column that rows of the release had as they landed and do not have here, for one reason.

    Args:
        source, table: where the rows came from.
        cdm_table, column: where the value would be.
        reason: ``names no row of the release`` (a reference), ``is said by a row that is not there`` (a FHIR
            MedicationRequest's drug, whose Medication is in quarantine), ``is before the start`` (an end).
        rows: rows of the release that lack the value for this reason.
        given: rows of the release for which the source gave such a value.
    """

    source: str
    table: str
    cdm_table: str
    column: str
    reason: str
    rows: int
    given: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PartnerCdm:
    """What a partner's CDM says of itself in CDM_SOURCE, and what its tables show; each value once, in the order of its rows.

    Args:
        rows: of its CDM_SOURCE; 0 where it has none.
        cdm_versions, etl_references: of CDM_SOURCE, as far as they are versions or days: of anything else that there is another text.
        vocabulary_versions: of CDM_SOURCE and of the partner's table VOCABULARY, likewise.
        source_released_on, cdm_released_on: the latest day that it gives.
        shapes: the versions of the CDM whose columns its tables have, where other versions have none of that name.
        shared_keys: table -> rows whose primary key another row has that is not equal; each row stays one of its own.
        other_births: rows of PERSON whose ``birth_datetime`` is of another day than year, month and day of birth, which count.
    """

    rows: int
    cdm_versions: tuple[str, ...] = ()
    vocabulary_versions: tuple[str, ...] = ()
    etl_references: tuple[str, ...] = ()
    source_released_on: dt.date | None = None
    cdm_released_on: dt.date | None = None
    shapes: tuple[str, ...] = ()
    shared_keys: Mapping[str, int] = field(default_factory=dict)
    other_births: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PartnerConcepts:
    """Concepts of one table of a partner's CDM, beside the vocabulary of the release.

    Args:
        concepts, rows: different concepts of the table's rows (0 is none), and the rows that have one.
        unknown, unknown_rows: those that the vocabulary does not have.
        not_standard, not_standard_rows: those that it has, and not as standard.
    """

    source: str
    table: str
    concepts: int
    rows: int
    unknown: int
    unknown_rows: int
    not_standard: int
    not_standard_rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseFacts:
    """What a manifest says besides its tables.

    Args:
        inputs: digest of all that the rows depend on: equal inputs, equal rows.
        code_version: which code made it (`kernel.version`).
        vocabulary: version of the vocabulary that codes were mapped with, as it names itself.
        vocabulary_digest: which vocabulary of that name it is; empty in releases that earlier versions made.
        quarantined: by kind, the most rows first; None in releases that earlier versions made.
        emptied: by source, table and column; None likewise.
        partner_cdms: by source, what was said with the delivery in force.
        partner_concepts: by source and table, what the vocabulary knows of their concepts.
    """

    inputs: str
    code_version: str
    vocabulary: str
    sources: tuple[SourceFacts, ...]
    extracts: tuple[ExtractFacts, ...]
    row_flow: tuple[RowFlow, ...]
    linkage: LinkageSummary
    opt_outs: tuple[OptOutFacts, ...]
    rules: tuple[MappingRule, ...]
    rule_outcomes: tuple[RuleOutcome, ...]
    vocabulary_digest: str = ""
    quarantined: tuple[QuarantinedRows, ...] | None = None
    emptied: tuple[EmptiedValues, ...] | None = None
    partner_cdms: Mapping[str, PartnerCdm] = field(default_factory=dict)
    partner_concepts: tuple[PartnerConcepts, ...] = ()
