"""Linking all patients of all sources: the use case that `build` calls."""

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.kernel.progress import Progress, Silent
from fairhaven.linkage.model import (
    CLERICAL_SCHEMA,
    IDENTITY_SCHEMA,
    INDEX_SCHEMA,
    MERGES_SCHEMA,
    SPLITS_SCHEMA,
    LinkageResult,
)
from fairhaven.linkage.person_keys import NumberedPersons, number_persons
from fairhaven.linkage.persons import PersonClusters, find_persons, memory_only_database
from fairhaven.nhs.number import bare_digits_sql, damaged_nhs_number_sql
from fairhaven.release.facts import LinkageSummary, MatchThresholds

THRESHOLDS = MatchThresholds()


def link(
    records: pa.Table,
    previous: pa.Table | None = None,
    *,
    key: bytes,
    progress: Progress | None = None,
    thresholds: MatchThresholds = THRESHOLDS,
) -> LinkageResult:
    """Say which patients are one person.

    The outcome depends on the records and the index before, not on the order of rows. Patients are linked across
    sources and inside one; a patient described several times (in several deliveries) is one patient by definition.

    Args:
        records: identity records of all extracts that count (`model.IDENTITY_SCHEMA`, any column order).
        previous: index of the build before (`model.INDEX_SCHEMA`), so that persons keep their numbers.
        key: of new person numbers (the hub's key of pseudonyms gives it for `PERSON_KEYS`).
        progress: listener; None for silence.

    Returns:
        `LinkageResult`; every (source, patient_ref) of the records is in its index once.

    Raises:
        Refused: the records are too many for the memory allowed.
    """
    listener = progress or Silent()
    with memory_only_database() as connection:
        connection.register("arriving", records.select(IDENTITY_SCHEMA.names).cast(IDENTITY_SCHEMA))
        connection.execute("CREATE TABLE identity AS FROM arriving")
        notes = tuple(_damaged_numbers(connection))  # linkage drops the identities once they are standardised
        persons = find_persons(connection, thresholds=thresholds, progress=listener)
        persons = replace(persons, notes=(*persons.notes, *notes))
        listener.stage("Numbering persons")
        connection.register("members", persons.members)
        numbered = number_persons(connection, previous, key=key)
        return _linked(connection, persons, numbered, thresholds)


def _linked(
    connection: duckdb.DuckDBPyConnection,
    persons: PersonClusters,
    numbered: NumberedPersons,
    thresholds: MatchThresholds,
) -> LinkageResult:
    connection.register("numbered", numbered.persons)
    index = connection.execute(
        """
        SELECT source, patient_ref, person_id, step, weight
        FROM members JOIN patients USING (patient) JOIN numbered USING (person) ORDER BY source, patient_ref
        """
    ).fetch_arrow_table()
    connection.register("person_index", index)
    births = connection.execute(
        """
        WITH said AS (
            SELECT source, patient_ref, birth_date, min(row_extract) AS since FROM arriving WHERE birth_date IS NOT NULL GROUP BY ALL
        ), named AS (SELECT source, patient_ref, min(row_extract) AS first FROM arriving GROUP BY ALL)
        SELECT source, patient_ref, birth_date, first, since FROM (
            SELECT DISTINCT source, patient_ref, birth_date
            FROM person_index JOIN (SELECT person_id, birth_date FROM said JOIN person_index USING (source, patient_ref)) USING (person_id)
        ) LEFT JOIN said USING (source, patient_ref, birth_date) JOIN named USING (source, patient_ref)
        WHERE since IS NULL OR since > first
        ORDER BY ALL
        """
    ).fetch_arrow_table()
    connection.register("apart", persons.clerical)
    clerical = connection.execute(
        """
        SELECT l.source AS left_source, l.patient_ref AS left_patient_ref, ln.person_id AS left_person_id,
            r.source AS right_source, r.patient_ref AS right_patient_ref, rn.person_id AS right_person_id, apart.weight
        FROM apart
        JOIN patients AS l ON l.patient = left_person JOIN numbered AS ln ON ln.person = left_person
        JOIN patients AS r ON r.patient = right_person JOIN numbered AS rn ON rn.person = right_person
        ORDER BY apart.weight DESC, left_source, left_patient_ref, right_source, right_patient_ref
        """
    ).fetch_arrow_table()
    summary = _summary(connection, persons, numbered, thresholds=thresholds, clerical=clerical.num_rows)
    return LinkageResult(
        index=index.cast(INDEX_SCHEMA),
        births=births,
        merges=numbered.merges.cast(MERGES_SCHEMA),
        splits=numbered.splits.cast(SPLITS_SCHEMA),
        clerical=clerical.cast(CLERICAL_SCHEMA),
        summary=summary,
    )


def _summary(
    connection: duckdb.DuckDBPyConnection,
    persons: PersonClusters,
    numbered: NumberedPersons,
    *,
    thresholds: MatchThresholds,
    clerical: int,
) -> LinkageSummary:
    def counts(sql: str) -> dict[str, int]:
        return dict(connection.execute(sql).fetchall())

    by_sources = connection.execute(
        """
        SELECT sources, count(*) FROM (
            SELECT person, count(DISTINCT source) AS sources FROM members JOIN patients USING (patient) GROUP BY person
        ) GROUP BY sources ORDER BY sources
        """
    ).fetchall()
    sources = counts("SELECT source, count(*) FROM patients GROUP BY source ORDER BY source")
    return LinkageSummary(
        patients=sum(sources.values()),
        persons=numbered.persons.num_rows,
        sources=sources,
        persons_by_sources=dict(by_sources),
        steps=counts("SELECT step, count(*) FROM members GROUP BY step ORDER BY count(*) DESC, step"),
        valid_numbers=persons.valid_numbers,
        clerical=clerical,
        merges=numbered.merges.num_rows,
        splits=numbered.splits.num_rows,
        thresholds=thresholds,
        notes=persons.notes,
    )


def _damaged_numbers(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    damaged = damaged_nhs_number_sql(bare_digits_sql("nhs_number"))
    patients = "SELECT count(DISTINCT (source, patient_ref)) FROM identity"
    if count := count_of(connection, f"{patients} WHERE {damaged}"):
        yield (
            f"{count:,} patients have an NHS number that looks as if a spreadsheet had rounded it or dropped a nought, and that cannot "
            "be mended; it is taken for none"
        )
