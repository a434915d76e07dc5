"""Which row of a key counts: what the source says of versions decides, and the order of arrival only where it says nothing.

FHIR: ``meta.lastUpdated`` is an instant, and ``meta.versionId`` tells versions of one resource apart (hl7.org/fhir/R4/resource.html#Meta); the
order of resources in a file or of files in an export means nothing. Rows of a key are compared

- by the time of their update, where each has one; at one instant by the version's number;
- by the version's number, where each has one and some have no time;
- otherwise by time, a row without one being as late as the latest that had come by its delivery, and by delivery.

A row that takes back counts before one that is as late. Of other formats nothing is said, and the last row counts.

A row in quarantine of which the key could be read is a version like others: where it is the one that counts, nothing of its key does, for what
came before is known to be out of date. Of one version that was delivered twice the row that could be read counts.
"""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

UPDATED, VERSION, WHOLE = "row_updated", "row_version", "row_whole"
"""Columns of a landed table, where its format says them: microseconds since 1970 (UTC), the version's number, and the ``row_key`` of what the row is a part of."""
COLUMNS = (UPDATED, VERSION, WHOLE)
TURN = "row_turn"
UNREAD = "row_unread"
"""Whether a row is in quarantine."""
LEAST = -(1 << 62)
"""Stands for nothing said: before every time and number."""


def in_turn(rows: ir.Table, key: Sequence[str]) -> ir.Table:
    """Rows with ``row_turn``: 0 for the one of each key that counts.

    Args:
        rows: the columns of *key*, ``row_delivery, row_extract, row_line, row_withdrawn, row_updated, row_version, row_unread``.
    """
    by = list(key)
    everyone, timed, numbered = (
        counted.over(group_by=by) for counted in (rows.count(), rows[UPDATED].count(), rows[VERSION].count())
    )
    is_timed = timed == everyone
    is_numbered = ~is_timed & (numbered == everyone)
    so_far = ibis.range_window(group_by=by, order_by=rows.row_delivery, preceding=None, following=0)
    latest = ibis.coalesce(rows[UPDATED], rows[UPDATED].max().over(so_far))
    nothing = ibis.null("int64")
    is_read = (~rows[UNREAD]).cast("int64")
    said = rows.mutate(
        said_first=is_numbered.ifelse(rows[VERSION], nothing),
        read_first=is_numbered.ifelse(is_read, nothing),
        said_time=latest,
        said_version=is_timed.ifelse(rows[VERSION], nothing),
        read_then=is_timed.ifelse(is_read, nothing),
        takes_back=rows.row_withdrawn.cast("int64"),
        takes_back_then=is_timed.ifelse(rows.row_withdrawn.cast("int64"), nothing),
        has_time=rows[UPDATED].notnull().cast("int64"),
    )
    order = (
        "said_first",
        "read_first",
        "said_time",
        "said_version",
        "read_then",
        "takes_back_then",
        "row_delivery",
        "takes_back",
        "has_time",
        VERSION,
        "row_extract",
        "row_line",
    )
    # What an engine does with NULL in an order is its own.
    last_first = [ibis.desc(ibis.coalesce(said[name], LEAST)) for name in order]
    turn = ibis.row_number().over(group_by=by, order_by=last_first)
    return said.mutate(**{TURN: turn}).select(*rows.columns, TURN)


def in_turn_sql(relation: str, key: Sequence[str]) -> str:
    """DuckDB's query for `in_turn` of a relation with these columns, all whole numbers but ``row_withdrawn``."""
    columns = dict.fromkeys([*key, "row_delivery", "row_extract", "row_line"], "int64")
    schema = {**columns, "row_withdrawn": "boolean", UPDATED: "int64", VERSION: "int64", UNREAD: "boolean"}
    return str(ibis.to_sql(in_turn(ibis.table(schema, name=relation), key), dialect="duckdb"))
