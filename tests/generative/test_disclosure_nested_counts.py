"""Counts of nested sets: no two that are shown tell of few persons between them."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from fairhaven.disclosure import Cell, protect, protect_steps
from fairhaven.hub.disclosure_policies import policy_named

_ONS, _ROUNDED = policy_named("ons"), policy_named("hes")


@st.composite
def _steps(draw: st.DrawFn) -> list[Cell]:
    """Nested sets of persons, each with one row or more; a subset of as many persons may have fewer rows."""
    persons = sorted(draw(st.lists(st.integers(0, 60), min_size=1, max_size=8)), reverse=True)
    extra = sorted(draw(st.lists(st.integers(0, 9), min_size=len(persons), max_size=len(persons))), reverse=True)
    return [
        Cell(rows=count + (more if count else 0), persons=count) for count, more in zip(persons, extra, strict=True)
    ]


@given(_steps(), st.data())
def test_between_any_two_shown_steps_is_nobody_or_enough(steps: list[Cell], data: st.DataObject) -> None:
    first = data.draw(st.permutations(range(len(steps))).map(lambda places: tuple(places[:2])))
    shown = protect_steps(steps, _ONS, first=first)
    seen = [step for step, protected in zip(steps, shown, strict=True) if not protected.is_hidden]
    for one, other in combinations(seen, 2):
        between = one.persons - other.persons
        assert between >= _ONS.threshold or (between == 0 and one.rows == other.rows)


@given(_steps())
def test_what_matters_most_is_shown_where_it_may_be_by_itself(steps: list[Cell]) -> None:
    last = len(steps) - 1
    alone = protect(steps[last].rows, _ONS, persons=steps[last].persons)
    assert protect_steps(steps, _ONS, first=(last,))[last] == alone


@given(_steps())
def test_where_rounding_blurs_few_each_stands_by_itself(steps: list[Cell]) -> None:
    policy = policy_named("hdr-uk")
    shown = protect_steps(steps, policy)
    assert list(shown) == [protect(step.rows, policy, persons=step.persons) for step in steps]


@given(_steps())
def test_between_two_rounded_steps_few_may_be_anything_under_the_threshold(steps: list[Cell]) -> None:
    shown = protect_steps(steps, _ROUNDED)
    seen = [(step.persons, told) for step, told in zip(steps, shown, strict=True) if not told.is_hidden]
    for (one, _), (other, _) in combinations(seen, 2):
        if 0 < one - other < _ROUNDED.threshold:
            between = _ROUNDED.rounded(one) - _ROUNDED.rounded(other)
            assert between - 4 <= 1 and between + 4 >= _ROUNDED.threshold - 1
