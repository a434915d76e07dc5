"""LOCATION, CARE_SITE and PROVIDER: rows that name the same one become one."""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.cdm_columns import CDM_COLUMNS
from fairhaven.harmonise.emptied_values import Emptied, with_marks
from fairhaven.harmonise.generic_rows import column_or_null
from fairhaven.harmonise.row_ids import row_id, unique_ids
from fairhaven.kernel.ids import digest52
from fairhaven.omop.cdm import CDM
from fairhaven.omop.concepts import GENDER

ORDER = ("rule", "row_key")
OF_PERSON = ("source", "person_id")
"""References to visits mean something only for the same person of the same source."""

LOCATED = Emptied(column="location_ref", kept="location_id")
SITED = Emptied(column="care_site_ref", kept="care_site_id")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Kept places and providers; None where no rule yields them. Each has ``id``, ``source``, ``ref`` and lineage."""

    locations: ir.Table | None
    care_sites: ir.Table | None
    providers: ir.Table | None
    districts: ir.Table | None


def first_of_each(engine: Engine, rows: ir.Table | None, kind: str) -> ir.Table | None:
    """One row for each source and ``<kind>_ref``, with ``ref`` and ``id``: that with the lowest number.

    A rule over a large table may name a few places a million times, so this groups and never sorts.
    """
    if rows is None:
        return None
    named = rows.mutate(ref=rows[f"{kind}_ref"].nullif(""), id=row_id(rows, kind))
    named = named.filter(named["ref"].notnull())
    least = named.group_by("source", "ref").agg(id=named["id"].min())
    return unique_ids(engine, engine.keep(named.semi_join(least, ["source", "ref", "id"])), "id", ORDER)


def referred(
    rows: ir.Table, found: ir.Table | None, ref: str, number: str, *, within: Sequence[str] = ("source",)
) -> ir.Table:
    """With the column *number*: the ``id`` of what the column *ref* names; NULL where it names nothing.

    Args:
        found: kept rows with ``id``, ``ref`` and the columns of *within*; None where there are none.
        within: columns that rows must have in common besides the reference.

    What the rows are compared with is there too, under names that begin with *number*: joins that follow one another
    are one step as long as nothing is dropped between them.
    """
    if found is None or ref not in rows.columns:
        return rows.mutate(**{number: ibis.null("int64")})
    by = found.select(**{number: "id", f"{number}_ref": "ref"}, **{f"{number}_{name}": name for name in within})
    same = [rows[ref] == by[f"{number}_ref"], *(rows[name] == by[f"{number}_{name}"] for name in within)]
    return rows.left_join(by, same)


def staffed(rows: ir.Table, places: Places) -> ir.Table:
    """With ``provider_id`` and ``care_site_id``."""
    rows = referred(rows, places.providers, "provider_ref", "provider_id")
    return referred(rows, places.care_sites, "care_site_ref", "care_site_id")


def districts(engine: Engine, persons: ir.Table) -> ir.Table | None:
    """A location for each postcode district: ``district, id`` and the lineage of the first person there; None for none.

    The number is that of the district's name, the same in every release and hub.
    """
    lived = persons.filter(persons["postcode_district"].notnull())
    first = lived.group_by(district=lived["postcode_district"]).agg(person_id=lived["person_id"].min())
    first = engine.keep(first)
    names = engine.fetch(first.select("district").order_by("district"))["district"].to_pylist()
    if not names:
        return None
    ids = pa.table(
        {
            "district": pa.array(names, pa.string()),
            "id": pa.array([digest52("location", name) for name in names], pa.int64()),
        }
    )
    lineage = persons.select("person_id", "row_extract", "row_line", "row_rule")
    return engine.keep(first.join(engine.arrow(ids), "district").join(lineage, "person_id").drop("person_id"))


def location_table(places: Places) -> ir.Table | None:
    """LOCATION."""
    parts = []
    if places.districts is not None:
        parts.append(_location(places.districts.rename(zip="district")))
    if places.locations is not None:
        parts.append(_location(places.locations.rename(row_rule="rule")))
    return ibis.union(*parts) if parts else None


def _location(rows: ir.Table) -> ir.Table:
    given = {column: column_or_null(rows, name, "location") for name, column in CDM_COLUMNS["location"].items()}
    return rows.select(
        "row_extract",
        "row_line",
        "row_rule",
        location_id=rows["id"],
        location_source_value=given["zip"],
        **given | {"state": _fits(given["state"], "state"), "zip": _fits(given["zip"], "zip")},
    )


def _fits(code: ir.StringValue, column: str) -> ir.StringValue:
    """A code of LOCATION, without hyphens and blanks where it is longer than the CDM allows; NULL where it still is.

    Cut, Ile-de-France would be a state of two letters and 01607-1728 another place.
    """
    longest = CDM["location"][column].length or 0
    plain = (code.length() > longest).ifelse(code.re_replace(r"[\s-]", ""), code)
    return (plain.length() > longest).ifelse(ibis.null("string"), plain)


def placed_care_sites(care_sites: ir.Table, places: Places) -> ir.Table:
    """Care sites with their place and the mark of `LOCATED`."""
    return with_marks(referred(care_sites, places.locations, "location_ref", "location_id"), [LOCATED])


def care_site_table(rows: ir.Table) -> ir.Table:
    """CARE_SITE of `placed_care_sites`."""
    return rows.select(
        care_site_id=rows["id"],
        care_site_name=column_or_null(rows, "name", "care_site"),
        place_of_service_concept_id=column_or_null(rows, "place_of_service_concept_id", "care_site"),
        location_id=rows["location_id"],
        care_site_source_value=ibis.coalesce(column_or_null(rows, "source_value", "care_site"), rows["ref"]),
        place_of_service_source_value=column_or_null(rows, "place_of_service", "care_site"),
        row_extract=rows["row_extract"],
        row_line=rows["row_line"],
        row_rule=rows["rule"],
    )


def placed_providers(providers: ir.Table, places: Places) -> ir.Table:
    """Providers with their care site and the mark of `SITED`."""
    return with_marks(referred(providers, places.care_sites, "care_site_ref", "care_site_id"), [SITED])


def provider_table(rows: ir.Table) -> ir.Table:
    """PROVIDER of `placed_providers`: specialty and care site. Names and the source's own numbers of people are left out."""
    gender = column_or_null(rows, "gender", "provider")
    return rows.select(
        provider_id=rows["id"],
        specialty_concept_id=ibis.coalesce(
            column_or_null(rows, "specialty_concept_id", "provider"), rows["resolved_concept_id"]
        ),
        care_site_id=rows["care_site_id"],
        year_of_birth=column_or_null(rows, "birth_year", "provider"),
        gender_concept_id=ibis.coalesce(
            column_or_null(rows, "gender_concept_id", "provider"),
            gender.strip().lower().cases(*GENDER.items(), else_=0),
        ),
        specialty_source_value=rows["resolved_source_value"],
        specialty_source_concept_id=rows["resolved_source_concept_id"],
        gender_source_value=gender,
        gender_source_concept_id=column_or_null(rows, "gender_source_concept_id", "provider"),
        row_extract=rows["row_extract"],
        row_line=rows["row_line"],
        row_rule=rows["rule"],
    )
