"""Second pass: what is in each concept set, for all sets of a batch at once."""

from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir

from fairhaven.cohort.model import ConceptSetItem
from fairhaven.cohort.program.keeping import Keeping, together
from fairhaven.cohort.program.parts import Items


def members(sets: list[Items], tables: Mapping[str, ir.Table], keeping: Keeping) -> ir.Table:
    """The concepts of each set, by number.

    A concept itself is taken if the vocabulary has it, its descendants if they are valid, and of the concepts that map to
    any of these all whose relationship is valid. What excluding items bring in the same way is taken out.

    Returns:
        ``concept_set``, ``concept_id``, each pair once.
    """
    rows = [row for number, items in enumerate(sets) for row in _rows(number, items)]
    asked = keeping.parameters(rows, {"concept_set": "whole", "concept_id": "whole"} | dict.fromkeys(_FLAGS, "flag"))
    literal = asked.filter(asked.literal).select(_PAIR)
    # A batch that names lists of ids alone needs no vocabulary.
    if all(row["literal"] for row in rows):
        return keeping.keep(literal.distinct())
    brought = _brought(asked.filter(~asked.literal), rows, tables, keeping)
    included = brought.filter(~brought.excluded).select(_PAIR)
    if any(row["excluded"] for row in rows):
        included = included.anti_join(brought.filter(brought.excluded).select(_PAIR), _PAIR)
    return keeping.keep(together([included, literal]).distinct())


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


def _brought(items: ir.Table, rows: list[dict[str, Any]], tables: Mapping[str, ir.Table], keeping: Keeping) -> ir.Table:
    """What each item brings: ``concept_set``, ``concept_id``, ``mapped``, ``excluded``."""
    columns = [*_PAIR, "mapped", "excluded"]
    concept = tables["concept"]
    known = concept.select(concept_id=concept.concept_id.cast("int64"), invalid_reason=concept.invalid_reason)
    brought = items.semi_join(known, "concept_id").select(columns)
    if any(row["descendants"] for row in rows):
        ancestor = tables["concept_ancestor"]
        valid = known.filter(_is_valid(known))
        below = ancestor.select(
            above=ancestor.ancestor_concept_id.cast("int64"), concept_id=ancestor.descendant_concept_id.cast("int64")
        ).semi_join(valid, "concept_id")
        wanted = items.filter(items.descendants).drop("descendants", "literal").rename(above="concept_id")
        brought = together([brought, wanted.join(below, "above").select(columns)])
    if any(row["mapped"] for row in rows):
        brought = keeping.keep(brought)
        relationship = tables["concept_relationship"]
        maps = relationship.filter(relationship.relationship_id == "Maps to", _is_valid(relationship))
        maps = maps.select(target=maps.concept_id_2.cast("int64"), concept_id=maps.concept_id_1.cast("int64"))
        wanted = brought.filter(brought.mapped).rename(target="concept_id")
        brought = together([brought, wanted.join(maps, "target").select(columns)])
    return brought


def _is_valid(table: ir.Table) -> ir.BooleanValue:
    """A concept or relationship that was not withdrawn; some CDMs hold an empty text where the standard has NULL."""
    return table.invalid_reason.isnull() | (table.invalid_reason.strip() == "")
