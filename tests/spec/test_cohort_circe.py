"""What each property of a Circe definition says in the cohort language; the cases are the manual of the reading."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import pytest

from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.model import (
    Abnormal,
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    DateAdjustment,
    DateField,
    DateOffset,
    Dates,
    Demographic,
    Domain,
    DrugEraExit,
    Edge,
    EndOfObservation,
    Eras,
    Events,
    Filter,
    Group,
    InSet,
    Known,
    Limit,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
    Text,
    UserPeriod,
    Window,
)

Json = Mapping[str, Any]

SETS = [
    {"id": number, "name": f"set {number}", "expression": {"items": [{"concept": {"CONCEPT_ID": 10 + number}}]}}
    for number in range(3)
]
ALL = {"Type": "All"}


def definition(**parts: Any) -> dict[str, Any]:
    """A definition with everything that the reference needs."""
    return {
        "ConceptSets": SETS,
        "PrimaryCriteria": {
            "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": ALL,
        },
        "QualifiedLimit": ALL,
        "ExpressionLimit": ALL,
        "InclusionRules": [],
        "CensoringCriteria": [],
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
        "CensorWindow": {},
        **parts,
    }


def entry(kind: str, **body: Any) -> Any:
    """The criterion that a definition with this one entry event is read to."""
    primary = definition()["PrimaryCriteria"] | {"CriteriaList": [{kind: body}]}
    return read_circe(definition(PrimaryCriteria=primary)).entry.events[0]


def member(**correlated: Any) -> Any:
    """What a correlated criterion is read to, as the only member of an inclusion rule."""
    given = {
        "Criteria": {"DrugExposure": {}},
        "StartWindow": {"Start": {"Coeff": -1}, "End": {"Coeff": 1}},
        "Occurrence": {"Type": 2, "Count": 1},
        **correlated,
    }
    return rule(Type="ALL", CriteriaList=[given]).members[0]


def rule(**group: Any) -> Group:
    """What the group of an inclusion rule is read to."""
    return read_circe(definition(InclusionRules=[{"name": "r", "expression": group}])).rules[0].group


def between(low: float, high: float) -> Numbers:
    return Numbers(compare=Compare.BETWEEN, value=low, to=high)


RANGE = {"Op": "bt", "Value": 1.76543, "Extent": 20.9}
CUT, FOUR_PLACES = between(1, 20), between(1.7654, 20.9)
DATES = {"Op": "gte", "Value": "2010-02-03"}
FROM = Dates(compare=Compare.AT_LEAST, value=dt.date(2010, 2, 3))
LIST = [{"CONCEPT_ID": 7, "CONCEPT_NAME": "a"}, {"CONCEPT_ID": "5"}]
ONE_OF = OneOf(concepts=(5, 7))
SELECTION = {"CodesetId": 1, "IsExclusion": True}
NOT_IN = InSet(concept_set="1", excluded=True)
TEXT = {"Text": "a%b", "Op": "contains"}
LIKE = Text(pattern="%a%b%")

FIELDS = [
    ("ConditionEra", "EraStartDate", DATES, "start_date", FROM),
    ("ConditionEra", "EraEndDate", DATES, "end_date", FROM),
    ("ConditionEra", "OccurrenceCount", RANGE, "condition_occurrence_count", CUT),
    ("ConditionEra", "EraLength", RANGE, "days", CUT),
    ("ConditionEra", "AgeAtStart", RANGE, "age", CUT),
    ("ConditionEra", "AgeAtEnd", RANGE, "age_at_end", CUT),
    ("ConditionOccurrence", "OccurrenceStartDate", DATES, "start_date", FROM),
    ("ConditionOccurrence", "OccurrenceEndDate", DATES, "end_date", FROM),
    ("ConditionOccurrence", "ConditionType", LIST, "condition_type_concept_id", ONE_OF),
    ("ConditionOccurrence", "ConditionTypeCS", SELECTION, "condition_type_concept_id", NOT_IN),
    ("ConditionOccurrence", "StopReason", TEXT, "stop_reason", LIKE),
    ("ConditionOccurrence", "Age", RANGE, "age", CUT),
    ("ConditionOccurrence", "Gender", LIST, "gender_concept_id", ONE_OF),
    ("ConditionOccurrence", "GenderCS", SELECTION, "gender_concept_id", NOT_IN),
    ("ConditionOccurrence", "ProviderSpecialty", LIST, "specialty_concept_id", ONE_OF),
    ("ConditionOccurrence", "ProviderSpecialtyCS", SELECTION, "specialty_concept_id", NOT_IN),
    ("ConditionOccurrence", "VisitType", LIST, "visit_concept_id", ONE_OF),
    ("ConditionOccurrence", "VisitTypeCS", SELECTION, "visit_concept_id", NOT_IN),
    ("ConditionOccurrence", "ConditionStatus", LIST, "condition_status_concept_id", ONE_OF),
    ("ConditionOccurrence", "ConditionStatusCS", SELECTION, "condition_status_concept_id", NOT_IN),
    ("Death", "OccurrenceStartDate", DATES, "start_date", FROM),
    ("Death", "DeathType", LIST, "death_type_concept_id", ONE_OF),
    ("DeviceExposure", "UniqueDeviceId", TEXT, "unique_device_id", LIKE),
    ("DeviceExposure", "Quantity", RANGE, "quantity", CUT),
    ("DoseEra", "Unit", LIST, "unit_concept_id", ONE_OF),
    ("DoseEra", "DoseValue", RANGE, "dose_value", FOUR_PLACES),
    ("DrugEra", "OccurrenceCount", RANGE, "drug_exposure_count", CUT),
    ("DrugEra", "GapDays", RANGE, "gap_days", CUT),
    ("DrugExposure", "OccurrenceEndDate", DATES, "start_date", FROM),
    ("DrugExposure", "DrugType", LIST, "drug_type_concept_id", ONE_OF),
    ("DrugExposure", "Refills", RANGE, "refills", CUT),
    ("DrugExposure", "Quantity", RANGE, "quantity", FOUR_PLACES),
    ("DrugExposure", "DaysSupply", RANGE, "days_supply", CUT),
    ("DrugExposure", "RouteConcept", LIST, "route_concept_id", ONE_OF),
    ("DrugExposure", "RouteConceptCS", SELECTION, "route_concept_id", NOT_IN),
    ("DrugExposure", "LotNumber", TEXT, "lot_number", LIKE),
    ("Episode", "EpisodeNumber", RANGE, "episode_number", CUT),
    ("Episode", "EpisodeObjectConceptCS", SELECTION, "episode_object_concept_id", NOT_IN),
    ("Episode", "EpisodeTypeCS", SELECTION, "episode_type_concept_id", NOT_IN),
    ("Measurement", "Operator", LIST, "operator_concept_id", ONE_OF),
    ("Measurement", "ValueAsNumber", RANGE, "value_as_number", FOUR_PLACES),
    ("Measurement", "ValueAsConcept", LIST, "value_as_concept_id", ONE_OF),
    ("Measurement", "UnitCS", SELECTION, "unit_concept_id", NOT_IN),
    ("Measurement", "RangeLow", RANGE, "range_low", FOUR_PLACES),
    ("Measurement", "RangeHigh", RANGE, "range_high", FOUR_PLACES),
    ("Measurement", "RangeLowRatio", RANGE, "value_to_range_low", FOUR_PLACES),
    ("Measurement", "RangeHighRatio", RANGE, "value_to_range_high", FOUR_PLACES),
    ("Measurement", "Abnormal", True, "abnormal", Abnormal()),
    ("Observation", "ValueAsNumber", RANGE, "value_as_number", FOUR_PLACES),
    ("Observation", "ValueAsString", TEXT, "value_as_string", LIKE),
    ("Observation", "Qualifier", LIST, "qualifier_concept_id", ONE_OF),
    ("ObservationPeriod", "PeriodLength", RANGE, "days", CUT),
    ("ObservationPeriod", "PeriodType", LIST, "period_type_concept_id", ONE_OF),
    ("PayerPlanPeriod", "PayerConcept", 2, "payer_concept_id", InSet(concept_set="2")),
    ("PayerPlanPeriod", "StopReasonSourceConcept", 2, "stop_reason_source_concept_id", InSet(concept_set="2")),
    ("ProcedureOccurrence", "Modifier", LIST, "modifier_concept_id", ONE_OF),
    ("ProcedureOccurrence", "Quantity", RANGE, "quantity", CUT),
    ("Specimen", "Quantity", RANGE, "quantity", FOUR_PLACES),
    ("Specimen", "AnatomicSiteCS", SELECTION, "anatomic_site_concept_id", NOT_IN),
    ("Specimen", "DiseaseStatus", LIST, "disease_status_concept_id", ONE_OF),
    ("Specimen", "SourceId", TEXT, "specimen_source_id", LIKE),
    ("VisitDetail", "Age", RANGE, "age_at_end", CUT),
    ("VisitDetail", "VisitDetailTypeCS", SELECTION, "visit_detail_type_concept_id", NOT_IN),
    ("VisitDetail", "PlaceOfServiceCS", SELECTION, "place_of_service_concept_id", NOT_IN),
    ("VisitOccurrence", "VisitType", LIST, "visit_type_concept_id", ONE_OF),
    ("VisitOccurrence", "VisitLength", RANGE, "days", CUT),
    ("VisitOccurrence", "PlaceOfService", LIST, "place_of_service_concept_id", ONE_OF),
    ("CustomEra", "Duration", RANGE, "days", CUT),
    ("CustomEra", "StartDate", DATES, "start_date", FROM),
]


@pytest.mark.parametrize(("kind", "key", "given", "field", "test"), FIELDS)
def test_a_property_asks_a_field(kind: str, key: str, given: Any, field: str, test: Any) -> None:
    needed: dict[str, Any] = {"CriteriaList": [{"DrugEra": {}}]} if kind == "CustomEra" else {}
    assert entry(kind, **needed, **{key: given}).filters == (Filter(field=field, test=test),)


@pytest.mark.parametrize(
    ("given", "test"),
    [
        ({"Op": "lt", "Value": 5}, Numbers(compare=Compare.LESS, value=5)),
        ({"Op": "lte", "Value": 5, "Extent": None}, Numbers(compare=Compare.AT_MOST, value=5)),
        ({"Op": "eq", "Value": "5"}, Numbers(compare=Compare.EQUAL, value=5)),
        ({"Op": "!eq", "Value": 5, "Extent": "unused"}, Numbers(compare=Compare.NOT_EQUAL, value=5)),
        ({"Op": "gt", "Value": -5.9}, Numbers(compare=Compare.MORE, value=-5)),
        ({"Op": "gte", "Value": "5.9"}, Numbers(compare=Compare.AT_LEAST, value=5)),
        ({"Op": "!bt", "Value": 5, "Extent": "9"}, Numbers(compare=Compare.OUTSIDE, value=5, to=9)),
    ],
)
def test_a_range_of_whole_numbers_cuts_fractions_off(given: Json, test: Numbers) -> None:
    assert entry("ConditionOccurrence", Age=given).filters[0].test == test


@pytest.mark.parametrize(
    ("given", "value"), [(0.00005, 0.0001), (-0.00005, -0.0001), (0.00004, 0), (2.0, 2), (3, 3), ("6.54321", 6.5432)]
)
def test_a_range_of_decimals_rounds_to_four_places_half_away_from_nought(given: Any, value: float) -> None:
    read = entry("Measurement", ValueAsNumber={"Op": "gt", "Value": given}).filters[0].test
    assert read == Numbers(compare=Compare.MORE, value=value)


@pytest.mark.parametrize(
    ("given", "test"),
    [
        ({"Op": "startsWith", "Text": "a"}, Text(pattern="a%")),
        ({"Op": "endsWith", "Text": "a"}, Text(pattern="%a")),
        ({"Op": "!contains", "Text": "a_"}, Text(pattern="%a_%", negated=True)),
        ({"Op": "eq", "Text": "a"}, Text(pattern="a")),
        ({"Op": "contains", "Text": "it's"}, Text(pattern="%it's%")),
        ({"Op": "contains", "Text": "it\\'s"}, Text(pattern="%it's%")),
    ],
)
def test_a_text_is_matched_as_by_sql(given: Json, test: Text) -> None:
    assert entry("Observation", ValueAsString=given).filters[0].test == test


@pytest.mark.parametrize(
    ("given", "test"),
    [
        ({"CodesetId": 1}, InSet(concept_set="1")),
        ({"CodesetId": "1", "IsExclusion": 1}, InSet(concept_set="1", excluded=True)),
        ({"CodesetId": None, "IsExclusion": False}, Known()),
        ({"IsExclusion": True}, Known(yes=False)),
    ],
)
def test_a_selection_without_a_set_asks_whether_the_concept_is_known(given: Json, test: Any) -> None:
    assert entry("Measurement", UnitCS=given).filters[0].test == test


def test_a_list_of_types_can_be_turned_around_and_an_empty_one_asks_nothing() -> None:
    turned = entry("DrugExposure", DrugType=LIST, DrugTypeExclude=True)
    assert turned.filters == (Filter(field="drug_type_concept_id", test=OneOf(concepts=(5, 7), excluded=True)),)
    assert entry("DrugExposure", DrugType=[], DrugTypeExclude=True, DoseUnit=[], EffectiveDrugDose=None).filters == ()


def test_filters_stand_in_one_order_whatever_the_files() -> None:
    one = entry("Measurement", ValueAsNumber=RANGE, Age=RANGE, Gender=LIST)
    assert one == entry("Measurement", Gender=LIST, Age=RANGE, ValueAsNumber=RANGE)


def test_events_name_their_concept_sets_and_the_first() -> None:
    read = entry("DrugExposure", CodesetId=0, DrugSourceConcept=1, First=True)
    assert read == Events(domain=Domain.DRUG_EXPOSURE, concepts="0", source_concepts="1", first=True)
    assert entry("Death", DeathSourceConcept=2) == Events(domain=Domain.DEATH, source_concepts="2")
    assert entry("ObservationPeriod", UserDefinedPeriod={"StartDate": "2010-1-2"}).period == UserPeriod(
        start=dt.date(2010, 1, 2)
    )
    assert entry("PayerPlanPeriod", UserDefinedPeriod={}).period is None


ADJUSTED = {"StartWith": "END_DATE", "StartOffset": 3, "EndWith": 0, "EndOffset": "40"}


@pytest.mark.parametrize(
    ("kind", "given", "dates"),
    [
        ("DrugExposure", {}, DateAdjustment()),
        (
            "DrugExposure",
            ADJUSTED,
            DateAdjustment(start=DateField.END, start_days=3, end=DateField.START, end_days=40),
        ),
        ("DrugExposure", {"StartWith": None}, DateAdjustment(start=DateField.END)),
        ("Death", ADJUSTED, DateAdjustment(start_days=3, end_days=40)),
        ("Specimen", ADJUSTED, None),
    ],
)
def test_dates_are_adjusted_as_the_reference_does(kind: str, given: Json, dates: DateAdjustment | None) -> None:
    assert entry(kind, DateAdjustment=given).dates == dates


def test_eras_are_built_from_criteria_and_their_gap_has_no_effect() -> None:
    inner = [{"DrugExposure": {"CodesetId": 0}}, {"CustomEra": {"CriteriaList": [{"DrugEra": {}}]}}]
    read = entry("CustomEra", CriteriaList=inner, GapDays=30, First=True, AgeAtStart=RANGE)
    assert read == Eras(
        of=(
            Events(domain=Domain.DRUG_EXPOSURE, concepts="0"),
            Eras(of=(Events(domain=Domain.DRUG_ERA),)),
        ),
        first=True,
        filters=(Filter(field="age", test=CUT),),
    )


def test_a_nested_group_that_is_empty_asks_nothing() -> None:
    assert entry("DrugEra", CorrelatedCriteria={"Type": "ANY", "CriteriaList": []}).nested is None
    nested = entry("DrugEra", CorrelatedCriteria={"Type": "ANY", "DemographicCriteriaList": [{}]}).nested
    assert nested == Group(match=Match.ANY, members=(Demographic(filters=()),))


def start(value: Any, *, ignore: bool = False) -> Any:
    window = {"Start": value, "End": {"Coeff": 1}}
    return member(StartWindow=window, IgnoreObservationPeriod=ignore).start.since


@pytest.mark.parametrize(
    ("endpoint", "ignore", "since"),
    [
        ({"Days": 30, "Coeff": -1}, False, -30),
        ({"Days": "7", "Coeff": 1}, False, 7),
        ({"Days": 0, "Coeff": -1}, True, 0),
        ({"Days": 5, "Coeff": 0}, False, 0),
        ({"Coeff": -1}, False, Edge.PERIOD_START),
        ({"Days": None, "Coeff": 1}, False, Edge.PERIOD_END),
        ({}, False, Edge.PERIOD_END),
        ({"Coeff": -1}, True, Edge.OPEN),
    ],
)
def test_an_end_of_a_window_is_days_or_as_far_as_is_observed(endpoint: Json, ignore: bool, since: Any) -> None:
    assert start(endpoint, ignore=ignore) == since


def test_windows_look_at_the_starts_and_a_second_one_at_the_events_end() -> None:
    days = {"Start": {"Days": 1, "Coeff": -1}, "End": {"Days": 1, "Coeff": 1}}
    read = member(StartWindow=days, EndWindow=days)
    assert (read.start.of, read.start.index) == (DateField.START, DateField.START)
    assert (read.end.of, read.end.index) == (DateField.END, DateField.START)
    asked = days | {"UseEventEnd": True, "UseIndexEnd": True}
    turned = days | {"UseEventEnd": False, "UseIndexEnd": True}
    read = member(StartWindow=asked, EndWindow=turned)
    assert (read.start.of, read.start.index) == (DateField.END, DateField.END)
    assert (read.end.of, read.end.index) == (DateField.START, DateField.END)


def test_a_second_window_that_is_open_at_both_ends_is_none() -> None:
    open_window = {"Start": {"Coeff": -1}, "End": {"Coeff": 1}}
    assert member(EndWindow=open_window, IgnoreObservationPeriod=True).end is None
    assert member(EndWindow=open_window).end == Window(since=Edge.PERIOD_START, until=Edge.PERIOD_END, of=DateField.END)


def test_correlated_events_lie_in_the_same_period_unless_it_is_ignored() -> None:
    assert member() == Correlated(
        events=Events(domain=Domain.DRUG_EXPOSURE), start=Window(since=Edge.PERIOD_START, until=Edge.PERIOD_END)
    )
    free = member(IgnoreObservationPeriod=True, RestrictVisit=True)
    assert free.start == Window() and not free.within_observation and free.same_visit


@pytest.mark.parametrize(
    ("given", "occurrence"),
    [
        ({"Type": 0, "Count": 0}, Occurrence(times=OccurrenceType.EXACTLY, count=0)),
        ({"Type": 1, "Count": "2"}, Occurrence(times=OccurrenceType.AT_MOST, count=2)),
        ({"Type": 2, "Count": 3.9}, Occurrence(times=OccurrenceType.AT_LEAST, count=3)),
        ({}, Occurrence(times=OccurrenceType.EXACTLY, count=0)),
        ({"Type": 2, "Count": 2, "CountColumn": "START_DATE"}, Occurrence(count=2)),
        ({"Type": 2, "Count": 2, "IsDistinct": True}, Occurrence(count=2, distinct="concept_id")),
        (
            {"Type": 2, "Count": 2, "IsDistinct": True, "CountColumn": "START_DATE"},
            Occurrence(count=2, distinct="start_date"),
        ),
        (
            {"Type": 2, "Count": 2, "IsDistinct": True, "CountColumn": 14},
            Occurrence(count=2, distinct="visit_occurrence_id"),
        ),
        (
            {"Type": 2, "Count": 2, "IsDistinct": True, "CountColumn": "DAYS_SUPPLY"},
            Occurrence(count=2, distinct="days_supply"),
        ),
        ({"Type": 2, "Count": 1, "IsDistinct": True, "CountColumn": "DURATION"}, Occurrence(distinct="days")),
    ],
)
def test_occurrences_are_counted_by_rows_or_by_a_column(given: Json, occurrence: Occurrence) -> None:
    assert member(Occurrence=given).occurrence == occurrence


@pytest.mark.parametrize(
    ("kind", "column", "distinct"),
    [
        ("ConditionEra", "ERA_OCCURRENCES", "condition_occurrence_count"),
        ("DrugEra", "ERA_OCCURRENCES", "drug_exposure_count"),
        ("DrugEra", "GAP_DAYS", "gap_days"),
        ("DoseEra", "UNIT", "unit_concept_id"),
        ("DoseEra", "VALUE_AS_NUMBER", "dose_value"),
        ("Measurement", "RANGE_LOW", "range_low"),
        ("Death", "DOMAIN_CONCEPT", "concept_id"),
        ("ProcedureOccurrence", "QUANTITY", "quantity"),
    ],
)
def test_count_columns_are_those_of_the_kind(kind: str, column: str, distinct: str) -> None:
    counted = {"Type": 2, "Count": 1, "IsDistinct": True, "CountColumn": column}
    assert member(Criteria={kind: {}}, Occurrence=counted).occurrence.distinct == distinct


@pytest.mark.parametrize(
    ("kind", "count", "match", "read"),
    [
        ("ALL", None, Match.ALL, None),
        ("any", 5, Match.ANY, None),
        ("AT_LEAST", 0, Match.AT_LEAST, 0),
        ("at_most", "1", Match.AT_MOST, 1),
    ],
)
def test_groups_hold_by_their_type_in_any_case(kind: str, count: Any, match: Match, read: int | None) -> None:
    group = rule(Type=kind, Count=count, Groups=[{"CriteriaList": []}])
    assert group == Group(match=match, count=read, members=(Group(),))


def test_a_demographic_criterion_asks_the_person_at_the_event() -> None:
    given = {"Age": RANGE, "RaceCS": SELECTION, "Ethnicity": LIST, "OccurrenceEndDate": DATES}
    assert rule(Type="ALL", DemographicCriteriaList=[given]).members == (
        Demographic(
            filters=(
                Filter(field="age", test=CUT),
                Filter(field="race_concept_id", test=NOT_IN),
                Filter(field="ethnicity_concept_id", test=ONE_OF),
                Filter(field="end_date", test=FROM),
            )
        ),
    )


@pytest.mark.parametrize(
    ("given", "primary", "final"),
    [
        ({"Type": "All"}, Limit.ALL, Limit.ALL),
        ({"Type": "lAST"}, Limit.LAST, Limit.LAST),
        ({"Type": "First"}, Limit.FIRST, Limit.FIRST),
        ({"Type": "Earliest"}, Limit.FIRST, Limit.FIRST),
        ({}, Limit.FIRST, Limit.FIRST),
    ],
)
def test_limits_are_all_or_last_or_else_the_first(given: Json, primary: Limit, final: Limit) -> None:
    value = definition(ExpressionLimit=given, QualifiedLimit=given, AdditionalCriteria={})
    value["PrimaryCriteria"] = value["PrimaryCriteria"] | {"PrimaryCriteriaLimit": given}
    read = read_circe(value)
    assert (read.entry.limit, read.qualified_limit, read.limit) == (primary, final, final)


def test_a_final_limit_of_null_is_all_and_an_absent_one_the_first() -> None:
    assert read_circe(definition(ExpressionLimit={"Type": None})).limit is Limit.ALL
    value = definition()
    del value["ExpressionLimit"]
    assert read_circe(value).limit is Limit.FIRST


def test_the_qualified_limit_has_an_effect_only_beside_additional_criteria() -> None:
    without = read_circe(definition(QualifiedLimit={"Type": "First"}))
    assert (without.qualifying, without.qualified_limit) == (None, Limit.ALL)
    empty = read_circe(definition(QualifiedLimit={"Type": "First"}, AdditionalCriteria={"Type": "ALL"}))
    assert (empty.qualifying, empty.qualified_limit) == (Group(), Limit.FIRST)


@pytest.mark.parametrize(
    ("given", "leave"),
    [
        (None, EndOfObservation()),
        ({"DateOffset": {}}, DateOffset()),
        ({"DateOffset": {"DateField": 1, "Offset": -3}}, DateOffset(date=DateField.END, days=-3)),
        (
            {"CustomEra": {"DrugCodesetId": 2, "GapDays": 30, "Offset": 7}},
            DrugEraExit(concepts="2", gap_days=30, offset=7),
        ),
        (
            {"CustomEra": {"DrugCodesetId": 2, "DaysSupplyOverride": 0}},
            DrugEraExit(concepts="2", days_supply=0),
        ),
    ],
)
def test_exits(given: Json | None, leave: Any) -> None:
    assert read_circe(definition(EndStrategy=given)).exit == leave


def test_stays_are_censored_joined_and_cut() -> None:
    read = read_circe(
        definition(
            CensoringCriteria=[{"Death": {}}],
            CollapseSettings={"CollapseType": "ERA", "EraPad": 30},
            CensorWindow={"StartDate": "2010-01-01", "EndDate": None},
        )
    )
    assert read.censoring == (Events(domain=Domain.DEATH),)
    assert read.gap_days == 30
    assert read.window == UserPeriod(start=dt.date(2010, 1, 1))


def test_concept_sets_keep_what_each_concept_brings() -> None:
    items = [
        {"concept": {"CONCEPT_ID": 5, "CONCEPT_NAME": "five", "STANDARD_CONCEPT": "S"}, "includeDescendants": True},
        {"concept": {"CONCEPT_ID": 6}, "isExcluded": "true", "includeMapped": 1},
    ]
    read = read_circe(definition(ConceptSets=[{"id": "0", "name": "n", "expression": {"items": items}}]))
    assert read.concept_sets == (
        ConceptSet(
            id="0",
            name="n",
            items=(
                ConceptSetItem(concept_id=5, descendants=True, name="five"),
                ConceptSetItem(concept_id=6, mapped=True, excluded=True),
            ),
        ),
    )


def named(value: Any) -> tuple[str, str]:
    read: CohortDefinition = read_circe(value)
    return read.name, read.description


def test_a_definition_is_read_in_the_wrappings_that_it_is_exported_in() -> None:
    around = {"id": 4, "name": "n", "description": "d", "createdBy": {"login": "x"}, "tags": []}
    assert named(around | {"expression": definition()}) == ("n", "d")
    assert named(around | {"expression": json.dumps(definition()), "expressionType": "SIMPLE_EXPRESSION"}) == ("n", "d")
    assert named(definition(Title="t", cdmVersionRange=">=5.0.0")) == ("t", "")
    assert named(("\ufeff" + json.dumps(definition(name="n"))).encode()) == ("n", "")
