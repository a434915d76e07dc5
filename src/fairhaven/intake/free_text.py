"""Fields of standard formats that hold free text: it does not land, unless the source declares that it is coded there."""

from collections.abc import Mapping
from types import MappingProxyType

from fairhaven.engine.sql import identifier
from fairhaven.intake.model import Format, Source

_FREE_TEXT: Mapping[Format, frozenset[str]] = MappingProxyType(
    {
        Format.FHIR: frozenset({"value_text", "value_samples", "lot_number"}),
        Format.OMOP: frozenset(
            {
                *("value_as_string", "value_source_value", "sig", "stop_reason"),
                *("unique_device_id", "production_id", "lot_number"),
            }
        ),
    }
)
_WORDS = "code_text"
"""What the columns of FHIR end in that hold a concept's words."""


def is_free_text_sql(source: Source, table: str, column: str) -> str:
    """SQL over the staged row ``r``: whether what stands in a column of a source's table is free text; empty where it never is.

    The words of a FHIR concept are free text where it has no code. What is free in delimited text and Parquet the mapping says.
    """
    if f"{table}.{column}" in source.coded:
        return ""
    if column in _FREE_TEXT.get(source.format, frozenset()):
        return "true"
    if source.format is Format.FHIR and column.endswith(_WORDS):
        return f"r.{identifier(column.removesuffix('_text'))} IS NULL"
    return ""


def may_be_free(form: Format, column: str) -> bool:
    """Whether a column of a format holds free text where nothing else is declared."""
    return column in _FREE_TEXT.get(form, frozenset()) or (form is Format.FHIR and column.endswith(_WORDS))


def free_columns(form: Format) -> tuple[str, ...]:
    """Those columns as a message names them; empty for a format whose free text its mapping tells."""
    named = sorted(_FREE_TEXT.get(form, frozenset()))
    return (*named, f"*{_WORDS}") if form is Format.FHIR else tuple(named)
