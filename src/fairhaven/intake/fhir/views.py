"""What lands of each FHIR R4 resource type: the agreement between FHIR sources and the rules of `harmonise`.

One view for each resource type, in the manner of SQL on FHIR's ViewDefinition: columns with paths. Only these elements land. Names,
telecom, narratives, notes, attachments, dosage text and identifiers have no column, except the identity of patients,
which goes to the vault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from fairhaven.intake.fhir.element_columns import ElementColumn
from fairhaven.intake.fhir.status_codes import CODES

PRACTITIONER = ("Practitioner", "PractitionerRole")


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceView:
    """One landed table of a resource type.

    Args:
        table: its name; the resource type in snake case, or what its repeated element is called.
        patient: column with the patient's id; empty where the resource has no patient.
        each: path of a repeated element; the table has a row for each, and paths that begin with ``$`` are of the element.
        key: columns that identify a row.
    """

    resource: str
    table: str
    columns: tuple[ElementColumn, ...]
    patient: str = ""
    each: str = ""
    key: tuple[str, ...] = ("id",)


def _column(kind: str, name: str, path: str = "", *, codings: int = 1) -> ElementColumn:
    """A column of a kind; without a path it is read from the element of its name."""
    return ElementColumn(name=name, path=path or name, kind=kind, codings=codings)


_text = partial(_column, "text")
_flag = partial(_column, "flag")
_number = partial(_column, "number")
_moment = partial(_column, "moment")
_last = partial(_column, "last moment")
_concept = partial(_column, "concept")
_coding = partial(_column, "coding")
_quantity = partial(_column, "quantity")
_codes = partial(_column, "codes")
_count = partial(_column, "count")


def _reference(name: str, path: str, *to: str) -> ElementColumn:
    return ElementColumn(name=name, path=path, kind="reference", to=to)


def _references(name: str, path: str, to: str) -> ElementColumn:
    return ElementColumn(name=name, path=path, kind="references", to=(to,))


def _identity(identity: str, path: str, kind: str = "text") -> ElementColumn:
    return ElementColumn(name=identity, path=path, kind=kind, identity=identity)


def _code(name: str, element: str) -> ElementColumn:
    """A column of an element whose codes are all known: ``Encounter.status``."""
    path = element.partition(".")[2]
    return ElementColumn(name=name, path=path, is_modifier=True, codes=CODES[element])


def _status(resource: str) -> ElementColumn:
    return _code("status", f"{resource}.status")


def _modifier(kind: str, name: str, path: str, codes: tuple[str, ...] = ()) -> ElementColumn:
    return ElementColumn(name=name, path=path, kind=kind, is_modifier=True, codes=codes)


_ID = _text("id")
_SUBJECT = _reference("patient_id", "subject", "Patient")
_PATIENT = _reference("patient_id", "patient", "Patient")
_ENCOUNTER = _reference("encounter_id", "encounter", "Encounter")
_CONTEXT = _reference("encounter_id", "context", "Encounter")
_IDENTIFIERS = _column("identifiers", "identifiers", "identifier")

_MEDICATION = (
    _concept("code", "medicationCodeableConcept | contained[#medicationReference].code", codings=3),
    _reference("medication_id", "medicationReference", "Medication"),
)


def _dosage(path: str) -> tuple[ElementColumn, ...]:
    return (
        _concept("route", f"{path}.route"),
        _quantity("dose", f"{path}.doseAndRate[].doseQuantity"),
        _number("frequency", f"{path}.timing.repeat.frequency"),
        _number("frequency_period", f"{path}.timing.repeat.period"),
        _text("frequency_unit", f"{path}.timing.repeat.periodUnit"),
        _moment("bounds_start", f"{path}.timing.repeat.boundsPeriod.start"),
        _last("bounds_end", f"{path}.timing.repeat.boundsPeriod.end"),
        _quantity("bounds", f"{path}.timing.repeat.boundsDuration"),
    )


def _ended(name: str, path: str) -> tuple[ElementColumn, ...]:
    """The last moment of what has ended, and how much of it is known; what is planned to end needs no more than `_last`."""
    return (_last(name, path), _column("length", f"{name.removesuffix('_start')}_length", path))


def _span(name: str, element: str, instant: str = "") -> tuple[ElementColumn, ...]:
    """Columns ``<name>_start`` and ``<name>_end`` of an element that is a dateTime or a Period."""
    moments = [f"{element}DateTime", *([instant] if instant else []), f"{element}Period.start"]
    return (_moment(f"{name}_start", " | ".join(moments)), *_ended(f"{name}_end", f"{element}Period.end"))


def _value(at: str = "") -> tuple[ElementColumn, ...]:
    """Columns of ``value[x]`` and what says why it is not there or how to read it."""
    return (
        _quantity("value", f"{at}valueQuantity"),
        _concept("value", f"{at}valueCodeableConcept"),
        _text("value_text", f"{at}valueString"),
        _column("result word", "value_word", f"{at}valueString | {at}valueCodeableConcept.text"),
        _number("value_integer", f"{at}valueInteger"),
        _flag("value_flag", f"{at}valueBoolean"),
        _moment("value_moment", f"{at}valueDateTime"),
        _text("value_time", f"{at}valueTime"),
        _moment("value_start", f"{at}valuePeriod.start"),
        _moment("value_end", f"{at}valuePeriod.end"),
        _number("value_low", f"{at}valueRange.low.value"),
        _number("value_high", f"{at}valueRange.high.value"),
        _number("value_numerator", f"{at}valueRatio.numerator.value"),
        _number("value_denominator", f"{at}valueRatio.denominator.value"),
        _text("value_samples", f"{at}valueSampledData.data"),
        _modifier("concept", "absent", f"{at}dataAbsentReason"),
        _concept("interpretation", f"{at}interpretation[]"),
        _number("range_low", f"{at}referenceRange[].low.value"),
        _number("range_high", f"{at}referenceRange[].high.value"),
    )


_OBSERVATION = (
    _ID,
    _status("Observation"),
    _codes("category"),
    _SUBJECT,
    _ENCOUNTER,
    _reference("practitioner_id", "performer[]", *PRACTITIONER),
    *_span("effective", "effective", "effectiveInstant"),
    _moment("issued"),
    _reference("specimen_id", "specimen", "Specimen"),
)

_UK_ETHNICITY = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory"
_VACCINATION = " | ".join(
    f"extension[url=https://fhir.hl7.org.uk/{name}].valueCodeableConcept"
    for name in (
        "StructureDefinition/Extension-UKCore-VaccinationProcedure",
        "STU3/StructureDefinition/Extension-CareConnect-VaccinationProcedure-1",
    )
)
_CARE_CONNECT_ETHNICITY = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-EthnicCategory-1"
_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
_BIRTH_SEX = (
    f"extension[url={_US_CORE}/us-core-birthsex].valueCode",
    f"extension[url={_US_CORE}/us-core-sex].valueCode",
    f"extension[url={_US_CORE}/us-core-sex].valueCoding.code",
    "extension[url=https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BirthSex].valueCodeableConcept.coding[].code",
    "extension[url=https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-BirthSex].valueCode",
)
_OMB_RACE = f"extension[url={_US_CORE}/us-core-race].extension"
NHS_NUMBER_SYSTEMS = (
    "https://fhir.nhs.uk/Id/nhs-number",
    "http://fhir.nhs.net/Id/nhs-number",
    "urn:oid:2.16.840.1.113883.2.1.4.1",
)
"""Systems of an identifier that is an NHS number; the first is today's."""
NHS_NUMBER_SPELLINGS = (
    r"(?:https?://fhir\.nhs\.(?:uk|net)/id/nhs-number/*|(?:urn:oid:)?2\.16\.840\.1\.113883\.2\.1\.4\.1)"
)
"""How they are written otherwise, in small letters: what is meant is one of them."""

