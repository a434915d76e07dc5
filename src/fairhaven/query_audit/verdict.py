"""What a circle of askers has to say to a question."""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap


class VerdictKind(StrEnum):
    """How a question is met."""

    FRESH = "fresh"
    SMALL = "small"
    EARLIER = "earlier"
    COMBINED = "combined"
    """With the sum and difference of more than two earlier answers."""
    REFUSED = "refused"
    WITHHELD = "withheld"
    """Refused to a table only; a question of its own may be answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a circle has to say to a question.

    Args:
        kind: how the question is to be met.
        value: the count to show; None where it is suppressed or refused.
        apart: the persons of whom it tells that they are few, or not.
        weights: what each person's exposure rises by.
        why: the rule that refuses, for measurement; nobody is told.
    """

    kind: VerdictKind
    value: int | None = None
    apart: BitMap | None = None
    weights: NDArray[np.float32] | None = field(default=None, repr=False)
    why: str = ""

    @property
    def is_refused(self) -> bool:
        """True where nothing is told."""
        return self.kind in (VerdictKind.REFUSED, VerdictKind.WITHHELD)
