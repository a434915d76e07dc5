"""Erasing patients: from landed rows, from the list of quarantined rows, and from the sealed bytes as delivered.

First a tombstone is set, so that the patient is left out whatever comes next; then each extract is written anew beside
the old one and swapped in; then its lines are blanked in the sealed bytes. Each step can be done again, so that after
a crash the same erasure ends what it began.
"""

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb, write_parquet
from fairhaven.engine.sql import file, literal
from fairhaven.intake import file_detection, landing, lines
from fairhaven.intake.delivery_receipt import DeliveryReceiver
from fairhaven.intake.delivery_records import Tombstones, rewriting
from fairhaven.intake.line_erasure import blank
from fairhaven.intake.model import Extract, Format, TableCount
from fairhaven.kernel.ids import pseudonym


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureCounts:
    """What an erasure took out.

    Args:
        rows: source -> table -> landed rows.
        quarantined: source -> table -> quarantined rows.
        extracts: numbers of the extracts whose sealed bytes were blanked.
    """

    rows: Mapping[str, Mapping[str, int]]
    quarantined: Mapping[str, Mapping[str, int]]
    extracts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """Where patients are in one extract.

    Args:
        landed: table -> line -> how many landed rows it has; a line of FHIR may have several in one table.
        quarantined: table -> lines.
    """

    landed: Mapping[str, Mapping[int, int]]
    quarantined: Mapping[str, Collection[int]]

    def rows(self) -> dict[str, int]:
        """Table -> landed rows."""
        return {table: sum(by_line.values()) for table, by_line in self.landed.items()}

    def lines(self) -> dict[str, set[int]]:
        """Table -> lines, landed or quarantined."""
        return {
            table: {*self.landed.get(table, ()), *self.quarantined.get(table, ())}
            for table in self.landed.keys() | self.quarantined.keys()
        }


def erase(receiver: DeliveryReceiver, patient_refs_by_source: Mapping[str, Sequence[str]]) -> ErasureCounts:
    """See `service.Intake.erase`."""
    secrets = landing.LandingKeys.of(receiver.pseudonyms.key_for)
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    quarantined: defaultdict[str, Counter[str]] = defaultdict(Counter)
    blanked = []
    for source, refs in sorted(patient_refs_by_source.items()):
        Tombstones(receiver.store).add(source, {landing.tombstone(secrets, ref) for ref in refs})
        for extract in receiver.records.extracts(source):
            if extract.format is Format.OPT_OUT:
                continue
            found = _find(receiver, extract, frozenset(refs), secrets)
            if found.lines():
                extract = _rewrite(receiver, extract, found)
                rows[source].update(found.rows())
                quarantined[source].update({table: len(gone) for table, gone in found.quarantined.items()})
            if extract.to_blank:
                _blank(receiver, extract)
                blanked.append(extract.number)
    return ErasureCounts(rows=dict(rows), quarantined=dict(quarantined), extracts=tuple(blanked))


def _find(receiver: DeliveryReceiver, extract: Extract, refs: frozenset[str], secrets: landing.LandingKeys) -> _Found:
    records = receiver.records
    landed = {}
    with open_duckdb(spill=receiver.store / "scratch", reaches=[records.folder(extract.number)]) as connection:
        connection.register("given", pa.table({"patient_ref": pa.array(sorted(refs), pa.string())}))
        for table in extract.tables:
            gone = connection.execute(
                f"SELECT row_line, count(*) FROM read_parquet({file(records.table(extract.number, table))}) "
                "WHERE patient_ref IN (SELECT patient_ref FROM given) GROUP BY row_line"
            ).fetchall()
            if gone:
                landed[table] = dict(gone)
        rejects = f"read_parquet({file(records.table(extract.number, landing.REJECTS))})"
        known = connection.execute(
            f"SELECT DISTINCT table_name, row_line FROM {rejects} WHERE patient_ref IN (SELECT patient_ref FROM given)"
        ).fetchall()
        unknown = connection.execute(
            f"SELECT DISTINCT table_name, row_line FROM {rejects} WHERE patient_ref IS NULL ORDER BY ALL"
        ).fetchall()
    quarantined: defaultdict[str, set[int]] = defaultdict(set)
    for table, line in (*known, *_naming(receiver, extract, unknown, refs, secrets)):
        quarantined[table].add(line)
    return _Found(landed=landed, quarantined=quarantined)


