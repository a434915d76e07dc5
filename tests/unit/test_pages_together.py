"""The figures of a page together: nothing that stands on it, subtracted from something else on it, gives a few persons."""

import re
from dataclasses import replace

import pytest

from fairhaven.archive import Change
from fairhaven.pages.release import render
from fairhaven.release.facts import RowFlow
from fairhaven.release.row_counts import SourceRows
from tests.support.html_page import Page
from tests.support.release_counts import flows, linkage, manifest, report

PERSONS = 1_094
"""Of the made-up release."""
FEW = range(1, 10)


def _figures(html: str) -> set[int]:
    """Every whole number that the page says, in its drawings too; their coordinates have no thousands."""
    said = re.findall(r"(?<![\d.,-])\d[\d,]*(?![\d.%])", Page(html).text) + re.findall(r"\d{1,3}(?:,\d{3})+", html)
    return {int(found.replace(",", "")) for found in said}


@pytest.mark.parametrize("few", FEW)
def test_no_table_of_the_flow_tells_how_many_have_no_row_in_it(few: int) -> None:
    made = report(
        years=(),
        links=(
            SourceRows(source="gp_riverside", cdm_table="observation_period", rows=150),
            SourceRows(source="gp_market", cdm_table="observation_period", rows=PERSONS - few - 150),
            SourceRows(source="gp_market", cdm_table="measurement", rows=20_000, unmapped=800),
        ),
        changes={
            "observation_period": (Change(added=40, changed=0, gone=30), PERSONS - few),
            "person": (Change(added=40, changed=0, gone=30), PERSONS),
        },
    )
    shown = _figures(render(made))
    assert PERSONS in shown
    assert 20_000 in shown
    by_chance = _figures(render(report(years=())))
    assert not (shown - by_chance) & {PERSONS - few, PERSONS - few - 150, 20_000 + PERSONS - few}


@pytest.mark.parametrize("few", FEW)
def test_linkage_beside_the_release_does_not_tell_how_few_opted_out(few: int) -> None:
    persons = PERSONS + few
    found = linkage(
        patients=3_642, persons=persons, steps={"nhs_number": 3_642}, persons_by_sources={1: 150, 2: persons - 150}
    )
    made = report(facts=manifest(linkage=found), years=())
    assert made.linkage is not None
    assert made.linkage.several is None
    assert not _figures(render(made)) & {persons, persons - 150}


def test_linkage_is_shown_where_many_opted_out_or_nobody_did() -> None:
    for persons in (PERSONS, PERSONS + 10):
        found = linkage(patients=3_642, persons=persons, steps={}, persons_by_sources={1: 150, 2: persons - 150})
        assert {persons, persons - 150} <= _figures(render(report(facts=manifest(linkage=found), years=())))


def test_a_share_of_persons_does_not_narrow_hidden_parts() -> None:
    made = report()
    assert made.linkage is not None
    assert any(part.count.is_hidden for part in made.linkage.by_sources.values())
    assert made.linkage.several is None


@pytest.mark.parametrize("few", FEW)
def test_kinds_of_data_do_not_tell_of_how_few_persons_there_is_none(few: int) -> None:
    made = report(kinds={frozenset({"gp"}): 700, frozenset({"gp", "hospital"}): PERSONS - few - 700})
    assert [count.value for count in made.kinds.values() if not count.is_hidden] == [700]
    whole = report(kinds={frozenset({"gp"}): 700, frozenset({"gp", "hospital"}): PERSONS - 700})
    assert [count.value for count in whole.kinds.values()] == [700, PERSONS - 700]


@pytest.mark.parametrize("few", FEW)
def test_the_sum_of_all_tables_does_not_tell_the_rows_of_a_small_one(few: int) -> None:
    made = report(
        links=(
            SourceRows(source="deaths", cdm_table="death", rows=few),
            SourceRows(source="gp_market", cdm_table="measurement", rows=20_000, unmapped=few),
            SourceRows(source="gp_market", cdm_table="observation", rows=30_000, unmapped=500),
        )
    )
    assert made.rows is not None
    assert (made.rows.made, made.unmapped) == (50_000, 500)
    assert not _figures(render(made)) & {50_000 + few, 500 + few, 20_000 - few}


@pytest.mark.parametrize("policy", ["ons", "hdr-uk", "hes", "opensafely"])
@pytest.mark.parametrize("few", FEW[:7])
def test_rows_in_use_do_not_tell_how_few_were_opted_out(policy: str, few: int) -> None:
    def without(flow: RowFlow) -> RowFlow:
        landed = flow.received - flow.quarantined
        return replace(flow, opted_out=0, landed=landed, current=landed - flow.withdrawn - flow.superseded)

    first, *others = [without(flow) for flow in flows()]
    first = replace(first, opted_out=few, landed=first.landed - few, current=first.current - few)
    rows = report(policy, facts=manifest(row_flow=(first, *others))).rows
    assert rows is not None
    for flow in (rows.total, rows.by_table[0]):
        for after in (flow.landed, flow.current):
            assert after.value is None or flow.opted_out.value == 0
        took = flow.received - flow.quarantined - (flow.landed.value or 0)
        assert flow.landed.is_hidden or took == 0
    assert rows.in_use == rows.total.current


@pytest.mark.parametrize("few", FEW)
def test_what_quality_looked_at_does_not_tell_how_few_persons_a_table_lacks(few: int) -> None:
    from fairhaven.hub.disclosure_policies import policy_named
    from fairhaven.journeys.releases.protected_counts import _failed
    from tests.support.release_counts import quality

    result = replace(quality().failed()[0], violated=200, denominator=PERSONS - few)
    check = _failed(result, PERSONS, policy_named("ons"))
    assert check.checked is not None
    assert (check.checked.value, check.failed.count.value) == (None, None)
    nearly_all = replace(result, violated=5_000 - few, denominator=5_000)
    assert _failed(nearly_all, PERSONS, policy_named("ons")).failed.count.value is None
