"""What is kept of identity records to know their values again in texts: numbers, and keyed tokens of everything else.

A token is the keyed digest of a kind and of plain words (`spellings`), 128 bits. Without the key nobody can tell from it a name, or
try one; with it two texts can be compared that nobody can read.

| kind | of what |
|---|---|
| family, given | each word of a name |
| pair | a word of the forename and one of the surname of one record, in alphabetical order |
| postcode | the whole postcode |
| address | the number of a house with the one or two words behind it |
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from fairhaven.engine.keyed_digest import define_pseudonym
from fairhaven.engine.sql import literal
from fairhaven.identifiers.spellings import joined_sql, plain_sql, words_and_numbers_sql, words_sql
from fairhaven.kernel.ids import SEPARATOR

PURPOSE = "identifiers in texts"
"""What the key of the tokens is derived for."""

_STREETS = {
    "street": "st",
    "road": "rd",
    "avenue": "ave",
    "av": "ave",
    "lane": "ln",
    "close": "cl",
    "drive": "dr",
    "court": "ct",
    "crescent": "cres",
    "place": "pl",
    "square": "sq",
    "terrace": "ter",
    "gardens": "gdns",
    "grove": "gr",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownIdentifiers:
    """The identifiers that a hub knows, in memory.

    Args:
        numbers: ``number`` (int64), NHS numbers as the records have them, right or mistyped.
        tokens: ``token`` (text), of every kind, of anybody.
        names: ``source, patient_ref, token``: the words of each patient's own names.
        births: ``source, patient_ref, birth_date``: each day that a record gives as the patient's birth.
    """

    numbers: pa.Table
    tokens: pa.Table
    names: pa.Table
    births: pa.Table

    def __bool__(self) -> bool:
        """Whether there is anything to know somebody by."""
        return any(table.num_rows for table in (self.numbers, self.tokens, self.births))

    @classmethod
    def none(cls) -> "KnownIdentifiers":
        """Those of a hub that knows nobody."""
        patient = [("source", pa.string()), ("patient_ref", pa.string())]
        return cls(
            numbers=pa.schema([("number", pa.int64())]).empty_table(),
            tokens=pa.schema([("token", pa.string())]).empty_table(),
            names=pa.schema([*patient, ("token", pa.string())]).empty_table(),
            births=pa.schema([*patient, ("birth_date", pa.date32())]).empty_table(),
        )

    def __add__(self, other: "KnownIdentifiers") -> "KnownIdentifiers":
        """Both together."""
        return KnownIdentifiers(
            numbers=pa.concat_tables([self.numbers, other.numbers]),
            tokens=pa.concat_tables([self.tokens, other.tokens]),
            names=pa.concat_tables([self.names, other.names]),
            births=pa.concat_tables([self.births, other.births]),
        )


def define_token(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Define the macro ``identifier_token(kind, words)`` on a connection."""
    define_pseudonym(connection, "digest_of_identifier", key)
    connection.execute(
        "CREATE OR REPLACE MACRO identifier_token(kind, words) AS "
        f"digest_of_identifier(kind || {literal(SEPARATOR)} || words)"
    )


