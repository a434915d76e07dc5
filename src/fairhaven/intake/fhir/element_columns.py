"""Columns of a FHIR view: a path into the resource, what kind of element stands there, and the SQL that reads it.

A path names elements by their JSON names: ``code``, ``onsetPeriod.start``, ``participant[].individual`` (the first of a
list), ``name[use=official].family`` (the first whose element has that value). Alternatives stand between bars; the first
that has a value is taken: ``performedDateTime | performedPeriod.start``.

Each column says which part of the resource it reads (a *shape*, in the form of DuckDB's ``json_transform``) and gives one or
more SQL expressions over that part. What no column reads never leaves the parser.
"""

import json
import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from fairhaven.intake.type_casting import number_of
from fairhaven.omop.concepts import GENDER, RESULT_WORD

_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(\[[^\]]*\])?\.?")

CODING = {"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR", "userSelected": "BOOLEAN"}
CONCEPT = {"coding": [CODING], "text": "VARCHAR"}
REFERENCE = {
    "reference": "VARCHAR",
    "type": "VARCHAR",
    "identifier": {"system": "VARCHAR", "value": "VARCHAR"},
}
COMPARATORS = ("<", "<=", ">=", ">")
NO_MOMENT = "the element is no FHIR date or dateTime between 1800 and 2200"
NO_CODE = "may negate, and is none of the codes that FHIR has for it"
NO_FLAG = "may negate, and is neither true nor false"
NO_COMPARATOR = "changes the value, and is none of <, <=, >= and >"
NO_CONCEPT = "may negate, and is no CodeableConcept"
NO_NUMBER = "the element is not a number"
QUANTITY = {"value": "JSON", "comparator": "VARCHAR", "unit": "VARCHAR", "system": "VARCHAR", "code": "VARCHAR"}


@dataclass(frozen=True, kw_only=True, slots=True)
class LandedColumn:
    """One column of the landed table.

    Args:
        sql: expression over ``r``, the parsed part of the resource; empty for the key of one of *references*.
        type: DuckDB type.
        part: name of an inner result that *sql* reads by its name, so that several cells share it; empty for none.
        part_sql: the inner result, as an expression over ``r``.
        references: what may be referred to, as expressions of ``{ref, first, others}`` over ``r``: the first that names something counts.
        each_reference: a list of such, of which every one counts; empty for none.
        fault_sql: over inner results and cells: true where the element holds no such value; empty where that cannot be.
        reason: of that fault, in words.
    """

    name: str
    sql: str
    type: str = "VARCHAR"
    part: str = ""
    part_sql: str = ""
    references: tuple[str, ...] = ()
    each_reference: str = ""
    fault_sql: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ElementColumn:
    """A declared column.

    Args:
        name: of the landed column, or what the names of several begin with (a concept gives code, vocabulary and text).
        path: where it stands in the resource.
        kind: `text`, `flag`, `number`, `whole`, `moment`, `last moment`, `date`, `length`, `reference`, `references`, `concept`,
            `coding`, `quantity`, `codes`, `count`, `words`, `identifiers`, `nhs number`, `links`, `present`, `sex`, `races`, `result word`,
            `organization name`.
        codings: how many codings of a concept are kept.
        to: resource types a reference may point to; others give NULL. The key of a type other than the first
            begins with the type: ``PractitionerRole/7``.
        identity: the identity that the column holds (`nhs_number`, ...); such a column goes to the vault.
        is_modifier: it may say that something did not happen, so what it says must be understood.
        codes: those that a modifier may have; none where any will do that is in R4's form.
    """

    name: str
    path: str
    kind: str = "text"
    codings: int = 1
    to: tuple[str, ...] = ()
    identity: str = ""
    is_modifier: bool = False
    codes: tuple[str, ...] = ()

    def shape(self) -> dict[str, Any]:
        """The part of the resource that the column reads."""
        shape: dict[str, Any] = {}
        for path in alternatives(self.path):
            leaf = "JSON" if self.is_modifier and self.kind != "text" else _LEAF[self.kind]
            merge(shape, _shape(steps(path), leaf))
        return shape

    def cells(self, root: str) -> Iterator[LandedColumn]:
        """The landed columns, as expressions over *root*."""
        ends = [_read(root, steps(path)) for path in alternatives(self.path)]
        if self.is_modifier:
            yield from _MODIFIERS[self.kind](self, ends)
        elif self.kind in _ONE_CELL:
            sql, kind = _ONE_CELL[self.kind]
            yield LandedColumn(name=self.name, sql=sql.format(either(ends)), type=kind)
        else:
            yield from _CELLS[self.kind](self, ends)


