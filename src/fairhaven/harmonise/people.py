"""PERSON, DEATH, and who a patient of a source is."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.harmonise.generic_rows import column_or_null
from fairhaven.harmonise.row_ids import row_id
from fairhaven.harmonise.row_outcomes import exclusion_reason, start_of
from fairhaven.omop import concepts

DAYS_AFTER_DEATH = 60
"""A record up to so long after death is plausible (Themis); observation ends there."""

_CODED = {"gender": concepts.GENDER, "race": concepts.RACE, "ethnicity": concepts.ETHNICITY}
_OF_FIRST = {
    **{name: name for name in ("location_ref", "provider_ref", "care_site_ref", "source", "row_extract", "row_line")},
    "person_source_value": "patient_ref",
    "row_rule": "rule",
}
"""Column of a person -> column of the best row, whatever it holds."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Persons of a release.

    Args:
        persons: one row for each person, CDM columns of PERSON besides location and lineage, plus
            ``postcode_district``, ``provider_ref``, ``care_site_ref``, ``source``.
        who: one row for each patient of each source: ``source, patient_ref, person_id, birth_year, born``; the year is NULL
            where no source knows it, and such a person is not in PERSON, which requires it. ``born`` is the day as a number, 20261130, with
            noughts for what is not released of it.
    """

    persons: ir.Table
    who: ir.Table


def people(engine: Engine, rows: ir.Table, index: ir.Table, *, birth_date: str) -> People:
    """Persons from person rows; field by field what is not replaced wins, then the first source by name, then the latest extract.

    Args:
        rows: gathered person rows.
        index: ``source, patient_ref, person_id``.
        birth_date: how much of a date of birth the hub releases: day, month or year.
    """
    index = index.select("source", "patient_ref", person_id=index["person_id"].cast("int64"))
    described = rows.join(index, ["source", "patient_ref"])
    date = column_or_null(described, "birth_date", "person")
    year = ibis.coalesce(column_or_null(described, "birth_year", "person"), date.year().cast("int32"))
    month = ibis.coalesce(date.month().cast("int32"), column_or_null(described, "birth_month", "person"))
    described = described.select(
        *("person_id", "source", "patient_ref", "rule", "row_key", "row_extract", "row_line"),
        is_replaced=ibis.coalesce(column_or_null(described, "is_replaced", "person"), False),
        year=year,
        month=month if birth_date != "year" else ibis.null("int32"),
        day=date.day().cast("int32") if birth_date == "day" else ibis.null("int32"),
        **{column: value for name, words in _CODED.items() for column, value in _coded(described, name, words).items()},
        **{
            name: column_or_null(described, name, "person").nullif("")
            for name in ("postcode_district", "location_ref", "provider_ref", "care_site_ref")
        },
    )
    turn = ibis.row_number().over(group_by="person_id", order_by=[described["is_replaced"], *_precedence(described)])
    ranked = engine.keep(described.mutate(turn=turn))
    persons = engine.keep(_merged(ranked))
    parts = (persons["year_of_birth"], persons["month_of_birth"].fill_null(0), persons["day_of_birth"].fill_null(0))
    born = parts[0] * 10_000 + parts[1] * 100 + parts[2]
    births = persons.select("person_id", birth_year="year_of_birth", born=born)
    who = index.left_join(births, "person_id").drop("person_id_right")
    return People(persons=persons, who=engine.keep(who))


def _precedence(rows: ir.Table) -> list[ir.Value]:
    """The order in which rows of one person are believed: sources by name, of each the latest extract first."""
    return [rows["source"], ibis.desc(rows["row_extract"]), rows["rule"], rows["row_key"]]


def of_persons(rows: ir.Table, who: ir.Table) -> ir.Table:
    """Rows of patients who are in PERSON, with ``person_id`` and ``birth_year``.

    Args:
        who: `People.who`.
    """
    return rows.join(who.filter(who["birth_year"].notnull()), ["source", "patient_ref"])


def _coded(rows: ir.Table, name: str, words: Mapping[str, int]) -> dict[str, ir.Value]:
    value = column_or_null(rows, name, "person").strip().nullif("")
    known = value.lower().cases(*words.items(), else_=0)
    concept = ibis.coalesce(column_or_null(rows, f"{name}_concept_id", "person"), known, 0).cast("int32")
    source_concept = column_or_null(rows, f"{name}_source_concept_id", "person")
    return {name: value, f"{name}_concept": concept, f"{name}_source_concept": source_concept}


def _merged(ranked: ir.Table) -> ir.Table:
    turn = ranked["turn"]

    def best(name: str, where: ir.BooleanValue) -> ir.Value:
        return ranked[name].argmin(turn, where=where)

    columns = {f"{part}_of_birth": best(part, ranked["year"].notnull()) for part in ("year", "month", "day")}
    for name in _CODED:
        concept, source_concept = f"{name}_concept", f"{name}_source_concept"
        is_known, has = ranked[concept] != 0, ranked[name].notnull()
        columns |= {
            f"{concept}_id": ibis.coalesce(best(concept, is_known), 0),
            f"{name}_source_value": ibis.coalesce(best(name, is_known & has), best(name, has)),
            f"{source_concept}_id": best(source_concept, ranked[source_concept].notnull()),
        }
    columns["postcode_district"] = best("postcode_district", ranked["postcode_district"].notnull())
    # References mean something only within the source that gave them.
    columns |= {column: best(name, turn == 0) for column, name in _OF_FIRST.items()}
    merged = ranked.group_by("person_id").agg(**columns)
    return merged.filter(merged["year_of_birth"].notnull())


def deaths(engine: Engine, rows: ir.Table, who: ir.Table, as_of: dt.date) -> ir.Table:
    """One death for each person: of the first source by name, then the latest extract, of that the earliest.

    Of several on one day the one that says most counts: a cause, then a time. In no case does the order of lines.

    Args:
        rows: gathered death rows with resolved codes (`codes`).
    """
    known = of_persons(rows, who)
    moment, date = column_or_null(known, "datetime", "death"), start_of(known, "death", as_of)
    if date is None:
        date = ibis.null("date")
    # Of a month or a year there is no time, and a day that was made of it may be another one by now.
    is_part = column_or_null(known, "date_from", "death") < column_or_null(known, "date", "death")
    is_made = is_part.fill_null(False) & (moment.cast("date") != date).fill_null(False)
    moment = is_made.ifelse(ibis.null("timestamp(6)"), moment)
    known = known.mutate(death_date=date, death_datetime=moment, start=date)
    known = known.filter(exclusion_reason(known, as_of, "death").isnull())
    first, latest, *others = _precedence(known)
    lacks = ((known["resolved_concept_id"] == 0).cast("int32"), known["death_datetime"].isnull().cast("int32"))
    order = [first, latest, known["death_date"], *lacks, *others, known["ordinal"]]
    ranked = known.mutate(turn=ibis.row_number().over(group_by="person_id", order_by=order))
    ranked = ranked.filter(ranked["turn"] == 0)
    return engine.keep(
        ranked.select(
            "person_id",
            "death_date",
            "death_datetime",
            death_type_concept_id=ranked["type_concept_id"],
            cause_concept_id=ranked["resolved_concept_id"],
            cause_source_value=ranked["resolved_source_value"],
            cause_source_concept_id=ranked["resolved_source_concept_id"],
            row_extract=ranked["row_extract"],
            row_line=ranked["row_line"],
            row_rule=ranked["rule"],
            row_key=row_id(ranked, "death"),
        ),
    )
