"""The reference page of FHIR, made from the views, the rules and the cases of their tests."""

import re
from collections.abc import Iterator, Mapping, Sequence

from fairhaven.harmonise.fhir import (
    allergies,
    conditions_and_procedures,
    devices,
    documents,
    drugs,
    encounters,
    observations,
    patients,
    rule_context,
)
from fairhaven.intake.fhir.code_systems import PREFERENCE, VOCABULARIES
from fairhaven.intake.fhir.status_codes import CODES, NEGATIONS
from fairhaven.intake.fhir.version_changes import CHANGES
from fairhaven.intake.fhir.views import VIEWS, ResourceView
from tests.spec.test_harmonise_fhir import CASES

_HEAD = """# FHIR to OMOP CDM 5.4

This page is written by `make docs` from the code that does the work; a test holds it to that.

A source with `format = "fhir"` needs no mapping file. Its rules follow the HL7 Vulcan
[FHIR to OMOP guide](https://hl7.org/fhir/uv/omop/) (version 1.0.0) and the OHDSI conventions (Themis). The row's standard concept
decides its table: a Condition whose code is an observation in OMOP becomes an observation.

## What is read

- Bulk NDJSON, plain or gzip (recognised by content); one resource type in a file or several.
- A Bundle (collection, transaction, searchset ...) or a JSON array as a file: its entries, numbered from 1. A Bundle as a line of
  NDJSON: entry *e* of line *l* has the line number *l* x 1,000,000 + *e*.
- A line that is not JSON, not UTF-8, no FHIR resource, or holds something else where a date or a number should be is quarantined with its number
  and the reason: NaN, 1e999 and `true` are no numbers, and one in quotes is read as in any text. Of a key that stands twice the first counts. An element that cannot negate and has another shape than FHIR R4 gives it is read as absent.
- FHIR in XML is refused, and so is a page of HTML: its sender can give `application/fhir+json`.
- An entry of a Bundle that has no resource, and is no deletion (below), is quarantined, and so is the manifest of an export.
- Resource types without a view (CarePlan, Claim ...) land as id, status and patient, so that they are counted.

## Which version counts, and what was deleted

Of one resource (type and id) of a source one version counts, whatever the order of lines, files or deliveries:

- where each has `meta.lastUpdated`, the latest, compared as instants; at one instant the greater `meta.versionId`, if it is a number;
- where some have no time but each has a number, the greatest `versionId` (10 is after 9);
- otherwise the latest in time; one without a time is as late as the latest that had come by its delivery, and of those a later delivery's.
  A `lastUpdated` that is no instant is none. What a `history` says in an entry's `response` (`lastModified`, `etag`) is the resource's where its `meta` does not say it.

A version in quarantine is a version like others, as long as its type and id can be read: where it is the newest, no older one counts, because
it is known to be out of date (a diagnosis that was refuted in words that are not read must not stand). The build says how many rows gave way so; they are
back when a version that can be read is delivered, the same one among them. A `Patient` stays who it was.

A version that gives way is counted as superseded, and so are the components of an Observation that only an older version has. Where nothing but the order of lines
or files says which of several that differ counts, the receipt warns.

An entry whose `request` has the method DELETE and the url of one resource (`Condition/c1`, absolute, with `/_history/2`) deletes it, in a Bundle of any type: bulk exports
list so what was deleted (`deleted` in their manifest; deliver these files like the others, in any order). A resource with a tag of the code `deleted`, or marked `soft-deleted` as Azure exports it, is deleted too. A
deletion is a version like others: its time is `response.lastModified`, else the Bundle's `meta.lastUpdated` or `timestamp` (not of a `history`); without a time it holds against all
that came by its delivery. A version that is later brings the resource back. A deleted `Patient` goes with everything that the source says of this patient, until there is a later version of it; other sources' rows of the person stay.
A deletion by search (`Condition?code=...`) or of a whole type names no one resource and is quarantined.

Deleted resources are in no release that is built afterwards. Releases that there are stay as they are, and so do the bytes as delivered: only
[an erasure](../how-to/erase-a-person.md) takes somebody out of these.

## Versions

FHIR R4 (and R4B), STU3 (GP Connect, GP2GP, Care Connect, pathology messages) and R5 are read. A source may declare the version of its files
(`fhir_version = "STU3"`); otherwise each file tells. The receipt names the version and says how it is known: `FHIR STU3, detected`.

- A resource is of a version where it has an element that only that version has, or one in that version's form, and is not of a version that never
  has what is there. Most resources say nothing: they are alike in every version, and read alike. Where the elements say nothing, `meta.profile`
  is heard (`/STU3/`, `CareConnect`, `UKCore`, `/R4/`, ...), and the `fhirVersion` of a CapabilityStatement.
- A file is of the version for which more of its resources speak than for each other one. Where none does, or two do alike, R4 is assumed.
- A resource of another version than its file is quarantined, in words (`it is written as FHIR STU3, and the file is read as FHIR R4`), and so is one
  in which versions are mixed, and one of DSTU2, which is not read.
- STU3 and R5 are brought to the form of R4 when they are read, so that there is one set of rules. The tables below say how.

## What may negate

What an element says that may negate must be understood, or the resource is quarantined with the reason: a status that is none of the codes
below (another case, another shape), a `verificationStatus` without one of them, or with two that differ, a `clinicalStatus` or `dataAbsentReason`
that is no concept, a `doNotPerform`, `notDone` or `notGiven` that is no boolean, a `taken` or `adherence` that is no code of its
version, a `comparator` of a quantity that is no bound, `implicitRules`, and a `modifierExtension` of the resource or of an element that is read, unless it is known and says false. What is
understood and negates gives no row, and the build counts it as not taken. A status that is absent negates nothing; nor does `unknown`, which R4
says of something of which one of the other codes holds.

## Moments

The wall clock as written, for an offset is of the place where the patient was; what is said in UTC is told on the clock of the source's zone.
`2019` and `2019-05` are their first day, but where something ends with them (a death, the end of a period, an abatement) their last, and of a month or a year that the release's day is in, that day, unless the end is planned (a
prescription's bounds and validity, a coverage); a
date without a time is midnight, and a leap second (`23:59:60`) the second before it. Dates before 1800 and after 2200 are quarantined.

## References

`Patient/7`, `https://server/fhir/Patient/7`, either with `/_history/2`, `urn:uuid:...` and, for medications, `#contained` are
resolved. A logical reference (an identifier, or `Patient?identifier=system|value`) becomes a digest of the identifier. Practitioners,
organizations and locations are found by it; an encounter is not, and such a reference is one of its own. So is a patient, but one who is
named by NHS number, alone or beside an id whose `Patient` does not come, is the person who has that number in any source, by linkage. The NHS number's
system is known in any usual spelling (`https://fhir.nhs.uk/Id/nhs-number`, `http://fhir.nhs.net/...`, the OID with or without `urn:oid:`, in capitals, with a slash behind it); of several numbers of a
`Patient` one whose `use` is not `old` counts. Patients whom `Patient.link` (of any type) calls the same are
one person, through chains and circles and whatever delivery brings the other; what a patient with a link `replaced-by` says of themselves counts after what the others say.

Where the `Medication` or `Device` that a row's code is from, the `Organization` of a payer's name or the `Practitioner` of a gender is not there or in quarantine, the row has
none, and the build counts it (`emptied`: `is said by a row that is not there`).

## Conventions

- **Sex** is that at birth (Themis 94): `us-core-birthsex`, `us-core-sex` or UK Core's `BirthSex` where they say male or female, else `gender`.
- **Birth date**: of a year or a month alone there is no day, and of a year alone no month; linkage compares what is known ([ADR 50](../adr/0050-what-is-known-of-a-birth.md)).
- **Several races** (`ombCategory`, Themis 71): race 1546847 (more than one race), and an observation 4013886 of each from birth on, which does
  not lengthen the observation period. Codes that say that nothing is known are no race; another race (`2131-1`) has no standard concept.
- **Death** (Themis 104): of a month the last day, of a year 31 December; of a month or a year that the release's own day is in, that day, so that whoever
  died this month is not among the living. `deceasedBoolean` alone gives no row, since a death needs a day: the build counts it (`no date`). A death before
  the birth, as far as that is released, is counted and left out.
- **To and from home** is concept 0 (CDM 5.4), an office 581477, an emergency room 8870: where the guide's concepts are not standard, or of
  another domain than the column's, they are not taken.
- **Condition status**: the verification where it says that the diagnosis is not certain (32899), else the clinical status, of which the guide
  has a concept for `resolved` (32906); the source value is the word of the resource. `confirmed` is what any condition is and has no concept (0).
- **Days' supply** is what the resource says: `daysSupply` without a unit is days, other lengths need one; hours and less are none.
- **End of an exposure** (Themis 57): what is stated, else the last day of the supply; without either a prescription or a dispensing lasts
  30 days, and what was given or stated ends as it starts. `verbatim_end_date` is what is stated, and empty where nothing is.
- **Payer**: the name of the organization that is referred to, else the reference's own `display`, unless a patient or relative pays. The
  plan is the coverage's type, whose words are withheld as other texts are where it has no code.
- **Day of an observation** or report: when it was effective, else when its specimen was collected, else its report's (that lists it under `result`)
  effective time, else when it or its report was issued, else when the specimen was received.
- **Day of what nothing dates** (a `Condition` without onset and record, as MIMIC-IV has them): when its encounter began, if the encounter took place
  and is the same patient's. What has no day then is left out, counted.
- **Several codings** of a concept give one row, by the first that leads to a standard concept, be it another than the resource's own field would have; of an ICD-10 or OPCS-4 code that leads to none, its three-character category.
- **Vaccines** are coded by `vaccineCode`; where that is a null flavour, as in GP Connect, by UK Core's or Care Connect's `VaccinationProcedure`, which is
  tried last where both are given. A code of a procedure makes it a procedure, as anywhere.
- **Source values** are the code as the resource has it, not its words: `59621000`, of an encounter its class (`AMB`), of a race `2106-3`, of a
  meaning (`interpretation`) `POS`, though its concept is SNOMED CT's. A value's is its text, else its code, else the number; words beside a code are not kept.
- **Units** are looked up as UCUM codes, in the vocabulary, then among those and the spellings that are built in.
- **Panels**: what has components or members and no value of its own gives no row; each component is a row. Members are observations like any other.
- **Contained resources**: what a `List` (`entry.item`), a `Composition` (`section.entry`), a `DiagnosticReport` (`result`), an `Observation` (`hasMember`, STU3's `related`) or an `Encounter` (`diagnosis.condition`) contains and lists is a resource like others, as GP Connect's ended
  allergies are: of the patient, and of the version, of what contains it. It is known again by its patient and its place in what has an id, else by its patient, identifier (with a system), code and time, else by its patient and what it says. What a list took out (`deleted`) is none, and what was entered in error or cancelled takes back what it contains. What a later version
  no longer contains stays, as a resource does that a later delivery leaves out. Contained resources that are not listed so (the condition that is a reason, a device) are not read, but for medications.
- **Relationships** between resources (`hasMember`, `condition-related`) are no rows of FACT_RELATIONSHIP.
- **A code without a standard concept** gives a row with concept 0 in the table of its resource: nothing is left out for want of a map.
- **Concept 0 and none**: 0 says that something was said for which there is no standard concept; where nothing was said, a concept that the CDM does
  not require is empty (`admitted_from_concept_id`). Kinds of place, countries, payers and plans are source values with concept 0. Empty
  throughout are the source concepts of sex, race and ethnicity; 0 throughout is the cause of a death.
- **Sex, race and speciality that are not known** are concept 0: 8551 (unknown), 8521 (other) and 8522 (other race) are no standard concepts, and no
  speciality is taken for granted. Extensions that this page does not name are not read, those with OMOP concepts of one product among them.
- **An encounter without a start** is no visit (CDM 5.4 requires one). What refers to it keeps its day and loses the reference, which the build counts.
- **Ends that the CDM requires** are the start's day where nothing is stated (visits, payers). A time of day is given only where one is stated: a visit
  without an end and a drug's end by its supply have none, and nobody has a `birth_datetime`.
- **Domains**: a `Procedure` or `Device` whose code is a condition is a condition, like any other row.
- **Allergy**: a code of a substance is the value of an observation of the kind of allergy (the guide's pattern Value-as-Concept), not observation
  and value at once; a code of the allergy as a whole is the observation. Its clinical status is the qualifier.
- **Types of rows** are standard Type Concepts: a `MedicationStatement` is 32865 (patient self-report), for 38000178 is none; so are 32838
  (prescription), 32825 (dispensing), 32818 (what was given, vaccines too), 32827 and 32840 (conditions of an encounter, of a problem list), 32831 (notes), 32856
  (observations of the category `laboratory`), 32882 (observation periods); all else is 32817 (EHR). A death has the type of its source's kind.
- **Devices** of which no use is stated begin when they were made; when they expire is no end of their use. During which visit one was used R5 alone says
  (`DeviceUsage.context`).
- **Reports**: one that has a printed form or a `conclusion` in words is a note, whose text stays out; its name alone is none. What was reported on
  is a row of its own beside the note, unless `result` says what was observed.
- **Places**: of addresses of organizations and locations city, state, postcode and country land, no lines, no coordinates; a state or postcode that is
  longer than the CDM's field, without its hyphen, is left out and not cut. A place without an address has no location. `care_site_source_value` is the
  resource's id, of a location with `Location/` before it. Of where patients live there is the district of a UK postcode at most.
- **Who somebody is**: `person_source_value` is a pseudonym, and `PROVIDER` has no name, no number and no source value. A patient of whom no source
  has a year of birth is no person (the CDM requires one), and their rows are left out, counted.
- **Words for an end** (`abatementString`) are free text and not read.
- **A status that is absent** affirms, in every version.
- **Results in words**: `Negative`, `Not detected`, `Absent`, `Positive`, `Trace` and a few more, in whatever case, are their SNOMED CT codes,
  also where they stand in a text; so are codes of v3-ObservationInterpretation and HL7 v2's tables 0078 and 0136 that are the value. The text itself is withheld as other texts are; then withheld is the right value.

## What never lands

Names, telecom, narrative (`text.div`), notes, attachments, dosage text, contacts, and identifiers other than resource ids. The
identity of patients (NHS number, names, birth date, sex, address, ethnicity) goes to the vault; of it the birth date (cut to the
hub's precision), the sex, the ethnicity and the postcode district land. Free text lands as `[withheld until de-identified]`, unless
the source says that it is coded there (`coded = ["observation.value_text"]`): text values (`valueString`), series (`valueSampledData`), numbers of lots, and the words of an
element (`code.text`) that has no code. Numbers stay. The rows below are those of a source that declares all of it coded.
"""