def keys_in(keys: str) -> str:
    """A list of keys as one text with blanks between them. A key with a blank in it would be two."""
    named = f"list_filter({keys}, lambda key: key IS NOT NULL AND NOT contains(key, ' '))"
    return f"nullif(array_to_string({named}, ' '), '')"


def alternatives(path: str) -> list[str]:
    """The paths between the bars."""
    return [part.strip() for part in path.split(" | ")]


def steps(path: str) -> list[tuple[str, str | None]]:
    """``a[].b[k=v]`` -> ``[("a", ""), ("b", "k=v")]``; None where a step is no list."""
    found = list(_STEP.finditer(path))
    if "".join(match.group(0) for match in found) != path:
        raise ValueError(f"{path} is no path")
    return [(match.group(1), None if match.group(2) is None else match.group(2)[1:-1]) for match in found]


def merge(shape: dict[str, Any], other: dict[str, Any]) -> None:
    """Put *other* into *shape*, element by element."""
    for name, part in other.items():
        mine = shape.get(name)
        if isinstance(mine, dict) and isinstance(part, dict):
            merge(mine, part)
        elif isinstance(mine, list) and isinstance(part, list) and isinstance(mine[0], dict):
            merge(mine[0], part[0])
        else:
            shape[name] = part


def _shape(path: Sequence[tuple[str, str | None]], leaf: Any) -> dict[str, Any]:
    (name, choice), rest = path[0], path[1:]
    # A copy, because shapes are merged into it.
    inner: Any = _shape(rest, leaf) if rest else deepcopy(leaf)
    if choice and isinstance(inner, dict):
        inner.setdefault("id" if choice.startswith("#") else choice.partition("=")[0], "VARCHAR")
    return {name: [inner] if choice is not None else inner}


def _read(value: str, path: Sequence[tuple[str, str | None]]) -> str:
    root = value
    for name, choice in path:
        value = f'{value}."{name}"'
        if choice and choice.startswith("#"):
            value = f"list_filter({value}, lambda e: '#' || e.id = {root}.{choice[1:]}.reference)"
        elif choice:
            key, _, wanted = choice.partition("=")
            value = f"list_filter({value}, lambda e: e.\"{key}\" = '{wanted}')"
        if choice is not None:
            value = f"{value}[1]"
    return value


def either(values: Sequence[str]) -> str:
    """The first of some expressions that is anything."""
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def _moment(column: ElementColumn, ends: Sequence[str], *, macro: str = "fhir_moment") -> Iterator[LandedColumn]:
    part = f"{column.name} text"
    yield LandedColumn(
        name=column.name,
        sql=f'{macro}("{part}")',
        type="TIMESTAMP",
        part=part,
        part_sql=either(ends),
        fault_sql=f"\"{part}\" IS NOT NULL AND (\"{column.name}\" BETWEEN '1800-01-01' AND '2200-01-01') IS NOT true",
        reason=NO_MOMENT,
    )


