"""In which version of FHIR a resource is written, and a file.

A resource may be of a version where nothing in it is of another only, and nothing that the version never has. Of most resources that says
nothing: those are alike in every version. What a profile says is heard where the elements say nothing, because a resource that was turned
from one version into another often keeps its profile.
"""

from collections.abc import Mapping
from types import MappingProxyType

from fairhaven.engine.sql import literal
from fairhaven.intake.fhir.element_changes import Sign
from fairhaven.intake.fhir.version_changes import CHANGES, DSTU2, DSTU2_TYPES, FURTHER_TYPES
from fairhaven.intake.model import FhirVersion

BITS: Mapping[FhirVersion, int] = MappingProxyType({FhirVersion.STU3: 1, FhirVersion.R4: 2, FhirVersion.R5: 4})
"""A resource's versions are a sum of these."""
ANY = sum(BITS.values())
OF_DSTU2 = 8

_PROFILES: Mapping[FhirVersion, str] = {
    FhirVersion.STU3: r"/STU3/|/CareConnect-|hl7\.org/fhir/3\.0/",
    FhirVersion.R4: r"/R4B?/|/UKCore-|hl7\.org/fhir/4\.[03]/",
    FhirVersion.R5: r"/R5/|hl7\.org/fhir/5\.0/",
}
"""What is in the address of a profile of a version."""
_NUMBERS: Mapping[str, int] = {"1.": OF_DSTU2, "3.": 1, "4.": 2, "5.": 4}
"""How the number of a version begins, as a CapabilityStatement says it."""


def sign_paths(resource: str) -> list[str]:
    """JSON paths of what tells a resource's version."""
    return list(dict.fromkeys(sign.path for sign in _signs(resource)))


def versions_sql(resource: str) -> str:
    """SQL over ``kinds``, the JSON types of what is at `sign_paths`: the versions in which the resource may be written."""
    if not (paths := sign_paths(resource)):
        return str(ANY)

    def is_any(signs: list[Sign]) -> str:
        tests = (
            f"list_contains({list(sign.types)}, kinds[{paths.index(sign.path) + 1}])" for sign in dict.fromkeys(signs)
        )
        return f"coalesce({' OR '.join(tests)}, false)" if signs else "false"

    tells = {version: is_any(_telling(resource, version)) for version in BITS}
    denies = {version: is_any(_denying(resource, version)) for version in BITS}
    parts = []
    for version, bit in BITS.items():
        others = [tells[other] for other in BITS if other is not version and tells[other] != "false"]
        is_out = " OR ".join([*others, denies[version]])
        parts.append(f"CASE WHEN {is_out} THEN 0 ELSE {bit} END")
    return f"CASE WHEN {is_any(list(DSTU2.get(resource, ())))} THEN {OF_DSTU2} ELSE {' + '.join(parts)} END"


def vote_sql(resource: str) -> str:
    """SQL over ``versions`` and ``r``: the versions that the resource speaks for, with what its profile says."""
    profile = "array_to_string(r.meta.profile, ' ')"
    said = [f"WHEN versions <> {ANY} THEN versions"]
    if resource == "CapabilityStatement":
        said += [f"""WHEN starts_with(r."fhirVersion", '{number}') THEN {bit}""" for number, bit in _NUMBERS.items()]
    said += [
        f"WHEN regexp_matches({profile}, {literal(pattern)}) THEN {BITS[version]}"
        for version, pattern in _PROFILES.items()
    ]
    return f"CASE {' '.join(said)} ELSE {ANY} END"


def versions_of_type(resource: str) -> int:
    """The versions that have a resource type which R4 does not have; 0 for none."""
    if resource in DSTU2_TYPES:
        return OF_DSTU2
    return sum(BITS[version] for version, types in FURTHER_TYPES.items() if resource in types)


def version_of(votes: Mapping[int, int]) -> tuple[FhirVersion, bool]:
    """The version of a file, and whether it tells: R4 where it does not, or where as much speaks for others.

    Args:
        votes: versions as `vote_sql` has them -> resources.
    """
    support = {
        version: sum(number for versions, number in votes.items() if versions != ANY and versions & bit)
        for version, bit in BITS.items()
    }
    most = max(support.values())
    first = [version for version, number in support.items() if number == most]
    return (first[0], True) if len(first) == 1 else (FhirVersion.R4, False)


def named(versions: int) -> str:
    """Versions in words: ``STU3 or R4``."""
    if versions == OF_DSTU2:
        return "DSTU2"
    return " or ".join(version for version, bit in BITS.items() if versions & bit)


def _telling(resource: str, version: FhirVersion) -> list[Sign]:
    return [change.sign for change in CHANGES[version].get(resource, ()) if change.sign]


def _denying(resource: str, version: FhirVersion) -> list[Sign]:
    return [change.denial for change in CHANGES[version].get(resource, ()) if change.denial]


def _signs(resource: str) -> list[Sign]:
    own = [sign for version in BITS for sign in (*_telling(resource, version), *_denying(resource, version))]
    return [*own, *DSTU2.get(resource, ())]
