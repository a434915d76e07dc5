"""The figures of a page together: nothing that stands on it, subtracted from something else on it, gives a few persons."""

import re
from dataclasses import replace
from typing import Any

import pytest

from fairhaven.archive import Change
from fairhaven.disclosure import shown
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.journeys.releases.release_report import ReleaseReport, RowsShown
from fairhaven.pages.release import render
from fairhaven.pages.release.labels import STEPS
from fairhaven.quality import QualityReport, Severity
from fairhaven.release.facts import QuarantinedRows, RowFlow
from fairhaven.release.row_counts import SourceRows, UnmappedRows, YearRows
from tests.support.html_page import Page
from tests.support.page_facts import PageFacts
from tests.support.release_counts import description, flows, linkage, manifest, quality, report, row_flow, written
from tests.support.release_page_figures import ReleasePageFigures

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


@pytest.mark.parametrize("policy", ["ons", "hdr-uk", "hes", "opensafely"])
@pytest.mark.parametrize(
    ("by_sources", "steps"),
    [
        ({1: 4, 2: 18, 3: 8, 4: 3}, {"nhs_number": 71, "given-birth-postcode": 1}),
        ({1: 1_050, 2: 44 - 4, 3: 4}, {"nhs_number": 92}),
        ({1: 150, 2: 940, 3: 4}, {"nhs_number": 1_000, "splink": 892}),
        ({1: PERSONS - 4, 2: 4}, {"nhs_number": 8}),
        ({1: 20, 4: PERSONS - 20}, {"nhs_number": 4_292, "splink": 4}),
    ],
)
def test_patient_records_do_not_tell_how_few_persons_are_known_to_some_number_of_sources(
    policy: str, by_sources: dict[int, int], steps: dict[str, int]
) -> None:
    found = linkage(
        patients=sum(sources * persons for sources, persons in by_sources.items()),
        persons=sum(by_sources.values()),
        steps={**steps, "alone": by_sources[1]},
        persons_by_sources=by_sources,
    )
    made = report(policy, facts=manifest(linkage=found), years=(), quarantine=())
    figures = ReleasePageFigures(render(made), policy_named(policy), is_one_record_of_each=True)
    enough = {("step", STEPS[step]) for step, count in found.steps.items() if count >= policy_named(policy).threshold}
    narrowed = figures.narrowed(many=enough)
    assert not {name: each for name, each in narrowed.items() if str(name).startswith(("('known to", "('step"))}
    assert not figures.unread()


@pytest.mark.parametrize("policy", ["hdr-uk", "opensafely"])
def test_shares_and_rows_checked_do_not_tell_what_rounding_hides(policy: str) -> None:
    rule = policy_named(policy)
    found = linkage(patients=76, persons=33, steps={"nhs_number": 76}, persons_by_sources={1: 11, 2: 19, 3: 3})
    made = report(policy, facts=manifest(linkage=found), checked=_checked(("a", 12, 31)), years=())
    assert made.linkage is not None
    assert made.quality is not None
    for part in (*made.linkage.steps.values(), *made.linkage.by_sources.values()):
        assert part.count.value is None or part.share in (1.0, part.count.value / rule.rounded(33))
    assert made.linkage.several is None or made.linkage.several in {0.5, 2 / 3, 20 / 30}
    assert [check.checked and check.checked.value for check in made.quality.failed] == [rule.rounded(31)]


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


@pytest.mark.parametrize("policy", ["hdr-uk", "hes", "opensafely"])
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
        took = (flow.received.value or 0) - (flow.quarantined.value or 0) - (flow.landed.value or 0)
        assert flow.landed.is_hidden or took == 0
    assert rows.in_use == rows.total.current


@pytest.mark.parametrize("few", FEW)
def test_what_quality_looked_at_does_not_tell_how_few_persons_a_table_lacks(few: int) -> None:
    from fairhaven.journeys.releases.protected_counts import _failed

    result = replace(quality().failed()[0], violated=200, denominator=PERSONS - few)
    check = _failed(result, PERSONS, policy_named("ons"), {})
    assert check.checked is not None
    assert (check.checked.value, check.failed.count.value) == (None, None)
    nearly_all = replace(result, violated=5_000 - few, denominator=5_000)
    assert _failed(nearly_all, PERSONS, policy_named("ons"), {}).failed.count.value is None


