"""The reader of FHIR: bulk NDJSON (one type or several in a file, plain or gzip) and Bundles, of R4, STU3 and R5.

Every line that is not blank is a row of one table: it lands, or it is quarantined with a reason. Resource types
without a view land as their id, status and patient, so that they are counted and can be traced.

A file is read as R4 unless its source says otherwise. Where its resources speak for another version it is read once more, each resource
brought to the form of R4 first; what is of another version than the file goes to quarantine.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.process_key import UNDER_KEY, under_key
from fairhaven.engine.sql import literal
from fairhaven.intake.fhir.bundle_entries import DELETED
from fairhaven.intake.fhir.contained_resources import with_contained
from fairhaven.intake.fhir.duckdb_macros import create_macros
from fairhaven.intake.fhir.element_columns import (
    ElementColumn,
    LandedColumn,
    alternatives,
    either,
    keys_in,
    merge,
    number_named,
    steps,
)
from fairhaven.intake.fhir.ndjson_lines import (
    ENTRIES,
    NO_ENTRIES_FROM,
    bundled,
    numbered_entries,
    numbered_lines,
    parsed,
)
from fairhaven.intake.fhir.resource_types import RESOURCE_TYPES
from fairhaven.intake.fhir.version_changes import CHANGES, FURTHER_TYPES
from fairhaven.intake.fhir.version_reading import as_r4
from fairhaven.intake.fhir.version_recognition import (
    ANY,
    BITS,
    OF_DSTU2,
    named,
    sign_paths,
    version_of,
    versions_of_type,
    versions_sql,
    vote_sql,
)
from fairhaven.intake.fhir.views import VIEWS, WHOLES, ResourceView
from fairhaven.intake.file_detection import check_json, check_mark, plain
from fairhaven.intake.model import ColumnDeclaration, FhirVersion, Source, TableDeclaration
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.intake.row_versions import UPDATED, VERSION
from fairhaven.kernel.expansion import ACCEPTED

_DECLARED = {
    "VARCHAR": "text",
    "DOUBLE": "number",
    "BIGINT": "whole",
    "BOOLEAN": "yes-no",
    "TIMESTAMP": "datetime",
    "DATE": "date",
}
_FIRST_KEY = r'^\s*\{\s*"resourceType"\s*:\s*"([A-Za-z]{1,40})"'
_KEYS = "keys of references"
_VERSION_SHAPE = {
    "meta": {
        "lastUpdated": "VARCHAR",
        "versionId": "VARCHAR",
        "tag": [{"code": "VARCHAR"}],
        "extension": [{"valueString": "VARCHAR"}],
    }
}
_WITHDRAWN = "row_withdrawn"
_VERSIONS = {
    UPDATED: "fhir_instant(r.meta.lastUpdated)",
    VERSION: "CASE WHEN regexp_full_match(r.meta.versionId, '[0-9]+') THEN try_cast(r.meta.versionId AS BIGINT) END",
    # Azure marks so what it exports of what was deleted (learn.microsoft.com/azure/healthcare-apis/fhir, includeAssociatedData).
    _WITHDRAWN: f"coalesce(list_contains(list_transform(r.meta.tag, lambda one: lower(one.code)), '{DELETED}'), false) "
    "OR coalesce(list_contains(list_transform(r.meta.extension, lambda one: one.valueString), 'soft-deleted'), false)",
}
"""What a row says of its version, as SQL over the parsed part of the resource."""
_NO_LINES = "SELECT NULL::BIGINT AS row_line, '' AS text, '' AS shaped, '' AS strange WHERE false"

NO_TYPE = "resource"
"""Table of lines whose resource type is not known; all of them are quarantined."""

BROKEN = "the line is not valid JSON"
NUL = "holds a NUL byte"
# JSON writes it so; behind two backslashes it is the six characters themselves.
_HOLDS_NUL = r"(contains(text, '\u0000') AND regexp_matches(text, '(^|[^\\])(\\\\)*\\u0000'))"
TYPELESS = "the line is no FHIR resource: resourceType is missing"
UNKNOWN = "resourceType is not a resource type of FHIR {version}"
UNDECODABLE = "the line is not UTF-8"
NESTED = "the Bundle is in a Bundle in a Bundle"
TOO_MANY = "the Bundle has a million entries or more"
NO_RESOURCE = "the entry of the Bundle has no resource, and asks for no deletion of one by its type and id"
MANIFEST = "the file is the manifest of an export; deliver the files that it names"
STRANGE = "may negate, and what it says is not known"
IMPLICIT = "says that the resource is to be read by rules that are not known here"
MODIFIED = "changes what the resource says, and is not known, or negates it"
MIXED = "elements of several versions of FHIR are mixed in the resource"
OTHER_VERSION = "it is written as FHIR {other}, and the file is read as FHIR {version}"
UNREAD_VERSION = "it is written as FHIR DSTU2, which is not read"


class FhirReader:
    """Reads FHIR into the tables of `intake/fhir/views.py`."""

    version = "19"
    threads: int | None = None

    def stage(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,
        arrived: DeliveredFile,
        *,
        scratch: Path,
    ) -> Sequence[StagedTable]:
        """See `Reader.stage`. The columns are those of the views; a source declares none."""
        create_macros(connection, time_zone=source.dialect.time_zone)
        path = plain(arrived, scratch)
        if arrived.limits is not ACCEPTED:
            # JSON is UTF-8 (RFC 8259, 8.1); what was received before is in quarantine line by line.
            check_mark(path, arrived.name, "utf-8")
            check_json(path, arrived.name)
        version, basis = source.fhir_version or FhirVersion.R4, "declared"
        staging = _staging(connection, path, arrived, scratch, version)
        if source.fhir_version is None:
            version, is_told = version_of(staging.votes())
            basis = "detected" if is_told else "assumed"
            if version is not FhirVersion.R4:
                staging.drop()
                staging = _staging(connection, path, arrived, scratch, version)
        return [replace(table, written_as=f"FHIR {version}, {basis}") for table in staging.staged()]


def _staging(
    connection: duckdb.DuckDBPyConnection, path: Path, arrived: DeliveredFile, scratch: Path, version: FhirVersion
) -> "_Staging":
    staging = _Staging(connection, scratch / f"fhir-{version}", version)
    for lines in numbered_lines(path, arrived.name):
        staging.add(lines.rows)
        staging.reject(lines.undecodable, UNDECODABLE)
    staging.add_without_rows(arrived.blanked)
    return staging


def table_name(resource: str) -> str:
    """``MedicationRequest`` -> ``medication_request``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", resource).lower()


