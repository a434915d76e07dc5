"""FHIR resources through the reader, landing and rules, for tests."""

import json
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import ibis.expr.types as ir

from fairhaven.engine import Engine
from fairhaven.engine.duckdb_connection import open_duckdb, write_parquet
from fairhaven.engine.process_key import rows_of
from fairhaven.intake.fhir.fhir_reader import CompiledView, FhirReader
from fairhaven.intake.fhir.views import VIEWS
from fairhaven.intake.free_text import may_be_free
from fairhaven.intake.landing import LandingKeys, LandingResult, land
from fairhaven.intake.model import Format, Source
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.kernel.ids import derive
from tests.support.intake_hub import assert_adds_up

SECRETS = LandingKeys.of(partial(derive, b"x" * 32))
_CODED = frozenset(
    f"{view.table}.{column.name}"
    for view in chain(*VIEWS.values())
    for column in CompiledView(view).declaration.columns
    if may_be_free(Format.FHIR, column.name)
)
SOURCE = Source(name="trust", title="Trust", controller="trust", kind="hospital", format=Format.FHIR, coded=_CODED)
"""What is free text lands, so that rules have it; that it does not elsewhere is shown in `test_free_text`."""


def written(folder: Path, content: bytes | str | Sequence[dict[str, Any]], name: str = "given.ndjson") -> Path:
    """A file of these bytes, or of these resources, one a line."""
    if not isinstance(content, bytes | str):
        content = "".join(json.dumps(resource) + "\n" for resource in content)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def staged(
    con: duckdb.DuckDBPyConnection, path: Path, scratch: Path, *, source: Source = SOURCE
) -> dict[str, StagedTable]:
    """The staged tables of a file."""
    scratch.mkdir(exist_ok=True)
    found = FhirReader().stage(con, source, DeliveredFile(path=path, name=path.name), scratch=scratch)
    return {table.declaration.name: table for table in found}


def landed(path: Path, folder: Path, *, source: Source = SOURCE) -> LandingResult:
    """The file landed in *folder*."""
    scratch, under_key, plain = (folder / name for name in ("scratch", "under-key", "landed"))
    for each in (scratch, under_key, plain):
        each.mkdir(parents=True)
    with open_duckdb(spill=scratch, reaches=[path, folder], keeps_order=True) as con:
        SECRETS.define(con, source.name)
        tables = list(staged(con, path, scratch, source=source).values())
        found = land(
            tables,
            connection=con,
            source=source,
            extract=1,
            folder=under_key,
            secrets=SECRETS,
            birth_date="day",
        )
        for path in under_key.iterdir():
            write_parquet(con, f"FROM {rows_of(path)}", plain / path.name)
        assert_adds_up(found.tables)
        return found


def tables(engine: Engine, path: Path, folder: Path) -> dict[str, ir.Table]:
    """Landed tables of a file, by name."""
    found = landed(path, folder)
    return {name: engine.parquet([folder / "landed" / f"{name}.parquet"]) for name in found.tables}
