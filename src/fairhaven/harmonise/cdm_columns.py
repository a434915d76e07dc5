"""What the columns of generic rows are called in the CDM: one table, by which a partner's CDM is read and ours is written."""

from collections.abc import Mapping


def _coded(prefix: str) -> dict[str, str]:
    return {
        "concept_id": f"{prefix}_concept_id",
        "source_concept_id": f"{prefix}_source_concept_id",
        "source_value": f"{prefix}_source_value",
        "type_concept_id": f"{prefix}_type_concept_id",
    }


def _started(prefix: str) -> dict[str, str]:
    return {"start_date": f"{prefix}_date", "start_datetime": f"{prefix}_datetime"}


def _ended(prefix: str) -> dict[str, str]:
    return {"end_date": f"{prefix}_end_date", "end_datetime": f"{prefix}_end_datetime"}


_OF_VISIT = {
    "provider_ref": "provider_id",
    "care_site_ref": "care_site_id",
    "admitted_from_concept_id": "admitted_from_concept_id",
    "admitted_from": "admitted_from_source_value",
    "discharged_to_concept_id": "discharged_to_concept_id",
    "discharged_to": "discharged_to_source_value",
}
_WHERE = {"visit_ref": "visit_occurrence_id", "visit_detail_ref": "visit_detail_id", "provider_ref": "provider_id"}
_VALUE = {
    "value_number": "value_as_number",
    "value_concept_id": "value_as_concept_id",
    "value_source_value": "value_source_value",
}
_UNIT = {
    "unit": "unit_source_value",
    "unit_concept_id": "unit_concept_id",
    "unit_source_concept_id": "unit_source_concept_id",
}

CDM_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "person": {
        "birth_date": "birth_date",
        "birth_year": "year_of_birth",
        "birth_month": "month_of_birth",
        **{
            column: source
            for name in ("gender", "race", "ethnicity")
            for column, source in {
                name: f"{name}_source_value",
                f"{name}_concept_id": f"{name}_concept_id",
                f"{name}_source_concept_id": f"{name}_source_concept_id",
            }.items()
        },
        "provider_ref": "provider_id",
        "care_site_ref": "care_site_id",
    },
    "location": {
        "city": "city",
        "state": "state",
        "county": "county",
        "zip": "zip",
        "country": "country_source_value",
        "country_concept_id": "country_concept_id",
    },
    "care_site": {
        "care_site_ref": "care_site_id",
        "name": "care_site_name",
        "place_of_service_concept_id": "place_of_service_concept_id",
        "place_of_service": "place_of_service_source_value",
        "source_value": "care_site_source_value",
    },
    "provider": {
        "provider_ref": "provider_id",
        "specialty_concept_id": "specialty_concept_id",
        "source_concept_id": "specialty_source_concept_id",
        "source_value": "specialty_source_value",
        "gender": "gender_source_value",
        "gender_concept_id": "gender_concept_id",
        "gender_source_concept_id": "gender_source_concept_id",
        "birth_year": "year_of_birth",
        "care_site_ref": "care_site_id",
    },
    "visit_occurrence": {
        "visit_ref": "visit_occurrence_id",
        "preceding_visit_ref": "preceding_visit_occurrence_id",
        **_coded("visit"),
        **_started("visit_start"),
        **_ended("visit"),
        **_OF_VISIT,
    },
    "visit_detail": {
        "visit_detail_ref": "visit_detail_id",
        "visit_ref": "visit_occurrence_id",
        "parent_ref": "parent_visit_detail_id",
        "preceding_ref": "preceding_visit_detail_id",
        **_coded("visit_detail"),
        **_started("visit_detail_start"),
        **_ended("visit_detail"),
        **_OF_VISIT,
    },
    "condition_occurrence": {
        **_coded("condition"),
        **_started("condition_start"),
        **_ended("condition"),
        "status": "condition_status_source_value",
        "status_concept_id": "condition_status_concept_id",
        "stop_reason": "stop_reason",
        **_WHERE,
    },
    "drug_exposure": {
        **_coded("drug"),
        **_started("drug_exposure_start"),
        **_ended("drug_exposure"),
        "verbatim_end_date": "verbatim_end_date",
        "stop_reason": "stop_reason",
        "refills": "refills",
        "quantity": "quantity",
        "days_supply": "days_supply",
        "sig": "sig",
        "route": "route_source_value",
        "route_concept_id": "route_concept_id",
        "lot_number": "lot_number",
        "dose_unit": "dose_unit_source_value",
        **_WHERE,
    },
    "procedure_occurrence": {
        **_coded("procedure"),
        **_started("procedure"),
        **_ended("procedure"),
        "qualifier": "modifier_source_value",
        "qualifier_concept_id": "modifier_concept_id",
        "quantity": "quantity",
        **_WHERE,
    },
    "device_exposure": {
        **_coded("device"),
        **_started("device_exposure_start"),
        **_ended("device_exposure"),
        "unique_device_id": "unique_device_id",
        "lot_number": "production_id",
        "quantity": "quantity",
        **_UNIT,
        **_WHERE,
    },
    "measurement": {
        **_coded("measurement"),
        **_started("measurement"),
        "operator_concept_id": "operator_concept_id",
        **_VALUE,
        **_UNIT,
        "range_low": "range_low",
        "range_high": "range_high",
        **_WHERE,
    },
    "observation": {
        **_coded("observation"),
        **_started("observation"),
        **_VALUE,
        "value_text": "value_as_string",
        **_UNIT,
        "qualifier": "qualifier_source_value",
        "qualifier_concept_id": "qualifier_concept_id",
        **_WHERE,
    },
    "specimen": {
        **_coded("specimen"),
        **_started("specimen"),
        "quantity": "quantity",
        **_UNIT,
        "anatomic_site": "anatomic_site_source_value",
        "anatomic_site_concept_id": "anatomic_site_concept_id",
        "disease_status": "disease_status_source_value",
        "disease_status_concept_id": "disease_status_concept_id",
    },
    "death": {
        "date": "death_date",
        "date_from": "death_date",
        "datetime": "death_datetime",
        "type_concept_id": "death_type_concept_id",
        "concept_id": "cause_concept_id",
        "source_concept_id": "cause_source_concept_id",
        "source_value": "cause_source_value",
    },
    "note": {
        "date": "note_date",
        "datetime": "note_datetime",
        "type_concept_id": "note_type_concept_id",
        "concept_id": "note_class_concept_id",
        "encoding_concept_id": "encoding_concept_id",
        "language_concept_id": "language_concept_id",
        **_WHERE,
    },
    "observation_period": {
        "start_date": "observation_period_start_date",
        "end_date": "observation_period_end_date",
        "type_concept_id": "period_type_concept_id",
    },
    "payer_plan_period": {
        "start_date": "payer_plan_period_start_date",
        "end_date": "payer_plan_period_end_date",
        **{
            column: source
            for name in ("payer", "plan", "sponsor", "stop_reason")
            for column, source in {
                name: f"{name}_source_value",
                f"{name}_concept_id": f"{name}_concept_id",
                f"{name}_source_concept_id": f"{name}_source_concept_id",
            }.items()
        },
        "family": "family_source_value",
    },
}
"""Table of the CDM -> column of its generic rows -> column of the CDM. A reference is the number of what it names."""
