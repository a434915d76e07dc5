"""The current rows of a source, as Ibis expressions that run on every engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow.parquet as pq

from fairhaven.engine import Engine
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.model import DeliveryKind, Extract, Source

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


def latest(rows: ir.Table, extracts: Sequence[Extract], table: str, *, wanted: ir.Table | None = None) -> ir.Table:
    """Of rows with one key the last that arrived, withdrawn or not.

    Args:
        wanted: some of *rows*; None for all. A row that is not wanted replaces others all the same.
    """
    wanted = rows if wanted is None else wanted
    has_unique_keys = all(extract.tables[table].has_unique_keys for extract in extracts)
    if has_unique_keys and len(extracts) == 1:
        return wanted
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
    keys = {f"row_owner_{number}": others[its] for number, (_, its) in enumerate(link.by)}
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
        owners, [rows[own] == owners[f"row_owner_{number}"] for number, (own, _) in enumerate(link.by)]
    )
    return owned.mutate(patient_ref=owned.first_owner).select(*rows.columns)


def counted_columns(source: Source, table: str) -> list[str]:
    """The columns that say which rows count: for small tables, writing all of them into a query costs more than running it."""
    link = source.tables[table].belongs_to if table in source.tables else None
    owner = [] if link is None else [own for own, _ in link.by]
    return list(dict.fromkeys(["row_key", "row_extract", "row_line", "row_withdrawn", "patient_ref", *owner]))


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


def current(
    engine: Engine, records: DeliveryRecords, source: Source, *, excluded: ir.Table | None
) -> Mapping[str, ir.Table]:
    """See `service.Intake.current`."""
    extracts = in_force(source, records.extracts(source.name))
    found = {}
    for table, having in tables_of(extracts).items():
        rows = landed(engine, records, having, table)
        rows = latest(rows, having, table, wanted=rows.filter(~rows.row_withdrawn))
        rows = with_patients(engine, records, source, table, rows)
        found[table] = without(rows, excluded, is_linked=belongs_to_others(source, table))
    return found