LEFT_OUT: Sequence[tuple[str, str, Sequence[str]]] = (
    ("Encounter", "status", rule_context.REFUSED_ENCOUNTER),
    ("Condition", "verificationStatus", conditions_and_procedures.REFUSED_CONDITION),
    ("Procedure", "status", conditions_and_procedures.REFUSED_PROCEDURE),
    ("Observation, DiagnosticReport", "status", observations.REFUSED),
    ("Observation", "dataAbsentReason", observations.NOT_DONE),
    ("MedicationRequest", "status", drugs.REFUSED_REQUEST),
    ("MedicationRequest", "intent", drugs.REFUSED_INTENT),
    ("MedicationStatement", "status", drugs.REFUSED_STATEMENT),
    ("MedicationAdministration", "status", drugs.REFUSED_ADMINISTRATION),
    ("MedicationDispense", "status", drugs.REFUSED_DISPENSE),
    ("Immunization", "status", drugs.REFUSED_IMMUNIZATION),
    ("AllergyIntolerance", "verificationStatus", allergies.REFUSED),
    ("DocumentReference", "status", documents.REFUSED_DOCUMENT),
    ("Device, Specimen", "status", devices.REFUSED),
    ("DeviceUseStatement", "status", devices.REFUSED_USE),
    ("Coverage", "status", documents.REFUSED_COVERAGE),
)
"""Resources, an element and its values by which a rule leaves a resource out."""


