"""What a CDM's vocabulary says of concepts, for whoever resolves concept sets: three relations, ids as int64."""

from collections.abc import Mapping

import ibis.expr.types as ir


def concept_validity(tables: Mapping[str, ir.Table]) -> ir.Table:
    """``concept_id``, ``is_valid`` of every concept."""
    concept = tables["concept"]
    return concept.select(concept_id=concept.concept_id.cast("int64"), is_valid=_is_valid(concept))


def descendant_pairs(tables: Mapping[str, ir.Table]) -> ir.Table:
    """``above``, ``concept_id``: every concept with the valid ones below it, itself among them as CONCEPT_ANCESTOR has it."""
    ancestor, concept = tables["concept_ancestor"], concept_validity(tables)
    pairs = ancestor.select(
        above=ancestor.ancestor_concept_id.cast("int64"), concept_id=ancestor.descendant_concept_id.cast("int64")
    )
    return pairs.semi_join(concept.filter(concept.is_valid), "concept_id")


def mapping_pairs(tables: Mapping[str, ir.Table]) -> ir.Table:
    """``target``, ``concept_id``: every concept with those that map to it."""
    relationship = tables["concept_relationship"]
    maps = relationship.filter(relationship.relationship_id == "Maps to", _is_valid(relationship))
    return maps.select(target=maps.concept_id_2.cast("int64"), concept_id=maps.concept_id_1.cast("int64"))


def _is_valid(table: ir.Table) -> ir.BooleanValue:
    """A concept or relationship that was not withdrawn; some CDMs hold an empty text where the standard has NULL."""
    return table.invalid_reason.isnull() | (table.invalid_reason.strip() == "")
