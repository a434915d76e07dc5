"""What a release holds: completeness by source, kinds of data for each person, records by year.

The figures are exact and for the hub's own eyes; whoever shows them outside protects small counts first (`disclosure`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine.model import Engine
from fairhaven.omop.cdm import CDM, Table
from fairhaven.quality.column_types import as_day, stacked
from fairhaven.quality.model import PassRate, QualityReport

_EXTRACT = "row_extract"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the rows of an extract come from.

    Args:
        source: name of the source, for example ``riverside_gp``.
        kind: kind of data: gp, hospital, social-care, registry, laboratory, ...
    """

    source: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """How often a field is filled in the rows of one source; a concept field counts as filled when it is not 0."""

    source: str
    table: str
    field: str
    rows: int
    filled: int


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far one kind of data reaches: persons who have it, for how long, from when until when (ISO dates)."""

    kind: str
    persons: int
    rows: int
    median_days: float
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Linked:
    """Persons who have exactly these kinds of data."""

    kinds: tuple[str, ...]
    persons: int


@dataclass(frozen=True, kw_only=True)
class Records:
    """Rows of one source and table in one year; year None for rows without a date."""

    source: str
    table: str
    year: int | None
    rows: int


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """Completeness and dimensions of a release."""

    persons: int
    completeness: tuple[Completeness, ...]
    reach: tuple[Reach, ...]
    linked: tuple[Linked, ...]
    records: tuple[Records, ...]
    pass_rates: tuple[PassRate, ...]


def scorecard(
    tables: Mapping[str, ir.Table],
    *,
    engine: Engine,
    origins: Mapping[int, Origin],
    report: QualityReport | None = None,
) -> Scorecard:
    """Completeness and dimensions of tables with the lineage column `row_extract`.

    Args:
        origins: extract number -> where it is from. Rows of an extract that is not named, or without one (eras, for
            example), belong to the source ``derived``.
        report: adds the pass rates.
    """
    known = engine.arrow(
        pa.table(
            {
                "_extract": pa.array(list(origins), pa.int32()),
                "_source": pa.array([origin.source for origin in origins.values()], pa.string()),
                "_kind": pa.array([origin.kind for origin in origins.values()], pa.string()),
            }
        )
    )
    own = [
        (CDM[name], _with_origin(table, known))
        for name, table in tables.items()
        if name in CDM and CDM[name].schema == "CDM"
    ]
    reach, linked = _persons([span for each in own if (span := _spans(*each)) is not None], engine)
    return Scorecard(
        persons=engine.count(tables["person"].select("person_id").distinct()) if "person" in tables else 0,
        completeness=tuple(one for each in own for one in _completeness(*each, engine)),
        reach=reach,
        linked=linked,
        records=tuple(one for each in own for one in _records(*each, engine)),
        pass_rates=report.pass_rates() if report is not None else (),
    )


def _with_origin(table: ir.Table, known: ir.Table) -> ir.Table:
    if _EXTRACT not in table.columns:
        return table.mutate(_source=ibis.literal("derived"), _kind=ibis.null("string"))
    rows = table.left_join(known, table[_EXTRACT] == known["_extract"]).drop("_extract")
    return rows.mutate(_source=rows["_source"].fill_null("derived"))


def _completeness(definition: Table, rows: ir.Table, engine: Engine) -> list[Completeness]:
    fields = [field for field in definition.fields if field.name in rows.columns]
    filled = {
        f"_{number}": rows.count(where=(rows[field.name] != 0) if field.is_concept else rows[field.name].notnull())
        for number, field in enumerate(fields)
    }
    counted = rows.group_by("_source").aggregate(_rows=rows.count(), **filled).order_by("_source")
    return [
        Completeness(
            source=row["_source"],
            table=definition.name,
            field=field.name,
            rows=row["_rows"],
            filled=int(row[f"_{number}"] or 0),
        )
        for row in engine.fetch(counted).to_pylist()
        for number, field in enumerate(fields)
    ]


def _records(definition: Table, rows: ir.Table, engine: Engine) -> list[Records]:
    has_date = definition.date and definition.date in rows.columns
    year = as_day(rows[definition.date]).year().cast("int32") if has_date else ibis.null("int32")
    rows = rows.mutate(_year=year)
    counted = rows.group_by("_source", "_year").aggregate(_rows=rows.count()).order_by("_source", "_year")
    return [
        Records(source=row["_source"], table=definition.name, year=row["_year"], rows=row["_rows"])
        for row in engine.fetch(counted).to_pylist()
    ]


def _spans(definition: Table, rows: ir.Table) -> ir.Table | None:
    """For each person and kind of data: rows, first and last day; None for tables without events of a source."""
    is_event = definition.has_person and definition.date and definition.name != "observation_period"
    if not is_event or definition.name.endswith("_era") or _EXTRACT not in rows.columns:
        return None
    day = as_day(rows[definition.date])
    known = rows.filter(rows["_kind"].notnull())
    return known.group_by("person_id", "_kind").aggregate(_rows=known.count(), _first=day.min(), _last=day.max())


def _persons(spans: list[ir.Table], engine: Engine) -> tuple[tuple[Reach, ...], tuple[Linked, ...]]:
    if not spans:
        return (), ()
    together = stacked(spans)
    merged = together.group_by("person_id", "_kind").aggregate(
        _rows=together["_rows"].sum().cast("int64"), _first=together["_first"].min(), _last=together["_last"].max()
    )
    each = engine.keep(merged)
    try:
        days = (each["_last"].epoch_seconds() - each["_first"].epoch_seconds()) / 86400
        reach = (
            each.mutate(_days=days)
            .group_by("_kind")
            .aggregate(
                _persons=ibis._.count(),
                _sum=ibis._["_rows"].sum().cast("int64"),
                _median=ibis._["_days"].median(),
                _from=ibis._["_first"].min(),
                _until=ibis._["_last"].max(),
            )
        )
        reached = [
            Reach(
                kind=row["_kind"],
                persons=row["_persons"],
                rows=row["_sum"],
                median_days=float(row["_median"] or 0),
                first=row["_from"].isoformat() if row["_from"] else "",
                last=row["_until"].isoformat() if row["_until"] else "",
            )
            for row in engine.fetch(reach.order_by("_kind")).to_pylist()
        ]
        return tuple(reached), _linked([reach.kind for reach in reached], each, engine)
    finally:
        engine.drop(each)


def _linked(kinds: list[str], each: ir.Table, engine: Engine) -> tuple[Linked, ...]:
    """Persons by the set of kinds they have: a flag for each kind, as engines do not order aggregated texts alike."""
    if not kinds:  # no person has a row of any source
        return ()
    flags = {f"_{number}": (each["_kind"] == kind).any() for number, kind in enumerate(kinds)}
    persons = each.group_by("person_id").aggregate(**flags)
    counted = persons.group_by(list(flags)).aggregate(_persons=persons.count())
    found = [
        Linked(
            kinds=tuple(kind for number, kind in enumerate(kinds) if row[f"_{number}"]),
            persons=row["_persons"],
        )
        for row in engine.fetch(counted).to_pylist()
    ]
    return tuple(sorted(found, key=lambda linked: (len(linked.kinds), linked.kinds)))
