"""CONDITION_ERA and DRUG_ERA: records of one concept at most 30 days apart, as OHDSI builds them."""

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.code_mapping import VocabularyTables
from fairhaven.harmonise.observation_periods import merge_periods
from fairhaven.harmonise.row_ids import table_constant

GAP_DAYS = 30
_CARRIED = ("row_extract", "row_line")


def condition_era(conditions: ir.Table, rule: int) -> ir.Table:
    """Eras of mapped conditions; one without an end is taken to last to the next day.

    Args:
        conditions: CONDITION_OCCURRENCE with lineage.
        rule: number of the derived rule.
    """
    mapped = conditions.filter(conditions["condition_concept_id"] != 0)
    next_day = (mapped["condition_start_date"] + ibis.interval(days=1)).cast("date")
    rows = mapped.select(
        "person_id",
        "row_extract",
        "row_line",
        concept="condition_concept_id",
        start="condition_start_date",
        end=ibis.coalesce(mapped["condition_end_date"], next_day),
        member="condition_occurrence_id",
    )
    eras = merge_periods(rows, ["person_id", "concept"], gap_days=GAP_DAYS, carried=_CARRIED)
    return eras.select(
        "person_id",
        "row_extract",
        "row_line",
        condition_era_id=eras["member"] ^ ibis.literal(table_constant("condition_era"), type="int64"),
        condition_concept_id=eras["concept"],
        condition_era_start_date=eras["start"],
        condition_era_end_date=eras["end"],
        condition_occurrence_count=eras["members"],
        row_rule=ibis.literal(rule, type="int32"),
    )


def ingredients(engine: Engine, exposures: ir.Table, vocabulary: VocabularyTables) -> ir.Table | None:
    """Kept ``concept, ingredient`` of the drugs of DRUG_EXPOSURE; None without CONCEPT_ANCESTOR."""
    if vocabulary.concept_ancestor is None:
        return None
    concept = vocabulary.concept
    is_ingredient = (concept["concept_class_id"] == "Ingredient") & (concept["standard_concept"] == "S")
    named = concept.filter(is_ingredient & concept["vocabulary_id"].startswith("RxNorm"))
    ancestor = vocabulary.concept_ancestor.select(
        ingredient=vocabulary.concept_ancestor["ancestor_concept_id"].cast("int32"),
        concept=vocabulary.concept_ancestor["descendant_concept_id"].cast("int32"),
    )
    found = ancestor.semi_join(exposures.select(concept="drug_concept_id").distinct(), "concept")
    found = found.semi_join(named.select(ingredient=named["concept_id"].cast("int32")), "ingredient").distinct()
    return engine.keep(found)


def drug_era(exposures: ir.Table, of: ir.Table | None, rule: int) -> ir.Table:
    """Eras of ingredients; a drug whose ingredients are unknown stands for itself.

    Args:
        exposures: DRUG_EXPOSURE with lineage.
        of: `ingredients`.
    """
    mapped = exposures.filter(exposures["drug_concept_id"] != 0)
    ingredient: ir.Value = mapped["drug_concept_id"]
    if of is not None:
        mapped = mapped.left_join(of, mapped["drug_concept_id"] == of["concept"])
        ingredient = ibis.coalesce(mapped["ingredient"], mapped["drug_concept_id"])
    rows = mapped.select(
        "person_id",
        "row_extract",
        "row_line",
        concept=ingredient,
        start="drug_exposure_start_date",
        end="drug_exposure_end_date",
        member="drug_exposure_id",
    )
    eras = merge_periods(rows, ["person_id", "concept"], gap_days=GAP_DAYS, carried=_CARRIED)
    # One exposure of several ingredients is a member of several eras.
    number = eras["member"] ^ (eras["concept"].cast("int64") * ibis.literal(1 << 20, type="int64"))
    return eras.select(
        "person_id",
        "row_extract",
        "row_line",
        drug_era_id=number ^ ibis.literal(table_constant("drug_era"), type="int64"),
        drug_concept_id=eras["concept"],
        drug_era_start_date=eras["start"],
        drug_era_end_date=eras["end"],
        drug_exposure_count=eras["members"],
        gap_days=eras["uncovered"],
        row_rule=ibis.literal(rule, type="int32"),
    )
