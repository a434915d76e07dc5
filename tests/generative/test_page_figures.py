"""A reader who knows the mappings and every equation of a page narrows none of its small counts, whatever the release and the rule."""

from collections.abc import Hashable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.pages.release import render
from tests.support.examples import examples
from tests.support.generated_counts import generated_counts
from tests.support.release_counts import report
from tests.support.release_page_figures import ReleasePageFigures
from tests.support.row_equations import row_equations


@pytest.mark.parametrize("policy", ["ons", "hdr-uk", "hes", "opensafely"])
@examples(8)
@given(seed=st.integers(0, 1 << 40))
def test_no_small_count_of_any_release_is_narrowed_by_all_that_its_page_says(policy: str, seed: int) -> None:
    made, rule = generated_counts(Random(seed)), policy_named(policy)
    page = render(report(policy, years=(), changes={}, **made.given()))
    figures = ReleasePageFigures(
        page,
        rule,
        is_one_record_of_each=True,
        equations=row_equations(made.facts, {link.cdm_table for link in made.links}),
    )
    truth = made.truth()

    def is_few(name: Hashable) -> bool:
        return 0 < truth.get(name, 1) < rule.threshold

    narrowed = {name: bounds for name, bounds in figures.narrowed().items() if is_few(name)}
    # Two records that a step linked are the fewest that it can link.
    assert not {
        name: (low, high) for name, (low, high) in narrowed.items() if "step" not in str(name) or low > 2 or high < 7
    }
    assert not figures.unread()
