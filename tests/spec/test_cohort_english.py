"""Cohort definitions in words: what is written, and the sentence that says it."""

import re
from typing import Any

import pytest

from fairhaven.cohort.english import Explanation, ExplanationLine, explain, sentence
from fairhaven.cohort.english.time_windows import when
from fairhaven.cohort.formats.fairhaven import read_json
from fairhaven.cohort.formats.fairhaven.notation import read_window
from fairhaven.cohort.model import CohortDefinition

_SETS = {
    "dx": {"name": "Asthma", "concepts": ["317009 descendants | Asthma"]},
    "drug": {"name": "Steroids", "concepts": ["1551099 descendants | prednisone"]},
    "lab": {"concepts": ["3004410 | HbA1c", "exclude 1"]},
}


def _definition(entry: dict[str, Any], **rest: Any) -> CohortDefinition:
    events = entry if "events" in entry else {"events": [entry]}
    return read_json({"concept_sets": _SETS, "entry": events, **rest})


def _rule(*members: dict[str, Any], **rest: Any) -> list[dict[str, Any]]:
    return [{"name": "the rule", "members": list(members), **rest}]


_DX = {"condition_occurrence": "dx"}
_FROM = "; from each such event until observation ends."

SENTENCES: list[tuple[CohortDefinition, str]] = [
    # Entry events
    (_definition(_DX), f"People with a diagnosis of “Asthma”{_FROM}"),
    (_definition(_DX | {"first": True}), "People with a first diagnosis of “Asthma”; from that diagnosis until observation ends."),
    (_definition({"condition_occurrence": "*"}), f"People with a diagnosis of any condition{_FROM}"),
    (_definition({"death": "*"}), f"People with a death{_FROM}"),
    (_definition({"drug_exposure": "*", "source_concepts": "drug"}), f"People with an exposure with a source code of “Steroids”{_FROM}"),
    (_definition({"events": [_DX, {"condition_occurrence": "lab"}]}), f"People with a diagnosis of “Asthma” or “HbA1c”{_FROM}"),
    (_definition({"events": [_DX, {"drug_exposure": "drug"}], "limit": "first"}), "People with a diagnosis of “Asthma” or an exposure to “Steroids” (each person's earliest); from that event until observation ends."),
    (_definition({"events": [_DX], "prior_days": 365, "post_days": 1}), f"People with a diagnosis of “Asthma”, after at least 365 days of observation and before at least 1 day of observation{_FROM}"),
    (_definition({"eras_of": [_DX, {"drug_exposure": "drug"}], "gap_days": 30}), f"People with a run of diagnoses of “Asthma” or exposures to “Steroids” with gaps of up to 30 days between them{_FROM}"),
    (_definition(_DX | {"dates": ["start_date - 7 days", "end_date"]}), f"People with a diagnosis of “Asthma” (dated from 7 days before its start to its end){_FROM}"),
    (_definition({"observation_period": "*", "period": "2020-01-01 to 2020-12-31"}), f"People with a period of observation that contains 1 January 2020 and 31 December 2020, taken from the one to the other{_FROM}"),
    (_definition({"events": [{"person": "*", "where": ["year_of_birth <= 1960"]}], "observed": False}, rules=_rule({"demographic": ["gender_concept_id in 8532"]})), "People born in 1960 or earlier and recorded as female."),
    # Tests of fields
    (_definition(_DX | {"where": ["age >= 18"]}), f"People with a diagnosis of “Asthma” at age 18 or over{_FROM}"),
    (_definition(_DX | {"where": ["age not between 18 and 64"]}), f"People with a diagnosis of “Asthma” at an age under 18 or over 64{_FROM}"),
    (_definition(_DX | {"where": ["start_date between 2010-01-01 and 2019-12-31"]}), f"People with a diagnosis of “Asthma” from 1 January 2010 to 31 December 2019{_FROM}"),
    (_definition(_DX | {"where": ["days > 1", "stop_reason not like \"%side%\""]}), f"People with a diagnosis of “Asthma” lasting more than 1 day with a stop reason not containing “side”{_FROM}"),
    (_definition({"measurement": "lab", "where": ["value_as_number >= 6.5", "unit_concept_id in 8554"]}), f"People with a measurement of “HbA1c” with a value of 6.5 or more measured in %{_FROM}"),
    (_definition({"measurement": "lab", "where": ["value_to_range_high > 2", "value_as_concept_id in 9191, 317009, 77"]}), f"People with a measurement of “HbA1c” with a value above 2 times its upper limit of normal with the result positive, Asthma or concept 77{_FROM}"),
    (_definition({"measurement": "lab", "where": ["abnormal is abnormal", "range_low is missing"]}), f"People with a measurement of “HbA1c” with a value outside its limits of normal with no known lower limit of normal{_FROM}"),
    (_definition(_DX | {"where": ["condition_type_concept_id not in set lab"]}), f"People with a diagnosis of “Asthma” with condition type none of “HbA1c”{_FROM}"),
    # Rules
    (_definition(_DX, rules=_rule({"demographic": ["age >= 18", "gender_concept_id in 8532"]})), f"People aged 18 or over and recorded as female, with a diagnosis of “Asthma”{_FROM}"),
    (_definition(_DX, rules=_rule({"drug_exposure": "drug", "when": "0 days to 90 days"})), f"People with a diagnosis of “Asthma”, who have an exposure to “Steroids” on the day of entry or in the 90 days after{_FROM}"),
    (_definition(_DX, rules=_rule({"times": "exactly 0", "drug_exposure": "drug", "when": "-365 days to -1 day"})), f"People with a diagnosis of “Asthma”, who have no record of an exposure to “Steroids” in the 365 days before entry{_FROM}"),
    (_definition(_DX, rules=_rule({"times": "at most 0 different start_date", "drug_exposure": "drug"})), f"People with a diagnosis of “Asthma”, who have no record of an exposure to “Steroids” at any time{_FROM}"),
    (_definition(_DX, rules=_rule({"times": "at least 2 different start_date", "measurement": "lab"})), f"People with a diagnosis of “Asthma”, who have measurements of “HbA1c” on at least 2 different days at any time{_FROM}"),
    (_definition(_DX, rules=_rule({"times": "exactly 1", "drug_exposure": "drug", "within_observation": False})), f"People with a diagnosis of “Asthma”, who have exactly 1 exposure to “Steroids” at any time, whether or not under observation{_FROM}"),
    (_definition(_DX, rules=_rule({"times": "at most 3", "visit_occurrence": "*", "when": "-30 days to 30 days", "same_visit": True})), f"People with a diagnosis of “Asthma”, who have at most 3 visits of any type within 30 days before or after entry in the same visit as entry{_FROM}"),
    (_definition(_DX, rules=_rule({"visit_occurrence": "*", "when": "observation start to 0 days", "and_when": "end_date 0 days to observation end"})), f"People with a diagnosis of “Asthma”, who have a visit of any type at any time before entry or on its day and ending on the day of entry or at any time after, within observation{_FROM}"),
    (_definition(_DX, rules=_rule({"drug_exposure": "drug"}, {"death": "*"}, match="any")), f"People with a diagnosis of “Asthma”, who either have an exposure to “Steroids” at any time or have a death at any time{_FROM}"),
    (_definition(_DX, rules=_rule({"drug_exposure": "drug"}, {"death": "*"}, match="at most 1")), f"People with a diagnosis of “Asthma”, who meet the rule “the rule”{_FROM}"),
    (_definition(_DX, rules=_rule({"death": "*"}) * 5), f"People with a diagnosis of “Asthma”, who meet 5 conditions{_FROM}"),
    # Limits and exits
    (_definition(_DX, rules=_rule({"death": "*"}), limit="last"), "People with a diagnosis of “Asthma”, who have a death at any time; from the latest such event until observation ends."),
    (_definition(_DX, exit="start_date"), "People with a diagnosis of “Asthma”; on the day of each such event only."),
    (_definition(_DX, exit="start_date + 30 days"), "People with a diagnosis of “Asthma”; from each such event until 30 days after it, while under observation."),
    (_definition(_DX, exit="end_date"), "People with a diagnosis of “Asthma”; from each such event until it ends, while under observation."),
    (_definition(_DX, exit={"drug_era": "drug"}), "People with a diagnosis of “Asthma”; from each such event until their course of “Steroids” ends, while under observation."),
    (_definition(_DX, censoring=[{"death": "*"}]), "People with a diagnosis of “Asthma”; from each such event until observation ends, or until a death, if that comes first."),
    (_definition(_DX, window="2010-01-01 to any time"), "People with a diagnosis of “Asthma”; from each such event until observation ends; only the days from 1 January 2010 on count."),
    (_definition({"events": [{"person": "*"}], "observed": False}, rules=_rule(_DX | {"within_observation": False})), "People who have a diagnosis of “Asthma” at any time."),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "said"), SENTENCES, ids=[said[:90] for _, said in SENTENCES])
