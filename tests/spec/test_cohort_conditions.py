"""What the cohort language means by conditions and stays: windows, counts, groups, limits, exit, eras. Read a case as `cohort_cases` says."""

import pytest

from tests.support.cohort_cases import JUST_THE_EVENT, Case, Found, case_of, drug, entering_by, rule, run

CASES = [
    # -- windows
    case_of(
        "both ends of a window belong to it",
        "condition 1 10, drug 7 20",
        "10-100",
        rules=[rule(drug("0 days to 10 days"))],
    ),
    case_of("what is a day later does not", "condition 1 10, drug 7 21", "", rules=[rule(drug("0 days to 10 days"))]),
    case_of(
        "a negative number is before the index",
        "condition 1 10, drug 7 5",
        "10-100",
        rules=[rule(drug("-5 days to -1 days"))],
    ),
    case_of(
        "a window may look at the event's end",
        "condition 1 10, drug 7 1-12",
        "10-100",
        rules=[rule(drug("end_date 0 days to 5 days"))],
    ),
    case_of(
        "and count from the index's end",
        "condition 1 10-20, drug 7 21",
        "10-100",
        rules=[rule(drug("1 day to 1 day from index end_date"))],
    ),
    case_of(
        "both windows must hold",
        "condition 1 10, drug 7 11-40",
        "",
        rules=[rule(drug("0 days to 5 days", and_when="end_date 0 days to 20 days"))],
    ),
    case_of(
        "an open window still asks for the same observation period",
        "observed 1-30, observed 40-100, condition 1 50, drug 7 5",
        "",
        rules=[rule(drug("any time to any time"))],
    ),
    case_of(
        "unless the definition says otherwise",
        "observed 1-30, observed 40-100, condition 1 50, drug 7 5",
        "50-100",
        rules=[rule(drug("any time to any time") | {"within_observation": False})],
    ),
    case_of(
        "an edge of the period is an end of a window",
        "condition 1 10, drug 7 20-100",
        "10-100",
        rules=[rule(drug("end_date observation end to any time"))],
    ),
    case_of(
        "an end that is not known is in no window with an end",
        "condition 1 10, episode 2 5",
        "",
        rules=[rule({"episode": "two", "when": "end_date any time to 50 days"})],
    ),
    case_of(
        "but in one that is open on both sides",
        "condition 1 10, episode 2 5",
        "10-100",
        rules=[rule({"episode": "two", "when": "end_date any time to any time"})],
    ),
    case_of(
        "the same visit is asked for",
        "visit 9201 1-9 visit_occurrence_id=601, condition 1 5 visit_occurrence_id=601, "
        "drug 7 50 visit_occurrence_id=601",
        "5-100",
        rules=[rule(drug("any time to any time") | {"same_visit": True})],
    ),
    case_of(
        "two events without a visit are not in the same one",
        "condition 1 5, drug 7 50",
        "",
        rules=[rule(drug("any time to any time") | {"same_visit": True})],
    ),
    # -- occurrences and groups
    case_of(
        "at most none is met by nothing",
        "condition 1 5",
        "5-100",
        rules=[rule({"drug_exposure": "drug", "times": "at most 0"})],
    ),
    case_of(
        "exactly none is not met by one",
        "condition 1 5, drug 7 9",
        "",
        rules=[rule({"drug_exposure": "drug", "times": "exactly 0"})],
    ),
    case_of(
        "an event counts itself",
        "condition 1 5",
        "5-100",
        rules=[rule({"condition_occurrence": "one", "times": "exactly 1"})],
    ),
    case_of(
        "different days can be counted",
        "condition 1 5, drug 7 9, drug 7 9",
        "",
        rules=[rule({"drug_exposure": "drug", "times": "at least 2 different start_date"})],
    ),
    case_of(
        "what is missing is no different value",
        "condition 1 5, measured 2 9, measured 2 9 value_as_number=1",
        "5-100",
        rules=[rule({"measurement": "two", "times": "exactly 1 different value_as_number"})],
    ),
    case_of("a group without members holds", "condition 1 5", "5-100", rules=[rule(match="any")]),
    case_of(
        "at most is met by nothing",
        "condition 1 5",
        "5-100",
        rules=[rule(drug("any time to any time"), match="at most 0")],
    ),
    case_of(
        "a rule must hold for the entry event itself",
        "condition 1 5, condition 1 50, drug 7 52",
        "50-100",
        rules=[rule(drug("0 days to 10 days"))],
    ),
    case_of(
        "all rules must hold for the same event",
        "condition 1 5, condition 1 50, drug 7 52, condition 2 6",
        "",
        rules=[rule(drug("0 days to 10 days")), rule({"condition_occurrence": "two", "when": "0 days to 10 days"})],
    ),
    case_of(
        "groups lie in groups",
        "condition 1 5, drug 7 6",
        "5-100",
        rules=[
            rule(
                {"match": "any", "members": [drug("0 days to 5 days"), {"condition_occurrence": "two"}]},
                {"match": "at most 0", "members": [{"condition_occurrence": "two"}]},
            )
        ],
    ),
    case_of(
        "the person is asked at the index event",
        "condition 1 5, condition 1 50, person 1980",
        "50-100",
        rules=[rule({"demographic": ["start_date >= 2020-02-01", "age = 40"]})],
    ),
    case_of(
        "a nested group has the event as its index",
        "condition 1 50, drug 7 5, condition 2 6",
        "50-100",
        rules=[
            rule(
                {
                    "drug_exposure": "drug",
                    "nested": {"members": [{"condition_occurrence": "two", "when": "0 days to 1 day"}]},
                }
            )
        ],
    ),
    case_of(
        "in the observation period that the event starts in",
        "observed 10-100, condition 1 50, drug 7 5, condition 2 6",
        "",
        rules=[
            rule(
                {
                    "drug_exposure": "drug",
                    "within_observation": False,
                    "nested": {"members": [{"condition_occurrence": "two", "within_observation": False}]},
                }
            )
        ],
    ),
    # -- limits after the entry
    case_of(
        "the qualified limit takes the first event that qualifies",
        "condition 1 5-6, condition 1 50-51, condition 1 60-61, drug 7 50",
        "50-51",
        **JUST_THE_EVENT,
        qualifying={"members": [drug("-10 days to 0 days")]},
        qualified_limit="first",
    ),
    case_of(
        "and has no effect where nothing qualifies",
        "condition 1 5-6, condition 1 50-51",
        "5-6, 50-51",
        **JUST_THE_EVENT,
        qualified_limit="first",
    ),
    case_of(
        "the last limit takes from what meets the rules",
        "condition 1 5-6, condition 1 50-51, drug 7 5",
        "5-6",
        **JUST_THE_EVENT,
        rules=[rule(drug("0 days to 0 days"))],
        limit="last",
    ),
    # -- exit
    case_of("so many days after the start", "condition 1 5-20", "5-35", exit="start_date + 30 days"),
    case_of("and not beyond observation", "condition 1 95-99", "95-100", exit="end_date + 30 days"),
    case_of("an exit before the entry is no stay", "condition 1 5-6", "", exit="start_date - 1 day"),
    case_of(
        "while exposed to a drug",
        "condition 1 10, drug 7 8-20, drug 7 25-30",
        "10-30",
        exit={"drug_era": "drug", "gap_days": 5},
    ),
    case_of(
        "until a gap is too long",
        "condition 1 10, drug 7 8-20, drug 7 25-30",
        "10-20",
        exit={"drug_era": "drug", "gap_days": 4},
    ),
    case_of(
        "who is not exposed stays to the end of observation",
        "condition 1 10, drug 7 20-25",
        "10-100",
        exit={"drug_era": "drug"},
    ),
    case_of(
        "days are added to each exposure",
        "condition 1 10, drug 7 8-20, drug 7 25-30",
        "10-35",
        exit={"drug_era": "drug", "offset": 5},
    ),
    case_of(
        "or put in place of its own",
        "condition 1 10, drug 7 8-50",
        "10-15",
        exit={"drug_era": "drug", "days_supply": 7},
    ),
    case_of(
        "the source concept is enough",
        "condition 1 10, drug 0 8-20 drug_source_concept_id=7",
        "10-20",
        exit={"drug_era": "drug"},
    ),
    case_of("an event ends a stay", "condition 1 5, condition 2 9", "5-9", censoring=[{"condition_occurrence": "two"}]),
    case_of(
        "also on the day of the entry",
        "condition 1 5, condition 2 5",
        "5-5",
        censoring=[{"condition_occurrence": "two"}],
    ),
    case_of("not before it", "condition 1 5, condition 2 4", "5-100", censoring=[{"condition_occurrence": "two"}]),
    case_of("death ends a stay like any event", "condition 1 5, died 1 9", "5-9", censoring=[{"death": "*"}]),
    # -- eras and the window
    case_of("stays that touch become one", "condition 1 5-10, condition 1 10-20", "5-20", **JUST_THE_EVENT),
    case_of("stays a day apart do not", "condition 1 5-10, condition 1 11-20", "5-10, 11-20", **JUST_THE_EVENT),
    case_of("unless the gap allows it", "condition 1 5-10, condition 1 11-20", "5-20", **JUST_THE_EVENT, gap_days=1),
    case_of("stays are cut to the calendar window", "condition 1 5", "32-60", window="2020-02-01 to 2020-02-29"),
    case_of("and gone if nothing is left", "condition 1 5-10", "", **JUST_THE_EVENT, window="2020-02-01 to any time"),
    case_of(
        "eras are built of events that follow each other",
        "drug 7 5-10, condition 1 12-20, drug 7 40-41",
        "5-20, 40-41",
        **JUST_THE_EVENT,
        entry=entering_by({"eras_of": [{"drug_exposure": "drug"}, {"condition_occurrence": "one"}], "gap_days": 2}),
    ),
    case_of(
        "the first era alone",
        "drug 7 5-10, drug 7 40-41",
        "5-10",
        **JUST_THE_EVENT,
        entry=entering_by({"eras_of": [{"drug_exposure": "drug"}], "first": True}),
    ),
    case_of(
        "eras can be asked how long they are",
        "drug 7 5-10, drug 7 9-20, drug 7 40-41",
        "5-20",
        **JUST_THE_EVENT,
        entry=entering_by({"eras_of": [{"drug_exposure": "drug"}], "where": ["days >= 10"]}),
    ),
]


@pytest.fixture(scope="module")
def found() -> Found:
    return run(CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, found: Found) -> None:
    expected, by_oracle, compiled = found.of(CASES, case)
    assert by_oracle == expected
    assert compiled == expected
