"""The report page: safe to open anywhere, true to the facts, and telling nothing of few people."""

import re

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from fairhaven.archive import Change
from fairhaven.pages.kit.figures import share
from fairhaven.pages.kit.svg import element
from fairhaven.pages.kit.templates import environment
from fairhaven.pages.release import render
from fairhaven.release.facts import OptOutFacts, PartnerCdm, SourceFacts
from fairhaven.release.row_counts import SourceRows, UnmappedRows, YearRows
from tests.support.html_page import Page, check_nothing_fetched, check_screen_reader, check_style_policy
from tests.support.release_counts import (
    HASH,
    SOURCES,
    bare_report,
    description,
    flows,
    linkage,
    manifest,
    quality,
    report,
    row_flow,
    written,
)

_HOSTILE = "</title></style><script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"x"


@pytest.fixture(scope="module")
def html() -> str:
    return render(report(described=description()))


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


def test_what_a_partners_cdm_says_of_itself_is_told_without_counts_of_rows() -> None:
    cdm = PartnerCdm(
        rows=1,
        cdm_versions=("5.0.1",),
        vocabulary_versions=("v5.0 27-AUG-15",),
        shared_keys={"visit_occurrence": 31},
        other_births=3,
    )
    told = Page(render(report(facts=manifest(partner_cdms={"trust_north": cdm})))).text
    assert "says of itself: CDM 5.0.1, vocabulary v5.0 27-AUG-15" in told
    assert "was made with vocabulary v5.0 27-AUG-15, and this hub's is v5.0 29-AUG-26" in told
    assert "rows in visit_occurrence whose primary key" not in told and "birth_datetime" not in told


def test_hostile_names_stay_words() -> None:
    source = SourceFacts(name="gp_x", title=_HOSTILE, kind=_HOSTILE, controller="")
    made = report(
        hub=_HOSTILE,
        seal=_HOSTILE,
        facts=manifest(
            vocabulary=_HOSTILE,
            sources=(source, *SOURCES),
            row_flow=(*flows(), row_flow("gp_x", _HOSTILE, received=100)),
            linkage=linkage(patients=50, persons=40, steps={_HOSTILE: 50}),
        ),
        years=(YearRows(source="gp_x", year=2020, rows=50, persons=40),),
        kinds={frozenset({_HOSTILE, "gp"}): 44},
        unmapped=tuple(
            UnmappedRows(source="gp_x", cdm_table=_HOSTILE, code=_HOSTILE, rows=n, persons=n) for n in (90, 80)
        ),
        changes={_HOSTILE: (Change(added=30), 40)},
    )
    html = render(made)
    assert "<script" not in html
    assert "<img" not in html
    assert not [a for _, a in Page(html).elements if any(key.startswith("on") for key in a)]


def test_text_is_escaped_wherever_it_stands() -> None:
    made = environment().from_string('<p title="{{ words }}">{{ words }}</p>').render(words='"<b>')
    assert made == '<p title="&#34;&lt;b&gt;">&#34;&lt;b&gt;</p>'
    assert element("text", "a & b", Markup("<br>"), ["<", None], x='"<') == (
        '<text x="&#34;&lt;">a &amp; b<br>&lt;</text>'
    )


def test_a_name_that_a_template_does_not_know_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        environment().from_string("{{ report.no_such_fact }}").render(report=report())


def test_the_figures_of_the_page_are_the_facts(page: Page) -> None:
    received = sum(flow.received for flow in flows())
    assert f"{received:,} rows received" in _figures(page)
    assert f"{sum(row.rows for row in written()):,} rows in the release" in _figures(page)
    for flow in flows():
        assert f"{flow.received:,}" in page.text
    # Of two tables of the registrar and the trust few rows had a fate; their rows in use are hidden with it.
    assert sum(f"{flow.current:,}" in page.text for flow in flows()) >= len(flows()) - 3
    for row in written():
        assert f"{row.rows:,}" in page.text
    for step in (2_931, 388, 214, 109):
        assert f"{step:,}" in page.text
    assert "Essential hypertension 4,321" in page.text
    assert "30 other values, 777 rows" in page.text
    assert "2,417 free-text notes" in page.text
    assert HASH in page.text


def test_every_source_table_and_failing_check_is_on_the_page(page: Page) -> None:
    for source in SOURCES:
        assert source.title in page.text
    for result in quality().failed():
        assert result.check.description in page.text
    for extract in manifest().extracts:
        assert extract.sha256[:12] in page.text
        assert extract.file not in page.text  # a file may be named after a patient


def test_the_flow_picture_conserves_rows() -> None:
    for flow in flows():
        assert flow.received == flow.landed + flow.quarantined + flow.opted_out
        assert flow.current >= 0


def test_few_rows_of_a_table_are_not_told_however_they_are_drawn() -> None:
    made = report(
        facts=manifest(
            row_flow=(
                row_flow("gp_market", "events", received=500, opted_out=3),
                row_flow("deaths", "deaths", received=300, opted_out=20),
            ),
            linkage=linkage(patients=0, persons=0, steps={}),
            extracts=(),
        ),
        links=(
            SourceRows(source="gp_market", cdm_table="death", rows=6),
            SourceRows(source="deaths", cdm_table="death", rows=277, unmapped=4),
        ),
        changes={},
        kinds={},
        years=(),
    )
    text = Page(render(made)).text
    for secret in ("497", "280", "277"):
        assert not re.search(rf"\b{secret}\b", text), secret
    assert "Market Street Surgery, GP record to death: rows, how many is not shown" in text
    assert "Market Street Surgery, GP record: rows opted out, how many is not shown" in text


def test_small_counts_are_not_on_the_page(page: Page) -> None:
    # Of the made-up counts: 6 persons opted out, 4 in social care alone, 3 splits, 3 rows gone, 3 failing rows.
    cells = [words.strip() for words in page.words]
    assert "RARE_ASSAY_7" not in page.text, "400 rows, but of two persons"
    assert page.text.count("under 10") >= 3
    assert not re.search(r"−[1-9]\b", page.text)
    assert "+11" not in cells, "with rows before and now it would tell the three that went"


@pytest.mark.parametrize(("persons", "shown"), [(9, "under 10"), (10, "10"), (11, "11")])
def test_persons_are_shown_from_the_threshold_on(persons: int, shown: str) -> None:
    opted_out = OptOutFacts(source="gp_riverside", kind="type-1", patients=persons)
    text = Page(render(report(facts=manifest(opt_outs=(opted_out,))))).text
    assert f"Riverside Surgery, GP record {shown} " in text


def test_the_policy_of_the_page_is_the_hubs() -> None:
    page = Page(render(report("hes")))
    assert "under 8" in page.text
    assert "rounded to the nearest 5" in page.text
    assert "1,095 persons" in _figures(page)


def test_a_release_of_which_little_is_known_still_has_a_page() -> None:
    page = Page(render(bare_report()))
    assert "How to read this" in page.text
    assert "From extract to release" not in page.text


def test_a_flow_of_an_unlisted_source_is_drawn_under_its_name() -> None:
    made = report(facts=manifest(sources=(), row_flow=(row_flow("mystery", "t", received=50),)), links=())
    assert "mystery" in Page(render(made)).text


def test_the_same_facts_make_the_same_page(html: str) -> None:
    assert render(report(described=description())) == html


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
