"""Nouns of harmonisation: what it is given of a source, the rules that ran, and the CDM that comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis.expr.types as ir

from fairhaven.harmonise.mapping_file import MappingFile
from fairhaven.release.facts import EmptiedValues, MappingRule, PartnerConcepts, RuleOutcome


@dataclass(frozen=True, kw_only=True)
class SourceTables:
    """One source as harmonise needs it.

    Args:
        name: name of ``sources/NAME.toml``.
        kind: gp, hospital, social-care, registry, laboratory, genomics, imaging, cdm.
        format: delimited, parquet, fhir, omop.
        tables: current rows of each landed table.
        mapping: the source's mapping files (`mapping_file.read_mapping`), in order.
        keys: columns by which rows are known or refer to others, as the source declares them.
    """

    name: str
    kind: str
    format: str
    tables: Mapping[str, ir.Table]
    mapping: Sequence[MappingFile] = ()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Harmonised:
    """The CDM of a release, not yet written.

    Args:
        tables: one Ibis expression for each CDM table with rows: its columns, then `row_extract, row_line, row_rule`.
        rules: every rule that ran, by number.
        counts: what came of the generic rows.
        emptied: what rows of the tables do not have, though their source gave it.
        partner_concepts: of sources that are CDMs, what the vocabulary knows of their concepts.
        unmapped: codes without a standard concept, most frequent first: `rule, vocabulary_id, code, outcome, rows`.
    """

    tables: Mapping[str, ir.Table]
    rules: tuple[MappingRule, ...]
    counts: tuple[RuleOutcome, ...] = ()
    emptied: tuple[EmptiedValues, ...] = ()
    partner_concepts: tuple[PartnerConcepts, ...] = ()
    unmapped: ir.Table | None = None
