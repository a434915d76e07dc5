"""Rows on their way, as the hub's policy lets them be shown: one table of what became of them, one of what each source wrote to each table.

Of which tables lines may be told `protected_lines` says. What became of them is a table of source, table and fate, protected as one under a policy that asks
for it: received is known, so a hidden fate would otherwise be what is left of it. Likewise a table's rows by source, mapped and not, and a source's events by
year: each stands on the page with its totals.
"""

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product

from fairhaven.disclosure import (
    ALL,
    Cell,
    Groups,
    Policy,
    Protected,
    hidden,
    lacks_few,
    protect_crosstab,
    protect_table,
    shown,
)
from fairhaven.journeys.releases.release_report import (
    CountAndShare,
    QuarantineShown,
    RowsShown,
    SourceFlow,
    TableFlow,
    WrittenTable,
)
from fairhaven.release.facts import QuarantinedRows, RowFlow, SourceFacts
from fairhaven.release.row_counts import SourceRows, YearRows

_QUARANTINED, _OPTED_OUT, _WITHDRAWN, _SUPERSEDED, _CURRENT = _FATES = (
    "quarantined",
    "opted_out",
    "withdrawn",
    "superseded",
    "current",
)
_LOST = {"quarantined": (_QUARANTINED,), "opted-out": (_OPTED_OUT,), "replaced": (_WITHDRAWN, _SUPERSEDED)}
"""What keeps rows back, in the words of the page."""
Key = tuple[Hashable, ...]
_MAPPED, _UNMAPPED = "mapped", "unmapped"


class ProtectedCounts:
    """Counts by keys of one length, protected as one table, with the sums over any of its dimensions.

    Args:
        counts: those that there are; structural: combinations that there cannot be, as everybody knows.
        worth: what hiding a count or sum costs, as `protect_crosstab` has it.
    """

    def __init__(
        self,
        counts: Mapping[Key, int | Cell],
        policy: Policy,
        *,
        structural: Collection[Key] = (),
        worth: Callable[[Key], float] | None = None,
    ) -> None:
        self._policy = policy
        # Lines of files are no group of persons of whom something is told because all share it.
        rule = replace(policy, groups=Groups.TELL)
        self._table = protect_crosstab(counts, rule, structural=structural, worth=worth)
        self._rows = {key: count.rows if isinstance(count, Cell) else count for key, count in counts.items()}

    def of(self, *key: Hashable) -> Protected:
        """A cell, or the sum over the dimensions where the key has `ALL`: the true one where it may be known, or all of it is shown."""
        if ALL not in key:
            return self._table.cells[key]
        within = [each for each in self._rows if all(part in (ALL, at) for part, at in zip(key, each, strict=True))]
        if self._policy.secondary and key in self._table.may_be_known:
            return shown(sum(self._rows[cell] for cell in within))
        found = [self._table.cells[cell].value for cell in within]
        known = [value for value in found if value is not None]
        return shown(sum(known)) if len(known) == len(found) else hidden(self._policy, is_one_of_several=True)


class ProtectedFates:
    """What became of the rows of tables of which that may be told, by source, table and fate, with the sums over a source's tables and over all.

    Rows received are known by source and table. Tables of a source are told apart by their place among them, the largest first:
    sums over the tables that have the same place are said nowhere, so that the room of one source can serve another.
    """

    def __init__(
        self,
        flows: Sequence[RowFlow],
        policy: Policy,
        *,
        is_in_use_known: Callable[[str, str], bool] = lambda *_: False,
    ) -> None:
        self.flows, self._policy = tuple(flows), policy
        ranked: dict[str, list[RowFlow]] = {}
        for flow in sorted(flows, key=lambda flow: (-flow.received, flow.table)):
            ranked.setdefault(flow.source, []).append(flow)
        self._places = {
            (flow.source, flow.table): place for tables in ranked.values() for place, flow in enumerate(tables)
        }
        counts: dict[Key, int] = {
            (flow.source, self._places[flow.source, flow.table], fate): getattr(flow, fate)
            for flow in flows
            for fate in _FATES
        }
        pairs = product(ranked, range(max(map(len, ranked.values()), default=0)))
        absent = [(*pair, fate) for pair in pairs for fate in _FATES if (*pair, fate) not in counts]
        fixed = {
            (source, place, _CURRENT)
            for (source, table), place in self._places.items()
            if is_in_use_known(source, table)
        }
        self._counts = (
            ProtectedCounts(
                counts,
                policy,
                structural=absent,
                worth=lambda key: math.inf if key in fixed else _worth_of_fate(key),
            )
            if counts
            else None
        )

    def of(self, source: Hashable, table: Hashable, fate: str) -> Protected:
        """Rows of a fate; of all sources, or of all tables of one, for `ALL`. Of tables of which nothing is told it is not known."""
        place = ALL if table is ALL else self._places.get((str(source), str(table)))
        is_told = source is ALL or any(known == source for known, _ in self._places)
        if self._counts is None or place is None or not is_told:
            return hidden(self._policy, is_one_of_several=True)
        return self._counts.of(source, place, fate)

    def received(self, source: Hashable, table: Hashable) -> Protected:
        """Rows received, likewise: a line may be a person, so they are rounded as persons are."""
        lines = [
            self._policy.rounded(flow.received)
            for flow in self.flows
            if source in (ALL, flow.source) and table in (ALL, flow.table)
        ]
        return shown(sum(lines)) if lines else hidden(self._policy, is_one_of_several=True)


