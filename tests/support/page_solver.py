"""What a reader of a page can work out: bounds of every hidden count from all that is shown, by whole numbers.

Counts are unknowns, and a fact is a sum of unknowns with factors that is a known number. Bounds are propagated until none moves
any more: what one fact says of an unknown, given the bounds of the others, narrows it (interval propagation; bounds are never
narrower than the truth allows, so an unknown that is pinned here is pinned for a reader). Facts are also subtracted from each
other where they share unknowns, which is how people do it.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

Unknown = Hashable
Bounds = tuple[float, float]
Fact = tuple[Mapping[Unknown, int], float, float]
"""Factors of unknowns, and between what their sum is."""


@dataclass(kw_only=True)
class PageSolver:
    """Facts of a page, and what follows from them. A count is a number where it is shown, and else any other name."""

    bounds: dict[Unknown, Bounds] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)

    def unknown(self, name: Unknown, *, least: float = 0, most: float = math.inf) -> None:
        """A count that is not shown, and what its words say of it."""
        low, high = self.bounds.get(name, (0, math.inf))
        self.bounds[name] = max(low, least), min(high, most)

    def adds_up(self, parts: Iterable[Unknown | float], total: float | Unknown, *, error: float = 0) -> None:
        """Parts, unknown or shown (numbers), add up to a total that is shown or unknown; within an error of rounding."""
        factors: dict[Unknown, int] = {}
        known = 0.0
        for part in parts:
            if isinstance(part, int | float):
                known += part
            else:
                factors[part] = factors.get(part, 0) + 1
        if isinstance(total, int | float):
            rest = total - known
        else:
            factors[total] = factors.get(total, 0) - 1
            rest = -known
        factors = {name: factor for name, factor in factors.items() if factor}
        if factors:
            for name in factors:
                self.bounds.setdefault(name, (0, math.inf))
            self.facts.append((factors, rest - error, rest + error))

    def solved(self) -> dict[Unknown, Bounds]:
        """The bounds of every unknown."""
        facts = [*self.facts, *self._differences()]
        is_moving = True
        while is_moving:
            is_moving = False
            for factors, low, high in facts:
                for name, factor in factors.items():
                    found = self._within(name, factor, factors, low, high)
                    assert found[0] <= found[1], (
                        f"what is shown contradicts itself at {name}: {found}, {factors}, {low}, {high}"
                    )
                    if found != self.bounds[name]:
                        self.bounds[name] = found
                        is_moving = True
        return self.bounds

    def _differences(self) -> list[Fact]:
        """Each fact less each other with which it shares two unknowns or more."""
        having: dict[Unknown, list[int]] = {}
        for place, (factors, _, _) in enumerate(self.facts):
            for name in factors:
                having.setdefault(name, []).append(place)
        shared = Counter(pair for places in having.values() for pair in combinations(places, 2))
        found: list[Fact] = []
        for pair, many in shared.items():
            if many > 1:
                (one, low, high), (other, least, most) = (self.facts[place] for place in pair)
                left = {name: one.get(name, 0) - other.get(name, 0) for name in one.keys() | other.keys()}
                if rest := {name: factor for name, factor in left.items() if factor}:
                    found.append((rest, low - most, high - least))
        return found

    def _within(self, name: Unknown, factor: int, factors: Mapping[Unknown, int], low: float, high: float) -> Bounds:
        others = [
            self.bounds[other] if each > 0 else (-self.bounds[other][1], -self.bounds[other][0])
            for other, each in factors.items()
            if other != name
        ]
        weights = [abs(each) for other, each in factors.items() if other != name]
        least = sum(weight * bound[0] for weight, bound in zip(weights, others, strict=True))
        most = sum(weight * bound[1] for weight, bound in zip(weights, others, strict=True))
        ends = sorted(((low - most) / factor, (high - least) / factor))
        before = self.bounds[name]
        return max(before[0], math.ceil(ends[0]) if math.isfinite(ends[0]) else -math.inf), min(
            before[1], math.floor(ends[1]) if math.isfinite(ends[1]) else math.inf
        )
