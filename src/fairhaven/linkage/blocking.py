"""Which pairs are worth comparing: those that share a blocking key that few others share.

Keys are narrow enough that a group of more than `MAX_GROUP` is no longer a help (a default value, a town); such a group
is passed over, which bounds the number of pairs by the number of rows whatever the data.
"""

from collections.abc import Sequence

import duckdb

from fairhaven.engine.sql import identifier
from fairhaven.linkage import agreement_conditions
from fairhaven.linkage.graph import NOTHING

MAX_GROUP = 120
"""Rows under one key above which the key says too little."""

_NAME_PAIR = ("least(given_formal, family)", "greatest(given_formal, family)")
_BIRTH_EITHER = "least(birth, coalesce(birth_turned, birth))"
_CONSONANTS = "left(family, 1) || left(regexp_replace(substr(family, 2), '[aeiouyhw]', '', 'g'), 3)"

KEYS: tuple[tuple[str, ...], ...] = (
    ("id",),
    ("id_text",),
    (_BIRTH_EITHER, "left(family, 2)"),
    (_BIRTH_EITHER, "left(given_formal, 2)"),
    (_BIRTH_EITHER, "postcode"),
    (*_NAME_PAIR, "left(birth, 4)"),
    (*_NAME_PAIR, "right(birth, 4)"),
    (*_NAME_PAIR, "area"),
    _NAME_PAIR,
    ("given_formal", _CONSONANTS, "left(birth, 3)"),
    ("left(given_formal, 1)", _CONSONANTS, "birth[:4]", "sex"),
    ("family", "postcode"),
    ("given_formal", "postcode"),
    ("address", "left(given_formal, 1)"),
    ("address", "left(family, 2)"),
    ("postcode", "left(birth, 4)"),
    # Broad ones help a small hub and pass themselves over in a large one.
    ("birth",),
    ("family",),
    ("postcode",),
    ("address",),
)


def candidate_pairs(connection: duckdb.DuckDBPyConnection, *, extras: Sequence[str] = ()) -> int:
    """Find the pairs of units of two groups of which at least one is open, and that bear no two NHS numbers.

    Writes ``candidates`` (left_unit < right_unit, left_group < right_group, bars), to be weighed, and ``contradictions``
    (left_group, right_group, pairs, bars): how many pairs of the same groups are plainly different people, and how much they
    bar the groups from being one (`agreement_conditions.BARS`).

    Returns:
        number of pairs to be weighed.
    """
    keys = [*KEYS]
    for extra in map(identifier, extras):
        keys += [
            (extra, "given_formal", "left(family, 1)"),
            (extra, "family", "left(given_formal, 1)"),
            (extra,),
            (extra, "birth"),
            (extra, "left(birth, 4)", "left(family, 1)"),
        ]
    connection.execute("CREATE TEMP TABLE met (left_unit BIGINT, right_unit BIGINT)")
    for number, columns in enumerate(keys):
        _meet(connection, number, columns)
    connection.execute(
        f"""
        CREATE TEMP TABLE judged AS
        SELECT left_unit, right_unit, least(l.grouping, r.grouping) AS left_group,
            greatest(l.grouping, r.grouping) AS right_group, {agreement_conditions.BARS} AS bars, {agreement_conditions.IS_SOMEONE_ELSE} AS is_someone_else
        FROM (SELECT DISTINCT * FROM met)
        JOIN units AS l ON l.unit = left_unit JOIN units AS r ON r.unit = right_unit
        """
    )
    connection.execute(
        """
        DROP TABLE met;
        CREATE TABLE candidates AS SELECT * EXCLUDE (is_someone_else) FROM judged
        WHERE bars <= 0 AND NOT is_someone_else;
        -- Of those who are plainly two only the number matters, and only among groups that may yet be joined to another.
        CREATE TEMP TABLE hopeful AS
        SELECT left_group AS grouping FROM candidates UNION SELECT right_group FROM candidates;
        CREATE TABLE contradictions AS
        SELECT left_group, right_group, count(*) AS pairs, sum(greatest(bars, 0)) AS bars FROM judged
        WHERE (bars > 0 OR is_someone_else) AND left_group IN (FROM hopeful) AND right_group IN (FROM hopeful)
        GROUP BY ALL;
        DROP TABLE hopeful;
        DROP TABLE judged;
        """
    )
    return int(connection.execute("SELECT count(*) FROM candidates").fetchall()[0][0])


def _meet(connection: duckdb.DuckDBPyConnection, number: int, columns: Sequence[str]) -> None:
    """Add the pairs of one key; key by key, because all keys of all rows at once would not fit in memory."""
    present = " AND ".join(f"({column}) IS NOT NULL" for column in columns)
    connection.execute(
        f"""
        CREATE TEMP TABLE keyed AS
        WITH all_keys AS (
            SELECT hash({number}, {", ".join(columns)}) AS key, unit, grouping, bearing, is_open FROM units WHERE {present}
        ), telling AS (
            SELECT key FROM all_keys GROUP BY key
            HAVING count(*) BETWEEN 2 AND {MAX_GROUP} AND bool_or(is_open) AND min(grouping) < max(grouping)
        )
        FROM all_keys SEMI JOIN telling USING (key)
        """
    )
    connection.execute(
        f"""
        INSERT INTO met
        SELECT l.unit, r.unit FROM keyed AS l JOIN keyed AS r ON l.key = r.key AND l.unit < r.unit
        WHERE l.grouping <> r.grouping AND (l.is_open OR r.is_open)
            AND (l.bearing = r.bearing OR least(l.bearing, r.bearing) = {NOTHING});
        DROP TABLE keyed;
        """
    )
