"""Names of delivered files, which stand in the ledger for ever: one that tells of a patient is refused.

A day is not looked for: most files are named by the day of their extract, on which somebody was born.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import literals
from fairhaven.identifiers.known_identifiers import KnownIdentifiers
from fairhaven.identifiers.ordinary_words import ORDINARY_WORDS
from fairhaven.identifiers.spellings import plain_sql, unescaped_sql
from fairhaven.identifiers.texts_with_identifiers import find_texts
from fairhaven.intake.model import Format, Source
from fairhaven.intake.withheld_values import find_local_numbers
from fairhaven.kernel.errors import Fault
from fairhaven.nhs import valid_nhs_number

_LEAST_DIGITS = 4
"""A name with fewer has no number of anybody, no address that is one without words, and no postcode of words that are declared."""
_DIGITS = 10
_RUN = re.compile(r"[0-9](?:[^0-9a-z]*[0-9])*")
_GROUPS = [3, 3, 4]
_DATED = re.compile(
    r"(?:19|20)[0-9]{2}[^0-9a-z](?:0[1-9]|1[0-2])[^0-9a-z][0-3][0-9]|[0-3][0-9][^0-9a-z](?:0[1-9]|1[0-2])[^0-9a-z](?:19|20)[0-9]{2}"
)
_MEMBERS = ("file ", "table ")
_ESCAPES = "&%\\"
_WORD = re.compile(r"[^\W\d_]+")
_USUAL = frozenset(
    (
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
        "january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december",
        "csv", "txt", "tsv", "dat", "gz", "zip", "json", "ndjson", "parquet", "duckdb", "db", "xml", "file", "table", "empty",
        "patient", "patients", "person", "persons", "bundle", "group", "location", "encounter", "extract", "export", "part",
    )
) | frozenset(ORDINARY_WORDS)  # fmt: skip


def numbered_names(names: Sequence[str]) -> Iterator[Fault]:
    """A fault for each name in which a valid NHS number stands, in digits of any script and with anything between them.

    A day with two digits behind it ("2026-01-31-01") is none, though one in eleven has the check digit of one.
    """
    for place in _numbered(names):
        yield _fault(place, len(names), "a number that is a valid NHS number")


def telling_names(
    names: Sequence[str],
    inside: Collection[str],
    source: Source,
    known: KnownIdentifiers,
    local_numbers: pa.Table,
    *,
    key: bytes,
) -> Iterator[Fault]:
    """A fault for each name in which an identifier stands of somebody whom the hub or the delivery knows.

    That is what `find_texts` finds of anybody; of the source's own patients a forename or surname alone, too, where it is no ordinary
    word and none of the source's declaration; and a number by which the delivery knows a patient.

    Args:
        inside: names of what the files hold and is not taken: headers; of a CDM also files and tables ("file notes.doc"). Receipts
            and records have them. In headers a number alone is looked for: the words that name columns are people's names, too.
        known: with what the delivery says.
        local_numbers: ``patient_ref, number`` of the delivery.
        key: of the tokens.
    """
    within = [name.partition(" (rows: ")[0] for name in sorted(inside)]
    members = [name for name in within if source.format is Format.OMOP and name.startswith(_MEMBERS)]
    telling = _telling([*names, *members], source, known, local_numbers, key=key)
    for place in telling:
        if place <= len(names):
            yield _fault(place, len(names), "a name, a number, a postcode or an address of a patient")
    if _numbered(within) or any(place > len(names) for place in telling):
        yield Fault(
            message="a file, table or column within the delivery, none of those that are taken, has a name that holds an NHS number or "
            "tells of a patient. Such names are kept with the delivery, so nothing was taken. Rename it, or deliver without it."
        )


def _numbered(names: Sequence[str]) -> list[int]:
    """Places, from 1, of the names that hold a valid NHS number."""
    if not any(_digits(name) >= _DIGITS or any(sign in name for sign in _ESCAPES) for name in names):
        return []
    with open_duckdb(spill=None, threads=1, keeps_order=True) as connection:
        connection.register("names", _table("name", names))
        plain = plain_sql("unescaped")
        read = f"SELECT {plain} FROM (SELECT {unescaped_sql('name')} AS unescaped FROM names)"
        found = [text for (text,) in connection.execute(read).fetchall()]
    return [place for place, name in enumerate(found, start=1) if any(map(_holds_nhs_number, _RUN.findall(name)))]


def _telling(
    names: Sequence[str], source: Source, known: KnownIdentifiers, local_numbers: pa.Table, *, key: bytes
) -> list[int]:
    """Places, from 1, of the names that tell of a patient."""
    usual = _USUAL | _declared(source)
    forms = {name: _forms(name) for name in names if _may_tell(name, usual)}
    if not forms or not (known or local_numbers.num_rows):
        return []
    with open_duckdb(spill=None, threads=1, keeps_order=True) as connection:
        connection.register("forms", _table("text", [text for form in forms.values() for text in form]))
        believed = known.believed_in(source.name)
        find_texts(connection, "forms", believed, key=key)
        connection.register("given_numbers_of_patients", local_numbers)
        connection.execute("CREATE TEMP TABLE local_numbers AS FROM given_numbers_of_patients")
        find_local_numbers(connection)
        told = _told(connection, believed, usual)
    return [place for place, name in enumerate(names, start=1) if told.intersection(forms.get(name, ()))]


def _told(connection: duckdb.DuckDBPyConnection, known: KnownIdentifiers, usual: frozenset[str]) -> set[str]:
    connection.register("own_names", known.names)
    alone = f"""
        SELECT text FROM (SELECT text, unnest(words) AS word FROM worded) SEMI JOIN (
            SELECT word FROM named_words SEMI JOIN own_names USING (token)
            WHERE length(word) > 2 AND word NOT IN ({literals(*sorted(usual))})
        ) USING (word)
        """
    return {text for (text,) in connection.execute(f"FROM texts_with_identifiers UNION {alone}").fetchall()}


def _fault(place: int, files: int, what: str) -> Fault:
    return Fault(
        message=f"the name of file {place} of {files} (in the order given; in a folder, by name) holds {what}. Names of files are "
        "kept for ever, and no erasure reaches them, so nothing was taken. Rename the file, for example by what it is and its "
        "month (events_2026-01.csv), and deliver it again."
    )


def _holds_nhs_number(run: str) -> bool:
    """Of a run of digits with anything between them: in one piece, in the three groups that forms have, or all of it, which is no day."""
    groups = re.findall("[0-9]+", run)
    threes = ["".join(groups[at : at + 3]) for at in range(len(groups)) if [*map(len, groups[at : at + 3])] == _GROUPS]
    whole = [] if _DATED.match(run) else ["".join(groups)]
    return any(map(valid_nhs_number, (*groups, *threes, *whole)))


def _digits(name: str) -> int:
    return sum(unicodedata.digit(character, None) is not None for character in name)


def _may_tell(name: str, usual: frozenset[str]) -> bool:
    """Whether there is anything in it but words of the declaration and a few digits."""
    return _digits(name) >= _LEAST_DIGITS or bool({word.casefold() for word in _WORD.findall(name)} - usual)


def _forms(name: str) -> tuple[str, ...]:
    """The name, without its endings, and with its words apart where capitals alone part them."""
    stem = name.split(".", 1)[0] or name
    return (name, stem, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", stem))


def _declared(source: Source) -> frozenset[str]:
    """The words of a declaration: what files are called by it tells of no patient."""
    patterns = [pattern for table in source.tables.values() for pattern in table.files]
    texts = [source.name, source.title, source.controller, source.kind, *source.tables, *patterns]
    return frozenset(word.casefold() for text in texts for word in _WORD.findall(text))


def _table(column: str, texts: Sequence[str]) -> pa.Table:
    return pa.table({column: pa.array(texts, pa.string())})
