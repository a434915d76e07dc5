"""Words of closed lists, which are not searched for identifiers: what the hub reads itself must be there when it does.

Whoever is called as a code is would have it withheld from all others, and an opt-out or a diagnosis that was refuted would be none. Such a
word stands in a published list, in the source's declaration or in its mapping, so that in its column it tells of nobody.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable

from fairhaven.engine.sql import identifier, literals
from fairhaven.intake.fhir.code_lists import listed_codes
from fairhaven.intake.model import Format, Source
from fairhaven.omop.concepts import GENDER

_SEVERAL = ("category",)
"""Columns that hold words with blanks between them."""


def listed_words(source: Source) -> dict[str, dict[str, frozenset[str]]]:
    """Table -> landed column -> words of its list."""
    found = defaultdict[str, dict[str, frozenset[str]]](dict)

    def add(table: str, column: str, words: Collection[str]) -> None:
        found[table][column] = found[table].get(column, frozenset()).union(words)

    if source.format is Format.FHIR:
        found.update(listed_codes())
    for name, table in source.tables.items():
        if table.withdrawn_column:
            add(name, table.withdrawn_column, table.withdrawn_values)
        add(name, "sex", GENDER)
    for name, reads in (source.reads or {}).items():
        for column, words in (reads.words if reads else {}).items():
            add(name, column, words)
    if rule := source.type_1_opt_out:
        add(rule.table, rule.column, (*rule.opted_out, *rule.opted_in))
    return found


def all_listed_words(sources: Iterable[Source]) -> frozenset[str]:
    """Those of all columns of some sources, in small letters."""
    words = (words for source in sources for columns in listed_words(source).values() for words in columns.values())
    return frozenset(word.strip().lower() for listed in words for word in listed)


def is_listed_sql(column: str, words: Collection[str]) -> str:
    """SQL: whether a text is one of the words (of a category, several); in any case, as a rule may read it."""
    value = f"lower(trim({identifier(column)}))"
    listed = literals(*sorted({word.strip().lower() for word in words}))
    if column in _SEVERAL:
        return f"len(list_filter(string_split({value}, ' '), lambda word: word NOT IN ({listed}))) = 0"
    return f"{value} IN ({listed})"
