"""The CDM's event tables, each from the kept events."""

from collections.abc import Callable, Mapping

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.code_mapping import VocabularyTables
from fairhaven.harmonise.generic_rows import EVENT_TABLES, keep_typed
from fairhaven.harmonise.numbered_rules import column_or_null
from fairhaven.harmonise.row_ids import row_id, unique_ids
from fairhaven.omop import concepts
from fairhaven.omop.cdm import CDM, to_cdm

ORDER = ("row_rule", "row_key", "at", "ordinal")

Columns = dict[str, ir.Value]


def fit_to_cdm(rows: ir.Table, table: str) -> ir.Table:
    """Rows in the CDM's columns, texts cut to the length that the CDM allows, with lineage."""
    cut = {
        field.name: rows[field.name].substr(0, field.length)
        for field in CDM[table].fields
        if field.length is not None and field.name in rows.columns and rows[field.name].type().is_string()
    }
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
    texts = keep_typed(
        engine, texts.mutate(plain=plain, spelt=spelt, known=ibis.coalesce(known.nullif(0), known_spelt))
    )
    ucum = vocabulary.concept.filter(
        (vocabulary.concept["vocabulary_id"] == "UCUM") & (vocabulary.concept["standard_concept"] == "S")
    )
    ucum = ucum.group_by(code=ucum["concept_code"]).agg(unit=ucum["concept_id"].min())
    ucum = keep_typed(engine, ucum)
    exact = ucum.select(exact_code="code", exact="unit")
    other = ucum.select(other_code="code", other="unit")
    found = texts.left_join(exact, texts["plain"] == exact["exact_code"])
    found = found.left_join(other, found["spelt"] == other["other_code"])
    concept = ibis.coalesce(found["exact"], found["other"], found["known"], 0).cast("int32")
    return keep_typed(engine, found.select("unit_text", unit_concept=concept))


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
    if units is not None and table in ("measurement", "observation", "device_exposure", "specimen"):
        rows = rows.left_join(units, rows["unit"] == units["unit_text"])
    columns = _BUILDERS[table](rows)
    columns |= {
        CDM[table].primary_key: row_id(rows, table),
        "person_id": rows["person_id"],
        "row_extract": rows["row_extract"],
        "row_line": rows["row_line"],
        "row_rule": rows["rule"],
        "row_key": rows["row_key"],
        "at": rows["position"].fill_null(0) if "position" in rows.columns else ibis.literal(0, type="int32"),
        "ordinal": rows["ordinal"],
    }
    return fit_to_cdm(unique_ids(engine, rows.select(**columns), CDM[table].primary_key, ORDER), table)


def _event(rows: ir.Table, name: str) -> ir.Value:
    return column_or_null(rows, name, "event")


def _coded(rows: ir.Table, prefix: str) -> Columns:
    return {
        f"{prefix}_concept_id": rows["concept_id"],
        f"{prefix}_source_concept_id": rows["source_concept_id"],
        f"{prefix}_source_value": rows["source_value"],
        f"{prefix}_type_concept_id": rows["type_concept_id"],
    }


def _where(rows: ir.Table) -> Columns:
    return {name: rows[name] for name in ("provider_id", "visit_occurrence_id", "visit_detail_id")}


def _said(rows: ir.Table, name: str, otherwise: ir.Value) -> ir.Value:
    """What a rule says itself, else *otherwise*; what a CDM says, even where it says nothing."""
    if name not in rows.columns:
        return otherwise
    said = ibis.coalesce(rows[name], otherwise)
    return rows["is_cdm"].fill_null(False).ifelse(rows[name], said) if "is_cdm" in rows.columns else said


def _word(value: ir.Value, words: Mapping[str, int], *, otherwise: ir.Value | None = None) -> ir.Value:
    known = value.strip().lower().cases(*words.items(), else_=0)
    has = value.notnull()
    concept = known if otherwise is None else ibis.coalesce(known.nullif(0), otherwise, 0)
    return has.ifelse(concept, ibis.null("int32"))


def _unit(rows: ir.Table) -> Columns:
    concept = rows["unit_concept"] if "unit_concept" in rows.columns else ibis.null("int32")
    return {
        "unit_concept_id": _said(rows, "unit_concept_id", concept),
        "unit_source_value": _event(rows, "unit"),
        "unit_source_concept_id": _event(rows, "unit_source_concept_id"),
    }


def _written(number: ir.FloatingValue) -> ir.StringValue:
    """A number as sources write it: a whole one without a decimal point."""
    return number.cast("string").re_replace(r"^(-?[0-9]+)\.0$", r"\1")


def _value_source(rows: ir.Table) -> ir.Value:
    number = _event(rows, "value_number")
    value = ibis.coalesce(_event(rows, "value_text"), _event(rows, "value_code"), _written(number))
    return _said(rows, "value_source_value", value)


def _further(rows: ir.Table, name: str, words: Mapping[str, int] | None = None) -> ir.Value:
    looked_up = rows[f"{name}_concept"] if f"{name}_concept" in rows.columns else ibis.null("int32")
    concept = _word(_event(rows, name), words, otherwise=looked_up) if words else looked_up
    return _said(rows, f"{name}_concept_id", concept)


