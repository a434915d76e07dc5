"""Whatever the table: no small count is shown, and none can be worked out from what is."""

from hypothesis import assume, given
from hypothesis import strategies as st

from fairhaven.disclosure import Small, protect_table
from fairhaven.hub.disclosure_policies import policy_named
from tests.support.examples import examples
from tests.support.page_solver import PageSolver

COUNTS = st.dictionaries(st.integers(0, 30), st.one_of(st.integers(0, 12), st.integers(0, 100_000)), max_size=12)


@given(COUNTS)
def test_no_small_count_is_shown_under_any_policy(counts: dict[int, int]) -> None:
    for name in ("ons", "hdr-uk", "hes"):
        policy = policy_named(name)
        for key, cell in protect_table(counts, policy).cells.items():
            if 0 < counts[key] < policy.threshold:
                assert not cell.value
            assert cell.value is None or cell.value % policy.round_to == 0


@given(COUNTS)
def test_who_knows_the_true_total_learns_no_small_count(counts: dict[int, int]) -> None:
    policy = policy_named("ons")
    table = protect_table(counts, policy)
    hidden = [counts[key] for key, cell in table.cells.items() if cell.is_hidden]
    shown_anything = table.total.value
    if hidden and shown_anything:
        assert len(hidden) >= 2
        assert sum(hidden) >= policy.threshold


@given(COUNTS)
def test_the_total_is_the_sum_of_what_is_shown(counts: dict[int, int]) -> None:
    table = protect_table(counts, policy_named("ons"))
    assert table.total.value == sum(cell.value or 0 for cell in table.cells.values())
    assert list(table.cells) == list(counts)


@examples(80)
@given(
    st.lists(st.one_of(st.integers(0, 12), st.integers(0, 60)), min_size=2, max_size=5),
    st.sampled_from(["hes", "opensafely", "hdr-uk"]),
)
def test_a_rounded_total_beside_rounded_cells_leaves_a_small_one_open(counts: list[int], name: str) -> None:
    policy = policy_named(name)
    table = protect_table(dict(enumerate(counts)), policy)
    total = sum(counts)
    assume(total >= 2 * policy.threshold)
    reader = PageSolver()
    above = policy.round_to - 1 - policy.half_width
    for place, cell in table.cells.items():
        if cell.value:
            least = max(cell.value - policy.half_width, policy.threshold)
            reader.unknown((place,), least=least, most=cell.value + above)
        elif cell.is_hidden and cell.text == "not shown":
            reader.unknown((place,), least=1)
        else:
            # A small one is not known to be none; of a zero that is told as such nothing is asked.
            reader.unknown(
                place, least=0, most=0 if not cell.is_hidden and policy.small is Small.HIDE else policy.threshold - 1
            )
    said = policy.rounded(total)
    reader.unknown("total", least=said - policy.half_width, most=said + above)
    reader.adds_up([(place,) for place in table.cells], "total")
    bounds = reader.solved()
    for place, count in enumerate(counts):
        if policy.is_small(count) and count:
            low, high = bounds[place,]
            assert low <= 1 and high >= policy.threshold - 1, (counts, place)
