"""The report page: safe to open anywhere, true to the facts, and telling nothing of few people."""

import datetime as dt
import re
from dataclasses import replace

import pytest

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.pages.kit.figures import share
from fairhaven.pages.kit.html import Html, join, tag
from fairhaven.pages.release import (
    Change,
    Flow,
    Kinds,
    Link,
    Linkage,
    OptOut,
    ReportFacts,
    Source,
    Step,
    Unmapped,
    YearRows,
    render,
)
from fairhaven.release.description import Bar, Description, TableDescription, Variable
from tests.support.html_page import Page, check_nothing_fetched, check_screen_reader, check_style_policy
from tests.support.report_facts import SOURCES, facts, flows, links

_HOSTILE = "</title></style><script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"x"


def _described() -> Description:
    name = Variable(
        name="condition_concept_id",
        kind="concept",
        type="integer",
        is_required=True,
        missing=0,
        missing_share=0.0,
        distinct=31,
        bars=(Bar(label="Essential hypertension", code="320128", rows=4_321, persons=512),),
        others=777,
    )
    year = Variable(
        name="condition_start_date",
        kind="date",
        type="date",
        is_required=True,
        missing=None,
        missing_share=0.0,
        lowest=1999,
        highest=2001,
        bars=(
            Bar(label="1999", code="", rows=1_500, persons=300),
            Bar(label="2000", code="", rows=None, persons=None),
            Bar(label="2001", code="", rows=3_600, persons=400),
        ),
    )
    never = replace(name, name="stop_reason", kind="category", missing=5_100, missing_share=1.0, bars=(), others=None)
    table = TableDescription(
        name="condition_occurrence",
        rows=5_100,
        persons=640,
        first_year=1999,
        last_year=2001,
        variables=(name, year, never),
    )
    return Description(policy="ons", persons=1_094, first_year=1999, last_year=2001, tables=(table,))


@pytest.fixture(scope="module")
def html() -> str:
    return render(facts(description=_described()))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_every_element_is_closed_in_order(page: Page) -> None:
    assert [name for name, _ in page.elements][:2] == ["html", "head"]


def test_nothing_runs_and_nothing_is_fetched(html: str) -> None:
    check_nothing_fetched(html)


def test_the_content_security_policy_names_exactly_this_style(html: str) -> None:
    check_style_policy(html)


def test_a_screen_reader_finds_its_way(html: str) -> None:
    check_screen_reader(html)


def test_hostile_names_stay_words() -> None:
    source = Source(name="gp_x", title=_HOSTILE, kind=_HOSTILE)
    made = facts(
        hub=_HOSTILE,
        hash=_HOSTILE,
        vocabulary=_HOSTILE,
        sources=(source, *SOURCES),
        flows=(*flows(), Flow(source="gp_x", table=_HOSTILE, received=100, landed=100)),
        completeness=(YearRows(source="gp_x", year=2020, rows=50, persons=40),),
        kinds=(Kinds(kinds=frozenset({_HOSTILE, "gp"}), persons=44),),
        unmapped=tuple(
            Unmapped(source="gp_x", cdm_table=_HOSTILE, vocabulary=_HOSTILE, code=_HOSTILE, name=_HOSTILE, rows=n)
            for n in (90, 80)
        ),
        changes=(Change(table=_HOSTILE, before=10, after=40, added=30, changed=0, gone=0),),
        linkage=Linkage(records=50, persons=40, steps=(Step(name=_HOSTILE, records=50),)),
    )
    html = render(made)
    assert "<script" not in html
    assert "<img" not in html
    assert not [a for _, a in Page(html).elements if any(key.startswith("on") for key in a)]


def test_text_is_escaped_wherever_it_stands() -> None:
    assert tag("p", "<b>", title='"<') == '<p title="&quot;&lt;">&lt;b&gt;</p>'
    assert join("a & b", Html("<br>"), ["<", None]) == "a &amp; b<br>&lt;"


def test_the_figures_of_the_page_are_the_facts(page: Page) -> None:
    received = sum(flow.received for flow in flows())
    assert f"{received:,} rows received" in _figures(page)
    assert f"{sum(link.rows for link in links()):,} rows in the release" in _figures(page)
    for flow in flows():
        assert f"{flow.received:,}" in page.text
        # One row of the registrar was opted out; the council's 35 are hidden with it.
        assert (f"{flow.current:,}" in page.text) is (flow.source not in {"council", "deaths"})
    for link in links():
        assert f"{link.rows:,}" in page.text
    for step in (2_931, 388, 214, 109):
        assert f"{step:,}" in page.text
    assert "Essential hypertension 4,321" in page.text
    assert "30 other values, 777 rows" in page.text
    assert "2,417 free-text notes" in page.text
    assert facts().hash in page.text


