"""The current rows of a source, as Ibis expressions that run on every engine.

A patient whom a FHIR source deletes goes with all that the source says of them, until it says that there is such a patient again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairhaven.engine import Engine
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.fhir.views import WHOLES
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import DeliveryKind, Extract, Format, Source
from fairhaven.intake.row_links import BELONGING, is_link_column, link_columns
from fairhaven.intake.row_versions import COLUMNS, TURN, UNREAD, UPDATED, VERSION, WHOLE, in_turn

PATIENTS = "patient"
"""FHIR's table of patients."""
_LINES = 1 << 40
"""More lines than a file has; extract * _LINES + line puts rows in the order of their arrival."""


def in_force(source: Source, extracts: Sequence[Extract]) -> list[Extract]:
    """The extracts whose rows count: all of them, or the latest delivery's where deliveries are full."""
    if source.delivery is not DeliveryKind.FULL:
        return list(extracts)
    last = max((extract.delivery for extract in extracts), default=0)
    return [extract for extract in extracts if extract.delivery == last]


def tables_of(extracts: Sequence[Extract]) -> dict[str, list[Extract]]:
    """Table -> the extracts that have it, in order."""
    found: dict[str, list[Extract]] = {}
    for extract in sorted(extracts, key=lambda extract: extract.number):
        for table in extract.tables:
            found.setdefault(table, []).append(extract)
    return found


def landed(engine: Engine, records: DeliveryRecords, extracts: Sequence[Extract], table: str) -> ir.Table:
    """All landed rows of a table; columns that an earlier extract lacks are NULL there."""
    groups: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for extract in extracts:
        path = records.table(extract.number, table)
        schema = pq.read_schema(path)
        groups.setdefault(tuple((field.name, str(field.type)) for field in schema), []).append(path)
    parts = [engine.parquet(paths) for paths in groups.values()]
    if len(parts) == 1:
        return parts[0]
    # The latest declaration says the type; a column that it no longer names is not carried on.
    types = {name: dtype for part in parts for name, dtype in part.schema().items()}
    names = list(parts[-1].columns) + [name for name in types if name not in parts[-1].columns]
    return ibis.union(
        *(
            part.select(
                **{
                    name: part[name].cast(types[name]) if name in part.columns else ibis.null(types[name])
                    for name in names
                }
            )
            for part in parts
        )
    )


def latest(
    engine: Engine,
    records: DeliveryRecords,
    rows: ir.Table,
    extracts: Sequence[Extract],
    table: str,
    *,
    wholes: Sequence[Extract] = (),
    wanted: ir.Table | None = None,
    unread: ir.Table | None = None,
) -> ir.Table:
    """Of rows with one key the one that counts (`row_versions`), withdrawn or not; none where it is one in quarantine.

    Args:
        unread: rows in quarantine (`unread_rows`); None to look away from them.
        wholes: extracts with the rows of which those of *table* are parts: a part counts where its whole does, whatever its place in it.
        wanted: some of *rows*; None for all. A row that is not wanted replaces others all the same.
    """
    wanted = rows if wanted is None else wanted
    having = [*(extract.tables[table] for extract in extracts), *(extract.tables[WHOLES[table]] for extract in wholes)]
    has_unique_keys = all(count.has_unique_keys for count in having)
    if has_unique_keys and len({extract.number for extract in (*extracts, *wholes)}) == 1:
        return wanted
    has_versions = any(count.has_versions for count in having) or (unread is not None and UPDATED in rows.columns)
    if WHOLE in rows.columns or has_versions:
        return _latest_version(engine, records, rows, extracts, table, wholes, wanted, unread)
    if unread is not None:
        last = unread.group_by("row_of").agg(row_last_unread=_place(unread).max())
        wanted = wanted.anti_join(last, [wanted.row_key == last.row_of, _place(wanted) < last.row_last_unread])
    if has_unique_keys:
        # Nothing in the first extract can replace a row, so its keys, mostly the bulk, are not grouped.
        first = min(extract.number for extract in extracts)
        later = rows.filter(rows.row_extract > first)
        last = later.group_by(row_key_of_last=later.row_key).agg(row_last=later.row_extract.max())
        is_replaced = [wanted.row_key == last.row_key_of_last, wanted.row_extract < last.row_last]
        return wanted.anti_join(last, is_replaced)
    last = rows.group_by(row_key_of_last=rows.row_key).agg(row_last=_place(rows).max())
    return wanted.semi_join(last, [wanted.row_key == last.row_key_of_last, _place(wanted) == last.row_last])


