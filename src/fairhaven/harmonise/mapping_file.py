"""Mapping files: rules from a source's tables to generic rows, parsed with every fault and its line.

The language is described in docs/reference/mapping-files.md.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType
from typing import Any

from fairhaven.engine.patterns import pattern_fault
from fairhaven.harmonise.generic_rows import EVENT_TABLES, KINDS
from fairhaven.harmonise.mapping_conditions import MappingCondition
from fairhaven.harmonise.mapping_values import (
    CleanedText,
    ColumnValue,
    ConstantValue,
    DatePart,
    DatetimeValue,
    FirstValue,
    JoinedText,
    MappedValue,
    MappingValue,
    ScaledValue,
    ShiftedDate,
    Source,
    Step,
    TextPattern,
    column,
    columns_of,
    constant,
)
from fairhaven.harmonise.text_results import GIVES, TextResult
from fairhaven.kernel.errors import Fault
from fairhaven.kernel.numbered_columns import WRONG_RANGE, numbered_columns
from fairhaven.kernel.toml import Document, Section
from fairhaven.omop import concepts

CARRIED = ("row_key", "row_extract", "row_line", "patient_ref")
"""Columns that every rule carries by itself."""

CLEANING = ("none", "icd10", "opcs4", "read")

WORDS: Mapping[str, Mapping[str, int]] = {
    "type_concept_id": concepts.TYPE,
    "concept_id": concepts.VISIT,
    "admitted_from_concept_id": concepts.VISIT,
    "discharged_to_concept_id": concepts.VISIT,
    "place_of_service_concept_id": concepts.VISIT,
    "gender_concept_id": concepts.GENDER,
    "race_concept_id": concepts.RACE,
    "ethnicity_concept_id": concepts.ETHNICITY,
}
"""Columns of concept ids that may be given by word."""

_START = (("start_date", "start_datetime"), "start_date")
_DATE = (("date", "datetime"), "date")
_NEEDED: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "event": (_START,),
    "visit_occurrence": (_START,),
    "visit_detail": (_START, (("visit_ref",), "visit_ref; a detail is part of a visit")),
    "observation_period": (_START,),
    "payer_plan_period": (_START,),
    "person": ((("birth_date", "birth_year"), "birth_date"),),
    "death": (_DATE,),
    "note": (_DATE,),
    **{kind: (((f"{kind}_ref",), f"{kind}_ref"),) for kind in ("provider", "care_site", "location")},
}
"""Kind of row -> columns of which it needs one each, and what is said where it has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeMapping:
    """A code of a row: where it is, its vocabulary, how it is cleaned."""

    column: MappingValue
    vocabulary: MappingValue
    clean: str = "none"


@dataclass(frozen=True, kw_only=True)
class MapRule:
    """One ``[[map]]``.

    Args:
        tables: source tables it reads; one, or several for a Python rule.
        kind: kind of generic row (`generic_rows.KINDS`).
        target: CDM table that its events always go to; empty for "by domain".
        unmapped_to: CDM table of its events without a standard concept; empty for observation.
        when: conditions, all of which must hold.
        unpivot: name -> columns; every group of columns becomes a row.
        codes: up to three alternates.
        concept_id: a fixed standard concept, None where codes are looked up.
        value: a coded value.
        result: a result as text.
        gives: column of the generic row -> value (``[map.set]``).
        coded: columns of the source that hold texts of a list, where a column of the row could hold free text; of a Python rule
            the columns of its rows.
        python: ``module:function``; empty for a declarative rule.
        file: ``mappings/gp.toml:12``.
    """

    name: str
    tables: tuple[str, ...]
    kind: str
    target: str = ""
    unmapped_to: str = ""
    when: tuple[MappingCondition, ...] = ()
    unpivot: tuple[tuple[str, tuple[str, ...]], ...] = ()
    codes: tuple[CodeMapping, ...] = ()
    concept_id: int | None = None
    text: str = ""
    value: CodeMapping | None = None
    result: TextResult | None = None
    gives: tuple[tuple[str, MappingValue], ...] = ()
    coded: tuple[str, ...] = ()
    python: str = ""
    file: str = ""

    def unpivoted(self) -> set[str]:
        """Columns that unpivoting makes."""
        return {"position", *(name for name, _ in self.unpivot)} if self.unpivot else set()

    def looked_up(self) -> list[CodeMapping]:
        """Its codes and its coded value."""
        return [*self.codes, *([self.value] if self.value else [])]

    def coded_columns(self) -> set[str]:
        """Columns that hold texts of a list: they are declared so, hold the code, or are taken for words that the rule names."""
        named = {condition.column for condition in self.when if condition.one_of is not None}
        return named.union(self.coded, *(columns_of(code.column) for code in self.looked_up()))

    def columns(self) -> set[str]:
        """Columns of the source's table that it cannot do without."""
        read = {condition.column for condition in self.when} | ({self.text} if self.text else set())
        values = [
            *chain(*((code.column, code.vocabulary) for code in self.looked_up())),
            *(value for _, value in self.gives),
        ]
        values += [self.result.column] if self.result else []
        return read.union(self.coded, *map(columns_of, values)) - self.unpivoted()

    def texts_given(self) -> list[tuple[str, MappingValue]]:
        """Columns of the row -> value, those that hold texts of the source as they are among them."""
        return [*self.gives, *([("value_text", self.result.column)] if self.result else [])]

    def fault(self, message: str) -> Fault:
        """A fault of the rule, at its place."""
        path, _, line = self.file.rpartition(":")
        return Fault(message=f"rule {self.name}: {message}", path=path, line=int(line) if line else None)


