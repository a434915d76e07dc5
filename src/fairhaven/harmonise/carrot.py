"""Carrot-Mapper rules (JSON, versions 1 and 2) as mapping rules.

Both versions say: in this source table, this value of this field is that concept of that CDM table, with such dates and
original values beside. Version 1 has a rule for each concept, version 2 one block for each source table. Rules over
the same field become one mapping rule; a value that leads to several concepts makes one more for each further concept.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairhaven.harmonise.cdm_columns import CDM_COLUMNS
from fairhaven.harmonise.generic_rows import EVENT_TABLES
from fairhaven.harmonise.mapping_conditions import MappingCondition
from fairhaven.harmonise.mapping_file import MappingFile, MapRule
from fairhaven.harmonise.mapping_values import ColumnValue, MappedValue, MappingValue, column, constant
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.foreign_files import content_of
from fairhaven.kernel.json_document import json_object
from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.omop.cdm import CDM
from fairhaven.omop.concepts import is_concept_id

ANY = "*"
_LARGEST = 100_000_000
"""Bytes. Rules for a whole data set have some hundred thousand."""
_ORIGINALS = {"value_as_string": "value_text"}
"""Carrot gives any table a text value."""


class _FieldError(ValueError):
    """A rule gives a value to a field that the CDM's table does not have, or that no rule may give."""


@dataclass(kw_only=True)
class _Block:
    """What is said of one field of one source table for one CDM table.

    Args:
        dates: field of the CDM -> source field.
        concepts: source value (or `ANY`) -> field of the CDM -> concepts.
        copied: field of the CDM -> source field whose value it has.
    """

    target: str
    table: str
    source_field: str
    dates: dict[str, str] = field(default_factory=dict)
    concepts: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    copied: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*self.dates, *self.copied):
            _given(self.target, name)

    def concepts_of(self, value: str, destination: str) -> list[int]:
        if not _given(self.target, destination).endswith("concept_id"):
            raise _FieldError(f"the field {destination} holds no concept")
        return self.concepts.setdefault(value, {}).setdefault(destination, [])

    def destinations(self) -> dict[str, None]:
        """Fields of the CDM that have concepts, in order."""
        return {name: None for by_field in self.concepts.values() for name in by_field}

    def rules(self) -> int:
        """A value that leads to several concepts makes as many rules."""
        return max((len(ids) for by_field in self.concepts.values() for ids in by_field.values()), default=0)


def read_carrot(path: Path, shown: str = "") -> MappingFile:
    """Read a Carrot rules file. Tables are named after its files, without the ending.

    Raises:
        NotFound: there is no such file.
        Invalid: the file is no JSON, or no Carrot rules, or has rules for tables that it cannot have; all faults.
    """
    shown = shown or path.name
    tables = json_object(content_of(path, shown=shown, largest=_LARGEST), path=shown).get("cdm")
    if not isinstance(tables, dict):
        raise Invalid(Fault(message='no Carrot rules: there is no "cdm"', path=shown))
    faults: list[Fault] = []
    blocks: list[_Block] = []
    for target, rules in tables.items():
        if target not in (*EVENT_TABLES, "person"):
            faults.append(Fault(message="rules for this table cannot be read", path=shown, field=f"cdm.{target}"))
            continue
        try:
            blocks += _blocks(target, rules)
        except _FieldError as error:
            faults.append(Fault(message=str(error), path=shown, field=f"cdm.{target}"))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            message = f"the rules have another form than Carrot's version 1 or 2 ({type(error).__name__})"
            faults.append(Fault(message=message, path=shown, field=f"cdm.{target}"))
    check_faults(faults)
    return MappingFile(rules=tuple(_rules(blocks, shown)))


def _blocks(target: str, rules: Mapping[str, Any]) -> Iterable[_Block]:
    is_second = any("concept_mappings" in rule or "person_id_mapping" in rule for rule in rules.values())
    return _second(target, rules) if is_second else _first(target, rules)


def _first(target: str, rules: Mapping[str, Any]) -> Iterable[_Block]:
    """Version 1: rule name -> CDM field -> source table, source field, term mapping."""
    found: dict[tuple[Any, ...], _Block] = {}
    for rule in rules.values():
        mapped = {name: at for name, at in rule.items() if "term_mapping" in at}
        if not mapped:
            continue
        at = next(iter(mapped.values()))
        table, source_field = _text(at["source_table"]).removesuffix(".csv"), _text(at["source_field"])
        others = {
            name: _text(part["source_field"])
            for name, part in rule.items()
            if name not in mapped and name != "person_id"
        }
        dates = {name: source for name, source in others.items() if _is_day(target, name)}
        copied = {name: source for name, source in others.items() if name not in dates}
        block = found.setdefault(
            (table, source_field, *sorted(others.items())),
            _Block(target=target, table=table, source_field=source_field, dates=dates, copied=copied),
        )
        for destination, part in mapped.items():
            terms = part["term_mapping"]
            for value, concept in (terms if isinstance(terms, dict) else {ANY: terms}).items():
                known = block.concepts_of(value, destination)
                if _concept_id(concept) not in known:
                    known.append(_concept_id(concept))
    return found.values()


