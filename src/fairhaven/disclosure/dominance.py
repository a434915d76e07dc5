"""Sums and means that say too much of one person: the (n, k) rule and the p % rule on what each person contributed."""

import math
from collections.abc import Iterable

from fairhaven.disclosure.policy import Dominance


def is_dominated(contributions: Iterable[float], rule: Dominance) -> bool:
    """True where a sum or mean of the contributions may not be shown.

    Args:
        contributions: one for each person. Their sizes count: a debt dominates as a fortune does.

    Raises:
        ValueError: a contribution that is not a number; leave missing values out before.
    """
    sizes = sorted((abs(value) for value in contributions), reverse=True)
    if not all(map(math.isfinite, sizes)):
        raise ValueError("a contribution is not a finite number")
    total = math.fsum(sizes)
    if total == 0:
        return bool(sizes)  # it says of everybody that they have none
    return math.fsum(sizes[: rule.n]) >= rule.k * total or math.fsum(sizes[2:]) < rule.p * sizes[0]
