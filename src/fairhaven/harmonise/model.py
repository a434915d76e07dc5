"""Nouns of harmonisation: what it is given of a source, the rules that ran, and the CDM that comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir

from fairhaven.harmonise.mapping_file import MappingFile


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingRule:
    """One mapping rule as a release lists it; `row_rule` of a CDM row is its number.

    Args:
        number: from 1 within the release.
        name: unique within its source; row identifiers depend on it, so renaming a rule renumbers its rows.
        table: the source's table that it reads.
        file: where the rule is written, for example ``mappings/gp.toml:12`` or ``fhir/condition``.
        target: kind of row, or the CDM table that it always yields.
    """

    number: int
    name: str
    source: str
    table: str
    file: str
    target: str


@dataclass(frozen=True, kw_only=True)
class SourceTables:
    """One source as harmonise needs it.

    Args:
        name: name of ``sources/NAME.toml``.
        kind: gp, hospital, social-care, registry, laboratory, genomics, imaging, cdm.
        format: delimited, parquet, fhir, omop.
        controller: name of the data controller.
        tables: current rows of each landed table.
        mapping: the source's mapping files (`mapping_file.read_mapping`), in order.
        priority: which source describes a person or a death best; the lowest number wins, then the name.
    """

    name: str
    kind: str
    format: str
    controller: str
    tables: Mapping[str, ir.Table]
    mapping: Sequence[MappingFile] = ()
    priority: int = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleOutcome:
    """How many generic rows of a rule came to what, for the flow picture and the reconciliation.

    Args:
        rule: number of the rule; 0 for source rows that no rule took (then `source` and `table` say where).
        outcome: where they went (a CDM table), or why they went nowhere: ``no person``, ``no birth year``, ``no date``,
            ``no visit``, ``not taken``.
    """

    rule: int
    source: str
    table: str
    outcome: str
    rows: int
    is_mapped: bool = False


@dataclass(frozen=True, kw_only=True)
class Harmonised:
    """The CDM of a release, not yet written.

    Args:
        tables: one Ibis expression for each CDM table with rows: its columns, then `row_extract, row_line, row_rule`.
        rules: every rule that ran, by number.
        counts: what came of the generic rows.
        unmapped: codes without a standard concept, most frequent first: `rule, vocabulary_id, code, outcome, rows`.
    """

    tables: Mapping[str, ir.Table]
    rules: tuple[MappingRule, ...]
    counts: tuple[RuleOutcome, ...] = ()
    unmapped: ir.Table | None = None