_PERSON = ResourceView(
    resource="Patient",
    table="patient",
    patient="id",
    columns=(
        _ID,
        _flag("is_active", "active"),
        _column("present", "is_replaced", "link[type=replaced-by].type"),
        _identity("source_links", "link", "links"),
        _identity("nhs_number", "identifier", "nhs number"),
        _identity("given_name", "name[use=official].given | name[].given", "words"),
        _identity("family_name", "name[use=official].family | name[].family"),
        _identity("birth_date", "birthDate", "date"),
        _column("length", "birth_date_length", "birthDate"),
        _identity("sex", " | ".join((*_BIRTH_SEX, "gender")), "sex"),
        _identity("postcode", "address[use=home].postalCode | address[].postalCode"),
        _identity("address", "address[use=home].line | address[].line", "words"),
        _identity(
            "ethnicity",
            f"extension[url={_UK_ETHNICITY}].valueCodeableConcept.coding[].code"
            f" | extension[url={_CARE_CONNECT_ETHNICITY}].valueCodeableConcept.coding[].code"
            f" | extension[url={_US_CORE}/us-core-race].extension[url=ombCategory].valueCoding.code"
            f" | extension[url={_US_CORE}/us-core-race].extension[url=text].valueString",
        ),
        _column("races", "races", _OMB_RACE),
        _text("hispanic", f"extension[url={_US_CORE}/us-core-ethnicity].extension[url=ombCategory].valueCoding.code"),
        _text("state", "address[use=home].state | address[].state"),
        _text("country", "address[use=home].country | address[].country"),
        _flag("is_deceased", "deceasedBoolean"),
        *_ended("deceased", "deceasedDateTime"),
        _reference("practitioner_id", "generalPractitioner[]", *PRACTITIONER),
        _reference("practice_id", "generalPractitioner[]", "Organization"),
        _reference("organization_id", "managingOrganization", "Organization"),
    ),
)