def _place(rows: ir.Table) -> ir.IntegerValue:
    return rows.row_extract.cast("int64") * _LINES + rows.row_line


def _latest_version(
    engine: Engine,
    records: DeliveryRecords,
    rows: ir.Table,
    extracts: Sequence[Extract],
    table: str,
    wholes: Sequence[Extract],
    wanted: ir.Table,
    unread: ir.Table | None,
) -> ir.Table:
    key = WHOLE if WHOLE in rows.columns else "row_key"
    said = _versions(rows, key)
    if wholes:
        # A version of the whole may have none of the parts that an earlier one had.
        whole = _versions(landed(engine, records, wholes, WHOLES[table]), "row_key").semi_join(said, "row_of")
        said = ibis.union(said, whole.select(*said.columns), distinct=True)
    elif key == WHOLE:
        said = said.distinct()
    said = said.mutate(**{UNREAD: ibis.literal(False)})
    if unread is not None:
        # A part that landed stands for its whole, also where that is in quarantine for what is not the part's.
        only_unread = unread.anti_join(said, ["row_of", "row_extract", "row_line"])
        said = ibis.union(said, only_unread.select(*said.columns))
    several = said.group_by("row_of").agg(rows_of=said.count())
    rivals = said.semi_join(several.filter(several.rows_of > 1), "row_of")
    rivals = with_deliveries(engine, rivals, [*extracts, *wholes])
    turns = in_turn(rivals, ["row_of"])
    losing = turns.filter(turns[TURN] > 0).select("row_of", losing_extract="row_extract", losing_line="row_line")
    return wanted.anti_join(
        losing,
        [
            wanted[key] == losing.row_of,
            wanted.row_extract == losing.losing_extract,
            wanted.row_line == losing.losing_line,
        ],
    )


def unread_rows(engine: Engine, records: DeliveryRecords, extracts: Sequence[Extract], table: str) -> ir.Table | None:
    """Rows of a table in quarantine of which the key could be read, as versions; None where there are none."""
    found = []
    for extract in extracts:
        path = records.table(extract.number, REJECTS)
        if extract.tables[table].quarantined and "row_key" in pq.read_schema(path).names:
            rejects = pq.read_table(path, columns=["table_name", "row_line", "row_key", UPDATED, VERSION])
            kept = rejects.filter((pc.field("table_name") == table) & pc.field("row_key").is_valid())
            number = pa.array([extract.number] * kept.num_rows, pa.int32())
            found.append(kept.append_column("row_extract", number))
    rows = pa.concat_tables(found) if found else None
    if rows is None or not rows.num_rows:
        return None
    versions = engine.arrow(rows.drop_columns("table_name").rename_columns({"row_key": "row_of"})).distinct()
    return versions.mutate(row_withdrawn=ibis.literal(False), **{UNREAD: ibis.literal(True)})


def _versions(rows: ir.Table, key: str) -> ir.Table:
    nothing = ibis.null("int64")
    return rows.select(
        "row_extract",
        "row_line",
        "row_withdrawn",
        row_of=rows[key],
        **{name: rows[name] if name in rows.columns else nothing for name in (UPDATED, VERSION)},
    )