def _date(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    for cell in _moment(column, ends):
        yield replace(cell, sql=f"({cell.sql})::DATE", type="DATE")


def _reference(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    yield LandedColumn(name=column.name, sql="", references=tuple(_meant(column, end) for end in ends))


def _meant(column: ElementColumn, reference: str) -> str:
    """A reference as what names a resource is found from."""
    others = ", ".join(f"'{one}'" for one in column.to[1:])
    # Of one type, whatever else of an element other columns read.
    written = (
        "{{'reference': {0}.reference, 'type': {0}.type, 'identifier': "
        "{{'system': {0}.identifier.system, 'value': {0}.identifier.value}}}}"
    )
    return f"{{'ref': {written.format(reference)}, 'first': '{column.to[0]}', 'others': [{others}]::VARCHAR[]}}"


def _sex(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    """The sex at birth where an extension says one, else the administrative one (Themis 94)."""
    *births, administrative = (f"nullif(trim({end}), '')" for end in ends)
    known = ", ".join(f"'{word}'" for word in GENDER)
    said = [f"CASE WHEN lower({birth}) IN ({known}) THEN {birth} END" for birth in births]
    yield LandedColumn(name=column.name, sql=either([*said, administrative]))


def _result_word(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    """SNOMED CT's code of a result that is one of a few words: it is no free text, whatever else an element holds."""
    part = f"{column.name} text"
    words = " ".join(f"WHEN '{word}' THEN '{code}'" for word, code in RESULT_WORD.items())
    yield LandedColumn(
        name=column.name, sql=f'CASE lower(trim("{part}")) {words} END', part=part, part_sql=either(ends)
    )


def number_named(column: ElementColumn, root: str) -> LandedColumn:
    """The NHS number by which a reference names its patient, alone or beside the patient's id."""
    system, number = (
        f"regexp_extract(url_decode({{0}}.reference), '[?&]identifier=([^|&#]*)[|]([^&#]*)', {group})"
        for group in (1, 2)
    )
    numbers = [
        f"CASE WHEN fhir_is_nhs({end}.identifier.system) THEN fhir_text({end}.identifier.value) "
        f"WHEN contains({end}.reference, '?') AND fhir_is_nhs({system.format(end)}) THEN nullif({number.format(end)}, '') END"
        for end in (_read(root, steps(path)) for path in alternatives(column.path))
    ]
    return LandedColumn(name="nhs_number", sql=either(numbers))


def _references(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    each = f"list_transform({either(ends)}, lambda one: {_meant(column, 'one')})"
    yield LandedColumn(name=column.name, sql="", each_reference=each)


def _known_text(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    sql, kind = _ONE_CELL["text"]
    # A value of another form than a code has the text of its JSON here, which is none of the codes.
    is_known = f"list_contains({list(column.codes)}, trim({either(ends)}))"
    fault = f"{either(ends)} IS NOT NULL AND NOT {is_known}"
    yield LandedColumn(name=column.name, sql=sql.format(either(ends)), type=kind, fault_sql=fault, reason=NO_CODE)


def _known_flag(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    [end] = ends
    yield LandedColumn(
        name=column.name,
        sql=f"CASE {end}::VARCHAR WHEN 'true' THEN true WHEN 'false' THEN false END",
        type="BOOLEAN",
        fault_sql=f"{end}::VARCHAR NOT IN ('true', 'false')",
        reason=NO_FLAG,
    )


def _known_concept(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    [end] = ends
    part = f"{column.name} concept"
    read = f"json_transform({end}, '{json.dumps(CONCEPT)}')"
    codings = "fhir_preferred(read.coding)"
    if column.codes:
        codings = f"list_filter(read.coding, lambda coding: list_contains({list(column.codes)}, coding.code))"
    concept = (
        f"CASE WHEN json_type({end}) = 'OBJECT' THEN "
        f"list_transform([{read}], lambda read: {{'codings': {codings}, 'text': read.text}})[1] END"
    )
    fault, reason = f"json_type({end}) <> 'OBJECT'", NO_CONCEPT
    if column.codes:
        # Codings of other systems may stand beside; two that contradict say nothing.
        known = f'list_distinct(list_transform("{part}".codings, lambda coding: coding.code))'
        fault, reason = f"{end} IS NOT NULL AND coalesce(len({known}), 0) <> 1", NO_CODE
    cells = [*_coded_cells(column, concept)]
    yield from (replace(cell, fault_sql=fault, reason=reason) if cell is cells[0] else cell for cell in cells)


def _coded(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    yield from _coded_cells(column, _CONCEPTS[column.kind].format(either(ends)))


def _coded_cells(column: ElementColumn, concept: str) -> Iterator[LandedColumn]:
    before = "" if column.name == "code" else f"{column.name}_"
    part = f"{column.name} concept"

    def cell(name: str, sql: str) -> LandedColumn:
        return LandedColumn(name=before + name, sql=sql, part=part, part_sql=concept)

    for number in range(1, column.codings + 1):
        after = "" if number == 1 else f"_{number}"
        yield cell(f"code{after}", f'"{part}".codings[{number}].code')
        yield cell(f"vocabulary_id{after}", f'fhir_vocabulary("{part}".codings[{number}].system)')
    yield cell("code_text", f'nullif(trim(coalesce("{part}".text, "{part}".codings[1].display)), \'\')')


def _number(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    yield _number_cell(column.name, either(ends))


def _number_cell(name: str, json_sql: str) -> LandedColumn:
    """A number as its JSON has it. DuckDB's own reading makes 1 of true and takes NaN; what is in quotes is read as any text is."""
    part = f"{name} text"
    return LandedColumn(
        name=name,
        sql=number_of(f'"{part}"'),
        type="DOUBLE",
        part=part,
        part_sql=f"nullif(trim({json_sql} ->> '$'), '')",
        fault_sql=f'"{part}" IS NOT NULL AND "{name}" IS NULL',
        reason=NO_NUMBER,
    )


def _quantity(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    quantity = either(ends)
    before = f"{column.name}_"
    yield _number_cell(f"{before}number", f"{quantity}.value")
    yield LandedColumn(
        name=f"{before}comparator",
        sql=f"{quantity}.comparator",
        # A comparator makes a bound of a value; R5's "ad" says what suffices, which no operator of the CDM does.
        fault_sql=f"{quantity}.comparator NOT IN {COMPARATORS}",
        reason=NO_COMPARATOR,
    )
    yield LandedColumn(
        name=f"{before}unit",
        # A code of UCUM says more than the unit's name for people; a code of another system says less.
        sql=f"CASE WHEN {quantity}.system = 'http://unitsofmeasure.org' THEN coalesce({quantity}.code, {quantity}.unit) "
        f"ELSE coalesce({quantity}.unit, {quantity}.code) END",
    )


def _codes(column: ElementColumn, ends: Sequence[str]) -> Iterator[LandedColumn]:
    every = "list_transform({0}, lambda concept: list_transform(concept.coding, lambda coding: coding.code))"
    lists = [f"flatten({every.format(end)})" for end in ends]
    yield LandedColumn(name=column.name, sql=f"nullif(array_to_string({either(lists)}, ' '), '')")


_LEAF: dict[str, Any] = {
    "text": "VARCHAR",
    "flag": "BOOLEAN",
    "number": "JSON",
    "whole": "INTEGER",
    "moment": "VARCHAR",
    "last moment": "VARCHAR",
    "date": "VARCHAR",
    "length": "VARCHAR",
    "reference": REFERENCE,
    "concept": CONCEPT,
    "coding": CODING,
    "quantity": QUANTITY,
    "codes": [CONCEPT],
    "count": ["JSON"],
    "words": ["VARCHAR"],
    "identifiers": [{"system": "VARCHAR", "value": "VARCHAR"}],
    "nhs number": [{"system": "VARCHAR", "value": "VARCHAR", "use": "VARCHAR"}],
    "links": [{"other": REFERENCE}],
    "present": "VARCHAR",
    "references": [REFERENCE],
    "sex": "VARCHAR",
    "races": [{"url": "VARCHAR", "valueCoding": {"code": "VARCHAR"}}],
    "result word": "VARCHAR",
    "organization name": {"reference": "VARCHAR", "type": "VARCHAR", "display": "VARCHAR"},
}
_LINKED = "list_transform({0}, lambda one: fhir_key(one.other, 'Patient', []::VARCHAR[]))"
_RACES = "list_transform(list_filter({0}, lambda one: one.url = 'ombCategory'), lambda one: one.valueCoding.code)"
# Whoever pays may be a person, and then has a name of their own.
_IS_SOMEBODY = (
    "(regexp_matches(coalesce({0}.reference, ''), '(^|/)(Patient|RelatedPerson)/|^#') "
    "OR split_part(coalesce({0}.type, ''), '/', -1) IN ('Patient', 'RelatedPerson'))"
)
_IS_NUMBER = "fhir_is_nhs(one.system) AND fhir_text(one.value) IS NOT NULL"
# One that was replaced counts where there is no other.
_CURRENT_NUMBER = f"list_filter({{0}}, lambda one: {_IS_NUMBER} AND coalesce(one.use, '') <> 'old')[1].value"
_ANY_NUMBER = f"list_filter({{0}}, lambda one: {_IS_NUMBER})[1].value"
_ONE_CELL = {
    "text": ("nullif(trim({0}), '')", "VARCHAR"),
    "flag": ("{0}", "BOOLEAN"),
    "whole": ("{0}", "BIGINT"),
    "count": ("coalesce(len({0}), 0)", "BIGINT"),
    "words": ("nullif(trim(array_to_string({0}, ' ')), '')", "VARCHAR"),
    "nhs number": (f"coalesce({_CURRENT_NUMBER}, {_ANY_NUMBER})", "VARCHAR"),
    "identifiers": (
        "nullif(array_to_string(list_transform({0}, lambda one: fhir_token(one.system, one.value)), ' '), '')",
        "VARCHAR",
    ),
    "links": (keys_in(_LINKED), "VARCHAR"),
    "present": ("({0} IS NOT NULL)", "BOOLEAN"),
    "length": ("length({0})", "BIGINT"),
    "races": (f"nullif(array_to_string(list_sort(list_distinct({_RACES})), ' '), '')", "VARCHAR"),
    "organization name": (f"CASE WHEN NOT {_IS_SOMEBODY} THEN nullif(trim({{0}}.display), '') END", "VARCHAR"),
}
"""Kinds that land as one column: its SQL over the element, and its DuckDB type."""

_CONCEPTS = {
    "concept": "{{'codings': fhir_preferred({0}.coding), 'text': {0}.text}}",
    "coding": "{{'codings': [{0}], 'text': NULL::VARCHAR}}",
}
"""Kinds that are coded: their codings and text, as SQL over the element."""

_MODIFIERS: dict[str, Any] = {"text": _known_text, "flag": _known_flag, "concept": _known_concept}
"""Cells of the kinds that modifiers have."""

_CELLS: dict[str, Any] = {
    "moment": _moment,
    "last moment": partial(_moment, macro="fhir_last_moment"),
    "sex": _sex,
    "result word": _result_word,
    "references": _references,
    "date": _date,
    "reference": _reference,
    "concept": _coded,
    "coding": _coded,
    "number": _number,
    "quantity": _quantity,
    "codes": _codes,
}
