"""What stands in quarantined lines: read from the sealed bytes, since no value of a row is kept with its fault.

Somebody all of whose rows are in quarantine is nobody's patient: landing knows no identity of theirs. What they are known by is the NHS
number in the line itself.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import file, literal
from fairhaven.intake import file_detection, lines
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.fhir.ndjson_lines import resources_at
from fairhaven.intake.fhir.views import TABLES_OF_NOBODY
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, Format
from fairhaven.intake.parquet_reader import numbered_rows
from fairhaven.intake.patient_names import Opened
from fairhaven.intake.reader import DeliveredFile
from fairhaven.nhs.number import nhs_numbers_in


def texts_at(extract: Extract, arrived: DeliveredFile, wanted: frozenset[int], work: Path) -> Iterator[tuple[int, str]]:
    """The texts of some lines of a file, with their numbers; of a Parquet file the values of its rows. None of a CDM, whose tables have lines
    of their own and no NHS numbers.

    Args:
        work: a private folder for what is unpacked.
    """
    match extract.format:
        case Format.DELIMITED:
            text = lines.as_utf8(file_detection.plain(arrived, work), extract.dialect.encoding, work)
            carriage_only = lines.survey(text).carriage_only
            with text.open("rb") as content:
                for number, start, end in lines.places(text, extract.dialect, wanted, carriage_only=carriage_only):
                    content.seek(start)
                    yield number, content.read(end - start).decode("utf-8", "replace")
        case Format.FHIR:
            plain, given = file_detection.plain(arrived, work), set[int]()
            for number, resource in resources_at(plain, arrived.name, wanted):
                given.add(number)
                yield number, resource.decode()
            with plain.open("rb") as content:
                for number, line in enumerate(content if wanted - given else (), start=1):
                    if number in wanted and number not in given:
                        yield number, line.decode("utf-8", "replace")
        case Format.PARQUET:
            with open_duckdb(spill=work, reaches=[arrived.path, work]) as connection:
                connection.register("wanted", pa.table({"row_line": pa.array(sorted(wanted), pa.int64())}))
                values = f"concat_ws({literal(extract.dialect.delimiter)}, *COLUMNS(* EXCLUDE (row_line)))"
                rows = f"{numbered_rows(arrived.path)} SEMI JOIN wanted USING (row_line)"
                yield from connection.execute(f"SELECT row_line, {values} FROM {rows}").fetchall()
        case _:
            return


def patients_with(
    numbers: Collection[str],
    extracts: Iterable[Extract],
    *,
    records: DeliveryRecords,
    opened: Opened,
    connection: duckdb.DuckDBPyConnection,
    others: pa.Table,
    refs_of: Callable[[Extract, str], Iterable[str]],
) -> dict[str, frozenset[str]]:
    """patient_refs by source in whose quarantined lines, or FHIR resources that name no patient, one of some NHS numbers stands.

    Args:
        connection: reads the landed rows of *extracts*.
        others: ``source, patient_ref`` of who is known to be somebody else; what is in quarantine of them stays theirs.
        refs_of: pseudonyms that stand for an NHS number in an extract's source, for lines of which no patient could be read.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    connection.register("others", others)
    for extract in extracts:
        quarantined = connection.execute(
            f"SELECT DISTINCT row_line, patient_ref FROM read_parquet({file(records.table(extract.number, REJECTS))}) "
            "WHERE patient_ref IS NULL OR (?, patient_ref) NOT IN (SELECT (source, patient_ref) FROM others)",
            [extract.source],
        ).fetchall()
        ref_at = {**dict.fromkeys(_naming_nobody(extract, records, connection)), **dict(quarantined)}
        if not ref_at:
            continue
        with opened(extract) as (arrived, work):
            for line, text in texts_at(extract, arrived, frozenset(ref_at), work):
                for number in nhs_numbers_in(text).intersection(numbers):
                    ref = ref_at[line]
                    found[extract.source].update(refs_of(extract, number) if ref is None else [ref])
    return {source: frozenset(refs) for source, refs in found.items()}


def _naming_nobody(extract: Extract, records: DeliveryRecords, connection: duckdb.DuckDBPyConnection) -> Iterator[int]:
    """Lines of FHIR resources that could name a patient and do not where landing looks. A row of another format that lacks the number of
    its patient is in quarantine."""
    for table in extract.tables if extract.format is Format.FHIR else ():
        if table not in TABLES_OF_NOBODY:
            rows = f"read_parquet({file(records.table(extract.number, table))})"
            found = connection.execute(f"SELECT DISTINCT row_line FROM {rows} WHERE patient_ref IS NULL")
            yield from (line for (line,) in found.fetchall())
