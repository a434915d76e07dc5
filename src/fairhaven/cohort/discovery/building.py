"""How an index is made: the events of each table in the order of concept and person, read once, in batches.

The engine sorts and this process sees columns of a million rows at a time, so that memory depends on the number of persons
and of different concepts, not of events.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap

from fairhaven.cohort.discovery import kinds
from fairhaven.cohort.discovery.arrays import Array, ArrayFile, Making
from fairhaven.cohort.discovery.bitmaps import BitmapWriter, of_ordinals
from fairhaven.cohort.discovery.columns import MOST_CODES, Coded, Days, coded, plain
from fairhaven.cohort.discovery.concepts import BELOW, write_concepts
from fairhaven.cohort.discovery.reading import (
    CONCEPT,
    END,
    MISSING,
    ORDINAL,
    PERSON_FIELDS,
    START,
    VALUE,
    check_tables,
    event_domains,
    events,
    own_fields,
    periods,
    persons,
)
from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.model import Domain
from fairhaven.engine import Engine
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Progress

_BATCH = 1_000_000
_SLOW_UNION = 48 << 10
"""Bytes of bitmaps that take longer to put together at a question than the answer should; kept ready from here on."""


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The events of a table in order, waiting to be read; no file where there are none."""

    domain: Domain
    fields: list[str]
    file: Path | None
    codings: Mapping[str, Coded] = field(default_factory=dict)
    days: Days = field(default_factory=lambda: Days(before=0, last=0))
    missing_starts: int = 0
    has_nan: bool = False


def build(tables: Mapping[str, ir.Table], engine: Engine, making: Making, *, release: str, progress: Progress) -> None:
    """Write all files of an index; see `DiscoveryIndex.build`."""
    check_tables(tables)
    progress.stage("Persons")
    who = _persons(tables, engine)
    ordinals = engine.arrow(
        pa.table({"person_id": who["person_id"], ORDINAL: np.arange(len(who["person_id"]), dtype=np.int32)})
    )
    domains = event_domains(tables)
    number = kinds.numbered(domains)
    file = making.file("persons")
    file.add("person_id", who["person_id"])
    file.add("year_of_birth", np.where(who["year_of_birth"] == MISSING, 0, who["year_of_birth"]).astype(np.int32))
    observed, are_sound = _periods(making.file("periods"), tables, ordinals, engine)

    ordered = []
    for place, domain in enumerate(domains):
        progress.stage(f"Events of {domain} in order")
        progress.advance(place, len(domains), "tables")
        ordered.append(_in_order(domain, tables[domain], ordinals, engine, making.work))
    engine.drop(ordinals)

    progress.stage("Concepts")
    concepts = making.file("concepts")
    present = np.unique(
        np.concatenate(
            [np.empty(0, np.int64), *(c.values for each in ordered for n, c in each.codings.items() if n != VALUE)]
        )
    )
    write_concepts(concepts, present, tables, engine)

    facts = {}
    bitmaps = making.file("bitmaps")
    with bitmaps.stream("data") as write:
        writer = BitmapWriter(write)
        _write_persons(writer, number, who, observed)
        for place, each in enumerate(ordered):
            progress.stage(f"Index of {each.domain}")
            progress.advance(place, len(ordered), "tables")
            facts[each.domain.value] = _write_events(each, making, writer, number, _below(concepts, present))
    for name, array in writer.directory().items():
        bitmaps.add(name, array)
    making.seal(
        {
            "release": release,
            "persons": len(who["person_id"]),
            "without_year_of_birth": int((who["year_of_birth"] == MISSING).sum()),
            "periods_are_sound": are_sound,
            "kinds": number,
            "tables": facts,
        }
    )


def _persons(tables: Mapping[str, ir.Table], engine: Engine) -> dict[str, Array]:
    """PERSON, sorted by person: a person's place is their ordinal."""
    rows = engine.fetch(persons(tables))
    order = np.argsort(rows["person_id"].to_numpy(), kind="stable")
    who = {name: rows[name].fill_null(MISSING).to_numpy()[order] for name in ("person_id", *PERSON_FIELDS)}
    ids = who["person_id"]
    if twice := int((ids[1:] == ids[:-1]).sum()):
        raise Invalid(f"PERSON has {twice:,} rows of persons that it has already; no index can be made of it")
    if len(ids) and ids[0] == MISSING:
        raise Invalid("PERSON has rows without person_id; no index can be made of it")
    return who