def _worth_of_fate(key: Key) -> float:
    """What a page loses where a number of rows is hidden: a sum stands in its first sentence, in the picture and in two tables."""
    source, place, fate = key
    if fate is ALL:
        return 0.0 if source is ALL and place is not ALL else math.inf
    if place is not ALL:
        return 0.0 if source is ALL else 1.0
    # Rows in use are said once; those kept back are a sum of two fates at times, which is lost with either.
    return (6.0 if source is ALL else 1.0) if fate == _CURRENT else 24.0 if source is ALL else 6.0


def protected_rows(
    fates: ProtectedFates,
    flows: Sequence[RowFlow],
    by_table: Mapping[str, Mapping[str, WrittenTable]],
    listed: Sequence[SourceFacts],
    policy: Policy,
) -> RowsShown:
    """What became of the rows received, and what each source wrote to each table.

    Args:
        fates: of those of these flows of which they may be told.
        by_table: as `protected_written` says.
    """
    made = tuple(rows[""] for rows in by_table.values())
    # Of the tables that are shown: the others would be what is left of a true sum.
    rows_made = sum(table.rows.value or 0 for table in made)
    unmapped = sum(table.unmapped.count.value or 0 for table in made)
    known = {source.name: source for source in listed}
    names = {flow.source for flow in flows}
    total = _table_flow(fates, ALL, ALL, policy)
    return RowsShown(
        sources=tuple(
            SourceFlow(
                source=known.get(name) or SourceFacts(name=name, title=name, kind="cdm", controller=""),
                received=fates.received(name, ALL),
                lost=(lost := {reason: _lost(fates, name, reason, policy) for reason in _LOST}),
                in_use=_less(fates.received(name, ALL), _sum(list(lost.values()), policy), policy),
                written={table: each[name].rows for table, each in by_table.items() if name in each},
            )
            for name in dict.fromkeys([*known, *(flow.source for flow in flows)])
            if name in names
        ),
        by_table=tuple(_table_flow(fates, flow.source, flow.table, policy) for flow in flows),
        total=total,
        lost={reason: rows for reason in _LOST if (rows := _lost(fates, ALL, reason, policy)).value != 0},
        in_use=total.current,
        made=rows_made,
        unmapped=unmapped / rows_made if rows_made else 0.0,
        tables=made,
        written=tuple(row for each in by_table.values() for source, row in each.items() if source),
    )


def protected_years(rows: Iterable[YearRows], policy: Policy) -> Mapping[str, Mapping[int, Protected]]:
    """Event rows by source and year; rows of a year over all sources, and of a source over all years, stand elsewhere on the page.

    Rows without a day are not said, and would be what is left of a source's.
    """
    listed = sorted(rows, key=lambda row: (row.year is None, row.year or 0))
    if not listed:
        return {}
    cells: dict[Key, Cell] = {(row.source, row.year): Cell(rows=row.rows, persons=row.persons) for row in listed}
    found = ProtectedCounts(cells, policy)
    years: dict[str, dict[int, Protected]] = {}
    for row in listed:
        if row.year is not None:
            years.setdefault(row.source, {})[row.year] = found.of(row.source, row.year)
    return years


