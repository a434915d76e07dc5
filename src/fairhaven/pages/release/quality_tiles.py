"""The scorecard as tiles: the share of checks passed, by table and by Kahn's category."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fairhaven.journeys.releases.release_report import Score
from fairhaven.omop import CDM
from fairhaven.omop.cdm import VOCABULARY_TABLES
from fairhaven.pages.kit.figures import spoken
from fairhaven.pages.kit.templates import named
from fairhaven.pages.release.labels import CATEGORIES
from fairhaven.quality import QualityCheck

_VOCABULARY = "The vocabulary"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """Checks of one category on one table, or on all tables of the vocabulary."""

    passed: int
    failed: int

    @property
    def applied(self) -> int:
        """Checks that passed or failed."""
        return self.passed + self.failed

    @property
    def grade(self) -> str:
        """Style class."""
        rate = self.passed / self.applied
        return "full" if not self.failed else "good" if rate >= 0.95 else "fair" if rate >= 0.8 else "poor"


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityTiles:
    """Categories, and for each table its name and its tiles in their order."""

    categories: Sequence[str]
    rows: Sequence[tuple[Markup | str, Sequence[Tile]]]


def quality_tiles(scores: Iterable[Score]) -> QualityTiles:
    """Tiles in the CDM's order, the tables of the vocabulary as one."""
    order = list(CDM)
    tallies: dict[str, dict[str, Tile]] = {}
    for score in scores:
        table = _VOCABULARY if score.table in VOCABULARY_TABLES else score.table
        row = tallies.setdefault(table, {})
        before = row.get(score.category, _NONE)
        row[score.category] = Tile(passed=before.passed + score.passed, failed=before.failed + score.failed)
    categories = [*CATEGORIES, *sorted({category for row in tallies.values() for category in row} - CATEGORIES.keys())]
    tables = sorted(sorted(tallies), key=lambda table: order.index(table) if table in order else len(order))
    return QualityTiles(
        categories=categories,
        rows=[
            (
                table if table == _VOCABULARY else named(table),
                [tallies[table].get(category, _NONE) for category in categories],
            )
            for table in tables
        ],
    )


_NONE = Tile(passed=0, failed=0)


def expected(check: QualityCheck, place: str) -> str:
    """What is expected, without the place that stands below it."""
    words = (check.description or check.kind).removeprefix(f"{place}: ") or spoken(check.kind)
    return words[:1].upper() + words[1:]