_VIEWS: Sequence[ResourceView] = (
    _PERSON,
    ResourceView(
        resource="Encounter",
        table="encounter",
        patient="patient_id",
        columns=(
            _ID,
            _IDENTIFIERS,
            _status("Encounter"),
            _coding("class"),
            _concept("type", "type[]", codings=2),
            _concept("service", "serviceType"),
            _SUBJECT,
            _moment("start", "period.start"),
            *_ended("end", "period.end"),
            _reference("part_of_id", "partOf", "Encounter"),
            _reference("organization_id", "serviceProvider", "Organization"),
            _reference("location_id", "location[].location", "Location"),
            _reference("practitioner_id", "participant[].individual", *PRACTITIONER),
            _concept("admitted_from", "hospitalization.admitSource"),
            _concept("discharged_to", "hospitalization.dischargeDisposition"),
        ),
    ),
    ResourceView(
        resource="Condition",
        table="condition",
        patient="patient_id",
        columns=(
            _ID,
            _modifier("concept", "clinical_status", "clinicalStatus"),
            _modifier("concept", "verification_status", "verificationStatus", CODES["Condition.verificationStatus"]),
            _codes("category"),
            _concept("code", codings=3),
            _concept("body_site", "bodySite[]"),
            _concept("severity"),
            _SUBJECT,
            _ENCOUNTER,
            *_span("onset", "onset"),
            _number("onset_age", "onsetAge.value"),
            _text("onset_age_unit", "onsetAge.code | onsetAge.unit"),
            *_ended("abatement_start", "abatementDateTime | abatementPeriod.end | abatementPeriod.start"),
            _moment("recorded", "recordedDate"),
            _reference("practitioner_id", "asserter | recorder", *PRACTITIONER),
        ),
    ),
    ResourceView(
        resource="Observation",
        table="observation",
        patient="patient_id",
        columns=(
            *_OBSERVATION,
            _concept("code", codings=3),
            *_value(),
            _concept("body_site", "bodySite"),
            _reference("device_id", "device", "Device"),
            _count("components", "component"),
            _count("members", "hasMember"),
        ),
    ),
    ResourceView(
        resource="Observation",
        table="observation_component",
        patient="patient_id",
        each="component",
        key=("id", "position"),
        columns=(
            *_OBSERVATION,
            _concept("code", "$code", codings=3),
            *_value("$"),
        ),
    ),
    ResourceView(
        resource="Procedure",
        table="procedure",
        patient="patient_id",
        columns=(
            _ID,
            _status("Procedure"),
            _concept("category"),
            _concept("code", codings=3),
            _SUBJECT,
            _ENCOUNTER,
            *_span("performed", "performed"),
            _reference("practitioner_id", "performer[].actor | recorder", *PRACTITIONER),
            _concept("body_site", "bodySite[]"),
            _concept("outcome"),
        ),
    ),
    ResourceView(
        resource="MedicationRequest",
        table="medication_request",
        patient="patient_id",
        columns=(
            _ID,
            _status("MedicationRequest"),
            _code("intent", "MedicationRequest.intent"),
            _modifier("flag", "is_not_to_perform", "doNotPerform"),
            _flag("is_reported", "reportedBoolean"),
            _codes("category"),
            *_MEDICATION,
            _SUBJECT,
            _ENCOUNTER,
            _moment("authored", "authoredOn"),
            _reference("practitioner_id", "requester", *PRACTITIONER),
            *_dosage("dosageInstruction[]"),
            _moment("validity_start", "dispenseRequest.validityPeriod.start"),
            _last("validity_end", "dispenseRequest.validityPeriod.end"),
            _number("refills", "dispenseRequest.numberOfRepeatsAllowed"),
            _quantity("quantity", "dispenseRequest.quantity"),
            _quantity("supply", "dispenseRequest.expectedSupplyDuration"),
            _concept("status_reason", "statusReason"),
        ),
    ),
    ResourceView(
        resource="MedicationStatement",
        table="medication_statement",
        patient="patient_id",
        columns=(
            _ID,
            _status("MedicationStatement"),
            _codes("category"),
            *_MEDICATION,
            _SUBJECT,
            _CONTEXT,
            *_span("effective", "effective"),
            _moment("asserted", "dateAsserted"),
            _reference("practitioner_id", "informationSource", *PRACTITIONER),
            *_dosage("dosage[]"),
            _concept("status_reason", "statusReason[]"),
        ),
    ),
    ResourceView(
        resource="MedicationAdministration",
        table="medication_administration",
        patient="patient_id",
        columns=(
            _ID,
            _status("MedicationAdministration"),
            *_MEDICATION,
            _SUBJECT,
            _CONTEXT,
            *_span("effective", "effective"),
            _reference("practitioner_id", "performer[].actor", *PRACTITIONER),
            _concept("route", "dosage.route"),
            _quantity("dose", "dosage.dose"),
            _concept("status_reason", "statusReason[]"),
        ),
    ),
    ResourceView(
        resource="MedicationDispense",
        table="medication_dispense",
        patient="patient_id",
        columns=(
            _ID,
            _status("MedicationDispense"),
            *_MEDICATION,
            _SUBJECT,
            _CONTEXT,
            _moment("prepared", "whenPrepared"),
            _moment("handed_over", "whenHandedOver"),
            _quantity("quantity"),
            _quantity("supply", "daysSupply"),
            _reference("practitioner_id", "performer[].actor", *PRACTITIONER),
            *_dosage("dosageInstruction[]"),
        ),
    ),
    ResourceView(
        resource="Medication",
        table="medication",
        columns=(
            _ID,
            _IDENTIFIERS,
            _text("status"),
            _concept("code", "code | ingredient[].itemCodeableConcept", codings=3),
            _concept("form"),
            _text("lot_number", "batch.lotNumber"),
        ),
    ),
    ResourceView(
        resource="Immunization",
        table="immunization",
        patient="patient_id",
        columns=(
            _ID,
            _status("Immunization"),
            _concept("code", "vaccineCode", codings=3),
            _concept("procedure", _VACCINATION, codings=2),
            _PATIENT,
            _ENCOUNTER,
            _moment("occurred", "occurrenceDateTime"),
            _moment("recorded"),
            _flag("is_primary_source", "primarySource"),
            _text("lot_number", "lotNumber"),
            _concept("route"),
            _quantity("dose", "doseQuantity"),
            _reference("practitioner_id", "performer[].actor", *PRACTITIONER),
        ),
    ),
    ResourceView(
        resource="AllergyIntolerance",
        table="allergy_intolerance",
        patient="patient_id",
        columns=(
            _ID,
            _modifier("concept", "clinical_status", "clinicalStatus"),
            _modifier(
                "concept", "verification_status", "verificationStatus", CODES["AllergyIntolerance.verificationStatus"]
            ),
            _text("type"),
            _column("words", "category"),
            _text("criticality"),
            _concept("code", codings=3),
            _concept("substance", "reaction[].substance"),
            _concept("manifestation", "reaction[].manifestation[]"),
            _PATIENT,
            _ENCOUNTER,
            *_span("onset", "onset"),
            _moment("recorded", "recordedDate"),
            _moment("last_occurrence", "lastOccurrence"),
            _reference("practitioner_id", "recorder | asserter", *PRACTITIONER),
        ),
    ),
    ResourceView(
        resource="DiagnosticReport",
        table="diagnostic_report",
        patient="patient_id",
        columns=(
            _ID,
            _status("DiagnosticReport"),
            _codes("category"),
            _concept("code", codings=3),
            _SUBJECT,
            _ENCOUNTER,
            *_span("effective", "effective"),
            _moment("issued"),
            _count("results", "result"),
            _references("result_ids", "result", "Observation"),
            _reference("specimen_id", "specimen[]", "Specimen"),
            _count("forms", "presentedForm"),
            _column("present", "has_conclusion", "conclusion"),
            _concept("conclusion", "conclusionCode[]"),
            _reference("practitioner_id", "performer[] | resultsInterpreter[]", *PRACTITIONER),
        ),
    ),
    ResourceView(
        resource="DocumentReference",
        table="document_reference",
        patient="patient_id",
        columns=(
            _ID,
            _status("DocumentReference"),
            _code("document_status", "DocumentReference.docStatus"),
            _concept("code", "type", codings=2),
            _codes("category"),
            _SUBJECT,
            _moment("date"),
            _reference("practitioner_id", "author[] | authenticator", *PRACTITIONER),
            _reference("organization_id", "custodian", "Organization"),
            _text("media_type", "content[].attachment.contentType"),
            _text("language", "content[].attachment.language | language"),
            _reference("encounter_id", "context.encounter[]", "Encounter"),
            _moment("period_start", "context.period.start"),
        ),
    ),
    ResourceView(
        resource="Device",
        table="device",
        patient="patient_id",
        columns=(
            _ID,
            _status("Device"),
            _concept("code", "type", codings=3),
            _text("device_identifier", "udiCarrier[].deviceIdentifier"),
            _text("lot_number", "lotNumber"),
            _moment("manufactured", "manufactureDate"),
            _PATIENT,
            _reference("organization_id", "owner", "Organization"),
        ),
    ),
    ResourceView(
        resource="DeviceUseStatement",
        table="device_use_statement",
        patient="patient_id",
        columns=(
            _ID,
            _status("DeviceUseStatement"),
            _SUBJECT,
            _reference("device_id", "device", "Device"),
            _concept("code", "deviceCodeableConcept", codings=3),
            _moment("start", "timingDateTime | timingPeriod.start"),
            *_ended("end", "timingPeriod.end"),
            _moment("recorded", "recordedOn"),
            _reference("practitioner_id", "source", *PRACTITIONER),
            _concept("body_site", "bodySite"),
            # Of R5 alone.
            _reference("encounter_id", "context", "Encounter"),
        ),
    ),
    ResourceView(
        resource="Specimen",
        table="specimen",
        patient="patient_id",
        columns=(
            _ID,
            _status("Specimen"),
            _concept("code", "type", codings=2),
            _SUBJECT,
            _moment("collected_start", "collection.collectedDateTime | collection.collectedPeriod.start"),
            _moment("received", "receivedTime"),
            _quantity("quantity", "collection.quantity"),
            _concept("body_site", "collection.bodySite"),
            _reference("practitioner_id", "collection.collector", *PRACTITIONER),
        ),
    ),
    ResourceView(
        resource="Coverage",
        table="coverage",
        patient="patient_id",
        columns=(
            _ID,
            _status("Coverage"),
            _concept("type"),
            _reference("patient_id", "beneficiary", "Patient"),
            _moment("start", "period.start"),
            _last("end", "period.end"),
            _reference("payor_id", "payor[]", "Organization"),
            _text("payor_kind", "payor[].type"),
            _column("organization name", "payor_name", "payor[]"),
        ),
    ),
    ResourceView(
        resource="Practitioner",
        table="practitioner",
        columns=(_ID, _IDENTIFIERS, _text("gender"), _concept("qualification", "qualification[].code")),
    ),
    ResourceView(
        resource="PractitionerRole",
        table="practitioner_role",
        columns=(
            _ID,
            _reference("practitioner_id", "practitioner", "Practitioner"),
            _reference("organization_id", "organization", "Organization"),
            _concept("specialty", "specialty[]", codings=2),
            _concept("role", "code[]"),
            _reference("location_id", "location[]", "Location"),
        ),
    ),
    ResourceView(
        resource="Organization",
        table="organization",
        columns=(
            _ID,
            _IDENTIFIERS,
            _text("name"),
            _concept("type", "type[]"),
            _reference("part_of_id", "partOf", "Organization"),
            _text("postcode", "address[].postalCode"),
            _text("city", "address[].city"),
            _text("state", "address[].state"),
            _text("country", "address[].country"),
        ),
    ),
    ResourceView(
        resource="Location",
        table="location",
        columns=(
            _ID,
            _IDENTIFIERS,
            _text("name"),
            _concept("type", "type[]"),
            _concept("physical_type", "physicalType"),
            _reference("organization_id", "managingOrganization", "Organization"),
            _reference("part_of_id", "partOf", "Location"),
            _text("postcode", "address.postalCode"),
            _text("city", "address.city"),
            _text("state", "address.state"),
            _text("country", "address.country"),
        ),
    ),
)

VIEWS: Mapping[str, tuple[ResourceView, ...]] = MappingProxyType(
    {
        resource: tuple(view for view in _VIEWS if view.resource == resource)
        for resource in dict.fromkeys(view.resource for view in _VIEWS)
    }
)
"""Resource type -> its tables. A resource of another type is not landed, and counted."""

TABLES_OF_NOBODY = frozenset(view.table for view in _VIEWS if not view.patient)
"""Tables of resource types that have no element for a patient."""

WHOLES: Mapping[str, str] = MappingProxyType(
    {view.table: VIEWS[view.resource][0].table for view in _VIEWS if view.each}
)
"""Table of a repeated element -> the table of the resources that have it."""
