"""What became of every row: received = landed + quarantined + opted out, always, and shown; and why it was quarantined."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import file
from fairhaven.intake import current_rows
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, QuarantineReason, Source
from fairhaven.kernel.errors import NotAllowedNow, Refused
from fairhaven.kernel.files import readers_scratch
from fairhaven.release.facts import QuarantinedRows, RowFlow

_LINES = 5

_REASONS = """
SELECT table_name, coalesce(field, '') AS field, reason, count(DISTINCT row_line) AS rows,
  list(DISTINCT row_line ORDER BY row_line)[:?] AS lines
FROM read_parquet({rejects}) GROUP BY ALL ORDER BY rows DESC, table_name, field, reason"""


def reconcile(engine: Engine, records: DeliveryRecords, source: Source, *, excluded: ir.Table | None) -> list[RowFlow]:
    """Count again, from the landed rows themselves."""
    extracts = records.extracts(source.name)
    in_force = current_rows.in_force(source, extracts)
    tables_in_force = current_rows.tables_of(in_force)
    deleted = current_rows.deleted_patients(engine, records, source, tables_in_force)
    found = []
    for table, having in current_rows.tables_of(extracts).items():
        is_linked = current_rows.belongs_to_others(source, table)

        def kept_of(rows: ir.Table, table: str = table, is_linked: bool = is_linked) -> ir.Table:
            owned = current_rows.with_patients(engine, records, source, table, rows)
            return current_rows.without(owned, excluded, is_linked=is_linked)

        on_disk = current_rows.landed(engine, records, having, table)
        everything = engine.count(on_disk)
        slim = on_disk.select(*current_rows.counted_columns(source, table, on_disk))
        landed = everything if excluded is None and not is_linked else engine.count(kept_of(slim))
        counting = tables_in_force.get(table, [])
        last, now, outdated = 0, 0, 0
        if counting:
            rows = current_rows.landed(engine, records, counting, table)
            rows = rows.select(*current_rows.counted_columns(source, table, rows))
            wholes = current_rows.wholes_of(source, table, tables_in_force)
            unread = current_rows.unread_of(engine, records, source, table, tables_in_force)
            kept = kept_of(current_rows.latest(engine, records, rows, counting, table, wholes=wholes, unread=unread))
            if deleted is None:
                counts = kept.aggregate(last=kept.count(), now=kept.count(where=~kept.row_withdrawn))
                ((last, now),) = (row.values() for row in engine.fetch(counts).to_pylist())
            else:
                last, now = engine.count(kept), engine.count(current_rows.not_taken_back(kept, deleted))
            if unread is not None:
                before = kept_of(current_rows.latest(engine, records, rows, counting, table, wholes=wholes))
                outdated = engine.count(before) - last
        found.append(
            RowFlow(
                source=source.name,
                table=table,
                received=sum(extract.tables[table].received for extract in having),
                landed=landed,
                quarantined=sum(extract.tables[table].quarantined for extract in having),
                opted_out=everything - landed + sum(extract.tables[table].erased for extract in having),
                superseded=landed - last,
                repeated=_repeated(engine, kept_of(slim), landed, having, table),
                outdated=outdated,
                withdrawn=last - now,
                current=now,
            )
        )
    return found


def _repeated(engine: Engine, kept: ir.Table, rows: int, having: Sequence[Extract], table: str) -> int:
    """How many of the rows *kept* (so many) give way to another of their key in one delivery."""
    is_unique = all(extract.tables[table].has_unique_keys for extract in having)
    if is_unique and len({extract.delivery for extract in having}) == len(having):
        return 0
    placed = current_rows.with_deliveries(engine, kept, having)
    return rows - engine.count(placed.select("row_delivery", "row_key").distinct())


def check_reconciled(counts: Sequence[RowFlow]) -> None:
    """Refuse to go on where rows were lost or made.

    Raises:
        Refused: received is not landed + quarantined + opted out.
    """
    wrong = [
        f"{count.source}, {count.table}: {count.received} rows received, but {count.landed} landed, "
        f"{count.quarantined} quarantined and {count.opted_out} opted out"
        for count in counts
        if count.received != count.landed + count.quarantined + count.opted_out
        or min(count.landed, count.quarantined, count.opted_out, count.superseded, count.withdrawn, count.current) < 0
    ]
    if wrong:
        raise Refused(
            "rows do not add up, so nothing was built: "
            + "; ".join(wrong)
            + ". The landed files were changed by hand or damaged; land them again from the sealed bytes."
        )


def check_quarantine(source: Source, extracts: Sequence[Extract]) -> None:
    """Refuse a source that has more quarantined rows than its declaration allows.

    Args:
        extracts: of the source; those that a later full delivery replaced do not count.

    Raises:
        NotAllowedNow: it says which table has how many, and what to do.
    """
    received: Counter[str] = Counter()
    quarantined: Counter[str] = Counter()
    for extract in current_rows.in_force(source, extracts):
        for table, count in extract.tables.items():
            received[table] += count.received
            quarantined[table] += count.quarantined
    rows, bad = received.total(), quarantined.total()
    if source.quarantine_limit is None or bad <= source.quarantine_limit * rows:
        return
    tables = ", ".join(f"{table} {number} of {received[table]}" for table, number in quarantined.items() if number)
    raise NotAllowedNow(
        f"{source.name}: {bad} of {rows} rows are quarantined ({bad / rows:.1%}), more than "
        f"quarantine_limit = {source.quarantine_limit} allows ({tables}). See the reasons, correct the declaration or "
        "have the file delivered again, or raise the limit."
    )


def quarantine_reasons(records: DeliveryRecords, extracts: Iterable[Extract]) -> Iterator[QuarantineReason]:
    """Reasons by extract, the most frequent first; no value of a row is in them."""
    paths = [
        (extract, records.table(extract.number, REJECTS))
        for extract in extracts
        if any(count.quarantined for count in extract.tables.values())
    ]
    # Opening a database costs more than reading most files.
    if not paths:
        return
    with readers_scratch() as work, open_duckdb(spill=work, reaches=[path for _, path in paths]) as connection:
        for extract, path in paths:
            query = _REASONS.format(rejects=file(path))
            for table, field, reason, rows, lines in connection.execute(query, [_LINES]).fetchall():
                yield QuarantineReason(
                    extract=extract.number, table=table, field=field, reason=reason, rows=rows, lines=tuple(lines)
                )


def quarantined_rows(records: DeliveryRecords, extracts: Sequence[Extract]) -> tuple[QuarantinedRows, ...]:
    """Rows in quarantine by source and kind, the most first."""
    sources = {extract.number: extract.source for extract in extracts}
    rows: Counter[tuple[str, str, str, str]] = Counter()
    for each in quarantine_reasons(records, extracts):
        rows[sources[each.extract], each.table, each.field, each.reason] += each.rows
    return tuple(
        QuarantinedRows(source=source, table=table, field=field, reason=reason, rows=number)
        for (source, table, field, reason), number in sorted(rows.items(), key=lambda each: (-each[1], each[0]))
    )
