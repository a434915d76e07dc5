"""OMOP concept ids that mappings need by name, and the spellings that sources use for them.

Ids are facts of the OHDSI Standardized Vocabularies (Athena). Where a hub has loaded a vocabulary its concepts win.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

LARGEST = 2**31 - 1
"""Concept ids are whole numbers of 32 bits."""

OWN_CONCEPTS = 2_000_000_000
"""The first of the ids that OMOP leaves to sites for concepts of their own."""
CDM_VERSION_CONCEPT = 756265
"""OMOP CDM Version 5.4.0."""


def is_concept_id(value: Any) -> TypeGuard[int]:
    """Whether a value that somebody wrote can be a concept id."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


TYPE: Mapping[str, int] = MappingProxyType(
    {
        "EHR": 32817,
        "EHR administration": 32818,
        "EHR admission note": 32819,
        "EHR discharge summary": 32824,
        "EHR emergency room note": 32826,
        "EHR encounter": 32827,
        "EHR inpatient note": 32829,
        "EHR medication list": 32830,
        "EHR note": 32831,
        "EHR order": 32833,
        "EHR outpatient note": 32834,
        "EHR pathology report": 32835,
        "EHR physical examination": 32836,
        "EHR prescription": 32838,
        "EHR prescription issue": 32839,
        "EHR problem list": 32840,
        "EHR referral": 32842,
        "EHR dispensing": 32825,
        "external CDM": 32843,
        "claim": 32810,
        "inpatient claim": 32853,
        "outpatient claim": 32859,
        "lab": 32856,
        "mail order": 32857,
        "NLP": 32858,
        "patient survey": 32862,
        "patient self-report": 32865,
        "pharmacy claim": 32869,
        "payer enrolment": 32813,
        "registry": 32879,
        "standard algorithm": 32880,
        "algorithm from EHR": 32882,
        "survey": 32883,
        "vital signs": 32836,
    }
)
"""Words for ``..._type_concept_id``."""

USUAL_SUPPLY: Mapping[int, int] = MappingProxyType(
    {
        **{
            TYPE[name]: 30
            for name in ("EHR prescription", "EHR prescription issue", "EHR dispensing", "pharmacy claim")
        },
        TYPE["mail order"]: 90,
    }
)
"""Days that a prescription is taken to last where its source says nothing of it, by type concept (Themis 57)."""

TYPE_OF_KIND: Mapping[str, int] = MappingProxyType(
    {
        "gp": TYPE["EHR"],
        "hospital": TYPE["EHR encounter"],
        "social-care": TYPE["EHR"],
        "registry": TYPE["registry"],
        "laboratory": TYPE["lab"],
        "genomics": TYPE["lab"],
        "imaging": TYPE["EHR"],
        "cdm": TYPE["external CDM"],
    }
)
"""Type concept of a row whose rule gives none, by the kind of its source."""

VISIT: Mapping[str, int] = MappingProxyType(
    {
        "inpatient": 9201,
        "outpatient": 9202,
        "emergency": 9203,
        "emergency and inpatient": 262,
        "home": 581476,
        "office": 581477,
        "telehealth": 722455,
        "urgent care": 8782,
        "nursing facility": 8676,
        "hospice": 8546,
        "non-hospital institution": 42898160,
        "day case": 9201,
        "laboratory": 32036,
        "ambulance": 581478,
        "intensive care": 32037,
        "case management": 38004193,
    }
)
"""Words for visit concepts."""

GENDER: Mapping[str, int] = MappingProxyType(
    {
        "male": 8507,
        "m": 8507,
        "1": 8507,
        "248153007": 8507,
        "female": 8532,
        "f": 8532,
        "2": 8532,
        "248152002": 8532,
    }
)
"""Spellings of sex; the digits are those of the NHS Data Dictionary and of SNOMED CT. Others are concept 0."""

_WHITE, _BLACK, _ASIAN = 8527, 38003598, 8515
RACE: Mapping[str, int] = MappingProxyType(
    {
        # NHS Data Dictionary, ethnic category 2001. OMOP has no concept for mixed groups (D to G) or other (S).
        "a": _WHITE,
        "b": _WHITE,
        "c": _WHITE,
        "h": 38003574,
        "j": 38003589,
        "k": 38003575,
        "l": _ASIAN,
        "m": _BLACK,
        "n": 38003600,
        "p": _BLACK,
        "r": 38003579,
        "white": _WHITE,
        "white british": _WHITE,
        "white irish": _WHITE,
        "asian": _ASIAN,
        "indian": 38003574,
        "pakistani": 38003589,
        "bangladeshi": 38003575,
        "chinese": 38003579,
        "black": 8516,
        "black caribbean": _BLACK,
        "black african": 38003600,
        "african": 38003600,
        "black or african american": 8516,
        "native": 8657,
        "american indian or alaska native": 8657,
        "hawaiian": 8557,
        "native hawaiian or other pacific islander": 8557,
    }
)
"""Spellings of race, the English ethnic category codes among them."""

