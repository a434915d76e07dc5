"""Observation and its components, and reports without observations."""

from collections.abc import Mapping, Sequence

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.fhir.rule_context import (
    Columns,
    RuleContext,
    chosen,
    codes,
    dated,
    has_category,
    has_none_of,
    period,
    plain_number,
    resource_rule,
)
from fairhaven.omop.concepts import TYPE

REFUSED = ("entered-in-error", "cancelled", "registered")
NOT_DONE = ("not-performed", "not-asked", "error", "not-applicable")
"""Reasons of absence that say there was nothing to observe; of the others there is a row without a value."""

INTERPRETATION = {
    "POS": "10828004",
    "NEG": "260385009",
    "DET": "260373001",
    "ND": "260415000",
    "IND": "82334004",
    "E": "42425007",
    "N": "17621005",
    "A": "263654008",
    "AA": "263654008",
    "H": "75540009",
    "HH": "75540009",
    "HU": "75540009",
    "L": "62482003",
    "LL": "62482003",
    "LU": "62482003",
    "R": "30714006",
    "S": "131196009",
    "I": "264841006",
}
"""v3-ObservationInterpretation to SNOMED CT qualifiers."""

_YES, _NO = "373066001", "373067005"
MEANT: Sequence[tuple[Sequence[str], Mapping[str, str]]] = (
    (("v3-ObservationInterpretation", "v2-0078", "ObservationInterpretation", "0078"), INTERPRETATION),
    (("v2-0136", "0136"), {"Y": _YES, "N": _NO}),
)
"""Code systems of HL7 (as `code_systems` names them) that OMOP has no vocabulary of -> a value's code -> SNOMED CT."""


def _is_panel(observation: ir.Table) -> ir.BooleanValue:
    return (observation["components"] > 0) | (observation["members"] > 0)


def _has_status(table: ir.Table) -> ir.BooleanValue:
    return has_none_of(table["status"], REFUSED)


def _is_observed(table: ir.Table) -> ir.BooleanValue:
    return _has_status(table) & (_has_value(table) | has_none_of(table["absent_code"], NOT_DONE))


def _sampled(context: RuleContext, table: ir.Table) -> ir.Table:
    return context.timed(context.placed(table))


@resource_rule(
    "observation",
    place=_sampled,
    takes=lambda observation: _is_observed(observation) & (_has_value(observation) | ~_is_panel(observation)),
    # A panel is taken through its components.
    counted=lambda observation: _is_observed(observation) | (_has_status(observation) & _is_panel(observation)),
)
def observations(placed: ir.Table) -> Columns:
    """A row for an observation with a value of its own. What is neither that nor a panel has a row without a value.

    A panel (components or members, no value) gives no row of its own.
    """
    return _observed(placed)


@resource_rule("observation_component", takes=_is_observed, place=_sampled)
def components(placed: ir.Table) -> Columns:
    """A row for each component."""
    return {**_observed(placed), "position": placed["position"].cast("int32")}


@resource_rule(
    "diagnostic_report",
    place=_sampled,
    takes=lambda report: has_none_of(report["status"], REFUSED) & (report["results"] == 0),
)
def reports(placed: ir.Table) -> Columns:
    """A DiagnosticReport whose results are not observations of their own: what was reported on, and its conclusion."""
    return {
        **codes(placed),
        **period(_when(placed)),
        "value_code": placed["conclusion_code"],
        "value_vocabulary_id": placed["conclusion_vocabulary_id"],
        "type_concept_id": ibis.literal(TYPE["EHR"], type="int32"),
        "default_target": ibis.ifelse(has_category(placed, "LAB"), "measurement", "observation"),
    }


def _observed(placed: ir.Table) -> Columns:
    return {
        **codes(placed),
        **period(_when(placed), placed["effective_end"], placed["effective_end_length"]),
        **_value(placed),
        "type_concept_id": ibis.ifelse(has_category(placed, "laboratory"), TYPE["lab"], TYPE["EHR"]).cast("int32"),
        "default_target": ibis.ifelse(
            has_category(placed, "laboratory") | has_category(placed, "vital-signs"), "measurement", "observation"
        ),
    }


def _when(placed: ir.Table) -> ir.Value:
    """When something was observed; where that is not said, when its specimen was taken, and where that is not, when it was reported."""
    names = ("effective_start", "collected", "reported_effective", "issued", "reported_issued", "received")
    return dated(placed, *names)


def _has_value(table: ir.Table) -> ir.BooleanValue:
    names = (
        "value_number",
        "value_code",
        "value_code_text",
        "value_text",
        "value_integer",
        "value_flag",
        "value_moment",
        "value_time",
        "value_start",
        "value_low",
        "value_high",
        "value_numerator",
        "value_samples",
        "value_word",
    )
    return ibis.or_(*[table[name].notnull() for name in names])


def _value(table: ir.Table) -> dict[str, ir.Value]:
    flag = table["value_flag"]
    means = chosen(table["interpretation_code"], INTERPRETATION)
    meant = ibis.coalesce(
        *(
            table["value_vocabulary_id"].isin(systems).ifelse(chosen(table["value_code"], known), ibis.null("string"))
            for systems, known in MEANT
        )
    )
    code = ibis.coalesce(meant, table["value_code"], _worded(flag, _YES, _NO), table["value_word"])
    # What the value means is the value where there is no other, as in a report that only says "positive".
    is_bare = ~_has_value(table)
    value_code = ibis.coalesce(code, is_bare.ifelse(means, ibis.null("string")))
    is_snomed = meant.notnull() | (table["value_code"].isnull() & value_code.notnull())
    sent = ibis.coalesce(
        meant.notnull().ifelse(table["value_code"], ibis.null("string")),
        (code.isnull() & is_bare).ifelse(table["interpretation_code"], ibis.null("string")),
    )
    return {
        "value_number": ibis.coalesce(table["value_number"], table["value_integer"]),
        "operator": table["value_comparator"],
        "unit": table["value_unit"],
        "value_code": value_code,
        "value_vocabulary_id": is_snomed.ifelse("SNOMED", table["value_vocabulary_id"]),
        "value_text": _text(table),
        "value_source_value": sent,
        "range_low": table["range_low"],
        "range_high": table["range_high"],
        "qualifier": means,
        "qualifier_vocabulary_id": ibis.ifelse(means.notnull(), "SNOMED", ibis.null("string")),
        "qualifier_source_value": table["interpretation_code"],
    }


def _text(table: ir.Table) -> ir.StringValue:
    """Values that the CDM has no typed field for, as text."""
    low, high = plain_number(table["value_low"]), plain_number(table["value_high"])
    return ibis.coalesce(
        table["value_text"],
        table["value_code"].isnull().ifelse(table["value_code_text"], ibis.null("string")),
        _worded(table["value_flag"], "true", "false"),
        table["value_moment"].cast("date").cast("string"),
        table["value_time"],
        table["value_start"].cast("date").cast("string")
        + "/"
        + table["value_end"].cast("date").cast("string").fill_null(""),
        ibis.ifelse(
            table["value_low"].notnull() | table["value_high"].notnull(),
            low.fill_null("") + "-" + high.fill_null(""),
            ibis.null("string"),
        ),
        plain_number(table["value_numerator"]) + ":" + plain_number(table["value_denominator"]),
        table["value_samples"],
        table["absent_code"],
    )


def _worded(flag: ir.BooleanValue, yes: str, no: str) -> ir.StringValue:
    return ibis.cases((flag, yes), (~flag, no), else_=ibis.null("string"))
