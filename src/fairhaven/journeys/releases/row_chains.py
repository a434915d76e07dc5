"""Lines in use and the rows of the release that rules made of them: what of the two a reader can compare."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from fairhaven.harmonise import JOINED, LEFT_OUT, SAID_OF_ROWS
from fairhaven.release.facts import ReleaseFacts

_OF_NO_SOURCE = frozenset({"person", "care_site", "location", "provider"})
"""Targets whose rows no page tells by source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowChain:
    """Tables of a source of which rules make the same tables of the release.

    Args:
        tables: the source's, those with most lines in use first -> how many rows each line makes, one where only some make any.
        lines: in use, so many times.
        made: tables of the release -> rows of theirs.
        left: reason (`harmonise.LEFT_OUT`) -> lines that became no row.
        is_one_each: no line is known to be several rows, so that lines less rows are those that are no row of their own.
    """

    tables: Mapping[str, int]
    lines: int
    made: Mapping[str, int]
    left: Mapping[str, int]
    is_one_each: bool

    @property
    def others(self) -> int:
        """Lines that are no row of their own."""
        return self.lines - sum(self.made.values())

    @property
    def unsaid(self) -> int:
        """Of these, those of which a page gives no reason: they are in the row of another, or no rule reads them."""
        return self.others - sum(self.left.values())


def row_chains(facts: ReleaseFacts, source: str, written: Mapping[str, int]) -> list[RowChain]:
    """The chains of a source. Lines that none of their rules takes are in `RowChain.unsaid`.

    Args:
        written: table of the release -> rows that come from the source today, an erasure since the build counted in.
    """
    in_use = {flow.table: flow.current for flow in facts.row_flow if flow.source == source}
    rules = {rule.number: rule for rule in facts.rules if rule.source == source and rule.table in in_use}
    outcomes: dict[int, Counter[str]] = {}
    for each in facts.rule_outcomes:
        if each.rule in rules and each.rows and each.outcome not in SAID_OF_ROWS:
            outcomes.setdefault(each.rule, Counter())[each.outcome] += each.rows
    ends = {
        number: {end for end in (*found, rules[number].target) if end in written} for number, found in outcomes.items()
    }
    return [
        _chain(
            {number: rules[number].table for number in together},
            in_use,
            outcomes,
            made={table: written[table] for table in tables},
            is_said=any(rules[number].target not in _OF_NO_SOURCE for number in together),
        )
        for together, tables in _together(ends)
    ]


def _chain(
    table_of: Mapping[int, str],
    in_use: Mapping[str, int],
    outcomes: Mapping[int, Counter[str]],
    *,
    made: Mapping[str, int],
    is_said: bool,
) -> RowChain:
    whole = Counter(table for number, table in table_of.items() if outcomes[number].total() == in_use[table])
    largest = sorted(set(table_of.values()), key=lambda table: (-in_use[table], table))
    tables = {table: max(whole[table], 1) for table in largest}
    lines = sum(in_use[table] * times for table, times in tables.items())
    left = Counter[str]()
    others = lines - sum(made.values())
    for number in table_of:
        left.update({why: count for why, count in outcomes[number].items() if why in LEFT_OUT})
        others -= sum(count for why, count in outcomes[number].items() if why in (*LEFT_OUT, JOINED))
    return RowChain(
        tables=tables,
        lines=lines,
        made=made,
        left=left,
        is_one_each=is_said and others >= 0,
    )


def _together(ends: Mapping[int, Collection[str]]) -> Iterable[tuple[set[int], set[str]]]:
    """Rules with the tables that they fill: those that share one, and those that share one with these."""
    found: list[tuple[set[int], set[str]]] = []
    for number, tables in ends.items():
        joined = [each for each in found if each[1] & set(tables)]
        found = [each for each in found if each not in joined]
        found.append(({number}.union(*(each[0] for each in joined)), set(tables).union(*(each[1] for each in joined))))
    return found
