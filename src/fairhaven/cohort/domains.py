"""What each table of events offers to a cohort definition: its dates, its concepts, the fields that can be asked for.

Names are OMOP CDM 5.4 column names, verbatim. Derived fields have names of their own: ``age`` and ``age_at_end`` (calendar
years between the event's start or end and the year of birth), ``days`` (from start to end), ``value_to_range_low`` and
``value_to_range_high`` (a measurement over the limit of its range), ``abnormal``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fairhaven.cohort.model import Domain


class Kind(StrEnum):
    """What a field holds, and so which tests it can take."""

    WHOLE = "whole number"
    NUMBER = "number"
    DATE = "date"
    CONCEPT = "concept"
    TEXT = "text"
    FLAG = "flag"


class Via(StrEnum):
    """Where a field comes from when it is not a column of the table itself."""

    EVENT = "the event's dates"
    PERSON = "person"
    PROVIDER = "provider"
    VISIT = "visit_occurrence"
    CARE_SITE = "care_site"


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One thing that can be asked of an event.

    Args:
        via: None for a column of the event's own table.
    """

    kind: Kind
    via: Via | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainFacts:
    """How the events of a table are read.

    Args:
        key: column that tells one event of a person from another.
        start: column of the start date.
        end: column of the end date; None where an event is one day, which then ends on the day after.
        end_after: where `end` is missing: days after the start, or the column that holds them (and 1 day without); None
            leaves the end unknown.
        concept, source_concept: columns that a concept set is held against.
        visit: whether the table has ``visit_occurrence_id``.
        fields: what filters can ask for.
        countable: columns whose different values can be counted, beside the dates and the concept.
    """

    key: str
    start: str
    end: str | None = None
    end_after: str | int | None = 1
    concept: str | None = None
    source_concept: str | None = None
    visit: bool = False
    fields: Mapping[str, Field] = field(default_factory=dict)
    countable: tuple[str, ...] = ()


_DATES = {
    "start_date": Field(kind=Kind.DATE, via=Via.EVENT),
    "end_date": Field(kind=Kind.DATE, via=Via.EVENT),
    "days": Field(kind=Kind.WHOLE, via=Via.EVENT),
}
_PERSON = {
    "age": Field(kind=Kind.WHOLE, via=Via.PERSON),
    "age_at_end": Field(kind=Kind.WHOLE, via=Via.PERSON),
    "gender_concept_id": Field(kind=Kind.CONCEPT, via=Via.PERSON),
    "race_concept_id": Field(kind=Kind.CONCEPT, via=Via.PERSON),
    "ethnicity_concept_id": Field(kind=Kind.CONCEPT, via=Via.PERSON),
    "year_of_birth": Field(kind=Kind.WHOLE, via=Via.PERSON),
}
_PROVIDER = {"specialty_concept_id": Field(kind=Kind.CONCEPT, via=Via.PROVIDER)}
_VISIT = {"visit_concept_id": Field(kind=Kind.CONCEPT, via=Via.VISIT)}
_CARE_SITE = {"place_of_service_concept_id": Field(kind=Kind.CONCEPT, via=Via.CARE_SITE)}
_SEEN = _DATES | _PERSON | _PROVIDER | _VISIT


def _own(**columns: Kind) -> dict[str, Field]:
    return {name: Field(kind=kind) for name, kind in columns.items()}


