"""Stable person identifiers: the same person keeps the same number from build to build.

A new person's number is a keyed digest of their first patient (earliest extract, then source, then patient_ref).
After that the index of persons remembers it. Where two persons turn out to be one, the older number wins and the
younger is reported as merged; where one turns out to be two, the number remains with the first patient and the others
are reported as split off.
"""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from fairhaven.kernel.ids import SEPARATOR, row_key_sql
from fairhaven.linkage.model import INDEX_SCHEMA

PERSON_KEYS = "person_id"
"""The use for which the hub's key of pseudonyms gives the key of new person numbers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberedPersons:
    """Outcome of `number_persons`.

    Args:
        persons: person (smallest patient), person_id.
        merges, splits: see `model`.
    """

    persons: pa.Table
    merges: pa.Table
    splits: pa.Table


def number_persons(connection: duckdb.DuckDBPyConnection, previous: pa.Table | None, *, key: bytes) -> NumberedPersons:
    """Give each person of the table ``members`` (patient, person) a number.

    Args:
        connection: holds ``patients`` and ``members``.
        previous: the index of the build before.
        key: of the digest that a new person's number is.
    """
    connection.register("before", INDEX_SCHEMA.empty_table() if previous is None else previous)
    connection.execute(
        """
        -- Age: rank of each patient by when we first heard of them.
        CREATE TABLE aged AS
        SELECT patient, person, person_id AS old_id, patients.source, patients.patient_ref,
            row_number() OVER (ORDER BY row_extract, patients.source, patients.patient_ref) AS age
        FROM members JOIN patients USING (patient) LEFT JOIN before USING (source, patient_ref);

        -- An old number goes where its first patient went; of several that meet, the oldest is kept.
        CREATE TABLE claims AS
        SELECT old_id, arg_min(person, age) AS person, min(age) AS age FROM aged
        WHERE old_id IS NOT NULL GROUP BY old_id;
        CREATE TABLE kept AS
        SELECT person, arg_min(old_id, age) AS person_id FROM claims GROUP BY person;
        CREATE TABLE numbered AS FROM kept;
        CREATE TABLE unnumbered AS
        SELECT person, arg_min(source, age) AS source, arg_min(patient_ref, age) AS patient_ref
        FROM aged WHERE person NOT IN (SELECT person FROM kept) GROUP BY person;
        """
    )
    _number_new(connection, key.hex())
    merges = connection.execute(
        """
        SELECT old_id AS person_id, person_id AS into_person_id FROM claims JOIN numbered USING (person)
        WHERE old_id <> person_id ORDER BY ALL
        """
    ).fetch_arrow_table()
    splits = connection.execute(
        """
        SELECT DISTINCT old_id AS person_id, numbered.person_id AS new_person_id
        FROM aged JOIN numbered USING (person) JOIN claims USING (old_id)
        WHERE aged.person <> claims.person ORDER BY ALL
        """
    ).fetch_arrow_table()
    persons = connection.execute("SELECT person, person_id FROM numbered ORDER BY person").fetch_arrow_table()
    connection.unregister("before")
    for table in ("aged", "claims", "kept", "numbered", "unnumbered"):
        connection.execute(f"DROP TABLE {table}")
    return NumberedPersons(persons=persons, merges=merges, splits=splits)


def _number_new(connection: duckdb.DuckDBPyConnection, key: str) -> None:
    """Number the rest. Two digests of 52 bits may meet (one pair in 10^15): the later takes another turn, because
    two persons under one number would be two records in one."""
    attempt = 0
    while connection.execute("SELECT count(*) FROM unnumbered").fetchall()[0][0]:
        turn = f"|| '{SEPARATOR}{attempt}'" if attempt else ""
        digest = row_key_sql(f"$key || '{SEPARATOR}' || source || '{SEPARATOR}' || patient_ref{turn}")
        connection.execute(
            f"""
            CREATE TEMP TABLE drawn AS
            SELECT person, {digest} AS person_id FROM unnumbered
            QUALIFY row_number() OVER (PARTITION BY person_id ORDER BY source, patient_ref) = 1
            """,
            {"key": key},
        )
        connection.execute(
            """
            -- A number that ever stood for somebody is not given to another.
            INSERT INTO numbered SELECT * FROM drawn
            WHERE person_id > 0 AND person_id NOT IN (SELECT person_id FROM numbered)
                AND person_id NOT IN (
                    SELECT old_id FROM claims JOIN kept USING (person) WHERE old_id <> kept.person_id
                );
            DELETE FROM unnumbered WHERE person IN (SELECT person FROM numbered);
            DROP TABLE drawn;
            """
        )
        attempt += 1
