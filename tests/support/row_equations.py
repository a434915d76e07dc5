"""What a reader who knows a hub's mappings can say of its rows: lines in use are rows of the release, and lines that became none."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from fairhaven.pages.kit.figures import spoken
from fairhaven.pages.release.labels import REASONS
from fairhaven.release.facts import ReleaseFacts

_SAID_BESIDE = "code that a spreadsheet"


@dataclass(frozen=True, kw_only=True)
class RowEquation:
    """Lines in use of some tables of a source are as many as rows of some tables of the release, and what is left.

    Args:
        source: its title; tables: with how many rows each line makes.
        made: tables of the release; reasons: why lines are none of their rows, in the page's words.
        is_all: nothing else is left; what else may be has no number on the page.
        left: lines that are none of these rows, in truth.
    """

    source: str
    tables: dict[str, int]
    made: frozenset[str]
    reasons: frozenset[str] = frozenset()
    is_all: bool = True
    left: int = 0


def row_equations(facts: ReleaseFacts, cdm_tables: Collection[str]) -> list[RowEquation]:
    """Those of a release: rules that fill the same tables are taken together.

    Args:
        cdm_tables: of which the page says the rows by source.
    """
    titles = {source.name: source.title for source in facts.sources}
    in_use = {(flow.source, flow.table): flow.current for flow in facts.row_flow}
    rules = {rule.number: rule for rule in facts.rules}
    outcomes: dict[int, Counter[str]] = {}
    for each in facts.rule_outcomes:
        if each.rule and not each.outcome.startswith(_SAID_BESIDE):
            outcomes.setdefault(each.rule, Counter())[each.outcome] += each.rows
    fills = {
        number: (rules[number].source, {table for table in (*found, rules[number].target) if table in cdm_tables})
        for number, found in outcomes.items()
    }
    left, equations = {number for number, (_, made) in fills.items() if made}, []
    while left:
        mine, made = {left.pop()}, set[str]()
        source = rules[next(iter(mine))].source
        while True:
            made = set[str]().union(*(fills[number][1] for number in mine))
            more = {number for number in left if fills[number][0] == source and fills[number][1] & made}
            if not more:
                break
            mine |= more
            left -= more
        tables = Counter(rules[number].table for number in mine)
        whole = Counter(
            rules[number].table for number in mine if outcomes[number].total() == in_use[source, rules[number].table]
        )
        times = {table: max(whole[table], 1) for table in tables}
        why = {outcome for number in mine for outcome in outcomes[number]} - {*cdm_tables, "one with another row"}
        accounted = sum(outcomes[number][outcome] for number in mine for outcome in (*made, *why))
        lines = sum(in_use[source, table] * many for table, many in times.items())
        if lines >= accounted:
            equations.append(
                RowEquation(
                    source=titles.get(source, source),
                    tables=times,
                    made=frozenset(made),
                    reasons=frozenset(REASONS.get(reason, spoken(reason)) for reason in why),
                    is_all=lines == accounted,
                    left=lines - sum(outcomes[number][table] for number in mine for table in made),
                )
            )
    return equations
