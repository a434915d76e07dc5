"""Whatever the table: no small count is shown, and none can be worked out from what is."""

from hypothesis import given
from hypothesis import strategies as st

from fairhaven.disclosure import protect_table
from fairhaven.hub.disclosure_policies import policy_named

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