def page() -> str:
    """The page."""
    return "\n".join([_HEAD, *_rules(), *_cases(), *_systems(), *_views()]) + "\n"


def _rules() -> Iterator[str]:
    yield "## What gives no row\n"
    yield "| resource | element | values |\n|---|---|---|"
    for resource, element, values in LEFT_OUT:
        yield f"| {resource} | {element} | {', '.join(values)} |"
    yield from _modifiers()
    yield from _versions()
    yield "\n## Codes with a concept of their own\n"
    for title, choices in (
        ("Encounter.class", encounters.CLASS),
        ("Encounter.hospitalization.admitSource", encounters.ADMITTED_FROM),
        ("Encounter.hospitalization.dischargeDisposition", encounters.DISCHARGED_TO),
        ("US Core race", patients.OMB_RACE),
        ("US Core ethnicity", patients.OMB_ETHNICITY),
        ("AllergyIntolerance.category of an allergy", allergies.ALLERGY),
        ("AllergyIntolerance.category of an intolerance", allergies.INTOLERANCE),
        ("Observation.interpretation (SNOMED CT)", observations.INTERPRETATION),
    ):
        yield f"**{title}**: {_choices(choices)}\n"


def _modifiers() -> Iterator[str]:
    yield "\n## Codes that are understood\n"
    yield "| element | codes |\n|---|---|"
    for element, codes in CODES.items():
        yield f"| {element} | {', '.join(codes)} |"
    yield ""
    yield (
        "Modifier extensions that change nothing where they say false: "
        + ", ".join(f"`{url}`" for url in NEGATIONS)
        + "."
    )


