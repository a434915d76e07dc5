"""What is kept of identity records to know their values again in texts: numbers, and keyed tokens of everything else.

A token is the keyed digest of a kind and of plain words (`spellings`), 60 bits. Without the key nobody can tell from it a name, or
try one; with it two texts can be compared that nobody can read.

| kind | of what |
|---|---|
| family, given | each word of a name, and all its words as one |
| run | a word of the forename and one of the surname of one record, as one word, whichever is first |
| initial | the first letter of a word of the forename, a blank, and a word of the surname |
| postcode | the whole postcode |
| code | a postcode of five characters, which may be a Read code: of its own source's texts |
| address | the number of a house with the one or two words behind it |
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from types import MappingProxyType

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.engine.keyed_digest import define_pseudonym
from fairhaven.engine.sql import literal, literals
from fairhaven.identifiers.ordinary_words import code_of_words, define_ordinary_words, drop_ordinary_words
from fairhaven.identifiers.spellings import joined_sql, plain_sql, words_sql
from fairhaven.kernel.ids import SEPARATOR
from fairhaven.nhs.number import valid_nhs_number_sql

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
    "str": "st",
    "strt": "st",
    "aven": "ave",
    "crt": "ct",
    "cresc": "cres",
    "cr": "cres",
    "plc": "pl",
    "terr": "ter",
    "gdn": "gdns",
    "gdens": "gdns",
    "grv": "gr",
    "green": "grn",
    "boulevard": "blvd",
    "parade": "pde",
    "park": "pk",
    "walk": "wlk",
    "way": "wy",
    "hill": "hl",
    "house": "hse",
    "hs": "hse",
    "mews": "mws",
    "rise": "ri",
    "view": "vw",
    "saint": "st",
}
_PLACES = (
    *sorted(set(_STREETS.values())),
    "row", "yard", "end", "gate", "vale", "wharf", "bank", "mount", "field", "fields", "bridge", "common", "wood", "woods",
    "buildings", "cottages", "school", "post", "heath", "side", "meadow", "croft", "fold", "quay", "down",
)  # fmt: skip
"""What the last word of a street may be."""
_BEHIND_APOSTROPHE = "['`\u00b4\u02bc\u2018\u2019]([a-z]{3,})"
_TWO_LETTERS = {"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue", "\u00f8": "oe", "\u00e5": "aa"}
"""How letters are written where there are none of them."""
_NAMED = ("given_name", "family_name", "postcode", "address")
_NUMBERED = ("nhs_number", "birth_date")
_MOST_BIRTHS = 5
"""On how many days the records of one person may say that the person was born."""


_SOURCE, _PATIENT = ("source", pa.string()), ("patient_ref", pa.string())


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownIdentifiers:
    """The identifiers that a hub knows, in memory.

    Args:
        numbers: ``number`` (int64), valid NHS numbers.
        tokens: ``token`` (int64), of every kind, of anybody, for the texts of every source.
        births: ``source, patient_ref, birth_date``: each day that a record gives as the patient's birth.
        persons: ``source, patient_ref, person`` (int64): who is one person, by NHS number or, below 0, by the key of a person. Numbers
            are as the records have them, right or mistyped.
        doubtful: ``source, token``: of names and addresses that are made of ordinary words (`ordinary_words`), for the texts of the same
            source. Whoever makes them up would have those words withheld in what all others deliver.
        names: ``source, patient_ref, token``: the words of each patient's own names. A text that is nothing but such words is looked
            for in the texts of their own source: elsewhere somebody could make up a name for each code that is a word.
    """

    numbers: pa.Table
    tokens: pa.Table
    births: pa.Table
    persons: pa.Table
    doubtful: pa.Table
    names: pa.Table

    def __bool__(self) -> bool:
        """Whether there is anything to know somebody by."""
        return any(table.num_rows for table in (self.numbers, self.tokens, self.births, self.persons, self.doubtful))

    def believed_in(self, source: str) -> "KnownIdentifiers":
        """What is looked for in the texts of a source: of its own records everything, mistyped numbers and ordinary words, too."""
        own = self.persons.filter(
            pc.and_(pc.equal(self.persons["source"], source), pc.greater(self.persons["person"], 0))
        )
        mine = self.doubtful.filter(pc.equal(self.doubtful["source"], source))
        return replace(
            self,
            names=self.names.filter(pc.equal(self.names["source"], source)),
            numbers=pa.concat_tables([self.numbers, own.select(["person"]).rename_columns(["number"])]),
            tokens=pa.concat_tables([self.tokens, mine.select(["token"])]),
        )

    @classmethod
    def none(cls) -> "KnownIdentifiers":
        """Those of a hub that knows nobody."""
        return cls(
            numbers=pa.schema([("number", pa.int64())]).empty_table(),
            tokens=pa.schema([("token", pa.int64())]).empty_table(),
            births=pa.schema([_SOURCE, _PATIENT, ("birth_date", pa.date32())]).empty_table(),
            persons=pa.schema([_SOURCE, _PATIENT, ("person", pa.int64())]).empty_table(),
            doubtful=pa.schema([_SOURCE, ("token", pa.int64())]).empty_table(),
            names=pa.schema([_SOURCE, _PATIENT, ("token", pa.int64())]).empty_table(),
        )

    @classmethod
    def together(cls, parts: Sequence["KnownIdentifiers"]) -> "KnownIdentifiers":
        """Several together; what they have in common is there more than once."""
        named = {field.name: [getattr(part, field.name) for part in parts] for field in fields(cls)}
        return cls(**{name: pa.concat_tables(tables) for name, tables in named.items()})

    def written(self, stamp: str) -> bytes:
        """As bytes that `read` takes: streams of Arrow, one for each table.

        Args:
            stamp: of what they were made of, and with.
        """
        out = io.BytesIO()
        sources = (
            pa.chunked_array([*self.doubtful["source"].chunks, *self.names["source"].chunks], pa.string())
            .unique()
            .to_pylist()
        )
        for field in fields(self):
            table = getattr(self, field.name)
            table = table.replace_schema_metadata({"stamp": stamp, "sources": json.dumps(sources)})
            with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
                stream.write_table(table)
        return out.getvalue()

    @classmethod
    def read(cls, data: bytes, stamp: str, *, names_of: str) -> "KnownIdentifiers | None":
        """What was written; None where the stamp is another.

        Args:
            names_of: source whose own names are read, too, the doubtful and those of each patient; of others they are left out.
        """
        reader = pa.BufferReader(data)
        found: dict[str, pa.Table] = {}
        for field in fields(cls):
            stream = pa.ipc.open_stream(reader)
            metadata = stream.schema.metadata or {}
            if metadata.get(b"stamp") != stamp.encode() or b"sources" not in metadata:
                return None
            if field.name == "doubtful" and names_of not in json.loads(metadata[b"sources"]):
                found |= {"doubtful": cls.none().doubtful, "names": cls.none().names}
                break
            table = stream.read_all()
            found[field.name] = table.replace_schema_metadata(None)
        return cls(**found)


def define_token(connection: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Define the macros ``identifier_digest(text)`` and ``identifier_token(kind, words)``, a whole number, on a connection."""
    define_pseudonym(connection, "identifier_digest", key)
    connection.execute(
        "CREATE OR REPLACE MACRO identifier_token(kind, words) AS "
        f"('0x' || substr(identifier_digest(kind || {literal(SEPARATOR)} || words), 1, 15))::BIGINT"
    )


