"""What a reader makes of the made page on a release: every figure read out of its HTML, and what of it adds up to what.

Nothing but the page is used. A figure is exact, or as near as the rule rounds; a hidden one is any number that its words allow.
What drawings say, in titles and descriptions, has to be a figure of the page's tables; a number in words that nothing here reads fails.
"""

import math
import re
from collections.abc import Collection, Hashable, Iterable, Sequence

from fairhaven.disclosure import Policy, Small
from tests.support.page_solver import PageSolver
from tests.support.page_tables import PageTables
from tests.support.row_equations import RowEquation

_RECEIVED = "Rows received. Received is quarantined, opted out and landed together."
_SUMS = (
    r".*peak ([\d,]+) in \d{4}",
    r"([\d,]+) rows?",
    r".*hold ([\d,]+) rows? in all that are shown\.",
    r"([\d,]+) rows?(?:, and some whose number is not shown,)? have no standard concept\. .*",
    r"([\d,]+) further codes? .*",
    r"([\d,]+) variables? in ([\d,]+) tables?.*",
    r"([\d,]+) free-text notes? .*",
)
"""Words that say the highest or the sum of what is shown, or a number of other things."""
_OF_OTHER_THINGS = ("quality", "deliveries", "changes", "reading", "")
FATES = {
    "quarantined": "quarantined",
    "opted_out": "opted out",
    "withdrawn": "withdrawn",
    "superseded": "replaced",
    "current": "in use",
}
"""What becomes of lines, in the words of a manifest and of the page."""
_FATES = tuple(FATES.values())
_NUMBER = re.compile(r"(?<![\w.,–-])\d[\d,]*(?:\.\d+)?")