def with_deliveries(engine: Engine, rows: ir.Table, extracts: Sequence[Extract]) -> ir.Table:
    """Rows with ``row_delivery``: the first extract of their delivery, where it has several."""
    first: dict[int, int] = {}
    for extract in extracts:
        first[extract.delivery] = min(extract.number, first.get(extract.delivery, extract.number))
    moved = {
        extract.number: first[extract.delivery] for extract in extracts if extract.number != first[extract.delivery]
    }
    own = rows.row_extract.cast("int64")
    if not moved:
        return rows.mutate(row_delivery=own)
    places = engine.arrow(
        pa.table({"moved_extract": pa.array(moved, pa.int64()), "first_extract": pa.array(moved.values(), pa.int64())})
    )
    placed = rows.left_join(places, own == places.moved_extract)
    return placed.select(*rows.columns, row_delivery=ibis.coalesce(placed.first_extract, own))


def with_patients(engine: Engine, records: DeliveryRecords, source: Source, table: str, rows: ir.Table) -> ir.Table:
    """Rows of a table that belongs to another, with the patient of that one; other rows as they are.

    Whatever was delivered says whose a row is, the latest first, also where it is withdrawn or replaced by now. The patient is NULL
    where no row says it, or the latest extract says several.
    """
    link = source.tables[table].belongs_to if table in source.tables else None
    if link is None:
        return rows
    having = tables_of(records.extracts(source.name)).get(link.table, [])
    if not having:
        return rows
    others = with_patients(engine, records, source, link.table, landed(engine, records, having, link.table))
    named = link_columns(source, link.table).named[tuple(its for _, its in link.by)]
    # What an earlier version landed has no digests.
    has_digests = BELONGING in rows.columns and named in others.columns
    by = [(BELONGING, named)] if has_digests else list(link.by)
    keys = {f"row_owner_{number}": others[its] for number, (_, its) in enumerate(by)}
    said = others.filter(others.patient_ref.notnull()).select(
        **keys, owner=others.patient_ref, said_by=others.row_extract
    )
    last = said.group_by(list(keys)).agg(last_said_by=said.said_by.max())
    latest_word = said.join(last, list(keys)).filter(lambda both: both.said_by == both.last_said_by)
    owners = latest_word.group_by(list(keys)).agg(
        first_owner=latest_word.owner.min(), last_owner=latest_word.owner.max()
    )
    owners = owners.filter(owners.first_owner == owners.last_owner)
    owned = rows.drop("patient_ref").left_join(
        owners, [rows[own] == owners[f"row_owner_{number}"] for number, (own, _) in enumerate(by)]
    )
    return owned.mutate(patient_ref=owned.first_owner).select(*rows.columns)


def counted_columns(source: Source, table: str, rows: ir.Table) -> list[str]:
    """The columns that say which rows count: for small tables, writing all of them into a query costs more than running it."""
    link = source.tables[table].belongs_to if table in source.tables else None
    owner = [] if link is None else [BELONGING] if BELONGING in rows.columns else [own for own, _ in link.by]
    own = ["row_key", "row_extract", "row_line", "row_withdrawn", *(name for name in COLUMNS if name in rows.columns)]
    return list(dict.fromkeys([*own, "patient_ref", *owner]))


def belongs_to_others(source: Source, table: str) -> bool:
    """Whether rows of a table are a patient's only through another table."""
    return table in source.tables and source.tables[table].belongs_to is not None


def without(rows: ir.Table, excluded: ir.Table | None, *, is_linked: bool) -> ir.Table:
    """Rows of patients who are not excluded; of a table that belongs to another, none whose patient is not known."""
    if is_linked:
        rows = rows.filter(rows.patient_ref.notnull())
    if excluded is None:
        return rows
    return rows.anti_join(excluded.select("patient_ref"), "patient_ref")


def wholes_of(source: Source, table: str, having: Mapping[str, Sequence[Extract]]) -> Sequence[Extract]:
    """The extracts with rows of which those of a table are parts.

    Args:
        having: table -> extracts that have it.
    """
    return having.get(WHOLES.get(table, ""), ()) if source.format is Format.FHIR else ()