def _checked(*counted: tuple[str, int, int]) -> QualityReport:
    """Checks that failed on the concept of a condition: kind, rows that violate it, rows looked at."""
    like = quality().failed()[0]
    check = replace(like.check, table="condition_occurrence", field="condition_concept_id", severity=Severity.FATAL)
    results = [
        replace(like, check=replace(check, kind=kind), violated=violated, denominator=of)
        for kind, violated, of in counted
    ]
    return replace(quality(), results=tuple(results))


@pytest.mark.parametrize("few", FEW)
def test_the_place_of_a_hidden_check_among_others_is_that_of_any_hidden_one(few: int) -> None:
    checks = _checked(("a", 10, 100_000), ("b", few, 46_838), ("c", 40, 5_000))
    made = report(checked=checks, years=())
    assert made.quality is not None
    assert [check.check.kind for check in made.quality.failed] == ["c", "a", "b"]


def test_a_check_does_not_say_how_many_rows_lack_what_the_page_does_not_say() -> None:
    concept = description().tables[0].variables[0]
    table = replace(description().tables[0], variables=(replace(concept, missing=None, missing_share=None),))
    made = report(
        described=replace(description(), tables=(table,)),
        checked=_checked(("isRequired", 400, 5_100), ("isStandardValidConcept", 60, 4_700), ("fkDomain", 80, 5_100)),
        years=(),
    )
    assert made.quality is not None
    said = {
        each.check.kind: (each.failed.count.value, each.checked and each.checked.value) for each in made.quality.failed
    }
    assert said == {"isRequired": (None, 5_100), "isStandardValidConcept": (None, None), "fkDomain": (80, 5_100)}


def _few_in(place: str, few: int) -> tuple[RowFlow, ...]:
    """The rows of the region, of which in one table a few had a fate."""
    first, *others = flows()
    given: dict[str, Any] = {place: few}
    changed = replace(first, **given)
    landed = changed.received - changed.quarantined - changed.opted_out
    current = landed - changed.withdrawn - changed.superseded
    return replace(changed, landed=landed, current=current), *others


@pytest.mark.parametrize("place", ["quarantined", "opted_out", "withdrawn", "superseded"])
@pytest.mark.parametrize("few", [1, 4, 9])
def test_no_fate_of_a_few_rows_is_what_is_left_of_those_received(place: str, few: int) -> None:
    given = _few_in(place, few)
    made = report(facts=manifest(row_flow=given), quarantine=_reasons(given), years=(), unmapped=())
    facts = PageFacts(made)
    bounds = facts.solver.solved()
    small = (given[0].source, given[0].table, place)
    assert small in facts.hidden
    low, high = bounds[small]
    assert low <= 1 and high >= 9
    assert (place != "quarantined") or all(
        each.rows.is_hidden
        for each in made.quarantine
        if (each.source, each.table) == (given[0].source, given[0].table)
    )


@pytest.mark.parametrize("few", [1, 5, 9])
def test_few_rows_in_quarantine_leave_the_sums_of_other_fates_on_the_page(few: int) -> None:
    """What is hidden with them is the cheapest that will do: rows in use, which are said once."""
    given = tuple(
        row_flow(
            source, table, received=received, quarantined=few if table == "events" else 0, opted_out=received // 10
        )
        for source, table, received in (
            ("gp_market", "events", 50_000),
            ("gp_market", "medications", 2_000),
            ("gp_riverside", "events", 60_000),
            ("trust_north", "outpatients", 4_000),
        )
    )
    made = report(facts=manifest(row_flow=given), quarantine=(), years=(), unmapped=())
    assert made.rows is not None
    assert (made.rows.lost["opted-out"].value, made.rows.lost["quarantined"].is_hidden) == (11_600, few < 9)
    assert [flow.opted_out.value for flow in made.rows.by_table] == [5_000, 200, 6_000, 400]
    assert {source.lost["opted-out"].value for source in made.rows.sources} == {5_200, 6_000, 400}
    assert not PageFacts(made).narrowed(policy_named("ons").threshold)


def test_what_lines_received_say_by_themselves_is_not_hidden_at_the_cost_of_others() -> None:
    given = (
        row_flow("trust_south", "location", received=14),
        row_flow("gp_market", "events", received=900, opted_out=90),
    )
    rows = report(facts=manifest(row_flow=given), quarantine=()).rows
    assert rows is not None
    assert [flow.current.value for flow in rows.by_table] == [14, 810]
    assert (rows.total.opted_out.value, rows.in_use.value) == (90, 824)


def _reasons(given: tuple[RowFlow, ...]) -> tuple[QuarantinedRows, ...]:
    return tuple(
        QuarantinedRows(source=flow.source, table=flow.table, field="", reason="no date", rows=flow.quarantined)
        for flow in given
        if flow.quarantined
    )


