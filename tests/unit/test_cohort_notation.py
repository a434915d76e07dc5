"""The small notations of the cohort language: each text and its noun, both ways, and what is none of them."""

import datetime as dt
from pathlib import Path

import pytest

from fairhaven.cohort.formats.fairhaven import notation as n
from fairhaven.cohort.model import (
    Abnormal,
    Compare,
    ConceptSetItem,
    DateField,
    Dates,
    Edge,
    Filter,
    InSet,
    Known,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
    Test,
    Text,
    UserPeriod,
    Window,
)
from fairhaven.kernel.toml import Document

_FILTERS: list[tuple[str, Test]] = [
    ("age >= 18", Numbers(compare=Compare.AT_LEAST, value=18)),
    ("age <= 18", Numbers(compare=Compare.AT_MOST, value=18)),
    ("age != 18", Numbers(compare=Compare.NOT_EQUAL, value=18)),
    ("value_as_number < 7.5", Numbers(compare=Compare.LESS, value=7.5)),
    ("value_as_number > -1e-09", Numbers(compare=Compare.MORE, value=-1e-9)),
    ("age between 18 and 64", Numbers(compare=Compare.BETWEEN, value=18, to=64)),
    ("age not between 18 and 64", Numbers(compare=Compare.OUTSIDE, value=18, to=64)),
    ("start_date = 2020-02-29", Dates(compare=Compare.EQUAL, value=dt.date(2020, 2, 29))),
    (
        "end_date between 0001-01-01 and 9999-12-31",
        Dates(compare=Compare.BETWEEN, value=dt.date.min, to=dt.date.max),
    ),
    ("gender_concept_id in 8507", OneOf(concepts=(8507,))),
    ("gender_concept_id not in 8507, 8532", OneOf(concepts=(8507, 8532), excluded=True)),
    ("unit_concept_id in set mmol", InSet(concept_set="mmol")),
    ('unit_concept_id not in set "a \\"b\\""', InSet(concept_set='a "b"', excluded=True)),
    ("value_as_number is known", Known()),
    ("value_as_number is missing", Known(yes=False)),
    ("abnormal is abnormal", Abnormal()),
    ('stop_reason like "%side effect%"', Text(pattern="%side effect%")),
    ('stop_reason not like ""', Text(pattern="", negated=True)),
]


@pytest.mark.parametrize(("text", "test"), _FILTERS)
def test_a_test_of_a_field_reads_aloud(text: str, test: Test) -> None:
    item = Filter(field=text.split()[0], test=test)
    assert n.read_filter(text) == item
    assert n.write_filter(item) == text


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("any time to any time", Window()),
        ("-90 days to 0 days", Window(since=-90, until=0)),
        ("1 day to 1 day", Window(since=1, until=1)),
        ("observation start to -1 day", Window(since=Edge.PERIOD_START, until=-1)),
        ("end_date 0 days to observation end", Window(since=0, until=Edge.PERIOD_END, of=DateField.END)),
        (
            "end_date -3 days to any time from index end_date",
            Window(since=-3, of=DateField.END, index=DateField.END),
        ),
    ],
)
def test_a_time_window_reads_aloud(text: str, window: Window) -> None:
    assert n.read_window(text) == window
    assert n.write_window(window) == text


def test_a_window_may_be_written_shorter_or_longer_than_it_is_by_itself() -> None:
    assert n.read_window("0 to 90 days") == Window(since=0, until=90)
    assert n.read_window("start_date -90 to +30 days from index start_date") == Window(since=-90, until=30)


@pytest.mark.parametrize(
    ("text", "occurrence"),
    [
        ("at least 1", Occurrence()),
        ("exactly 0", Occurrence(times=OccurrenceType.EXACTLY, count=0)),
        ("at most 3 different start_date", Occurrence(times=OccurrenceType.AT_MOST, count=3, distinct="start_date")),
    ],
)
def test_a_number_of_events_reads_aloud(text: str, occurrence: Occurrence) -> None:
    assert n.read_occurrence(text) == occurrence
    assert n.write_occurrence(occurrence) == text


