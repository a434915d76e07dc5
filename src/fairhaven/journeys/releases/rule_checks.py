"""Rules tried on a made-up row of what their sources declare, so that `check` finds what would end a build: a pattern, a comparison or a
calculation that an engine does not take."""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import duckdb
import ibis.expr.types as ir
import pyarrow as pa
from ibis.common.exceptions import IbisError

from fairhaven.engine.duckdb import DuckDBEngine
from fairhaven.harmonise import MappingFile, MapRule, mapped_rows
from fairhaven.intake import Source
from fairhaven.kernel.errors import Fault, Invalid

_SAMPLES: Mapping[str, tuple[pa.DataType, object]] = {
    "text": (pa.string(), "1"),
    "number": (pa.float64(), 1.5),
    "whole": (pa.int64(), 1),
    "date": (pa.date32(), dt.date(2020, 2, 29)),
    "datetime": (pa.timestamp("us"), dt.datetime(2020, 2, 29, 12)),  # noqa: DTZ001 - of the CDM, whose times have no zone
    "time": (pa.string(), "12:00:00"),  # as it lands
    "yes-no": (pa.bool_(), True),
}
"""Type of a declared column -> what it lands as, and a value of it."""
_CARRIED: Mapping[str, tuple[pa.DataType, object]] = {
    "row_key": (pa.int64(), 1),
    "row_extract": (pa.int32(), 1),
    "row_line": (pa.int64(), 2),
    "patient_ref": (pa.string(), "p"),
}


def rule_faults(sources: Mapping[str, Source], mappings: Mapping[str, MappingFile]) -> list[Fault]:
    """Rules that no engine could carry out on what a source declares; Python's own rules are not run.

    Args:
        mappings: without faults of their own.
    """
    found = dict[str, Fault]()
    if not any(source.tables and source.mapping for source in sources.values()):
        return []
    with closing(DuckDBEngine(threads=1)) as engine:
        for source in sources.values():
            tables = {name: engine.arrow(_one_row(source, name)) for name in source.tables}
            for file in (mappings[name] for name in source.mapping if tables and name in mappings):
                for rule in file.rules:
                    for fault in _tried(engine, rule, file, tables):
                        found[str(fault)] = fault
    return list(found.values())


def _one_row(source: Source, name: str) -> pa.Table:
    """A table of a source as it lands, with one row that has a value in every column: what cannot be cast fails on a value only."""
    lands = source.tables[name].lands()
    kinds = {column: _SAMPLES[kind] for column, kind in lands.items()}
    columns = {column: pa.array([value], kind) for column, (kind, value) in ({**_CARRIED, **kinds}).items()}
    return pa.table(columns)


def _tried(engine: DuckDBEngine, rule: MapRule, file: MappingFile, tables: Mapping[str, ir.Table]) -> Iterator[Fault]:
    if rule.python:
        return
    # Once as it is, for its conditions, and once without them, because hardly any would take the row.
    forms = [rule, replace(rule, when=())] if rule.when else [rule]
    try:
        for found in mapped_rows([replace(file, rules=tuple(forms))], tables):
            engine.fetch(found.rows)
    except Invalid as invalid:
        yield invalid.faults[0]
    except (duckdb.Error, IbisError) as error:
        # The row is made up here, so that nothing but the rule and the declaration can stand in the message.
        yield rule.fault(f"the engine does not take it: {str(error).partition(chr(10))[0]}")
