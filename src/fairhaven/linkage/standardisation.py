"""From identity records as delivered to columns that can be compared, in DuckDB.

`standardise` writes three tables into the connection. ``patients``: patient (number from 0 in the order of source and
patient_ref, so that row order decides nothing), source, patient_ref, row_extract (the first that names them).
``stated``: left_patient < right_patient, whom their source calls one person in its latest word on either.
``versions``: one row for each different way in which a patient was ever described, with the columns below; an
address that a patient left two deliveries ago still helps to find the same person elsewhere.

| column | meaning |
|---|---|
| version, patient | numbers from 0 |
| id | valid NHS number (or, in a trial, the identifier as it stands) |
| id_text | its digits, valid or not: a typing error spoils the check digit, not the likeness |
| given, given_second | first and second forename, letters only, lower case, without accents |
| given_forms | the forename and the names it is short for |
| given_formal | one of them, to find pairs by |
| family, family_parts | surname without blanks and hyphens; its parts (double-barrelled, married and maiden) |
| birth, birth_turned | yyyymmdd; the same with day and month swapped where that is a date |
| birth_part | yyyy or yyyymm, where no more is known of the birth |
| sex | m or f |
| postcode, area | letters and digits; outward code, or the first characters of a foreign one |
| address | letters and digits of the address |

A postcode, an address, a telephone number or an e-mail address that a large part of a source shares is a default value (the
practice's own, "no fixed abode") and counts as missing.
"""

from collections.abc import Sequence
from importlib.resources import files

import duckdb

from fairhaven.engine.sql import identifier
from fairhaven.nhs.number import DUMMIES, bare_digits_sql, valid_nhs_number_sql

_UNKNOWN = (
    "unknown", "unk", "not known", "notknown", "none", "null", "nan", "na", "n a", "nil", "test", "anon", "anonymous",
    "baby", "infant", "male", "female", "twin", "patient", "surname", "forename", "missing", "not stated", "xxx",
)  # fmt: skip
_TITLES = "mr|mrs|miss|ms|mx|dr|prof|rev|sir|dame|lady|lord|master"
MAX_SHARE = 0.05
"""Part of a source's persons above which a place or number that they share is a default value."""

MAX_PERSONS = 1000
"""Persons of a source who may share one at most, however large the source."""

_MIN_PERSONS = 20  # fewer than these may be a family, or all who live in a small place
_SHARED = ("postcode", "address", "phone", "email")
_MAX_STATED = 20  # patients whom a source calls one with the same other, above which that one is a default value

# Filled in by systems that must have a date; real people born then are found by their other fields.
_DUMMY_BIRTHS = ("19000101", "18000101", "17530101", "99991231")
_DUMMY_YEARS = ("1900", "1800", "1753", "9999")