def _versions() -> Iterator[str]:
    for version, changes in CHANGES.items():
        if changes:
            yield f"\n## FHIR {version} in the form of R4\n"
            yield "| element | becomes |\n|---|---|"
            for resource, several in changes.items():
                yield from (f"| {resource}.{change.path} | {change.words} |" for change in several)


def _choices(choices: Mapping[str, int] | Mapping[str, str]) -> str:
    return ", ".join(f"`{code}` {concept}" for code, concept in choices.items())


def _cases() -> Iterator[str]:
    """The cases of the tests, by resource: what goes in, what comes out."""
    yield "## Case by case\n"
    yield "Each line is a test (`tests/spec/test_harmonise_fhir.py`).\n"
    yield "| resource | case | rows |\n|---|---|---|"
    for case in CASES:
        given = case.given if isinstance(case.given, list) else [case.given]
        resources = ", ".join(dict.fromkeys(resource["resourceType"] for resource in given))
        rows = "; ".join(_row(row) for row in case.rows) or "none"
        yield f"| {resources} | {case.name} | {rows} |"
    yield ""


def _row(row: Mapping[str, object]) -> str:
    shown = [f"{name} {value}" for name, value in row.items() if name != "kind" and value is not None]
    return f"{row.get('kind', 'event')}: {', '.join(shown)}".removesuffix(": ").replace("|", "\\|")


