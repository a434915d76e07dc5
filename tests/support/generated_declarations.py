"""What a hub must be told to read generated facts: declarations of their sources, and how delimited text and Parquet are mapped."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.support.generated_concepts import ALLERGY, ANY_ALLERGY
from tests.support.generated_truth import FORMS

_TABLES = """
[tables.places]
files = ["places*"]
key = ["place"]
belongs_to = "nobody"
withdrawn = { column = "gone", values = ["D"] }
[tables.places.columns]
place = "text"
name = "text"
city = "text"
postcode = "text"
country = "text"
kind = "text"
gone = "text"

[tables.providers]
files = ["providers*"]
key = ["provider"]
belongs_to = "nobody"
withdrawn = { column = "gone", values = ["D"] }
[tables.providers.columns]
provider = "text"
sex = "text"
specialty = "text"
place = "text"
gone = "text"

[tables.persons]
files = ["persons*"]
key = ["person"]
patient = "person"
withdrawn = { column = "gone", values = ["D"] }
[tables.persons.columns]
person = "text"
nhs_number = { type = "text", identity = "nhs_number" }
sex = { type = "text", identity = "sex" }
born = { type = "date", identity = "birth_date", formats = ["%Y-%m-%d"] }
born_year = "whole"
born_month = "whole"
ethnicity = { type = "text", identity = "ethnicity" }
died = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
died_clock = "time"
provider = "text"
place = "text"
gone = "text"

[tables.visits]
files = ["visits*"]
key = ["visit"]
patient = "person"
withdrawn = { column = "gone", values = ["D"] }
[tables.visits.columns]
visit = "text"
person = "text"
kind = "text"
day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
clock = "time"
end_day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
end_clock = "time"
standing = "text"
provider = "text"
place = "text"
gone = "text"

[tables.events]
files = ["events*"]
key = ["event"]
patient = "person"
withdrawn = { column = "gone", values = ["D"] }
[tables.events.columns]
event = "text"
person = "text"
visit = "text"
kind = "text"
vocabulary = "text"
code = "text"
day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
clock = "time"
end_day = { type = "date", formats = ["%Y-%m-%d", "%Y-%m", "%Y"] }
end_clock = "time"
standing = "text"
status = "text"
number = "number"
operator = "text"
unit = "text"
low = "number"
high = "number"
value = "text"
days_supply = "whole"
quantity = "number"
dose_unit = "text"
refills = "whole"
result = "text"
site = "text"
category = "text"
device = "text"
lot = "text"
payer = "text"
plan = "text"
provider = "text"
gone = "text"
"""
COLUMNS = {name: tuple(table["columns"]) for name, table in tomllib.loads(_TABLES)["tables"].items()}
_HEAD = """title = "{name}"
controller = "c"
kind = "{kind}"
format = "{format}"
delivery = "{delivery}"
quarantine_limit = 1.0
national_opt_out = true
"""


def _rule(name: str, kinds: Sequence[str], type_: str, more: str = "", *, vocabulary: str = "", clean: str = "none", to: str = "event", when: str = "") -> str:  # fmt: skip
    default = {
        "condition": "condition_occurrence",
        "measurement": "measurement",
        "device": "device_exposure",
        "specimen": "specimen",
    }.get(kinds[0], "observation")
    unmapped = f'unmapped_to = "{default}"\n' if to == "event" else ""
    vocabulary = f'"{vocabulary}"' if vocabulary else '{ not = "ICD10" }'
    return f"""
[[map]]
name = "{name}"
from = "events"
to = "{to}"
{unmapped}coded = ["code", "status", "value", "unit", "result", "device", "lot"]
[map.when]
kind = {list(kinds)}
standing = {{ present = false }}
vocabulary = {vocabulary}
{when}
[map.code]
column = "code"
vocabulary = {{ column = "vocabulary", map = {{ SNOMED = "SNOMED", ICD10 = "ICD10", LOINC = "LOINC", RxNorm = "RxNorm" }} }}
clean = "{clean}"
{more}
[map.set]
type_concept_id = {{ value = "{type_}" }}
visit_ref = "visit"
provider_ref = "provider"
{_NOTED if to == "note" else _BEGUN}
"""


_BEGUN = 'start_date = "day"\nstart_datetime = { date = "day", time = "clock" }'
_NOTED = 'date = "day"\ndatetime = { date = "day", time = "clock" }'
_PLANNED = 'end_date = "end_day_last_day"\nend_datetime = { date = "end_day_last_day", time = "end_clock" }\n'
_ENDS = _PLANNED + 'end_from = "end_day"\n'
_SUPPLY = 'days_supply = "days_supply"\nquantity = "quantity"\nrefills = "refills"\n'
_KINDS = ", ".join(f'"{kind}" = {concept}' for kind, concept in ALLERGY.items())
_STATUS = """
qualifier = { column = "status", map = { active = "55561003", inactive = "73425007", resolved = "413322009" } }
qualifier_vocabulary_id = { value = "SNOMED" }
qualifier_source_value = "status"
"""
_MAPPING = (
    """
[[map]]
name = "sites"
from = "places"
to = "care_site"
[map.set]
care_site_ref = "place"
name = "name"
place_of_service = "kind"
place_of_service_concept_id = { column = "kind", map = { prov = 0 } }
location_ref = { join = ["place", "city"], with = "|" }

