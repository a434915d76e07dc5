"""Rules of mapping files as generic rows: the declarative ones, and Python functions where those are not enough."""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.generic_rows import KINDS, GenericRows
from fairhaven.harmonise.mapping_file import CARRIED, CodeMapping, MappingFile, MapRule, check_columns
from fairhaven.harmonise.mapping_values import as_type, text_of
from fairhaven.kernel.errors import Fault, Invalid, check_faults

_ALTERNATES = (("code", "vocabulary_id"), ("code_2", "vocabulary_id_2"), ("code_3", "vocabulary_id_3"))


_CLASSIFICATIONS = ("icd10", "opcs4")


def mapped_rows(mapping: Iterable[MappingFile], tables: Mapping[str, ir.Table]) -> list[GenericRows]:
    """What each rule of these files yields from a source's current tables, in order.

    Raises:
        Invalid: rules that read tables or columns that the source does not have; all of them.
    """
    files = list(mapping)
    faults = [
        fault
        for file in files
        for fault in check_columns(file.rules, {name: table.columns for name, table in tables.items()})
    ]
    check_faults(faults)
    return [
        _python(rule, file, tables) if rule.python else _declared(rule, tables[rule.tables[0]])
        for file in files
        for rule in file.rules
    ]


def _declared(rule: MapRule, table: ir.Table) -> GenericRows:
    made = {name for name, _ in rule.unpivot} | ({"position"} if rule.unpivot else set())
    before = [condition for condition in rule.when if condition.column not in made]
    after = [condition for condition in rule.when if condition.column in made]
    columns = {name: table[name] for name in table.columns}
    tests = [condition.build(columns) for condition in before]
    takes = ibis.and_(*tests) if tests else None
    taken = table.filter(takes) if takes is not None else table
    if rule.unpivot:
        taken = _unpivoted(taken, rule)
        first = {column for column in rule.unpivot[0][1] if column in table.columns}
        has_any = ibis.or_(*[_has_value(table[column]) for column in sorted(first)]) if first else ibis.literal(False)
        takes = has_any if takes is None else takes & has_any
        columns = {name: taken[name] for name in taken.columns}
        if after:
            taken = taken.filter(*[condition.build(columns) for condition in after])
    has_code = _has_code(rule, {name: taken[name] for name in taken.columns})
    if has_code is not None:
        if not rule.unpivot:
            here = _has_code(rule, {name: table[name] for name in table.columns})
            takes = here if takes is None else takes & here
        taken = taken.filter(has_code)
    given = _given(rule, {name: taken[name] for name in taken.columns})
    return GenericRows(
        kind=rule.kind,
        rule=rule.name,
        table=rule.tables[0],
        file=rule.file,
        rows=taken.select(**given),
        target=rule.target or rule.kind,
        takes=takes,
    )


def _given(rule: MapRule, columns: Mapping[str, ir.Value]) -> dict[str, ir.Value]:
    kind = KINDS[rule.kind]
    given: dict[str, ir.Value] = {name: columns[name] for name in CARRIED if name in kind and name in columns}
    if "position" in kind and "position" in columns and rule.unpivot:
        given["position"] = columns["position"]
    alternates = [alternate for code in rule.codes for alternate in _alternates(code, columns)]
    for (code, vocabulary), (text, name) in zip(_ALTERNATES, alternates, strict=False):
        given |= {code: text, vocabulary: name}
    if rule.codes and any(code.clean != "none" for code in rule.codes):
        given["source_value"] = text_of(rule.codes[0].column.build(columns)).strip()
    if rule.text:
        given["code_text"] = text_of(columns[rule.text])
    if rule.concept_id is not None:
        given["concept_id"] = ibis.literal(rule.concept_id, type="int32")
    if rule.value is not None:
        value, vocabulary = next(iter(_alternates(rule.value, columns)))
        given |= {"value_code": value, "value_vocabulary_id": vocabulary}
    if rule.target:
        given["target"] = ibis.literal(rule.target)
    if rule.unmapped_to:
        given["default_target"] = ibis.literal(rule.unmapped_to)
    for name, value in rule.gives:
        given[name] = as_type(value.build(columns), kind[name])
    return given


def _has_code(rule: MapRule, columns: Mapping[str, ir.Value]) -> ir.BooleanValue | None:
    """Whether a row has a code at all: what HES writes in an empty place (``-``, ``&``) is none. None: any row has."""
    if not rule.codes or rule.codes[0].clean not in _CLASSIFICATIONS:
        return None
    return text_of(rule.codes[0].column.build(columns)).re_search("[0-9A-Za-z]").fill_null(True)


