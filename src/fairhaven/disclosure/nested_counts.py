"""Counts of sets that lie in each other, such as what each step of a selection leaves."""

from collections.abc import Sequence

from fairhaven.disclosure.policy import Policy
from fairhaven.disclosure.primary_suppression import Cell, Protected, hidden, protect


def protect_steps(steps: Sequence[Cell], policy: Policy, *, first: Sequence[int] = ()) -> tuple[Protected, ...]:
    """Counts of nested sets as the policy lets them be shown together.

    Whoever sees two of them computes how many lie between them, and those are few where the two are close. A step is shown only
    if between it and every other one shown there is nobody, or as many as the policy's threshold, or its rounding blurs how many.

    Args:
        steps: each the count of a subset of the one before.
        first: places of the steps that matter most, the first of them most: where two are too close the later is hidden.
    """
    protected = [protect(step.rows, policy, persons=step.persons) for step in steps]
    kept: list[Cell] = []
    for place in (*first, *(place for place in range(len(steps)) if place not in first)):
        if protected[place].is_hidden:
            continue
        if any(_is_telling(steps[place], other, policy) for other in kept):
            protected[place] = hidden(policy, is_one_of_several=True)
        else:
            kept.append(steps[place])
    return tuple(protected)


def lacks_few(part: int, whole: int | None, policy: Policy) -> bool:
    """True where a count and that of a set around it say, as they are shown, how few are in the one and not in the other.

    A count of rows is taken likewise: it is at least that of the persons behind it. A policy that rounds blurs the difference, if
    by all that is shown it may still be anything under the threshold.
    """
    if whole is None or not 0 < whole - part < policy.threshold:
        return False
    between, reach = policy.rounded(whole) - policy.rounded(part), policy.round_to - 1
    return between + reach < policy.threshold - 1 or between - reach > 1 or policy.round_to == 1


def _is_telling(one: Cell, other: Cell, policy: Policy) -> bool:
    part, whole = sorted((one.persons, other.persons))
    return lacks_few(part, whole, policy) or (policy.round_to == 1 and part == whole and one.rows != other.rows)