SEVERAL_RACES = 1546847
"""Race of somebody of whom several are recorded; each is an observation of its own (Themis 71)."""

RACE_OBSERVED = 4013886
"""What such an observation is of."""

ETHNICITY: Mapping[str, int] = MappingProxyType(
    {
        "hispanic": 38003563,
        "hispanic or latino": 38003563,
        "nonhispanic": 38003564,
        "not hispanic or latino": 38003564,
        "non-hispanic": 38003564,
    }
)

OPERATOR: Mapping[str, int] = MappingProxyType({"<": 4171756, "<=": 4171754, "=": 4172703, ">=": 4171755, ">": 4172704})

RESULT_WORD: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("negative", "neg", "-ve"), "260385009"),
        **dict.fromkeys(("positive", "pos", "+ve"), "10828004"),
        **dict.fromkeys(("not detected", "undetected", "none detected", "not found"), "260415000"),
        **dict.fromkeys(("detected", "found"), "260373001"),
        **dict.fromkeys(("absent", "nil"), "2667000"),
        "present": "52101004",
        **dict.fromkeys(("non-reactive", "non reactive", "nonreactive"), "131194007"),
        "reactive": "11214006",
        "trace": "260405006",
        **dict.fromkeys(("indeterminate", "inconclusive"), "82334004"),
        "equivocal": "42425007",
        "normal": "17621005",
        "abnormal": "263654008",
    }
)
"""Results that are a word, in lower case, and SNOMED CT's code of what they say."""

CONDITION_STATUS: Mapping[str, int] = MappingProxyType(
    {
        "primary": 32902,
        "secondary": 32908,
        "admission": 32890,
        "primary admission": 32901,
        "secondary admission": 32907,
        "discharge": 32896,
        "primary discharge": 32903,
        "secondary discharge": 32909,
        "confirmed": 32893,
        "preliminary": 32899,
        "provisional": 32899,
        "differential": 32899,
        "unconfirmed": 32899,
        "resolved": 32906,
        "cause of death": 32891,
        "immediate cause of death": 32897,
        "contributory cause of death": 32894,
        "underlying cause of death": 32911,
    }
)
"""Words for ``condition_status_concept_id``; among them those of FHIR that say that a diagnosis is not certain."""

ROUTE: Mapping[str, int] = MappingProxyType(
    {
        "oral": 4132161,
        "intravenous": 4171047,
        "intramuscular": 4302612,
        "subcutaneous": 4142048,
        "topical": 4263689,
        "inhalation": 45956874,
        "ophthalmic": 4184451,
        "nasal": 4262914,
        "rectal": 4290759,
        "vaginal": 4057765,
        "transdermal": 4262099,
        "sublingual": 4292110,
    }
)

NOTE_ENCODING_UTF8 = 32678
LANGUAGE_ENGLISH = 4180186

UNIT: Mapping[str, int] = MappingProxyType(
    {
        "%": 8554,
        "%{HbA1c}": 9225,
        "/min": 8541,
        "/uL": 8647,
        "1": 32912,
        "10*12/L": 8734,
        "10*3/uL": 8848,
        "10*6/uL": 8815,
        "10*9/L": 9444,
        "Cel": 586323,
        "L": 8519,
        "L/min": 8698,
        "U/L": 8645,
        "[IU]/L": 8923,
        "[degF]": 9289,
        "[in_i]": 9327,
        "[lb_av]": 8739,
        "[pH]": 8482,
        "a": 9448,
        "cm": 8582,
        "d": 8512,
        "fL": 8583,
        "g": 8504,
        "g/L": 8636,
        "g/dL": 8713,
        "h": 8505,
        "kPa": 44777602,
        "kg": 9529,
        "kg/m2": 9531,
        "m": 9546,
        "mL": 8587,
        "mL/min": 8795,
        "mL/min/{1.73_m2}": 720870,
        "mg": 8576,
        "mg/L": 8751,
        "mg/dL": 8840,
        "mg/g": 8723,
        "mg/mmol": 44777612,
        "min": 8550,
        "mm": 8588,
        "mm/h": 8752,
        "mm[Hg]": 8876,
        "mmol": 9573,
        "mmol/L": 8753,
        "mmol/mol": 9579,
        "mo": 9580,
        "ng/L": 8725,
        "ng/mL": 8842,
        "nmol/L": 8736,
        "pg": 8564,
        "pg/mL": 8845,
        "pmol/L": 8729,
        "s": 8555,
        "ug": 9655,
        "ug/L": 8748,
        "umol/L": 8749,
        "wk": 8511,
        "{ratio}": 8523,
        "{score}": 44777566,
        "{tbl}": 9431,
    }
)
"""UCUM code to concept."""