def test_the_sentence_of_a_definition(definition: CohortDefinition, said: str) -> None:
    assert sentence(definition) == said


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("any time to any time", "at any time"),
        ("0 days to 0 days", "on the same day as X"),
        ("-1 day to -1 day", "on the day before X"),
        ("1 day to 1 day", "on the day after X"),
        ("-1 day to 0 days", "on the day of X or the day before"),
        ("0 days to 1 day", "on the day of X or the day after"),
        ("-30 days to -30 days", "exactly 30 days before X"),
        ("-30 days to -1 day", "in the 30 days before X"),
        ("-30 days to 0 days", "in the 30 days before X or on its day"),
        ("0 days to 30 days", "on the day of X or in the 30 days after"),
        ("1 day to 30 days", "in the 30 days after X"),
        ("-3650 days to -31 days", "from 3,650 to 31 days before X"),
        ("2 days to 30 days", "from 2 to 30 days after X"),
        ("-30 days to 30 days", "within 30 days before or after X"),
        ("-7 days to 90 days", "from 7 days before to 90 days after X"),
        ("any time to 0 days", "at any time before X or on its day"),
        ("any time to -1 day", "at any time before X"),
        ("any time to -30 days", "at least 30 days before X"),
        ("any time to 7 days", "at any time up to 7 days after X"),
        ("0 days to any time", "on the day of X or at any time after"),
        ("1 day to any time", "at any time after X"),
        ("30 days to any time", "at least 30 days after X"),
        ("-30 days to any time", "at any time from 30 days before X on"),
        ("observation start to -1 day", "at any time before X"),
        ("0 days to observation end", "on the day of X or at any time after"),
        ("end_date 0 days to observation end", "on the day of X or at any time after, within observation"),
        ("end_date -7 days to observation end", "from 7 days before X to the end of observation"),
        ("end_date any time to observation start", "from any earlier time to the start of observation"),
        ("0 days to 30 days from index end_date", "on the day of the end of X or in the 30 days after"),
        ("3 days to 1 day", "in no time at all (from day 3 to day 1 around X)"),
    ],
)
def test_a_time_window_in_words(window: str, said: str) -> None:
    assert when(read_window(window), "X", in_period=True) == said