def _naming(
    receiver: DeliveryReceiver,
    extract: Extract,
    unknown: Sequence[tuple[str, int]],
    refs: frozenset[str],
    secrets: landing.LandingKeys,
) -> list[tuple[str, int]]:
    """Of lines that could not be read, those that hold one of the patients' numbers."""
    if not unknown or extract.format not in (Format.DELIMITED, Format.FHIR):
        return []
    wanted = {line: table for table, line in unknown}

    def names(line: bytes) -> bool:
        parts = set(lines.split(line.decode("utf-8", "replace"), extract.dialect))
        return any(pseudonym(secrets.pseudonym, extract.source, part) in refs for part in parts if part)

    with receiver.opened(extract) as (arrived, work):
        text = lines.as_utf8(file_detection.plain(arrived, work), extract.dialect.encoding, work)
        with text.open("rb") as content:
            numbered = enumerate(content, start=1)
            return [(wanted[number], number) for number, line in numbered if number in wanted and names(line)]


def _rewrite(receiver: DeliveryReceiver, extract: Extract, found: _Found) -> Extract:
    """Write the extract's folder without the lines and swap it in; the sealed bytes come next."""
    folder = receiver.records.folder(extract.number)
    gone = found.lines()
    changed = dataclasses.replace(
        extract,
        tables={table: _counted(count, table, found) for table, count in extract.tables.items()},
        erased_lines=extract.erased_lines + sum(map(len, gone.values())),
        to_blank={
            table: tuple(sorted({*extract.to_blank.get(table, ()), *gone.get(table, ())}))
            for table in extract.to_blank.keys() | gone.keys()
        },
    )
    with (
        rewriting(folder) as making,
        open_duckdb(spill=receiver.store / "scratch", reaches=[folder, making], keeps_order=True) as connection,
    ):
        for path in folder.glob("*.parquet"):
            if path.stem == landing.REJECTS:
                _copy_without(connection, path, making / path.name, found.quarantined, "table_name")
            elif path.stem in found.landed:
                _copy_without(connection, path, making / path.name, found.landed, literal(path.stem))
            else:
                os.link(path, making / path.name)
        receiver.records.write_extract(making, changed)
    return changed


def _counted(count: TableCount, table: str, found: _Found) -> TableCount:
    landed, quarantined = found.rows().get(table, 0), len(found.quarantined.get(table, ()))
    return dataclasses.replace(
        count,
        landed=count.landed - landed,
        quarantined=count.quarantined - quarantined,
        erased=count.erased + landed + quarantined,
    )


def _copy_without(
    connection: duckdb.DuckDBPyConnection,
    source: Path,
    target: Path,
    lines_gone: Mapping[str, Collection[int]],
    table: str,
) -> None:
    """Copy a Parquet file without the rows of some lines; *table* is SQL that says of which table a row is."""
    gone = sorted((name, line) for name, numbers in lines_gone.items() for line in numbers)
    names, numbers = [name for name, _ in gone], [line for _, line in gone]
    connection.register("gone", pa.table({"t": pa.array(names, pa.string()), "n": pa.array(numbers, pa.int64())}))
    kept = f"SELECT * FROM read_parquet({file(source)}) WHERE ({table}, row_line) NOT IN (SELECT (t, n) FROM gone)"
    write_parquet(connection, kept, target)
    connection.unregister("gone")


def _blank(receiver: DeliveryReceiver, extract: Extract) -> None:
    """Blank the lines in the sealed bytes, which keep the name of what was delivered."""
    with receiver.opened(extract) as (arrived, work):
        receiver.seal(blank(extract.format, extract.dialect, arrived, extract.to_blank, work), extract.sha256)
    receiver.records.write_extract(receiver.records.folder(extract.number), dataclasses.replace(extract, to_blank={}))
