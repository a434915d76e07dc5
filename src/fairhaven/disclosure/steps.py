"""Counts of sets that lie in each other, such as what each step of a selection leaves."""

from collections.abc import Sequence

from fairhaven.disclosure.policy import Policy
from fairhaven.disclosure.protection import Cell, Protected, hidden, protect


def protect_steps(steps: Sequence[Cell], policy: Policy) -> tuple[Protected, ...]:
    """Counts of nested sets as the policy lets them be shown together.

    Whoever sees two of them computes how many one step took away, and those are few where the two are close. Rounding
    blurs that. Where the policy does not round, a step is shown only if it takes nobody away from the last step shown, or
    as many as the policy's threshold.

    Args:
        steps: each the count of a subset of the one before, or each of a set that holds the one before. The first has the
            best chance to be shown.
    """
    shown: list[Protected] = []
    last: Cell | None = None
    for step in steps:
        protected = protect(step.rows, policy, persons=step.persons)
        if not protected.is_hidden and policy.round_to == 1 and last is not None:
            gone = abs(last.persons - step.persons)
            is_telling = 0 < gone < policy.threshold or (gone == 0 and step.rows != last.rows)
            protected = hidden(policy, is_one_of_several=True) if is_telling else protected
        if not protected.is_hidden:
            last = step
        shown.append(protected)
    return tuple(shown)