def _periods(
    file: ArrayFile, tables: Mapping[str, ir.Table], ordinals: ir.Table, engine: Engine
) -> tuple[BitMap, bool]:
    """Write observation periods by person and start; who has one, and whether they are whole and apart from each other."""
    rows = engine.fetch(periods(tables, ordinals))
    ordinal = rows[ORDINAL].to_numpy().astype(np.uint32)
    start, end = (rows[name].fill_null(0).to_numpy() for name in (START, END))
    order = np.lexsort((start, ordinal))
    ordinal, start, end = ordinal[order], start[order], end[order]
    file.add(ORDINAL, ordinal)
    file.add(START, start.astype(np.int32))
    file.add(END, end.astype(np.int32))
    follow = ordinal[1:] == ordinal[:-1]
    overlap = bool((follow & (start[1:] <= end[:-1])).any())
    missing = rows[START].null_count + rows[END].null_count
    return of_ordinals(ordinal), not (overlap or missing or bool((end < start).any()))


def _in_order(domain: Domain, table: ir.Table, ordinals: ir.Table, engine: Engine, work: Path) -> Sorted:
    """Sort the events of a table and see what values their columns have."""
    fields = own_fields(domain, table)
    files = engine.write(events(domain, table, ordinals), work / domain.value, order_by=(CONCEPT, ORDINAL, START))
    if not files:
        return Sorted(domain=domain, fields=fields, file=None)
    rows = engine.parquet(list(files.values()))
    codings = {}
    has_nan = False
    for name in (CONCEPT, *fields):
        different = rows.filter(rows[name].notnull()).select(name).distinct()
        if name == VALUE:
            different = different.limit(MOST_CODES + 1)
        values = engine.fetch(different)[name].to_numpy()
        if name == VALUE and np.isnan(values).any():
            has_nan = True
        elif name != VALUE or len(values) <= MOST_CODES:
            codings[name] = coded(values[values != MISSING])
    summary = engine.fetch(
        rows.aggregate(
            first=ibis.least(rows[START].min(), rows[END].min().fill_null(rows[START].min())),
            last=ibis.greatest(rows[START].max(), rows[END].max().fill_null(rows[START].max())),
            missing=rows[START].isnull().sum().cast("int64"),
        )
    ).to_pylist()[0]
    first, last = summary["first"] or 0, summary["last"] or 0
    return Sorted(
        domain=domain,
        fields=fields,
        file=next(iter(files.values())),
        codings=codings,
        days=Days(before=first - 1, last=last),
        missing_starts=summary["missing"] or 0,
        has_nan=has_nan,
    )


def _write_persons(writer: BitmapWriter, number: Mapping[str, int], who: Mapping[str, Array], observed: BitMap) -> None:
    writer.add(number[kinds.EVERYBODY], 0, BitMap(range(len(who["person_id"]))))
    writer.add(number[kinds.OBSERVED], 0, observed)
    for name in PERSON_FIELDS:
        order = np.argsort(who[name], kind="stable")
        values, first = np.unique(who[name][order], return_index=True)
        for value, members in zip(values, np.split(order, first[1:]), strict=True):
            if value != MISSING:
                writer.add(number[kinds.is_person(name)], int(value), of_ordinals(members))


Below = tuple[Array, Array, Array, Array]


def _below(concepts: ArrayFile, present: Array) -> Below:
    """The relation to valid concepts below, as it was just written: see `concepts`."""
    parts = (concepts.read(f"{BELOW}_{part}") for part in ("from", "first", "to"))
    return (present, *parts)  # type: ignore[return-value]