DOMAINS: Mapping[Domain, DomainFacts] = {
    Domain.CONDITION_ERA: DomainFacts(
        key="condition_era_id",
        start="condition_era_start_date",
        end="condition_era_end_date",
        end_after=None,
        concept="condition_concept_id",
        fields=_DATES | _PERSON | _own(condition_concept_id=Kind.CONCEPT, condition_occurrence_count=Kind.WHOLE),
        countable=("condition_occurrence_count",),
    ),
    Domain.CONDITION_OCCURRENCE: DomainFacts(
        key="condition_occurrence_id",
        start="condition_start_date",
        end="condition_end_date",
        concept="condition_concept_id",
        source_concept="condition_source_concept_id",
        visit=True,
        fields=_SEEN
        | _own(
            condition_concept_id=Kind.CONCEPT,
            condition_source_concept_id=Kind.CONCEPT,
            condition_type_concept_id=Kind.CONCEPT,
            condition_status_concept_id=Kind.CONCEPT,
            stop_reason=Kind.TEXT,
        ),
    ),
    Domain.DEATH: DomainFacts(
        key="person_id",
        start="death_date",
        concept="cause_concept_id",
        source_concept="cause_source_concept_id",
        fields=_DATES
        | _PERSON
        | _own(cause_concept_id=Kind.CONCEPT, cause_source_concept_id=Kind.CONCEPT, death_type_concept_id=Kind.CONCEPT),
    ),
    Domain.DEVICE_EXPOSURE: DomainFacts(
        key="device_exposure_id",
        start="device_exposure_start_date",
        end="device_exposure_end_date",
        concept="device_concept_id",
        source_concept="device_source_concept_id",
        visit=True,
        fields=_SEEN
        | _own(
            device_concept_id=Kind.CONCEPT,
            device_source_concept_id=Kind.CONCEPT,
            device_type_concept_id=Kind.CONCEPT,
            unique_device_id=Kind.TEXT,
            quantity=Kind.NUMBER,
        ),
        countable=("quantity",),
    ),
    Domain.DOSE_ERA: DomainFacts(
        key="dose_era_id",
        start="dose_era_start_date",
        end="dose_era_end_date",
        end_after=None,
        concept="drug_concept_id",
        fields=_DATES
        | _PERSON
        | _own(drug_concept_id=Kind.CONCEPT, unit_concept_id=Kind.CONCEPT, dose_value=Kind.NUMBER),
        countable=("unit_concept_id", "dose_value"),
    ),
    Domain.DRUG_ERA: DomainFacts(
        key="drug_era_id",
        start="drug_era_start_date",
        end="drug_era_end_date",
        end_after=None,
        concept="drug_concept_id",
        fields=_DATES
        | _PERSON
        | _own(drug_concept_id=Kind.CONCEPT, drug_exposure_count=Kind.WHOLE, gap_days=Kind.WHOLE),
        countable=("drug_exposure_count", "gap_days"),
    ),
    Domain.DRUG_EXPOSURE: DomainFacts(
        key="drug_exposure_id",
        start="drug_exposure_start_date",
        end="drug_exposure_end_date",
        end_after="days_supply",
        concept="drug_concept_id",
        source_concept="drug_source_concept_id",
        visit=True,
        fields=_SEEN
        | _own(
            drug_concept_id=Kind.CONCEPT,
            drug_source_concept_id=Kind.CONCEPT,
            drug_type_concept_id=Kind.CONCEPT,
            stop_reason=Kind.TEXT,
            refills=Kind.WHOLE,
            quantity=Kind.NUMBER,
            days_supply=Kind.WHOLE,
            route_concept_id=Kind.CONCEPT,
            lot_number=Kind.TEXT,
        ),
        countable=("days_supply", "quantity", "refills"),
    ),
    Domain.EPISODE: DomainFacts(
        key="episode_id",
        start="episode_start_date",
        end="episode_end_date",
        end_after=None,
        concept="episode_concept_id",
        fields=_DATES
        | _PERSON
        | _own(
            episode_concept_id=Kind.CONCEPT,
            episode_number=Kind.WHOLE,
            episode_object_concept_id=Kind.CONCEPT,
            episode_type_concept_id=Kind.CONCEPT,
        ),
    ),
    Domain.MEASUREMENT: DomainFacts(
        key="measurement_id",
        start="measurement_date",
        concept="measurement_concept_id",
        source_concept="measurement_source_concept_id",
        visit=True,
        fields=_SEEN
        | _own(
            measurement_concept_id=Kind.CONCEPT,
            measurement_source_concept_id=Kind.CONCEPT,
            measurement_type_concept_id=Kind.CONCEPT,
            operator_concept_id=Kind.CONCEPT,
            value_as_number=Kind.NUMBER,
            value_as_concept_id=Kind.CONCEPT,
            unit_concept_id=Kind.CONCEPT,
            range_low=Kind.NUMBER,
            range_high=Kind.NUMBER,
            value_to_range_low=Kind.NUMBER,
            value_to_range_high=Kind.NUMBER,
            abnormal=Kind.FLAG,
        ),
        countable=("value_as_number", "range_low", "range_high"),
    ),
    Domain.OBSERVATION: DomainFacts(
        key="observation_id",
        start="observation_date",
        concept="observation_concept_id",
        source_concept="observation_source_concept_id",
        visit=True,
        fields=_SEEN
        | _own(
            observation_concept_id=Kind.CONCEPT,
            observation_source_concept_id=Kind.CONCEPT,
            observation_type_concept_id=Kind.CONCEPT,
            value_as_number=Kind.NUMBER,
            value_as_string=Kind.TEXT,
            value_as_concept_id=Kind.CONCEPT,
            qualifier_concept_id=Kind.CONCEPT,
            unit_concept_id=Kind.CONCEPT,
        ),
        countable=("value_as_number",),
    ),
    Domain.OBSERVATION_PERIOD: DomainFacts(
        key="observation_period_id",
        start="observation_period_start_date",
        end="observation_period_end_date",
        end_after=None,
        concept="period_type_concept_id",
        fields=_DATES | _PERSON | _own(period_type_concept_id=Kind.CONCEPT),
    ),
    Domain.PAYER_PLAN_PERIOD: DomainFacts(
        key="payer_plan_period_id",
        start="payer_plan_period_start_date",
        end="payer_plan_period_end_date",
        end_after=None,
        concept="payer_concept_id",
        fields=_DATES
        | _PERSON
        | _own(
            payer_concept_id=Kind.CONCEPT,
            plan_concept_id=Kind.CONCEPT,
            sponsor_concept_id=Kind.CONCEPT,
            stop_reason_concept_id=Kind.CONCEPT,
            payer_source_concept_id=Kind.CONCEPT,
            plan_source_concept_id=Kind.CONCEPT,
            sponsor_source_concept_id=Kind.CONCEPT,
            stop_reason_source_concept_id=Kind.CONCEPT,
        ),
    ),
    Domain.PERSON: DomainFacts(
        # A person as an event: it starts and ends on the first day of the year of birth, the only part all tables have.
        key="person_id",
        start="year_of_birth",
        end="year_of_birth",
        fields=_PERSON,
    ),
    Domain.PROCEDURE_OCCURRENCE: DomainFacts(
        key="procedure_occurrence_id",
        start="procedure_date",
        concept="procedure_concept_id",
        source_concept="procedure_source_concept_id",
        visit=True,
        fields=_SEEN
        | _own(
            procedure_concept_id=Kind.CONCEPT,
            procedure_source_concept_id=Kind.CONCEPT,
            procedure_type_concept_id=Kind.CONCEPT,
            modifier_concept_id=Kind.CONCEPT,
            quantity=Kind.NUMBER,
        ),
        countable=("quantity",),
    ),
    Domain.SPECIMEN: DomainFacts(
        key="specimen_id",
        start="specimen_date",
        concept="specimen_concept_id",
        fields=_DATES
        | _PERSON
        | _own(
            specimen_concept_id=Kind.CONCEPT,
            specimen_type_concept_id=Kind.CONCEPT,
            quantity=Kind.NUMBER,
            unit_concept_id=Kind.CONCEPT,
            anatomic_site_concept_id=Kind.CONCEPT,
            disease_status_concept_id=Kind.CONCEPT,
            specimen_source_id=Kind.TEXT,
        ),
    ),
    Domain.VISIT_DETAIL: DomainFacts(
        key="visit_detail_id",
        start="visit_detail_start_date",
        end="visit_detail_end_date",
        end_after=None,
        concept="visit_detail_concept_id",
        source_concept="visit_detail_source_concept_id",
        visit=True,
        fields=_DATES
        | _PERSON
        | _PROVIDER
        | _CARE_SITE
        | _own(
            visit_detail_concept_id=Kind.CONCEPT,
            visit_detail_source_concept_id=Kind.CONCEPT,
            visit_detail_type_concept_id=Kind.CONCEPT,
        ),
    ),
    Domain.VISIT_OCCURRENCE: DomainFacts(
        key="visit_occurrence_id",
        start="visit_start_date",
        end="visit_end_date",
        end_after=None,
        concept="visit_concept_id",
        source_concept="visit_source_concept_id",
        visit=True,
        fields=_DATES
        | _PERSON
        | _PROVIDER
        | _CARE_SITE
        | _own(visit_concept_id=Kind.CONCEPT, visit_source_concept_id=Kind.CONCEPT, visit_type_concept_id=Kind.CONCEPT),
    ),
}

PERSON_COLUMNS = ("gender_concept_id", "race_concept_id", "ethnicity_concept_id", "year_of_birth")
"""Columns of PERSON that an event's filters can ask for."""

ERA_FIELDS: Mapping[str, Field] = _DATES | _PERSON
"""What filters can ask of eras that a definition builds."""

DEMOGRAPHIC_FIELDS: Mapping[str, Field] = {
    name: _PERSON[name]
    for name in ("age", "gender_concept_id", "race_concept_id", "ethnicity_concept_id", "year_of_birth")
} | {name: _DATES[name] for name in ("start_date", "end_date")}
"""What filters can ask of the person at an index event."""


def countable(domain: Domain) -> tuple[str, ...]:
    """The columns whose different values `Occurrence.distinct` can count."""
    facts = DOMAINS[domain]
    concept = ("concept_id",) if facts.concept else ()
    visit = ("visit_occurrence_id",) if facts.visit else ()
    return ("start_date", "end_date", "days", *concept, *visit, *facts.countable)