def _condition(rows: ir.Table) -> Columns:
    status = _event(rows, "status")
    return {
        **_coded(rows, "condition"),
        **_where(rows),
        "condition_start_date": rows["start_date"],
        "condition_start_datetime": rows["start_datetime"],
        "condition_end_date": rows["end_date"],
        "condition_end_datetime": rows["end_datetime"],
        "condition_status_concept_id": _said(rows, "status_concept_id", _word(status, concepts.CONDITION_STATUS)),
        "condition_status_source_value": status,
        "stop_reason": _event(rows, "stop_reason"),
    }


def _drug(rows: ir.Table) -> Columns:
    supply = _event(rows, "days_supply")
    # The CDM requires an end: the one given, or the last day that the supply covers, or the start.
    supplied = rows["start_date"] + (ibis.greatest(supply, 1) - 1).as_interval("D")
    end = ibis.coalesce(rows["end_date"], supplied.cast("date"), rows["start_date"])
    return {
        **_coded(rows, "drug"),
        **_where(rows),
        "drug_exposure_start_date": rows["start_date"],
        "drug_exposure_start_datetime": rows["start_datetime"],
        "drug_exposure_end_date": end,
        "drug_exposure_end_datetime": rows["end_datetime"],
        "verbatim_end_date": _said(rows, "verbatim_end_date", rows["end_date"]),
        "stop_reason": _event(rows, "stop_reason"),
        "refills": _event(rows, "refills"),
        "quantity": _event(rows, "quantity"),
        "days_supply": supply,
        "sig": _event(rows, "sig"),
        "route_concept_id": _further(rows, "route", concepts.ROUTE),
        "lot_number": _event(rows, "lot_number"),
        "route_source_value": _event(rows, "route"),
        "dose_unit_source_value": _event(rows, "dose_unit"),
    }


def _procedure(rows: ir.Table) -> Columns:
    return {
        **_coded(rows, "procedure"),
        **_where(rows),
        "procedure_date": rows["start_date"],
        "procedure_datetime": rows["start_datetime"],
        "procedure_end_date": rows["end_date"],
        "procedure_end_datetime": rows["end_datetime"],
        "modifier_concept_id": _further(rows, "qualifier"),
        "modifier_source_value": _event(rows, "qualifier"),
        "quantity": _event(rows, "quantity"),
    }


def _device(rows: ir.Table) -> Columns:
    return {
        **_coded(rows, "device"),
        **_where(rows),
        **_unit(rows),
        "device_exposure_start_date": rows["start_date"],
        "device_exposure_start_datetime": rows["start_datetime"],
        "device_exposure_end_date": rows["end_date"],
        "device_exposure_end_datetime": rows["end_datetime"],
        "unique_device_id": _event(rows, "unique_device_id"),
        "production_id": _event(rows, "lot_number"),
        "quantity": _event(rows, "quantity"),
    }


def _measurement(rows: ir.Table) -> Columns:
    return {
        **_coded(rows, "measurement"),
        **_where(rows),
        **_unit(rows),
        "measurement_date": rows["start_date"],
        "measurement_datetime": rows["start_datetime"],
        "operator_concept_id": _said(rows, "operator_concept_id", _word(_event(rows, "operator"), concepts.OPERATOR)),
        "value_as_number": _event(rows, "value_number"),
        "value_as_concept_id": rows["value_concept_id"],
        "range_low": _event(rows, "range_low"),
        "range_high": _event(rows, "range_high"),
        "value_source_value": _value_source(rows),
    }


def _observation(rows: ir.Table) -> Columns:
    return {
        **_coded(rows, "observation"),
        **_where(rows),
        **_unit(rows),
        "observation_date": rows["start_date"],
        "observation_datetime": rows["start_datetime"],
        "value_as_number": _event(rows, "value_number"),
        "value_as_string": _event(rows, "value_text"),
        "value_as_concept_id": rows["value_concept_id"],
        "value_source_value": _value_source(rows),
        "qualifier_concept_id": _further(rows, "qualifier"),
        "qualifier_source_value": _event(rows, "qualifier"),
    }


def _specimen(rows: ir.Table) -> Columns:
    return {
        **_coded(rows, "specimen"),
        **_unit(rows),
        "specimen_date": rows["start_date"],
        "specimen_datetime": rows["start_datetime"],
        "quantity": _event(rows, "quantity"),
        "anatomic_site_concept_id": _further(rows, "anatomic_site"),
        "anatomic_site_source_value": _event(rows, "anatomic_site"),
        "disease_status_concept_id": _event(rows, "disease_status_concept_id"),
        "disease_status_source_value": _event(rows, "disease_status"),
    }


_BUILDERS: Mapping[str, Callable[[ir.Table], Columns]] = {
    "condition_occurrence": _condition,
    "drug_exposure": _drug,
    "procedure_occurrence": _procedure,
    "device_exposure": _device,
    "measurement": _measurement,
    "observation": _observation,
    "specimen": _specimen,
}
