"""What a reader of one file format does: it stages a delivered file as relations of a DuckDB connection.

A reader says what is in the file, row by row, and why a row does not fit. It knows nothing of pseudonyms, keys,
the vault or Parquet: `landing` does that for every format alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import duckdb

from fairhaven.intake.model import Source, TableDeclaration
from fairhaven.kernel.expansion import USUAL, ExpansionLimits
from fairhaven.release.facts import PartnerCdm


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveredFile:
    """A delivered file, ready to be read.

    Args:
        path: where its bytes are; as delivered, so it may be compressed (its content says so, never its name).
        name: its name as delivered, harmless to show, for patterns and messages.
        limits: how large it may become when it is unpacked.
        blanked: tables of which an erasure blanked rows: they are staged, whether or not the file has others of them.
    """

    path: Path
    name: str
    limits: ExpansionLimits = USUAL
    blanked: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedTable:
    """The rows of one table of one delivered file.

    Args:
        declaration: the table's name, columns (in landing order), key and patient column. A reader whose tables are not declared
            by the source (FHIR, OMOP) makes the declaration itself. Columns with `identity` go to the vault; the
            patient column is replaced by ``patient_ref``.
        rows: name of a view or table in the connection, with ``row_line`` (BIGINT, never NULL, unique but for *shares_lines*) and one column
            per declared name, typed (text VARCHAR, number DOUBLE, whole BIGINT, date DATE, datetime TIMESTAMP, time
            TIME, yes-no BOOLEAN; a reader of structured data may give other types). Every row of it is landed.
            It is scanned two or three times, so a cheap view is best.
        rejects: name of a view or table with ``row_line BIGINT, field VARCHAR, reason VARCHAR, patient VARCHAR``:
            the rows that are quarantined, one or more records for each; ``patient`` is the raw patient number
            where it could be read (so that erasure finds the row), else NULL. Reasons never carry a value.
            A column ``code VARCHAR`` may be added: the raw value of the Type 1 opt-out column; and ``named, belonging
            VARCHAR[]``: what the row is called by, and what it belongs to, as `row_links` writes it.
        unread: name of a view with ``row_line``, the columns of the key and those of *updated* and *version*: the rejected rows of which these
            could be read, so that an older row of their key does not count as though it were the last word. Empty where there are none.
        received: rows of this table in the file: rows + distinct lines of rejects, which landing verifies.
        withdrawn: SQL over ``rows`` that is true where the delivery takes the row back.
        updated, version: SQL over ``rows`` of what `row_versions` compares, where the format says it: microseconds since 1970, a number.
        part_of, part_key: the table of which a row is a part, and the columns that are that one's key: a part goes with its whole.
        shares_lines: a line may hold several rows, which the declared key tells apart.
        shared_key: columns that should be the key, where rows that differ share one and all of them are kept.
        dropped: headers in the file that are outside the agreement.
        missing: optional columns that the file lacks; they are still columns of ``rows``, all NULL.
        emptied: column -> rows whose value did not fit and is empty.
        written_as: version of the format of the file, and how it is known; empty where formats have one version.
        further_numbers: text columns of ``rows`` that do not land and say by what other number the patient is known.
        numbers_in: relation with these and the patient's number, where more than ``rows`` say them; empty where only those do.
        cdm: with PERSON of a partner's CDM, what that says of itself.
    """

    declaration: TableDeclaration
    rows: str
    rejects: str
    received: int
    unread: str = ""
    withdrawn: str = "false"
    updated: str = ""
    version: str = ""
    part_of: str = ""
    part_key: tuple[str, ...] = ()
    shares_lines: bool = False
    shared_key: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    emptied: Mapping[str, int] = field(default_factory=dict)
    further_numbers: tuple[str, ...] = ()
    numbers_in: str = ""
    cdm: PartnerCdm | None = None
    written_as: str = ""


class Reader(Protocol):
    """Reads one format.

    ``version`` is raised when the same bytes would land otherwise than before; the build then lands them again.
    ``threads`` is how many a file is read with; None leaves it to DuckDB.
    """

    version: str
    threads: int | None

    def stage(
        self, connection: duckdb.DuckDBPyConnection, source: Source, arrived: DeliveredFile, *, scratch: Path
    ) -> Sequence[StagedTable]:
        """Stage the tables of one file.

        Args:
            connection: private to this file; relation names are the reader's to choose.
            scratch: private folder for work in progress, removed after landing.

        Raises:
            Invalid: the file as a whole cannot be landed (cut off, wrong format, a required column is missing);
                every fault of the file at once.
        """
