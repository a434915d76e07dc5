"""How an index is made: the events of each table in the order of concept and person, read once, in batches.

The engine sorts and this process sees columns of a million rows at a time, so that memory depends on the number of persons
and of different concepts, not of events.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
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
    ends_on_next_day,
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
_SLOW_UNION = 512 << 10
"""Bytes of bitmaps that take longer to put together at a question than the answer should; kept ready from here on."""


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """The events of a table in order, waiting to be read.

    Args:
        file: None where there are no events.
        columns: what is in the file beside concept and ordinal.
        same: fields that have one value in all rows, with it; None where it is missing in all.
        missing_starts: rows without a start date.
    """

    domain: Domain
    file: Path | None = None
    columns: tuple[str, ...] = ()
    same: Mapping[str, float | int | None] = field(default_factory=dict)
    codings: Mapping[str, Coded] = field(default_factory=dict)
    days: Days = field(default_factory=lambda: Days(before=0, last=0))
    missing_starts: int = 0


def build(tables: Mapping[str, ir.Table], engine: Engine, making: Making, *, release: str, progress: Progress) -> None:
    """Write all files of an index; see `DiscoveryIndex.build`."""
    check_tables(tables)
    progress.stage("Indexing who has what")
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
        progress.advance(place, 2 * len(domains), "steps")
        ordered.append(_in_order(domain, tables[domain], ordinals, engine, making.work))
    engine.drop(ordinals)

    concepts = making.file("concepts")
    present = _present(ordered, who)
    write_concepts(concepts, present, tables, engine)

    facts = {}
    bitmaps = making.file("bitmaps")
    with bitmaps.stream("data") as write:
        writer = BitmapWriter(write)
        _write_persons(writer, number, who, observed)
        for place, each in enumerate(ordered):
            progress.advance(len(ordered) + place, 2 * len(ordered), "steps")
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
    rows = events(domain, table)
    fields = own_fields(domain, table)
    found = engine.fetch(rows.aggregate(**_summary(rows, fields))).to_pylist()[0]
    if not found["rows"]:
        return Sorted(domain=domain, same=dict.fromkeys(fields))
    same = {name: found[f"{name} least"] for name in fields if _is_same(found, name)}
    days = [found[f"{name} {which}"] for name in (START, END) for which in ("least", "most")]
    known = [day for day in days if day is not None] or [0]
    columns = (START, *(() if ends_on_next_day(domain) else (END,)), *(name for name in fields if name not in same))
    joined = rows.join(ordinals, "person_id").select(CONCEPT, ORDINAL, *columns)
    files = engine.write(joined, work / domain.value, order_by=(CONCEPT, ORDINAL, START))
    if not files:
        return Sorted(domain=domain, same=dict.fromkeys(fields))
    in_order = engine.parquet(list(files.values()))
    return Sorted(
        domain=domain,
        file=next(iter(files.values())),
        columns=columns,
        same=same,
        codings=_codings(in_order, (CONCEPT, *(name for name in columns if name in fields)), engine),
        days=Days(before=min(known) - 1, last=max(known)),
        missing_starts=found["rows"] - found[f"{START} known"],
    )


def _summary(rows: ir.Table, fields: list[str]) -> dict[str, ir.Value]:
    """How many rows there are, and of each column how many are known, the least and the most."""
    summary = {"rows": rows.count().cast("int64")}
    for name in (START, END, *fields):
        column = rows[name]
        summary |= {
            f"{name} known": column.count().cast("int64"),
            f"{name} least": column.min(),
            f"{name} most": column.max(),
        }
    return summary


def _is_same(found: Mapping[str, Any], name: str) -> bool:
    known = found[f"{name} known"]
    return not known or (known == found["rows"] and found[f"{name} least"] == found[f"{name} most"])


def _codings(rows: ir.Table, names: tuple[str, ...], engine: Engine) -> dict[str, Coded]:
    """The values of columns, where they are not too many, or not numbers at all."""
    codings = {}
    for name in names:
        different = rows.filter(rows[name].notnull()).select(name).distinct()
        if name == VALUE:
            different = different.limit(MOST_CODES + 1)
        values = engine.fetch(different)[name].to_numpy()
        if name != VALUE or (len(values) <= MOST_CODES and not np.isnan(values).any()):
            codings[name] = coded(values[values != MISSING])
    return codings


def _present(ordered: list[Sorted], who: Mapping[str, Array]) -> Array:
    """Every concept that any column has, sorted."""
    parts = [who[name][who[name] != MISSING] for name in PERSON_FIELDS if name != "year_of_birth"]
    for each in ordered:
        parts += [coding.values.astype(np.int64) for name, coding in each.codings.items() if name != VALUE]
        parts.append(
            np.array([value for name, value in each.same.items() if name != VALUE and value is not None], np.int64)
        )
    return np.unique(np.concatenate(parts))


def _write_persons(writer: BitmapWriter, number: Mapping[str, int], who: Mapping[str, Array], observed: BitMap) -> None:
    writer.add(number[kinds.EVERYBODY], 0, BitMap(range(len(who["person_id"]))))
    writer.add(number[kinds.OBSERVED], 0, observed)
    for name in PERSON_FIELDS:
        order = np.argsort(who[name], kind="stable")
        values, first = np.unique(who[name][order], return_index=True)
        edges = np.append(first, len(order))
        for value, begin, end in zip(values, edges[:-1], edges[1:], strict=True):
            if value != MISSING:
                writer.add(number[kinds.is_person(name)], int(value), of_ordinals(order[begin:end]))


Below = tuple[Array, Array, Array, Array]


def _below(concepts: ArrayFile, present: Array) -> Below:
    """The relation to valid concepts below, as it was just written: see `concepts`."""
    parts = (concepts.read(f"{BELOW}_{part}") for part in ("from", "first", "to"))
    return (present, *parts)  # type: ignore[return-value]


def _write_events(
    table: Sorted, making: Making, writer: BitmapWriter, number: Mapping[str, int], below: Below
) -> dict[str, object]:
    """Write the bitmaps and the columns of a table's events; what the manifest says of it."""
    facts: dict[str, object] = {"rows": 0, "same": table.same, "fields": list(table.same), "missing_starts": 0}
    if table.file is None:
        return facts
    stored = pq.ParquetFile(table.file)
    rows = stored.metadata.num_rows
    file = making.file(table.domain.value)
    columns = {ORDINAL: file.parts(ORDINAL, np.uint32, rows)}
    columns |= {name: file.parts(name, _dtype(table, name), rows) for name in table.columns}
    source = DOMAINS[table.domain].source_concept or ""
    by_concept: dict[int, BitMap] = {}
    by_source: dict[int, BitMap] = {}
    firsts: dict[int, int] = {}
    has_nan = False
    at = 0
    for batch in stored.iter_batches(_BATCH):
        ordinal = batch.column(ORDINAL).to_numpy()
        columns[ORDINAL].write(at, ordinal)
        for name in table.columns:
            part = _stored(table, name, batch.column(name))
            columns[name].write(at, part)
            if name == source:
                for value, members in _by_value(part, ordinal):
                    _add(by_source, int(table.codings[source].values[value - 1]), members)
            elif name == VALUE and name not in table.codings:
                has_nan |= bool(pc.any(pc.is_nan(batch.column(name))).as_py())
        for value, begin, members in _runs(batch.column(CONCEPT).to_numpy(), ordinal):
            firsts.setdefault(value, at + begin)
            _add(by_concept, value, members)
        at += len(batch)
    stored.close()
    table.file.unlink()
    for name, coding in table.codings.items():
        file.add(f"{name} values", coding.values)
    file.add("concepts", np.array(list(firsts), np.int64))
    file.add("first", np.array([*firsts.values(), rows], np.int64))
    everybody = BitMap.union(BitMap(), BitMap(), *by_concept.values())
    if (value_of_all := table.same.get(source)) is not None:
        by_source = {int(value_of_all): everybody}
    writer.add(number[kinds.has_event(table.domain)], 0, everybody)
    _write_bitmaps(table.domain, writer, number, by_concept, by_source, below)
    kept = [name for name in table.columns if name not in (START, END) and not (name == VALUE and has_nan)]
    return facts | {
        "rows": rows,
        "before": table.days.before,
        "fields": [*table.same, *kept],
        "missing_starts": table.missing_starts,
    }


def _dtype(table: Sorted, name: str) -> npt.DTypeLike:
    if name in (START, END):
        return table.days.dtype
    return table.codings[name].dtype if name in table.codings else np.float64


def _stored(table: Sorted, name: str, values: pa.Array) -> Array:
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