def test_where_observation_may_be_left_its_edges_are_told() -> None:
    assert (
        when(read_window("observation start to -1 day"), "X", in_period=False)
        == "at any time before X, within observation"
    )


def _lines(explanation: Explanation, title: str) -> list[str]:
    def flat(lines: tuple[ExplanationLine, ...], depth: int = 0) -> list[str]:
        return [each for line in lines for each in ("  " * depth + line.text, *flat(line.below, depth + 1))]

    return next((flat(part.lines) for part in explanation.parts if part.title == title), [])


def test_the_steps_tell_what_the_sentence_leaves_out() -> None:
    definition = _definition(
        {
            "events": [
                _DX | {"nested": {"members": [{"visit_occurrence": "*", "when": "0 days to 0 days"}]}},
                {"drug_exposure": "drug"},
            ],
            "prior_days": 30,
            "limit": "first",
        },
        name="Asthma in a visit",
        description="As in the protocol, version 2.",
        rules=[
            {
                "name": "no death",
                "description": "why",
                "match": "at most 0",
                "members": [{"death": "*"}, {"match": "any", "members": [_DX, {"demographic": ["age < 5"]}]}],
            }
        ],
        exit={"drug_era": "drug", "gap_days": 30, "days_supply": 28, "offset": -1},
        gap_days=7,
        window="2010-01-01 to any time",
    )
    explanation = explain(definition)
    assert _lines(explanation, "In its author's words") == ["As in the protocol, version 2."]
    assert _lines(explanation, "Who enters") == [
        "An entry event is any of these:",
        "  a diagnosis of “Asthma”, counting only diagnoses for which:",
        "    The person has a visit of any type on the same day as that diagnosis.",
        "  an exposure to “Steroids”",
        "The person must be under observation on the event's first day and for at least 30 days before.",
        "Of each person's entry events the earliest goes on.",
    ]
    assert _lines(explanation, "Rules") == [
        "no death",
        "  In its author's words: “why”",
        "  None of these holds:",
        "    The person has a death at any time.",
        "    At least one of these holds:",
        "      The person has a diagnosis of “Asthma” at any time.",
        "      The person is aged under 5.",
    ]
    assert _lines(explanation, "How long they stay") == [
        (
            "A person is in the cohort from the start of the entry event until their course of “Steroids” ends (gaps of up "
            "to 30 days do not end it; each exposure is taken to last 28 days; 1 day is taken off each exposure); "
            "without one at that time, until observation ends."
        ),
        "Stays of a person that overlap, or follow each other within 7 days, are one.",
        "Only the part of a stay from 1 January 2010 on counts.",
    ]
    assert _lines(explanation, "Concept sets")[-2:] == [
        "  prednisone (1551099), with everything below it",
        "“HbA1c” is not used.",
    ]
    assert any("year of the event less the year of birth" in line for line in _lines(explanation, "How to read this"))


