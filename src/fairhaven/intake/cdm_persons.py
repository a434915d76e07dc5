"""Rows of a delivered PERSON that cannot stand: two people under one number, or a birth on no day that there is."""

import dataclasses

import duckdb

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.sql import identifier
from fairhaven.intake.model import Source
from fairhaven.intake.quarantine_reasons import EARLIEST, LATEST
from fairhaven.intake.reader import StagedTable
from fairhaven.intake.row_links import links_of, texts_of_links, texts_of_names

_SEVERAL = "is the number of several people, whose sex, birth or NHS number differ"
_SEX = "CASE lower(left(trim(sex::VARCHAR), 1)) WHEN 'm' THEN 1 WHEN '1' THEN 1 WHEN 'f' THEN 2 WHEN '2' THEN 2 END"
# In a leap year, and in a month of 31 days, where the year or the month is not known to be another.
_YEAR = "CASE WHEN year_of_birth BETWEEN 1000 AND 9999 THEN year_of_birth ELSE 2000 END"
_MONTH = "CASE WHEN month_of_birth BETWEEN 1 AND 12 THEN month_of_birth ELSE 1 END"
_DAY = f"try_cast(concat_ws('-', {_YEAR}, {_MONTH}, day_of_birth) AS DATE)"
_YEARS = f"BETWEEN {EARLIEST.year} AND {LATEST.year}"
_FAULTS = (
    ("year_of_birth", f"year_of_birth NOT {_YEARS}", f"is not {_YEARS.lower()}"),
    ("month_of_birth", "month_of_birth NOT BETWEEN 1 AND 12", "is not between 1 and 12"),
    ("day_of_birth", f"day_of_birth IS NOT NULL AND {_DAY} IS NULL", "is no day of that month"),
)
"""Field, condition, reason."""


def without_faulty_persons(connection: duckdb.DuckDBPyConnection, source: Source, person: StagedTable) -> StagedTable:
    """PERSON without such rows, which go to quarantine: of two people under one number nobody can say whose the other tables' rows are.

    Rows of one number that do not contradict each other (one says less, or they are equal) stay, and the last of them counts.

    Args:
        person: staged, with ``nhs_number, birth_date, sex`` beside the CDM's columns.
    """
    rows = identifier(person.rows)
    differing = " OR ".join(
        f"count(DISTINCT {value}) > 1"
        for value in ("year_of_birth", "month_of_birth", "birth_date", "nhs_number", _SEX)
    )
    several = f"person_id IN (SELECT person_id FROM {rows} GROUP BY person_id HAVING count(*) > 1 AND ({differing}))"
    links = links_of(source)
    parts = [
        f"SELECT row_line, '{field}' AS field, '{reason}' AS reason, person_id::VARCHAR AS patient, NULL::VARCHAR AS code, "
        f"{texts_of_names(links, 'person')} AS named, {texts_of_links(links, 'person')} AS belonging FROM {rows} WHERE {condition}"
        for field, condition, reason in (*_FAULTS, ("person_id", several, _SEVERAL))
    ]
    connection.execute(f"CREATE TABLE faulty_persons AS {' UNION ALL '.join(parts)}")
    if count_of(connection, "SELECT count(*) FROM faulty_persons") == 0:
        return person
    connection.execute(
        f"CREATE VIEW sound_persons AS FROM {rows} WHERE row_line NOT IN (SELECT row_line FROM faulty_persons)"
    )
    connection.execute(
        f"CREATE VIEW rejected_persons_all AS SELECT row_line, field, reason, patient, code, named, belonging "
        f"FROM {identifier(person.rejects)} UNION ALL FROM faulty_persons"
    )
    return dataclasses.replace(person, rows="sound_persons", rejects="rejected_persons_all")