def test_every_source_table_and_failing_check_is_on_the_page(page: Page) -> None:
    made = facts()
    assert made.scorecard is not None
    for source in made.sources:
        assert source.title in page.text
    for check in made.scorecard.failing:
        assert check.words in page.text
    for delivery in made.deliveries:
        assert delivery.sha256[:12] in page.text
        assert delivery.file not in page.text  # a file may be named after a patient


def test_the_flow_picture_conserves_rows() -> None:
    for flow in flows():
        assert flow.received == flow.landed + flow.quarantined + flow.opted_out
        assert flow.current >= 0


def test_few_rows_of_a_table_are_not_told_however_they_are_drawn() -> None:
    made = facts(
        flows=(
            Flow(source="gp_market", table="events", received=500, landed=497, opted_out=3),
            Flow(source="deaths", table="deaths", received=300, landed=280, opted_out=20),
        ),
        links=(
            Link(source="gp_market", cdm_table="death", rows=6, unmapped=0),
            Link(source="deaths", cdm_table="death", rows=277, unmapped=4),
        ),
    )
    text = Page(render(replace(made, changes=(), linkage=None, kinds=(), completeness=(), deliveries=()))).text
    for secret in ("497", "280", "277"):
        assert not re.search(rf"\b{secret}\b", text), secret
    assert "Market Street Surgery, GP record to death: a hidden number of rows" in text
    assert "Market Street Surgery, GP record: a hidden number of rows opted out" in text


def test_small_counts_are_not_on_the_page(page: Page) -> None:
    # Of the made-up facts: 6 persons opted out, 4 in social care alone, 3 splits, 3 rows gone, 3 failing rows.
    cells = [words.strip() for words in page.words]
    assert "311" not in cells, "rows of six persons who opted out"
    assert "RARE_ASSAY_7" not in page.text, "400 rows, but of two persons"
    assert page.text.count("under 10") >= 5
    assert not re.search(r"−[1-9]\b", page.text)
    assert "+11" not in cells, "with rows before and now it would tell the three that went"


@pytest.mark.parametrize(("persons", "shown"), [(9, "under 10"), (10, "10"), (11, "11")])
def test_persons_are_shown_from_the_threshold_on(persons: int, shown: str) -> None:
    made = facts(opt_outs=(OptOut(source="gp_riverside", kind="type-1", persons=persons, rows=4_444),))
    text = Page(render(made)).text
    assert f"Riverside Surgery, GP record {shown} " in text
    assert ("4,444" in text) is (persons >= 10)


def test_the_policy_of_the_page_is_the_hubs() -> None:
    text = Page(render(facts(policy=policy_named("hes")))).text
    assert "under 8" in text
    assert "rounded to the nearest 5" in text
    assert "1,095 persons" in _figures(Page(render(facts(policy=policy_named("hes")))))


def test_a_release_of_which_little_is_known_still_has_a_page() -> None:
    bare = ReportFacts(hub="Hub", release="r0001", as_of=dt.date(2026, 1, 1), hash="00", policy=policy_named("ons"))
    page = Page(render(bare))
    assert "How to read this" in page.text
    assert "From extract to release" not in page.text


def test_a_flow_of_an_unlisted_source_is_drawn_under_its_name() -> None:
    made = facts(sources=(), flows=(Flow(source="mystery", table="t", received=50, landed=50),), links=())
    assert "mystery" in Page(render(made)).text


def test_the_same_facts_make_the_same_page(html: str) -> None:
    assert render(facts(description=_described())) == html


@pytest.mark.parametrize(
    ("part", "of", "said"),
    [(0, 10, "0%"), (1, 100_000, "<0.1%"), (99_999, 100_000, ">99.9%"), (10, 10, "100%"), (1, 3, "33%"), (1, 0, "–")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, of: int, said: str) -> None:
    assert share(part, of) == said


def _figures(page: Page) -> str:
    """The opening's figures with the words that stand under them."""
    words = page.text.split("From extract to release")[0].split()
    figures = [
        f"{figure} {' '.join(words[:place][-4:])}"
        for place, figure in enumerate(words)
        if re.fullmatch(r"[\d,]+%?", figure)
    ]
    return " | ".join(_turned(entry) for entry in figures)


def _turned(entry: str) -> str:
    figure, *before = entry.split()
    for length in (4, 3, 2, 1):
        label = " ".join(before[-length:])
        if label in {"persons", "sources", "rows received", "rows in the release", "of quality checks passed"}:
            return f"{figure} {label}"
    return entry
