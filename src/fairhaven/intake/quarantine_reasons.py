"""Why a row of a delivered table is put in quarantine: the condition as a DuckDB expression, and the reason in words.

They look at what `type_casting.typed` has beside the typed columns: the text of each as delivered, ``row_text_0`` on.
"""

import datetime as dt
from collections.abc import Iterator

from fairhaven.engine.sql import identifier, literal
from fairhaven.intake.model import ColumnDeclaration, TableDeclaration

EARLIEST = dt.date(1850, 1, 1)
LATEST = dt.date(2100, 12, 31)
_WRONG = {
    "number": "is not a number",
    "whole": "is not a whole number",
    "date": "is not a date in a declared form",
    "datetime": "is not a date and time in a declared form",
    "time": "is not a time of day",
    "yes-no": "is not yes or no",
}


def quarantine_reasons(declaration: TableDeclaration) -> str:
    """List of ``{field, reason}`` of a row of `type_casting.typed`; NULL for a good row."""
    faults = [
        (condition, column.name, reason)
        for number, column in enumerate(declaration.columns)
        for condition, reason in _faults(number, column, declaration)
    ]
    if not faults:
        return "NULL::STRUCT(field VARCHAR, reason VARCHAR)[]"
    conditions = " OR ".join(condition for condition, _, _ in faults)
    entries = ", ".join(
        f"CASE WHEN {condition} THEN {{'field': {literal(name)}, 'reason': {literal(reason)}}} END"
        for condition, name, reason in faults
    )
    return f"CASE WHEN {conditions} THEN list_filter([{entries}], lambda fault: fault IS NOT NULL) END"


def _faults(number: int, column: ColumnDeclaration, declaration: TableDeclaration) -> Iterator[tuple[str, str]]:
    """(condition as SQL, reason) of each thing that can be wrong with a column's value."""
    if column.is_derived:  # what is wrong with it is said of the column that is delivered
        return
    value = identifier(column.name)
    links = [own for own, _ in declaration.belongs_to.by] if declaration.belongs_to else []
    if column.type != "text" and not column.is_emptied:
        yield f"(row_text_{number} IS NOT NULL AND {value} IS NULL)", _WRONG[column.type]
    if column.is_required or column.name == declaration.patient or column.name in (*declaration.key, *links):
        yield f"(row_text_{number} IS NULL)", "is missing"
    if column.type == "text":
        # Lines of text with one are quarantined before; Parquet and JSON may hold one, too, and no SQL text may.
        yield f"coalesce(contains({value}, chr(0)), false)", "holds a NUL byte"
    if column.type in ("date", "datetime") and not column.is_emptied:
        earliest, latest = column.earliest or EARLIEST, column.latest or LATEST
        yield f"coalesce(NOT ({is_within(value, column)}), false)", f"is not between {earliest} and {latest}"


def is_within(value: str, column: ColumnDeclaration) -> str:
    """SQL: whether a day or moment is one that its column may have; NULL for NULL."""
    after = (column.latest or LATEST) + dt.timedelta(days=1)
    return f"{value} >= DATE '{column.earliest or EARLIEST}' AND {value} < DATE '{after}'"


def emptied_counts(declaration: TableDeclaration) -> dict[str, str]:
    """Column -> SQL over rows of `type_casting.typed`: how many have a value there that did not fit and is empty."""
    return {
        column.name: f"count(*) FILTER (row_text_{number} IS NOT NULL AND {identifier(column.name)} IS NULL)"
        for number, column in enumerate(declaration.columns)
        if column.is_emptied
    }
