"""The nouns of the linkage room."""

from dataclasses import dataclass

import pyarrow as pa

from fairhaven.release.facts import LinkageSummary

IDENTITY_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("patient_ref", pa.string()),
        ("row_extract", pa.int32()),
        ("nhs_number", pa.string()),
        ("given_name", pa.string()),
        ("family_name", pa.string()),
        ("birth_date", pa.date32()),
        ("sex", pa.string()),
        ("postcode", pa.string()),
        ("address", pa.string()),
        ("ethnicity", pa.string()),
        ("source_links", pa.string()),
        ("birth_part", pa.string()),
    ]
)
"""Identity records as intake hands them to the vault (docs/explanation/the-way-of-the-data.md).

``source_links``: the patient_refs, parted by blanks, whom the source calls the same person as this one (FHIR ``Patient.link``).
``birth_part``: what is known of a birth that has no day (``1950``, ``1950-03``); ``birth_date`` is NULL then.
"""

INDEX_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("patient_ref", pa.string()),
        ("person_id", pa.int64()),
        ("step", pa.string()),
        ("weight", pa.float64()),
    ]
)
"""The index of persons: one row for each patient of each source."""

MERGES_SCHEMA = pa.schema([("person_id", pa.int64()), ("into_person_id", pa.int64())])
"""Persons of the index before that are one now: *person_id* lives on as *into_person_id*."""

SPLITS_SCHEMA = pa.schema([("person_id", pa.int64()), ("new_person_id", pa.int64())])
"""Persons of the index before of whose patients some are now another person, *new_person_id*."""

CLERICAL_SCHEMA = pa.schema(
    [
        ("left_source", pa.string()),
        ("left_patient_ref", pa.string()),
        ("left_person_id", pa.int64()),
        ("right_source", pa.string()),
        ("right_patient_ref", pa.string()),
        ("right_person_id", pa.int64()),
        ("weight", pa.float64()),
    ]
)
"""Pairs of persons left apart whose match weight lies between the two thresholds: for a human to look at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkageResult:
    """The result of `service.link`: tables shaped as the schemas of this module say.

    Args:
        births: ``source, patient_ref, birth_date, first, since``: each day that a record of the person gives as the birth, and not
            already the patient's first: ``first`` is the extract that first names the patient, ``since`` the one in which the patient's
            own records first give the day, NULL where only others' do.
    """

    index: pa.Table
    births: pa.Table
    merges: pa.Table
    splits: pa.Table
    clerical: pa.Table
    summary: LinkageSummary
