"""How an index is made: the events of each table in the order of concept and person, read once, in batches.

The engine sorts and this process sees columns of a million rows at a time, so that memory depends on the number of persons
and of different concepts, not of events.
"""

from collections.abc import Mapping

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from fairhaven.cohort.domains import PERSON_COLUMNS
from fairhaven.cohort.engines.bitmap_index import bitmap_keys
from fairhaven.cohort.engines.bitmap_index.bitmaps import BitmapWriter, bitmap_of_ordinals
from fairhaven.cohort.engines.bitmap_index.concept_hierarchy import BELOW, write_concepts
from fairhaven.cohort.engines.bitmap_index.event_order import SortedEvents, sort_events
from fairhaven.cohort.engines.bitmap_index.event_source import (
    END,
    MISSING,
    ORDINAL,
    START,
    VALUE,
    check_tables,
    event_domains,
    periods,
    persons,
)
from fairhaven.cohort.engines.bitmap_index.event_writer import write_events
from fairhaven.cohort.engines.bitmap_index.storage import Array, ArrayFile, IndexFolder
from fairhaven.engine import Engine
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Progress


def build(
    tables: Mapping[str, ir.Table], engine: Engine, making: IndexFolder, *, release: str, progress: Progress
) -> None:
    """Write all files of an index; see `DiscoveryIndex.build`."""
    check_tables(tables)
    progress.stage("Indexing who has what")
    who = _persons(tables, engine)
    ordinals = engine.arrow(
        pa.table({"person_id": who["person_id"], ORDINAL: np.arange(len(who["person_id"]), dtype=np.int32)})
    )
    domains = event_domains(tables)
    number = bitmap_keys.number_keys(domains)
    file = making.file("persons")
    file.add("person_id", who["person_id"])
    file.add("year_of_birth", np.where(who["year_of_birth"] == MISSING, 0, who["year_of_birth"]).astype(np.int32))
    are_sound = _periods(making.file("periods"), tables, ordinals, engine)

    ordered = []
    for place, domain in enumerate(domains):
        progress.advance(place, 2 * len(domains), "steps")
        ordered.append(sort_events(domain, tables[domain], ordinals, engine, making.work))
    engine.drop(ordinals)

    present = _present(ordered, who)
    below = write_concepts(making.file("concepts"), present, tables, engine)[BELOW]
    facts = {}
    bitmaps = making.file("bitmaps")
    with bitmaps.stream("data") as write:
        writer = BitmapWriter(write, number)
        _write_persons(writer, who)
        for place, each in enumerate(ordered):
            progress.advance(len(ordered) + place, 2 * len(ordered), "steps")
            facts[each.domain.value] = write_events(each, making, writer, present, below)
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
    who = {name: rows[name].fill_null(MISSING).to_numpy()[order] for name in ("person_id", *PERSON_COLUMNS)}
    ids = who["person_id"]
    if twice := int((ids[1:] == ids[:-1]).sum()):
        raise Invalid(f"PERSON has {twice:,} rows of persons that it has already; no index can be made of it")
    if len(ids) and ids[0] == MISSING:
        raise Invalid("PERSON has rows without person_id; no index can be made of it")
    return who


def _periods(file: ArrayFile, tables: Mapping[str, ir.Table], ordinals: ir.Table, engine: Engine) -> bool:
    """Write observation periods by person and start; whether they are whole and apart from each other."""
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
    return not (overlap or missing or bool((end < start).any()))


def _present(ordered: list[SortedEvents], who: Mapping[str, Array]) -> Array:
    """Every concept that any column has, sorted."""
    parts = [who[name][who[name] != MISSING] for name in PERSON_COLUMNS if name != "year_of_birth"]
    for each in ordered:
        parts += [coding.values.astype(np.int64) for name, coding in each.codings.items() if name != VALUE]
        parts.append(
            np.array([value for name, value in each.same.items() if name != VALUE and value is not None], np.int64)
        )
    return np.unique(np.concatenate(parts))


def _write_persons(writer: BitmapWriter, who: Mapping[str, Array]) -> None:
    writer.add(bitmap_keys.EVERYBODY, 0, BitMap(range(len(who["person_id"]))))
    for name in PERSON_COLUMNS:
        order = np.argsort(who[name], kind="stable")
        values, first = np.unique(who[name][order], return_index=True)
        edges = np.append(first, len(order))
        for value, begin, end in zip(values, edges[:-1], edges[1:], strict=True):
            if value != MISSING:
                writer.add(bitmap_keys.has_attribute(name), int(value), bitmap_of_ordinals(order[begin:end]))
