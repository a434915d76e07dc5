"""Generic rows: what every rule yields, whether it reads a delimited file, a FHIR resource or a Python hook.

A rule turns one source table into rows of one *kind*. The kinds are `event` and CDM tables by name; the columns of
each are in `KINDS`. A rule gives the columns it knows; the ones it does not give are NULL. Assembly adds the source
and the rule, finds persons and concepts, routes events by domain and makes row identifiers.

References (`patient_ref`, `visit_ref`, `provider_ref` ...) are the source's own identifiers, as text; they are looked
up within the same source (and, for visits, the same person) and never reach the CDM, except `patient_ref`, which is a
pseudonym.

Lineage columns come first in every kind: `row_key` (int64), `row_extract` (int32), `row_line` (int64), as they landed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import ibis
import ibis.expr.types as ir

LINEAGE = {"row_key": "int64", "row_extract": "int32", "row_line": "int64"}

# A code as up to three alternates: the first that leads to a standard concept wins. A source that codes one fact in
# several vocabularies (FHIR codings), or whose parent code is known where the code is not (ICD-10), uses the others.
_CODE = {
    "code": "string",  # as looked up: cleaned; dots and blanks make no difference
    "vocabulary_id": "string",  # OMOP vocabulary_id: SNOMED, ICD10, LOINC, dm+d, Read, OPCS4 ...; or a local map's name
    "code_text": "string",  # the source's words, for maps by text; kept as source value where there is no code
    "code_2": "string",
    "vocabulary_id_2": "string",
    "code_3": "string",
    "vocabulary_id_3": "string",
    "source_value": "string",  # the code as delivered, where `code` was cleaned; NULL: `code`
}
CODE_ALTERNATES = (("code", "vocabulary_id"), ("code_2", "vocabulary_id_2"), ("code_3", "vocabulary_id_3"))
"""A code's alternates, each with its vocabulary, in the order in which they are tried."""

_PERIOD = {
    "start_date": "date",  # NULL: taken from start_datetime
    "start_datetime": "timestamp(6)",
    "end_date": "date",
    "end_datetime": "timestamp(6)",
    "end_from": "date",  # the first day that the end can be, where it is the last of a month or a year; NULL: the end is the day
}
_UNSAID = {
    "names_nothing": "boolean"  # what it refers to for its code (payer, gender) is not there, so it has none; counted
}
_REFS = {
    "visit_ref": "string",
    "visit_detail_ref": "string",
    "provider_ref": "string",
    "care_site_ref": "string",
}

_EVENT = {
    **LINEAGE,
    "position": "int32",  # number of the unpivoted column or component, from 1; NULL for the row itself; below 8192
    "patient_ref": "string",
    "concept_id": "int32",  # a standard concept where the rule knows it; NULL: through the code
    "source_concept_id": "int32",  # likewise
    **_CODE,
    **_PERIOD,
    "value_number": "float64",
    "value_text": "string",
    "value_code": "string",  # a coded value; its concept becomes value_as_concept_id
    "value_vocabulary_id": "string",
    "value_concept_id": "int32",  # where the rule knows it
    "value_source_value": "string",  # NULL: the text, code or number
    "operator": "string",  # <, <=, =, >=, >
    "operator_concept_id": "int32",  # where the rule knows it; so are the other concepts below
    "unit": "string",  # UCUM or a common spelling (omop/concepts.py knows them)
    "unit_concept_id": "int32",
    "unit_source_concept_id": "int32",
    "range_low": "float64",
    "range_high": "float64",
    "type_concept_id": "int32",  # where the record comes from; NULL: the default of the source's kind
    "status": "string",  # of a condition: a word of concepts.CONDITION_STATUS; another text is kept as source value
    "status_concept_id": "int32",
    "stop_reason": "string",
    "verbatim_end_date": "date",  # of a drug; NULL: the end
    "quantity": "float64",
    "days_supply": "int32",
    "refills": "int32",
    "sig": "string",
    "route": "string",  # a word of concepts.ROUTE or a code of route_vocabulary_id
    "route_vocabulary_id": "string",
    "route_concept_id": "int32",
    "dose_unit": "string",
    "lot_number": "string",
    "unique_device_id": "string",
    "qualifier": "string",  # observation qualifier or procedure modifier, a code of qualifier_vocabulary_id
    "qualifier_vocabulary_id": "string",
    "qualifier_concept_id": "int32",
    "qualifier_source_value": "string",  # NULL: the qualifier
    "anatomic_site": "string",  # of a specimen, a code of anatomic_site_vocabulary_id
    "anatomic_site_vocabulary_id": "string",
    "anatomic_site_concept_id": "int32",
    "disease_status": "string",  # of a specimen
    "disease_status_concept_id": "int32",
    **_UNSAID,
    "is_cdm": "boolean",  # the row is from a CDM: its further columns are as they were there, and NULL where empty
    **_REFS,
    "target": "string",  # a CDM table that overrides the domain; '' or NULL: by domain
    "default_target": "string",  # table of a row whose code is unmapped; '' or NULL: observation
}

