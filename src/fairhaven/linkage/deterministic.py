"""Deterministic linkage, step by step, in the manner of NHS England's Master Person Service.

MPS first believes a valid NHS number when the demographics bear it out, then looks for combinations that are unique.
Each link carries the name of the step that made it. What no step dares is left to `probabilistic`.

| step | links versions that |
|---|---|
| source-link | their source calls one person (FHIR ``Patient.link``) |
| nhs_number | share a valid NHS number; of forename, surname, date of birth and sex more agree than not (below) |
| name-birth-postcode | share forename (or what it is short for), surname, date of birth and postcode |
| name-birth-address | share forename, surname, date of birth and address |
| given-birth-postcode | share forename, date of birth, postcode and sex: a surname changed by marriage |
| swapped-name-birth-postcode | as name-birth-postcode, with forename and surname, or day and month, swapped |
| name-birth-part-postcode | as name-birth-postcode, where all that both know of the birth is the same month, or the same year |

Guards. **nhs_number**: at most one of the four may contradict; where the forename or the date of birth does, as a twin's or a
father's would, the number is not believed if the same name and birth stand elsewhere under another number. **Combinations**: one
under which two different numbers stand is no one's; of numbers without a check digit, in a trial, two that are one typing error
apart count as one. **Groups**: what hangs together by links holds one
valid NHS number (`numbers_held`); a record that leads to two is linked to neither by that step.
"""

from dataclasses import dataclass

import duckdb
import pyarrow as pa

from fairhaven.linkage import agreement_conditions
from fairhaven.linkage.graph import Ints, borne_together, join_where_one_fits

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
    MatchRule(name="name-birth-part-postcode", columns=("given_formal", "family", "birth_part", "postcode")),
)
SOURCE_LINK = "source-link"
ORDER = (SOURCE_LINK, "nhs_number", *(step.name for step in STEPS))
"""Names of the steps, the most certain first."""


def cascade(connection: duckdb.DuckDBPyConnection) -> None:
    """Read ``stated`` and ``versions``, write ``links``: left_patient < right_patient, step (each pair under its first step)."""
    connection.execute(f"CREATE TABLE links AS SELECT left_patient, right_patient, '{SOURCE_LINK}' AS step FROM stated")
    _by_number(connection)
    for step in STEPS:
        _by_combination(connection, step)


def certain_groups(connection: duckdb.DuckDBPyConnection, bearing: Ints, *, one_patient: Ints) -> Ints:
    """For each patient the smallest of those to whom ``links`` lead; links that would bring two numbers together are taken out.

    Args:
        bearing: what each patient bears (`numbers_held`).
        one_patient: for each patient the smallest of those whom their source calls the same person.
    """
    group, refused = one_patient, []
    for step in ORDER[1:]:
        links = connection.execute(
            "SELECT left_patient, right_patient FROM links WHERE step = $step", {"step": step}
        ).fetch_arrow_table()
        left, right = (links[end].to_numpy() for end in links.column_names)
        group, holds = join_where_one_fits(group, bearing, left, right)
        bearing = borne_together(group, bearing)
        refused.append(links.filter(pa.array(~holds)))
    connection.register("refused", pa.concat_tables(refused))
    connection.execute(
        "DELETE FROM links USING refused WHERE links.left_patient = refused.left_patient "
        "AND links.right_patient = refused.right_patient"
    )
    connection.unregister("refused")
    return group


def _by_number(connection: duckdb.DuckDBPyConnection) -> None:
    agree = {
        "given": agreement_conditions.GIVEN_AGREES,
        "family": agreement_conditions.FAMILY_AGREES,
        "birth": agreement_conditions.BIRTH_AGREES,
        "sex": "l.sex = r.sex",
    }
    columns = ", ".join(f"coalesce({sql}, false) AS {name}_agrees" for name, sql in agree.items())
    both = {name: f"(l.{name} IS NOT NULL AND r.{name} IS NOT NULL)" for name in agree}
    both["birth"] = agreement_conditions.BIRTHS_KNOWN
    known = ", ".join(f"{sql} AS {name}_known" for name, sql in both.items())
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
                ((given_known AND NOT given_agrees) OR (birth_known AND NOT birth_agrees)) AND (
                    left_described IN (FROM doubtful)
                    OR right_described IN (FROM doubtful)
                )
            )
            AND (left_patient, right_patient) NOT IN (SELECT (left_patient, right_patient) FROM links)
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
