"""What in landed columns tells who a row's patient is, or anybody, as tables of a DuckDB connection.

Made of ``spelled`` (each different text once, with its number), ``worded`` and ``named_words`` of `identifiers.texts_with_identifiers`, ``births (patient_ref, birth_date)``, ``local_numbers (patient_ref, number)``,
``own_names (patient_ref, token)`` and ``known_numbers (number)``:

| table | holds |
|---|---|
| ``texts_with_identifiers (text)`` | what tells somebody's identity, at whosever row it stands |
| ``texts_of_own (patient_ref, text)`` | what tells a patient's own at the patient's rows |
| ``numbers_with_identifiers (number)``, ``numbers_of_own (patient_ref, number)`` | the same of whole numbers of at most ten digits |
| ``serials_of_own (patient_ref, number)`` | a patient's birth as spreadsheets count days and Unix seconds, for columns that are no keys: in these any number of five digits is usual |
"""

from collections.abc import Sequence

import duckdb

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.sql import literal, literals
from fairhaven.identifiers.days_in_texts import LOOKS_DATED, days_of_serials_sql, days_sql, serials_sql
from fairhaven.identifiers.ordinary_words import COMMON_WORDS
from fairhaven.identifiers.spellings import joined_sql, plain_sql
from fairhaven.kernel.ids import SEPARATOR

_RARE = 100_000
"""Of so many numbers of a length fewer than one is a patient's: then one that is met by chance is rarer still."""
_SHORTEST = 4
"""A number of fewer characters tells nothing."""
SMALLEST = 10 ** (_SHORTEST - 1)
"""A smaller whole number tells nothing."""


def find_birth_dates(connection: duckdb.DuckDBPyConnection) -> None:
    """``days (number, day)``: the days of birth that texts may spell."""
    connection.execute(
        f"""
        CREATE TEMP TABLE days (number BIGINT, day DATE);
        CREATE TEMP TABLE dated AS SELECT number, plain FROM spelled WHERE regexp_matches(plain, {literal(LOOKS_DATED)})
        """
    )
    if count_of(connection, "SELECT count(*) FROM dated"):
        connection.execute(
            f"INSERT INTO days FROM ({days_sql('dated')}) SEMI JOIN (SELECT birth_date AS day FROM births) USING (day)"
        )
    connection.execute(f"DROP TABLE dated; INSERT INTO days {days_of_serials_sql('spelled', 'births')}")


def find_numbers_of_owners(connection: duckdb.DuckDBPyConnection, queries: Sequence[str], *, source: str) -> None:
    """Add to ``local_numbers`` what of texts is their row's patient's number, where none of these files says it: its pseudonym tells.

    Args:
        queries: of ``patient_ref, text``. The connection has the macro ``pseudonym_of`` of landing.
    """
    parts = "[trim(text)] || regexp_extract_all(text, '[0-9A-Za-z]+') || regexp_extract_all(text, '[0-9A-Za-z/-]+')"
    connection.execute(
        f"""
        CREATE TEMP TABLE may_be_numbers AS SELECT DISTINCT patient_ref, number FROM (
            SELECT patient_ref, unnest({parts}) AS number FROM ({" UNION ALL ".join(queries)}) WHERE patient_ref IS NOT NULL
        ) WHERE length(number) >= {_SHORTEST} AND regexp_matches(number, '[0-9]');
        INSERT INTO local_numbers BY NAME SELECT patient_ref, number FROM may_be_numbers JOIN (
            SELECT number, pseudonym_of({literal(source + SEPARATOR)} || number) AS of_number
            FROM (SELECT DISTINCT number FROM may_be_numbers)
        ) USING (number) WHERE of_number = patient_ref;
        DROP TABLE may_be_numbers
        """
    )


