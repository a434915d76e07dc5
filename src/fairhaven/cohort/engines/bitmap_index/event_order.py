"""The events of a table in the order of concept, person and day, and what values their columns have: the engine's part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import numpy as np

from fairhaven.cohort.engines.bitmap_index.column_encoding import (
    MOST_CODES,
    DayEncoding,
    DictionaryEncoding,
    PlainEncoding,
)
from fairhaven.cohort.engines.bitmap_index.event_source import (
    CONCEPT,
    END,
    MISSING,
    ORDINAL,
    START,
    VALUE,
    events,
    own_fields,
)
from fairhaven.cohort.event_dates import ends_on_next_day
from fairhaven.cohort.model import Domain
from fairhaven.engine import Engine


@dataclass(frozen=True, kw_only=True)
class SortedEvents:
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
    codings: Mapping[str, DictionaryEncoding] = field(default_factory=dict)
    days: DayEncoding = field(default_factory=lambda: DayEncoding(before=0, last=0))
    missing_starts: int = 0

    def encoding(self, name: str) -> DayEncoding | DictionaryEncoding | PlainEncoding:
        """How a column is kept."""
        return self.days if name in (START, END) else self.codings.get(name, PlainEncoding())


def sort_events(domain: Domain, table: ir.Table, ordinals: ir.Table, engine: Engine, work: Path) -> SortedEvents:
    """Sort the events of a table and see what values their columns have."""
    fields = own_fields(domain, table)
    if not engine.count(table):
        return SortedEvents(domain=domain, same=dict.fromkeys(fields))
    rows = events(domain, table)
    found = engine.fetch(rows.aggregate(**_summary(rows, fields))).to_pylist()[0]
    same = {name: found[f"{name} least"] for name in fields if _is_same(found, name)}
    days = [found[f"{name} {which}"] for name in (START, END) for which in ("least", "most")]
    known = [day for day in days if day is not None] or [0]
    columns = (START, *(() if ends_on_next_day(domain) else (END,)), *(name for name in fields if name not in same))
    joined = rows.join(ordinals, "person_id").select(CONCEPT, ORDINAL, *columns)
    files = engine.write(joined, work / domain.value, order_by=(CONCEPT, ORDINAL, START))
    if not files:
        return SortedEvents(domain=domain, same=dict.fromkeys(fields))
    ordered = engine.parquet(list(files.values()))
    return SortedEvents(
        domain=domain,
        file=next(iter(files.values())),
        columns=columns,
        same=same,
        codings=_codings(ordered, (CONCEPT, *(name for name in columns if name in fields)), engine),
        days=DayEncoding(before=min(known) - 1, last=max(known)),
        missing_starts=found["rows"] - found[f"{START} known"],
    )


def _summary(rows: ir.Table, fields: list[str]) -> dict[str, ir.Value]:
    """How many rows there are, and of each column how many are known, the least and the most."""
    return {"rows": rows.count().cast("int64")} | {
        f"{name} {what}": value
        for name in (START, END, *fields)
        for what, value in (
            ("known", rows[name].count().cast("int64")),
            ("least", rows[name].min()),
            ("most", rows[name].max()),
        )
    }


def _is_same(found: Mapping[str, Any], name: str) -> bool:
    known = found[f"{name} known"]
    return not known or (known == found["rows"] and found[f"{name} least"] == found[f"{name} most"])


def _codings(rows: ir.Table, names: tuple[str, ...], engine: Engine) -> dict[str, DictionaryEncoding]:
    """The values of columns, where they are not too many, or not numbers at all."""
    codings = {}
    for name in names:
        different = rows.filter(rows[name].notnull()).select(name).distinct()
        if name == VALUE:
            different = different.limit(MOST_CODES + 1)
        values = engine.fetch(different)[name].to_numpy()
        if name != VALUE or (len(values) <= MOST_CODES and not np.isnan(values).any()):
            codings[name] = DictionaryEncoding(values=np.unique(values[values != MISSING]))
    return codings
