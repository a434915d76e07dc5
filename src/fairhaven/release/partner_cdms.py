"""What a partner's CDM says of itself in words, and where that contradicts what is known."""

import re
from collections.abc import Iterator

from fairhaven.release.facts import PartnerCdm

_READ = ("5.3", "5.4")
_NUMBER = re.compile(r"(?<![0-9.])([0-9]+\.[0-9]+)")
_VERSION = r"v?[0-9]\.[0-9]{1,2}(?:\.[0-9])?(?!\.?[0-9])|v?[0-9](?=\.?x?$)"
_DAY = (
    "[0-3]?[0-9]-(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)-(?:20)?[1-3][0-9]"
    "|20[1-3][0-9](?P<dash>-?)[01][0-9](?P=dash)[0-3][0-9]"
)
_SHAPED = re.compile(f"(?:{_VERSION})(?: +(?:{_DAY}))?|{_DAY.replace('dash', 'alone')}", re.IGNORECASE)
_WITHIN = re.compile(f"(?<![0-9.])(?:{_VERSION})", re.IGNORECASE)
_ANOTHER = "another text"


def version_said(text: str) -> str:
    """A version as a CDM says it (``v5.0 31-AUG-23``, ``5.3``, ``v5.4.1``) or a day since 2010; of any other text the version in it alone.

    The field is free text of somebody else's, and what is kept of it stands in a release for good: nothing that can hold a person may.
    """
    text = text.strip()
    if _SHAPED.fullmatch(text):
        return text
    found = _WITHIN.search(text)
    return f"{found[0]} in {_ANOTHER}" if found else _ANOTHER


def said(cdm: PartnerCdm) -> str:
    """One sentence of what it says."""
    if not cdm.rows:
        named = _listed(cdm.vocabulary_versions)
        vocabulary = f"; its VOCABULARY is {named}" if named else ""
        return f"has no CDM_SOURCE, so it does not say what version of the CDM it is, nor when and how it was made{vocabulary}"
    parts = [
        f"CDM {_listed(cdm.cdm_versions) or 'without a version'}",
        f"vocabulary {_listed(cdm.vocabulary_versions) or 'not named'}",
        f"released {cdm.cdm_released_on or 'on no day'} from data of {cdm.source_released_on or 'no day'}",
        *(f"ETL {reference}" for reference in cdm.etl_references),
    ]
    return f"says of itself: {', '.join(parts)}"


def contradictions(cdm: PartnerCdm, *, vocabulary: str = "") -> Iterator[str]:
    """What does not fit together; each a sentence that follows the name of the CDM.

    Args:
        vocabulary: version of the hub's own; empty where it is not to be compared.
    """
    if cdm.rows > 1:
        yield f"has {cdm.rows:,} rows in CDM_SOURCE, where a CDM has one"
    for version in cdm.cdm_versions:
        number = _NUMBER.search(version)
        if number is None or number[1] not in _READ:
            yield f"says CDM {version}, which is neither 5.3 nor 5.4; its tables were read by the names of their columns"
        elif cdm.shapes and number[1] not in cdm.shapes:
            yield f"says CDM {version}, and its tables have columns of {_listed(cdm.shapes)}; they were read by their names"
    for table, rows in cdm.shared_keys.items():
        yield f"has {rows:,} rows in {table} whose primary key others have too, which differ; each was taken as a row of its own"
    if cdm.other_births:
        yield f"has {cdm.other_births:,} rows in person whose birth_datetime is not of their year, month and day of birth; these count"
    if {"5.3", "5.4"} <= set(cdm.shapes):
        yield "has columns of CDM 5.3 and of 5.4 side by side"
    if "6.0" in cdm.shapes:
        yield "has deaths in PERSON, as CDM 6.0, and these were not read; deliver them as DEATH"
    if len(cdm.vocabulary_versions) > 1:
        yield f"names several versions of the vocabulary: {_listed(cdm.vocabulary_versions)}"
    others = [version for version in cdm.vocabulary_versions if _plain(version) != _plain(vocabulary)]
    if vocabulary and others:
        yield f"was made with vocabulary {_listed(others)}, and this hub's is {vocabulary}"


def _listed(texts: tuple[str, ...] | list[str]) -> str:
    return " and ".join(texts)


def _plain(version: str) -> str:
    """A version without what is written in different ways: ``v5.0 27-AUG-2015`` and ``V5.0  27-aug-15``."""
    return re.sub(r"-20([0-9]{2})\b", r"-\1", "".join(version.split()).casefold())
