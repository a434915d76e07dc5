"""The CDM's event tables, each from the kept events."""

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.cdm_columns import CDM_COLUMNS
from fairhaven.harmonise.code_mapping import VocabularyTables
from fairhaven.harmonise.generic_rows import EVENT_TABLES, column_or_null
from fairhaven.harmonise.mapping_values import LONGEST_SHIFT
from fairhaven.harmonise.row_ids import row_id, unique_ids
from fairhaven.identifiers.withheld import FREE_TEXT, MARK
from fairhaven.omop import concepts
from fairhaven.omop.cdm import CDM, to_cdm

ORDER = ("row_rule", "row_key", "at", "ordinal")

Columns = dict[str, ir.Value]


def fit_to_cdm(rows: ir.Table, table: str) -> ir.Table:
    """Rows in the CDM's columns, texts cut to the length that the CDM allows, with lineage.

    The digest in the place of a withheld text, by which equal ones were joined, is not released.
    """
    cut = {}
    for field in CDM[table].fields:
        if field.name in rows.columns and rows[field.name].type().is_string():
            text = rows[field.name]
            if field.name != "person_source_value":
                text = text.startswith(MARK).ifelse(ibis.literal(FREE_TEXT), text)
            cut[field.name] = text if field.length is None else text.substr(0, field.length)
    return to_cdm(rows.mutate(**cut) if cut else rows, table)


def unit_concepts(engine: Engine, events: ir.Table, vocabulary: VocabularyTables) -> ir.Table | None:
    """``unit_text, unit_concept``: the concept of each different unit; None where no rule gives units.

    A UCUM code of the vocabulary first, then known codes, then common spellings in any case.
    """
    if "unit" not in events.columns:
        return None
    texts = events.filter(events["unit"].notnull()).select(unit_text=events["unit"]).distinct()
    plain = texts["unit_text"].strip()
    spelt = plain.lower().cases(*concepts.UNIT_SPELLING.items(), else_=plain)
    known, known_spelt = (text.cases(*concepts.UNIT.items(), else_=0) for text in (plain, spelt))
    texts = engine.keep(texts.mutate(plain=plain, spelt=spelt, known=ibis.coalesce(known.nullif(0), known_spelt)))
    concept = vocabulary.concept
    ucum = concept.filter((concept["vocabulary_id"] == "UCUM") & (concept["standard_concept"] == "S"))
    ucum = engine.keep(ucum.group_by(code=ucum["concept_code"]).agg(unit=ucum["concept_id"].min()))
    exact = ucum.select(exact_code="code", exact="unit")
    other = ucum.select(other_code="code", other="unit")
    found = texts.left_join(exact, texts["plain"] == exact["exact_code"])
    found = found.left_join(other, found["spelt"] == other["other_code"])
    best = ibis.coalesce(found["exact"], found["other"], found["known"], 0).cast("int32")
    return engine.keep(found.select("unit_text", unit_concept=best))


def event_tables(engine: Engine, events: ir.Table, vocabulary: VocabularyTables) -> Mapping[str, ir.Table]:
    """Every event table that has rows."""
    counts = engine.fetch(events.group_by("outcome").agg(rows=events.count()))
    present = set(counts["outcome"].to_pylist())
    units = unit_concepts(engine, events, vocabulary)
    return {
        table: _one(engine, events.filter(events["outcome"] == table), table, units)
        for table in EVENT_TABLES
        if table in present
    }


def _one(engine: Engine, rows: ir.Table, table: str, units: ir.Table | None) -> ir.Table:
    if units is not None and "unit_concept_id" in CDM_COLUMNS[table]:
        rows = rows.left_join(units, rows["unit"] == units["unit_text"])
    columns = {
        **_columns(rows, table),
        CDM[table].primary_key: row_id(rows, table),
        "person_id": rows["person_id"],
        "row_extract": rows["row_extract"],
        "row_line": rows["row_line"],
        "row_rule": rows["rule"],
        "row_key": rows["row_key"],
        "at": _event(rows, "position").fill_null(0),
        "ordinal": rows["ordinal"],
    }
    return fit_to_cdm(unique_ids(engine, rows.select(**columns), CDM[table].primary_key, ORDER), table)


