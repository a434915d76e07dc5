"""Which texts hold an identifier of somebody whom the hub knows.

Each different text is looked at once. A text holds one where

- ten of its digits in a row, whatever stands between them, are a known NHS number;
- a forename and the surname of one record stand in it beside each other, with one word between them or as one word, in either order;
- a surname stands behind a title (Mr, Mrs, Miss, Ms), with or without initials;
- it is nothing but names of the source itself, and not all of them are common words;
- it is nothing but an initial and the surname of one record, or such a word stands before an @ or alone in capitals;
- a postcode or a line of an address of a record stands in it; of others than the source itself no postcode that may be a Read code.

A surname alone among other words tells nothing of whom: diseases, signs and makers of drugs are named after people. Whether it
is the row's own patient's is asked beside the rows (`intake.withheld_values`).
"""

import duckdb

from fairhaven.engine.sql import literals
from fairhaven.identifiers.known_identifiers import KnownIdentifiers, address_keys_sql, define_token
from fairhaven.identifiers.ordinary_words import COMMON_WORDS, ORDINARY_WORDS
from fairhaven.identifiers.snomed_ids import is_snomed_id
from fairhaven.identifiers.spellings import (
    joined_sql,
    plain_sql,
    readings_sql,
    ten_digits_sql,
    unescaped_sql,
    words_sql,
)

TITLES = ("mr", "mrs", "miss", "ms", "mister", "master", "mx")
"""Not Dr: makers of drugs and signs have it."""

_POSTCODE = r"\b[a-z]{1,2}[0-9][a-z0-9]?(?:[^0-9a-z]{0,3}[0-9]|[0-9] )[abd-hjlnp-uw-z]{2}\b"
_AREAS_OF_ONE_LETTER = "[beglmnsw]"
_FIVE = "[a-z][0-9]{2}[a-z]{2}"
"""What a postcode of five characters with nothing in it looks like, and a Read code (``G33zz``)."""
_HOUSE = "[0-9] ?[a-z]?[^0-9a-z]+[a-z]{2}|[0-9][a-z]{4}"
_PARTICLES = ("o", "mc", "mac", "d", "de", "la", "le", "st", "fitz", "al", "el")
"""What a surname may begin with, apart or not."""

_LOGIN = r"([0-9a-z._+-]+)@"


def find_texts(
    connection: duckdb.DuckDBPyConnection,
    texts: str,
    known: KnownIdentifiers,
    *,
    key: bytes,
    names_alone: bool = True,
) -> None:
    """Make the table ``texts_with_identifiers (text)`` of those of a relation, ``spelled (number, text, plain, joined)`` of all
    (twice where they have tags, see `readings_sql`), ``worded (number, text, plain, words)`` of those with words, and ``named_words (word, kind, token)`` of their words that are somebody's name.

    Within, a text is a number: what is taken out of a long one would carry it along with each word.

    Args:
        connection: one that spills nothing in plain.
        texts: relation with a column ``text``; the same one may come again and again.
        key: of the tokens.
        names_alone: whether a text that is nothing but names holds one.
    """
    define_token(connection, key)
    connection.register("known_numbers", known.numbers)
    connection.register("given_tokens", known.tokens)
    connection.register("names_of_source", known.names)
    # As a table, of which it is known how many there are: then the few of the texts are looked for among them, and not the reverse.
    connection.execute("CREATE OR REPLACE TEMP TABLE known_tokens AS FROM given_tokens")
    plain = plain_sql("written")
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE spelled AS
        SELECT row_number() OVER () AS number, text, plain, {joined_sql("plain")} AS joined
        FROM (SELECT text, {plain} AS plain FROM (
            SELECT text, unnest({readings_sql("unescaped")}) AS written FROM (
                SELECT text, {unescaped_sql("text")} AS unescaped FROM (SELECT DISTINCT text FROM {texts} WHERE length(text) > 2)
            )
        ));
        -- Most texts are numbers of rows, and names, addresses and postcodes have letters beside each other.
        CREATE OR REPLACE TEMP TABLE worded AS
        SELECT number, text, plain, {words_sql("plain")} AS words FROM spelled WHERE regexp_matches(plain, '[a-z]{{2}}');
        CREATE OR REPLACE TEMP TABLE telling (number BIGINT)
        """
    )
    _with_numbers(connection)
    _with_names(connection, names_alone=names_alone)
    _with_tokens(connection, names_alone=names_alone)
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE texts_with_identifiers AS SELECT text FROM spelled SEMI JOIN telling USING (number);
        DROP TABLE telling; DROP TABLE known_tokens
        """
    )
    connection.unregister("known_numbers")
    connection.unregister("given_tokens")
    connection.unregister("names_of_source")


