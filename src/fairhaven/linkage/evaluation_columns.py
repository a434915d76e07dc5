"""Which column of a stranger's file is what: headers in the words people use, and truth in the forms it comes in."""

import re
from collections.abc import Mapping, Sequence

from fairhaven.kernel.errors import Fault

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "nhs_number": (
        "nhs_number", "nhsnumber", "nhs_no", "nhsno", "soc_sec_id", "ssn", "social_security_number", "national_id",
        "nationalid", "national_identifier", "chi", "chi_number", "hcn", "health_card_number", "pps", "id_number",
    ),
    "given_name": (
        "given_name", "givenname", "first_name", "firstname", "fname", "first", "forename", "forename1", "forenames",
        "given", "given_names", "name_first", "person_forename",
    ),
    "middle_name": ("middle_name", "middlename", "mname", "middle", "second_name", "forename2", "name_middle"),
    "family_name": (
        "family_name", "familyname", "surname", "last_name", "lastname", "lname", "last", "family", "name_last",
        "person_surname",
    ),
    "full_name": ("full_name", "fullname", "name", "person_name", "patient_name"),
    "birth_date": (
        "birth_date", "birthdate", "dob", "date_of_birth", "dateofbirth", "birth_dt", "birthday", "person_birth_date",
    ),
    "birth_year": ("birth_year", "year_of_birth", "yob", "byear", "by"),
    "birth_month": ("birth_month", "month_of_birth", "mob", "bmonth", "bm"),
    "birth_day": ("birth_day", "day_of_birth", "bday", "bd"),
    "sex": ("sex", "gender", "sex_at_birth", "gender_code", "person_stated_gender_code"),
    "postcode": (
        "postcode", "post_code", "postal_code", "postalcode", "zip", "zipcode", "zip_code", "postcode_fake", "plz",
    ),
    "street_number": ("street_number", "house_number", "streetnumber", "house_no", "number"),
    "address": (
        "address", "address_1", "address1", "address_line_1", "addressline1", "street", "street_name", "street_address",
        "addr", "addr1", "home_address",
    ),
    "suburb": ("suburb", "locality", "address_2", "address2", "address_line_2", "district"),
    "city": ("city", "town", "city_town", "municipality"),
    "state": ("state", "county", "region", "province"),
    "birth_place": ("birth_place", "birthplace", "place_of_birth", "pob"),
    "occupation": ("occupation", "job", "profession"),
    "email": ("email", "e_mail", "email_address", "mail"),
    "phone": ("phone", "phone_number", "telephone", "mobile", "tel", "phone_no"),
}  # fmt: skip
"""What a column means -> headers it goes under, in the order of preference (lower case, blanks and dashes as _)."""

EXTRAS = ("suburb", "city", "state", "birth_place", "occupation", "email", "phone")
"""Meanings that a hub's identity records have no column for; a trial compares them as text."""

_NAMES = ("given_name", "family_name", "full_name")


def normal(header: str) -> str:
    """A header as `SYNONYMS` writes it: ``First Name`` and ``firstName`` become ``first_name``."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header.strip())
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def recognise(headers: Sequence[str], *, truth: str, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Meaning -> header, for the headers of one file.

    Args:
        headers: as in the file.
        truth: the column of the truth, which is never compared.
        given: meaning -> header as the user states it; it comes before what is recognised.
    """
    here = {normal(header): header for header in reversed(headers) if header != truth}
    meanings = {meaning: header for meaning, header in (given or {}).items() if header in headers}
    taken = set(meanings.values())
    for meaning, names in SYNONYMS.items():
        found = next((here[name] for name in names if name in here and here[name] not in taken), None)
        if meaning not in meanings and found is not None:
            meanings[meaning] = found
            taken.add(found)
    return meanings


def faults_of(headers: Sequence[str], *, truth: str, given: Mapping[str, str], path: str) -> list[Fault]:
    """Everything that keeps a file from being tried."""
    shown = ", ".join(headers)
    faults = []
    if truth not in headers:
        faults.append(Fault(message=f"has no column {truth!r} to take the truth from; it has: {shown}", path=path))
    for meaning, header in given.items():
        if meaning not in SYNONYMS:
            faults.append(
                Fault(message=f"is not something persons are compared by (known: {', '.join(SYNONYMS)})", field=meaning)
            )
        elif header not in headers:
            faults.append(Fault(message=f"has no column {header!r} for {meaning}; it has: {shown}", path=path))
    found = recognise(headers, truth=truth, given=given)
    if not any(name in found for name in _NAMES):
        faults.append(
            Fault(
                message=f"has no column recognised as a name; say which it is (given_name=...). It has: {shown}",
                path=path,
            )
        )
    if len(found) < 2:
        faults.append(Fault(message=f"has fewer than two columns to compare persons by; it has: {shown}", path=path))
    return faults
