"""What is wrong with a definition, each in its own words and at its own place: a table of faults."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fairhaven.cohort.definition_checks import DEPTH, check_definition
from fairhaven.cohort.formats.fairhaven import read_json, read_toml, to_json
from fairhaven.cohort.model import (
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    Domain,
    EntryEvents,
    Eras,
    Events,
    Filter,
    Group,
    InSet,
    Match,
    Numbers,
    Occurrence,
    Window,
)
from fairhaven.kernel.errors import Invalid

GOOD: dict[str, Any] = {
    "concept_sets": {"dx": {"concepts": ["1 descendants"]}, "drug": {"concepts": ["2"]}},
    "entry": {"events": [{"condition_occurrence": "dx"}]},
    "rules": [{"name": "r", "members": [{"drug_exposure": "drug", "when": "0 days to 30 days"}]}],
}

_EVENT = "entry.events[0]"
_MEMBER = "rules[0].members[0]"

# (where to put it, what, the fault's place, words of it)
FAULTS: list[tuple[str, Any, str, str]] = [
    # Keys and types
    ("colour", "red", "colour", "is not a setting here"),
    ("entry", None, "entry", "must be a table, [entry]"),
    ("entry.events", [], "entry.events", "lets nobody in"),
    ("entry.events", ["dx"], "entry.events", "must be tables"),
    ("entry.limit", "second", "entry.limit", "is not one of all, first, last"),
    ("entry.prior_days", "365", "entry.prior_days", "must be a whole number"),
    ("entry.prior_days", True, "entry.prior_days", "must be a whole number"),
    ("entry.events[0].frist", True, f"{_EVENT}.frist", "is not a setting here"),
    ("rules[0].members[0].wen", "0 days to 0 days", f"{_MEMBER}.wen", "is not a setting here"),
    ("rules[0].members[0].times", "often", f"{_MEMBER}.times", "is not a number of events"),
    ("rules[0].members[0].when", "soon", f"{_MEMBER}.when", "is not a time window"),
    ("rules[0].members[0].and_when", 3, f"{_MEMBER}.and_when", "must be a text"),
    ("rules[0].match", "most", "rules[0].match", "at least N"),
    ("entry.events[0]", {}, _EVENT, "names no table of events"),
    ("entry.events[0]", {"diagnosis": "dx"}, _EVENT, "names no table of events (found: diagnosis)"),
    ("entry.events[0].death", "*", _EVENT, "names several tables"),
    ("entry.events[0].dates", ["start_date"], f"{_EVENT}.dates", "the new start and the new end"),
    ("entry.events[0].dates", ["start_date", "later"], f"{_EVENT}.dates[1]", "is not a date of the event"),
    ("exit", "never", "exit", "is not a date of the event"),
    ("exit", 3, "exit", "must be"),
    ("exit", {"gap_days": 3}, "exit.drug_era", "is missing"),
    ("window", "2010", "window", "is not a period"),
    ("concept_sets.dx.concepts", ["one"], "concept_sets.dx.concepts[0]", "is not a line of a concept set"),
    ("concept_sets.dx", {}, "concept_sets.dx.concepts", "is missing"),
    # References
    (
        "entry.events[0].condition_occurrence",
        "dy",
        f"{_EVENT}.condition_occurrence",
        "there is no concept set 'dy' (there are: drug, dx)",
    ),
    ("entry.events[0].source_concepts", "dy", f"{_EVENT}.source_concepts", "there is no concept set"),
    ("entry.events[0].where", ["condition_type_concept_id in set dy"], f"{_EVENT}.where[0]", "there is no concept set"),
    ("exit", {"drug_era": "dy"}, "exit.drug_era", "there is no concept set"),
    ("concept_sets.*", {"concepts": []}, "concept_sets", '"*" is none'),
    # Fields and their tests
    (
        "entry.events[0].where",
        ["age >= 18", "value_as_number > 1"],
        f"{_EVENT}.where[1]",
        "not a field of the table condition_occurrence",
    ),
    ("entry.events[0].where", ["age in 18"], f"{_EVENT}.where[0]", "age is a whole number"),
    ("entry.events[0].where", ["start_date > 18"], f"{_EVENT}.where[0]", "start_date is a date"),
    ("entry.events[0].where", ["gender_concept_id = 8507"], f"{_EVENT}.where[0]", "is a concept"),
    ("entry.events[0].where", ["stop_reason is abnormal"], f"{_EVENT}.where[0]", "is a text"),
    ("entry.events[0].where", ["age >= 17.5"], f"{_EVENT}.where[0]", "a whole number with a fraction"),
    ("entry.events[0].where", ["age between 64 and 18"], f"{_EVENT}.where[0]", "the first end is above the second"),
    (
        "entry.events[0].where",
        ["start_date between 2020-01-02 and 2020-01-01"],
        f"{_EVENT}.where[0]",
        "the first end is above",
    ),
    ("entry.events[0].where", ["age >= 1e999"], f"{_EVENT}.where[0]", "what is no number"),
    ("entry.events[0].where", ["gender_concept_id in"], f"{_EVENT}.where[0]", "names no concept"),
    ("entry.events[0].where", ["gender_concept_id in 9999999999999999999"], f"{_EVENT}.where[0]", "is no concept id"),
    (
        "entry.events[0].where",
        ["visit_concept_id is missing"],
        f"{_EVENT}.where[0]",
        "cannot be asked for what is missing",
    ),
    ("entry.events[0].where", ["specialty_concept_id is missing"], f"{_EVENT}.where[0]", "comes from provider"),
    (
        "rules[0].members[0]",
        {"demographic": ["days > 3"]},
        f"{_MEMBER}.demographic[0]",
        "not a field of the person at an index event",
    ),
    (
        "entry.events[0]",
        {"eras_of": [{"condition_occurrence": "dx"}], "where": ["year_of_birth > 3", "stop_reason is known"]},
        f"{_EVENT}.where[1]",
        "not a field of eras",
    ),
    # What a table does not have
    ("entry.events[0]", {"person": "dx"}, f"{_EVENT}.person", "has no concept"),
    (
        "entry.events[0]",
        {"drug_era": "drug", "source_concepts": "drug"},
        f"{_EVENT}.source_concepts",
        "has no source concept",
    ),
    (
        "entry.events[0]",
        {"person": "*", "dates": ["start_date", "end_date"]},
        f"{_EVENT}.dates",
        "no dates that could be moved",
    ),
    (
        "entry.events[0].period",
        "2010-01-01 to any time",
        f"{_EVENT}.period",
        "only for observation_period and payer_plan_period",
    ),
    (
        "entry.events[0]",
        {"observation_period": "*", "period": "2010-01-02 to 2010-01-01"},
        f"{_EVENT}.period",
        "ends before it starts",
    ),
    (
        "rules[0].members[0].times",
        "at least 2 different lot_number",
        f"{_MEMBER}.times",
        "different lot_number cannot be counted here (start_date",
    ),
    (
        "rules[0].members[0]",
        {"drug_era": "drug", "same_visit": True},
        f"{_MEMBER}.same_visit",
        "a table that names their visit",
    ),
    ("entry.observed", False, "entry.observed", "only events of the table person"),
    # Numbers
    ("entry.prior_days", -1, "entry.prior_days", "below 0"),
    ("entry.post_days", 4_000_000, "entry.post_days", "more days than the calendar has"),
    ("gap_days", -3, "gap_days", "below 0"),
    ("exit", "start_date + 99999999 days", "exit", "more days than the calendar has"),
    ("exit", {"drug_era": "drug", "gap_days": -1}, "exit.gap_days", "below 0"),
    ("exit", {"drug_era": "drug", "days_supply": -1}, "exit.days_supply", "below 0"),
    ("rules[0].members[0].when", "0 days to 99999999 days", f"{_MEMBER}.when", "more days than the calendar has"),
    (
        "entry.events[0].dates",
        ["start_date - 99999999 days", "end_date"],
        f"{_EVENT}.dates[0]",
        "more days than the calendar has",
    ),
    ("window", "2010-01-02 to 2010-01-01", "window", "ends before it starts"),
    ("name", "half \ud800", "name", "half a character"),
]


def _put(place: str, value: Any) -> dict[str, Any]:
    """`GOOD` with a value put at a place."""
    whole = copy.deepcopy(GOOD)
    at: Any = whole
    *path, last = place.replace("[", ".[").split(".")
    for part in path:
        at = at[int(part[1:-1])] if part.startswith("[") else at[part]
    at[int(last[1:-1]) if last.startswith("[") else last] = value
    return whole


@pytest.mark.parametrize(
    ("put", "value", "place", "words"), FAULTS, ids=[f"{put} {value}"[:70] for put, value, *_ in FAULTS]
)
def test_each_fault_is_told_at_its_place(put: str, value: Any, place: str, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_json(_put(put, value), "my.json")
    told = [(fault.path, fault.field, words in fault.message) for fault in refusal.value.faults]
    assert told == [("my.json", place, True)], str(refusal.value)


def test_without_them_the_definition_is_right() -> None:
    assert to_json(read_json(GOOD)) == GOOD


def test_all_faults_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        """name = "x"
limit = "frist"

