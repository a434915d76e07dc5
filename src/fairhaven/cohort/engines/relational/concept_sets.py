"""Second pass: what is in each concept set, for all sets of a batch at once."""

from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir

from fairhaven.cohort.concept_relations import concept_validity, descendant_pairs, mapping_pairs
from fairhaven.cohort.engines.relational.parts import Items
from fairhaven.cohort.engines.relational.temporary_tables import TemporaryTables, union_all
from fairhaven.cohort.model import ConceptSetItem


def concept_set_members(sets: list[Items], tables: Mapping[str, ir.Table], temporary: TemporaryTables) -> ir.Table:
    """The concepts of each set, by number.

    A concept itself is taken if the vocabulary has it, its descendants if they are valid, and of the concepts that map to
    any of these all whose relationship is valid. What excluding items bring in the same way is taken out.

    Returns:
        ``concept_set``, ``concept_id``, each pair once.
    """
    rows = [row for number, items in enumerate(sets) for row in _rows(number, items)]
    asked = temporary.parameters(rows, {"concept_set": "whole", "concept_id": "whole"} | dict.fromkeys(_FLAGS, "flag"))
    literal = asked.filter(asked.literal).select(_PAIR)
    # A batch that names lists of ids alone needs no vocabulary.
    if all(row["literal"] for row in rows):
        return temporary.keep(literal.distinct())
    brought = _brought(asked.filter(~asked.literal), rows, tables, temporary)
    included = brought.filter(~brought.excluded).select(_PAIR)
    if any(row["excluded"] for row in rows):
        included = included.anti_join(brought.filter(brought.excluded).select(_PAIR), _PAIR)
    return temporary.keep(union_all([included, literal]).distinct())


_PAIR = ["concept_set", "concept_id"]
_FLAGS = ("descendants", "mapped", "excluded", "literal")


def _rows(number: int, items: Items) -> list[dict[str, Any]]:
    return [
        {
            "concept_set": number,
            "concept_id": item.concept_id,
            "descendants": item.descendants,
            "mapped": item.mapped,
            "excluded": item.excluded,
            "literal": False,
        }
        if isinstance(item, ConceptSetItem)
        else {"concept_set": number, "concept_id": item, "literal": True} | dict.fromkeys(_FLAGS[:3], False)
        for item in items
    ]


def _brought(
    items: ir.Table, rows: list[dict[str, Any]], tables: Mapping[str, ir.Table], temporary: TemporaryTables
) -> ir.Table:
    """What each item brings: ``concept_set``, ``concept_id``, ``mapped``, ``excluded``."""
    columns = [*_PAIR, "mapped", "excluded"]
    brought = items.semi_join(concept_validity(tables), "concept_id").select(columns)
    if any(row["descendants"] for row in rows):
        wanted = items.filter(items.descendants).drop("descendants", "literal").rename(above="concept_id")
        brought = union_all([brought, wanted.join(descendant_pairs(tables), "above").select(columns)])
    if any(row["mapped"] for row in rows):
        brought = temporary.keep(brought)
        wanted = brought.filter(brought.mapped).rename(target="concept_id")
        brought = union_all([brought, wanted.join(mapping_pairs(tables), "target").select(columns)])
    return brought