def _write_events(
    table: Sorted, making: Making, writer: BitmapWriter, number: Mapping[str, int], below: Below
) -> dict[str, object]:
    """Write the bitmaps and the columns of a table's events; what the manifest says of it."""
    if table.file is None:
        return {"rows": 0, "fields": table.fields, "missing_starts": 0}
    stored = pq.ParquetFile(table.file)
    rows = stored.metadata.num_rows
    file = making.file(table.domain.value)
    columns = _columns(file, table, rows)
    source = DOMAINS[table.domain].source_concept
    by_concept: dict[int, BitMap] = {}
    by_source: dict[int, BitMap] = {}
    firsts: dict[int, int] = {}
    at = 0
    for batch in stored.iter_batches(_BATCH):
        end = at + len(batch)
        for name, column in columns.items():
            column[at:end] = _stored(table, name, batch.column(name))
        concept = batch.column(CONCEPT).to_numpy()
        ordinal = batch.column(ORDINAL).to_numpy()
        for value, begin, members in _runs(concept, ordinal):
            firsts.setdefault(value, at + begin)
            _add(by_concept, value, members)
        if source in columns and table.codings[source].values.size:
            for value, members in _by_value(columns[source][at:end], ordinal):
                _add(by_source, int(table.codings[source].values[value - 1]), members)
        at = end
    stored.close()
    table.file.unlink()
    for name in columns:
        if (coding := table.codings.get(name)) is not None:
            file.add(f"{name} values", coding.values)
    concepts = np.array(list(firsts), np.int64)
    file.add("concepts", concepts)
    file.add("first", np.array([*firsts.values(), rows], np.int64))
    _write_bitmaps(table.domain, writer, number, by_concept, by_source, below)
    return {
        "rows": rows,
        "before": table.days.before,
        "fields": [name for name in table.fields if name in columns],
        "missing_starts": table.missing_starts,
    }


def _columns(file: ArrayFile, table: Sorted, rows: int) -> dict[str, Array]:
    """Room for each column."""
    columns = {
        ORDINAL: file.parts(ORDINAL, np.uint32, rows),
        START: file.parts(START, table.days.dtype, rows),
        END: file.parts(END, table.days.dtype, rows),
    }
    for name in table.fields:
        if name in table.codings:
            columns[name] = file.parts(name, table.codings[name].dtype, rows)
        elif not table.has_nan:
            columns[name] = file.parts(name, np.float64, rows)
    return columns


def _stored(table: Sorted, name: str, values: pa.Array) -> Array:
    if name == ORDINAL:
        ordinals: Array = values.to_numpy()
        return ordinals
    if name in (START, END):
        return table.days.stored(values)
    return table.codings[name].stored(values) if name in table.codings else plain(values)


def _runs(values: Array, ordinals: Array) -> Iterator[tuple[int, int, Array]]:
    """Stretches of one value: the value, where it begins, and its persons, each once. Both columns are in order."""
    is_new = np.empty(len(values), bool)
    is_new[0] = True
    np.not_equal(values[1:], values[:-1], out=is_new[1:])
    begins = np.flatnonzero(is_new)
    is_new[1:] |= ordinals[1:] != ordinals[:-1]
    once = ordinals[is_new]
    # How many of those before a stretch were kept says where it begins among them.
    kept_before = np.cumsum(is_new)[begins] - 1
    for begin, members in zip(begins, np.split(once, kept_before[1:]), strict=True):
        yield int(values[begin]), int(begin), members


def _by_value(codes: Array, ordinals: Array) -> Iterator[tuple[int, Array]]:
    """The persons of each code but 0, in any order of rows."""
    keys = (codes.astype(np.int64) << 32) | ordinals
    keys.sort()
    for value, _, members in _runs(keys >> 32, keys & 0xFFFFFFFF):
        if value:
            yield value, members


def _add(sets: dict[int, BitMap], value: int, ordinals: Array) -> None:
    members = of_ordinals(ordinals)
    if value in sets:
        sets[value] |= members
    else:
        sets[value] = members


def _write_bitmaps(
    domain: Domain,
    writer: BitmapWriter,
    number: Mapping[str, int],
    by_concept: dict[int, BitMap],
    by_source: dict[int, BitMap],
    below: Below,
) -> None:
    writer.add(number[kinds.has_event(domain)], 0, BitMap.union(BitMap(), BitMap(), *by_concept.values()))
    by_concept.pop(MISSING, None)
    present, above, first, to = below
    sizes = np.zeros(len(present), np.int64)
    place_of = {int(concept): place for place, concept in enumerate(present)}
    for concept, members in by_concept.items():
        sizes[place_of[concept]] = writer.add(number[kinds.has_concept(domain)], concept, members)
    for concept, members in by_source.items():
        writer.add(number[kinds.has_source(domain)], concept, members)
    total = np.append(0, np.cumsum(sizes[to]))
    unions: dict[bytes, BitMap] = {}
    for place in np.flatnonzero(total[first[1:]] - total[first[:-1]] >= _SLOW_UNION):
        places = to[first[place] : first[place + 1]]
        places = places[sizes[places] > 0]
        if len(places) > 1:
            key = places.tobytes()
            if key not in unions:
                unions[key] = BitMap.union(*(by_concept[int(present[each])] for each in places))
            writer.add(number[kinds.has_below(domain)], int(above[place]), unions[key])
