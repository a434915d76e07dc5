"""What a rule for small numbers is made of. The published rules and a hub's own are read in `hub.disclosure_policies`."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from fairhaven.kernel.errors import Invalid


class Small(StrEnum):
    """What takes the place of a count under the threshold."""

    HIDE = "hide"
    ZERO = "zero"


class Ties(StrEnum):
    """Where a count half-way between two multiples goes: up, or to the even multiple."""

    UP = "up"
    EVEN = "even"


class Zeros(StrEnum):
    """Whether a count of zero may be seen."""

    SHOW = "show"
    HIDE = "hide"


class Groups(StrEnum):
    """What happens where all persons of a row or column are in one cell, so that it tells something of each of them."""

    HIDE = "hide"
    TELL = "tell"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dominance:
    """When a sum or mean says too much of one or two of the persons it is made of.

    Args:
        n, k: it is hidden where its *n* largest contributors make up the share *k* of it or more (0 < k <= 1).
        p: it is hidden where all but the two largest make up less than the share *p* of the largest: the second
            largest, who knows the own value, could then work out the largest to within *p*.
        source: where the numbers are published.
    """

    n: int
    k: float
    p: float
    source: str

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 < self.k <= 1 or self.p <= 0:
            raise Invalid("dominance: n is 1 or more, k over 0 and at most 1, p over 0")


ACRO = Dominance(
    n=2, k=0.9, p=0.1, source="ACRO 1.0.2, the default risk appetite of UK research environments (default.yaml)"
)
"""What a rule that says nothing on dominance gets: silence must not mean that anything may be shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """One rule for what may be shown of counts of persons and of values.

    Args:
        name: short name, for example ``ons``.
        threshold: the smallest count that may be shown.
        small: what is shown in place of 1 to threshold - 1.
        mark: what stands in a cell in place of a hidden count, as published; empty where the publisher sets none.
        round_to: shown counts are rounded to the nearest multiple, after suppression; 1 leaves them as they are.
        ties: where a count half-way between two multiples goes. No whole count is half-way for an odd ``round_to``.
        zeros: whether a count of zero may be seen.
        groups: what happens where all persons of a row or column are in one cell.
        secondary: hide further cells until no hidden count can be worked out by somebody who knows the true totals. A
            rule whose rounding blurs every shown count does without.
        dominance: the rule for sums and means.
        since: the day from which the rule applies; read: the day on which it was read at its source.
        source: where it is published.
    """

    ORDER: ClassVar[tuple[str, str]] = ("suppress", "round")
    """Rounding first would lift counts over the threshold: 8 becomes 10 and is shown."""

    name: str
    title: str
    threshold: int
    small: Small = Small.HIDE
    mark: str = ""
    round_to: int = 1
    ties: Ties = Ties.UP
    zeros: Zeros = Zeros.SHOW
    groups: Groups = Groups.TELL
    secondary: bool = True
    dominance: Dominance = ACRO
    since: dt.date
    read: dt.date | None = None
    source: str

    def __post_init__(self) -> None:
        if self.threshold < 1 or self.round_to < 1:
            raise Invalid(f"policy {self.name}: threshold and round_to are whole numbers from 1")

    @property
    def under(self) -> str:
        """A count under the threshold, in words."""
        return f"under {self.threshold}"

    @property
    def half_width(self) -> int:
        """How far a shown count may be from the true one."""
        return self.round_to // 2

    @property
    def words(self) -> str:
        """The rule in a sentence for readers."""
        small = "are not shown" if self.small is Small.HIDE else "are shown as 0"
        least = 0 if self.zeros is Zeros.HIDE else 1
        said = (
            f"Counts from {least} to {self.threshold - 1} {small}" if self.threshold > least else "Every count is shown"
        )
        if self.round_to > 1:
            said += f"; the others are rounded to the nearest {self.round_to}"
        return f"{said}."

    @property
    def rule(self) -> str:
        """All that decides what is shown, in one line, to tell whether counts were protected by this rule or another."""
        return repr(
            (self.name, self.threshold, self.small, self.round_to, self.ties, self.zeros, self.groups, self.secondary)
        )

    def is_small(self, count: int) -> bool:
        """True for a count that may not be shown."""
        return 0 < count < self.threshold or (count == 0 and self.zeros is Zeros.HIDE)

    def rounded(self, count: int) -> int:
        """The nearest multiple of ``round_to``. It does not suppress: `protect` does both, in their order."""
        multiple, rest = divmod(count, self.round_to)
        up = 2 * rest > self.round_to or (2 * rest == self.round_to and (self.ties is Ties.UP or multiple % 2 == 1))
        return (multiple + up) * self.round_to