def known_identifiers(connection: duckdb.DuckDBPyConnection, identity: str, *, key: bytes) -> KnownIdentifiers:
    """What identity records are known by.

    Args:
        connection: one that spills nothing in plain.
        identity: relation with the columns of `linkage.model.IDENTITY_SCHEMA`.
    """
    counted = ", ".join(f"count({column})" for column in (*_NAMED, *_NUMBERED))
    [counts] = connection.execute(f"SELECT {counted} FROM {identity}").fetchall()
    found = KnownIdentifiers.none()
    # Most tables of a delivery name nobody: they are of events.
    if any(counts):
        found = replace(found, **_fetched(connection, _numbered(identity)))
    if any(counts[: len(_NAMED)]):
        define_token(connection, key)
        for statement in _statements(identity):
            connection.execute(statement)
        define_ordinary_words(connection, _WORDS)
        connection.execute(_DIGESTS)
        found = replace(found, **_fetched(connection, _OF_NAMES))
        connection.execute("DROP TABLE named; DROP TABLE subjects; DROP TABLE digests")
        drop_ordinary_words(connection)
    return found


def _fetched(connection: duckdb.DuckDBPyConnection, queries: Mapping[str, str]) -> dict[str, pa.Table]:
    return {name: connection.execute(query).fetch_arrow_table() for name, query in queries.items()}


def code_of_tokens() -> str:
    """A digest of what makes tokens of records: what was made by another is made again."""
    return sha256(
        "".join(
            (
                *_statements("identity"),
                _WORDS,
                _DIGESTS,
                *_numbered("identity").values(),
                *_OF_NAMES.values(),
                code_of_words(),
            )
        ).encode()
    ).hexdigest()