[[map]]
name = "addresses"
from = "places"
to = "location"
when = { city = { present = true } }
[map.set]
location_ref = { join = ["place", "city"], with = "|" }
city = "city"
zip = "postcode"
country = "country"
country_concept_id = { column = "country", map = { GB = 0 } }

[[map]]
name = "staff"
from = "providers"
to = "provider"
[map.code]
column = "specialty"
vocabulary = "NUCC"
[map.set]
provider_ref = "provider"
gender = "sex"
care_site_ref = "place"

[[map]]
name = "coverages"
from = "events"
to = "payer_plan_period"
when = { kind = "coverage", standing = { present = false } }
[map.set]
start_date = "day"
end_date = "end_day_last_day"
payer = "payer"
payer_concept_id = 0
plan = "plan"
plan_concept_id = { column = "plan", map = { EHCPOL = 0 } }

[[map]]
name = "persons"
from = "persons"
to = "person"
[map.set]
birth_date = "birth_date"
birth_year = "born_year"
birth_month = "born_month"
gender = "sex"
race = "ethnicity"
provider_ref = "provider"
care_site_ref = "place"

[[map]]
name = "deaths"
from = "persons"
to = "death"
when = { died = { present = true } }
[map.set]
date = "died"
datetime = { date = "died_last_day", time = "died_clock" }
type_concept_id = { value = "EHR" }

[[map]]
name = "visits"
from = "visits"
to = "visit_occurrence"
when = { standing = { present = false } }
[map.set]
visit_ref = "visit"
concept_id = { column = "kind", map = { inpatient = 9201, outpatient = 9202, emergency = 9203 } }
type_concept_id = { value = "EHR" }
start_date = "day"
start_datetime = { date = "day", time = "clock" }
provider_ref = "provider"
care_site_ref = "place"
"""
    + _ENDS
    + _rule("conditions", ["condition"], "EHR", "")
    + _ENDS
    + 'status = "status"\n'
    + _rule("conditions of ICD-10", ["condition"], "EHR", "", vocabulary="ICD10", clean="icd10")
    + _ENDS
    + 'status = "status"\n'
    + _rule("measurements", ["measurement"], "EHR", when="result = { present = false }")
    + 'value_number = "number"\noperator = "operator"\nunit = "unit"\nrange_low = "low"\nrange_high = "high"\n'
    + _rule("results", ["measurement"], "EHR", '[map.result]\ncolumn = "result"', when="result = { present = true }")
    + _rule("observations", ["observation"], "EHR", '[map.value]\ncolumn = "value"\nvocabulary = "SNOMED"')
    + _rule("procedures", ["procedure"], "EHR")
    + _ENDS
    + _rule("devices", ["device"], "EHR")
    + _ENDS
    + 'unique_device_id = "device"\nlot_number = "lot"\n'
    + _rule("specimens", ["specimen"], "EHR")
    + 'quantity = "quantity"\nunit = "unit"\nanatomic_site = "site"\nanatomic_site_vocabulary_id = { value = "SNOMED" }\n'
    + _rule(
        "allergies",
        ["allergy"],
        "EHR",
        '[map.value]\ncolumn = "value"\nvocabulary = "RxNorm"',
        vocabulary="SNOMED",
        to="observation",
    )
    + _STATUS
    + _rule(
        "allergies to substances",
        ["allergy"],
        "EHR",
        '[map.value]\ncolumn = "code"\nvocabulary = "RxNorm"',
        vocabulary="RxNorm",
        to="observation",
    )
    + _STATUS
    + f'concept_id = {{ column = "category", map = {{ {_KINDS} }}, default = {ANY_ALLERGY} }}\n'
    + _rule("notes", ["note"], "EHR note", to="note")
    + _rule("prescriptions", ["prescription"], "EHR prescription")
    + _PLANNED
    + _SUPPLY
    + _rule("dispensings", ["dispensing"], "EHR dispensing")
    + _ENDS
    + _SUPPLY
    + _rule("administrations", ["administration"], "EHR administration")
    + _ENDS
    + _SUPPLY
    + 'dose_unit = "dose_unit"\n'
    + _rule("statements", ["statement"], "patient self-report")
    + _ENDS
    + _SUPPLY
)
_CODED = {
    "fhir": ["observation.value_text", "device.lot_number"],
    "omop": [f"device_exposure.{name}" for name in ("unique_device_id", "production_id")]
    + [f"{table}.value_source_value" for table in ("measurement", "observation")],
}


def declare(hub: Path) -> None:
    """Write the declarations of every source of `FORMS`, and of the list of opt-outs, into a hub's folder."""
    (hub / "controllers" / "c.toml").write_text('title = "C"\n')
    (hub / "mappings" / "generated.toml").write_text(_MAPPING)
    mapped = 'mapping = ["generated.toml"]\n'
    for name, form in FORMS.items():
        kind, delivery = ("cdm", "full") if form.is_cdm else ("gp", "changes")
        format_ = name if form.is_declared else "omop" if form.is_cdm else "fhir"
        head = _HEAD.format(name=name, kind=kind, format=format_, delivery=delivery)
        if form.is_declared:
            head += mapped + _TABLES
        else:
            head += f"coded = {_CODED[format_]}\n" + ("" if form.is_cdm else '[dialect]\ntime_zone = "Europe/London"\n')
        (hub / "sources" / f"{name}.toml").write_text(head)
    (hub / "sources" / "optout.toml").write_text(
        'title = "National opt-outs"\ncontroller = "c"\nkind = "opt-out"\nformat = "opt-out"\n'
    )