@pytest.mark.parametrize("pair", [(Match.ALL, None), (Match.ANY, None), (Match.AT_LEAST, 2), (Match.AT_MOST, 0)])
def test_how_many_members_must_hold_reads_aloud(pair: tuple[Match, int | None]) -> None:
    assert n.read_match(n.write_match(*pair)) == pair


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("start_date", (DateField.START, 0)),
        ("end_date + 30 days", (DateField.END, 30)),
        ("start_date - 1 day", (DateField.START, -1)),
    ],
)
def test_a_date_of_an_event_reads_aloud(text: str, moment: tuple[DateField, int]) -> None:
    assert n.read_moment(text) == moment
    assert n.write_moment(*moment) == text


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("any time to any time", UserPeriod()),
        ("2010-01-01 to any time", UserPeriod(start=dt.date(2010, 1, 1))),
        ("2010-01-01 to 2019-12-31", UserPeriod(start=dt.date(2010, 1, 1), end=dt.date(2019, 12, 31))),
    ],
)
def test_calendar_dates_read_aloud(text: str, period: UserPeriod) -> None:
    assert n.read_period(text) == period
    assert n.write_period(period) == text


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("201826", ConceptSetItem(concept_id=201826)),
        ("201826 descendants | Type 2", ConceptSetItem(concept_id=201826, descendants=True, name="Type 2")),
        ("201826 mapped", ConceptSetItem(concept_id=201826, mapped=True)),
        (
            "exclude 0 descendants mapped |  a | b\n",
            ConceptSetItem(concept_id=0, descendants=True, mapped=True, excluded=True, name=" a | b\n"),
        ),
    ],
)
def test_a_line_of_a_concept_set_reads_aloud(text: str, item: ConceptSetItem) -> None:
    assert n.read_item(text) == item
    assert n.write_item(item) == text


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (n.read_filter, "", "not a test"),
        (n.read_filter, "age", "not a test"),
        (n.read_filter, "age >= eighteen", "not a test"),
        (n.read_filter, "age => 18", "not a test"),
        (n.read_filter, "age between 18 and 2020-01-01", "two of a kind"),
        (n.read_filter, "age between 2020-01-01 and 18", "two of a kind"),
        (n.read_filter, "start_date >= 2020-02-30", "not in the calendar"),
        (n.read_filter, "age >= " + "9" * 5000, "too many digits"),
        (n.read_filter, 'unit_concept_id in set "a', "quotes that does not end"),
        (n.read_filter, 'unit_concept_id in set "\\x"', "quotes that does not end"),
        (n.read_filter, "unit_concept_id in 1; 2", "not a test"),
        (n.read_window, "-90 days", "not a time window"),
        (n.read_window, "-90 days and 0 days", "not a time window"),
        (n.read_window, "0 days to 9 weeks", "not a time window"),
        (n.read_occurrence, "two", "not a number of events"),
        (n.read_occurrence, "at least -1", "not a number of events"),
        (n.read_match, "some", "at least N"),
        (n.read_moment, "start", "not a date of the event"),
        (n.read_moment, "start_date +", "not a date of the event"),
        (n.read_period, "2010 to 2011", "not a period"),
        (n.read_period, "2010-13-01 to any time", "not a period"),
        (n.read_item, "Type 2 diabetes", "not a line of a concept set"),
        (n.read_item, "201826 mapped descendants", "not a line of a concept set"),
        (n.read_item, "-1", "not a line of a concept set"),
    ],
)
def test_what_is_none_of_them_is_told_with_an_example(read: object, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(text)  # type: ignore[operator]


def test_items_of_a_list_have_their_own_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        'a = [ # "not [an] item"\n  "one ] #",\n\n  \'two\', "three",\n  { b = ["x", "y"] },\n  [\n  4 ]\n]\n'
        "z = 1\n[t]\nc = [1, 2]\n[[u]]\n  d = [\n    1,\n  ]\n",
        encoding="utf-8",
    )
    document = Document(path)
    assert [document.line_of(f"a[{index}]") for index in range(5)] == [2, 4, 4, 5, 6]
    assert document.line_of("a[5]") == 1, "the nearest key there is"
    assert document.line_of("a[3].b[1]") == 5
    assert (document.line_of("z"), document.line_of("t.c[1]"), document.line_of("u[0].d[0]")) == (9, 11, 14)