def views_of(resource: str) -> tuple[ResourceView, ...]:
    """The tables of a resource type; of a type without a view, one with what every resource has."""
    return VIEWS.get(resource) or (
        ResourceView(
            resource=resource,
            table=table_name(resource),
            patient="patient_id",
            columns=(
                ElementColumn(name="id", path="id"),
                ElementColumn(name="status", path="status"),
                ElementColumn(
                    name="patient_id", path="subject | patient | beneficiary", kind="reference", to=("Patient",)
                ),
            ),
        ),
    )


class CompiledView:
    """A view as SQL: the part of the resource it reads, its cells, and what does not fit."""

    def __init__(self, view: ResourceView) -> None:
        self.view = view
        shape: dict[str, Any] = deepcopy(_VERSION_SHAPE)
        merge(shape, {"implicitRules": "JSON", "meta": {"profile": ["VARCHAR"]}})
        if view.resource == "CapabilityStatement":
            merge(shape, {"fhirVersion": "VARCHAR"})
        cells: list[tuple[LandedColumn, str]] = []
        for column in view.columns:
            is_inner = column.path.startswith("$")
            inner = replace(column, path=column.path.replace("$", ""))
            merge(shape, {view.each: [inner.shape()]} if is_inner else inner.shape())
            cells += [(cell, column.identity) for cell in inner.cells("item" if is_inner else "r")]
            if column.kind == "reference" and column.name == view.patient:
                cells.append((number_named(column, "r"), "nhs_number"))
        if view.each:
            merge(shape, {view.each: [{"modifierExtension": "JSON"}]})
        self.shape = json.dumps(shape)
        self.cells = tuple(cells)

    @property
    def declaration(self) -> TableDeclaration:
        """The table as landing needs it."""
        position = [ColumnDeclaration(name="position", header="position", type="whole")] if self.view.each else []
        columns = [
            ColumnDeclaration(name=cell.name, header=cell.name, type=_DECLARED[cell.type], identity=identity)
            for cell, identity in self.cells
        ]
        return TableDeclaration(
            name=self.view.table, key=self.view.key, patient=self.view.patient, columns=(*position, *columns)
        )

    def select(self, lines: str, version: FhirVersion) -> str:
        """Rows of a relation of lines (``row_line, text, shaped, strange``): ``row_line``, ``fault``, ``vote``, then the columns.

        ``fault`` is ``{field, reason}``: the element that does not fit, empty where the line as a whole does not; NULL where it does.
        ``vote`` is the versions of FHIR for which the resource speaks. Last what `row_versions` asks for.
        """
        parts = {cell.part: cell.part_sql for cell, _ in self.cells if cell.part}
        # All references in one list, because each place at which a macro stands is bound anew, and this one is large.
        references = [each for cell, _ in self.cells for each in cell.references]
        several = [cell for cell, _ in self.cells if cell.each_reference]
        if references or several:
            keys = "lambda one: fhir_key(one.ref, one.first, one.others)"
            named = f"[{', '.join(references)}]"
            for cell in several:
                named = f"list_concat({named}, {cell.each_reference})"
            parts[_KEYS] = f"list_transform({named}, {keys})"
        place = count(1)
        sql_of = {
            cell.name: cell.sql or either([f'"{_KEYS}"[{next(place)}]' for _ in cell.references])
            for cell, _ in self.cells
            if not cell.each_reference
        }
        # At most one column has several keys; they stand behind those of the others.
        sql_of |= {cell.name: keys_in(f'"{_KEYS}"[{len(references) + 1}:]') for cell in several}
        sql_of |= _VERSIONS
        cells = "".join(f', {sql} AS "{name}"' for name, sql in sql_of.items() if name != "id")
        faults = "".join(
            f" WHEN {condition} THEN {{'field': {literal(field)}, 'reason': {literal(reason)}}}"
            for condition, field, reason in self._faults(version)
        )
        names = "".join(f', "{name}"' for name in (*(cell.name for cell, _ in self.cells), *_VERSIONS))
        signs = sign_paths(self.view.resource)
        kinds = f", TRY(json_type(text, {signs})) AS kinds" if signs else ""
        parsed = f"SELECT *, TRY(json_transform(shaped, '{self.shape}')) AS r{kinds} FROM {lines}"
        position = ""
        if self.view.each:
            position = ", position"
            numbered = "lambda item, place: {'item': item, 'place': place}"
            parsed = (
                "SELECT * EXCLUDE (each), each.item AS item, each.place::BIGINT AS position FROM (SELECT *, "
                f'unnest(list_transform(r."{self.view.each}", {numbered})) AS each FROM ({parsed}))'
            )
        # Layer by layer, because DuckDB shares a result between columns only where it is a column itself.
        shared = "".join(f', {sql} AS "{name}"' for name, sql in parts.items())
        inner = f"SELECT *, {versions_sql(self.view.resource)} AS versions{shared} FROM ({parsed})"
        # A resource need not have an id (in a Bundle, say); its content tells it from others then.
        outer = f"SELECT *, {vote_sql(self.view.resource)} AS vote, coalesce(r.id, 'unnamed-' || md5(text)) AS id{cells} FROM ({inner})"
        return f"SELECT row_line, CASE{faults} END AS fault, vote{position}{names} FROM ({outer})"

    def _faults(self, version: FhirVersion) -> Iterator[tuple[str, str, str]]:
        """(condition as SQL, field, reason) of what can be wrong with a resource; the first counts."""
        yield "r IS NULL", "", BROKEN
        yield _HOLDS_NUL, "", NUL
        others = [versions for versions in range(1, ANY) if not versions & BITS[version]]
        if sign_paths(self.view.resource):
            yield f"versions = {OF_DSTU2}", "", UNREAD_VERSION
            yield "versions = 0", "", MIXED
            for versions in others:
                reason = OTHER_VERSION.format(other=named(versions), version=version)
                yield f"versions = {versions}", "", reason
        for field in strange_elements(self.view.resource, version):
            yield f"strange = {literal(field)}", field, STRANGE
        yield 'r."implicitRules" IS NOT NULL', "implicitRules", IMPLICIT
        yield self._modified(), "modifierExtension", MODIFIED
        yield from ((cell.fault_sql, cell.name, cell.reason) for cell, _ in self.cells if cell.fault_sql)

    def _modified(self) -> str:
        """SQL: whether an extension changes what an element says that is read. JSON may write a letter of its name by its number."""
        read = [column.path for column in self.view.columns if not column.path.startswith("$")]
        paths = sorted({holder for path in read for holder in _holders(path)})
        lists = [
            f"json_extract(shaped, '{path}.modifierExtension')"
            if "[*]" in path
            else f"[json_extract(shaped, '{path}.modifierExtension')]"
            for path in paths
        ]
        if self.view.each:
            lists.append("[item.modifierExtension]")
        every = f"flatten([{', '.join(lists)}])"
        is_named = "contains(shaped, 'modifierExt') OR contains(shaped, '\\u00')"
        return f"CASE WHEN {is_named} THEN list_bool_or(list_transform({every}, lambda one: fhir_modifies(one))) END"