def test_prose_says_no_number_that_the_picture_does_not_show() -> None:
    given = tuple(replace(flow, quarantined=0, landed=flow.received - flow.opted_out) for flow in flows())
    first = replace(given[0], quarantined=7, landed=given[0].landed - 7)
    html = render(report(facts=manifest(row_flow=(first, *given[1:])), quarantine=_reasons((first,))))
    assert "; some did not fit" in html and "How many “some” are is not shown" in html
    assert not re.search(r"\b7\b did not fit", Page(html).text)


@pytest.mark.parametrize("few", FEW)
def test_unmapped_rows_of_a_table_do_not_tell_those_of_one_source(few: int) -> None:
    made = report(
        links=(
            SourceRows(source="gp_market", cdm_table="measurement", rows=20_000, unmapped=800),
            SourceRows(source="gp_riverside", cdm_table="measurement", rows=9_000, unmapped=few),
            SourceRows(source="trust_south", cdm_table="measurement", rows=6_000, unmapped=600),
        ),
        unmapped=(),
    )
    assert made.rows is not None
    (table,) = made.rows.tables
    by_source = {row.source: row.unmapped.count.value for row in made.rows.written}
    assert by_source["gp_riverside"] is None
    if table.unmapped.count.value is not None:
        assert list(by_source.values()).count(None) >= 2
    assert [row.rows.value for row in made.rows.written] == [20_000, 9_000, 6_000]


@pytest.mark.parametrize("few", FEW)
def test_codes_do_not_tell_what_is_left_of_a_sources_unmapped_rows(few: int) -> None:
    def code(source: str, name: str, rows: int) -> UnmappedRows:
        return UnmappedRows(source=source, cdm_table="measurement", code=name, rows=rows, persons=rows)

    made = report(
        links=(
            SourceRows(source="gp_market", cdm_table="measurement", rows=20_000, unmapped=500 + few),
            SourceRows(source="trust_south", cdm_table="measurement", rows=9_000, unmapped=20),
        ),
        unmapped=(code("gp_market", "A", 500), code("gp_market", "B", few), code("trust_south", "C", 20)),
    )
    shown = {each.code: each.rows.value for each in made.codes}
    assert (shown["A"], shown["B"]) == (None, None)


@pytest.mark.parametrize("few", FEW)
def test_codes_that_are_not_ranked_and_rows_without_a_code_are_not_what_the_listed_codes_leave(few: int) -> None:
    """Of 903 rows two codes have 500 and 400: 3 are left over. What was counted before others were counted has no row for them."""

    def code(name: str | None, rows: int) -> UnmappedRows:
        return UnmappedRows(source="gp_market", cdm_table="measurement", code=name, rows=rows, persons=rows)

    link = SourceRows(source="gp_market", cdm_table="measurement", rows=20_000, unmapped=900 + few)
    listed = (code("A", 500), code("B", 400))
    for unmapped in ((*listed, code(None, few)), listed):
        made = report(links=(link,), unmapped=unmapped)
        assert sorted(each.code for each in made.codes) == ["A", "B"]
        assert None in [each.rows.value for each in made.codes]
    others = UnmappedRows(source="gp_market", cdm_table="measurement", code=None, rows=90, persons=few)
    made = report(links=(replace(link, unmapped=990),), unmapped=(*listed, others))
    assert None in [each.rows.value for each in made.codes], "many rows of few persons"


@pytest.mark.parametrize("few", FEW)
def test_rows_without_a_day_are_not_what_is_left_of_a_sources_years(few: int) -> None:
    years = [
        YearRows(source=source, year=year, rows=300, persons=100)
        for source in ("gp_market", "gp_riverside")
        for year in (2020, 2021)
    ]
    undated = YearRows(source="gp_market", year=None, rows=few, persons=few)
    made = report(years=(*years, undated))
    assert list(made.years["gp_market"]) == [2020, 2021]
    assert None in [rows.value for rows in made.years["gp_market"].values()]


@pytest.mark.parametrize("few", FEW)
def test_a_source_of_few_persons_in_a_year_is_not_what_is_left_of_the_year(few: int) -> None:
    def year(source: str, number: int, persons: int) -> YearRows:
        return YearRows(source=source, year=number, rows=persons, persons=persons)

    made = report(
        years=(
            *(year("gp_market", number, 300) for number in (2020, 2021, 2022)),
            *(year("gp_riverside", number, 200) for number in (2020, 2021, 2022)),
            year("deaths", 2020, few),
            year("deaths", 2021, 40),
            year("deaths", 2022, 50),
        )
    )
    hidden_years = [source for source, years in made.years.items() if years[2020].is_hidden]
    assert "deaths" in hidden_years and len(hidden_years) > 1


