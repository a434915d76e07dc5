"""Tests of fields as phrases that follow the event: ``at age 18 or over``, ``with a value above 7``."""

from collections.abc import Mapping

from fairhaven.cohort.english.concept_names import ConceptNames
from fairhaven.cohort.english.phrases import (
    BORN,
    IN_YEARS,
    LASTING,
    OF_NUMBER,
    ON_DATES,
    compared,
    quoted,
    with_article,
)
from fairhaven.cohort.model import Abnormal, Dates, Filter, InSet, Known, Numbers, OneOf, Text

_LABELS: Mapping[str, str] = {
    "value_as_number": "value",
    "value_as_string": "text value",
    "value_as_concept_id": "result",
    "value_to_range_low": "ratio of its value to the lower limit of normal",
    "value_to_range_high": "ratio of its value to the upper limit of normal",
    "range_low": "lower limit of normal",
    "range_high": "upper limit of normal",
    "dose_value": "dose",
    "days_supply": "number of days supplied",
    "refills": "number of refills",
    "gap_days": "number of gap days",
    "condition_occurrence_count": "number of diagnoses",
    "drug_exposure_count": "number of exposures",
    "start_date": "start date",
    "end_date": "end date",
    "days": "length",
    "age_at_end": "age at its end",
    "specialty_concept_id": "specialty of the provider",
    "visit_concept_id": "type of visit",
    "place_of_service_concept_id": "place of service",
    "unit_concept_id": "unit",
    "gender_concept_id": "sex",
}

_PERSON_CONCEPTS: Mapping[str, str] = {
    "gender_concept_id": "recorded as",
    "race_concept_id": "of race",
    "ethnicity_concept_id": "of ethnicity",
}
_CONCEPTS: Mapping[str, str] = {
    **{field: f"in a person {words} {{}}" for field, words in _PERSON_CONCEPTS.items()},
    "unit_concept_id": "measured in {}",
    "value_as_concept_id": "with the result {}",
    "specialty_concept_id": "by a provider whose specialty is {}",
    "visit_concept_id": "in a visit of type {}",
    "place_of_service_concept_id": "in a place of type {}",
    "route_concept_id": "by the route {}",
}


def after_event(item: Filter, naming: ConceptNames, *, is_visit: bool = False) -> str:
    """A test of an event, said after it.

    Args:
        is_visit: the event is a visit itself, not something in a visit.
    """
    match item.field, item.test:
        case "visit_concept_id", (OneOf() | InSet()) as test if is_visit:
            return f"whose type is {_which(test, naming)}"
        case "age", Numbers() as test:
            return _at_age(test)
        case "age_at_end", Numbers() as test:
            return f"{_at_age(test)} at its end"
        case "year_of_birth", Numbers() as test:
            return f"in a person born {compared(test, BORN)}"
        case "days", Numbers() as test:
            return f"lasting {compared(test, LASTING)}"
        case ("value_to_range_low" | "value_to_range_high") as field, Numbers() as test:
            limit = "lower" if field == "value_to_range_low" else "upper"
            return f"with a value {compared(test, OF_NUMBER)} times its {limit} limit of normal"
        case "start_date", Dates() as test:
            return compared(test, ON_DATES)
        case "end_date", Dates() as test:
            return f"ending {compared(test, ON_DATES)}"
        case field, (OneOf() | InSet()) as test if field in _CONCEPTS:
            return _CONCEPTS[field].format(_which(test, naming))
        case _:
            return f"with {_plain(item, naming)}"


def _at_age(test: Numbers) -> str:
    years = compared(test, IN_YEARS)
    return f"at {'age' if years[0].isdigit() else 'an age'} {years}"


def of_person(item: Filter, naming: ConceptNames) -> str:
    """A test of the person at an index event, said after "is": ``aged 18 or over``, ``recorded as female``."""
    match item.field, item.test:
        case "age", Numbers() as test:
            return f"aged {compared(test, IN_YEARS)}"
        case "year_of_birth", Numbers() as test:
            return f"born {compared(test, BORN)}"
        case field, (OneOf() | InSet()) as test if field in _PERSON_CONCEPTS:
            return f"{_PERSON_CONCEPTS[field]} {_which(test, naming)}"
        case "start_date", Dates() as test:
            return f"entering {compared(test, ON_DATES)}"
        case "end_date", Dates() as test:
            return f"with an event ending {compared(test, ON_DATES)}"
        case field, Known() as test:
            return f"of {'known' if test.yes else 'unknown'} {_label(field)}"
        case _:
            return f"with {_plain(item, naming)}"


def _label(field: str) -> str:
    return _LABELS.get(field, field.removesuffix("_concept_id").replace("_", " "))


def _plain(item: Filter, naming: ConceptNames) -> str:
    """``a quantity above 3``, after "with"."""
    label = _label(item.field)
    match item.test:
        case Numbers() as test:
            return f"{with_article(label)} {compared(test, OF_NUMBER)}"
        case Dates() as test:
            return f"{with_article(label)} {compared(test, ON_DATES)}"
        case OneOf() | InSet() as test:
            return f"{label} {_which(test, naming)}"
        case Known(yes=True):
            return f"a known {label}"
        case Known():
            return f"no known {label}"
        case Text() as test:
            return f"{with_article(label)} {_like(test)}"
        case Abnormal():
            return "a value outside its limits of normal"


def _which(test: OneOf | InSet, naming: ConceptNames) -> str:
    match test:
        case OneOf():
            names = naming.concepts(test.concepts)
            return f"other than {names}" if test.excluded else names
        case InSet():
            return f"{'none' if test.excluded else 'one'} of {naming.set(test.concept_set)}"


def _like(test: Text) -> str:
    """The common shapes of a pattern in words; others as they are."""
    inner = test.pattern.strip("%")
    before, after = test.pattern.startswith("%"), test.pattern.endswith("%")
    no = "not " if test.negated else ""
    if not inner or "%" in inner or "_" in inner or test.pattern != f"{'%' * before}{inner}{'%' * after}":
        return f"{no}matching the pattern {quoted(test.pattern)}"
    words = {(True, True): "containing", (False, True): "starting with", (True, False): "ending with"}
    return f"{no}{words.get((before, after), 'equal to')} {quoted(inner)}"
