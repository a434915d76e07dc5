"""Why rows of an extract are in quarantine, added up."""

from collections.abc import Iterable, Iterator

import duckdb

from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, QuarantineReason
from fairhaven.intake.type_casting import file

_LINES = 5

_REASONS = """
SELECT table_name, coalesce(field, '') AS field, reason, count(DISTINCT row_line) AS rows,
  list(DISTINCT row_line ORDER BY row_line)[:?] AS lines
FROM read_parquet({rejects}) GROUP BY ALL ORDER BY rows DESC, table_name, field, reason"""


def misfits(records: DeliveryRecords, extracts: Iterable[Extract]) -> Iterator[QuarantineReason]:
    """Reasons by extract, the most frequent first; no value of a row is in them."""
    with duckdb.connect() as connection:
        for extract in extracts:
            query = _REASONS.format(rejects=file(records.table(extract.number, REJECTS)))
            for table, field, reason, rows, lines in connection.execute(query, [_LINES]).fetchall():
                yield QuarantineReason(
                    extract=extract.number, table=table, field=field, reason=reason, rows=rows, lines=tuple(lines)
                )
