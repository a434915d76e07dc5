"""What may be done with data, in the words of the Data Use Ontology of GA4GH (DUO, EBISPOT/DUO of 2022-09-21).

Of its 23 terms five are permissions, of which a dataset has one, and 18 are modifiers. PUB, COL, RTN and MOR are no
conditions of reading but duties, each with a day; RS is the one that only a person can judge.
"""

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator

from fairhaven.access.terms.term_fields import Country, Distinct, Months, Name, TermNoun, Words, refuse
from fairhaven.access.terms.term_words import DecidedBy, UsePurpose


class DuoPermission(StrEnum):
    """What a dataset may be used for at all."""

    meaning: str
    identifier: str

    NRES = "NRES", "no restriction", "DUO:0000004"
    GRU = "GRU", "any research", "DUO:0000042"
    HMB = "HMB", "health, medical or biomedical research, not population origins or ancestry", "DUO:0000006"
    DS = "DS", "research into the diseases named, and those below them in the vocabulary", "DUO:0000007"
    POA = "POA", "research into population origins or ancestry only", "DUO:0000011"

    def __new__(cls, code: str, meaning: str, identifier: str) -> Self:
        """A permission with its meaning and its identifier in the ontology."""
        made = str.__new__(cls, code)
        made._value_ = code
        made.meaning, made.identifier = meaning, identifier
        return made


class DuoModifier(StrEnum):
    """A further condition or duty."""

    meaning: str
    identifier: str
    decided_by: DecidedBy
    is_duty: bool

    CC = "CC", "use for clinical care is allowed", "DUO:0000043"
    COL = "COL", "collaboration with the study's investigators is required", "DUO:0000020"
    GS = "GS", "use only in the places named", "DUO:0000022"
    GSO = "GSO", "genetic studies only", "DUO:0000016"
    IRB = "IRB", "approval by an ethics committee is required", "DUO:0000021"
    IS = "IS", "use only by the organisations named", "DUO:0000028"
    MOR = "MOR", "no results are published before a day", "DUO:0000024"
    NCU = "NCU", "no commercial use", "DUO:0000046"
    NMDS = "NMDS", "no development of methods", "DUO:0000015"
    NPOA = "NPOA", "no research into population origins or ancestry", "DUO:0000044"
    NPU = "NPU", "use only by organisations that do not seek profit", "DUO:0000045"
    NPUNCU = "NPUNCU", "use only by organisations that do not seek profit, and not commercially", "DUO:0000018"
    PS = "PS", "use only by the projects named", "DUO:0000027"
    PUB = "PUB", "results are made public", "DUO:0000019"
    RS = "RS", "use only for the kind of research described", "DUO:0000012"
    RTN = "RTN", "derived data come back", "DUO:0000029"
    TS = "TS", "use only for so many months", "DUO:0000025"
    US = "US", "use only by people who were approved by name", "DUO:0000026"

    def __new__(cls, code: str, meaning: str, identifier: str) -> Self:
        """A modifier with its meaning and its identifier in the ontology."""
        made = str.__new__(cls, code)
        made._value_ = code
        made.meaning, made.identifier = meaning, identifier
        made.is_duty = code in {"COL", "MOR", "PUB", "RTN"}
        made.decided_by = DecidedBy.PERSON if code == "RS" else DecidedBy.MACHINE
        return made


class Disease(TermNoun):
    """A disease as a concept of the OMOP vocabulary."""

    concept_id: Annotated[
        int, Field(ge=1, description="Identifier of the standard concept in the hub's vocabulary."), DecidedBy.MACHINE
    ]
    name: Annotated[Words, Field(description="Its name, for people."), DecidedBy.TOLD]