class _Staging:
    """Tables that grow as the lines of a file arrive."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, scratch: Path, version: FhirVersion) -> None:
        self._connection = connection
        self._scratch = scratch
        self._version = version
        self._has_contained = False
        self._types = RESOURCE_TYPES | FURTHER_TYPES[version]
        self._tables: dict[str, CompiledView] = {}
        self._parts = 0
        self._has_typeless = False
        scratch.mkdir(exist_ok=True)
        connection.execute("CREATE TABLE fhir_unreadable (row_line BIGINT, reason VARCHAR, versions INTEGER)")

    def add(self, rows: pa.Table) -> None:
        """Stage lines (``row_line``, ``text``)."""
        connection = self._connection
        alone = rows.num_rows
        rows = with_contained(rows)
        self._has_contained |= rows.num_rows > alone
        given = "text AS shaped, '' AS strange"
        if self._version is not FhirVersion.R4:
            rows, given = as_r4(rows, self._version), "shaped, strange"
        connection.register("fhir_arriving", rows)
        connection.execute(
            "CREATE OR REPLACE TEMP VIEW fhir_lines AS SELECT *, "
            f"coalesce(nullif(regexp_extract(shaped, '{_FIRST_KEY}', 1), ''), "
            f"TRY(json_extract_string(shaped, '$.resourceType')), '') AS resource FROM (SELECT row_line, text, {given} FROM fhir_arriving)"
        )
        found = {name for (name,) in connection.execute("SELECT DISTINCT resource FROM fhir_lines").fetchall()}
        known = sorted(found & self._types - {"Bundle"})
        for resource in known:
            for view in views_of(resource):
                self._insert(view)
        bundles = []
        if "Bundle" in found:
            bundles = connection.execute("SELECT row_line, text FROM fhir_lines WHERE resource = 'Bundle'").fetchall()
        others = found - {"Bundle", *known}
        # Types of other versions, each with its reason; the rest, which may be as many as there are lines, at once.
        elsewhere = sorted(filter(versions_of_type, others))
        unread = [("list_contains($types, resource)", [other], other) for other in elsewhere]
        if others.difference(elsewhere):
            unread.append(("NOT list_contains($types, resource)", ["Bundle", *known, *elsewhere], ""))
        for condition, types, other in unread:
            connection.execute(
                "INSERT INTO fhir_unreadable SELECT row_line, CASE WHEN NOT json_valid(text) THEN $broken "
                "WHEN resource <> '' THEN $reason "
                "WHEN json_exists(text, '$.transactionTime') AND json_exists(text, '$.output') THEN $manifest "
                "WHEN json_exists(text, '$.request') OR json_exists(text, '$.response') THEN $no_resource "
                f"ELSE $typeless END, $versions FROM fhir_lines WHERE {condition}",
                {
                    "broken": BROKEN,
                    "typeless": TYPELESS,
                    "no_resource": NO_RESOURCE,
                    "manifest": MANIFEST,
                    "reason": self._reason_of_type(other),
                    "versions": versions_of_type(other) or ANY,
                    "types": types,
                },
            )
        connection.unregister("fhir_arriving")
        for line, text in bundles:
            self._unbundle(line, text)

    def add_without_rows(self, tables: Collection[str]) -> None:
        """Stage tables of which the file may have no line."""
        self._has_typeless = NO_TYPE in tables
        missing = {*tables} - {*self._tables, NO_TYPE}
        for resource in self._types if missing else ():
            for view in views_of(resource):
                if view.table in missing:
                    self._write(view, _NO_LINES)

    def _reason_of_type(self, resource: str) -> str:
        """Why lines of a resource type are not read."""
        versions = versions_of_type(resource)
        if versions == OF_DSTU2:
            return UNREAD_VERSION
        if versions:
            return OTHER_VERSION.format(other=named(versions), version=self._version)
        return UNKNOWN.format(version=self._version)

    def votes(self) -> Counter[int]:
        """The versions for which resources speak -> resources."""
        votes = Counter[int]()
        queries = [f"SELECT vote, row_line FROM {self._parts_of(table)}" for table in self._tables.values()]
        queries.append("SELECT versions, row_line FROM fhir_unreadable")
        for query in queries:
            found = self._connection.execute(
                f"SELECT vote, count(DISTINCT row_line) FROM ({query}) AS v(vote, row_line) GROUP BY ALL"
            )
            votes.update(dict(found.fetchall()))
        return votes

    def drop(self) -> None:
        """Forget what was staged, so that the file can be staged otherwise."""
        self._connection.execute("DROP TABLE fhir_unreadable")
        shutil.rmtree(self._scratch)

    def reject(self, lines: Sequence[int], reason: str) -> None:
        """Quarantine lines of which nothing can be read."""
        if lines:
            self._connection.executemany(
                "INSERT INTO fhir_unreadable VALUES (?, ?, ?)", [[line, reason, ANY] for line in lines]
            )

    def staged(self) -> list[StagedTable]:
        """The relations: a table for each view, and one for lines of which not even the type is known."""
        staged = [self._staged(table) for table in self._tables.values()]
        unreadable = count_of(self._connection, "SELECT count(*) FROM fhir_unreadable")
        if unreadable or self._has_typeless or not staged:
            self._connection.execute(
                "CREATE TEMP VIEW fhir_rows AS SELECT NULL::BIGINT AS row_line, NULL::VARCHAR AS id WHERE false"
            )
            self._connection.execute(
                "CREATE TEMP VIEW fhir_rejects AS SELECT row_line, '' AS field, reason, NULL::VARCHAR AS patient "
                "FROM fhir_unreadable"
            )
            declaration = TableDeclaration(
                name=NO_TYPE, key=("id",), columns=(ColumnDeclaration(name="id", header="id"),)
            )
            staged.append(
                StagedTable(declaration=declaration, rows="fhir_rows", rejects="fhir_rejects", received=unreadable)
            )
        return staged

    def _insert(self, view: ResourceView) -> None:
        """Stage the lines of a view's type."""
        lines = f"SELECT * FROM fhir_lines WHERE resource = {literal(view.resource)}"
        if view.each:
            # Few lines have the element. They are put together first: parsing costs by the vector, full or not.
            lines += f" AND contains(shaped, '\"{view.each}\"')"
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE fhir_each AS {lines}")
            lines = "FROM fhir_each"
        self._write(view, lines)

    def _write(self, view: ResourceView, lines: str) -> None:
        """Write what a view makes of lines to a Parquet part under the key of the process, which is read two or three times."""
        table = self._tables.setdefault(view.table, CompiledView(view))
        folder = self._scratch / view.table
        folder.mkdir(exist_ok=True)
        self._parts += 1
        target = literal(str(folder / f"{self._parts:06d}.parquet"))
        self._connection.execute(
            f"COPY ({table.select(f'({lines})', self._version)}) TO {target} (FORMAT parquet, {UNDER_KEY})"
        )

    def _unbundle(self, line: int, text: str) -> None:
        if line >= NO_ENTRIES_FROM:
            self.reject([line], NESTED)
            return
        bundle = parsed(text)
        if bundle is None:
            self.reject([line], BROKEN)
            return
        resources = bundled(bundle)
        if len(resources) >= ENTRIES:
            self.reject([line], TOO_MANY)
            return
        self.add(numbered_entries(resources, line * ENTRIES))

    def _staged(self, table: CompiledView) -> StagedTable:
        name, patient = table.view.table, table.view.patient
        parts = self._parts_of(table)
        columns = ", ".join(
            f'"{name}"' for name in (*(column.name for column in table.declaration.columns), *_VERSIONS)
        )
        self._connection.execute(
            f'CREATE TEMP VIEW "fhir_rows_{name}" AS SELECT row_line, {columns} FROM {parts} WHERE fault IS NULL'
        )
        self._connection.execute(
            f'CREATE TEMP VIEW "fhir_rejects_{name}" AS SELECT row_line, fault.field AS field, fault.reason AS reason, '
            f"{patient or 'NULL'}::VARCHAR AS patient FROM {parts} WHERE fault IS NOT NULL"
        )
        if not table.view.each:
            self._connection.execute(
                f'CREATE TEMP VIEW "fhir_unread_{name}" AS SELECT row_line, id, {UPDATED}, {VERSION} FROM {parts} WHERE fault IS NOT NULL'
            )
        received = count_of(
            self._connection,
            "SELECT count(*) FILTER (fault IS NULL) + count(DISTINCT row_line) FILTER (fault IS NOT NULL) "
            f"FROM {parts}",
        )
        return StagedTable(
            declaration=table.declaration,
            rows=f"fhir_rows_{name}",
            rejects=f"fhir_rejects_{name}",
            received=received,
            unread="" if table.view.each else f"fhir_unread_{name}",
            withdrawn=_WITHDRAWN,
            updated=UPDATED,
            version=VERSION,
            part_of=WHOLES.get(name, ""),
            part_key=("id",) if table.view.each else (),
            shares_lines=bool(table.view.each) or self._has_contained,
        )

    def _parts_of(self, table: CompiledView) -> str:
        return under_key(str(self._scratch / table.view.table / "*.parquet"))


def strange_elements(resource: str, version: FhirVersion) -> list[str]:
    """Elements of a version that may negate, and whose values are not all known."""
    return [change.path.rpartition(".")[2] for change in CHANGES[version].get(resource, ()) if change.may_negate]


def _holders(path: str) -> Iterator[str]:
    """JSON paths of the elements that hold what a column reads, outermost first."""
    yield "$"
    for way in alternatives(path):
        holder = "$"
        for name, choice in steps(way)[:-1]:
            holder += f".{name}" + ("" if choice is None else "[*]")
            yield holder
