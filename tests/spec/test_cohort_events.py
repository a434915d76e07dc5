"""What the cohort language means by events: entry, concept sets, dates, filters. Read a case as `cohort_cases` says."""

import pytest

from tests.support.cohort_cases import DEFINITION, JUST_THE_EVENT, Case, Found, case_of, concepts, entering_by, run

CASES = [
    # -- entry
    case_of("a stay lasts until the end of observation", "condition 1 5", "5-100"),
    case_of("who is not observed is not in it", "observed 1-30, condition 1 40", ""),
    case_of("both days of an observation period belong to it", "observed 5-30, condition 1 5, condition 1 30", "5-30"),
    case_of("an event of another concept does not count", "condition 2 5", ""),
    case_of(
        "a stay ends with the period that its event lies in",
        "observed 1-10, observed 20-30, condition 1 5, condition 1 25",
        "5-10, 25-30",
    ),
    case_of(
        "prior days count from the start of the period, and the day they end on counts",
        "condition 1 30, condition 1 31, condition 1 40",
        "31-100",
        entry=entering_by({"condition_occurrence": "one"}, prior_days=30, limit="first"),
    ),
    case_of(
        "post days must lie in the period",
        "condition 1 90, condition 1 91",
        "90-90",
        entry=entering_by({"condition_occurrence": "one"}, post_days=10),
        exit="start_date",
    ),
    case_of(
        "the first event alone goes on",
        "condition 1 5-6, condition 1 50-51",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one"}, limit="first"),
    ),
    case_of(
        "the last event alone goes on",
        "condition 1 5-6, condition 1 50-51",
        "50-51",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one"}, limit="last"),
    ),
    case_of(
        "of two events of one day the smaller id is the first",
        "condition 1 5-6, condition 1 5-60",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one"}, limit="first"),
    ),
    case_of(
        "and the smaller id is the last, too",
        "condition 1 5-6, condition 1 5-60",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one"}, limit="last"),
    ),
    case_of(
        "the limit looks at what was observed for long enough",
        "condition 1 5, condition 1 50",
        "50-100",
        entry=entering_by({"condition_occurrence": "one"}, limit="first", prior_days=10),
    ),
    case_of(
        "any of the entry's events lets in",
        "condition 1 50-51, drug 7 5-6",
        "5-6, 50-51",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one"}, {"drug_exposure": "drug"}),
    ),
    # -- concept sets
    case_of(
        "a concept stands for itself alone",
        "condition 10 5-6, condition 11 8-9",
        "5-6",
        **JUST_THE_EVENT,
        concept_sets=concepts("10"),
    ),
    case_of(
        "descendants are those that are valid and known",
        "condition 11 5-6, condition 13 8-9, condition 14 11-12",
        "5-6",
        **JUST_THE_EVENT,
        concept_sets=concepts("10 descendants"),
    ),
    case_of(
        "a concept that is no longer valid can still be named",
        "condition 13 8-9",
        "8-9",
        **JUST_THE_EVENT,
        concept_sets=concepts("13"),
    ),
    case_of(
        "a concept that the vocabulary does not have brings nothing",
        "condition 14 8-9",
        "",
        concept_sets=concepts("14"),
    ),
    case_of(
        "what is excluded is taken out",
        "condition 11 5-6, condition 12 8-9",
        "8-9",
        **JUST_THE_EVENT,
        concept_sets=concepts("10 descendants", "exclude 11"),
    ),
    case_of(
        "whatever the order of the lines",
        "condition 11 5-6, condition 12 8-9",
        "8-9",
        **JUST_THE_EVENT,
        concept_sets=concepts("exclude 11", "10 descendants"),
    ),
    case_of(
        "mapped brings the concepts that map to it, by valid mappings",
        "condition 21 5-6, condition 22 8-9, condition 23 11-12",
        "5-6",
        **JUST_THE_EVENT,
        concept_sets=concepts("11 mapped"),
    ),
    case_of(
        "and to its descendants",
        "condition 21 5-6",
        "5-6",
        **JUST_THE_EVENT,
        concept_sets=concepts("10 descendants mapped"),
    ),
    case_of("and not to what it does not bring", "condition 21 5-6", "", concept_sets=concepts("10 mapped")),
    case_of(
        "the source concept has a set of its own",
        "condition 1 5-6 condition_source_concept_id=2, condition 1 8-9",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one", "source_concepts": "two"}),
    ),
    case_of(
        "a star is every row",
        "condition 999 5-6",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "*"}),
    ),
    # -- the dates of events
    case_of("a condition without an end ends on the next day", "condition 1 5", "5-6", **JUST_THE_EVENT),
    case_of(
        "a measurement ends on the next day",
        "measured 1 5",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"measurement": "one"}),
    ),
    case_of(
        "a drug without an end lasts as long as it was supplied for",
        "drug 7 5 days_supply=30",
        "5-35",
        **JUST_THE_EVENT,
        entry=entering_by({"drug_exposure": "drug"}),
    ),
    case_of(
        "and without supply until the next day",
        "drug 7 5",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"drug_exposure": "drug"}),
    ),
    case_of(
        "an end that is there counts more than supply",
        "drug 7 5-8 days_supply=30",
        "5-8",
        **JUST_THE_EVENT,
        entry=entering_by({"drug_exposure": "drug"}),
    ),
    case_of(
        "an episode without an end has none, and no stay can be counted from it",
        "episode 1 5",
        "",
        **JUST_THE_EVENT,
        entry=entering_by({"episode": "one"}),
    ),
    case_of(
        "dates can be moved",
        "condition 1 5-8",
        "7-18",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one", "dates": ["start_date + 2 days", "end_date + 10 days"]}),
    ),
    case_of(
        "and changed for each other",
        "condition 1 5-8",
        "8-15",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one", "dates": ["end_date", "start_date + 10 days"]}),
    ),
    case_of(
        "an event moved so that it ends before it starts is left out",
        "condition 1 5-8",
        "",
        entry=entering_by({"condition_occurrence": "one", "dates": ["end_date", "start_date"]}),
    ),
    case_of(
        "the first is taken before dates are moved and filters asked",
        "condition 1 5-6, condition 1 8-20",
        "",
        entry=entering_by({"condition_occurrence": "one", "first": True, "where": ["days > 5"]}),
    ),
    case_of(
        "a period of the user's own takes the place of one that contains it",
        "observed 1-100",
        "31-60",
        **JUST_THE_EVENT,
        entry=entering_by({"observation_period": "*", "period": "2020-01-31 to 2020-02-29"}),
    ),
    case_of(
        "and of none other",
        "observed 1-50",
        "",
        entry=entering_by({"observation_period": "*", "period": "2020-01-31 to 2020-02-29"}),
    ),
    # -- filters
    case_of(
        "a missing value is in no range",
        "measured 1 5, measured 1 8 value_as_number=6.5",
        "8-9",
        **JUST_THE_EVENT,
        entry=entering_by({"measurement": "one", "where": ["value_as_number != 3"]}),
    ),
    case_of(
        "nor outside one",
        "measured 1 5",
        "",
        entry=entering_by({"measurement": "one", "where": ["value_as_number not between 3 and 4"]}),
    ),
    case_of(
        "between has both its ends",
        "measured 1 5 value_as_number=3, measured 1 8 value_as_number=4",
        "5-6, 8-9",
        **JUST_THE_EVENT,
        entry=entering_by({"measurement": "one", "where": ["value_as_number between 3 and 4"]}),
    ),
    case_of(
        "missing can be asked for",
        "measured 1 5, measured 1 8 value_as_concept_id=6",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"measurement": "one", "where": ["value_as_concept_id is missing"]}),
    ),
    case_of(
        "not in a list does not mean missing",
        "measured 1 5, measured 1 8 value_as_concept_id=6",
        "8-9",
        **JUST_THE_EVENT,
        entry=entering_by({"measurement": "one", "where": ["value_as_concept_id not in 4, 5"]}),
    ),
    case_of(
        "nor does not in a set, even an empty one",
        "measured 1 5, measured 1 8 value_as_concept_id=6",
        "8-9",
        **JUST_THE_EVENT,
        concept_sets={**DEFINITION["concept_sets"], "none": {"concepts": []}},
        entry=entering_by({"measurement": "one", "where": ["value_as_concept_id not in set none"]}),
    ),
    case_of(
        "a list may name what the vocabulary does not have",
        "condition 999 5-6",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "*", "where": ["condition_concept_id in 999"]}),
    ),
    case_of(
        "letter case counts in a text",
        "condition 1 5-6 stop_reason=Dead, condition 1 8-9 stop_reason=dead",
        "8-9",
        **JUST_THE_EVENT,
        entry=entering_by(
            {"condition_occurrence": "one", "where": ['stop_reason like "%ea%"', 'stop_reason like "d%"']}
        ),
    ),
    case_of(
        "a backslash in a pattern is a backslash",
        r"condition 1 5-6 stop_reason=a\b, condition 1 8-9 stop_reason=ab",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one", "where": [r'stop_reason like "a\\b"']}),
    ),
    case_of(
        "age is counted in calendar years",
        "condition 1 5-6, person 1980",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one", "where": ["age = 40"]}),
    ),
    case_of(
        "a value over a limit of zero is no number",
        "measured 1 5 value_as_number=4 range_high=0, measured 1 8 value_as_number=4 range_high=2",
        "8-9",
        **JUST_THE_EVENT,
        entry=entering_by({"measurement": "one", "where": ["value_to_range_high >= 2"]}),
    ),
    case_of(
        "a value beyond either limit is abnormal, and so is one called so",
        "measured 1 5 value_as_number=4 range_high=3, measured 1 8 value_as_number=4 range_low=5, "
        "measured 1 11 value_as_concept_id=4155142, measured 1 14 value_as_number=4 range_high=5",
        "5-6, 8-9, 11-12",
        **JUST_THE_EVENT,
        entry=entering_by({"measurement": "one", "where": ["abnormal is abnormal"]}),
    ),
    case_of(
        "a visit's concept is asked of the person's own visit",
        "visit 9201 1-9 visit_occurrence_id=501, condition 1 5-6 visit_occurrence_id=501, condition 1 8-9",
        "5-6",
        **JUST_THE_EVENT,
        entry=entering_by({"condition_occurrence": "one", "where": ["visit_concept_id in 9201"]}),
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