def protected_quarantine(
    fates: ProtectedFates | None, rows: Sequence[QuarantinedRows], flows: Sequence[RowFlow], policy: Policy
) -> tuple[QuarantineShown, ...]:
    """Lines set aside by reason. Those of a table add up to its lines in quarantine, and are hidden where these are.

    Args:
        fates: of those of these flows of which they may be told; None where a release says of no rows what became of them.
    """
    known = {(flow.source, flow.table) for flow in flows}
    found: list[QuarantineShown] = []
    for source, table in dict.fromkeys((row.source, row.table) for row in rows):
        mine = [row for row in rows if (row.source, row.table) == (source, table)]
        cells = protect_table({place: row.rows for place, row in enumerate(mine)}, policy).cells
        is_hidden = bool(fates and (source, table) in known and fates.of(source, table, _QUARANTINED).is_hidden)
        unknown = hidden(policy, is_one_of_several=True)
        found += [
            QuarantineShown(
                source=source,
                table=table,
                field=row.field,
                reason=row.reason,
                rows=unknown if is_hidden else cells[place],
            )
            for place, row in enumerate(mine)
        ]
    return tuple(sorted(found, key=lambda row: (-(row.rows.value or 0), row.source, row.table, row.field, row.reason)))


def _lost(fates: ProtectedFates, source: Hashable, reason: str, policy: Policy) -> Protected:
    parts = [fates.of(source, ALL, fate) for fate in _LOST[reason]]
    return _sum(parts, policy)


def _table_flow(fates: ProtectedFates, source: Hashable, table: Hashable, policy: Policy) -> TableFlow:
    """Of one table of a source, or of all of which anything is told."""
    received = fates.received(source, table)
    found = {fate: fates.of(source, table, fate) for fate in _FATES}
    lost = [found[fate] for fate in _FATES[:-1]]
    return TableFlow(
        source="" if source is ALL else str(source),
        table="" if table is ALL else str(table),
        received=received,
        quarantined=found[_QUARANTINED],
        opted_out=found[_OPTED_OUT],
        landed=_less(received, _sum([found[_QUARANTINED], found[_OPTED_OUT]], policy), policy),
        withdrawn=found[_WITHDRAWN],
        superseded=found[_SUPERSEDED],
        # Where counts are rounded, or small ones said to be 0, the true rest would tell them.
        current=found[_CURRENT] if policy.secondary else _less(received, _sum(lost, policy), policy),
    )


def _sum(parts: Sequence[Protected], policy: Policy) -> Protected:
    values = [part.value for part in parts if part.value is not None]
    return shown(sum(values)) if len(values) == len(parts) else hidden(policy, is_one_of_several=True)


def _less(rows: Protected, lost: Protected, policy: Policy) -> Protected:
    """Rows without those that are shown to be lost."""
    if rows.value is None or lost.value is None:
        return hidden(policy, is_one_of_several=True)
    return shown(max(rows.value - lost.value, 0))


def protected_written(
    written: Sequence[SourceRows], everybody: int, policy: Policy
) -> Mapping[str, Mapping[str, WrittenTable]]:
    """Table -> source -> rows of it, and of all sources under an empty name.

    Args:
        everybody: persons of the release, which stand on the same page.
    """
    return {
        table: _written([row for row in written if row.cdm_table == table], everybody, policy)
        for table in dict.fromkeys(row.cdm_table for row in written)
    }


def _written(rows: Sequence[SourceRows], everybody: int, policy: Policy) -> Mapping[str, WrittenTable]:
    """A table's rows by source, and of all sources under the empty name."""
    counts: dict[Key, int] = {}
    for row in rows:
        counts[row.source, _MAPPED] = row.rows - row.unmapped
        counts[row.source, _UNMAPPED] = row.unmapped
    found = ProtectedCounts(counts, policy)
    # A row may be all that there is of a person, and a table's rows by source give each other away.
    made: dict[Hashable, int] = {ALL: sum(row.rows for row in rows)} | {row.source: row.rows for row in rows}
    is_close = lacks_few(made[ALL], everybody, policy)
    unknown = hidden(policy, is_one_of_several=True)

    def written(source: str, key: Hashable) -> WrittenTable:
        count = unknown if is_close else beside(made[key], found.of(key, ALL), everybody, policy)
        without = found.of(key, _UNMAPPED)
        if count.is_hidden and without.value:
            without = unknown
        share = without.value / count.value if without.value and count.value else None if without.is_hidden else 0.0
        return WrittenTable(
            table=rows[0].cdm_table, source=source, rows=count, unmapped=CountAndShare(count=without, share=share)
        )

    return {"": written("", ALL)} | {row.source: written(row.source, row.source) for row in rows}


def beside(count: int, as_shown: Protected, everybody: int, policy: Policy) -> Protected:
    """A count as it may stand beside that of all persons."""
    return hidden(policy, is_one_of_several=True) if lacks_few(count, everybody, policy) else as_shown
