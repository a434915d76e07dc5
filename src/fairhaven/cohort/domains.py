"""What each table of events offers to a cohort definition: its dates, its concepts, the fields that can be asked for.

Names are OMOP CDM 5.4 column names, verbatim. Derived fields have names of their own: ``age`` and ``age_at_end`` (calendar
years between the event's start or end and the year of birth), ``days`` (from start to end), ``value_to_range_low`` and
``value_to_range_high`` (a measurement over the limit of its range), ``abnormal``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fairhaven.cohort.model import Domain


class FieldKind(StrEnum):
    """What a field holds, and so which tests it can take."""

    WHOLE = "whole number"
    NUMBER = "number"
    DATE = "date"
    CONCEPT = "concept"
    TEXT = "text"
    FLAG = "flag"


class FieldOrigin(StrEnum):
    """Where a field comes from when it is not a column of the table itself."""

    EVENT = "the event's dates"
    PERSON = "person"
    PROVIDER = "provider"
    VISIT = "visit_occurrence"
    CARE_SITE = "care_site"


@dataclass(frozen=True, kw_only=True, slots=True)
class DomainField:
    """One thing that can be asked of an event.

    Args:
        via: None for a column of the event's own table.
    """

    kind: FieldKind
    via: FieldOrigin | None = None


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
    fields: Mapping[str, DomainField] = field(default_factory=dict)
    countable: tuple[str, ...] = ()


_DATES = {
    "start_date": DomainField(kind=FieldKind.DATE, via=FieldOrigin.EVENT),
    "end_date": DomainField(kind=FieldKind.DATE, via=FieldOrigin.EVENT),
    "days": DomainField(kind=FieldKind.WHOLE, via=FieldOrigin.EVENT),
}
_PERSON = {
    "age": DomainField(kind=FieldKind.WHOLE, via=FieldOrigin.PERSON),
    "age_at_end": DomainField(kind=FieldKind.WHOLE, via=FieldOrigin.PERSON),
    "gender_concept_id": DomainField(kind=FieldKind.CONCEPT, via=FieldOrigin.PERSON),
    "race_concept_id": DomainField(kind=FieldKind.CONCEPT, via=FieldOrigin.PERSON),
    "ethnicity_concept_id": DomainField(kind=FieldKind.CONCEPT, via=FieldOrigin.PERSON),
    "year_of_birth": DomainField(kind=FieldKind.WHOLE, via=FieldOrigin.PERSON),
}
_PROVIDER = {"specialty_concept_id": DomainField(kind=FieldKind.CONCEPT, via=FieldOrigin.PROVIDER)}
_VISIT = {"visit_concept_id": DomainField(kind=FieldKind.CONCEPT, via=FieldOrigin.VISIT)}
_CARE_SITE = {"place_of_service_concept_id": DomainField(kind=FieldKind.CONCEPT, via=FieldOrigin.CARE_SITE)}
_SEEN = _DATES | _PERSON | _PROVIDER | _VISIT


def _own(**columns: FieldKind) -> dict[str, DomainField]:
    return {name: DomainField(kind=kind) for name, kind in columns.items()}


DOMAINS: Mapping[Domain, DomainFacts] = {
    Domain.CONDITION_ERA: DomainFacts(
        key="condition_era_id",
        start="condition_era_start_date",
        end="condition_era_end_date",
        end_after=None,
        concept="condition_concept_id",
        fields=_DATES
        | _PERSON
        | _own(condition_concept_id=FieldKind.CONCEPT, condition_occurrence_count=FieldKind.WHOLE),
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
            condition_concept_id=FieldKind.CONCEPT,
            condition_source_concept_id=FieldKind.CONCEPT,
            condition_type_concept_id=FieldKind.CONCEPT,
            condition_status_concept_id=FieldKind.CONCEPT,
            stop_reason=FieldKind.TEXT,
        ),
    ),
    Domain.DEATH: DomainFacts(
        key="person_id",
        start="death_date",
        concept="cause_concept_id",
        source_concept="cause_source_concept_id",
        fields=_DATES
        | _PERSON
        | _own(
            cause_concept_id=FieldKind.CONCEPT,
            cause_source_concept_id=FieldKind.CONCEPT,
            death_type_concept_id=FieldKind.CONCEPT,
        ),
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
            device_concept_id=FieldKind.CONCEPT,
            device_source_concept_id=FieldKind.CONCEPT,
            device_type_concept_id=FieldKind.CONCEPT,
            unique_device_id=FieldKind.TEXT,
            quantity=FieldKind.NUMBER,
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
        | _own(drug_concept_id=FieldKind.CONCEPT, unit_concept_id=FieldKind.CONCEPT, dose_value=FieldKind.NUMBER),
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
        | _own(drug_concept_id=FieldKind.CONCEPT, drug_exposure_count=FieldKind.WHOLE, gap_days=FieldKind.WHOLE),
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
            drug_concept_id=FieldKind.CONCEPT,
            drug_source_concept_id=FieldKind.CONCEPT,
            drug_type_concept_id=FieldKind.CONCEPT,
            stop_reason=FieldKind.TEXT,
            refills=FieldKind.WHOLE,
            quantity=FieldKind.NUMBER,
            days_supply=FieldKind.WHOLE,
            route_concept_id=FieldKind.CONCEPT,
            lot_number=FieldKind.TEXT,
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
            episode_concept_id=FieldKind.CONCEPT,
            episode_number=FieldKind.WHOLE,
            episode_object_concept_id=FieldKind.CONCEPT,
            episode_type_concept_id=FieldKind.CONCEPT,
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
            measurement_concept_id=FieldKind.CONCEPT,
            measurement_source_concept_id=FieldKind.CONCEPT,
            measurement_type_concept_id=FieldKind.CONCEPT,
            operator_concept_id=FieldKind.CONCEPT,
            value_as_number=FieldKind.NUMBER,
            value_as_concept_id=FieldKind.CONCEPT,
            unit_concept_id=FieldKind.CONCEPT,
            range_low=FieldKind.NUMBER,
            range_high=FieldKind.NUMBER,
            value_to_range_low=FieldKind.NUMBER,
            value_to_range_high=FieldKind.NUMBER,
            abnormal=FieldKind.FLAG,
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
            observation_concept_id=FieldKind.CONCEPT,
            observation_source_concept_id=FieldKind.CONCEPT,
            observation_type_concept_id=FieldKind.CONCEPT,
            value_as_number=FieldKind.NUMBER,
            value_as_string=FieldKind.TEXT,
            value_as_concept_id=FieldKind.CONCEPT,
            qualifier_concept_id=FieldKind.CONCEPT,
            unit_concept_id=FieldKind.CONCEPT,
        ),
        countable=("value_as_number",),
    ),
    Domain.OBSERVATION_PERIOD: DomainFacts(
        key="observation_period_id",
        start="observation_period_start_date",
        end="observation_period_end_date",
        end_after=None,
        concept="period_type_concept_id",
        fields=_DATES | _PERSON | _own(period_type_concept_id=FieldKind.CONCEPT),
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
            payer_concept_id=FieldKind.CONCEPT,
            plan_concept_id=FieldKind.CONCEPT,
            sponsor_concept_id=FieldKind.CONCEPT,
            stop_reason_concept_id=FieldKind.CONCEPT,
            payer_source_concept_id=FieldKind.CONCEPT,
            plan_source_concept_id=FieldKind.CONCEPT,
            sponsor_source_concept_id=FieldKind.CONCEPT,
            stop_reason_source_concept_id=FieldKind.CONCEPT,
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
            procedure_concept_id=FieldKind.CONCEPT,
            procedure_source_concept_id=FieldKind.CONCEPT,
            procedure_type_concept_id=FieldKind.CONCEPT,
            modifier_concept_id=FieldKind.CONCEPT,
            quantity=FieldKind.NUMBER,
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
            specimen_concept_id=FieldKind.CONCEPT,
            specimen_type_concept_id=FieldKind.CONCEPT,
            quantity=FieldKind.NUMBER,
            unit_concept_id=FieldKind.CONCEPT,
            anatomic_site_concept_id=FieldKind.CONCEPT,
            disease_status_concept_id=FieldKind.CONCEPT,
            specimen_source_id=FieldKind.TEXT,
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
            visit_detail_concept_id=FieldKind.CONCEPT,
            visit_detail_source_concept_id=FieldKind.CONCEPT,
            visit_detail_type_concept_id=FieldKind.CONCEPT,
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
        | _own(
            visit_concept_id=FieldKind.CONCEPT,
            visit_source_concept_id=FieldKind.CONCEPT,
            visit_type_concept_id=FieldKind.CONCEPT,
        ),
    ),
}

PERSON_COLUMNS = ("gender_concept_id", "race_concept_id", "ethnicity_concept_id", "year_of_birth")
"""Columns of PERSON that an event's filters can ask for."""

ERA_FIELDS: Mapping[str, DomainField] = _DATES | _PERSON
"""What filters can ask of eras that a definition builds."""

DEMOGRAPHIC_FIELDS: Mapping[str, DomainField] = {
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
