"""The nouns of intake: what a source delivers, and what became of a delivery."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fairhaven.intake.time_zones import USUAL
from fairhaven.kernel.absent_values import WORDS_FOR_NOTHING
from fairhaven.kernel.foreign_names import shown
from fairhaven.ledger import Actor
from fairhaven.release.facts import PartnerCdm

IDENTITY = (
    "nhs_number",
    "given_name",
    "family_name",
    "birth_date",
    "sex",
    "postcode",
    "address",
    "ethnicity",
    "source_links",
)
"""Kinds of identity column; their values go to the vault. ``source_links`` are the numbers of patients whom the source calls the same person,
parted by blanks."""


LANDED_IDENTITY = ("birth_date", "sex", "ethnicity")
"""Of these the landed rows have what the vault has; of a birth as much as the hub's precision allows."""

_WHO = frozenset({"given_name", "family_name", "birth_date", "sex"})
"""What a table says of people; the other kinds stand at events as well."""

NO_QUOTE = "\x02"
"""The quote of texts whose fields are never quoted, as Athena writes them: a character that is in none of them."""


class Format(StrEnum):
    """How a source's files are written."""

    DELIMITED = "delimited"
    PARQUET = "parquet"
    FHIR = "fhir"
    OMOP = "omop"
    OPT_OUT = "opt-out"


class FhirVersion(StrEnum):
    """The versions of FHIR that are read."""

    STU3 = "STU3"
    R4 = "R4"
    R5 = "R5"


class DeliveryKind(StrEnum):
    """What a delivery means for the ones before it."""

    CHANGES = "changes"
    FULL = "full"


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnDeclaration:
    """One column that a table may land.

    Args:
        name: the name it lands under (for an identity column: the identity's name).
        header: what the file calls it.
        type: ``text, number, whole, date, datetime, time, yes-no``.
        identity: one of `IDENTITY`, or empty. Identity columns go to the vault.
        is_required: a row without a value is quarantined.
        is_optional: the file may lack the column.
        formats: strptime forms of dates and times; empty means ISO 8601.
        earliest, latest: rows outside are quarantined. A year of two digits (``%y``) is the last one not after latest.
        null: what means in this column that there is no value, beside what means so in the whole source.
        is_emptied: a value that does not fit leaves its place empty, and the row lands.
        last_day_of: name of the column, landed with its first day where its forms say a month or a year alone, of which this is the last
            day; such a column is not delivered, and says nothing of its own.
        length_of: name of the column of births, of which this says how much is known (`kernel.partial_days`); such a column is not delivered either.
        birth_precision: set on columns that say a part of the date of birth: they land only in a hub whose
            ``birth_date`` is at least this fine (``month`` or ``day``), else as NULL.
    """

    name: str
    header: str
    type: str = "text"
    identity: str = ""
    is_required: bool = False
    is_optional: bool = False
    formats: tuple[str, ...] = ()
    cuts_time: bool = False
    earliest: dt.date | None = None
    latest: dt.date | None = None
    null: tuple[str, ...] = ()
    is_emptied: bool = False
    last_day_of: str = ""
    length_of: str = ""
    birth_precision: str = ""

    @property
    def is_derived(self) -> bool:
        """Whether it is made of another column and not delivered."""
        return bool(self.last_day_of or self.length_of)


