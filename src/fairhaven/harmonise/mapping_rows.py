"""Rules of mapping files as generic rows: the declarative ones, and Python functions where those are not enough."""

import importlib
import importlib.util
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis.common.exceptions import IbisError

from fairhaven.harmonise.generic_rows import (
    ABOUT_NO_PERSON,
    CODE_ALTERNATES,
    FREE_TEXT_COLUMNS,
    KINDS,
    LINEAGE,
    GenericRows,
)
from fairhaven.harmonise.local_maps import omop_spelling
from fairhaven.harmonise.mapping_file import CARRIED, CodeMapping, MappingFile, MapRule, check_columns
from fairhaven.harmonise.mapping_values import (
    ConstantValue,
    MappedValue,
    MappingValue,
    ScaledValue,
    as_type,
    birth_columns,
    columns_of,
    constant,
    first_and_last,
    free_texts,
    has_value,
    is_withheld,
    renamed,
    text_of,
)
from fairhaven.identifiers.withheld import FREE_TEXT
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.partial_days import LAST_DAY, LENGTH, WHOLE_DAY, WHOLE_MONTH
from fairhaven.omop.concepts import UNIT, UNIT_SPELLING

_CLASSIFICATIONS = ("icd10", "opcs4")


def mapped_rows(
    mapping: Iterable[MappingFile], tables: Mapping[str, ir.Table], *, keys: Set[str] = frozenset()
) -> list[GenericRows]:
    """What each rule of these files yields from a source's current tables, in order.

    Args:
        keys: columns by which rows are known or refer to others, which a function may join them by though their text was withheld.

    Raises:
        Invalid: rules that read tables or columns that the source does not have, or ask of a column what its type does not have; all
            of them.
    """
    files = list(mapping)
    columns = {name: table.columns for name, table in tables.items()}
    check_faults([fault for file in files for fault in check_columns(file.rules, columns)])
    found: list[GenericRows] = []
    faults: list[Fault] = []
    for file in files:
        for rule in file.rules:
            if rule.python:
                found.append(_python(rule, file, tables, keys))
                continue
            try:
                found.append(_declared(rule, tables[rule.tables[0]]))
            except (IbisError, TypeError, ValueError) as error:
                message = str(error).partition("\n")[0] or type(error).__name__
                faults.append(rule.fault(f"it asks of a column what its type does not have: {message}"))
    check_faults(faults)
    return found


def withheld_texts(rules: Iterable[MapRule], tables: Mapping[str, Set[str]]) -> Iterator[Fault]:
    """Rules that put into a row what may be free text, so that the release has a mark in its place.

    Args:
        tables: the source's tables with their columns of texts.
    """
    for rule in rules:
        if rule.python or rule.kind in ABOUT_NO_PERSON:
            continue
        texts = tables.get(rule.tables[0], frozenset()) - rule.coded_columns()
        for name, value in rule.texts_given():
            if name in FREE_TEXT_COLUMNS and (columns := free_texts(value, texts)):
                listed = ", ".join(f'"{column}"' for column in columns)
                yield rule.fault(
                    f"{name} may be free text, so a release has {FREE_TEXT} in its place. If somebody has looked at the column, "
                    f"and it holds texts of a list, add coded = [{listed}]."
                )


def texts_read(rule: MapRule) -> tuple[frozenset[str], frozenset[str]]:
    """Columns that a declarative rule reads for what they say, and those that it passes on as free text and reads for nothing else."""
    every = rule.columns().union(*(columns for _, columns in rule.unpivot))
    if rule.kind in ABOUT_NO_PERSON or rule.unpivot:
        return frozenset(every), frozenset()
    texts = every - rule.coded_columns()
    values = [code.vocabulary for code in rule.looked_up()] + ([rule.result.column] if rule.result else [])
    values += [value for name, value in rule.gives if name not in FREE_TEXT_COLUMNS or not free_texts(value, texts)]
    said = {condition.column for condition in rule.when}.union([rule.text], *map(columns_of, values))
    free = texts - said
    return frozenset(every - free), frozenset(free)


def codes_read(rule: MapRule) -> dict[str, frozenset[str]]:
    """Column of the source in which a declarative rule looks for codes -> vocabularies, as OMOP spells them, of which they can be; '' where it does not say."""
    made = dict(rule.unpivot)
    found = defaultdict[str, set[str]](set)
    # Of a fixed concept the code says nothing more.
    codes = rule.codes if rule.concept_id is None else ()
    pairs = [(code.column, code.vocabulary) for code in (*codes, *([rule.value] if rule.value else []))]
    given = dict(rule.gives)
    pairs += [(value, given[beside]) for name, value in rule.gives if (beside := f"{name}_vocabulary_id") in given]
    for value, vocabulary in pairs:
        named = {omop_spelling(name.strip()) for name in _vocabularies(vocabulary)}
        for column in columns_of(value):
            for each in made.get(column, (column,)):
                found[each] |= named
    return {column: frozenset(named) for column, named in found.items()}