UNIT_SPELLING: Mapping[str, str] = MappingProxyType(
    {
        "mmhg": "mm[Hg]",
        "mm hg": "mm[Hg]",
        "kgs": "kg",
        "kilograms": "kg",
        "kg/m^2": "kg/m2",
        "kg/m²": "kg/m2",
        "kg/sqm": "kg/m2",
        "percent": "%",
        "beats/min": "/min",
        "{beats}/min": "/min",
        "bpm": "/min",
        "breaths/min": "/min",
        "{breaths}/min": "/min",
        "/minute": "/min",
        "per minute": "/min",
        "mmol/l": "mmol/L",
        "mmol per l": "mmol/L",
        "umol/l": "umol/L",
        "µmol/l": "umol/L",
        "μmol/l": "umol/L",
        "micromol/l": "umol/L",
        "nmol/l": "nmol/L",
        "pmol/l": "pmol/L",
        "mmol/mol hb": "mmol/mol",
        "mg/dl": "mg/dL",
        "mg/l": "mg/L",
        "g/l": "g/L",
        "g/dl": "g/dL",
        "ug/l": "ug/L",
        "µg/l": "ug/L",
        "ng/ml": "ng/mL",
        "ng/l": "ng/L",
        "pg/ml": "pg/mL",
        "iu/l": "[IU]/L",
        "u/l": "U/L",
        "10*9/l": "10*9/L",
        "10^9/l": "10*9/L",
        "x10^9/l": "10*9/L",
        "10*12/l": "10*12/L",
        "10^12/l": "10*12/L",
        "x10^12/l": "10*12/L",
        "fl": "fL",
        "ml/min": "mL/min",
        "ml/min/1.73m2": "mL/min/{1.73_m2}",
        "ml/min/1.73m^2": "mL/min/{1.73_m2}",
        "ml/min/1.73 m2": "mL/min/{1.73_m2}",
        "ml/min/{1.73_m2}": "mL/min/{1.73_m2}",
        "deg c": "Cel",
        "degrees c": "Cel",
        "°c": "Cel",
        "celsius": "Cel",
        "kpa": "kPa",
        "ml": "mL",
        "l": "L",
        "l/min": "L/min",
        "litres": "L",
        "metres": "m",
        "cms": "cm",
        "mm/hr": "mm/h",
        "years": "a",
        "year": "a",
        "months": "mo",
        "month": "mo",
        "weeks": "wk",
        "week": "wk",
        "days": "d",
        "day": "d",
        "hours": "h",
        "hour": "h",
        "minutes": "min",
        "seconds": "s",
        "tablet": "{tbl}",
        "tablets": "{tbl}",
        "ratio": "{ratio}",
        "score": "{score}",
    }
)
"""Common spellings, in lower case, of UCUM codes (which are case-sensitive and tried first)."""

TABLE_OF_DOMAIN: Mapping[str, str] = MappingProxyType(
    {
        "Condition": "condition_occurrence",
        "Condition/Meas": "condition_occurrence",
        "Condition/Obs": "condition_occurrence",
        "Condition/Procedure": "condition_occurrence",
        "Condition/Device": "condition_occurrence",
        "Drug": "drug_exposure",
        "Drug/Measurement": "drug_exposure",
        "Drug/Procedure": "drug_exposure",
        "Procedure": "procedure_occurrence",
        "Measurement": "measurement",
        "Meas/Procedure": "measurement",
        "Measurement/Obs": "measurement",
        "Device": "device_exposure",
        "Device/Drug": "device_exposure",
        "Device/Obs": "device_exposure",
        "Device/Procedure": "device_exposure",
        "Specimen": "specimen",
    }
)
"""Table that the domain of a standard concept leads to; every other domain leads to observation."""