def _alternates(code: CodeMapping, columns: Mapping[str, ir.Value]) -> Iterable[tuple[ir.Value, ir.Value]]:
    """The code as cleaned, then the wider codes that stand for it where it is unknown."""
    text = text_of(code.column.build(columns)).strip()
    vocabulary = text_of(code.vocabulary.build(columns))
    if code.clean in _CLASSIFICATIONS:
        text = text.upper().replace(".", "").replace(" ", "")
    match code.clean:
        case "icd10":
            # A dagger (D) or asterisk (A) stands behind the code; X or - in the fourth place fills it up.
            is_marked = (text.length() >= 5) & text.right(1).isin(["A", "D"])
            text = is_marked.ifelse(text.substr(0, text.length() - 1), text)
            category = text.substr(0, 3)
            is_category = text.substr(3, 1).isin(["X", "-"])
            yield is_category.ifelse(category, text), vocabulary
            yield is_category.ifelse(category, text.substr(0, 4)), vocabulary
            yield category, vocabulary
        case "opcs4":
            yield text, vocabulary
            yield text.substr(0, 3), vocabulary
        case "read":
            # Read version 2: five characters, then two of the term code.
            yield text.substr(0, 5), vocabulary
        case _:
            yield text, vocabulary


def _unpivoted(table: ir.Table, rule: MapRule) -> ir.Table:
    """A row for each group of columns whose first column has a value."""
    groups = []
    for position in range(len(rule.unpivot[0][1])):
        fields: dict[str, Any] = {"position": ibis.literal(position + 1, type="int32")}
        for name, columns in rule.unpivot:
            present = [table[column].type() for column in columns if column in table.columns]
            dtype = present[0] if present and all(kind == present[0] for kind in present) else "string"
            column = columns[position] if position < len(columns) else ""
            fields[name] = table[column].cast(dtype) if column in table.columns else ibis.null(dtype)
        groups.append(ibis.struct(fields))
    needed = [name for name in table.columns if name in rule.columns() or name in CARRIED]
    rows = table.select(*needed, unpivoted=ibis.array(groups).unnest())
    parts = {name: rows["unpivoted"][name] for name in ("position", *(name for name, _ in rule.unpivot))}
    rows = rows.select(*[name for name in needed if name not in parts], **parts)
    return rows.filter(_has_value(rows[rule.unpivot[0][0]]))


def _has_value(column: ir.Value) -> ir.BooleanValue:
    has = column.notnull() & (column != "") if column.type().is_string() else column.notnull()
    return has.fill_null(False)


def _python(rule: MapRule, file: MappingFile, tables: Mapping[str, ir.Table]) -> GenericRows:
    path, _, line = rule.file.rpartition(":")
    place = {"path": path, "line": int(line)} if line else {"path": rule.file}
    result = _function(rule, file, place)({name: tables[name] for name in rule.tables})
    if not isinstance(result, ir.Table):
        raise Invalid(Fault(message=f"rule {rule.name}: {rule.python} did not return an Ibis table", **place))
    unknown = sorted(set(result.columns) - set(KINDS[rule.kind]))
    missing = sorted({"row_key", "row_extract", "row_line"} - set(result.columns))
    if unknown or missing:
        words = [f"has columns that a {rule.kind} has not ({', '.join(unknown)})"] if unknown else []
        words += [f"lacks {', '.join(missing)}"] if missing else []
        message = f"rule {rule.name}: what {rule.python} returns {' and '.join(words)}"
        raise Invalid(Fault(message=message, **place))
    for name, to in (("target", rule.target), ("default_target", rule.unmapped_to)):
        if to and name in KINDS[rule.kind]:
            result = result.mutate(**{name: ibis.literal(to)})
    return GenericRows(
        kind=rule.kind,
        rule=rule.name,
        table=rule.tables[0],
        file=rule.file,
        rows=result,
        target=rule.target or rule.kind,
    )


def _function(rule: MapRule, file: MappingFile, place: dict[str, Any]) -> Callable[[Mapping[str, ir.Table]], Any]:
    module_name, _, name = rule.python.partition(":")
    beside = Path(file.folder) / f"{module_name}.py"
    try:
        if file.folder and beside.is_file():
            spec = importlib.util.spec_from_file_location(module_name, beside)
            if spec is None or spec.loader is None:
                raise ImportError
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(module_name)
        function = getattr(module, name)
    except (ImportError, AttributeError, SyntaxError) as error:
        message = f"rule {rule.name}: {rule.python} cannot be loaded ({type(error).__name__})"
        raise Invalid(Fault(message=message, **place)) from error
    if not callable(function):
        raise Invalid(Fault(message=f"rule {rule.name}: {rule.python} is no function", **place))
    return function  # type: ignore[no-any-return]
