"""What a reader makes of the made page on one cohort: its steps lie in each other, and each rule alone lies between entry and cohort."""

import re
from itertools import combinations, pairwise

from fairhaven.disclosure import Policy
from tests.support.page_tables import PageTables

Interval = tuple[float, float]


class CohortPageFigures:
    """Persons of each step that is shown, between what they are by the rule.

    Args:
        html: the page; policy: the rule that it says it was made by.
    """

    def __init__(self, html: str, policy: Policy) -> None:
        self.policy = policy
        page = PageTables(html)
        (table,) = [each for each in page.tables if each.caption.startswith("Persons and events after each step")]
        has_alone = "Rule alone" in table.columns
        self.steps = [self._between(row[2]) for row in table.rows] + [self._between(table.foot[0][2])]
        self.alone = [self._between(row[4]) if has_alone else None for row in table.rows]
        for (before, _), (row, step) in pairwise(zip(table.rows, self.steps, strict=False)):
            self._check_taken_away(before[2], row[2], row[3])
            assert step is not None or not re.search(r"\d", row[2])

    def narrowed(self) -> list[tuple[float, float]]:
        """Differences of sets that lie in each other, of which a reader knows that they are few and more than that.

        Each step has to have taken somebody away. The first rule alone is its step.
        """
        nested = list(combinations(self.steps, 2))
        for place, alone in enumerate(self.alone):
            nested += [(self.steps[0], alone), (alone, self.steps[-1])]
            nested += [(alone, self.steps[place])] if place > 1 else []
        found = []
        for whole, part in nested:
            if whole is not None and part is not None:
                low, high = max(whole[0] - part[1], 0), whole[1] - part[0]
                if high < self.policy.threshold - 1 or 1 < low < high < self.policy.threshold:
                    found.append((low, high))
        return found

    def _between(self, text: str) -> Interval | None:
        said = re.match(r"[\d,]+", text)
        if said is None:
            return None
        count, half = int(said[0].replace(",", "")), self.policy.half_width
        return max(count - half, 0), count + self.policy.round_to - 1 - half

    def _check_taken_away(self, before: str, now: str, taken: str) -> None:
        """How many fewer is the difference of what is shown, and is not said where either is not."""
        counts = [int(text.replace(",", "")) for text in (before, now) if re.fullmatch(r"[\d,]+", text)]
        said = re.search(r"[\d,]+", taken)
        assert (said is None) == (len(counts) < 2)
        if said is not None:
            assert int(said[0].replace(",", "")) == counts[0] - counts[1]
