"""The kinds of criteria that Circe knows, and what each of their properties asks of which field.

Read off Circe 1.11.3, with its slips, because definitions were written and checked against it: a drug exposure's
``OccurrenceEndDate`` is held against the start date, a visit detail's ``Age`` is the age at its end, a specimen's
``DateAdjustment`` has no effect, and a death's cannot choose its dates. What it reads but never asks the data is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

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

_STARTS = {"OccurrenceStartDate": Property("start_date", date)}
_STARTS_ENDS = _STARTS | {"OccurrenceEndDate": Property("end_date", date)}
_ERA_DATES = {"EraStartDate": Property("start_date", date), "EraEndDate": Property("end_date", date)}
_GENDER_SET = {"GenderCS": Property("gender_concept_id", selection)}
_GENDER = {"Gender": Property("gender_concept_id", concepts)} | _GENDER_SET
_PERSON = {"Age": Property("age", whole)} | _GENDER
_ERA_PERSON = {"AgeAtStart": Property("age", whole), "AgeAtEnd": Property("age_at_end", whole)} | _GENDER
_PROVIDER = {
    "ProviderSpecialty": Property("specialty_concept_id", concepts),
    "ProviderSpecialtyCS": Property("specialty_concept_id", partial(selection, joined="provider")),
}
_SEEN = _PROVIDER | {
    "VisitType": Property("visit_concept_id", concepts),
    "VisitTypeCS": Property("visit_concept_id", partial(selection, joined="visit")),
}
_UNIT = {"Unit": Property("unit_concept_id", concepts), "UnitCS": Property("unit_concept_id", selection)}
_VALUE = {
    "ValueAsNumber": Property("value_as_number", decimal),
    "ValueAsConcept": Property("value_as_concept_id", concepts),
    "ValueAsConceptCS": Property("value_as_concept_id", selection),
}
_PLACE_SET = {
    "PlaceOfServiceCS": Property("place_of_service_concept_id", partial(selection, joined="care site")),
    "PlaceOfServiceLocation": unsupported(
        "asks where a care site was at the time (LOCATION_HISTORY), a table that OMOP 5.4 does not have; leave it out"
    ),
}
_NO_DOSE = unsupported(
    "asks for the dose of a drug exposure, for which OMOP 5.4 has no column; use a DoseEra criterion"
)


def _type(name: str, column: str) -> dict[str, Property]:
    exclude = f"{name}Exclude"
    return {
        name: Property(column, partial(concepts, exclude=exclude)),
        exclude: Property("", negation_flag),
        f"{name}CS": Property(column, selection),
    }


KINDS: Mapping[str, CriterionKind] = {
    "ConditionEra": CriterionKind(
        domain=Domain.CONDITION_ERA,
        properties=_ERA_DATES
        | {"OccurrenceCount": Property("condition_occurrence_count", whole), "EraLength": Property("days", whole)}
        | _ERA_PERSON,
        counts=_CONCEPT | _DAYS | {"ERA_OCCURRENCES": "condition_occurrence_count"},
    ),
    "ConditionOccurrence": CriterionKind(
        domain=Domain.CONDITION_OCCURRENCE,
        source="ConditionSourceConcept",
        properties=_STARTS_ENDS
        | _type("ConditionType", "condition_type_concept_id")
        | {
            "StopReason": Property("stop_reason", text),
            "ConditionStatus": Property("condition_status_concept_id", concepts),
            "ConditionStatusCS": Property("condition_status_concept_id", selection),
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
        | {"UniqueDeviceId": Property("unique_device_id", text), "Quantity": Property("quantity", whole)}
        | _PERSON
        | _SEEN,
        counts=_CONCEPT | _DAYS | _VISIT | {"QUANTITY": "quantity"},
    ),
    "DoseEra": CriterionKind(
        domain=Domain.DOSE_ERA,
        properties=_ERA_DATES
        | _UNIT
        | {"DoseValue": Property("dose_value", decimal), "EraLength": Property("days", whole)}
        | _ERA_PERSON,
        counts=_CONCEPT | _DAYS | {"UNIT": "unit_concept_id", "VALUE_AS_NUMBER": "dose_value"},
    ),
    "DrugEra": CriterionKind(
        domain=Domain.DRUG_ERA,
        properties=_ERA_DATES
        | {
            "OccurrenceCount": Property("drug_exposure_count", whole),
            "GapDays": Property("gap_days", whole),
            "EraLength": Property("days", whole),
        }
        | _ERA_PERSON,
        counts=_CONCEPT | _DAYS | {"ERA_OCCURRENCES": "drug_exposure_count", "GAP_DAYS": "gap_days"},
    ),
    "DrugExposure": CriterionKind(
        domain=Domain.DRUG_EXPOSURE,
        source="DrugSourceConcept",
        properties=_STARTS
        | {"OccurrenceEndDate": Property("start_date", date)}
        | _type("DrugType", "drug_type_concept_id")
        | {
            "StopReason": Property("stop_reason", text),
            "Refills": Property("refills", whole),
            "Quantity": Property("quantity", decimal),
            "DaysSupply": Property("days_supply", whole),
            "RouteConcept": Property("route_concept_id", concepts),
            "RouteConceptCS": Property("route_concept_id", selection),
            "EffectiveDrugDose": _NO_DOSE,
            "DoseUnit": _NO_DOSE,
            "DoseUnitCS": _NO_DOSE,
            "LotNumber": Property("lot_number", text),
        }
        | _PERSON
        | _SEEN,
        counts=_CONCEPT | _DAYS | _VISIT | {"DAYS_SUPPLY": "days_supply", "QUANTITY": "quantity", "REFILLS": "refills"},
    ),
    "Episode": CriterionKind(
        domain=Domain.EPISODE,
        properties={
            "EpisodeStartDate": Property("start_date", date),
            "EpisodeEndDate": Property("end_date", date),
            "EpisodeNumber": Property("episode_number", whole),
            "EpisodeObjectConceptCS": Property("episode_object_concept_id", selection),
            "EpisodeTypeCS": Property("episode_type_concept_id", selection),
            "Age": Property("age", whole),
        }
        | _GENDER_SET,
        counts=_DAYS,
    ),
    "Measurement": CriterionKind(
        domain=Domain.MEASUREMENT,
        source="MeasurementSourceConcept",
        properties=_STARTS
        | _type("MeasurementType", "measurement_type_concept_id")
        | {
            "Operator": Property("operator_concept_id", concepts),
            "OperatorCS": Property("operator_concept_id", selection),
        }
        | _VALUE
        | _UNIT
        | {
            "RangeLow": Property("range_low", decimal),
            "RangeHigh": Property("range_high", decimal),
            "RangeLowRatio": Property("value_to_range_low", decimal),
            "RangeHighRatio": Property("value_to_range_high", decimal),
            "Abnormal": Property("abnormal", abnormal),
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
            "ValueAsString": Property("value_as_string", text),
            "Qualifier": Property("qualifier_concept_id", concepts),
            "QualifierCS": Property("qualifier_concept_id", selection),
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
            "PeriodStartDate": Property("start_date", date),
            "PeriodEndDate": Property("end_date", date),
            "PeriodType": Property("period_type_concept_id", concepts),
            "PeriodTypeCS": Property("period_type_concept_id", selection),
            "PeriodLength": Property("days", whole),
            "AgeAtStart": Property("age", whole),
            "AgeAtEnd": Property("age_at_end", whole),
        },
        counts=_CONCEPT | _DAYS,
    ),
    "PayerPlanPeriod": CriterionKind(
        domain=Domain.PAYER_PLAN_PERIOD,
        concepts=False,
        period=True,
        properties={
            "PeriodStartDate": Property("start_date", date),
            "PeriodEndDate": Property("end_date", date),
            "PeriodLength": Property("days", whole),
        }
        | _ERA_PERSON
        | {
            "PayerConcept": Property("payer_concept_id", in_set),
            "PlanConcept": Property("plan_concept_id", in_set),
            "SponsorConcept": Property("sponsor_concept_id", in_set),
            "StopReasonConcept": Property("stop_reason_concept_id", in_set),
            "PayerSourceConcept": Property("payer_source_concept_id", in_set),
            "PlanSourceConcept": Property("plan_source_concept_id", in_set),
            "SponsorSourceConcept": Property("sponsor_source_concept_id", in_set),
            "StopReasonSourceConcept": Property("stop_reason_source_concept_id", in_set),
        },
        counts=_CONCEPT,
    ),
    "ProcedureOccurrence": CriterionKind(
        domain=Domain.PROCEDURE_OCCURRENCE,
        source="ProcedureSourceConcept",
        properties=_STARTS
        | _type("ProcedureType", "procedure_type_concept_id")
        | {
            "Modifier": Property("modifier_concept_id", concepts),
            "ModifierCS": Property("modifier_concept_id", selection),
            "Quantity": Property("quantity", whole),
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
        | {"Quantity": Property("quantity", decimal)}
        | _UNIT
        | {
            "AnatomicSite": Property("anatomic_site_concept_id", concepts),
            "AnatomicSiteCS": Property("anatomic_site_concept_id", selection),
            "DiseaseStatus": Property("disease_status_concept_id", concepts),
            "DiseaseStatusCS": Property("disease_status_concept_id", selection),
            "SourceId": Property("specimen_source_id", text),
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
            "VisitDetailStartDate": Property("start_date", date),
            "VisitDetailEndDate": Property("end_date", date),
            "VisitDetailTypeCS": Property("visit_detail_type_concept_id", selection),
            "VisitDetailLength": Property("days", whole),
            "Age": Property("age_at_end", whole),
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
        | {"VisitLength": Property("days", whole), "PlaceOfService": Property("place_of_service_concept_id", concepts)}
        | _PERSON
        | _PROVIDER
        | _PLACE_SET,
        counts=_CONCEPT | _DAYS | _VISIT,
    ),
}

ERA_PROPERTIES: Mapping[str, Property] = {
    "StartDate": Property("start_date", date),
    "EndDate": Property("end_date", date),
    "AgeAtStart": Property("age", whole),
    "Duration": Property("days", whole),
} | _GENDER_SET
"""What a ``CustomEra`` criterion asks of the eras it builds."""

ERA_COUNTS: Mapping[str, str] = _DAYS

DEMOGRAPHIC_PROPERTIES: Mapping[str, Property] = (
    _PERSON
    | {
        "Race": Property("race_concept_id", concepts),
        "RaceCS": Property("race_concept_id", selection),
        "Ethnicity": Property("ethnicity_concept_id", concepts),
        "EthnicityCS": Property("ethnicity_concept_id", selection),
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
