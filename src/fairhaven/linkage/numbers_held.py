"""Which valid NHS number each patient holds; of a person there is one.

Two valid numbers are never one slip apart: the check digit modulo 11 weighs the ten digits by 10 to 1, so that one digit changed, or two
neighbours swapped, spoils it: the sum changes by less than eleven times a unit of 11 (NHS Data Dictionary, NHS NUMBER). Whoever holds another valid
number is somebody else, however alike, unless a source itself says that two numbers are one person's:

- a **superseded number**: the source gave a patient, under the same patient_ref, first one and then another, name and date of birth
  are still those of one person (a patient_ref that was given to somebody else does not make two people one), and nobody of another
  name or birth bears either (a twin's number that was corrected is the twin's);
- a **source link**: the source calls two of its patients one person (FHIR ``Patient.link``).

Numbers that are one person's count as one from here on. A patient of whom that is not so, and who was described under several numbers
all the same, holds none that another has: nobody is linked to them by a weaker rule than the source's own word.
"""

import duckdb
import numpy as np

from fairhaven.linkage.agreement_conditions import BIRTH_AGREES, BIRTHS_KNOWN, GIVEN_AGREES
from fairhaven.linkage.graph import NOTHING, Ints, borne_together, components

MAX_BIRTHS = 10
"""Dates of birth under one number above which it is a default value, and no one's."""

MAX_NUMBERS = 10
"""Numbers of one patient above which the patient_ref is a default value, and no statement about numbers."""


def drop_default_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Take numbers that many bear out of ``versions``."""
    connection.execute(
        f"""
        UPDATE versions SET id = NULL, id_text = NULL WHERE id IN (
            SELECT id FROM versions WHERE id IS NOT NULL GROUP BY id
            HAVING count(*) > {MAX_BIRTHS} AND count(DISTINCT birth) > {MAX_BIRTHS}
        )
        """
    )


def unite_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Write the smallest of the numbers of one person for each of them, in ``versions``; ``stated`` has the sources' links."""
    united = connection.execute(
        f"""
        WITH numbered AS (SELECT * FROM versions WHERE id IS NOT NULL), several AS (
            FROM numbered SEMI JOIN (
                SELECT patient FROM numbered GROUP BY patient HAVING count(DISTINCT id) BETWEEN 2 AND {MAX_NUMBERS}
            ) USING (patient)
        ), superseded AS (
            SELECT DISTINCT l.patient, l.id AS one, r.id AS other
            FROM several AS l JOIN several AS r ON l.patient = r.patient AND l.id < r.id
            WHERE coalesce({GIVEN_AGREES}, false) AND coalesce({BIRTH_AGREES}, false)
        ), of_others AS (
            SELECT one, other FROM (SELECT *, unnest([one, other]) AS id FROM superseded) AS borne
            JOIN numbered AS r ON r.id = borne.id AND r.patient <> borne.patient
            JOIN numbered AS l ON l.patient = borne.patient
            WHERE (l.given IS NOT NULL AND r.given IS NOT NULL AND NOT coalesce({GIVEN_AGREES}, false))
                OR ({BIRTHS_KNOWN} AND NOT coalesce({BIRTH_AGREES}, false))
        )
        SELECT one, other FROM superseded ANTI JOIN of_others USING (one, other)
        UNION
        SELECT least(l.id, r.id), greatest(l.id, r.id) FROM stated
        JOIN numbered AS l ON l.patient = left_patient JOIN numbered AS r ON r.patient = right_patient WHERE l.id <> r.id
        """
    ).fetchnumpy()
    if not united["one"].size:
        return
    numbers, ends = np.unique(np.concatenate([united["one"], united["other"]]).astype(str), return_inverse=True)
    one, other = np.split(ends.astype(np.int64), 2)
    smallest = numbers[components(numbers.size, one, other)]
    connection.register("united", {"id": numbers, "of_person": smallest})
    connection.execute("UPDATE versions SET id = of_person FROM united WHERE united.id = versions.id")
    connection.unregister("united")


def numbers_held(connection: duckdb.DuckDBPyConnection, patients: int, *, one_patient: Ints) -> Ints:
    """What each patient bears (`graph`): a number of the NHS number that they hold, of their own where they hold several.

    Args:
        one_patient: for each patient the smallest of those whom their source calls the same person.
    """
    held = connection.execute(
        """
        SELECT patient, min(number) AS lowest, max(number) AS highest FROM (
            SELECT patient, dense_rank() OVER (ORDER BY id) - 1 AS number FROM versions WHERE id IS NOT NULL
        ) GROUP BY patient
        """
    ).fetchnumpy()
    bearing = np.full(patients, NOTHING)
    lowest, highest = held["lowest"].astype(np.int64), held["highest"].astype(np.int64)
    several = int(highest.max(initial=0)) + 1 + held["patient"]
    bearing[held["patient"]] = np.where(lowest == highest, lowest, several)
    return borne_together(one_patient, bearing)