def _columns(rows: ir.Table, table: str) -> Columns:
    """What events say of themselves, under the CDM's names; what is worked out where a rule does not give it."""
    worked_out = {
        "status_concept_id": _word(_event(rows, "status"), concepts.CONDITION_STATUS),
        "operator_concept_id": _word(_event(rows, "operator"), concepts.OPERATOR),
        "route_concept_id": _word(_event(rows, "route"), concepts.ROUTE, otherwise=_looked_up(rows, "route")),
        "qualifier_concept_id": _looked_up(rows, "qualifier"),
        "anatomic_site_concept_id": _looked_up(rows, "anatomic_site"),
        "unit_concept_id": _looked_up(rows, "unit"),
        "value_source_value": ibis.coalesce(
            _event(rows, "value_text"), _event(rows, "value_code"), _written(_event(rows, "value_number"))
        ),
    }
    columns = {}
    for name, column in CDM_COLUMNS[table].items():
        if name.endswith("_ref"):
            columns[column] = rows[column]
        else:
            columns[column] = _said(rows, name, worked_out[name]) if name in worked_out else _event(rows, name)
    if "qualifier_source_value" in columns:
        said = _event(rows, "qualifier_source_value")
        columns["qualifier_source_value"] = ibis.coalesce(said, columns["qualifier_source_value"])
    if table == "drug_exposure":
        columns |= _end_of_exposure(rows)
    return columns


def _end_of_exposure(rows: ir.Table) -> Columns:
    """The CDM requires an end of a drug exposure: the one given, or the last day that the supply covers.

    Without either (Themis 57) a prescription lasts 30 days, one by mail order 90, and anything else ends as it starts.
    """
    start, kind = rows["start_date"], rows["type_concept_id"]
    usual = kind.cases(*((concept, days) for concept, days in concepts.USUAL_SUPPLY.items()), else_=1)
    given = _event(rows, "days_supply")
    # One day beyond the calendar would end the whole build; no supply lasts a century.
    given = given.between(-LONGEST_SHIFT, LONGEST_SHIFT).ifelse(given, ibis.null("int32"))
    supply = ibis.greatest(ibis.coalesce(given, usual), 1)
    # An end of a CDM that was counted from the day of birth would tell it, so it is counted anew from the start that is released.
    beyond = rows["end_date"].delta(start, unit="day") - supply
    tells_birth = ((given.notnull() | (usual > 1)) & beyond.between(-1, rows["birth_days"])).fill_null(False)
    end = tells_birth.ifelse(ibis.null("date"), rows["end_date"])
    # What is given at one moment ends at it.
    is_momentary = rows["end_date"].isnull() & (kind == concepts.TYPE["EHR administration"])
    return {
        "drug_exposure_end_date": ibis.coalesce(end, (start + (supply - 1).as_interval("D")).cast("date")),
        "drug_exposure_end_datetime": tells_birth.ifelse(
            ibis.null("timestamp(6)"),
            _said(
                rows,
                "end_datetime",
                is_momentary.fill_null(False).ifelse(rows["start_datetime"], ibis.null("timestamp(6)")),
            ),
        ),
    }


def _event(rows: ir.Table, name: str) -> ir.Value:
    return column_or_null(rows, name, "event")


def _looked_up(rows: ir.Table, name: str) -> ir.Value:
    """The concept found for a further column; NULL where no rule gives it."""
    return rows[f"{name}_concept"] if f"{name}_concept" in rows.columns else ibis.null("int32")


def _said(rows: ir.Table, name: str, otherwise: ir.Value) -> ir.Value:
    """What a rule says itself, else *otherwise*; what a CDM says, even where it says nothing."""
    if name not in rows.columns:
        return otherwise
    said = ibis.coalesce(rows[name], otherwise)
    return rows["is_cdm"].fill_null(False).ifelse(rows[name], said) if "is_cdm" in rows.columns else said


def _word(value: ir.Value, words: Mapping[str, int], *, otherwise: ir.Value | None = None) -> ir.Value:
    known = value.strip().lower().cases(*words.items(), else_=0)
    concept = known if otherwise is None else ibis.coalesce(known.nullif(0), otherwise, 0)
    return value.notnull().ifelse(concept, ibis.null("int32"))


def _written(number: ir.FloatingValue) -> ir.StringValue:
    """A number as sources write it: a whole one without a decimal point."""
    return number.cast("string").re_replace(r"^(-?[0-9]+)\.0$", r"\1")