_VISIT = {
    "concept_id": "int32",  # a standard concept where the rule knows it (concepts.VISIT); NULL: through the code
    "source_concept_id": "int32",
    **_CODE,
    **_PERIOD,
    "type_concept_id": "int32",
    "provider_ref": "string",
    "care_site_ref": "string",
    "admitted_from_concept_id": "int32",
    "admitted_from": "string",  # the source's code
    "discharged_to_concept_id": "int32",
    "discharged_to": "string",
}

KINDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "event": _EVENT,
        # Rows of one source and person with the same visit_ref become one visit: earliest start, latest end, and of
        # the rest what the first row says. So episodes give their spell by naming it.
        "visit_occurrence": {
            **LINEAGE,
            "patient_ref": "string",
            "visit_ref": "string",  # the visit's own identifier; NULL: each row is a visit that nothing refers to
            "preceding_visit_ref": "string",
            **_VISIT,
        },
        "visit_detail": {
            **LINEAGE,
            "patient_ref": "string",
            "visit_detail_ref": "string",  # its own identifier; rows with the same one become one
            "visit_ref": "string",  # of the visit it is part of; without such a visit the row is left out, and counted
            "parent_ref": "string",  # visit_detail_ref of the detail around it
            "preceding_ref": "string",
            **_VISIT,
        },
        # Several rows may describe one person: field by field, what is not replaced wins, then the first source by name, then the latest extract.
        "person": {
            **LINEAGE,
            "patient_ref": "string",
            "is_replaced": "boolean",  # the source has put another patient in this one's place
            "birth_date": "date",  # already cut to the hub's precision
            "birth_year": "int32",  # where only the year is known
            "birth_month": "int32",  # where only year and month are known
            "gender": "string",  # a word of concepts.GENDER; another text is kept as source value
            "gender_concept_id": "int32",  # where the rule knows it
            "gender_source_concept_id": "int32",
            "race": "string",  # a word of concepts.RACE (English ethnic category codes too)
            "race_concept_id": "int32",
            "race_source_concept_id": "int32",
            "ethnicity": "string",  # a word of concepts.ETHNICITY (Hispanic or not; not recorded in the UK)
            "ethnicity_concept_id": "int32",
            "ethnicity_source_concept_id": "int32",
            "postcode_district": "string",  # becomes a location
            "location_ref": "string",  # of a location that is coarse enough; goes before the district
            "provider_ref": "string",
            "care_site_ref": "string",
        },
        # One row for each person reaches the CDM: of the first source by name, then the latest extract.
        "death": {
            **LINEAGE,
            "patient_ref": "string",
            "date": "date",  # where only the month or the year is known, the last day of it
            "date_from": "date",  # and the first; NULL: the date is the day
            "datetime": "timestamp(6)",
            "type_concept_id": "int32",
            "concept_id": "int32",  # of the cause, where the rule knows it
            "source_concept_id": "int32",
            **_CODE,  # of the cause
        },
        # Rows with the same *_ref become one. Names of people are no columns here and so reach no release.
        "provider": {
            **LINEAGE,
            "provider_ref": "string",
            "specialty_concept_id": "int32",
            "source_concept_id": "int32",
            **_CODE,  # of the specialty
            "gender": "string",
            "gender_concept_id": "int32",  # where the rule knows it
            "gender_source_concept_id": "int32",
            "birth_year": "int32",
            "care_site_ref": "string",
            **_UNSAID,
        },
        "care_site": {
            **LINEAGE,
            "care_site_ref": "string",
            "name": "string",
            "place_of_service_concept_id": "int32",
            "place_of_service": "string",
            "source_value": "string",  # NULL: the care_site_ref
            "location_ref": "string",
        },
        "location": {
            **LINEAGE,
            "location_ref": "string",
            "city": "string",
            "state": "string",
            "county": "string",
            "zip": "string",  # at most the outward code where people live
            "country": "string",
            "country_concept_id": "int32",
        },
        # The text itself stays outside releases; NOTE carries a constant in its place.
        "note": {
            **LINEAGE,
            "position": "int32",
            "patient_ref": "string",
            "date": "date",
            "datetime": "timestamp(6)",
            "type_concept_id": "int32",
            "concept_id": "int32",  # of the class of document, where the rule knows it
            **_CODE,  # of the class of document (LOINC)
            "encoding_concept_id": "int32",  # NULL: UTF-8
            "language_concept_id": "int32",  # NULL: English
            **_REFS,
        },
        "observation_period": {
            **LINEAGE,
            "patient_ref": "string",
            "start_date": "date",
            "end_date": "date",  # NULL: still open, ends with the release
            "type_concept_id": "int32",
        },
        "payer_plan_period": {
            **LINEAGE,
            "patient_ref": "string",
            "start_date": "date",
            "end_date": "date",
            "payer_concept_id": "int32",
            "payer": "string",
            **_UNSAID,
            "payer_source_concept_id": "int32",
            "plan_concept_id": "int32",
            "plan": "string",
            "plan_source_concept_id": "int32",
            "sponsor_concept_id": "int32",
            "sponsor": "string",
            "sponsor_source_concept_id": "int32",
            "family": "string",
            "stop_reason_concept_id": "int32",
            "stop_reason": "string",
            "stop_reason_source_concept_id": "int32",
        },
    }
)
"""Columns and Ibis types of each kind of generic row. Specimens are events whose domain or target is specimen."""