def standardise(connection: duckdb.DuckDBPyConnection, *, checked_id: bool = True, extras: Sequence[str] = ()) -> None:
    """Turn the table ``identity`` (see `model.IDENTITY_SCHEMA`; *extras* are further text columns) into ``patients``,
    ``stated`` and ``versions``; it is dropped, because a million records are not held twice in memory.

    Args:
        checked_id: ``nhs_number`` must pass its check digit; False takes any identifier as it is.
    """
    _load_nicknames(connection)
    connection.execute(
        """
        CREATE TABLE patients AS
        SELECT row_number() OVER (ORDER BY source, patient_ref) - 1 AS patient, *
        FROM (SELECT source, patient_ref, min(row_extract) AS row_extract FROM identity GROUP BY ALL)
        """
    )
    _read_statements(connection)
    connection.execute(f"CREATE TEMP TABLE cleaned AS {_cleaned_sql(checked_id, extras)}")
    for column in _SHARED:
        if column in ("postcode", "address", *extras):
            _drop_defaults(connection, column)
    more = "".join(f", {identifier(extra)}" for extra in extras)
    order = "patient, id, id_text, given, given_second, family, family_parts, birth, birth_part, sex, postcode, address"
    connection.execute(
        f"""
        CREATE TABLE versions AS
        WITH parted AS (
            SELECT * EXCLUDE (given_words, family_words, birth),
                given_words[1] AS given, given_words[2] AS given_second,
                array_to_string(family_words, '') AS family,
                CASE WHEN len(family_words) > 1 THEN family_words END AS family_parts,
                strftime(birth, '%Y%m%d') AS birth,
                CASE WHEN day(birth) <= 12 AND day(birth) <> month(birth)
                    THEN strftime(birth, '%Y%d%m') END AS birth_turned
            FROM cleaned
        ), described AS (
            SELECT patient, id, id_text, nullif(given, '') AS given, nullif(given_second, '') AS given_second,
                nullif(family, '') AS family, family_parts,
                CASE WHEN birth NOT IN {_DUMMY_BIRTHS} THEN birth END AS birth,
                CASE WHEN birth NOT IN {_DUMMY_BIRTHS} THEN birth_turned END AS birth_turned,
                CASE WHEN left(birth_part, 4) NOT IN {_DUMMY_YEARS} THEN birth_part END AS birth_part,
                sex, postcode, area, address{more}
            FROM parted
        ), distinct_ones AS (SELECT DISTINCT * FROM described)
        SELECT row_number() OVER (ORDER BY {order}{more}) - 1 AS version, one.*,
            -- An unknown nickname stands for itself.
            CASE WHEN given IS NOT NULL THEN coalesce(forms, [given]) END AS given_forms,
            coalesce(formal, given) AS given_formal
        FROM distinct_ones AS one LEFT JOIN nicknames ON nicknames.nickname = one.given
        """
    )
    connection.execute("DROP TABLE identity; DROP TABLE cleaned; DROP TABLE nicknames")


def _read_statements(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"""
        CREATE TABLE stated AS
        WITH latest AS (
            -- A patient whom a delivery names without a word on who they are is still who they were said to be.
            SELECT source, patient_ref, unnest(string_split(source_links, ' ')) AS linked FROM identity
            WHERE coalesce(nhs_number, given_name, family_name, birth_date::VARCHAR, birth_part, source_links) IS NOT NULL
            QUALIFY row_extract = max(row_extract) OVER (PARTITION BY source, patient_ref)
        ), pairs AS (
            SELECT DISTINCT least(l.patient, r.patient) AS left_patient, greatest(l.patient, r.patient) AS right_patient
            FROM latest JOIN patients AS l USING (source, patient_ref)
            JOIN patients AS r ON r.source = latest.source AND r.patient_ref = linked AND r.patient <> l.patient
        )
        FROM pairs QUALIFY count(*) OVER (PARTITION BY left_patient) <= {_MAX_STATED}
            AND count(*) OVER (PARTITION BY right_patient) <= {_MAX_STATED}
        """
    )


def _drop_defaults(connection: duckdb.DuckDBPyConnection, column: str) -> None:
    """Take the values of a column that too many of a source share out of ``cleaned``."""
    also = ", area = NULL" if column == "postcode" else ""
    connection.execute(
        f"""
        CREATE TEMP TABLE defaults AS
        WITH sized AS (
            SELECT source, count(*) AS records FROM cleaned JOIN patients USING (patient)
            WHERE {column} IS NOT NULL GROUP BY source
        ), frequent AS (
            SELECT source, {column} FROM cleaned JOIN patients USING (patient) JOIN sized USING (source)
            WHERE {column} IS NOT NULL GROUP BY source, {column}
            HAVING count(*) > {_MIN_PERSONS} AND count(*) > least(any_value(records) * {MAX_SHARE}, {MAX_PERSONS})
        ), persons AS (
            -- One person may be described many times: by name and birth they are counted once.
            SELECT source, {column}, count(DISTINCT (given_words, family_words, birth, birth_part)) AS persons
            FROM cleaned JOIN patients USING (patient) SEMI JOIN frequent USING (source, {column}) GROUP BY ALL
        )
        SELECT source, {column} FROM persons JOIN sized USING (source)
        WHERE persons > {_MIN_PERSONS} AND persons > least(records * {MAX_SHARE}, {MAX_PERSONS})
        """
    )
    connection.execute(
        f"""
        UPDATE cleaned SET {column} = NULL{also} FROM patients JOIN defaults USING (source)
        WHERE patients.patient = cleaned.patient AND defaults.{column} = cleaned.{column};
        DROP TABLE defaults;
        """
    )


