"""The kinds of criteria that Circe knows, and what each of their properties asks of which field.

Read off Circe 1.11.3, with its slips, because definitions were written and checked against it: a drug exposure's
``OccurrenceEndDate`` is held against the start date, a visit detail's ``Age`` is the age at its end, a specimen's
``DateAdjustment`` has no effect, and a death's cannot choose its dates. What it reads but never asks the data is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fairhaven.cohort.formats.circe.attribute_values import (
    Property,
    abnormal,
    concepts,
    date,
    decimal,
    in_set,
    negation_flag,
    selection,
    text,
    unsupported,
    whole,
)
from fairhaven.cohort.model import Domain


@dataclass(frozen=True, kw_only=True, slots=True)
class CriterionKind:
    """One kind of criterion.

    Args:
        source: the property that names the concept set for the source concept.
        concepts: whether ``CodesetId`` names the concept set for the standard concept.
        first: whether it takes ``First``.
        period: whether it takes ``UserDefinedPeriod``.
        dates_chosen: whether ``DateAdjustment`` can start with the end date, or end with the start date.
        dates_adjusted: whether ``DateAdjustment`` has an effect.
        counts: names of ``CountColumn`` and the column whose different values they count, beside the two dates.
    """

    domain: Domain
    properties: Mapping[str, Property]
    source: str = ""
    concepts: bool = True
    first: bool = True
    period: bool = False
    dates_chosen: bool = True
    dates_adjusted: bool = True
    counts: Mapping[str, str] = field(default_factory=dict)


_VISIT = {"VISIT_ID": "visit_occurrence_id"}
_CONCEPT = {"DOMAIN_CONCEPT": "concept_id"}
_DAYS = {"DURATION": "days"}

_STARTS = {"OccurrenceStartDate": date("start_date")}
_STARTS_ENDS = _STARTS | {"OccurrenceEndDate": date("end_date")}
_ERA_DATES = {"EraStartDate": date("start_date"), "EraEndDate": date("end_date")}
_GENDER_SET = {"GenderCS": selection("gender_concept_id")}
_GENDER = {"Gender": concepts("gender_concept_id")} | _GENDER_SET
_PERSON = {"Age": whole("age")} | _GENDER
_ERA_PERSON = {"AgeAtStart": whole("age"), "AgeAtEnd": whole("age_at_end")} | _GENDER
_PROVIDER = {
    "ProviderSpecialty": concepts("specialty_concept_id"),
    "ProviderSpecialtyCS": selection("specialty_concept_id", joined="provider"),
}
_SEEN = _PROVIDER | {
    "VisitType": concepts("visit_concept_id"),
    "VisitTypeCS": selection("visit_concept_id", joined="visit"),
}
_UNIT = {"Unit": concepts("unit_concept_id"), "UnitCS": selection("unit_concept_id")}
_VALUE = {
    "ValueAsNumber": decimal("value_as_number"),
    "ValueAsConcept": concepts("value_as_concept_id"),
    "ValueAsConceptCS": selection("value_as_concept_id"),
}
_PLACE_SET = {
    "PlaceOfServiceCS": selection("place_of_service_concept_id", joined="care site"),
    "PlaceOfServiceLocation": unsupported(
        "asks where a care site was at the time (LOCATION_HISTORY), a table that OMOP 5.4 does not have; leave it out"
    ),
}
_NO_DOSE = "asks for the dose of a drug exposure, for which OMOP 5.4 has no column; use a DoseEra criterion"


def _type(name: str, column: str) -> dict[str, Property]:
    exclude = f"{name}Exclude"
    return {name: concepts(column, exclude=exclude), exclude: negation_flag, f"{name}CS": selection(column)}


KINDS: Mapping[str, CriterionKind] = {
    "ConditionEra": CriterionKind(
        domain=Domain.CONDITION_ERA,
        properties=_ERA_DATES
        | {"OccurrenceCount": whole("condition_occurrence_count"), "EraLength": whole("days")}
        | _ERA_PERSON,
        counts=_CONCEPT | _DAYS | {"ERA_OCCURRENCES": "condition_occurrence_count"},
    ),
    "ConditionOccurrence": CriterionKind(
        domain=Domain.CONDITION_OCCURRENCE,
        source="ConditionSourceConcept",
        properties=_STARTS_ENDS
        | _type("ConditionType", "condition_type_concept_id")
        | {
            "StopReason": text("stop_reason"),
            "ConditionStatus": concepts("condition_status_concept_id"),
            "ConditionStatusCS": selection("condition_status_concept_id"),
        }
        | _PERSON
        | _SEEN,
        counts=_CONCEPT | _DAYS | _VISIT,
    ),
    "Death": CriterionKind(
        domain=Domain.DEATH,
        source="DeathSourceConcept",
        first=False,
        dates_chosen=False,
        properties=_STARTS | _type("DeathType", "death_type_concept_id") | _PERSON,
        counts=_CONCEPT | _DAYS,
    ),
    "DeviceExposure": CriterionKind(
        domain=Domain.DEVICE_EXPOSURE,
        source="DeviceSourceConcept",
        properties=_STARTS_ENDS
        | _type("DeviceType", "device_type_concept_id")
        | {"UniqueDeviceId": text("unique_device_id"), "Quantity": whole("quantity")}
        | _PERSON
        | _SEEN,
        counts=_CONCEPT | _DAYS | _VISIT | {"QUANTITY": "quantity"},
    ),
    "DoseEra": CriterionKind(
        domain=Domain.DOSE_ERA,
        properties=_ERA_DATES | _UNIT | {"DoseValue": decimal("dose_value"), "EraLength": whole("days")} | _ERA_PERSON,
        counts=_CONCEPT | _DAYS | {"UNIT": "unit_concept_id", "VALUE_AS_NUMBER": "dose_value"},
    ),
    "DrugEra": CriterionKind(
        domain=Domain.DRUG_ERA,
        properties=_ERA_DATES
        | {
            "OccurrenceCount": whole("drug_exposure_count"),
            "GapDays": whole("gap_days"),
            "EraLength": whole("days"),
        }
        | _ERA_PERSON,
        counts=_CONCEPT | _DAYS | {"ERA_OCCURRENCES": "drug_exposure_count", "GAP_DAYS": "gap_days"},
    ),
    "DrugExposure": CriterionKind(
        domain=Domain.DRUG_EXPOSURE,
        source="DrugSourceConcept",
        properties=_STARTS
        | {"OccurrenceEndDate": date("start_date")}
        | _type("DrugType", "drug_type_concept_id")
        | {
            "StopReason": text("stop_reason"),
            "Refills": whole("refills"),
            "Quantity": decimal("quantity"),
            "DaysSupply": whole("days_supply"),
            "RouteConcept": concepts("route_concept_id"),
            "RouteConceptCS": selection("route_concept_id"),
            "EffectiveDrugDose": unsupported(_NO_DOSE),
            "DoseUnit": unsupported(_NO_DOSE),
            "DoseUnitCS": unsupported(_NO_DOSE),
            "LotNumber": text("lot_number"),
        }
        | _PERSON
        | _SEEN,
        counts=_CONCEPT | _DAYS | _VISIT | {"DAYS_SUPPLY": "days_supply", "QUANTITY": "quantity", "REFILLS": "refills"},
    ),
    "Episode": CriterionKind(
        domain=Domain.EPISODE,
        properties={
            "EpisodeStartDate": date("start_date"),
            "EpisodeEndDate": date("end_date"),
            "EpisodeNumber": whole("episode_number"),
            "EpisodeObjectConceptCS": selection("episode_object_concept_id"),
            "EpisodeTypeCS": selection("episode_type_concept_id"),
            "Age": whole("age"),
        }
        | _GENDER_SET,
        counts=_DAYS,
    ),
    "Measurement": CriterionKind(
        domain=Domain.MEASUREMENT,
        source="MeasurementSourceConcept",
        properties=_STARTS
        | _type("MeasurementType", "measurement_type_concept_id")
        | {"Operator": concepts("operator_concept_id"), "OperatorCS": selection("operator_concept_id")}
        | _VALUE
        | _UNIT
        | {
            "RangeLow": decimal("range_low"),
            "RangeHigh": decimal("range_high"),
            "RangeLowRatio": decimal("value_to_range_low"),
            "RangeHighRatio": decimal("value_to_range_high"),
            "Abnormal": abnormal,
        }
        | _PERSON
        | _SEEN,
        counts=_CONCEPT
        | _DAYS
        | _VISIT
        | {"VALUE_AS_NUMBER": "value_as_number", "RANGE_HIGH": "range_high", "RANGE_LOW": "range_low"},
    ),
    "Observation": CriterionKind(
        domain=Domain.OBSERVATION,
        source="ObservationSourceConcept",
        properties=_STARTS
        | _type("ObservationType", "observation_type_concept_id")
        | _VALUE
        | {
            "ValueAsString": text("value_as_string"),
            "Qualifier": concepts("qualifier_concept_id"),
            "QualifierCS": selection("qualifier_concept_id"),
        }
        | _UNIT
        | _PERSON
        | _SEEN,
        counts=_CONCEPT | _DAYS | _VISIT | {"VALUE_AS_NUMBER": "value_as_number"},
    ),
    "ObservationPeriod": CriterionKind(
        domain=Domain.OBSERVATION_PERIOD,
        concepts=False,
        period=True,
        properties={
            "PeriodStartDate": date("start_date"),
            "PeriodEndDate": date("end_date"),
            "PeriodType": concepts("period_type_concept_id"),
            "PeriodTypeCS": selection("period_type_concept_id"),
            "PeriodLength": whole("days"),
            "AgeAtStart": whole("age"),
            "AgeAtEnd": whole("age_at_end"),
        },
        counts=_CONCEPT | _DAYS,
    ),
    "PayerPlanPeriod": CriterionKind(
        domain=Domain.PAYER_PLAN_PERIOD,
        concepts=False,
        period=True,
        properties={
            "PeriodStartDate": date("start_date"),
            "PeriodEndDate": date("end_date"),
            "PeriodLength": whole("days"),
        }
        | _ERA_PERSON
        | {
            "PayerConcept": in_set("payer_concept_id"),
            "PlanConcept": in_set("plan_concept_id"),
            "SponsorConcept": in_set("sponsor_concept_id"),
            "StopReasonConcept": in_set("stop_reason_concept_id"),
            "PayerSourceConcept": in_set("payer_source_concept_id"),
            "PlanSourceConcept": in_set("plan_source_concept_id"),
            "SponsorSourceConcept": in_set("sponsor_source_concept_id"),
            "StopReasonSourceConcept": in_set("stop_reason_source_concept_id"),
        },
        counts=_CONCEPT,
    ),
    "ProcedureOccurrence": CriterionKind(
        domain=Domain.PROCEDURE_OCCURRENCE,
        source="ProcedureSourceConcept",
        properties=_STARTS
        | _type("ProcedureType", "procedure_type_concept_id")
        | {
            "Modifier": concepts("modifier_concept_id"),
            "ModifierCS": selection("modifier_concept_id"),
            "Quantity": whole("quantity"),
        }
        | _PERSON
        | _SEEN,
        counts=_CONCEPT | _DAYS | _VISIT | {"QUANTITY": "quantity"},
    ),
    "Specimen": CriterionKind(
        domain=Domain.SPECIMEN,
        dates_adjusted=False,
        properties=_STARTS
        | _type("SpecimenType", "specimen_type_concept_id")
        | {"Quantity": decimal("quantity")}
        | _UNIT
        | {
            "AnatomicSite": concepts("anatomic_site_concept_id"),
            "AnatomicSiteCS": selection("anatomic_site_concept_id"),
            "DiseaseStatus": concepts("disease_status_concept_id"),
            "DiseaseStatusCS": selection("disease_status_concept_id"),
            "SourceId": text("specimen_source_id"),
            "SpecimenSourceConcept": unsupported(
                "asks for a specimen's source concept, which OMOP does not have; use CodesetId or SourceId"
            ),
        }
        | _PERSON,
        counts=_CONCEPT | _DAYS,
    ),
    "VisitDetail": CriterionKind(
        domain=Domain.VISIT_DETAIL,
        source="VisitDetailSourceConcept",
        properties={
            "VisitDetailStartDate": date("start_date"),
            "VisitDetailEndDate": date("end_date"),
            "VisitDetailTypeCS": selection("visit_detail_type_concept_id"),
            "VisitDetailLength": whole("days"),
            "Age": whole("age_at_end"),
            "ProviderSpecialtyCS": _PROVIDER["ProviderSpecialtyCS"],
        }
        | _GENDER_SET
        | _PLACE_SET,
        counts=_CONCEPT | _DAYS,
    ),
    "VisitOccurrence": CriterionKind(
        domain=Domain.VISIT_OCCURRENCE,
        source="VisitSourceConcept",
        properties=_STARTS_ENDS
        | _type("VisitType", "visit_type_concept_id")
        | {"VisitLength": whole("days"), "PlaceOfService": concepts("place_of_service_concept_id")}
        | _PERSON
        | _PROVIDER
        | _PLACE_SET,
        counts=_CONCEPT | _DAYS | _VISIT,
    ),
}

ERA_PROPERTIES: Mapping[str, Property] = {
    "StartDate": date("start_date"),
    "EndDate": date("end_date"),
    "AgeAtStart": whole("age"),
    "Duration": whole("days"),
} | _GENDER_SET
"""What a ``CustomEra`` criterion asks of the eras it builds."""

ERA_COUNTS: Mapping[str, str] = _DAYS

DEMOGRAPHIC_PROPERTIES: Mapping[str, Property] = (
    _PERSON
    | {
        "Race": concepts("race_concept_id"),
        "RaceCS": selection("race_concept_id"),
        "Ethnicity": concepts("ethnicity_concept_id"),
        "EthnicityCS": selection("ethnicity_concept_id"),
    }
    | _STARTS_ENDS
)
"""What a demographic criterion asks of the person at the index event."""

COUNT_COLUMNS = (
    "DAYS_SUPPLY",
    "DOMAIN_CONCEPT",
    "DOMAIN_SOURCE_CONCEPT",
    "DURATION",
    "END_DATE",
    "ERA_OCCURRENCES",
    "GAP_DAYS",
    "QUANTITY",
    "RANGE_HIGH",
    "RANGE_LOW",
    "REFILLS",
    "START_DATE",
    "UNIT",
    "VALUE_AS_NUMBER",
    "VISIT_ID",
    "VISIT_DETAIL_ID",
)
"""Names of ``CountColumn``, in the order of their ordinals."""
