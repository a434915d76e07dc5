"""Lines of files beside persons, and beside the rows that were made of them: no difference of two on a page is a few persons."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.pages.release import render
from fairhaven.release.facts import MappingRule, QuarantinedRows, RowFlow, RuleOutcome
from fairhaven.release.row_counts import SourceRows
from tests.support.html_page import Page
from tests.support.release_counts import SOURCES, linkage, manifest, report, row_flow
from tests.support.release_page_figures import ReleasePageFigures
from tests.support.row_equations import row_equations

POLICIES = ["ons", "hdr-uk", "hes", "opensafely"]
PERSONS = 1_094
_REGISTRAR = SOURCES[-1].title
_MANY = (
    row_flow("gp_market", "events", received=50_000, opted_out=900, superseded=700),
    row_flow("trust_north", "outpatients", received=9_000, opted_out=120, superseded=90),
)
"""Other tables of the hub, with which a hidden number can be hidden."""


def _made(
    policy: str,
    flow: RowFlow,
    outcomes: Mapping[str, int],
    *,
    others: tuple[RowFlow, ...] = (),
    erased: int = 0,
    **given: Any,
) -> tuple[ReleaseReport, ReleasePageFigures]:
    """A page on a hub of which one source's rows came to these outcomes, and what a reader makes of it who knows the mappings.

    Args:
        erased: rows of the release that were erased since it was built.
    """
    source, table = flow.source, flow.table
    facts = manifest(
        row_flow=(*_MANY, *others, flow),
        rules=(MappingRule(number=1, name="r", source=source, table=table, file="m.toml:1", target="event"),),
        rule_outcomes=tuple(
            RuleOutcome(rule=1, source=source, table=table, outcome=outcome, rows=rows)
            for outcome, rows in outcomes.items()
        ),
        linkage=replace(manifest().linkage, sources={source: flow.current}),
    )
    written = ("death", "measurement", "observation", "visit_occurrence")
    links = tuple(
        SourceRows(source=source, cdm_table=name, rows=rows - erased)
        for name, rows in outcomes.items()
        if name in written
    )
    quarantine = tuple(
        QuarantinedRows(source=source, table=table, field="", reason="no date", rows=flow.quarantined)
        for _ in range(min(flow.quarantined, 1))
    )
    made = report(policy, facts=facts, links=links, unmapped=(), years=(), quarantine=quarantine, **given)
    equations = row_equations(facts, {link.cdm_table for link in links})
    if erased:
        equations = [replace(each, is_all=False, left=each.left + erased) for each in equations]
    return made, ReleasePageFigures(render(made), policy_named(policy), equations=equations)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("few", [1, 9])
@pytest.mark.parametrize("deaths", [60, 1_004])
def test_lines_in_use_do_not_tell_beside_rows_of_deaths_how_few_were_registered_twice(
    policy: str, few: int, deaths: int
) -> None:
    flow = row_flow("deaths", "deaths", received=deaths + few)
    _, figures = _made(policy, flow, {"death": deaths, "another death of the person": few})
    assert few == 9 or any("left out" in name for name in figures.hidden if isinstance(name, tuple))
    assert not figures.narrowed()


@pytest.mark.parametrize("few", [1, 3, 9])
@pytest.mark.parametrize("undated", [12, 400])
def test_one_reason_is_not_what_another_leaves_of_lines_that_became_no_row(few: int, undated: int) -> None:
    flow = row_flow("deaths", "deaths", received=600 + few + undated)
    outcomes = {"death": 600, "another death of the person": few, "no date": undated}
    made, figures = _made("ons", flow, outcomes)
    assert not figures.narrowed()
    assert made.rows is not None and made.rows.by_table[-1].current.value == 600 + few + undated


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("few", [1, 9])
def test_rows_of_several_tables_do_not_tell_how_few_lines_became_none(policy: str, few: int) -> None:
    flow = row_flow("council", "services", received=7_000 + few, opted_out=60)
    outcomes = {"measurement": 5_000 - 60, "observation": 2_000, "no date": few}
    _, figures = _made(policy, flow, outcomes)
    assert not figures.narrowed()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("few", [1, 9])
@pytest.mark.parametrize("opted_out", [1, 300])
def test_lines_in_quarantine_are_not_what_rows_of_the_release_leave_of_those_received(
    policy: str, few: int, opted_out: int
) -> None:
    flow = row_flow("deaths", "deaths", received=2_000, quarantined=few, opted_out=opted_out)
    _, figures = _made(policy, flow, {"death": flow.current})
    assert not figures.narrowed()


@pytest.mark.parametrize("few", [1, 9])
def test_lines_do_not_tell_of_how_few_rows_were_erased_since(few: int) -> None:
    """What a release says of its lines is of the day on which it was built."""
    made, figures = _made("ons", row_flow("deaths", "deaths", received=300), {"death": 300}, erased=few)
    assert not figures.narrowed()
    assert made.rows is not None and made.rows.by_table[-1].received.is_hidden


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("few", [1, 7])
def test_a_register_of_few_persons_is_not_told_by_its_lines(policy: str, few: int) -> None:
    made, figures = _made(policy, row_flow("deaths", "deaths", received=few), {"death": few})
    assert not figures.narrowed()
    assert made.rows is not None
    deaths = made.rows.by_table[-1]
    assert (deaths.received.value, deaths.current.value, deaths.landed.value) == (None, None, None)
    assert made.rows.sources[-1].received.is_hidden
    assert made.rows.total.received.value == 59_000
    assert "not counting 1 table of theirs of which the page tells no numbers" in Page(render(made)).text


@pytest.mark.parametrize("policy", ["hdr-uk", "hes", "opensafely"])
def test_lines_are_rounded_as_persons_are(policy: str) -> None:
    made, _ = _made(policy, row_flow("deaths", "deaths", received=5_003), {"no date": 5_003})
    assert made.rows is not None
    rule = policy_named(policy)
    assert made.rows.by_table[-1].received.value == rule.rounded(5_003) != 5_003
    assert made.rows.total.received.value == rule.rounded(5_003) + 59_000


@pytest.mark.parametrize("few", [-9, -1, 1, 5, 9])
@pytest.mark.parametrize("given", ["received", "current"])
def test_lines_of_a_register_do_not_lie_a_few_beside_the_persons_of_the_page(few: int, given: str) -> None:
    kept_back = 0 if given == "received" else 500
    flow = row_flow("deaths", "deaths", received=PERSONS + few + kept_back, opted_out=kept_back)
    made, _ = _made("ons", flow, {"no date": 20})
    assert made.rows is not None and made.rows.by_table[-1].received.is_hidden
    alone = row_flow("deaths", "deaths", received=230 + few + kept_back, opted_out=kept_back)
    kinds = {frozenset({"gp"}): PERSONS - 230, frozenset({"gp", "registry"}): 200, frozenset({"registry"}): 30}
    made, _ = _made("ons", alone, {"no date": 20}, kinds=kinds)
    assert made.rows is not None and made.rows.by_table[-1].received.is_hidden, "230 persons are known to the registry"


@pytest.mark.parametrize("few", [1, 9])
def test_two_tables_of_a_partners_cdm_do_not_tell_how_few_persons_have_no_row_in_one(few: int) -> None:
    person = row_flow("deaths", "person", received=700)
    periods = row_flow("deaths", "observation_period", received=700 - few)
    made, _ = _made("ons", person, {"no date": 20}, others=(periods,))
    assert made.rows is not None
    shown = {flow.table: flow.received.value for flow in made.rows.by_table if flow.source == "deaths"}
    assert shown == {"person": 700, "observation_period": None}


def test_lines_of_events_that_happen_to_lie_close_are_told() -> None:
    """Of a source with clearly more lines than patients a line is no person."""
    flows = (row_flow("trust_south", "a", received=7_003), row_flow("trust_south", "b", received=7_000))
    rows = report(facts=manifest(row_flow=flows, linkage=linkage(sources={"trust_south": 400})), quarantine=()).rows
    assert rows is not None and [flow.received.value for flow in rows.by_table] == [7_003, 7_000]


def test_what_was_delivered_does_not_say_how_many_lines_a_file_has() -> None:
    """A list of three patients after one of two says that one came."""
    html = render(report())
    files = Page(html).text.partition("Files delivered")[2].partition("How to read this")[0]
    assert not {each.rows for each in manifest().extracts} & {
        int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", files)
    }
