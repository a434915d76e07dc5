"""Columns of a source's tables, as ``[tables.NAME.columns]`` declares them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from fairhaven.intake.model import IDENTITY, ColumnDeclaration
from fairhaven.intake.type_casting import TYPES
from fairhaven.kernel.numbered_columns import WRONG_RANGE, numbered_columns
from fairhaven.kernel.partial_days import LAST_DAY, LENGTH, known_part, says_week_alone
from fairhaven.kernel.toml import Section

_DIRECTIVES = frozenset([*"aAbBdfgGHIjmMnpSuUVwWyYzZ%", "-d", "-m", "-H", "-I", "-M", "-S", "-j"])
"""Of strptime, as far as DuckDB reads them, and reads them as Python does: ``%x`` and its like are written otherwise in every place."""


def read_columns(section: Section) -> dict[str, ColumnDeclaration]:
    """The declared columns by their names there; ``"DIAG_{01..20}"`` declares twenty of them."""
    columns: dict[str, ColumnDeclaration] = {}
    for key in section.values:
        for name, column in _numbered(key, _column(key, section), section):
            if name in columns:
                section.fault(key, f"declares {name}, which another line declares too")
            columns[name] = column
    _check_twice(columns, section)
    names = {column.name for column in columns.values()}
    for key, column in list(columns.items()):
        for derived in list(with_derived(column))[1:]:
            if derived.name in names:
                what = "how much of it is known" if derived.length_of else "its last day"
                section.fault(key, f"lands {what} as {derived.name}, which another line declares; rename that one")
            columns[derived.name] = derived
    return columns


def with_derived(column: ColumnDeclaration) -> Iterator[ColumnDeclaration]:
    """A column, and behind it, where one of its forms says no day, the one with its last day; of a birth the one with how much is known."""
    yield column
    if column.type not in ("date", "datetime") or all(known_part(form) == "day" for form in column.formats):
        return
    if column.identity:
        name = column.name + LENGTH
        yield ColumnDeclaration(name=name, header=name, type="whole", length_of=column.name)
    else:
        name = column.name + LAST_DAY
        yield ColumnDeclaration(name=name, header=name, type="date", last_day_of=column.name)


def _numbered(key: str, column: ColumnDeclaration, section: Section) -> list[tuple[str, ColumnDeclaration]]:
    """A column by its name in the declaration, or each of those that a range of numbers stands for."""
    keys, names, headers = map(numbered_columns, (key, column.name, column.header))
    if not (keys and names and headers):
        section.fault(key, WRONG_RANGE)
    elif len(names) != len(headers):
        section.fault(
            key,
            f"would land {len(headers)} columns of the file under {len(names)} names; give both a range of one length",
        )
    else:
        by_key = keys if len(keys) == len(names) else names
        numbered = zip(by_key, names, headers, strict=True)
        return [(each, replace(column, name=name, header=header)) for each, name, header in numbered]
    return [(key, column)]


def _check_twice(columns: Mapping[str, ColumnDeclaration], section: Section) -> None:
    seen: dict[tuple[str, str], str] = {}
    for key, column in columns.items():
        for what, value in (("lands as", column.name), ("reads", column.header.strip())):
            first = seen.setdefault((what, value.casefold()), key)
            if first != key:
                section.fault(key, f"{what} {value}, as {first} does; each column needs its own")


def _column(key: str, parent: Section) -> ColumnDeclaration:
    written = parent.raw(key)
    if isinstance(written, str):
        declared = parent.text(key, choices=tuple(TYPES))
        return _named(ColumnDeclaration(name=key, header=key, type=declared), key, parent)
    if not isinstance(written, dict):
        parent.fault(key, 'must be a type, such as "text", or a table such as { type = "text" }')
        return ColumnDeclaration(name=key, header=key)
    section = parent.section(key)
    identity = section.text("identity", "", choices=("", *IDENTITY)) if "identity" in section else ""
    kind = section.text("type", choices=tuple(TYPES))
    column = ColumnDeclaration(
        name=identity or section.text("name", key),
        header=section.text("from", key),
        type=kind or "text",
        identity=identity,
        is_required=section.yes("required", False),
        is_optional=section.yes("optional", False),
        formats=section.texts("formats", ()),
        earliest=section.day("earliest") if "earliest" in section else None,
        latest=section.day("latest") if "latest" in section else None,
        null=section.texts("null", ()),
        is_emptied=section.text("misfit", "quarantine", choices=("quarantine", "empty")) == "empty",
    )
    if identity and "name" in section:
        section.fault("name", f"does not go with identity: the column lands as {identity}")
        section.text("name")
    if identity and (column.type == "date") != (identity == "birth_date"):
        section.fault("type", 'must be "date" for birth_date' if identity == "birth_date" else 'must be "text"')
    if column.is_required and column.is_optional:
        section.fault("optional", "does not go with required: a row cannot have a value of an absent column")
    if column.is_emptied and (column.is_required or column.type == "text"):
        what = "required: a row must have the value" if column.is_required else "type text: every text fits"
        section.fault("misfit", f"does not go with {what}")
    _check_moments(section, column)
    return _named(column, key, parent)


def _check_moments(section: Section, column: ColumnDeclaration) -> None:
    is_moment = column.type in ("date", "datetime", "time")
    for key in ("formats", "earliest", "latest"):
        if key in section and not (is_moment and (key == "formats" or column.type != "time")):
            section.fault(key, f"does not go with type {column.type}")
    for form in column.formats:
        if message := form_fault(form, column.type):
            section.fault("formats", f"{form}: {message}")
        elif "%y" in form and column.latest is None:
            section.fault(
                "formats", f"{form}: a year of two digits needs latest; what would be after it is of the century before"
            )
    if column.earliest and column.latest and column.earliest > column.latest:
        section.fault("latest", "is before earliest")


def form_fault(form: str, kind: str) -> str:
    """Why a form of dates or times cannot be read; empty where it can."""
    directives = re.findall("%(-?.?)", form)
    if not directives:
        return "has no % directive; write forms as in %d/%m/%Y"
    unknown = [directive for directive in directives if directive not in _DIRECTIVES]
    if unknown:
        return f"%{unknown[0]} is not a directive of strptime that can be read (those that can: %{' %'.join(sorted(_DIRECTIVES))})"
    if kind != "time" and not {"Y", "y", "G"}.intersection(directives):
        return "names no year, so every day would be one of the year 1900"
    if kind != "time" and says_week_alone(form):
        return "says a week without its day; write the day with it (%u, %w or %a), or land the week as text"
    if kind == "time" and not {"H", "I", "-H", "-I"}.intersection(directives):
        return "names no hour"
    return ""


def _named(column: ColumnDeclaration, key: str, parent: Section) -> ColumnDeclaration:
    if not column.name.strip() or not column.header.strip():
        parent.fault(key, "a column needs a name")
    if column.name.casefold().startswith("row_") or column.name.casefold() in ("patient_ref", "postcode_district"):
        parent.fault(key, f"{column.name} is a name that Fairhaven gives itself; choose another with name = ...")
    if any(ord(character) < 32 for character in column.name):
        parent.fault(key, "a column's name is one line of text")
    return column
