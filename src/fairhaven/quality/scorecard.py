"""What a release holds: completeness by source, kinds of data for each person, records by year.

The figures are exact and for the hub's own eyes; whoever shows them outside protects small counts first (`disclosure`).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine.model import Engine
from fairhaven.omop.cdm import CDM, Table
from fairhaven.quality.column_types import as_day, stacked
from fairhaven.quality.model import PassRate, QualityReport

_EXTRACT = "row_extract"
_Defined = tuple[Table, ir.Table]


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
    own = [
        (CDM[name], table)
        for name, table in tables.items()
        if name in CDM and CDM[name].schema == "CDM" and engine.count(table)
    ]
    reach, linked = _persons(own, origins, engine)
    return Scorecard(
        persons=engine.count(tables["person"].select("person_id").distinct()) if "person" in tables else 0,
        completeness=tuple(one for each in own for one in _completeness(*each, origins, engine)),
        reach=reach,
        linked=linked,
        records=_records(own, origins, engine),
        pass_rates=report.pass_rates() if report is not None else (),
    )


def _extract(table: ir.Table) -> ir.Value:
    return table[_EXTRACT] if _EXTRACT in table.columns else ibis.null("int32")


def _source(extract: int | None, origins: Mapping[int, Origin]) -> str:
    return origins[extract].source if extract is not None and extract in origins else "derived"


def _completeness(
    definition: Table, table: ir.Table, origins: Mapping[int, Origin], engine: Engine
) -> list[Completeness]:
    fields = [field for field in definition.fields if field.name in table.columns]
    filled = {
        field.name: table.count(where=table[field.name] != 0) if field.is_concept else table[field.name].count()
        for field in fields
    }
    by_source: dict[str, Counter[str]] = defaultdict(Counter)
    # Extracts are few: whose they are is looked up here, not by joining every row with it.
    for row in engine.fetch(table.group_by(_extract=_extract(table)).agg(_rows=table.count(), **filled)).to_pylist():
        by_source[_source(row.pop("_extract"), origins)].update({name: count or 0 for name, count in row.items()})
    return [
        Completeness(
            source=source, table=definition.name, field=field.name, rows=counts["_rows"], filled=counts[field.name]
        )
        for source, counts in sorted(by_source.items())
        for field in fields
    ]


def _records(own: Sequence[_Defined], origins: Mapping[int, Origin], engine: Engine) -> tuple[Records, ...]:
    parts = []
    for number, (definition, table) in enumerate(own):
        has_date = definition.date and definition.date in table.columns
        year = as_day(table[definition.date]).year().cast("int32") if has_date else ibis.null("int32")
        groups = {"_table": ibis.literal(number, "int32"), "_extract": _extract(table), "_year": year}
        parts.append(table.group_by(**groups).agg(_rows=table.count()))
    found: Counter[tuple[int, str, int | None]] = Counter()
    for row in engine.fetch(stacked(parts)).to_pylist() if parts else ():
        found[row["_table"], _source(row["_extract"], origins), row["_year"]] += row["_rows"]
    names = [definition.name for definition, _ in own]
    order = sorted(found.items(), key=lambda item: (*item[0][:2], item[0][2] is None, item[0][2] or 0))
    return tuple(
        Records(source=source, table=names[number], year=year, rows=rows) for (number, source, year), rows in order
    )


def _days(definition: Table, table: ir.Table) -> ir.Table | None:
    """Whose each row is, of which extract and day; None for tables without events of a source."""
    is_event = definition.has_person and definition.date and definition.name != "observation_period"
    if not is_event or definition.name.endswith("_era") or _EXTRACT not in table.columns:
        return None
    return table.select("person_id", _extract=table[_EXTRACT], _day=as_day(table[definition.date]))


def _persons(
    own: Sequence[_Defined], origins: Mapping[int, Origin], engine: Engine
) -> tuple[tuple[Reach, ...], tuple[Linked, ...]]:
    events = [days for each in own if (days := _days(*each)) is not None]
    if not events:
        return (), ()
    kinds = engine.arrow(
        pa.table(
            {
                "_extract": pa.array(list(origins), pa.int32()),
                "_kind": pa.array([origin.kind for origin in origins.values()], pa.string()),
            }
        )
    )
    known = stacked(events).join(kinds, "_extract")
    each = engine.keep(
        known.group_by("person_id", "_kind").agg(
            _rows=known.count(), _first=known["_day"].min(), _last=known["_day"].max()
        )
    )
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