class DataUse(TermNoun):
    """Data use in the terms of GA4GH's Data Use Ontology."""

    permission: Annotated[
        DuoPermission,
        Field(description="What the data may be used for at all. One of DUO's permissions."),
        DecidedBy.MACHINE,
    ]
    modifiers: Annotated[
        tuple[DuoModifier, ...],
        Distinct,
        Field(description="Further conditions and duties. DUO's modifiers."),
        DecidedBy.MACHINE,
    ] = ()
    diseases: Annotated[
        tuple[Disease, ...],
        Distinct,
        Field(
            description="Diseases that use is limited to. For DS; each includes all diseases below it in the vocabulary."
        ),
        DecidedBy.MACHINE,
    ] = ()
    places: Annotated[
        tuple[Country, ...],
        Distinct,
        Field(description="Places in which alone the data may be used. For GS."),
        DecidedBy.MACHINE,
    ] = ()
    institutions: Annotated[
        tuple[Words, ...],
        Distinct,
        Field(description="Organisations that alone may use the data. For IS; ODS or ROR codes."),
        DecidedBy.MACHINE,
    ] = ()
    projects: Annotated[
        tuple[Name, ...],
        Distinct,
        Field(description="Projects that alone may use the data. For PS."),
        DecidedBy.MACHINE,
    ] = ()
    months: Annotated[
        Months | None,
        Field(description="Months after which use ends. For TS; from the day the agreement is signed."),
        DecidedBy.MACHINE,
    ] = None
    research: Annotated[
        Words | None, Field(description="Kind of research that use is limited to. For RS."), DecidedBy.PERSON
    ] = None
    publish_within_months: Annotated[
        Months | None,
        Field(description="Months from a project's end within which its results are made public. For PUB."),
        DecidedBy.MACHINE,
    ] = None
    collaborate_with: Annotated[
        Words | None, Field(description="With whom a project must collaborate. For COL."), DecidedBy.PERSON
    ] = None
    collaborate_within_months: Annotated[
        Months | None,
        Field(description="Months from a project's start within which it must collaborate. For COL."),
        DecidedBy.MACHINE,
    ] = None
    return_within_months: Annotated[
        Months | None,
        Field(description="Months from a project's end within which derived data come back. For RTN."),
        DecidedBy.MACHINE,
    ] = None
    no_publication_before: Annotated[
        dt.date | None, Field(description="Day before which no results are published. For MOR."), DecidedBy.MACHINE
    ] = None

    @field_validator("*")
    @classmethod
    def _check_what_belongs_together(cls, value: Any, info: ValidationInfo) -> Any:
        """A term that limits to something says to what, and nothing is said that no term asks for."""
        codes = [code for code, fields in NEEDS.items() if info.field_name in fields]
        if not codes or not {"permission", "modifiers"} <= info.data.keys():
            return value
        [code] = codes
        is_asked = code == info.data["permission"] or code in info.data["modifiers"]
        if is_asked and value in ((), None):
            raise refuse(f"is missing; {code} needs it")
        if value not in ((), None) and not is_asked:
            raise refuse(f"belongs to {code}, which is not said")
        return value


NEEDS = {
    "DS": ("diseases",),
    "GS": ("places",),
    "IS": ("institutions",),
    "PS": ("projects",),
    "TS": ("months",),
    "RS": ("research",),
    "PUB": ("publish_within_months",),
    "COL": ("collaborate_with", "collaborate_within_months"),
    "RTN": ("return_within_months",),
    "MOR": ("no_publication_before",),
}
"""What a term of DUO must be said with: its code -> fields of `DataUse`."""

RESEARCH = frozenset(
    {
        UsePurpose.HEALTH_RESEARCH,
        UsePurpose.POPULATION_ORIGINS,
        UsePurpose.GENETIC_RESEARCH,
        UsePurpose.METHODS_DEVELOPMENT,
        UsePurpose.ARTIFICIAL_INTELLIGENCE,
        UsePurpose.OTHER_RESEARCH,
        UsePurpose.CLINICAL_TRIALS,
    }
)
_HEALTH = frozenset(UsePurpose) - {UsePurpose.POPULATION_ORIGINS, UsePurpose.OTHER_RESEARCH, UsePurpose.CLINICAL_CARE}


def purposes_of(use: DataUse) -> frozenset[UsePurpose]:
    """The purposes that DUO's terms leave, whatever else the terms say."""
    match use.permission:
        case DuoPermission.NRES:
            left = frozenset(UsePurpose)
        case DuoPermission.GRU:
            left = RESEARCH
        case DuoPermission.HMB | DuoPermission.DS:
            left = _HEALTH
        case DuoPermission.POA:
            left = frozenset({UsePurpose.POPULATION_ORIGINS})
    modifiers = frozenset(use.modifiers)
    if DuoModifier.GSO in modifiers:
        left &= {UsePurpose.GENETIC_RESEARCH}
    if DuoModifier.NPOA in modifiers:
        left -= {UsePurpose.POPULATION_ORIGINS}
    if DuoModifier.NMDS in modifiers:
        left -= {UsePurpose.METHODS_DEVELOPMENT}
    if DuoModifier.CC in modifiers:
        left |= {UsePurpose.CLINICAL_CARE}
    return left
