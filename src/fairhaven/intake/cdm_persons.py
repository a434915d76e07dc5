"""Rows of a delivered PERSON that cannot stand: two people under one number, rows that say less than another of their number, or a birth on no
day that there is."""

import dataclasses

import duckdb

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.sql import identifier
from fairhaven.intake.model import Source
from fairhaven.intake.quarantine_reasons import EARLIEST, LATEST
from fairhaven.intake.reader import StagedTable
from fairhaven.intake.row_links import links_of, texts_of_links, texts_of_names

_SEVERAL = "is the number of several people, whose sex, birth or NHS number differ"
_LESS = "another row of this number says more, or as much"
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
_IS_BORN = f"NOT coalesce({' OR '.join(condition for _, condition, _ in _FAULTS)}, false)"
_SAID_BY_OTHERS = {
    "year_of_birth": f"max(year_of_birth) FILTER ({_IS_BORN})",
    "month_of_birth": f"max(month_of_birth) FILTER ({_IS_BORN})",
    "birth_date": f"max(birth_date) FILTER ({_IS_BORN})",
    "nhs_number": "max(nhs_number)",
    "sex": "max(sex)",
    # Of two places nobody can say where somebody lives.
    "postcode": "CASE WHEN min(postcode) = max(postcode) THEN min(postcode) END",
    "address": "CASE WHEN min(address) = max(address) THEN min(address) END",
}
"""What says who somebody is -> what rows of one number that do not contradict each other say of it."""


def without_faulty_persons(connection: duckdb.DuckDBPyConnection, source: Source, person: StagedTable) -> StagedTable:
    """PERSON without such rows, which go to quarantine: of two people under one number nobody can say whose the other tables' rows are.

    Of rows of one number that do not contradict each other the one that says most stays, and those that are equal to it: whatever their order,
    it is the same. Of those that say as much and differ in what contradicts nothing (a race, a place) it is the first by what they say.
    What it lacks of who somebody is the others of its number say: an opt-out is found by an NHS number, whichever row has it.

    Args:
        person: staged, with ``nhs_number, birth_date, sex`` beside the CDM's columns.
    """
    rows = identifier(person.rows)
    differing = " OR ".join(
        f"count(DISTINCT {value}) > 1"
        for value in ("year_of_birth", "month_of_birth", "birth_date", "nhs_number", _SEX)
    )
    connection.execute(
        f"CREATE TABLE shared_numbers AS SELECT person_id, coalesce({differing}, false) AS differs FROM {rows} "
        "WHERE person_id IS NOT NULL GROUP BY person_id HAVING count(*) > 1"
    )
    several = "person_id IN (SELECT person_id FROM shared_numbers WHERE differs)"
    if count_of(connection, "SELECT count(*) FROM shared_numbers WHERE NOT differs"):
        _find_lesser(connection, person)
    else:
        connection.execute("CREATE TABLE lesser_persons (row_line BIGINT)")
    said = ", ".join(f"{value} AS {name}" for name, value in _SAID_BY_OTHERS.items())
    connection.execute(
        f"CREATE TABLE said_by_others AS SELECT person_id, {said} FROM {rows} "
        "SEMI JOIN (FROM shared_numbers WHERE NOT differs) USING (person_id) GROUP BY person_id"
    )
    less = "row_line IN (FROM lesser_persons)"
    links = links_of(source)
    parts = [
        f"SELECT row_line, '{field}' AS field, '{reason}' AS reason, person_id::VARCHAR AS patient, NULL::VARCHAR AS code, "
        f"{texts_of_names(links, 'person')} AS named, {texts_of_links(links, 'person')} AS belonging FROM {rows} WHERE {condition}"
        for field, condition, reason in (*_FAULTS, ("person_id", several, _SEVERAL), ("person_id", less, _LESS))
    ]
    connection.execute(f"CREATE TABLE faulty_persons AS {' UNION ALL '.join(parts)}")
    if count_of(connection, "SELECT count(*) FROM faulty_persons") == 0:
        return person
    whole = ", ".join(f"coalesce(r.{name}, o.{name}) AS {name}" for name in _SAID_BY_OTHERS)
    connection.execute(
        f"CREATE VIEW sound_persons AS SELECT r.* REPLACE ({whole}) FROM {rows} AS r LEFT JOIN said_by_others AS o "
        "ON o.person_id = r.person_id WHERE r.row_line NOT IN (SELECT row_line FROM faulty_persons)"
    )
    connection.execute(
        f"CREATE VIEW rejected_persons_all AS SELECT row_line, field, reason, patient, code, named, belonging "
        f"FROM {identifier(person.rejects)} UNION ALL FROM faulty_persons"
    )
    return dataclasses.replace(person, rows="sound_persons", rejects="rejected_persons_all", numbers_in=person.rows)


def _find_lesser(connection: duckdb.DuckDBPyConnection, person: StagedTable) -> None:
    """``lesser_persons``: rows that differ from the one of their number that says most, and can stand."""
    columns = [identifier(column.name) for column in person.declaration.columns]
    # Of a concept 0 says nothing.
    filled = " + ".join(f"(coalesce({column}::VARCHAR, '0') <> '0')::INTEGER" for column in columns)
    connection.execute(
        "CREATE TABLE lesser_persons AS SELECT row_line FROM (SELECT row_line, said, "
        "first_value(said) OVER (PARTITION BY person_id ORDER BY filled DESC, said) AS most FROM ("
        f"SELECT row_line, person_id, {filled} AS filled, row({', '.join(columns)})::VARCHAR AS said FROM {identifier(person.rows)} "
        f"SEMI JOIN (FROM shared_numbers WHERE NOT differs) USING (person_id) WHERE {_IS_BORN})) WHERE said <> most"
    )
