"""Which tables' lines a page may tell of: how many were received, what kept some back, how many are in use.

A line may be a person (a patient, a registered death), so lines are protected as persons are. And rows of the release were made of lines in
use: beside these they tell how few became none, and beside lines received how few were kept back. Of a table whose lines
would tell so nothing is said, and no sum has them.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from fairhaven.disclosure import Policy, Protected, hidden, lacks_few, protect
from fairhaven.harmonise import LEFT_OUT
from fairhaven.journeys.releases.row_chains import RowChain, row_chains
from fairhaven.release.facts import ReleaseFacts, RowFlow
from fairhaven.release.row_counts import SourceRows

_KEPT_BACK = ("quarantined", "opted_out", "withdrawn", "superseded")


@dataclass(kw_only=True, slots=True)
class _Untold:
    """Tables of a source of which nothing is said, and reasons of which it is not said how many lines they kept out."""

    tables: set[str]
    reasons: set[str] = field(default_factory=set)


class ProtectedLines:
    """Lines of a release's extracts beside its rows, its persons, and each other.

    Args:
        written: rows of the release by source and table.
        unsaid: (source, table of the release) of which rows are hidden.
        persons: counts of persons that stand on the page: source -> of those that it knows, and of all under an empty name.
    """

    def __init__(
        self,
        facts: ReleaseFacts,
        written: Sequence[SourceRows],
        policy: Policy,
        *,
        unsaid: Collection[tuple[str, str]],
        persons: Mapping[str, Sequence[int]],
    ) -> None:
        self._facts, self._persons, self._policy, self._unsaid = facts, persons, policy, unsaid
        self._flows: dict[str, list[RowFlow]] = {}
        for flow in sorted(facts.row_flow, key=lambda flow: (-flow.received, flow.table)):
            self._flows.setdefault(flow.source, []).append(flow)
        self._written = {
            source: {row.cdm_table: row.rows for row in written if row.source == source} for source in self._flows
        }
        self._chains = {source: row_chains(facts, source, made) for source, made in self._written.items()}
        self._left = Counter[tuple[str, str]]()
        for outcome in facts.rule_outcomes:
            if outcome.outcome in LEFT_OUT:
                self._left[outcome.source, outcome.outcome] += outcome.rows

    @cached_property
    def told(self) -> tuple[RowFlow, ...]:
        """The tables of which lines may be told."""
        return tuple(flow for flow in self._facts.row_flow if flow.table not in self._untold[flow.source].tables)

    def is_in_use_known(self, source: str, table: str) -> bool:
        """Whether rows of the release say how many lines are in use, within a few: to hide that hides nothing."""
        return bool(self._saying(source, table))

    def left_out(self) -> Mapping[tuple[str, str], Protected]:
        """(Source, reason) -> landed rows that became no row of the release, as they may be shown."""
        found = {place: protect(rows, self._policy) for place, rows in self._left.items()}
        unknown = hidden(self._policy, is_one_of_several=True)
        return {
            (source, reason): unknown if source in self._untold and reason in self._untold[source].reasons else rows
            for (source, reason), rows in found.items()
        }

    def _saying(self, source: str, table: str) -> list[RowChain]:
        least = self._policy.threshold
        chains = [chain for chain in self._chains[source] if table in chain.tables and chain.is_one_each]
        return [chain for chain in chains if chain.unsaid < least <= sum(chain.made.values())]

    @cached_property
    def _untold(self) -> Mapping[str, _Untold]:
        return {source: self._untold_of(source) for source in self._flows}

    def _untold_of(self, source: str) -> _Untold:
        found = _Untold(tables={flow.table for flow in self._flows[source] if self._tells(source, flow)})
        # A patient is a line of several tables: of two that lie close the one with fewer lines is not told.
        said = list(self._persons.get("", ())) + list(self._persons.get(source, ()))
        for flow in self._flows[source]:
            if flow.table not in found.tables and self._may_be_persons(flow):
                if any(self._is_close(lines, other) for lines in _lines(flow) for other in said):
                    found.tables.add(flow.table)
                else:
                    said += _lines(flow)
        for chain in self._chains[source]:
            if chain.is_one_each:
                is_telling = self._leaves_few(source, chain, found.reasons)
                if is_telling and found.tables.isdisjoint(chain.tables):
                    found.tables.add(list(chain.tables)[-1])
        return found

    def _leaves_few(self, source: str, chain: RowChain, unsaid: set[str]) -> bool:
        """Whether lines in use and rows made of them tell one of the other, or how few became none, for one reason or in all.

        What is left of lines is known, and so are the reasons that are said. Those of few lines are made *unsaid*, and further ones where that will do.
        """
        policy, has_unsaid_rows = self._policy, any((source, table) in self._unsaid for table in chain.made)
        if chain.unsaid >= policy.threshold:
            return False
        if not policy.secondary:
            is_few = policy.is_small(chain.others) and chain.others > 0
            return has_unsaid_rows or (is_few and self._is_rest_told(source, chain, list(chain.made.values())))
        few = {reason for reason, rows in chain.left.items() if policy.is_small(rows)}
        parts = [chain.left[reason] for reason in chain.left if reason in few | unsaid]
        others = sorted((rows, reason) for reason, rows in chain.left.items() if reason not in few | unsaid)
        unsaid |= few
        if has_unsaid_rows or 0 < chain.others < policy.threshold:  # lines in use would say what is hidden
            return True
        while few and (len(parts) == 1 or sum(parts) - len(parts) + 1 < policy.threshold - 1):
            if not others:
                return True
            rows, reason = others.pop(0)
            parts.append(rows)
            unsaid.add(reason)
        return False

    def _tells(self, source: str, flow: RowFlow) -> bool:
        """Whether the lines of a table are few, or tell of few beside the rows that were made of them."""
        if flow.received and self._policy.is_small(flow.received):
            return True
        made = self._written[source].values()
        if any(lacks_few(rows, lines, self._policy) for rows in made if rows for lines in _lines(flow)):
            return True
        return self.is_in_use_known(source, flow.table) and self._has_no_room(flow)

    def _has_no_room(self, flow: RowFlow) -> bool:
        """Whether some fate of a few lines is what those in use and the other fates leave of those received."""
        policy, parts = self._policy, [part for fate in _KEPT_BACK if (part := getattr(flow, fate))]
        few = [part for part in parts if policy.is_small(part)]
        if not few:
            return False
        if policy.secondary:  # the other fates are hidden with it
            return len(parts) == 1 or sum(parts) - (len(parts) - 1) < policy.threshold - 1
        return any(
            self._is_rest_told(flow.source, chain, [*chain.made.values(), *chain.left.values()], but_one=True)
            for chain in self._saying(flow.source, flow.table)
        )

    def _is_rest_told(self, source: str, chain: RowChain, rows: Sequence[int], *, but_one: bool = False) -> bool:
        """Whether, where all is rounded, lines received less those kept back and these *rows* are less than anything under the threshold.

        Args:
            but_one: the rest is one of the small fates itself.
        """
        policy = self._policy
        flows = [flow for flow in self._flows[source] for _ in range(chain.tables.get(flow.table, 0))]
        parts = [part for flow in flows for fate in _KEPT_BACK if (part := getattr(flow, fate))]
        parts += [part for part in rows if part]
        few = sum(map(policy.is_small, parts)) - but_one
        minus = [part for part in parts if not policy.is_small(part)]
        left = sum(policy.rounded(flow.received) for flow in flows) - sum(map(policy.rounded, minus))
        lower, higher = policy.half_width, policy.round_to - 1 - policy.half_width
        least = left - lower * len(flows) - higher * len(minus) - few * (policy.threshold - 1)
        most = left + higher * len(flows) + lower * len(minus) - few
        return most < policy.threshold - 1 or least > 1

    def _may_be_persons(self, flow: RowFlow) -> bool:
        """Where a source has clearly more lines than patients, some of these have several."""
        patients = self._facts.linkage.sources.get(flow.source, 0)
        return 0 < flow.current < patients + self._policy.threshold

    def _is_close(self, one: int, other: int) -> bool:
        return lacks_few(min(one, other), max(one, other), self._policy)


def _lines(flow: RowFlow) -> tuple[int, ...]:
    """Those of which a page says how many they are, whatever became of them afterwards."""
    return flow.received, flow.landed, flow.current
