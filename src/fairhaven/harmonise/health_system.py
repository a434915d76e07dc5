"""LOCATION, CARE_SITE and PROVIDER: rows that name the same one become one."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.generic_rows import keep_typed
from fairhaven.harmonise.numbered_rules import column_or_null
from fairhaven.harmonise.row_ids import row_id, unique_ids
from fairhaven.kernel.ids import digest52
from fairhaven.omop.concepts import GENDER

ORDER = ("rule", "row_key")


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
    return unique_ids(engine, keep_typed(engine, named.semi_join(least, ["source", "ref", "id"])), "id", ORDER)


def referred(rows: ir.Table, found: ir.Table | None, name: str) -> ir.Table:
    """With ``<name>_id``: the kept place or provider that ``<name>_ref`` names in the row's source; NULL for none."""
    if found is None or f"{name}_ref" not in rows.columns:
        return rows.mutate(**{f"{name}_id": ibis.null("int64")})
    by = found.select(by_source="source", by_ref="ref", by_id="id").rename({f"{name}_id": "by_id"})
    rows = rows.left_join(by, [rows["source"] == by["by_source"], rows[f"{name}_ref"] == by["by_ref"]])
    return rows.drop("by_source", "by_ref")


def districts(engine: Engine, persons: ir.Table) -> ir.Table | None:
    """A location for each postcode district: ``district, id`` and the lineage of the first person there; None for none.

    The number is that of the district's name, the same in every release and hub.
    """
    lived = persons.filter(persons["postcode_district"].notnull())
    first = keep_typed(
        engine,
        lived.group_by(district=lived["postcode_district"]).agg(person_id=lived["person_id"].min()),
    )
    names = engine.fetch(first.select("district").order_by("district"))["district"].to_pylist()
    if not names:
        return None
    ids = pa.table(
        {
            "district": pa.array(names, pa.string()),
            "id": pa.array([digest52("location", name) for name in names], pa.int64()),
        }
    )
    rows = first.join(engine.arrow(ids), "district")
    lineage = persons.select("person_id", "row_extract", "row_line", "row_rule")
    joined = rows.join(lineage, "person_id")
    return keep_typed(engine, joined.select("district", "id", "row_extract", "row_line", "row_rule"))


def location_table(places: Places) -> ir.Table | None:
    """LOCATION."""
    parts = []
    if places.districts is not None:
        found = places.districts
        parts.append(_location(found, found["id"], zip=found["district"]))
    if places.locations is not None:
        rows = places.locations.rename(row_rule="rule")
        names = ("city", "state", "county", "zip", "country", "country_concept_id")
        fields = {name: column_or_null(rows, name, "location") for name in names}
        parts.append(_location(rows, rows["id"], **fields))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else parts[0].union(parts[1])


def _location(rows: ir.Table, number: ir.Value, **fields: ir.Value) -> ir.Table:
    nothing = ibis.null("string")
    return rows.select(
        location_id=number,
        city=fields.get("city", nothing),
        state=fields.get("state", nothing),
        zip=fields.get("zip", nothing),
        county=fields.get("county", nothing),
        location_source_value=fields.get("zip", nothing),
        country_concept_id=fields.get("country_concept_id", ibis.null("int32")),
        country_source_value=fields.get("country", nothing),
        row_extract=rows["row_extract"],
        row_line=rows["row_line"],
        row_rule=rows["row_rule"],
    )


def care_site_table(places: Places) -> ir.Table | None:
    """CARE_SITE."""
    if places.care_sites is None:
        return None
    rows = referred(places.care_sites, places.locations, "location")
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


def provider_table(places: Places) -> ir.Table | None:
    """PROVIDER: specialty and care site. Names and the source's own numbers of people are left out."""
    if places.providers is None:
        return None
    rows = referred(places.providers, places.care_sites, "care_site")
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
