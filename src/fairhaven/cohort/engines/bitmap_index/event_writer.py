"""The sorted events of a table as columns and bitmaps, read in batches: this process's part."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyroaring import BitMap

from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.engines.bitmap_index import bitmap_keys
from fairhaven.cohort.engines.bitmap_index.bitmaps import BitmapWriter, bitmap_of_ordinals
from fairhaven.cohort.engines.bitmap_index.concept_hierarchy import ConceptRelation
from fairhaven.cohort.engines.bitmap_index.event_order import SortedEvents
from fairhaven.cohort.engines.bitmap_index.event_source import CONCEPT, END, MISSING, ORDINAL, START, VALUE
from fairhaven.cohort.engines.bitmap_index.storage import Array, IndexFolder
from fairhaven.cohort.model import Domain

_BATCH = 1_000_000
_SLOW_UNION = 512 << 10
"""Bytes of bitmaps that take longer to put together at a question than the answer should; kept ready from here on."""


def write_events(
    table: SortedEvents,
    making: IndexFolder,
    writer: BitmapWriter,
    present: Array,
    below: ConceptRelation,
) -> dict[str, object]:
    """Write the bitmaps and the columns of a table's events.

    Args:
        present: the concepts of the release, sorted.
        below: to the valid concepts below each (see `concept_hierarchy`).

    Returns:
        what the manifest says of the table.
    """
    facts: dict[str, object] = {"rows": 0, "same": table.same, "fields": list(table.same), "missing_starts": 0}
    if table.file is None:
        return facts
    stored = pq.ParquetFile(table.file)
    rows = stored.metadata.num_rows
    file = making.file(table.domain.value)
    columns = {ORDINAL: file.parts(ORDINAL, np.uint32, rows)}
    encodings = {name: table.encoding(name) for name in table.columns}
    columns |= {name: file.parts(name, each.dtype, rows) for name, each in encodings.items()}
    source = DOMAINS[table.domain].source_concept or ""
    by_concept: defaultdict[int, BitMap] = defaultdict(BitMap)
    by_source: defaultdict[int, BitMap] = defaultdict(BitMap)
    firsts: dict[int, int] = {}
    has_nan = False
    at = 0
    for batch in stored.iter_batches(_BATCH):
        ordinal = batch.column(ORDINAL).to_numpy()
        columns[ORDINAL](at, ordinal)
        for name, encoding in encodings.items():
            part = encoding.stored(batch.column(name))
            columns[name](at, part)
            if name == source:
                for value, members in _by_value(part, ordinal):
                    by_source[int(table.codings[source].values[value - 1])] |= bitmap_of_ordinals(members)
            elif name == VALUE and name not in table.codings:
                has_nan |= bool(pc.any(pc.is_nan(batch.column(name))).as_py())
        for value, begin, members in _runs(batch.column(CONCEPT).to_numpy(), ordinal):
            firsts.setdefault(value, at + begin)
            by_concept[value] |= bitmap_of_ordinals(members)
        at += len(batch)
    stored.close()
    table.file.unlink()
    for name, coding in table.codings.items():
        file.add(f"{name} values", coding.values)
    file.add("concepts", np.array(list(firsts), np.int64))
    file.add("first", np.array([*firsts.values(), rows], np.int64))
    everybody = BitMap.union(BitMap(), BitMap(), *by_concept.values())
    if (value_of_all := table.same.get(source)) is not None:
        by_source[int(value_of_all)] = everybody
    writer.add(bitmap_keys.has_event(table.domain), 0, everybody)
    _write_bitmaps(table.domain, writer, by_concept, by_source, present, below)
    kept = [name for name in table.columns if name not in (START, END) and not (name == VALUE and has_nan)]
    return facts | {
        "rows": rows,
        "before": table.days.before,
        "fields": [*table.same, *kept],
        "missing_starts": table.missing_starts,
    }


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


def _write_bitmaps(
    domain: Domain,
    writer: BitmapWriter,
    by_concept: dict[int, BitMap],
    by_source: dict[int, BitMap],
    present: Array,
    below: ConceptRelation,
) -> None:
    by_concept.pop(MISSING, None)
    first, to = below.first, below.to
    sizes = np.zeros(len(present), np.int64)
    place_of = {int(concept): place for place, concept in enumerate(present)}
    for concept, members in by_concept.items():
        sizes[place_of[concept]] = writer.add(bitmap_keys.has_concept(domain), concept, members)
    for concept, members in by_source.items():
        writer.add(bitmap_keys.has_source(domain), concept, members)
    total = np.append(0, np.cumsum(sizes[to]))
    unions: dict[bytes, BitMap] = {}
    for place in np.flatnonzero(total[first[1:]] - total[first[:-1]] >= _SLOW_UNION):
        places = to[first[place] : first[place + 1]]
        places = places[sizes[places] > 0]
        if len(places) > 1:
            key = places.tobytes()
            if key not in unions:
                unions[key] = BitMap.union(*(by_concept[int(present[each])] for each in places))
            writer.add(bitmap_keys.has_descendant(domain), int(below.above[place]), unions[key])
