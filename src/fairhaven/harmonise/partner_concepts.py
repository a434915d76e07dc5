"""How many concepts of a partner's CDM this hub's vocabulary does not know, or has as not standard."""

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.numbered_rules import NumberedRows
from fairhaven.release.facts import PartnerConcepts

_OMOP = "omop"


def partner_concepts(
    engine: Engine, rules: Sequence[NumberedRows], tables: Sequence[ir.Table], concept: ir.Table
) -> tuple[PartnerConcepts, ...]:
    """Concepts by source and table of each CDM among the sources.

    Args:
        tables: gathered rows of the kinds that have codes.
        concept: the hub's CONCEPT.
    """
    theirs = {rule.rule.number: rule.rule for rule in rules if rule.source.format == _OMOP}
    named = [rows.select("rule", "concept_id") for rows in tables if "concept_id" in rows.columns]
    if not theirs or not named:
        return ()
    rows = ibis.union(*named)
    rows = rows.filter(rows["rule"].isin(list(theirs)) & (rows["concept_id"] > 0))
    counted = rows.group_by("rule", "concept_id").agg(rows=rows.count())
    known = concept.select(known=concept["concept_id"], is_standard=concept["standard_concept"].fill_null("") == "S")
    both = counted.left_join(known, counted["concept_id"] == known["known"])
    is_unknown, is_other = both["known"].isnull(), both["known"].notnull() & ~both["is_standard"]
    found = both.group_by("rule").agg(
        concepts=both.count(),
        rows=both["rows"].sum(),
        unknown=is_unknown.sum(),
        unknown_rows=both["rows"].sum(where=is_unknown).fill_null(0),
        not_standard=is_other.sum(),
        not_standard_rows=both["rows"].sum(where=is_other).fill_null(0),
    )
    return tuple(
        PartnerConcepts(source=theirs[number].source, table=theirs[number].table, **row)
        for row in sorted(engine.fetch(found).to_pylist(), key=lambda row: row["rule"])
        for number in [row.pop("rule")]
    )
