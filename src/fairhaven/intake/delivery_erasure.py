"""Erasing patients: from landed rows, from the list of quarantined rows, and from the sealed bytes as delivered.

First a tombstone is set, so that the patient is left out whatever comes next; then each extract is written anew beside
the old one and swapped in; then its lines are blanked in the sealed bytes. Each step can be done again, so that after
a crash the same erasure ends what it began.
"""

import dataclasses
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import file, literal
from fairhaven.intake import file_detection, landing, lines
from fairhaven.intake.delivery_receipt import DeliveryReceiver, make_durable
from fairhaven.intake.delivery_records import Tombstones, swap_in
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
    """Lines of patients in one extract: landed, and quarantined, by table.

    Args:
        rows: how many landed rows the lines have; a line of FHIR may have several in one table.
    """

    landed: Mapping[str, tuple[int, ...]]
    rows: Mapping[str, int]
    quarantined: Mapping[str, tuple[int, ...]]

    def lines(self) -> dict[str, tuple[int, ...]]:
        together = {}
        for table in self.landed.keys() | self.quarantined.keys():
            both = {*self.landed.get(table, ()), *self.quarantined.get(table, ())}
            if both:
                together[table] = tuple(sorted(both))
        return together


def erase(desk: DeliveryReceiver, patient_refs_by_source: Mapping[str, Sequence[str]]) -> ErasureCounts:
    """See `service.Intake.erase`."""
    secrets = landing.LandingKeys.of(desk.keyring.key_for)
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    quarantined: defaultdict[str, Counter[str]] = defaultdict(Counter)
    blanked = []
    for source, refs in sorted(patient_refs_by_source.items()):
        Tombstones(desk.store).add(source, {landing.tombstone(secrets, ref) for ref in refs})
        for extract in desk.records.extracts(source):
            if extract.format is Format.OPT_OUT:
                continue
            found = _find(desk, extract, frozenset(refs), secrets)
            if found.lines():
                extract = _rewrite(desk, extract, found)
                rows[source].update(found.rows)
                quarantined[source].update({table: len(gone) for table, gone in found.quarantined.items()})
            if extract.to_blank:
                _blank(desk, extract)
                blanked.append(extract.number)
    return ErasureCounts(rows=dict(rows), quarantined=dict(quarantined), extracts=tuple(blanked))


def _find(desk: DeliveryReceiver, extract: Extract, refs: frozenset[str], secrets: landing.LandingKeys) -> _Found:
    records = desk.records
    with open_duckdb(spill=desk.store / "scratch") as connection:
        connection.register("given", pa.table({"patient_ref": pa.array(sorted(refs), pa.string())}))
        landed, rows = {}, {}
        for table in extract.tables:
            gone = connection.execute(
                f"SELECT row_line, count(*) FROM read_parquet({file(records.table(extract.number, table))}) "
                "WHERE patient_ref IN (SELECT patient_ref FROM given) GROUP BY row_line ORDER BY row_line"
            ).fetchall()
            if gone:
                landed[table] = tuple(line for line, _ in gone)
                rows[table] = sum(count for _, count in gone)
        rejects = f"read_parquet({file(records.table(extract.number, landing.REJECTS))})"
        known = connection.execute(
            f"SELECT DISTINCT table_name, row_line FROM {rejects} "
            "WHERE patient_ref IN (SELECT patient_ref FROM given) ORDER BY ALL"
        ).fetchall()
        unknown = connection.execute(
            f"SELECT DISTINCT table_name, row_line FROM {rejects} WHERE patient_ref IS NULL ORDER BY ALL"
        ).fetchall()
    quarantined: dict[str, tuple[int, ...]] = {}
    for table, line in sorted({*known, *_naming(desk, extract, unknown, refs, secrets)}):
        quarantined[table] = (*quarantined.get(table, ()), line)
    return _Found(landed=landed, rows=rows, quarantined=quarantined)


