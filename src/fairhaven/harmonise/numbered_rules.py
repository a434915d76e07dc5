"""All rules of all sources, numbered, and their rows of one kind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.generic_rows import ABOUT_NO_PERSON, FREE_TEXT_COLUMNS, KINDS, GenericRows, column_or_null
from fairhaven.harmonise.model import SourceTables
from fairhaven.harmonise.row_ids import rule_constant
from fairhaven.identifiers.withheld import FREE_TEXT, NUMBER
from fairhaven.omop.concepts import TYPE, TYPE_OF_KIND
from fairhaven.release.facts import MappingRule


@dataclass(frozen=True, kw_only=True)
class NumberedRows:
    """What a rule yields, with its number in the release and the source it reads."""

    rows: GenericRows
    rule: MappingRule
    source: SourceTables


def number_rules(found: Iterable[tuple[SourceTables, Sequence[GenericRows]]]) -> list[NumberedRows]:
    """Rules numbered from 1 in the order of their sources and files."""
    every = [(source, rows) for source, several in found for rows in several]
    return [
        NumberedRows(
            rows=rows,
            rule=MappingRule(
                number=number,
                name=rows.rule,
                source=source.name,
                table=rows.table,
                file=rows.file,
                target=rows.target or rows.kind,
            ),
            source=source,
        )
        for number, (source, rows) in enumerate(every, start=1)
    ]


def rows_of_sources(rules: Sequence[NumberedRows], kind: str) -> list[ir.Table]:
    """Rows of one kind from every rule, a table for each source that yields some, with ``source, rule, rule_key``.

    Only columns that some rule gives are there, because rows are kept once and width costs.
    """
    of_kind = [rule for rule in rules if rule.rows.kind == kind]
    used = [name for name in KINDS[kind] if any(name in rule.rows.rows.columns for rule in of_kind)]
    parts: dict[str, list[ir.Table]] = {}
    for rule in of_kind:
        parts.setdefault(rule.rule.source, []).append(_part(rule, kind, used))
    return [ibis.union(*several) for several in parts.values()]


def _part(numbered_rows: NumberedRows, kind: str, used: Sequence[str]) -> ir.Table:
    rows, source = numbered_rows.rows.rows, numbered_rows.source
    columns = {
        "source": ibis.literal(source.name),
        "rule": ibis.literal(numbered_rows.rule.number, type="int32"),
        "rule_key": ibis.literal(rule_constant(source.name, numbered_rows.rule.name), type="int64"),
        **{name: _released(numbered_rows.rows, name).cast(KINDS[kind][name]) for name in used},
    }
    if "type_concept_id" in KINDS[kind]:
        default = ibis.literal(TYPE_OF_KIND.get(source.kind, TYPE["EHR"]), type="int32")
        given = column_or_null(rows, "type_concept_id", kind).cast("int32")
        columns["type_concept_id"] = given.fill_null(default)
    return rows.select(**columns)


def _released(found: GenericRows, name: str) -> ir.Value:
    """A column of a rule's rows as it may be released: free text is withheld, and that there was some is kept."""
    value = column_or_null(found.rows, name, found.kind)
    is_free = name in FREE_TEXT_COLUMNS - found.coded and found.kind not in ABOUT_NO_PERSON
    if not is_free or name not in found.rows.columns:
        return value
    is_withheld = value.notnull() & ~value.cast("string").re_search(NUMBER)
    return is_withheld.ifelse(ibis.literal(FREE_TEXT), value)