def _load_nicknames(connection: duckdb.DuckDBPyConnection) -> None:
    path = files("fairhaven.linkage").joinpath("nicknames.csv")
    lines = path.read_text(encoding="utf-8").split()[1:]
    names, nicknames = zip(*(line.split(",") for line in lines), strict=True)
    connection.execute(
        """
        CREATE TEMP TABLE nicknames AS
        SELECT nickname, list_sort(list_distinct(list(name) || [nickname])) AS forms, min(name) AS formal
        FROM (SELECT unnest($names) AS name, unnest($nicknames) AS nickname) GROUP BY nickname
        """,
        {"names": list(names), "nicknames": list(nicknames)},
    )


def _cleaned_sql(checked_id: bool, extras: Sequence[str]) -> str:
    bare = bare_digits_sql("nhs_number")
    number = valid_nhs_number_sql(bare) if checked_id else f"nullif(lower({bare}), '')"
    number_text = number
    if checked_id:
        digits = f"left(regexp_replace({bare}, '[^0-9]', '', 'g'), 12)"
        # All the same digit, or from a form: nobody's number, and no slip of anybody's.
        number_text = f"CASE WHEN {digits} NOT IN {('', *sorted(DUMMIES))} AND ltrim({digits}, left({digits}, 1)) <> '' THEN {digits} END"
    postcode = "regexp_replace(upper(strip_accents(postcode)), '[^A-Z0-9]', '', 'g')"
    more = "".join(f", {_text(extra)} AS {identifier(extra)}" for extra in extras)
    return f"""
        SELECT patient, {number} AS id, {number_text} AS id_text,
            {_words("given_name")} AS given_words,
            {_words("family_name")} AS family_words,
            birth_date AS birth,
            CASE WHEN birth_date IS NULL THEN replace(birth_part, '-', '') END AS birth_part,
            CASE WHEN lower(trim(sex)) IN ('m', 'male', '1', 'man', '248153007') THEN 'm'
                 WHEN lower(trim(sex)) IN ('f', 'female', '2', 'woman', '248152002') THEN 'f' END AS sex,
            -- ZZ99: no fixed abode, abroad or not known.
            CASE WHEN {postcode} NOT LIKE 'ZZ99%' AND length({postcode}) >= 3 THEN left({postcode}, 12) END AS postcode,
            CASE WHEN {postcode} LIKE 'ZZ99%' OR length({postcode}) < 3 THEN NULL
                 WHEN regexp_full_match({postcode}, '[A-Z]{{1,2}}[0-9][A-Z0-9]?[0-9][A-Z]{{2}}')
                 THEN left({postcode}, length({postcode}) - 3) ELSE left({postcode}, 3) END AS area,
            left({_text("address")}, 80) AS address{more}
        FROM identity JOIN patients USING (source, patient_ref)
    """


def _text(column: str) -> str:
    letters = f"trim(regexp_replace(lower(strip_accents({identifier(column)})), '[^a-z0-9@]+', ' ', 'g'))"
    return f"CASE WHEN {letters} NOT IN {('', *_UNKNOWN)} THEN left({letters}, 120) END"


def _words(column: str) -> str:
    """Words of a name; apostrophes join (O'Brien), anything else that is no letter parts."""
    joined = f"regexp_replace(lower(strip_accents({column})), '[''’`´.]', '', 'g')"
    letters = f"trim(regexp_replace({joined}, '[^\\p{{L}}]+', ' ', 'g'))"
    untitled = f"regexp_replace({letters}, '^({_TITLES}) ', '')"
    return f"CASE WHEN {letters} NOT IN {('', *_UNKNOWN)} THEN string_split(left({untitled}, 80), ' ') END"
