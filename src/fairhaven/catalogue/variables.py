"""What kind of variable a CDM field is, which decides what may be said of it."""

from enum import StrEnum

from fairhaven.omop import Field, Table

UNDESCRIBED = frozenset({"cdm_source", "metadata"})
"""Tables about the database, not about anybody."""

_PSEUDONYMS = frozenset(
    {
        "person_source_value",
        "provider_source_value",
        "care_site_source_value",
        "location_source_value",
        "unique_device_id",
        "production_id",
        "specimen_source_id",
        "family_source_value",
    }
)
_WORDS = frozenset(
    {
        "note_title",
        "note_text",
        "note_source_value",
        "snippet",
        "lexical_variant",
        "offset",
        "term_modifiers",
        "sig",
        "provider_name",
        "npi",
        "dea",
        "address_1",
        "address_2",
        "measurement_time",
    }
)


class VariableKind(StrEnum):
    """Kinds of variable."""

    CONCEPT = "concept"
    CATEGORY = "category"
    NUMBER = "number"
    DATE = "date"
    IDENTIFIER = "identifier"
    """A key or a pseudonym: its values mean nothing outside the release, and none is shown."""
    TEXT = "text"
    """Words that somebody wrote: none is ever shown."""


def kind_of(field: Field) -> VariableKind:
    """The kind of a CDM field."""
    if field.is_concept:
        return VariableKind.CONCEPT
    if field.name in _PSEUDONYMS or field.name.startswith("fact_id_"):
        return VariableKind.IDENTIFIER
    if field.name in _WORDS:
        return VariableKind.TEXT
    match field.type:
        case "integer":
            return VariableKind.IDENTIFIER if field.name.endswith("_id") else VariableKind.NUMBER
        case "float":
            return VariableKind.NUMBER
        case "date" | "datetime":
            return VariableKind.DATE
        case _:
            return VariableKind.CATEGORY


def repeats_a_date(field: Field, table: Table) -> bool:
    """True for a time whose day the table holds in a field of its own: its years would be counted twice."""
    return field.type == "datetime" and field.name.removesuffix("time") in table.names