def _vocabularies(value: MappingValue) -> Iterator[str]:
    """What a value that names a vocabulary can be; '' for what only the rows say."""
    match value:
        case MappingValue(source=ConstantValue(value=str(name)), steps=()):
            yield name
        case MappingValue(steps=(*_, MappedValue() as step)):
            yield from (to for _, to in step.pairs if isinstance(to, str))
            yield step.default if isinstance(step.default, str) else ""
        case _:
            yield ""


def words_named(rule: MapRule) -> dict[str, frozenset[str]]:
    """Column of the source -> words that a declarative rule names for it: in conditions, in lists, as units."""
    made = dict(rule.unpivot)
    found = defaultdict[str, set[str]](set)

    def add(columns: Iterable[str], words: Iterable[Any]) -> None:
        for column in (each for name in columns for each in made.get(name, (name,))):
            found[column].update(word for word in words if isinstance(word, str))

    for condition in rule.when:
        add([condition.column], (*(condition.one_of or ()), *condition.none_of))
    values = [part for code in rule.looked_up() for part in (code.column, code.vocabulary)]
    values += [*(value for _, value in rule.gives), *([rule.result.column] if rule.result else [])]
    for value in values:
        for step in value.steps:
            if isinstance(step, MappedValue):
                add(columns_of(value), (text for text, _ in step.pairs))
            elif isinstance(step, ScaledValue) and step.unit:
                add([step.unit], (unit for unit, _ in step.scales))
    for name, value in rule.gives:
        if name == "unit":
            add(columns_of(value), (*UNIT, *UNIT_SPELLING))
    return {column: frozenset(words) for column, words in found.items() if words}


def _declared(rule: MapRule, table: ir.Table) -> GenericRows:
    tests = [condition.build(table) for condition in rule.when if condition.column not in rule.unpivoted()]
    if rule.unpivot:
        taken = _filtered(table, tests)
        first = sorted({column for column in rule.unpivot[0][1] if column in table.columns})
        tests.append(ibis.or_(*[has_value(table[column]) for column in first]))
        taken = _unpivoted(taken, rule)
        made = [condition.build(taken) for condition in rule.when if condition.column in rule.unpivoted()]
        taken = _filtered(taken, [*made, *_has_code(rule, taken)])
    else:
        tests += _has_code(rule, table)
        taken = _filtered(table, tests)
    texts = {name for name in taken.columns if taken[name].type().is_string()} - rule.coded_columns()
    return GenericRows(
        kind=rule.kind,
        rule=rule.name,
        table=rule.tables[0],
        file=rule.file,
        rows=taken.select(**_given(rule, taken)),
        target=rule.target or rule.kind,
        takes=ibis.and_(*tests) if tests else None,
        coded=FREE_TEXT_COLUMNS.difference(name for name, value in rule.texts_given() if free_texts(value, texts)),
    )


def _filtered(rows: ir.Table, tests: Sequence[ir.BooleanValue]) -> ir.Table:
    return rows.filter(*tests) if tests else rows


def _given(rule: MapRule, rows: ir.Table) -> dict[str, ir.Value]:
    kind = KINDS[rule.kind]
    carried = (*CARRIED, "position") if rule.unpivot else CARRIED
    given = {name: rows[name] for name in carried if name in kind and name in rows.columns}
    alternates = [alternate for code in rule.codes for alternate in _alternates(code, rows)]
    for (code, vocabulary), (text, name) in zip(CODE_ALTERNATES, alternates, strict=False):
        given |= {code: text, vocabulary: name}
    if any(code.clean != "none" for code in rule.codes):
        given["source_value"] = text_of(rule.codes[0].column.build(rows)).strip()
    if rule.text:
        given["code_text"] = text_of(rows[rule.text])
    if rule.concept_id is not None:
        given["concept_id"] = ibis.literal(rule.concept_id, type="int32")
    if rule.value is not None:
        given["value_code"], given["value_vocabulary_id"] = next(iter(_alternates(rule.value, rows)))
    given |= _targets(rule)
    said = {name: as_type(value.build(rows), kind[name]) for name, value in rule.gives}
    if rule.kind == "death":
        said |= _day_of_death(rule, rows)
    elif rule.kind == "person":
        said |= _known_of_birth(rule, rows)
    if rule.result is not None:
        found = rule.result.build(rows)
        said["unit"] = ibis.coalesce(found["unit"], said["unit"]) if "unit" in said else found["unit"]
        given |= found
    return given | said


def _day_of_death(rule: MapRule, rows: ir.Table) -> dict[str, ir.Value]:
    """The last day on which a death can have been, and the first: two where the source says the month or the year alone (Themis 104)."""
    given = dict(rule.gives)
    if "date_from" in given or not (value := given.get("date", given.get("datetime"))):
        return {}
    first, last = _earliest_and_latest(value, rows)
    return {"date": last, "date_from": first}