@dataclass(frozen=True, kw_only=True)
class MappingFile:
    """The rules of one file.

    Args:
        folder: where modules that its Python rules name are looked for first; empty for none.
    """

    rules: tuple[MapRule, ...]
    folder: str = ""


def read_mapping(document: Document) -> MappingFile | None:
    """Parse a mapping file; faults are added to the document. None where nothing could be read."""
    root = document.root
    rules = []
    lines: dict[str, int] = {}
    sections = root.sections("map")
    if not sections and not document.faults:
        document.fault("map", "there is no [[map]]; a mapping file is a list of rules")
    for section in sections:
        before = len(document.faults)
        line = document.line_of(section.field) or 1
        rule = _rule(section, f"{document.shown}:{line}")
        if rule.name in lines:
            section.fault("name", f"is the name of another rule too (line {lines[rule.name]})")
        lines.setdefault(rule.name, line)
        if len(document.faults) == before:
            rules.append(rule)
    root.finish()
    return MappingFile(rules=tuple(rules), folder=str(document.path.parent)) if rules else None


def check_columns(
    rules: Iterable[MapRule],
    tables: Mapping[str, Iterable[str]],
    *,
    not_landed: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> list[Fault]:
    """Tables and columns that rules read and a source does not have.

    Args:
        tables: the source's tables with the names of their columns (`CARRIED` may be missing).
        not_landed: table -> column that is delivered and does not land -> why, and what there is in its place.
    """
    faults = []
    for rule in rules:
        for table in rule.tables:
            if table not in tables:
                known = ", ".join(sorted(tables)) or "none"
                faults.append(rule.fault(f"the source has no table {table} (it has: {known})"))
            elif not rule.python:
                missing = sorted(rule.columns().difference(tables[table], CARRIED))
                reasons = not_landed.get(table, {})
                faults += [
                    rule.fault(
                        f"the column {name} of {table} {reasons[name]}"
                        if name in reasons
                        else f"the table {table} has no column {name}"
                    )
                    for name in missing
                ]
    return faults


def _rule(section: Section, file: str) -> MapRule:
    to = section.text("to", choices=(*KINDS, *EVENT_TABLES))
    kind = to if to in KINDS else "event"
    python = section.text("python", "")
    if python and not re.fullmatch(r"[\w.]+:\w+", python):
        section.fault("python", "must be module:function")
    tables = section.texts("from")
    if len(tables) > 1 and not python:
        section.fault("from", "names several tables; only a Python rule reads more than one")
    codes, fixed, text = _codes(section, kind)
    rule = MapRule(
        name=section.text("name"),
        tables=tables,
        kind=kind,
        target=to if to in EVENT_TABLES else "",
        unmapped_to=section.text("unmapped_to", "", choices=("", *EVENT_TABLES)),
        when=tuple(_conditions(section.section("when"))),
        unpivot=tuple(_unpivot(section.section("unpivot"))),
        codes=codes,
        concept_id=fixed,
        text=text,
        value=_code(section.section("value")) if "value" in section else None,
        result=_result(section, kind) if "result" in section else None,
        gives=tuple(_set(section.section("set"), kind)),
        coded=section.texts("coded", ()),
        python=python,
        file=file,
    )
    if not python:
        _check_enough(section, rule)
    section.finish()
    return rule


def _check_enough(section: Section, rule: MapRule) -> None:
    """What a row of the kind cannot do without."""
    given = {name for name, _ in rule.gives}
    if rule.kind == "event" and not rule.codes and rule.concept_id is None and not rule.text and "code" not in given:
        section.fault("code", "is missing; say which column holds the code")
    for columns, what in _NEEDED.get(rule.kind, ()):
        if not given.intersection(columns):
            section.fault("set", f"gives no {what}")


def _codes(section: Section, kind: str) -> tuple[tuple[CodeMapping, ...], int | None, str]:
    """Alternates, a fixed concept, the column of the source's words."""
    codes = []
    fixed, text = None, ""
    for key in ("code", "code_2", "code_3"):
        if key not in section:
            continue
        part = section.section(key)
        if "code" not in KINDS[kind]:
            section.fault(key, f"a {kind} has no code")
        if key == "code":
            text = part.text("text", "")
            fixed = part.whole("concept_id") if "concept_id" in part else None
            if fixed is not None and not concepts.is_concept_id(fixed):
                part.fault("concept_id", "is not a concept id")
        if key != "code" or "column" in part or (not text and fixed is None):
            codes.append(_code(part))
            continue
        if fixed is None:
            vocabulary = _value(part, "vocabulary", part.raw("vocabulary"), texts_are_columns=False)
            codes.append(CodeMapping(column=constant(""), vocabulary=vocabulary))
        part.finish()
    return tuple(codes), fixed, text


def _code(section: Section) -> CodeMapping:
    code = CodeMapping(
        clean=section.text("clean", "none", choices=CLEANING),
        column=_value(section, "column", section.raw("column")),
        vocabulary=_value(section, "vocabulary", section.raw("vocabulary", ""), texts_are_columns=False),
    )
    section.finish()
    return code


def _result(section: Section, kind: str) -> TextResult:
    part = section.section("result")
    result = TextResult(
        column=_value(part, "column", part.raw("column")), decimal=part.text("decimal", ".", choices=(".", ","))
    )
    part.finish()
    if kind != "event":
        section.fault("result", f"a {kind} has no result")
    given = section.section("set").values
    clashes = ["value"] if "value" in section else []
    for name in (*clashes, *(f"set.{name}" for name in GIVES if name != "unit" and name in given)):
        section.fault(name, "does not go with [map.result], which gives the value")
    return result


def _unpivot(section: Section) -> Iterable[tuple[str, tuple[str, ...]]]:
    width = None
    for name in section.values:
        columns = tuple(chain(*(_expand(section, name, pattern) for pattern in section.texts(name))))
        if width is not None and len(columns) != width:
            section.fault(name, f"names {len(columns)} columns where the first names {width}")
        width = width or len(columns)
        yield name, columns


def _expand(section: Section, key: str, written: str) -> list[str]:
    columns = numbered_columns(written)
    if not columns:
        section.fault(key, WRONG_RANGE)
    return columns


def _conditions(section: Section) -> Iterable[MappingCondition]:
    for name in section.values:
        given = section.raw(name)
        match given:
            case dict():
                part = section.section(name)
                nots = part.raw("not")
                yield MappingCondition(
                    column=name,
                    one_of=_several(part.raw("one_of")) if "one_of" in part else None,
                    none_of=_several(nots) if nots is not None else (),
                    present=part.yes("present", None),
                    starts_with=part.texts("starts_with", ()),
                    matches=_regular(part, "matches"),
                    at_least=part.raw("at_least"),
                    at_most=part.raw("at_most"),
                )
                if not part.values:
                    section.fault(name, "says nothing; give a value, a list, or a test such as { present = true }")
                part.finish()
            case list() if not given:
                section.fault(name, "an empty list holds for no row")
            case _:
                yield MappingCondition(column=name, one_of=_several(given))


def _several(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, list) else (given,)


def _regular(section: Section, key: str) -> str:
    expression = section.text(key, "")
    if expression and (message := pattern_fault(expression, needs_group=key == "pattern")):
        section.fault(key, message)
        return ""
    return expression


def _set(section: Section, kind: str) -> Iterable[tuple[str, MappingValue]]:
    known = [name for name in KINDS[kind] if name not in CARRIED]
    for name in section.values:
        if name not in known:
            section.fault(name, f"is no column of {kind} rows (known: {', '.join(known)})")
            continue
        value = _value(section, name, section.raw(name))
        yield name, _by_word(section, name, value) if name in WORDS else value


def _by_word(section: Section, name: str, value: MappingValue) -> MappingValue:
    """Concept ids in place of the words for them."""
    words = WORDS[name]

    def concept(word: Any) -> Any:
        if isinstance(word, str):
            if word not in words:
                section.fault(name, f"is no concept id and none of the words for it ({', '.join(words)})")
            return words.get(word, 0)
        if word is not None and not concepts.is_concept_id(word):
            section.fault(name, "is not a concept id")
        return word

    def concepts_of(step: Step) -> Step:
        if not isinstance(step, MappedValue):
            return step
        pairs = tuple((text, concept(word)) for text, word in step.pairs)
        return replace(step, pairs=pairs, default=concept(step.default))

    if isinstance(value.source, ConstantValue) and not value.steps:
        return constant(concept(value.source.value))
    return replace(value, steps=tuple(map(concepts_of, value.steps)))


def _value(section: Section, key: str, given: Any, *, texts_are_columns: bool = True) -> MappingValue:
    """A value as written: a column, a constant, or a table that says more."""
    match given:
        case str():
            return column(given) if texts_are_columns else constant(given)
        case bool() | int() | float():
            return constant(given)
        case dict():
            part = Section(section.document, f"{section.field}.{key}" if section.field else key, given)
            value = MappingValue(source=_source(part), steps=tuple(_steps(part)))
            part.finish()
            return value
        case None:
            section.fault(key, "is missing")
        case _:
            section.fault(key, 'must be a column, a number, true or false, or a table such as { value = "kg" }')
    return constant(None)


def _source(part: Section) -> Source:
    given = [name for name in ("column", "value", "first", "join", "date") if name in part]
    if len(given) != 1:
        part.fault("", 'must have one of column, value, first, join, date: { value = "kg" } is a constant text')
        return ConstantValue(value=None)
    match given[0]:
        case "column":
            return ColumnValue(name=part.text("column"))
        case "value":
            return ConstantValue(value=part.raw("value"))
        case "first":
            return FirstValue(items=_items(part, "first"))
        case "join":
            return JoinedText(items=_items(part, "join"), between=part.text("with", ""))
        case _:
            time = _value(part, "time", part.raw("time")) if "time" in part else None
            return DatetimeValue(date=_value(part, "date", part.raw("date")), time=time)


def _items(part: Section, key: str) -> tuple[MappingValue, ...]:
    given = part.raw(key)
    if not isinstance(given, list) or not given:
        part.fault(key, "must be a list of columns or values")
        return (constant(None),)
    return tuple(_value(part, key, item) for item in given)


def _steps(part: Section) -> Iterable[Step]:
    if "pattern" in part:
        yield TextPattern(expression=_regular(part, "pattern"))
    if any(name in part for name in ("upper", "strip", "cut", "from_character")):
        yield CleanedText(
            upper=part.yes("upper", False),
            strip=part.text("strip", ""),
            from_character=max(part.whole("from_character", 1), 1),
            cut=part.whole("cut", None),
        )
    if "map" in part or "default" in part:
        pairs = part.section("map").values
        for text, to in pairs.items():
            if not isinstance(to, str | int | float):
                part.fault("map", f"{text} must lead to a text or a number")
        default = part.raw("default")
        is_kept = isinstance(default, dict)
        if is_kept and default != {"keep": True}:
            part.fault("default", "must be a text, a number or { keep = true }")
        yield MappedValue(pairs=tuple(pairs.items()), default=None if is_kept else default, is_kept=is_kept)
    if "scales" in part:
        scales = tuple(part.section("scales").values.items())
        if not all(isinstance(scale, int | float) for _, scale in scales):
            part.fault("scales", "must be numbers")
            scales = ()
        yield ScaledValue(unit=part.text("unit"), scales=tuple((unit, float(scale)) for unit, scale in scales))
    if part.yes("number", False) or "scale" in part or "offset" in part:
        yield ScaledValue(scale=part.number("scale", 1), offset=part.number("offset", 0))
    for key, sign in (("add_days", 1), ("minus_days", -1)):
        if key in part:
            days = part.raw(key)
            if not isinstance(days, int | str):
                part.fault(key, "must be a number of days or a column")
                days = 0
            yield ShiftedDate(days=days, sign=sign)
    if "part" in part or "minus_years" in part:
        yield _date_part(part)


def _date_part(part: Section) -> DatePart:
    what = part.text("part", choices=("year", "month", "day"))
    if "minus_years" not in part:
        return DatePart(part=what)
    if what != "year":
        part.fault("minus_years", 'gives a year; write part = "year"')
    return DatePart(part=what, minus_years=_value(part, "minus_years", part.raw("minus_years")))
