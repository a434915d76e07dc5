"""The page on cohorts: safe to open anywhere, readable by all, and without a trace of what it hides."""

import re
from importlib.resources import files
from itertools import pairwise

import pytest

from fairhaven.cohort.model import (
    DateField,
    DateOffset,
    DrugEraExit,
    Edge,
    Exit,
    Group,
    Match,
    Occurrence,
    OccurrenceType,
    Window,
)
from fairhaven.disclosure import protect
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.journeys.cohorts.attrition import AttritionReport
from fairhaven.pages.cohort import render
from fairhaven.pages.cohort.lanes import LaneKind, lanes
from fairhaven.pages.cohort.time_axis import axis_for
from tests.support.cohort_attrition import (
    ADULT,
    EVER,
    HIDDEN,
    YEAR,
    attrition,
    attrition_of,
    attrition_page,
    attrition_report,
    definition_of,
    rule_events,
    seen,
)
from tests.support.cohort_parts import NONE
from tests.support.html_page import Page, check_nothing_fetched, check_screen_reader, check_style_policy

_HOSTILE = "\x1b[2J\u202e" + "</title></style><script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"x"


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_page_of_any_number_of_cohorts_is_safe_and_readable_by_all(count: int) -> None:
    html = render(attrition_page(count))
    check_nothing_fetched(html)
    check_style_policy(html)
    check_screen_reader(html)
    text = Page(html).text
    assert all(f"Cohort of {number}" in text for number in range(1, count + 1))


def test_hostile_names_stay_words() -> None:
    for count in (1, 2, 20):
        html = render(attrition_report(*(attrition(number, _HOSTILE) for number in range(count)), place=_HOSTILE))
        assert "<script" not in html
        assert "<img" not in html
        assert "\x1b" not in html and "\u202e" not in html
        assert not [a for _, a in Page(html).elements if any(key.startswith("on") for key in a)]


def test_colours_are_those_that_are_tested() -> None:
    style = files("fairhaven.pages.kit").joinpath("look.css").read_text(encoding="utf-8")
    rules = re.sub(r":root \{.*?\}", "", style, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rules)


def test_the_figures_of_the_page_are_the_attrition() -> None:
    text = Page(render(attrition_report(attrition()))).text
    for told in ("400", "301 −99", "120 −181", "333", "r0002", "1 November 2026", "Counts from 1 to 9 are not shown."):
        assert told in text


def test_of_a_hidden_count_no_shape_has_a_length() -> None:
    report = attrition_report(attrition(steps=(seen(400), HIDDEN, seen(120))))
    html = render(report)
    hatched = [a for name, a in Page(html).elements if name == "rect" and a.get("fill") == "url(#hatch)"]
    assert len(hatched) == 2, "the step, and the rule alone"
    assert {a["width"] for a in hatched} == {"100%"}
    assert html.count("flow-gone") == html[html.index("<style>") : html.index("</style>")].count("flow-gone"), (
        "what a hidden step, or the one after it, took away is not drawn"
    )
    assert "−" not in _table(html)
    assert _table(html).count("not shown") >= 4


def test_a_hidden_cohort_is_hatched_in_the_list_of_contents() -> None:
    html = render(attrition_report(attrition(1), attrition(2, steps=(seen(400), HIDDEN, HIDDEN))))
    start = html.index('<table class="bars contents">')
    contents = Page(html[start : html.index("</table>", start) + len("</table>")])
    (hatched,) = [attributes for _, attributes in contents.elements if "fill" in attributes]
    assert hatched["width"] == "100%"


def test_a_page_on_a_cdm_warns_that_its_counts_are_exact() -> None:
    text = Page(render(AttritionReport(place="omop.duckdb", cohorts=(attrition(),)))).text
    assert text.count("Counts are exact, the small ones too.") == 2
    assert "OMOP CDM omop.duckdb" in text


def test_rounded_counts_are_said_to_be_about_what_a_step_took_away() -> None:
    policy = policy_named("hes")
    steps = tuple(protect(count, policy) for count in (403, 301, 120))
    report = AttritionReport(place="Hub", policy=policy, cohorts=(attrition(steps=steps),))
    assert "≈ −105" in _table(render(report))
    assert "≈ −180" in _table(render(report))


def test_a_cohort_without_a_name_of_its_own_is_told_by_its_number() -> None:
    assert "<h1>Cohort 24</h1>" in render(attrition_report(attrition(24, "24")))


def test_very_many_cohorts_are_lines_that_open_when_linked_to() -> None:
    html = render(attrition_report(*(attrition(number, f"Name {number}") for number in (30, 4, *range(100, 110)))))
    assert html.count('<details class="table many">') == 12
    assert html.index("Name 4<") < html.index("Name 30<"), "in the order of their numbers"
    assert re.search(r'</summary>\s*<div id="cohort-4"', html), (
        "a browser opens what is linked to within, not the part itself"
    )