def find_local_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Texts that hold a number by which the source knows a patient.

    The patient's own wherever it has four characters; anybody's only where it cannot well be something else: letters and digits
    together, eight of them at least, or so many digits that hardly any number of that length is a patient's. Digits are known with and
    without zeros before them, and with letters beside them.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE given_numbers AS SELECT DISTINCT patient_ref, joined, regexp_full_match(joined, '[0-9]+') AS is_digits
        FROM (SELECT patient_ref, {joined_sql(plain_sql("number"))} AS joined FROM local_numbers) WHERE length(joined) >= {_SHORTEST};
        CREATE TEMP TABLE spelled_numbers AS FROM given_numbers
        UNION SELECT patient_ref, ltrim(joined, '0'), true FROM given_numbers WHERE is_digits AND length(ltrim(joined, '0')) >= {_SHORTEST};
        CREATE TEMP TABLE telling_numbers AS
        SELECT joined FROM spelled_numbers WHERE NOT is_digits AND length(joined) >= 8 AND regexp_matches(joined, '[0-9]')
        UNION ALL SELECT joined FROM spelled_numbers SEMI JOIN (
            SELECT length(joined) AS digits FROM spelled_numbers WHERE is_digits GROUP BY digits
            HAVING count(*) < pow(10, min(length(joined))) / {_RARE}
        ) ON is_digits AND length(joined) = digits;
        CREATE TEMP TABLE numbered AS SELECT DISTINCT number, joined FROM (
            SELECT number, unnest(list_concat(regexp_extract_all(plain, '[0-9a-z]+'), [joined], CASE
                WHEN regexp_matches(plain, '[a-z][0-9]{{{_SHORTEST}}}|[0-9]{{{_SHORTEST}}}[a-z]|0[0-9]{{{_SHORTEST}}}')
                THEN list_concat(regexp_extract_all(plain, '[0-9]+'), regexp_extract_all(plain, '[1-9][0-9]*')) END)) AS joined
            FROM spelled
        ) SEMI JOIN spelled_numbers USING (joined);
        INSERT INTO texts_with_identifiers SELECT text FROM spelled SEMI JOIN (FROM numbered SEMI JOIN telling_numbers USING (joined)) USING (number)
        """
    )


def find_own_names(connection: duckdb.DuckDBPyConnection) -> None:
    """``named_texts (number, token)``: texts with a name of a patient of the source, among other words.

    What stands at a patient's rows who does not bear the name, or at nobody's, is the display of a code: diseases are named after people,
    and to withhold it would tell who bears the name.
    """
    connection.execute(
        f"""
        CREATE TEMP TABLE named_texts AS SELECT DISTINCT number, token FROM (SELECT number, unnest(words) AS word FROM worded) JOIN (
            SELECT word, token FROM named_words WHERE length(word) > 2 AND word NOT IN ({literals(*COMMON_WORDS)})
        ) USING (word) SEMI JOIN own_names USING (token)
        """
    )


def find_texts_of_own(connection: duckdb.DuckDBPyConnection) -> None:
    """``texts_of_own``, of ``of_patients (patient_ref, number)``: at whose rows the texts of the tables above stand."""
    connection.execute(
        """
        CREATE TEMP TABLE texts_of_own AS SELECT DISTINCT patient_ref, text FROM spelled JOIN (
            SELECT patient_ref, number FROM of_patients JOIN days USING (number)
            SEMI JOIN births ON births.patient_ref = of_patients.patient_ref AND births.birth_date = days.day
            UNION SELECT patient_ref, number FROM of_patients JOIN numbered USING (number)
            SEMI JOIN spelled_numbers USING (patient_ref, joined)
            UNION SELECT patient_ref, number FROM (
                SELECT number, token, patient_ref, EXISTS (
                    FROM own_names WHERE own_names.patient_ref = of_patients.patient_ref AND own_names.token = named_texts.token
                ) AS is_own FROM of_patients JOIN named_texts USING (number)
                QUALIFY bool_and(is_own) OVER (PARTITION BY number, token)
            )
        ) USING (number)
        """
    )


def find_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """``numbers_with_identifiers`` and ``numbers_of_own``, for columns of numbers: NHS numbers, the source's own, days of birth as digits."""
    days = ", ".join(f"strftime(birth_date, '{form}')" for form in ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%d%m%y", "%y%m%d"))
    connection.execute(
        f"""
        CREATE TEMP TABLE numbers_with_identifiers AS
        SELECT number FROM known_numbers
        UNION SELECT try_cast(joined AS BIGINT) FROM telling_numbers WHERE try_cast(joined AS BIGINT) >= {SMALLEST};
        CREATE TEMP TABLE numbers_of_own AS
        SELECT patient_ref, try_cast(joined AS BIGINT) AS number FROM spelled_numbers WHERE is_digits AND try_cast(joined AS BIGINT) >= {SMALLEST}
        UNION SELECT patient_ref, unnest([{days}])::BIGINT FROM births;
        CREATE TEMP TABLE serials_of_own AS SELECT patient_ref, serial::BIGINT AS number FROM ({serials_sql("births")})
        """
    )