def _naming(
    desk: DeliveryReceiver,
    extract: Extract,
    unknown: Sequence[tuple[str, int]],
    refs: frozenset[str],
    secrets: landing.LandingKeys,
) -> list[tuple[str, int]]:
    """Of lines that could not be read, those that hold one of the patients' numbers."""
    if not unknown or extract.format not in (Format.DELIMITED, Format.FHIR):
        return []
    wanted = {line: table for table, line in unknown}
    found = []
    with desk.opened(extract) as (arrived, work):
        plain = file_detection.plain(arrived, work)
        text = lines.as_utf8(plain, extract.dialect.encoding if extract.format is Format.DELIMITED else "utf-8", work)
        with text.open("rb") as content:
            for number, line in enumerate(content, start=1):
                if number not in wanted:
                    continue
                parts = set(lines.split(line.decode("utf-8", "replace"), extract.dialect))
                if any(pseudonym(secrets.pseudonym, extract.source, part) in refs for part in parts if part):
                    found.append((wanted[number], number))
    return found


def _rewrite(desk: DeliveryReceiver, extract: Extract, found: _Found) -> Extract:
    """Write the extract's folder without the lines and swap it in; the sealed bytes come next."""
    folder = desk.records.folder(extract.number)
    making = folder.with_name(folder.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    tables = {table: _counted(count, table, found) for table, count in extract.tables.items()}
    with open_duckdb(spill=desk.store / "scratch", keeps_order=True) as connection:
        for path in folder.glob("*.parquet"):
            if path.stem == landing.REJECTS:
                gone = {(table, line) for table, lines_gone in found.quarantined.items() for line in lines_gone}
                _copy_without(connection, path, making / path.name, gone, "(table_name, row_line)")
            elif path.stem in found.landed:
                gone = {(path.stem, line) for line in found.landed[path.stem]}
                _copy_without(connection, path, making / path.name, gone, f"({literal(path.stem)}, row_line)")
            else:
                os.link(path, making / path.name)
    to_blank = {
        table: tuple(sorted({*extract.to_blank.get(table, ()), *found.lines().get(table, ())}))
        for table in extract.to_blank.keys() | found.lines().keys()
    }
    changed = dataclasses.replace(
        extract,
        tables=tables,
        erased_lines=extract.erased_lines + sum(len(gone) for gone in found.lines().values()),
        to_blank=to_blank,
    )
    desk.records.write_extract(making, changed)
    make_durable(making)
    swap_in(making, folder)
    return changed


def _counted(count: TableCount, table: str, found: _Found) -> TableCount:
    landed, quarantined = found.rows.get(table, 0), len(found.quarantined.get(table, ()))
    return dataclasses.replace(
        count,
        landed=count.landed - landed,
        quarantined=count.quarantined - quarantined,
        erased=count.erased + landed + quarantined,
    )


def _copy_without(
    connection: duckdb.DuckDBPyConnection, source: Path, target: Path, gone: set[tuple[str, int]], place: str
) -> None:
    tables, numbers = [table for table, _ in sorted(gone)], [line for _, line in sorted(gone)]
    connection.register("gone", pa.table({"t": pa.array(tables, pa.string()), "n": pa.array(numbers, pa.int64())}))
    connection.execute(
        f"COPY (SELECT * FROM read_parquet({file(source)}) WHERE {place} NOT IN (SELECT (t, n) FROM gone)) "
        f"TO {literal(target)} (FORMAT parquet, COMPRESSION zstd)"
    )
    connection.unregister("gone")


def _blank(desk: DeliveryReceiver, extract: Extract) -> None:
    """Blank the lines in the sealed bytes, which keep the name of what was delivered."""
    with desk.opened(extract) as (arrived, work):
        blanked = blank(extract.format, extract.dialect, arrived, extract.to_blank, work)
        with blanked.open("rb") as content:
            desk.keyring.seal(content, desk.records.sealed(extract.sha256))
    desk.records.write_extract(desk.records.folder(extract.number), dataclasses.replace(extract, to_blank={}))
