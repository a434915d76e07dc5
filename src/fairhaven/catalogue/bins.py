"""Classes of numbers with edges that a person would choose."""

import math
from dataclasses import dataclass

CLASSES = 16
"""About how many classes a histogram has."""


MOST_SINGLE = 40
"""Whole numbers that span fewer than this are not put into classes: a month of birth is a month."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bins:
    """Equal classes ``start + i * step``, and one open class at either end (numbers -1 and ``count``).

    Args:
        is_whole: the variable holds whole numbers, so a class of width 1 is one value.
    """

    start: float
    step: float
    count: int
    is_whole: bool

    def edge(self, number: int) -> float:
        """Lower edge of a class."""
        return self.start + number * self.step

    def upper(self, number: int) -> float:
        """The upper edge of a class; of whole numbers the largest in it."""
        return self.edge(number + 1) - (1 if self.is_whole else 0)

    def label(self, number: int) -> str:
        """``under 40``, ``120 to 130``, ``3``, ``200 and over``."""
        if number < 0:
            return f"under {self._words(self.start)}"
        if number >= self.count:
            return f"{self._words(self.edge(self.count))} and over"
        if self.is_whole and self.step == 1:
            return self._words(self.edge(number))
        if self.is_whole:
            return f"{self._words(self.edge(number))} to {self._words(self.upper(number))}"
        return f"{self._words(self.edge(number))} to {self._words(self.edge(number + 1))}"

    def _words(self, value: float) -> str:
        return f"{round(value, self._digits()):.{self._digits()}f}"

    def _digits(self) -> int:
        return 0 if self.step >= 1 and self.step == int(self.step) else max(0, 1 - math.floor(math.log10(self.step)))


def nice_bins(low: float, high: float, *, is_whole: bool) -> Bins:
    """Classes that cover *low* to *high* (both finite, low <= high) in steps of 1, 2, 2.5 or 5 times a power of ten."""
    width = (high - low) / CLASSES if not is_whole or high - low >= MOST_SINGLE else 1.0
    if width <= 0:
        width = 1.0 if is_whole or low == 0 else abs(low) / CLASSES
    # Narrower classes than this have edges that floating point cannot tell apart.
    width = max(width, 1e-9 * max(abs(low), abs(high)), 1e-12)
    power = 10.0 ** math.floor(math.log10(width))
    step = next(multiple * power for multiple in (1, 2, 2.5, 5, 10) if multiple * power >= width * (1 - 1e-9))
    if is_whole:
        step = max(1.0, float(math.ceil(step)))
    start = math.floor(low / step + 1e-9) * step
    count = max(1, math.floor((high - start) / step + 1e-9) + 1)
    return Bins(start=start, step=step, count=count, is_whole=is_whole)
