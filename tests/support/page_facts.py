"""The linear facts of a report: what of it adds up to what, section by section and across them, for `page_solver`."""

from collections.abc import Hashable, Iterable

from fairhaven.disclosure import Protected
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.release.description import TableDescription
from tests.support.page_solver import PageSolver

_FATES = ("quarantined", "opted_out", "withdrawn", "superseded", "current")
_LOST = {"quarantined": ("quarantined",), "opted-out": ("opted_out",), "replaced": ("withdrawn", "superseded")}


class PageFacts:
    """A solver with all that a report says, and the names of the counts that it hides."""

    def __init__(self, report: ReleaseReport) -> None:
        self.solver = PageSolver()
        self.hidden: set[Hashable] = set()
        self._rows(report)
        self._written(report)
        self._years(report)
        self._people(report)
        for table in report.description.tables if report.description else ():
            self._described(table)

    def narrowed(self, threshold: int) -> dict[Hashable, tuple[float, float]]:
        """Hidden counts of which a reader knows that they are small, or may be, and more than that they are 1 to the threshold."""
        bounds = self.solver.solved()
        return {
            name: (low, high)
            for name in self.hidden
            for low, high in [bounds.get(name, (0, threshold))]
            if 1 < low < threshold or high < threshold - 1
        }

    def _of(self, count: Protected | int | None, *name: Hashable) -> Hashable:
        """A count as it is shown, or the name that it has as an unknown."""
        value = count.value if isinstance(count, Protected) else count
        if value is not None:
            return value
        self.hidden.add(name)
        return name

    def _adds_up(self, parts: Iterable[Hashable], total: Hashable) -> None:
        self.solver.adds_up(list(parts), total)

    def _rows(self, report: ReleaseReport) -> None:
        if report.rows is None:
            return
        flows = report.rows.by_table
        for flow in flows:
            self._adds_up(
                (self._of(getattr(flow, fate), flow.source, flow.table, fate) for fate in _FATES), flow.received
            )
        for fate in _FATES:
            parts = [self._of(getattr(flow, fate), flow.source, flow.table, fate) for flow in flows]
            self._adds_up(parts, self._of(getattr(report.rows.total, fate), "all", fate))
        for source in report.rows.sources:
            mine = [flow for flow in flows if flow.source == source.source.name]
            for reason, fates in _LOST.items():
                parts = [
                    self._of(getattr(flow, fate), flow.source, flow.table, fate) for flow in mine for fate in fates
                ]
                self._adds_up(parts, self._of(source.lost[reason], source.source.name, reason))

    def _written(self, report: ReleaseReport) -> None:
        if report.rows is None:
            return
        codes: dict[tuple[str, str], list[Hashable]] = {}
        for code in report.codes:
            place = (code.source, code.cdm_table)
            codes.setdefault(place, [(*place, "codes not listed")]).append(self._of(code.rows, *place, code.code))
        for made in report.rows.tables:
            mine = [row for row in report.rows.written if row.table == made.table]
            for row in mine:
                unmapped = self._of(row.unmapped.count, row.table, row.source, "unmapped")
                rows = self._of(row.rows, row.table, row.source, "rows")
                self._adds_up([unmapped, (row.table, row.source, "mapped")], rows)
                if (row.source, row.table) in codes:
                    self._adds_up(codes[row.source, row.table], unmapped)
            self._adds_up(
                (self._of(row.rows, row.table, row.source, "rows") for row in mine),
                self._of(made.rows, made.table, "rows"),
            )
            self._adds_up(
                (self._of(row.unmapped.count, row.table, row.source, "unmapped") for row in mine),
                self._of(made.unmapped.count, made.table, "unmapped"),
            )

    def _years(self, report: ReleaseReport) -> None:
        """A source's years add up to its rows, and a year's rows are the same by source and by table."""
        by_table = {table.name: table for table in report.description.tables} if report.description else {}
        for source, years in report.years.items():
            parts = [self._of(count, source, year) for year, count in years.items()]
            if report.rows is not None:
                rows = [
                    self._of(row.rows, row.table, row.source, "rows")
                    for row in report.rows.written
                    if row.source == source
                ]
                self._adds_up([*parts, (source, "without a year")], (source, "written"))
                self._adds_up(rows, (source, "written"))
        dated = [next((each for each in table.variables if each.kind == "date"), None) for table in by_table.values()]
        if report.rows is None or {row.table for row in report.rows.written} != set(by_table):
            return
        for year in sorted({year for years in report.years.values() for year in years}):
            bars = [
                self._of(bar.rows, table, variable.name, bar.label)
                for table, variable in zip(by_table, dated, strict=True)
                if variable is not None
                for bar in variable.bars
                if bar.label == str(year)
            ]
            self._adds_up([*bars, ("bars not listed", year)], (year, "rows"))
            self._adds_up(
                (self._of(years[year], source, year) for source, years in report.years.items() if year in years),
                (year, "rows"),
            )

    def _people(self, report: ReleaseReport) -> None:
        if report.linkage is not None:
            parts = [self._of(part.count, "known to", sources) for sources, part in report.linkage.by_sources.items()]
            self._adds_up(parts, self._of(report.linkage.persons, "linked persons"))
            steps = [self._of(part.count, "step", step) for step, part in report.linkage.steps.items()]
            self._adds_up(steps, report.linkage.records)
        if report.kinds and report.persons is not None:
            kinds = [self._of(count, "kinds", kind) for kind, count in report.kinds.items()]
            self._adds_up([*kinds, ("kinds", "none")], self._of(report.persons, "persons"))

    def _described(self, table: TableDescription) -> None:
        rows = self._of(table.rows, table.name, "rows described")
        for variable in table.variables:
            if not variable.bars:
                continue
            place = (table.name, variable.name)
            shown = [bar.rows for bar in variable.bars if bar.rows is not None]
            not_shown = [self._of(None, *place, bar.label) for bar in variable.bars if bar.rows is None]
            others = self._of(variable.others, *place, "others")
            self._adds_up([*not_shown, (*place, "values not listed")], others)
            missing = self._of(variable.missing, *place, "missing")
            self._adds_up([*shown, others, missing], rows)