FREE_TEXT_COLUMNS = frozenset(
    {
        *("source_value", "value_text", "value_source_value", "qualifier_source_value"),
        *("sig", "stop_reason", "lot_number", "unique_device_id"),
    }
)
"""Columns that may hold free text: withheld unless the rule says that what it gives is coded."""

ABOUT_NO_PERSON = frozenset(kind for kind, columns in KINDS.items() if "patient_ref" not in columns)
"""Kinds of row that are no person's."""

EVENT_TABLES = (
    "condition_occurrence",
    "drug_exposure",
    "procedure_occurrence",
    "device_exposure",
    "measurement",
    "observation",
    "specimen",
)
"""CDM tables that event rows end in."""


@dataclass(frozen=True, kw_only=True)
class GenericRows:
    """What one rule yields from the current rows of one table: an expression, nothing is run yet.

    Args:
        kind: a key of `KINDS`.
        rows: columns by the names of ``KINDS[kind]``, in any order, any of them missing; others are an error.
        rule, table, file, target: as in `release.facts.MappingRule`.
        takes: boolean column over the source's table that is true for the rows this rule reads; None where it reads
            all. Counts of source rows that no rule took come from it.
        coded: columns of `FREE_TEXT_COLUMNS` that hold texts of a list.
    """

    kind: str
    rule: str
    table: str
    file: str
    rows: ir.Table
    target: str = ""
    takes: ir.BooleanValue | None = None
    coded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        unknown = sorted(set(self.rows.columns) - set(KINDS[self.kind]))
        if unknown:
            raise ValueError(f"rule {self.rule}: {', '.join(unknown)} are no columns of {self.kind} rows")


def column_or_null(rows: ir.Table, name: str, kind: str) -> ir.Value:
    """A column of rows of a kind; NULL of its type where no rule gives it."""
    return rows[name] if name in rows.columns else ibis.null(KINDS[kind][name])
