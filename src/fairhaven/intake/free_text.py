"""Fields that hold free text: it does not land, unless the source or its mapping says that it is coded there."""

from collections.abc import Mapping
from types import MappingProxyType

from fairhaven.engine.sql import identifier
from fairhaven.intake.model import ColumnDeclaration, Format, ReadTexts, Source
from fairhaven.intake.row_links import CDM_NUMBERS

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
_NOTHING = ReadTexts(plain=frozenset(), free=frozenset())
_WORDS = "code_text"
"""What the columns of FHIR end in that hold a concept's words."""


def is_free_text_sql(source: Source, table: str, column: str) -> str:
    """SQL over the staged row ``r``: whether what stands in a column of a source's table is free text; empty where it never is.

    The words of a FHIR concept are free text where it has no code. What is free in delimited text and Parquet the mapping says.
    """
    reads = (source.reads or {}).get(table)
    if reads and column in reads.free:
        return "true"
    if f"{table}.{column}" in source.coded:
        return ""
    if column in _FREE_TEXT.get(source.format, frozenset()):
        return "true"
    if source.format is Format.FHIR and column.endswith(_WORDS):
        return f"r.{identifier(column.removesuffix('_text'))} IS NULL"
    return ""


def is_unread(source: Source, table: str, column: ColumnDeclaration) -> bool:
    """Whether a column holds texts that no rule reads, nor the hub itself: whatever they are, they need not land. So of a CDM's table of
    which nothing is read with all but the numbers of rows."""
    reads = source.reads.get(table, _NOTHING) if source.reads is not None else None
    if reads is None:
        return False
    is_read = column.name in reads.plain.union(reads.free)
    if source.format is Format.OMOP:
        return column.name not in CDM_NUMBERS and not is_read and (column.type == "text" or reads is _NOTHING)
    declared = source.tables.get(table)
    if not declared or not declared.column(column.name) or column.type != "text":
        return False
    type_1 = source.type_1_of(table)
    ours = {*declared.key, declared.patient, declared.withdrawn_column}
    return not is_read and column.name not in ours.union([type_1.column, type_1.date] if type_1 else [])


def may_be_free(form: Format, column: str) -> bool:
    """Whether a column of a format holds free text where nothing else is declared."""
    return column in _FREE_TEXT.get(form, frozenset()) or (form is Format.FHIR and column.endswith(_WORDS))


def free_columns(form: Format) -> tuple[str, ...]:
    """Those columns as a message names them; empty for a format whose free text its mapping tells."""
    named = sorted(_FREE_TEXT.get(form, frozenset()))
    return (*named, f"*{_WORDS}") if form is Format.FHIR else tuple(named)