def unread_of(
    engine: Engine, records: DeliveryRecords, source: Source, table: str, having: Mapping[str, Sequence[Extract]]
) -> ir.Table | None:
    """`unread_rows` of a table; of parts those of their wholes."""
    wholes = wholes_of(source, table, having)
    return unread_rows(engine, records, wholes or having[table], WHOLES[table] if wholes else table)


def deleted_patients(
    engine: Engine, records: DeliveryRecords, source: Source, having: Mapping[str, Sequence[Extract]]
) -> ir.Table | None:
    """``patient_ref`` of patients whom their FHIR source deleted last; None where it deleted none. What is theirs is taken back with them."""
    extracts = having.get(PATIENTS, ())
    if source.format is not Format.FHIR or not any(extract.tables[PATIENTS].withdrawn for extract in extracts):
        return None
    rows = landed(engine, records, extracts, PATIENTS)
    last = latest(engine, records, rows, extracts, PATIENTS)
    return engine.keep(last.filter(last.row_withdrawn).select("patient_ref").distinct())


def not_taken_back(rows: ir.Table, deleted: ir.Table | None) -> ir.Table:
    """Rows that no source took back, themselves or with their patient."""
    rows = rows.filter(~rows.row_withdrawn)
    return rows if deleted is None else rows.anti_join(deleted, "patient_ref")


def with_coarse_births(rows: ir.Table, births: ir.Table, precision: str) -> ir.Table:
    """Rows in which a day or moment that is the patient's birth is no finer than births are, as landing has it.

    Args:
        births: ``patient_ref, birth_date``: days that landing did not know, because records of other sources give them.
        precision: ``month`` or ``year``.
    """
    moments = [name for name, kind in rows.schema().items() if kind.is_date() or kind.is_timestamp()]
    told = births.group_by("patient_ref").agg(row_births=births.birth_date.collect())
    joined = rows.left_join(told, "patient_ref")
    cut = {}
    for name in moments:
        day = joined[name]
        is_birth = joined["row_births"].contains(day.cast("date")).fill_null(False)
        # DuckDB truncates a date to a timestamp, which Ibis takes for a date: a cast of date to date would be none.
        coarse = day.cast("timestamp(6)").truncate("M" if precision == "month" else "Y").cast(day.type())
        cut[name] = is_birth.ifelse(coarse, day)
    return joined.select(**{name: cut.get(name, joined[name]) for name in rows.columns})


def current(
    engine: Engine,
    records: DeliveryRecords,
    source: Source,
    *,
    excluded: ir.Table | None,
    births: ir.Table | None = None,
    precision: str = "month",
    hears_quarantine: bool = True,
    only: str = "",
) -> Mapping[str, ir.Table]:
    """See `service.Intake.current`.

    Args:
        hears_quarantine: a row whose key has a newer one in quarantine does not count.
        only: the one table that is wanted; empty for all.
    """
    having = tables_of(in_force(source, records.extracts(source.name)))
    deleted = deleted_patients(engine, records, source, having)
    found = {}
    for table, extracts in having.items():
        if only not in ("", table):
            continue
        rows = landed(engine, records, extracts, table)
        wholes = wholes_of(source, table, having)
        unread = unread_of(engine, records, source, table, having) if hears_quarantine else None
        kept = not_taken_back(rows, deleted)
        rows = latest(engine, records, rows, extracts, table, wholes=wholes, wanted=kept, unread=unread)
        rows = rows.drop(*(name for name in COLUMNS if name in rows.columns))
        rows = with_patients(engine, records, source, table, rows)
        rows = rows.drop(*filter(is_link_column, rows.columns))
        rows = without(rows, excluded, is_linked=belongs_to_others(source, table))
        found[table] = rows if births is None else with_coarse_births(rows, births, precision)
    return found