def test_long_concept_sets_are_counted_unless_all_is_asked_for() -> None:
    lines = [f"{concept} | c{concept}" for concept in range(100)]
    definition = read_json(
        {"concept_sets": {"long": {"concepts": lines}}, "entry": {"events": [{"condition_occurrence": "long"}]}}
    )
    assert _lines(explain(definition), "Concept sets")[-1] == "  and 89 more lines"
    assert len(_lines(explain(definition, concept_lines=None), "Concept sets")) == 101
    assert _lines(explain(definition), "Concept sets")[0] == "“c0, c1 and 98 other concepts”"


def test_names_from_a_vocabulary_are_used_where_the_definition_has_none() -> None:
    definition = _definition(_DX | {"where": ["condition_status_concept_id in 77"]})
    assert "condition status concept 77" in sentence(definition)
    assert "condition status Working diagnosis" in explain(definition, names={77: "Working diagnosis"}).sentence


def test_text_and_markdown_say_the_same_and_hold_what_names_bring() -> None:
    definition = read_json(
        {
            "name": "A *bold*\nname | <b>",
            "concept_sets": {"dx": {"name": "x_y [z]", "concepts": []}},
            "entry": {"events": [_DX]},
            "rules": [{"name": "# r`1`", "members": [_DX]}],
        }
    )
    text, page = explain(definition).as_text(60), explain(definition).as_markdown(2)
    assert text.startswith("A *bold* name | <b>\n\n")
    assert max(map(len, text.splitlines())) <= 60
    assert page.startswith("## A \\*bold\\* name \\| \\<b\\>\n")
    assert "### Rules\n\n1. \\# r\\`1\\`\n   - The person has" in page
    plain = re.sub(r"\\(.)", r"\1", page)
    assert [" ".join(re.findall(r"\w+", each)).lower() for each in (plain,)] == [
        " ".join(re.findall(r"\w+", text)).lower()
    ]
