"""Sources that hold each person once, as the NHS numbers in them show; of such a source two patients are two people.

Weights are learned as if names and days of birth met by chance alone. Families, twins and strangers of one name meet more often, and
a register that knows of each of them is the best witness that they are two. But a hospital also registers somebody twice. Which
of the two it is, the numbers of the same source say: of its patients who are alike in name and birth, do they bear two numbers or one?
"""

import duckdb

from fairhaven.linkage import agreement_conditions
from fairhaven.linkage.graph import NOTHING

MIN_NAMESAKES = 10
"""Pairs of people alike in name and birth, of two numbers, that a source must show before anything is concluded from them."""

TIMES_DUPLICATES = 10
"""How many such pairs there must be for each person whom the source holds twice."""

_MAX_GROUP = 120
"""Descriptions under one surname and date of birth above which these are default values."""


def mark_unduplicated(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill ``held_by`` of ``units`` (unit, grouping, bearing and the columns of a description): the sources that hold each person
    once and have a patient in the unit's group, by number; NULL where there is none.

    Args:
        connection: also holds ``assigned`` (patient, grouping, bearing) and ``patients``.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE holdings AS
        SELECT dense_rank() OVER (ORDER BY source)::INT AS holder, grouping, any_value(bearing) AS bearing, count(*) AS patients
        FROM assigned JOIN patients USING (patient) GROUP BY source, grouping;
        CREATE TEMP TABLE namesakes AS
        WITH numbered AS (
            SELECT * FROM units WHERE bearing <> {NOTHING} AND family IS NOT NULL AND birth IS NOT NULL AND given IS NOT NULL
            QUALIFY count(*) OVER (PARTITION BY family, birth) BETWEEN 2 AND {_MAX_GROUP}
        )
        SELECT DISTINCT l.grouping AS one, r.grouping AS other FROM numbered AS l JOIN numbered AS r
            ON l.family = r.family AND l.birth = r.birth AND l.grouping < r.grouping AND l.bearing <> r.bearing
        WHERE coalesce({agreement_conditions.GIVEN_AGREES}, false);
        CREATE TEMP TABLE unduplicated AS
        WITH alike AS (
            SELECT l.holder, count(*) AS pairs FROM namesakes JOIN holdings AS l ON l.grouping = one
            JOIN holdings AS r ON r.grouping = other AND r.holder = l.holder GROUP BY l.holder
        ), twice AS (
            SELECT holder, sum(patients - 1) AS persons FROM holdings WHERE bearing <> {NOTHING} GROUP BY holder
        )
        SELECT holder FROM alike JOIN twice USING (holder)
        WHERE pairs >= {MIN_NAMESAKES} AND pairs >= {TIMES_DUPLICATES} * persons;
        UPDATE units SET held_by = holders FROM (
            SELECT grouping, list(holder ORDER BY holder) AS holders FROM holdings SEMI JOIN unduplicated USING (holder) GROUP BY grouping
        ) AS held WHERE held.grouping = units.grouping;
        DROP TABLE holdings;
        DROP TABLE namesakes;
        DROP TABLE unduplicated;
        """
    )
