"""Whoever knows true totals cannot work a hidden sum out to within the share p of its largest contribution."""

import datetime as dt
from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.disclosure import ALL, Dominance, Policy, is_dominated, protect_magnitudes
from tests.support.examples import examples
from tests.support.table_attack import possible, totals_of

RULE = Dominance(n=1, k=0.8, p=0.5, source="a test")
PAIRS = Policy(name="pairs", title="", threshold=2, dominance=RULE, since=dt.date(2026, 1, 1), source="a test")
"""Low and coarse rules, so that small tables have all that large ones have and can be tried one by one."""

Values = dict[tuple[Hashable, ...], list[int]]
TABLES = st.sampled_from([(2, 2), (2, 3)]).flatmap(
    lambda shape: st.fixed_dictionaries(
        {
            (row, column): st.lists(st.integers(0, 8), max_size=4)
            for row in range(shape[0])
            for column in range(shape[1])
        }
    )
)


@examples(40)
@given(TABLES.filter(lambda table: any(table.values())))
def test_a_hidden_sum_stays_open_by_the_share_p_of_its_largest(values: Values) -> None:
    rows = [(key, (key, one), float(value)) for key, of in values.items() for one, value in enumerate(of)]
    table = protect_magnitudes(rows, PAIRS)
    sums = {key: sum(values.get(key, ())) for key in table.cells}
    truth = totals_of(sums, ALL)
    shown = {key: None if cell.is_hidden else round(cell.value or 0) for key, cell in table.cells.items()}
    known = {key: truth[key] for key in table.may_be_known}
    most = max(sums.values()) + 10
    for key, cell in table.cells.items():
        of = values.get(key, [])
        if of and (len(of) < 2 or is_dominated(of, RULE)):
            assert cell.is_hidden
            width = int(RULE.p * max(of))
            ends = {sums[key] - min(width, sums[key]), sums[key] + width}
            open_sums = {
                end
                for end in ends
                if end in possible(shown, known, ALL, least=0, most=most, asked=range(end, end + 1))[key]
            }
            assert open_sums == ends, (key, values)
        assert cell.is_hidden or cell.value == pytest.approx(sums[key])