def known_identifiers(
    connection: duckdb.DuckDBPyConnection, identity: str, *, key: bytes, sources: Sequence[str] | None = None
) -> KnownIdentifiers:
    """What identity records are known by.

    Args:
        connection: one that spills nothing in plain.
        identity: relation with the columns of `linkage.model.IDENTITY_SCHEMA`.
        sources: whose patients' own names and births are given; None for all.
    """
    define_token(connection, key)
    given, family, address = (plain_sql(name) for name in ("given_name", "family_name", "address"))
    joined_number = joined_sql(plain_sql("nhs_number"))
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE named AS
        SELECT source, patient_ref, list_filter({words_sql(given)}, lambda word: length(word) > 1) AS given,
            list_filter({words_sql(family)}, lambda word: length(word) > 1) AS family,
            {joined_sql(plain_sql("postcode"))} AS postcode, {address_keys_sql(address)} AS addresses
        FROM (SELECT DISTINCT source, patient_ref, given_name, family_name, postcode, address FROM {identity})
        """
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE subjects AS
        WITH words AS (
            SELECT source, patient_ref, 'given' AS kind, unnest(given) AS words FROM named
            UNION ALL SELECT source, patient_ref, 'family', unnest(family) FROM named
            UNION ALL SELECT source, patient_ref, 'pair',
                unnest(flatten(list_transform(given, lambda one: list_transform(family, lambda other: """
        f"""{pair_sql("one", "other")})))) FROM named
            UNION ALL SELECT source, patient_ref, 'postcode', postcode FROM named WHERE length(postcode) >= 5
            UNION ALL SELECT source, patient_ref, 'address', unnest(addresses) FROM named
        ) SELECT DISTINCT * FROM words
        """
    )
    # A digest costs two SHA-256, and many people have one name: each is made once.
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE digests AS
        SELECT kind, words, identifier_token(kind, words) AS token FROM (SELECT DISTINCT kind, words FROM subjects)
        """
    )
    of_these = "true" if sources is None else "list_contains($sources::VARCHAR[], source)"
    given_sources = {} if sources is None else {"sources": list(sources)}
    found = KnownIdentifiers(
        numbers=connection.execute(
            f"SELECT DISTINCT joined::BIGINT AS number FROM (SELECT {joined_number} AS joined FROM {identity}) "
            "WHERE regexp_full_match(joined, '[0-9]{10}')"
        ).fetch_arrow_table(),
        tokens=connection.execute("SELECT DISTINCT token FROM digests").fetch_arrow_table(),
        names=connection.execute(
            "SELECT DISTINCT source, patient_ref, token FROM subjects JOIN digests USING (kind, words) "
            f"WHERE kind IN ('given', 'family') AND length(words) > 2 AND {of_these}",
            given_sources,
        ).fetch_arrow_table(),
        births=connection.execute(
            f"SELECT DISTINCT source, patient_ref, birth_date FROM {identity} WHERE birth_date IS NOT NULL AND {of_these}",
            given_sources,
        ).fetch_arrow_table(),
    )
    connection.execute("DROP TABLE named; DROP TABLE subjects; DROP TABLE digests")
    return found


def pair_sql(one: str, other: str) -> str:
    """What is digested of two words of a name, whichever comes first."""
    return f"least({one}, {other}) || ' ' || greatest({one}, {other})"


def address_keys_sql(plain: str, *, every: bool = False) -> str:
    """The places of a plain text that may be a line of an address, as a list: a number with the one or two words behind it.

    Two words where there are two, because "12 high" alone is no address. Where a comma or the end of the line stands behind the
    first ("40 Riverside, Thornfold") it is enough.

    Args:
        every: of a text, in which commas may be missing: with two words, and with one.
    """
    streets = " ".join(f"WHEN {literal(name)} THEN {literal(short)}" for name, short in _STREETS.items())
    # A comma behind the number parts nothing.
    lines = f"string_split_regex(regexp_replace({plain}, '([0-9][a-z]?)\\s*,', '\\1 ', 'g'), '[,;\n]')"
    parts = (
        f"list_transform({words_and_numbers_sql('line')}, lambda word: CASE word {streets} "
        "ELSE regexp_extract(word, '^[0-9]+|[a-z]+') END)"
    )
    places = (
        "list_filter(range(1, len(parts)), lambda place: regexp_full_match(parts[place], '[0-9]+') "
        "AND regexp_full_match(parts[place + 1], '[a-z]{2,}'))"
    )
    short = "parts[place] || ' ' || parts[place + 1]"
    long = (
        f"{short} || CASE WHEN regexp_full_match(parts[place + 2], '[a-z]+') THEN ' ' || parts[place + 2] ELSE '' END"
    )
    keys = f"list_transform({places}, lambda place: {long})"
    if every:
        keys = f"{keys} || list_transform({places}, lambda place: {short})"
    return f"flatten(list_transform({lines}, lambda line: list_transform([{parts}], lambda parts: {keys})[1]))"
