"""The linear facts of a report: what of it adds up to what, section by section and across them, for `page_solver`."""

from collections.abc import Collection, Hashable, Iterable

from fairhaven.disclosure import Protected
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.release.description import TableDescription, Variable
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
            everybody = report.description.persons if report.description and table.name != "person" else None
            self._described(table, everybody)

    def narrowed(self, threshold: int, *, many: Collection[Hashable] = ()) -> dict[Hashable, tuple[float, float]]:
        """Hidden counts of which a reader knows that they are small, or may be, and more than that they are 1 to the threshold.

        That a count is zero may be known, and of *many*, which are hidden for others' sake, that they are not very few.
        """
        bounds = self.solver.solved()
        return {
            name: (low, high)
            for name in self.hidden
            for low, high in [bounds.get(name, (0, threshold))]
            if (1 < low < threshold and name not in many) or 0 < high < threshold - 1
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
        flows = [flow for flow in report.rows.by_table if not flow.received.is_hidden]  # sums are without the others
        for flow in flows:
            self._adds_up(
                (self._of(getattr(flow, fate), flow.source, flow.table, fate) for fate in _FATES),
                self._of(flow.received, flow.source, flow.table, "received"),
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
            self._adds_up(steps, self._of(report.linkage.records, "records"))
        if report.kinds and report.persons is not None:
            kinds = [self._of(count, "kinds", kind) for kind, count in report.kinds.items()]
            self._adds_up([*kinds, ("kinds", "none")], self._of(report.persons, "persons"))

    def _described(self, table: TableDescription, everybody: int | None) -> None:
        rows, persons = self._of(table.rows, table.name, "rows described"), self._persons(table)
        if everybody is not None and persons is not None:
            self._within([persons], everybody, table.name, "without a row")
            self._adds_up([persons, (table.name, "rows more than persons")], rows)
        for variable in table.variables:
            place = (table.name, variable.name)
            missing = self._of(variable.missing, *place, "missing")
            if not variable.bars:
                continue
            shown = [bar.rows for bar in variable.bars if bar.rows is not None]
            not_shown = [self._of(None, *place, bar.label) for bar in variable.bars if bar.rows is None]
            others = self._of(variable.others, *place, "others")
            self._adds_up([*not_shown, (*place, "values not listed")], others)
            self._adds_up([*shown, others, missing], rows)
            if persons is not None:
                # Of a group whose own size is hidden nobody knows how many lack a value but of those around it.
                self._persons_of(table.name, variable, others, persons if table.persons is not None else everybody)

    def _persons(self, table: TableDescription) -> Hashable | None:
        """Of a table, where it holds any."""
        holds = table.name not in ("fact_relationship", "location", "care_site", "provider", "note_nlp", "cost")
        return self._of(table.persons, table.name, "persons described") if holds else None

    def _persons_of(self, name: str, variable: Variable, others: Hashable, whole: Hashable | None) -> None:
        """Persons of each value and of all: not more than those of a group around them, nor than their rows."""
        each: list[Hashable] = []
        for bar in variable.bars:
            if bar.rows is not None:
                place = (name, variable.name, bar.label, bar.code)
                each.append(self._of(bar.persons, *place, "persons"))
                self._within([each[-1]], whole, *place, "without it")
                self._adds_up([each[-1], (*place, "rows more than persons")], bar.rows)
        if not any(bar.rows is None for bar in variable.bars):
            most, filled = (name, variable.name, "persons at most"), (name, variable.name, "persons with a value")
            self._adds_up([*each, others], most)
            self._adds_up([filled, (*most, "counted twice")], most)
            self._within([filled], whole, name, variable.name, "without a value")

    def _within(self, parts: list[Hashable], whole: Hashable | None, *name: Hashable) -> None:
        """Persons of a larger group who are in none of the parts are a hidden count, too."""
        if whole is None:
            return
        self.hidden.add(name)
        self._adds_up([*parts, name], whole)