@pytest.mark.parametrize(
    ("group", "asked"),
    [
        (Group(members=(rule_events(YEAR),)), [LaneKind.PRESENT]),
        (Group(members=(rule_events(YEAR, NONE),)), [LaneKind.ABSENT]),
        (Group(match=Match.AT_MOST, count=0, members=(rule_events(YEAR),)), [LaneKind.ABSENT]),
        (Group(match=Match.AT_MOST, count=0, members=(rule_events(YEAR, NONE),)), [LaneKind.PRESENT]),
        (
            Group(members=(Group(match=Match.AT_MOST, count=0, members=(rule_events(YEAR),)), ADULT)),
            [LaneKind.ABSENT, LaneKind.PERSON],
        ),
        (
            Group(match=Match.AT_MOST, count=1, members=(rule_events(YEAR), rule_events(EVER))),
            [LaneKind.COUNTED, LaneKind.COUNTED],
        ),
        (Group(members=(rule_events(YEAR, Occurrence(times=OccurrenceType.AT_MOST, count=2)),)), [LaneKind.COUNTED]),
        (Group(members=(rule_events(YEAR, Occurrence(times=OccurrenceType.AT_LEAST, count=0)),)), [LaneKind.COUNTED]),
        (Group(members=(rule_events(YEAR), rule_events(YEAR))), [LaneKind.PRESENT]),
        (Group(members=(rule_events(YEAR, end=EVER),)), [LaneKind.PRESENT, LaneKind.PRESENT]),
        (Group(), []),
    ],
)
def test_a_look_is_for_something_or_for_nothing(group: Group, asked: list[LaneKind]) -> None:
    (lane,) = lanes(definition_of(group))
    assert [look.asked for look in lane.looks] == asked


def test_rules_that_look_alike_share_a_lane() -> None:
    never, within = Group(members=(rule_events(EVER, NONE),)), Group(members=(rule_events(YEAR),))
    found = lanes(definition_of(never, within, never, never))
    assert [(lane.rules, lane.name) for lane in found] == [((1, 3, 4), ""), ((2,), "rule 2")]
    text = Page(render(attrition_report(attrition_of(definition_of(never, within, never, never))))).text
    assert "Rules 1 and 3, 4" in text
    assert "No record at any time before entry" in text


def test_near_days_come_before_far_ones_and_all_lie_within_observation() -> None:
    axis = axis_for([Window(since=-3650, until=3650), Window(since=0, until=30, index=DateField.END)], is_observed=True)
    days = [-3650, -365, -30, -1, 0, 1, 30, 365, 3650]
    places = [axis.day(day) for day in days]
    assert places == sorted(set(places))
    assert axis.start < places[0]
    assert places[-1] < axis.end
    assert axis.day(0, DateField.END) > axis.day(0)


def test_windows_end_where_observation_does_or_go_beyond_it() -> None:
    axis = axis_for([Window()], is_observed=True)
    assert axis.stretch(Window(), in_period=True) == (axis.start, axis.end)
    assert axis.stretch(Window(), in_period=False) == (0, 100)
    assert axis.stretch(Window(since=Edge.PERIOD_START, until=Edge.PERIOD_END), in_period=False) == (
        axis.start,
        axis.end,
    )
    assert axis.stretch(Window(since=5, until=2), in_period=True) is None


def test_marks_of_days_do_not_meet() -> None:
    windows = [Window(since=-days, until=days) for days in (1, 2, 7, 14, 28, 30, 31, 90, 180, 365)]
    days = [
        (day, DateField.START) for window in windows for day in (window.since, window.until) if isinstance(day, int)
    ]
    marks = axis_for(windows, is_observed=True).marks(days)
    assert {"−365", "entry", "+365"} <= {words for _, words in marks}
    for (left, one), (right, other) in pairwise(marks):
        # A letter is 7 of the 360 pixels of a narrow screen at most.
        assert (right - left) * 3.6 >= 7 * (len(one) + len(other)) / 2


@pytest.mark.parametrize(
    ("exit_", "words"),
    [
        (DateOffset(days=0), "On the day of entry only"),
        (DateOffset(date=DateField.END), "Until the entry event ends"),
        (DateOffset(days=30), "Until 30 days after entry"),
        (DateOffset(date=DateField.END, days=-2), "Until 2 days before the end of the entry event"),
        (DrugEraExit(concepts="drug"), "Until their course of “rule drug” ends"),
    ],
)
def test_the_stay_is_drawn_and_told(exit_: Exit, words: str) -> None:
    html = render(attrition_report(attrition_of(definition_of(exit_=exit_))))
    assert f"In the cohort {words}" in Page(html).text
    (stay,) = [a for name, a in Page(html).elements if name == "rect" and "stay" in (a.get("class") or "")]
    (entry,) = {a["x1"] for name, a in Page(html).elements if a.get("class") == "guide entry"}
    assert float(str(stay["x"])[:-1]) == pytest.approx(float(str(entry)[:-1]), abs=0.6 + 0.01)


def _table(html: str) -> str:
    """Words of the table of steps."""
    start = html.index('<table class="funnel">')
    return Page(html[start : html.index("</table>", start) + len("</table>")]).text