def _systems() -> Iterator[str]:
    yield "## Code systems\n"
    yield (
        "Up to three codings of a concept are kept, first what a person selected (`userSelected`), then in this order; the first "
        "that leads to a standard concept wins. Another system of HL7 keeps the last part of its URI as vocabulary, any other its "
        "whole URI: a local map (`vocabulary/*.csv`) may name it so.\n"
    )
    yield "| OMOP vocabulary | FHIR systems |\n|---|---|"
    for vocabulary in PREFERENCE:
        yield f"| {vocabulary} | {', '.join(f'`{uri}`' for uri, name in VOCABULARIES.items() if name == vocabulary)} |"
    yield ""


def _views() -> Iterator[str]:
    yield "## Landed tables\n"
    for views in VIEWS.values():
        for view in views:
            yield from _view(view)


def _view(view: ResourceView) -> Iterator[str]:
    each = f", a row for each `{view.each}` (its elements begin with `$`)" if view.each else ""
    yield f"### {view.resource}: `{view.table}`{each}\n"
    yield "| column | path | kind |\n|---|---|---|"
    for column in view.columns:
        kind = f"identity ({column.identity})" if column.identity else column.kind
        kind += f" to {', '.join(column.to)}" if column.to else ""
        kind += f", {column.codings} codings" if column.codings > 1 else ""
        path = re.sub(r" \| ", "`, else `", column.path)
        yield f"| {column.name} | `{path}` | {kind} |"
    yield ""