def _second(target: str, rules: Mapping[str, Any]) -> Iterator[_Block]:
    """Version 2: source table -> date mapping, and field -> value -> CDM field -> concepts."""
    for file, rule in rules.items():
        date = rule.get("date_mapping") or {}
        dates = dict.fromkeys(map(_text, _listed(date.get("dest_field", []))), _text(date.get("source_field", "")))
        for source_field, by_value in rule["concept_mappings"].items():
            block = _Block(
                target=target,
                table=file.removesuffix(".csv"),
                source_field=source_field,
                dates=dates,
                copied=dict.fromkeys(map(_text, _listed(by_value.get("original_value", []))), source_field),
            )
            for value, destinations in by_value.items():
                if value == "original_value":
                    continue
                for destination, ids in destinations.items():
                    block.concepts_of(value, destination).extend(map(_concept_id, _listed(ids)))
            yield block


def _given(target: str, name: str) -> str:
    """The column of generic rows that a field of the CDM is written from."""
    if name not in CDM[target].names and name not in _ORIGINALS:
        raise _FieldError(f"the table has no field {name}")
    by_field = {**_ORIGINALS, **{field: column for column, field in CDM_COLUMNS[target].items()}}
    if _is_day(target, name):
        kind = "datetime" if name.endswith("datetime") else "date"
        return f"{'end' if '_end_' in name else 'start'}_{kind}"
    if name not in by_field:
        raise _FieldError(f"the field {name} cannot be given by a rule")
    return by_field[name]


def _is_day(target: str, name: str) -> bool:
    return name in CDM[target].names and CDM[target][name].type in ("date", "datetime")


def _listed(given: Any) -> Iterable[Any]:
    return given if isinstance(given, list) else [given]


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise TypeError
    return given


def _concept_id(given: Any) -> int:
    found = whole_number(given, digits=10) if isinstance(given, str) else given
    if not is_concept_id(found):
        raise ValueError
    return found


def _rules(blocks: list[_Block], shown: str) -> Iterator[MapRule]:
    persons = [block for block in blocks if block.target == "person"]
    for block in blocks:
        if block.target != "person":
            yield from (_event(block, turn, shown) for turn in range(block.rules()))
    for table in dict.fromkeys(block.table for block in persons):
        yield _person(table, [block for block in persons if block.table == table], shown)


def _concept(block: _Block, destination: str, turn: int) -> MappingValue | None:
    """The concept of a row by the field's value."""
    by_value = {}
    for value, destinations in block.concepts.items():
        ids = destinations.get(destination, [])
        # A value or a unit that is said once goes with each of a code's concepts.
        at = 0 if len(ids) == 1 and destination != CDM[block.target].concept else turn
        if at < len(ids):
            by_value[value] = ids[at]
    wide = by_value.pop(ANY, None)
    if not by_value:
        return None if wide is None else constant(wide)
    mapped = MappedValue(pairs=tuple(by_value.items()), default=wide)
    return MappingValue(source=ColumnValue(name=block.source_field), steps=(mapped,))


def _event(block: _Block, turn: int, shown: str) -> MapRule:
    gives = {"source_value": column(block.source_field)}
    gives |= {_given(block.target, name): column(source) for name, source in (block.dates | block.copied).items()}
    for destination in block.destinations():
        concept = _concept(block, destination, turn)
        if concept is not None:
            gives[_given(block.target, destination)] = concept
    values = {
        value for value, destinations in block.concepts.items() if any(len(ids) > turn for ids in destinations.values())
    }
    condition = (
        MappingCondition(column=block.source_field, present=True)
        if ANY in values
        else MappingCondition(column=block.source_field, one_of=tuple(sorted(values)))
    )
    number = f" {turn + 1}" if turn else ""
    return MapRule(
        name=f"{block.target} from {block.table}.{block.source_field}{number}",
        tables=(block.table,),
        kind="event",
        target=block.target,
        when=(condition,),
        gives=tuple(gives.items()),
        file=f"{shown}:1",
    )


def _person(table: str, blocks: list[_Block], shown: str) -> MapRule:
    dates = [source for block in blocks for source in block.dates.values()]
    gives = {"birth_date": column(dates[-1])} if dates else {}
    for block in blocks:
        gives |= {_given("person", name): column(source) for name, source in block.copied.items()}
        for destination in block.destinations():
            concept = _concept(block, destination, 0)
            if concept is not None:
                name = _given("person", destination)
                gives |= (
                    {name: concept}
                    if name.endswith("source_concept_id")
                    else {name.removesuffix("_concept_id"): column(block.source_field), name: concept}
                )
    return MapRule(
        name=f"person from {table}",
        tables=(table,),
        kind="person",
        gives=tuple(gives.items()),
        file=f"{shown}:1",
    )