def _statements(identity: str) -> tuple[str, ...]:
    given, family, address = (plain_sql(name) for name in ("given_name", "family_name", "address"))
    named = f"""
        CREATE OR REPLACE TEMP TABLE named AS
        SELECT source, patient_ref, list_concat({_names_sql(given)}, {_other_spellings("given_name")}) AS given,
            list_concat({_names_sql(family)}, {_other_spellings("family_name")}) AS family,
            {joined_sql(plain_sql("postcode"))} AS postcode, {address_keys_sql(address)} AS addresses
        FROM (SELECT DISTINCT source, patient_ref, given_name, family_name, postcode, address FROM {identity})
        """
    return named, _SUBJECTS


def _is_ordinary_place(words: str) -> str:
    """SQL: whether a line of an address is a measure or a count of something ("2 type", "40 mg tablets"), and no street."""
    first, second = f"split_part({words}, ' ', 2)", f"split_part({words}, ' ', 3)"
    is_nothing = "length({0}) < 3 OR is_ordinary({0}) OR {0} IN (" + literals(*_PLACES) + ")"
    return (
        f"(({is_nothing.format(first)}) AND {second} NOT IN ({literals(*_PLACES)}) AND ({is_nothing.format(second)}))"
    )


def _with_streets_joined(keys: str) -> str:
    """Lines of an address, and those that end like a street also as one word, in all its forms: "12 highstreet"."""
    forms = {short: [short, *(name for name in _STREETS if _STREETS[name] == short)] for short in _STREETS.values()}
    ends = " ".join(f"WHEN {literal(short)} THEN [{literals(*names)}]" for short, names in forms.items())
    joined = (
        f"list_transform({keys}, lambda line: list_transform(CASE split_part(line, ' ', 3) {ends} END, "
        "lambda street: split_part(line, ' ', 1) || ' ' || split_part(line, ' ', 2) || street))"
    )
    return f"list_concat({keys}, flatten(list_filter({joined}, lambda found: found IS NOT NULL)))"


_SUBJECTS = f"""
CREATE OR REPLACE TEMP TABLE subjects AS
WITH pairs AS (
    SELECT source, patient_ref, given, unnest(family) AS family
    FROM (SELECT source, patient_ref, unnest(given) AS given, family FROM named)
), words AS (
    SELECT source, patient_ref, 'given' AS kind, unnest(given) AS words, NULL AS given, NULL AS family FROM named
    UNION ALL SELECT source, patient_ref, 'family', unnest(family), NULL, NULL FROM named
    UNION ALL SELECT source, patient_ref, 'run', unnest([given || family, family || given]), given, family FROM pairs
        WHERE length(given) > 1 AND length(family) > 1
    UNION ALL SELECT source, patient_ref, 'initial', left(given, 1) || ' ' || family, left(given, 1), family FROM pairs
        WHERE length(family) > 1
    UNION ALL SELECT source, patient_ref, 'postcode', postcode, NULL, NULL FROM named WHERE length(postcode) >= 5
    UNION ALL SELECT source, patient_ref, 'code', postcode, NULL, NULL FROM named WHERE length(postcode) = 5
    UNION ALL SELECT source, patient_ref, 'address', unnest({_with_streets_joined("addresses")}), NULL, NULL FROM named
) SELECT DISTINCT * FROM words WHERE length(words) > 1
"""
_WORDS = """
SELECT unnest([given, family, given || family, family || given]) AS word
FROM (SELECT DISTINCT given, family FROM subjects WHERE given IS NOT NULL)
UNION ALL SELECT unnest([split_part(words, ' ', 2), split_part(words, ' ', 3)]) FROM (SELECT DISTINCT words FROM subjects WHERE kind = 'address')
UNION ALL SELECT words FROM subjects WHERE kind IN ('given', 'family')
"""
"""Words of which it is asked whether they are ordinary."""
# A digest costs two SHA-256, and many people have one name: each is made once.
_DIGESTS = f"""
-- A surname that is a word of medicine is looked for behind no title elsewhere ("MS relapse"); beside a forename it may be a name.
INSERT INTO subjects SELECT DISTINCT source, patient_ref, 'given', words, NULL, NULL FROM subjects WHERE kind = 'family' AND is_medical(words);
CREATE OR REPLACE TEMP TABLE digests AS
SELECT kind, words, identifier_token(kind, words) AS token, bool_and(CASE kind
    WHEN 'run' THEN is_ordinary_name(given, family)
    WHEN 'initial' THEN is_ordinary(family) OR is_ordinary(given || family) OR is_ordinary(family || given)
    WHEN 'address' THEN {_is_ordinary_place("words")}
    WHEN 'code' THEN true WHEN 'family' THEN is_medical(words) ELSE false END) AS is_doubtful
FROM (SELECT DISTINCT kind, words, given, family FROM subjects) GROUP BY kind, words
"""