def _reports(policy: str) -> dict[str, ReleaseReport]:
    """Pages of the made-up region, with few here and there, whose numbers agree with each other."""
    few_years = tuple(
        YearRows(source=source, year=year, rows=10 * persons, persons=persons)
        for source, persons_of in {"gp_market": (300, 4, 80), "council": (9, 40, 60), "deaths": (20, 12, 3)}.items()
        for year, persons in zip((2020, 2021, 2022), persons_of, strict=True)
    )
    few_unmapped = tuple(replace(row, unmapped=1 + place % 9) for place, row in enumerate(written()) if place % 2)
    few_rows = tuple(_small(place, flow) for place, flow in enumerate(flows()))

    def made(row_flow: tuple[RowFlow, ...] = flows(), **given: Any) -> ReleaseReport:
        codes = tuple(
            UnmappedRows(source=row.source, cdm_table=row.cdm_table, code=code, rows=rows, persons=rows)
            for row in given.get("links", written())
            for code, rows in (("MOST", row.unmapped - 3), ("RARE", 3))
            if row.unmapped > 20
        )
        facts = given.pop("facts", manifest(row_flow=row_flow))
        return report(policy, facts=facts, quarantine=_reasons(row_flow), **{"years": (), "unmapped": codes, **given})

    return {
        "the region": made(),
        **({"the region, described": made(described=description())} if policy == "ons" else {}),
        "few rows of every fate": made(few_rows),
        "few persons in years": made(years=few_years),
        "few unmapped": made(links=few_unmapped),
        "few opted out": made(
            facts=manifest(
                linkage=linkage(
                    patients=3_642,
                    persons=PERSONS + 4,
                    steps={"nhs_number": 3_640, "alone": 2},
                    persons_by_sources={1: 8, 2: PERSONS - 4},
                )
            ),
        ),
        "few kinds": made(
            kinds={frozenset({"gp"}): 5, frozenset({"hospital"}): 7, frozenset({"gp", "hospital"}): PERSONS - 12}
        ),
    }


def _small(place: int, flow: RowFlow) -> RowFlow:
    """The same table with a few rows of one of its fates."""
    fate = ("quarantined", "opted_out", "withdrawn", "superseded")[place % 4]
    given: dict[str, Any] = {fate: 1 + place % 9}
    changed = replace(flow, **given)
    landed = changed.received - changed.quarantined - changed.opted_out
    return replace(changed, landed=landed, current=landed - changed.withdrawn - changed.superseded)


def test_nothing_that_a_page_says_narrows_a_small_count_within_one_to_the_threshold() -> None:
    for name, made in _reports("ons").items():
        facts = PageFacts(made)
        assert facts.hidden, name
        assert not facts.narrowed(policy_named("ons").threshold), name


@pytest.mark.parametrize("policy", ["ons", "hdr-uk", "hes", "opensafely"])
def test_nothing_that_is_read_out_of_a_made_page_narrows_a_small_count(policy: str) -> None:
    for name, made in _reports(policy).items():
        figures = ReleasePageFigures(render(made), policy_named(policy))
        assert figures.hidden, name
        assert not figures.narrowed(), name
        assert not figures.unread(), name


def test_the_reader_of_pages_notices_one_figure_too_many() -> None:
    made, ons = report(years=(), quarantine=(), unmapped=()), policy_named("ons")
    assert made.rows is not None

    def read(rows: RowsShown) -> ReleasePageFigures:
        return ReleasePageFigures(render(replace(made, rows=rows)), ons)

    assert not read(made.rows).narrowed()
    *others, deaths = made.rows.by_table
    told = replace(deaths, quarantined=shown(flows()[-1].quarantined))
    assert read(replace(made.rows, by_table=(*others, told))).narrowed()
    left = replace(deaths, current=shown(flows()[-1].current), opted_out=shown(1), superseded=shown(5))
    assert read(replace(made.rows, by_table=(*others, left))).narrowed()
    *sources, registrar = made.rows.sources
    drawn = replace(registrar, lost={**registrar.lost, "quarantined": shown(1)})
    assert read(replace(made.rows, sources=(*sources, drawn))).narrowed()