def _earliest_and_latest(value: MappingValue, rows: ir.Table) -> tuple[ir.Value, ir.Value]:
    """The first and the last day that a date can be: a column of which they may be two landed with its last day beside it, unless it is text."""
    first, last = first_and_last(value.build(rows))
    names = {name: f"{name}{LAST_DAY}" for name in columns_of(value) if f"{name}{LAST_DAY}" in rows.columns}
    return first, first_and_last(renamed(value, names).build(rows))[1] if names else last


def _known_of_birth(rule: MapRule, rows: ir.Table) -> dict[str, ir.Value]:
    """Of a birth whose year or month alone is known no day, and no month, that nobody said."""
    given, length = dict(rule.gives), f"birth_date{LENGTH}"
    found = dict[str, ir.Value]()
    if value := given.get("birth_date"):
        first, last = _earliest_and_latest(value, rows)
        if length in rows.columns and "birth_date" in columns_of(value):
            known = rows[length].fill_null(WHOLE_DAY)
            found = birth_columns(first, knows_month=known >= WHOLE_MONTH, knows_day=known >= WHOLE_DAY)
        elif first is not last:
            is_month = last < first + ibis.interval(days=31)
            found = birth_columns(first, knows_month=is_month, knows_day=first == last)
        found = {name: each for name, each in found.items() if name == "birth_date" or name not in given}
    if length in rows.columns and "birth_date" in columns_of(month := given.get("birth_month", constant(None))):
        built = as_type(month.build(rows), "int32")
        found["birth_month"] = (rows[length].fill_null(WHOLE_DAY) >= WHOLE_MONTH).ifelse(built, ibis.null("int32"))
    return found


def _targets(rule: MapRule) -> dict[str, ir.Value]:
    return {
        name: ibis.literal(table)
        for name, table in (("target", rule.target), ("default_target", rule.unmapped_to))
        if table and name in KINDS[rule.kind]
    }


def _has_code(rule: MapRule, rows: ir.Table) -> list[ir.BooleanValue]:
    """That a row has a code at all: what HES writes in an empty place (``-``, ``&``) is none. Empty: any row has."""
    if not rule.codes or rule.codes[0].clean not in _CLASSIFICATIONS:
        return []
    return [text_of(rule.codes[0].column.build(rows)).re_search("[0-9A-Za-z]").fill_null(True)]


def _alternates(code: CodeMapping, rows: ir.Table) -> Iterable[tuple[ir.Value, ir.Value]]:
    """The code as cleaned, then the wider codes that stand for it where it is unknown."""
    text = text_of(code.column.build(rows)).strip()
    vocabulary = text_of(code.vocabulary.build(rows))
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
    return rows.filter(has_value(rows[rule.unpivot[0][0]]))


def _python(rule: MapRule, file: MappingFile, tables: Mapping[str, ir.Table], keys: Set[str]) -> GenericRows:
    result = _function(rule, file)({name: _with_unknown(tables[name], keys) for name in rule.tables})
    if not isinstance(result, ir.Table):
        raise Invalid(rule.fault(f"{rule.python} did not return an Ibis table"))
    unknown = sorted(set(result.columns) - set(KINDS[rule.kind]))
    missing = sorted(set(LINEAGE) - set(result.columns))
    if unknown or missing:
        words = [f"has columns that a {rule.kind} has not ({', '.join(unknown)})"] if unknown else []
        words += [f"lacks {', '.join(missing)}"] if missing else []
        raise Invalid(rule.fault(f"what {rule.python} returns {' and '.join(words)}"))
    return GenericRows(
        kind=rule.kind,
        rule=rule.name,
        table=rule.tables[0],
        file=rule.file,
        rows=result.mutate(**_targets(rule)),
        target=rule.target or rule.kind,
        coded=frozenset(rule.coded),
    )


def _with_unknown(table: ir.Table, keys: Set[str]) -> ir.Table:
    """A table in which a text that was withheld is NULL, as whatever is not known: it may be what a function refuses."""
    texts = [
        name
        for name, kind in table.schema().items()
        if kind.is_string() and name not in (*CARRIED, *keys) and not name.endswith("_id")
    ]
    # That there was free text is known.
    unknown = {
        name: (is_withheld(table[name]) & (table[name] != FREE_TEXT)).ifelse(ibis.null("string"), table[name])
        for name in texts
    }
    return table.mutate(**unknown) if unknown else table


def _function(rule: MapRule, file: MappingFile) -> Callable[[Mapping[str, ir.Table]], Any]:
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
        raise Invalid(rule.fault(f"{rule.python} cannot be loaded ({type(error).__name__})")) from error
    if not callable(function):
        raise Invalid(rule.fault(f"{rule.python} is no function"))
    return function  # type: ignore[no-any-return]