class ReleasePageFigures:
    """A solver with all that a page says.

    Args:
        html: the page; policy: the rule that it says it was made by.
        is_one_record_of_each: the reader knows that no source has two records of a person.
        equations: what the reader knows of the rows that mappings make.
    """

    def __init__(
        self,
        html: str,
        policy: Policy,
        *,
        is_one_record_of_each: bool = False,
        equations: Sequence[RowEquation] = (),
    ) -> None:
        self.is_one_record_of_each = is_one_record_of_each
        self.page = PageTables(html)
        self.policy = policy
        self.solver = PageSolver()
        self.hidden: set[Hashable] = set()
        self._most: dict[Hashable, float] = {}
        self._told: dict[Hashable, float] = {}
        self.figures: set[str] = set()
        """Every number that stands in a table or was read out of words."""
        for table in self.page.tables:
            for row in (*table.rows, *table.foot):
                self.figures |= {number for cell in row for number in _NUMBER.findall(cell)}
        self._rows()
        self._written()
        self._left_out(equations)
        self._years()
        self._people()
        self._variables()
        self._codes()
        self._drawings()

    def narrowed(self, *, many: Collection[Hashable] = ()) -> dict[Hashable, tuple[float, float]]:
        """Hidden figures of which a reader knows more than that they are 1 to the threshold, or many; that one is zero may be known.

        Args:
            many: those that are hidden for others' sake; that they are not very few may be known.
        """
        bounds = self.solver.solved()
        threshold = self.policy.threshold
        told = {name: (few, few) for name, few in self._told.items() if few < self._most.get(name, math.inf)}
        return told | {
            name: (low, high)
            for name in self.hidden
            for low, high in [bounds.get(name, (0, math.inf))]
            if (1 < low < threshold and name not in many)
            or 0 < high < min(threshold - 1, self._most.get(name, math.inf))
        }

    def unread(self) -> list[str]:
        """Words with a number that is no figure of the page, nor anything else that is known."""
        return [
            words.text
            for words in self.page.words
            # Numbers of checks and of files, and what the page says of itself, stand in these.
            if words.element in ("title", "desc") or words.section not in _OF_OTHER_THINGS
            for number in _NUMBER.findall(words.text)
            if number not in self.figures and not _is_said_otherwise(words.text, number)
        ]

    # A figure is a name of the solver with what is said of it.

    def _count(self, text: str, *name: Hashable, is_exact: bool = False) -> Hashable:
        """A cell as a number, or as an unknown between what its words and the rule allow."""
        said = text.split(" | ")[0].lstrip("+−≈ ")
        number = int(said.replace(",", "")) if re.fullmatch(r"[\d,]+", said) else None
        policy = self.policy
        if number is not None and (is_exact or (policy.round_to == 1 and policy.small is not Small.ZERO)):
            if 0 < number < policy.threshold and not is_exact:
                self._told[name] = number
            return number
        if number is None or (not number and policy.small is Small.ZERO):
            self.hidden.add(name)
            self.solver.unknown(name, most=policy.threshold - 1 if number == 0 or said == policy.under else math.inf)
        else:
            up = policy.round_to - policy.half_width - 1
            least = max(number - policy.half_width, policy.threshold if number else 0)
            self.solver.unknown(name, least=least, most=number + max(up, policy.half_width))
        return name

    def _total(self, text: str, *name: Hashable) -> Hashable:
        """A sum; of rounded parts it is the sum of what is shown, which says nothing more."""
        if self.policy.round_to == 1:
            return self._count(text, *name)
        self.solver.unknown((*name, "in truth"))
        return (*name, "in truth")

    def _adds_up(self, parts: Iterable[Hashable], total: Hashable) -> None:
        self.solver.adds_up(list(parts), total)

    def _rows(self) -> None:
        by_source: dict[tuple[str, str], list[Hashable]] = {}
        of_all: dict[str, list[Hashable]] = {}
        received: dict[str, int] = {}
        for source, table, came, *cells in self.page.table(_RECEIVED):
            quarantined, opted_out, landed, withdrawn, replaced, in_use = cells
            rows = self._count(came, source, table, "received")
            if came == "not shown":
                assert {*cells} == {came}, "of a table that is not told the page says nothing"
                continue  # and no sum has it
            received[source] = received.get(source, 0) + int(came.replace(",", ""))
            texts = dict(zip(_FATES, (quarantined, opted_out, withdrawn, replaced, in_use), strict=True))
            parts = {fate: self._fate(text, fate, source, table) for fate, text in texts.items()}
            self._adds_up(parts.values(), rows)
            if isinstance(rows, int):  # the lines received say so much by themselves
                self._most |= {(source, table, fate): rows for fate in (*parts, "landed")}
            if self.policy.round_to == 1:
                left = self._count(landed, source, table, "landed")
                self._adds_up([left, parts["quarantined"], parts["opted out"]], rows)
            for fate, part in parts.items():
                by_source.setdefault((source, fate), []).append(part)
                of_all.setdefault(fate, []).append(part)
        foot = self.page.foot(_RECEIVED)
        for fate, place in zip(_FATES, (3, 4, 6, 7, 8), strict=True):
            if foot and of_all:
                self._adds_up(of_all[fate], self._total(foot[place], "all", fate))
        for source, came, *cells in self.page.table("Rows of each source, as they are drawn."):
            if came == "not shown":
                assert {*cells} == {came} and source not in received
                continue
            assert int(came.replace(",", "")) == received[source]
            lost = (("quarantined",), ("opted out",), ("withdrawn", "replaced"), ("in use",))
            for fates, text in zip(lost, cells, strict=True):
                summed = [part for fate in fates for part in by_source[source, fate]]
                self._adds_up(summed, self._total(text, source, *fates))
        for reason, count, _, source, field in self.page.table("Quarantined rows by reason"):
            name = _plain(field).split(".")[0]
            set_aside = self._count(count, source, _plain(field), reason)
            by_source.setdefault((source, f"reasons {name}"), []).append(set_aside)
        for source, table, came, quarantined, *_ in self.page.table(_RECEIVED):
            if came != "not shown" and (reasons := by_source.get((source, f"reasons {table}"))):
                self._adds_up(reasons, self._fate(quarantined, "quarantined", source, table))

    def _fate(self, text: str, fate: str, source: str, table: str) -> Hashable:
        if fate == "in use" and self.policy.round_to > 1:  # what is shown of the rest is taken from those received
            self.solver.unknown((source, table, fate))
            return (source, table, fate)
        return self._count(text, source, table, fate)

    def _written(self) -> None:
        rows: dict[str, list[Hashable]] = {}
        unmapped: dict[str, list[Hashable]] = {}
        for table, source, count, without, _ in self.page.table("Rows written to the release."):
            name = _plain(table)
            rows.setdefault(name, []).append(self._rows_written(count, name, source))
            unmapped.setdefault(name, []).append(self._count(without, name, source, "unmapped"))
            self._adds_up([unmapped[name][-1], (name, source, "mapped")], rows[name][-1])
        for table, count, without, _ in self.page.table("Rows of each table, as they are drawn."):
            if table not in rows:
                continue  # small tables together
            self._adds_up(rows[table], self._total(count, table, "rows"))
            if without:
                self._adds_up(unmapped[table], self._total(without, table, "unmapped"))

    def _left_out(self, equations: Sequence[RowEquation]) -> None:
        left: dict[tuple[str, str], Hashable] = {}
        for reason, count, source in self.page.table("Landed rows without a row in the release, by reason"):
            left[source, reason] = self._count(count, source, reason, "left out")
        parts: dict[tuple[str, str], list[Hashable]] = {}
        in_use = {(source, table): cell for source, table, *_, cell in self.page.table(_RECEIVED)}
        for place, equation in enumerate(equations):
            source = equation.source
            lines = [
                self._fate(in_use[source, table], "in use", source, table)
                for table, times in equation.tables.items()
                for _ in range(times)
            ]
            written = self.page.table("Rows written to the release.")
            rows = [
                self._rows_written(count, _plain(name), of)
                for name, of, count, *_ in written
                if of == source and _plain(name) in equation.made
            ]
            for reason in equation.reasons:
                parts.setdefault((source, reason), []).append((source, reason, place))
            others = [] if equation.is_all else [(source, place, "of no reason")]
            self._adds_up(lines, (source, place, "lines"))
            left_over = [(source, reason, place) for reason in equation.reasons]
            self._adds_up([*rows, *left_over, *others], (source, place, "lines"))
            # That a few lines became no row must not be told, whatever the reason.
            if 0 < equation.left < self.policy.threshold:
                self.hidden.add((source, place, "no row"))
                self._adds_up([*left_over, *others], (source, place, "no row"))
        for where, of_chains in parts.items():
            if where in left:
                self._adds_up(of_chains, left[where])

    def _rows_written(self, text: str, table: str, source: str) -> Hashable:
        """Rows of a table that come from a source; where all is rounded, the mapped and the others are, each by itself."""
        if self.policy.round_to == 1 or not re.fullmatch(r"[\d,]+", text) or text == "0":
            return self._count(text, table, source, "rows")
        number, reach = int(text.replace(",", "")), 2 * (self.policy.round_to - 1)
        self.solver.unknown((table, source, "rows"), least=max(number - reach, 0), most=number + reach)
        return (table, source, "rows")

    def _years(self) -> None:
        caption = "Event rows by year and source"
        columns = next((table.columns for table in self.page.tables if table.caption == caption), [])
        of_source: dict[str, list[Hashable]] = {}
        for year, *cells in self.page.table(caption):
            for source, text in zip(columns[1:], cells, strict=True):
                of_source.setdefault(source, []).append(self._count(text, source, int(year)))
        written = self.page.table("Rows written to the release.")
        for source, parts in of_source.items():
            rows = [self._rows_written(count, _plain(table), of) for table, of, count, *_ in written if of == source]
            self._adds_up([*parts, (source, "without a year")], (source, "written"))
            self._adds_up(rows, (source, "written"))

    def _people(self) -> None:
        lead = r"(?:([\d,]+) p|P)atient records? of all sources belong to (?:([\d,]+) persons|persons whose number is not shown)\..*"
        for found in self.page.said(lead, element="p"):
            self.figures |= {number for number in found.groups() if number}
            steps = {
                step: self._count(records, "step", step)
                for step, _, records, _ in self.page.table("Patient records by the step that linked them")
            }
            of_all = self._count(found[1] or "not shown", "records")
            self._adds_up(steps.values(), of_all)
            known = [
                self._count(persons, "known to", sources)
                for sources, _, persons, _ in self.page.table("Persons by number of sources")
            ]
            numbers = [int(sources.split()[0]) for sources, *_ in self.page.table("Persons by number of sources")]
            # A source may know a person by several records; a reader who knows that none does has an equation.
            if self.is_one_record_of_each:
                times = [part for part, number in zip(known, numbers, strict=True) for _ in range(number)]
                self._adds_up(times, of_all)
                if 1 in numbers and (alone := steps.get("No match: a person of one source")) is not None:
                    self._adds_up([known[numbers.index(1)]], alone)
            self._adds_up(known, self._count(found[2] or "not shown", "linked persons"))
        kinds = [
            self._count(persons, "kinds", kind)
            for kind, _, persons in self.page.table("Persons by the kinds of source that hold data about them")
        ]
        persons = next(iter(self.page.said(r"[\d,]+", element="dd")), None)
        if kinds and persons is not None:
            further = self.page.said(r"([\d,]+) further combinations? (?:is|are) not shown.*")
            unsaid = [("kinds", place) for place in range(int(further[0][1]) if further else 0)]
            self.figures |= {found[1] for found in further}
            self.hidden |= set(unsaid)
            self._adds_up([*kinds, *unsaid, ("kinds", "none")], self._count(persons[0], "persons"))

    def _variables(self) -> None:
        summaries = self._summaries()
        for table in self.page.tables:
            if match := re.fullmatch(r"Variables of (\w+)", table.caption):
                rows = summaries.get(match[1], (match[1], "rows"))
                for variable, filled, _, spread in table.rows:
                    missing = re.fullmatch(r".*\| ([\d,]+) missing", filled)
                    *field, kind = variable.split(" | ")
                    name = (match[1], "".join(field))
                    if missing:
                        self._adds_up([self._count(missing[1], *name, "missing"), (*name, "filled")], rows)
                    if kind.startswith(("concept", "category")):
                        self._listed(spread, filled, rows, *name)
            if match := re.fullmatch(r"Rows by value of each variable of (\w+) that is drawn", table.caption):
                rows = summaries.get(match[1], (match[1], "rows"))
                for variable, told in table.rows:
                    name = (match[1], _plain(variable))
                    parts = [
                        self._count(count, *name, label)
                        for label, count in re.findall(r"([^:;]+): ([\d,]+|not shown)", told)
                    ]
                    self._adds_up([*parts, (*name, "not drawn, or missing")], rows)

    def _listed(self, spread: str, filled: str, rows: Hashable, *name: Hashable) -> None:
        """Values with their rows, and how many rows others have; all filled rows where nothing is missing."""
        cells = spread.split(" | ")
        other = re.fullmatch(r"([\d,]+) other values?(?:, ([\d,]+) rows?)?", cells[-1])
        values = dict(zip(cells[:-1:2] if other else cells[::2], cells[1::2], strict=False))
        if not values or not all(re.fullmatch(r"[\d,]+", count) for count in values.values()):
            return
        parts = [self._count(count, *name, label) for label, count in values.items()]
        if other and other[2] and filled == "100%":
            self._adds_up([*parts, self._count(other[2], *name, "others")], rows)
        else:
            self._adds_up([*parts, (*name, "others or missing")], rows)

    def _summaries(self) -> dict[str, Hashable]:
        """Rows by table, as the line that opens it says; its persons are of those of the release."""
        found: dict[str, Hashable] = {}
        name = ""
        for words in self.page.words:
            if words.section != "variables":
                continue
            if words.element == "h3":
                name = words.text
            elif match := re.fullmatch(r"([\d,]+) (rows?|persons?)", words.text):
                self.figures.add(match[1])
                if match[2].startswith("row"):
                    found[name] = self._count(match[1], name, "rows")
                elif name != "person":
                    lacking = (name, "persons without a row")
                    self.hidden.add(lacking)
                    everybody = found.get("person")
                    if everybody is not None:
                        self._adds_up([self._count(match[1], name, "persons"), lacking], everybody)
        return found

    def _codes(self) -> None:
        parts: dict[tuple[str, str], list[Hashable]] = {}
        for code, _, rows, place in self.page.table("Unmapped codes by number of rows"):
            source, _, table = place.partition(" | ")
            parts.setdefault((source, _plain(table)), []).append(self._count(rows, source, table, code))
        for table, source, _, unmapped, _ in self.page.table("Rows written to the release."):
            if codes := parts.get((source, _plain(table))):
                unlisted = (source, _plain(table), "codes not listed")
                self._adds_up([*codes, unlisted], self._count(unmapped, _plain(table), source, "unmapped"))

    def _drawings(self) -> None:
        """Bands of the picture say what the tables say."""
        written = {
            (source, _plain(table)): rows for table, source, rows, *_ in self.page.table("Rows written to the release.")
        }
        for band in self.page.said(r"(.+) to (\w+): (?:([\d,]+) rows|rows, how many is not shown)", element="title"):
            assert written[band[1], band[2]] == (band[3] or "not shown"), band[0]
        losses = {"quarantined": 2, "opted out": 3, "withdrawn or replaced": 4}
        drawn = {row[0]: row for row in self.page.table("Rows of each source, as they are drawn.")}
        for band in self.page.said(
            r"(.+): (?:([\d,]+) )?rows (quarantined|opted out|withdrawn or replaced)(?:, how many is not shown)?",
            element="title",
        ):
            assert drawn[band[1]][losses[band[3]]] == (band[2] or "not shown"), band[0]
        for pattern in _SUMS:
            for found in self.page.said(pattern):
                self.figures |= {number for number in found.groups() if number}


def _plain(name: str) -> str:
    return name.replace(" | ", "")


def _is_said_otherwise(text: str, number: str) -> bool:
    """Years, days, shares, and labels of values, which are no figures."""
    if re.search(rf"(?<![\d,.]){re.escape(number)}%", text) or re.fullmatch(r"\d{4}", number):
        return True
    return bool(re.match(r"[^:]*\d[^:]*: (?:[\d,]+|not shown)$", text) and number in text.split(": ")[0])