[concept_sets.dx]
concepts = [
  "201826 descendants",
  "Type 2 diabetes",
]

[entry]
events = [
  { condition_occurrence = "dx" },
  { diagnosis = "dx" },
]

[[rules]]
name = "r"

  [[rules.members]]
  measurement = "dx"
  where = [
    "age >= 18",
    "age => 18",
  ]
  when = "before"
""",
        encoding="utf-8",
    )
    with pytest.raises(Invalid) as refusal:
        read_toml(path, "mine.toml")
    assert [(fault.path, fault.line, fault.field) for fault in refusal.value.faults] == [
        ("mine.toml", 2, "limit"),
        ("mine.toml", 7, "concept_sets.dx.concepts[1]"),
        ("mine.toml", 13, "entry.events[1]"),
        ("mine.toml", 23, "rules[0].members[0].where[1]"),
        ("mine.toml", 25, "rules[0].members[0].when"),
    ]


def test_faults_of_meaning_have_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[entry]\nprior_days = -1\nevents = [\n  { condition_occurrence = "dx" },\n]\n', encoding="utf-8")
    with pytest.raises(Invalid) as refusal:
        read_toml(path)
    assert [fault.line for fault in refusal.value.faults] == [2, 4]


@pytest.mark.parametrize(
    "text", ["[[[", "a = " + "[" * 5000, "= 3", "\x00", "[entry]\n[entry]\n", "name = 'x", 'name = "\\ud800"']
)
def test_what_is_no_toml_is_a_fault(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid):
        read_toml(path)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"a": NaN}', "[" * 100_000, b"\xff", "1" * 5000])
def test_what_is_no_json_is_a_fault(text: str | bytes) -> None:
    with pytest.raises(Invalid):
        read_json(text)


def _nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"condition_occurrence": "*"}
    for _ in range(depth):
        inner = {"members": [inner]}
    return {"entry": {"events": [{"condition_occurrence": "*"}]}, "rules": [{"name": "deep", "members": [inner]}]}


def test_what_is_nested_too_deeply_is_refused_at_every_depth() -> None:
    read_json(_nested(DEPTH - 10))
    for depth in (DEPTH + 1, 300, 20_000):
        with pytest.raises(Invalid, match="nested deeper than 64 levels"):
            read_json(_nested(depth))


@pytest.mark.parametrize("depth", [DEPTH + 1, 400, 5000])
def test_nouns_that_are_nested_too_deeply_are_refused_without_a_recursion_error(depth: int) -> None:
    group = Group()
    eras: Events | Eras = Events(domain=Domain.DRUG_EXPOSURE)
    for _ in range(depth):
        group = Group(members=(group,))
        eras = Eras(of=(eras,))
    entry = EntryEvents(events=(Events(domain=Domain.DEATH),))
    plain = read_json({"entry": {"events": [{"death": "*"}]}})
    for definition in (
        replace(plain, qualifying=group),
        replace(plain, entry=replace(entry, events=(eras,))),
        replace(plain, qualifying=Group(members=(Correlated(events=eras),))),
    ):
        with pytest.raises(Invalid, match="nested deeper than 64 levels"):
            check_definition(definition)


def test_nouns_that_no_file_can_give_are_checked_as_well() -> None:
    definition = read_json(GOOD)
    event = definition.entry.events[0]
    odd = replace(
        definition,
        concept_sets=(*definition.concept_sets, ConceptSet(id="dx", items=(ConceptSetItem(concept_id=-1),))),
        entry=replace(
            definition.entry,
            events=(
                replace(
                    event,
                    filters=(
                        Filter(field="age", test=Numbers(compare=Compare.BETWEEN, value=1)),
                        Filter(field="age", test=Numbers(compare=Compare.LESS, value=1, to=2)),
                        Filter(field="days", test=Numbers(compare=Compare.LESS, value=float("nan"))),
                        Filter(field="race_concept_id", test=InSet(concept_set="")),
                    ),
                ),
                Eras(of=()),
            ),
        ),
        qualifying=Group(
            match=Match.AT_LEAST,
            members=(
                Group(match=Match.ALL, count=2),
                Group(match=Match.AT_MOST, count=-1),
                Correlated(events=event, occurrence=Occurrence(count=-1), end=Window(since=10**9)),
            ),
        ),
    )
    with pytest.raises(Invalid) as refusal:
        check_definition(odd, "odd")
    assert [fault.field for fault in refusal.value.faults] == [
        "concept_sets.dx",
        "concept_sets.dx.concepts[0]",
        "entry.events[0].where[0]",
        "entry.events[0].where[1]",
        "entry.events[0].where[2]",
        "entry.events[0].where[3]",
        "entry.events[1].eras_of",
        "qualifying.match",
        "qualifying.members[0].match",
        "qualifying.members[1].match",
        "qualifying.members[2].times",
        "qualifying.members[2].and_when",
    ]