def _with_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        f"""
        SELECT number, text FROM spelled SEMI JOIN (
            SELECT number FROM (
                SELECT number, unnest({ten_digits_sql("joined")}) AS ten FROM spelled WHERE length(joined) >= 10
            ) SEMI JOIN (SELECT number AS ten FROM known_numbers) USING (ten)
        ) USING (number)
        """
    ).fetchall()
    # A code of SNOMED CT (dm+d's have 17 digits) holds eight numbers of ten digits, some of which are somebody's by chance.
    numbers = [number for number, text in found if not is_snomed_id(text)]
    connection.execute("INSERT INTO telling SELECT unnest($numbers::BIGINT[])", {"numbers": numbers})


def _with_names(connection: duckdb.DuckDBPyConnection, *, names_alone: bool) -> None:
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE placed AS
        SELECT number, unnest(words) AS word, generate_subscripts(words, 1) AS place, len(words) AS words FROM worded;
        INSERT INTO placed SELECT one.number, one.word || other.word, unnest([one.place, other.place]), one.words
        FROM (SELECT *, place + 1 AS next FROM placed WHERE word IN ({literals(*_PARTICLES)})) AS one
            JOIN placed AS other ON other.number = one.number AND other.place = one.next;
        CREATE OR REPLACE TEMP TABLE named_words AS
        SELECT * FROM (
            SELECT word, kind, identifier_token(kind, word) AS token
            FROM (SELECT DISTINCT word FROM placed WHERE length(word) > 1), (VALUES ('family'), ('given')) AS kinds(kind)
        ) SEMI JOIN known_tokens USING (token);
        CREATE OR REPLACE TEMP TABLE names AS
        SELECT word, bool_or(kind = 'family') AS is_family, bool_or(kind = 'given') AS is_given, bool_or(is_own) AS is_own
        FROM (SELECT *, token IN (SELECT token FROM names_of_source) AS is_own FROM named_words) GROUP BY word;
        CREATE OR REPLACE TEMP TABLE placed_names AS SELECT * FROM placed JOIN names USING (word);
        """
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE runs AS
        SELECT DISTINCT number, word AS run FROM placed WHERE length(word) > 6
        UNION SELECT one.number, one.word || other.word
        -- As equalities, because a range would compare each name of a long text with every other.
        FROM (SELECT *, unnest([place + 1, place + 2, place + 3]) AS behind FROM placed_names) AS one
            JOIN placed_names AS other ON other.number = one.number AND other.place = one.behind
        WHERE one.is_given OR other.is_given;
        INSERT INTO telling
        SELECT name.number FROM (SELECT *, unnest([place - 1, place - 2, place - 3, place - 4]) AS before FROM placed_names WHERE is_family) AS name
            JOIN placed AS title ON title.number = name.number AND title.place = name.before
            LEFT JOIN placed AS initial ON initial.number = name.number AND initial.place = name.place - 1
        -- Before the surname may stand initials.
        WHERE (name.before = name.place - 1 OR length(initial.word) = 1) AND title.word IN ({literals(*TITLES)});
        INSERT INTO telling
        SELECT number FROM placed_names WHERE {names_alone} GROUP BY number, words
        -- The names of a source have three letters or more: shorter ones are words beside them.
        HAVING count(DISTINCT place) FILTER (is_own OR length(word) < 3) = words
            AND bool_or(is_own AND length(word) > 2 AND word NOT IN ({literals(*ORDINARY_WORDS)}));
        DROP TABLE placed; DROP TABLE names; DROP TABLE placed_names
        """
    )


