"""Deterministic linkage, step by step, in the manner of NHS England's Master Person Service.

MPS first believes a valid NHS number when the demographics bear it out, then looks for combinations that are unique.
Each link carries the name of the step that made it. What no step dares is left to `probabilistic`.

| step | links versions that |
|---|---|
| nhs_number | share a valid NHS number; of forename, surname, date of birth and sex more agree than not (below) |
| name-birth-postcode | share forename (or what it is short for), surname, date of birth and postcode |
| name-birth-address | share forename, surname, date of birth and address |
| given-birth-postcode | share forename, date of birth, postcode and sex: a surname changed by marriage |
| swapped-name-birth-postcode | as name-birth-postcode, with forename and surname, or day and month, swapped |

Guards. **nhs_number**: at most one of the four may contradict; where the forenames contradict while surname and date
of birth are those of a twin, the number is not believed if the same name and birth stand elsewhere under another
number. **Other steps**: a combination under which two different valid numbers stand is no one's, unless the two are one
typing error apart.
"""

from dataclasses import dataclass

import duckdb

from fairhaven.linkage import agreement_conditions

MAX_GROUP = 200
"""Versions under one combination above which it is a default value (a hostel's address, a dummy), not a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MatchRule:
    """A combination of columns that together name one person."""

    name: str
    columns: tuple[str, ...]


_NAME_LOW, _NAME_HIGH = "least(given_formal, family)", "greatest(given_formal, family)"
_BIRTH_EITHER = "least(birth, coalesce(birth_turned, birth))"

STEPS = (
    MatchRule(name="name-birth-postcode", columns=("given_formal", "family", "birth", "postcode")),
    MatchRule(name="name-birth-address", columns=("given_formal", "family", "birth", "address")),
    MatchRule(name="given-birth-postcode", columns=("given_formal", "birth", "postcode", "sex")),
    MatchRule(name="swapped-name-birth-postcode", columns=(_NAME_LOW, _NAME_HIGH, _BIRTH_EITHER, "postcode")),
)
ORDER = ("nhs_number", *(step.name for step in STEPS))
"""Names of the steps, the most certain first."""


def cascade(connection: duckdb.DuckDBPyConnection) -> None:
    """Read ``versions``, write ``links``: left_patient < right_patient, step (each pair under its first step)."""
    connection.execute("CREATE TABLE links (left_patient BIGINT, right_patient BIGINT, step VARCHAR)")
    _by_number(connection)
    for step in STEPS:
        _by_combination(connection, step)


def _by_number(connection: duckdb.DuckDBPyConnection) -> None:
    agree = {
        "given": agreement_conditions.GIVEN_AGREES,
        "family": agreement_conditions.FAMILY_AGREES,
        "birth": agreement_conditions.BIRTH_AGREES,
        "sex": "l.sex = r.sex",
    }
    columns = ", ".join(f"coalesce({sql}, false) AS {name}_agrees" for name, sql in agree.items())
    known = ", ".join(f"(l.{name} IS NOT NULL AND r.{name} IS NOT NULL) AS {name}_known" for name in agree)
    against = " + ".join(f"({name}_known AND NOT {name}_agrees)::INT" for name in agree)
    in_favour = " + ".join(f"{name}_agrees::INT" for name in ("given", "family", "birth"))
    connection.execute(
        f"""
        CREATE TEMP TABLE numbered AS
        SELECT * FROM versions WHERE id IS NOT NULL
        QUALIFY count(*) OVER (PARTITION BY id) BETWEEN 2 AND {MAX_GROUP}
        """
    )
    # Names and births that stand under several numbers: one of them was mistyped into, or belongs to, another person.
    connection.execute(
        """
        CREATE TEMP TABLE doubtful AS
        SELECT concat_ws('|', given, family, birth) AS described FROM versions
        WHERE id IS NOT NULL AND given IS NOT NULL AND family IS NOT NULL AND birth IS NOT NULL
        GROUP BY ALL HAVING count(DISTINCT id) > 1
        """
    )
    connection.execute(
        f"""
        INSERT INTO links
        WITH compared AS (
            SELECT l.patient AS left_patient, r.patient AS right_patient, {columns}, {known},
                concat_ws('|', l.given, l.family, l.birth) AS left_described,
                concat_ws('|', r.given, r.family, r.birth) AS right_described
            FROM numbered AS l JOIN numbered AS r ON l.id = r.id AND l.patient < r.patient
        ), judged AS (
            SELECT *, {against} AS against, {in_favour} AS in_favour FROM compared
        )
        SELECT DISTINCT left_patient, right_patient, 'nhs_number' FROM judged
        WHERE ((against = 0) OR (against = 1 AND in_favour >= 2))
            AND NOT (
                given_known AND NOT given_agrees AND (
                    left_described IN (FROM doubtful)
                    OR right_described IN (FROM doubtful)
                )
            )
        """
    )
    connection.execute("DROP TABLE numbered; DROP TABLE doubtful")


def _by_combination(connection: duckdb.DuckDBPyConnection, step: MatchRule) -> None:
    """Link each patient under a combination to the first one; all of them then hang together."""
    names = [f"part_{number}" for number in range(len(step.columns))]
    parts = ", ".join(f"{sql} AS {name}" for sql, name in zip(step.columns, names, strict=True))
    present = " AND ".join(f"{name} IS NOT NULL" for name in names)
    connection.execute(
        f"""
        INSERT INTO links
        WITH keyed AS (SELECT patient, id, {parts} FROM versions),
        grouped AS (
            SELECT list_sort(list(DISTINCT patient)) AS patients, count(DISTINCT id) AS numbers,
                min(id) AS first_number, max(id) AS last_number
            FROM keyed WHERE {present} GROUP BY {", ".join(names)}
        ), pairs AS (
            SELECT patients[1] AS left_patient, unnest(patients[2:]) AS right_patient
            FROM grouped
            WHERE len(patients) BETWEEN 2 AND {MAX_GROUP}
                AND (numbers <= 1 OR (numbers = 2 AND damerau_levenshtein(first_number, last_number) <= 1))
        )
        SELECT DISTINCT left_patient, right_patient, '{step.name}' FROM pairs
        ANTI JOIN links USING (left_patient, right_patient)
        """
    )