@dataclass(frozen=True, kw_only=True, slots=True)
class BelongsTo:
    """How the rows of a table that has no patient column belong to patients: each through a row of another table.

    Args:
        table: the other table of the source; it has a patient column, or belongs to a third.
        by: (column of this table, column of the other one) of the same type; equal values make rows belong together.
    """

    table: str
    by: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TableDeclaration:
    """One table of a source: which files hold it, its columns, and what identifies a row.

    Args:
        files: file name patterns (fnmatch, any case).
        key: names of columns that together are the natural key; none: the row's content and its number among
            equal rows.
        is_key_unique: a delivery in which rows of one key differ is refused.
        patient: name of the column with the source's patient number; empty where rows have no patient.
        belongs_to: through which table rows belong to patients, where they have no patient number themselves.
        is_about_nobody: it is declared that no row is about a patient (wards, say).
        withdrawn_column, withdrawn_values: a row whose column holds one of the values is taken back.
    """

    name: str
    files: tuple[str, ...] = ("*",)
    key: tuple[str, ...] = ()
    is_key_unique: bool = False
    patient: str = ""
    belongs_to: BelongsTo | None = None
    is_about_nobody: bool = False
    withdrawn_column: str = ""
    withdrawn_values: tuple[str, ...] = ()
    columns: tuple[ColumnDeclaration, ...] = ()

    def column(self, name: str) -> ColumnDeclaration | None:
        """The column that lands under *name*."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def says_who(self) -> bool:
        """Whether a row says who somebody is, rather than what happened.

        So it is where the patient is in the key and the birth, the sex or a name is said (a GP's registration, too); and where the patient
        is the key and nothing has a day, as of a year of birth alone. A death has its day.
        """
        said = {column.identity for column in self.columns}
        has_day = any(column.type in ("date", "datetime") and not column.identity for column in self.columns)
        return self.patient in self.key and bool(said & _WHO or (self.key == (self.patient,) and not has_day))

    def lands(self) -> dict[str, str]:
        """What a row lands with: name -> type. Identities go to the vault, but for what research needs of them; the patient is ``patient_ref``."""
        found = dict[str, str]()
        for column in self.columns:
            if column.identity == "postcode":
                found["postcode_district"] = "text"
            elif column.identity in LANDED_IDENTITY or (not column.identity and column.name != self.patient):
                found[column.name] = column.type
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How texts are written in what a source delivers.

    Args:
        delimiter, quote: one character each; empty where each file's header tells (text files of a CDM). The quote is `NO_QUOTE` where there is none.
        null: what means that there is no value.
        dates: strptime forms of a CDM's days, beside those of ISO.
        time_zone: where it happened, of moments that are said in UTC.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    null: tuple[str, ...] = WORDS_FOR_NOTHING
    decimal: str = "."
    dates: tuple[str, ...] = ()
    time_zone: str = USUAL

    @property
    def is_unquoted(self) -> bool:
        """Whether fields are never quoted, so that a quote in one is a character like others."""
        return self.quote == NO_QUOTE


@dataclass(frozen=True, kw_only=True, slots=True)
class Type1OptOut:
    """Where a GP source records Type 1 opt-outs: the latest of the codes by date counts."""

    table: str
    column: str
    date: str
    opted_out: tuple[str, ...]
    opted_in: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadTexts:
    """Columns of a table whose texts the rules of a mapping read.

    Args:
        plain: those that they take for codes, words of a list, conditions, references, numbers or days.
        free: those that they pass on as text, of which nobody has said that it is of a list.
        words: column -> words that they name in conditions and lists.
        codes: column of codes -> vocabularies that its codes can be of, as OMOP spells them; '' where the rules do not say which.
    """

    plain: frozenset[str]
    free: frozenset[str]
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    codes: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One feed of one data controller, as ``sources/NAME.toml`` declares it.

    Args:
        quarantine_limit: share of quarantined rows (0 to 1) above which a build refuses; None for no limit.
        in_national_opt_out: its rows are in the scope of the national data opt-out.
        fhir_version: of FHIR, in which its files are written; None where each file tells.
        coded: ``table.column`` of fields of FHIR or a CDM that hold texts of a list, where others hold free text.
        reads: declared table -> what its mapping reads of it, beside which no text lands; a table that rules in Python read is None, and
            all its texts land. None where no mapping was looked at.
        digest: of the declaration, in so far as it changes what lands.
    """

    name: str
    title: str
    controller: str
    kind: str
    format: Format
    delivery: DeliveryKind = DeliveryKind.CHANGES
    mapping: tuple[str, ...] = ()
    quarantine_limit: float | None = None
    in_national_opt_out: bool = True
    dialect: Dialect = field(default_factory=Dialect)
    tables: Mapping[str, TableDeclaration] = field(default_factory=dict)
    type_1_opt_out: Type1OptOut | None = None
    coded: frozenset[str] = frozenset()
    fhir_version: FhirVersion | None = None
    reads: Mapping[str, ReadTexts | None] | None = None
    digest: str = ""

    def type_1_of(self, table: str) -> Type1OptOut | None:
        """The rule for Type 1 opt-outs, where *table* is the one that carries them."""
        return self.type_1_opt_out if self.type_1_opt_out and self.type_1_opt_out.table == table else None

    @property
    def link_names(self) -> frozenset[str]:
        """Columns by which declared rows are known, or belong to others."""
        tables = self.tables.values()
        own = (name for table in tables if table.belongs_to for by in table.belongs_to.by for name in by)
        return frozenset(name for table in tables for name in table.key).union(own)


@dataclass(frozen=True, kw_only=True, slots=True)
class TableCount:
    """What became of the rows of one table in one extract.

    Args:
        received: rows in the file; always landed + superseded + identical + withdrawn + quarantined + erased.
        landed: rows that landed, of one key the one that counts.
        superseded: rows that landed and give way to another row of their key in the file.
        identical: rows that landed and are equal to the row of their key that counts.
        withdrawn: rows that count and take a row of their key back.
        quarantined: rows that did not fit.
        erased: rows left out because their patient was erased from this hub.
        dropped: headers in the file that the declaration does not name; they were not landed.
        missing: optional columns that the file lacks.
        has_unique_keys: no two landed rows share a row_key.
        has_versions: rows say which version they are, or take others back, so that not their order decides which counts.
        emptied: column -> rows whose value did not fit and is empty, as the source declares of the column.
        damaged: column -> what a spreadsheet seems to have done (`rounded`: written with an exponent, `cut`: last digits of an identifier, `date`: taken
            for one, `zero`: lost from an NDC) -> landed rows of which it is so; columns of codes, the patient's number and the key.
        unowned: rows that belong to nobody known, because no row that they refer to was delivered: they are in no release until one is.
        withheld: column -> landed rows with a text that was withheld or a day that was cut, because it is free text or, but for a receipt, tells who somebody is.
    """

    received: int
    landed: int
    quarantined: int
    superseded: int = 0
    identical: int = 0
    withdrawn: int = 0
    erased: int = 0
    dropped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    has_unique_keys: bool = True
    has_versions: bool = False
    emptied: Mapping[str, int] = field(default_factory=dict)
    damaged: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    unowned: int = 0
    withheld: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The file's own headers are harmless to show, also those that an earlier version recorded."""
        object.__setattr__(self, "dropped", tuple(map(shown, self.dropped)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Extract:
    """One delivered file.

    Args:
        number: from 1, over the whole hub; the ``row_extract`` of its rows.
        file: the file's name as delivered (a folder counts as one file).
        sha256, bytes: of the file as delivered.
        columns: table -> names of the landed columns, in order.
        declaration: digest of the declaration it was landed with.
        code: versions of what it was landed with, for example ``delimited-1/landing-1/birth-month``.
        format, dialect: how it was read.
        written_as: version of the format in which it is written, and how that is known; empty where formats have one version.
        erased_lines: how many lines erasure took out.
        to_blank: table -> lines that are erased here but not yet in the sealed bytes.
        cdm: what it says of itself, where it is a partner's CDM; None in extracts that earlier versions landed.
        sealed_as: name of the sealed bytes: the digest, and the extract's number where another source delivered the same
            file, since an erasure from one source leaves the other what it delivered.
    """

    number: int
    source: str
    file: str
    sha256: str
    bytes: int
    delivery: int
    tables: Mapping[str, TableCount]
    columns: Mapping[str, tuple[str, ...]]
    declaration: str
    code: str
    format: Format
    dialect: Dialect
    written_as: str = ""
    erased_lines: int = 0
    to_blank: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    sealed_as: str = ""
    cdm: PartnerCdm | None = None

    def __post_init__(self) -> None:
        """The file's name is harmless to show, also one that an earlier version recorded, when digests were the only names."""
        object.__setattr__(self, "sealed_as", self.sealed_as or self.sha256)
        object.__setattr__(self, "file", shown(self.file))


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """The files of one receive; its entry in the ledger is the moment of commit.

    Args:
        received_on: the day, which also dates an opt-out list.
        extracts: numbers of its extracts.
        already_received: names of files left out because the same bytes were received before.
        by: who received it; None where it was received before actors were recorded.
    """

    number: int
    source: str
    format: Format
    received_on: dt.date
    extracts: tuple[int, ...]
    already_received: tuple[str, ...] = ()
    code_version: str = ""
    by: Actor | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantineReason:
    """A reason why rows of one table of an extract are in quarantine.

    Args:
        field: the column; empty where the whole line could not be read.
        rows: how many rows; one row may have several reasons.
        lines: the first few of their lines, for the person who looks into the file.
    """

    extract: int
    table: str
    field: str
    reason: str
    rows: int
    lines: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class UndecidedKey:
    """A key of one table that is not unique in a delivery: rows of it differ, and only their order says which counts, or all are kept.

    Args:
        extracts: numbers of the extracts that have such rows.
        key: names of its columns.
        rows: how many rows have such keys.
        keys: how many keys are shared by rows that differ.
        lines: the first few of the lines, where the rows are of one extract.
        are_kept: all of them count, told apart by their content (tables of a CDM).
    """

    extracts: tuple[int, ...]
    table: str
    key: tuple[str, ...]
    rows: int
    keys: int
    lines: tuple[int, ...] = ()
    are_kept: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What a receive did, for the person who delivered.

    Args:
        delivery: its number; None where every file had been received before, and nothing was done.
        already_received: file name -> number of the delivery that brought the same bytes.
        opt_outs: how many NHS numbers an opt-out list holds; None for other sources.
        faulty_lines: lines of an opt-out list that are not NHS numbers.
        extracts: with counts of the delivery as a whole: a row that gives way to one of another file is counted as superseded; as withheld free text alone.
        quarantine_reasons: why rows were quarantined, the most frequent reason of each extract first.
        undecided_keys: keys that are not unique though they should be.
    """

    source: str
    delivery: int | None
    extracts: tuple[Extract, ...] = ()
    already_received: Mapping[str, int] = field(default_factory=dict)
    opt_outs: int | None = None
    faulty_lines: tuple[int, ...] = ()
    quarantine_reasons: tuple[QuarantineReason, ...] = ()
    undecided_keys: tuple[UndecidedKey, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RowOrigin:
    """Where a landed row came from: a line of a file of a delivery."""

    source: str
    file: str
    delivery: int
    received_on: dt.date
    extract: int
    line: int
    sha256: str