_OF_NAMES = MappingProxyType(
    {
        "tokens": "SELECT DISTINCT token FROM digests WHERE NOT is_doubtful",
        "doubtful": "SELECT DISTINCT source, token FROM subjects JOIN digests USING (kind, words) WHERE is_doubtful",
        "names": "SELECT DISTINCT source, patient_ref, token FROM subjects JOIN digests USING (kind, words) "
        "WHERE kind IN ('given', 'family') AND length(words) > 2",
    }
)


def _numbered(identity: str) -> dict[str, str]:
    numbered = f"(SELECT source, patient_ref, {joined_sql(plain_sql('nhs_number'))} AS joined FROM {identity})"
    return {
        "numbers": f"SELECT DISTINCT number::BIGINT AS number FROM (SELECT {valid_nhs_number_sql('joined')} AS number FROM {numbered}) "
        "WHERE number IS NOT NULL",
        "births": f"SELECT DISTINCT source, patient_ref, birth_date FROM {identity} WHERE birth_date IS NOT NULL",
        "persons": f"SELECT DISTINCT source, patient_ref, joined::BIGINT AS person FROM {numbered} "
        "WHERE regexp_full_match(joined, '[0-9]{10}')",
    }


def births_sql(births: str, persons: str) -> str:
    """Query: each patient with the days that records of the same person give; ``source, patient_ref, birth_date``.

    Args:
        births, persons: relations of `KnownIdentifiers`.
    """
    # Who bear one number and are born on many days are not one person: the number stands for none.
    return (
        f"WITH days AS (SELECT person, list(DISTINCT birth_date) AS days FROM {births} JOIN {persons} USING (source, patient_ref) "
        f"GROUP BY person HAVING count(DISTINCT birth_date) <= {_MOST_BIRTHS}) "
        f"SELECT source, patient_ref, birth_date FROM {births} "
        f"UNION SELECT source, patient_ref, unnest(days) FROM {persons} JOIN days USING (person)"
    )


def _names_sql(plain: str) -> str:
    """The words of a name, and all of them as one: "O Brien" is OBrien, and "Smith-Jones" is smithjones."""
    return f"list_append({words_sql(plain)}, array_to_string({words_sql(plain)}, ''))"


def _other_spellings(name: str) -> str:
    """Words by which somebody may be called, too: Reilly for O'Reilly, Mueller for Müller."""
    behind = f"regexp_extract_all(lower(strip_accents({name})), {literal(_BEHIND_APOSTROPHE)}, 1)"
    latin = f"lower({name})"
    for letter, spelled in _TWO_LETTERS.items():
        latin = f"replace({latin}, '{letter}', '{spelled}')"
    return f"list_concat({behind}, CASE WHEN regexp_matches(lower({name}), '[{''.join(_TWO_LETTERS)}]') THEN {words_sql(latin)} END)"


def address_keys_sql(plain: str, *, every: bool = False) -> str:
    """The places of a plain text that may be a line of an address, as a list: a number with the one or two words behind it.

    Two words where there are two, because "12 high" alone is no address. Where a comma or the end of the line stands behind the
    first ("40 Riverside, Thornfold") it is enough.

    Args:
        every: of a text, in which commas may be missing: with two words, and with one.
    """
    streets = " ".join(f"WHEN {literal(name)} THEN {literal(short)}" for name, short in _STREETS.items())
    # A comma behind the number parts nothing; another one, and the end of a line, stands between words like a word of its own.
    parts = f"regexp_extract_all(regexp_replace({plain}, '([0-9] ?[a-z]?)\\s*,', '\\1 ', 'g'), '[0-9]+|[a-z]+|[,;\n]')"
    line = f"array_to_string(list_transform({parts}, lambda word: CASE word {streets} ELSE word END), ' ')"
    # The letter behind a house's number is left out.
    keys = f"regexp_extract_all(regexp_replace({line}, '([0-9]) [a-z]( |$)', '\\1\\2', 'g'), '\\b[0-9]+ [a-z]{{2,}}(?: [a-z]+)?')"
    if not every:
        return keys
    # One search in the text and one in what was found: the steps grow as the text does.
    return f"list_concat({keys}, list_transform({keys}, lambda key: regexp_extract(key, '^[0-9]+ [a-z]+')))"