def _with_tokens(connection: duckdb.DuckDBPyConnection, *, names_alone: bool) -> None:
    """Texts in which a run, a postcode, an address or an initial with a name stands whose token is known."""
    postcodes = (
        f"SELECT number, text, plain, unnest(regexp_extract_all(plain, '{_POSTCODE}')) AS one FROM worded "
        f"WHERE regexp_matches(plain, '{_POSTCODE}')"
    )
    parts = [
        "SELECT number, 'run' AS kind, run AS words FROM runs",
        f"SELECT number, {_POSTCODE_OR_CODE}, {joined_sql('one')} FROM ({postcodes})",
        f"SELECT number, 'address', unnest({address_keys_sql('plain', every=True)}) FROM worded WHERE regexp_matches(plain, '{_HOUSE}')",
    ]
    if names_alone:
        parts.append(f"SELECT number, 'initial', unnest({_INITIALS}) FROM ({_SIGNED}) WHERE length(name) > 2")
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE candidates AS SELECT DISTINCT * FROM ({" UNION ALL ".join(parts)});
        INSERT INTO telling
        SELECT number FROM candidates SEMI JOIN (
            SELECT kind, words FROM (
                SELECT kind, words, identifier_token(kind, words) AS token FROM (SELECT DISTINCT kind, words FROM candidates)
            ) SEMI JOIN known_tokens USING (token)
        ) USING (kind, words);
        DROP TABLE candidates; DROP TABLE runs
        """
    )


# Read codes have letters of both sizes, and stand alone.
_POSTCODE_OR_CODE = (
    f"CASE WHEN regexp_full_match(one, '{_FIVE}') AND (length(trim(plain)) = 5 OR NOT regexp_matches(one, '^{_AREAS_OF_ONE_LETTER}') "
    "OR NOT (contains(text, one) OR contains(text, upper(one)))) THEN 'code' ELSE 'postcode' END"
)

_SIGNED = f"""
    SELECT number, names[1] AS name, letters FROM (
        SELECT number, list_filter(words, lambda word: length(word) > 1) AS names, list_filter(words, lambda word: length(word) = 1) AS letters
        FROM (
            SELECT number, words FROM worded WHERE len(words) <= 4
            UNION ALL SELECT number, {words_sql("login")} FROM (
                -- A plain text has blanks in place of underscores.
                SELECT number, unnest(list_concat(regexp_extract_all(plain, '{_LOGIN}', 1), regexp_extract_all(lower(text), '{_LOGIN}', 1))) AS login
                FROM worded WHERE contains(plain, '@')
            )
            UNION ALL SELECT number, [lower(login)] FROM (
                SELECT number, unnest(regexp_extract_all(text, '\\b[A-Z]{{5,}}\\b')) AS login FROM worded WHERE regexp_matches(text, '[a-z]')
            )
        )
    ) WHERE len(names) = 1
"""
"""Texts that are nothing but a name with initials, before it or behind it, apart or not; and such words within others."""
# Codes of five characters are letters at times that could be somebody's.
_ALONE = (
    f"list_transform(list_filter([[name[1], name[2:]], [name[-1], name[:-2]]], lambda one: length(name) > 5 AND name NOT IN "
    f"({literals(*COMMON_WORDS)}) AND one[2] NOT IN ({literals(*COMMON_WORDS)})), lambda one: one[1] || ' ' || one[2])"
)
_INITIALS = (
    f"CASE WHEN len(letters) = 0 THEN {_ALONE} ELSE list_transform(letters, lambda letter: letter || ' ' || name) END"
)
