"""Which concepts the codes and words of generated facts are, by OHDSI's vocabularies and the concepts that the pages name."""

from collections.abc import Mapping, Sequence

PROGRESS_NOTE, ALLERGY_TO_PENICILLIN, ACTIVE, UPPER_ARM, CARDIOLOGY, CARDIOLOGY_OF_NUCC = range(2001, 2007)
"""Concepts besides those of `harmonise_cases`."""
# concept_id, name, domain, vocabulary, class, standard, code
FURTHER_CONCEPTS = (
    (PROGRESS_NOTE, "Progress note", "Meas Value", "LOINC", "Clinical Observation", "S", "11506-3"),
    (ALLERGY_TO_PENICILLIN, "Allergy to penicillin", "Observation", "SNOMED", "Clinical Finding", "S", "91936005"),
    (ACTIVE, "Active", "Meas Value", "SNOMED", "Qualifier Value", "S", "55561003"),
    (UPPER_ARM, "Left upper arm structure", "Spec Anatomic Site", "SNOMED", "Body Structure", "S", "368208006"),
    (CARDIOLOGY, "Cardiology", "Provider", "Medicare Specialty", "Physician Specialty", "S", "06"),
    (CARDIOLOGY_OF_NUCC, "Cardiovascular Disease Physician", "Provider", "NUCC", "Provider", None, "207RC0000X"),
)
FURTHER_RELATIONSHIPS = ((CARDIOLOGY_OF_NUCC, CARDIOLOGY, "Maps to"),)

# vocabulary and code -> (domain's table, concept, source concept, value concept) for each row that the code gives
CODES: Mapping[tuple[str, str], Sequence[tuple[str, int, int, int | None]]] = {
    ("SNOMED", "195967001"): [("condition_occurrence", 317009, 317009, None)],
    ("SNOMED", "44054006"): [("condition_occurrence", 201826, 201826, None)],
    ("ICD10", "J45.9"): [("condition_occurrence", 317009, 45548118, None)],
    ("ICD10", "E11.9"): [("condition_occurrence", 201826, 45591560, None)],
    ("ICD10", "E14.9"): [
        ("condition_occurrence", 201826, 45600000, None),
        ("condition_occurrence", 317009, 45600000, None),
    ],
    ("ICD10", "R69"): [("condition_occurrence", 0, 45600002, None)],
    ("ICD10", "X99.9"): [("condition_occurrence", 0, 0, None)],
    ("ICD10", "Z83.3"): [("observation", 4167217, 45600001, 201826)],
    ("LOINC", "8480-6"): [("measurement", 3004249, 3004249, None)],
    ("SNOMED", "229819007"): [("observation", 4275495, 4275495, None)],
    ("SNOMED", "76009000"): [("procedure_occurrence", 4181583, 4181583, None)],
    ("RxNorm", "861007"): [("drug_exposure", 40163924, 40163924, None)],
    ("RxNorm", "6809"): [("drug_exposure", 1503297, 1503297, None)],
    ("SNOMED", "69805005"): [("device_exposure", 4217646, 4217646, None)],
    ("SNOMED", "303607000"): [("device_exposure", 0, 0, None)],
    ("SNOMED", "119297000"): [("specimen", 4171373, 0, None)],
    ("SNOMED", "91936005"): [("observation", ALLERGY_TO_PENICILLIN, ALLERGY_TO_PENICILLIN, None)],
    ("RxNorm", "4"): [("observation", 0, 0, None)],
    ("LOINC", "11506-3"): [("note", PROGRESS_NOTE, 0, None)],
    ("LOINC", "34117-2"): [("note", 0, 0, None)],
    ("", ""): [("payer_plan_period", 0, 0, None)],
}
INGREDIENT = 1503297
"""Of both drugs."""
SEX = {"male": 8507, "female": 8532, "unknown": 0}
RACE = {"A": 8527}
STATUS = {"active": 0, "provisional": 32899, "resolved": 32906}
OPERATOR = {"<": 4171756, "<=": 4171754, ">=": 4171755, ">": 4172704}
UNIT = {"mm[Hg]": 8876, "kPa": 44777602, "mL": 8587}
VALUE = {"10828004": 4184633}
SUBSTANCE = {"6809": INGREDIENT}
SITE = {"368208006": UPPER_ARM}
SPECIALTY = {"207RC0000X": (CARDIOLOGY, CARDIOLOGY_OF_NUCC)}
ALLERGY = {
    "allergy food": 4188027,
    "allergy medication": 439224,
    "allergy environment": 4144450,
    "intolerance food": 4340252,
    "intolerance medication": 4240582,
    "intolerance environment": 4172024,
    "intolerance biologic": 36684107,
}
"""The kind of an allergy to a substance; what is not here is one to whatever it be."""
ANY_ALLERGY = 43530807
ALLERGY_STATUS = {"active": ("55561003", ACTIVE), "inactive": ("73425007", 0), "resolved": ("413322009", 0)}
TYPE = {"prescription": 32838, "dispensing": 32825, "administration": 32818, "statement": 32865}
EHR, EHR_NOTE = 32817, 32831
UTF_8, ENGLISH, WITHHELD = 32678, 4180186, "[withheld until de-identified]"
USUAL = {"prescription": 30, "dispensing": 30}
"""Days that an exposure lasts of which nothing is said (Themis 57)."""
