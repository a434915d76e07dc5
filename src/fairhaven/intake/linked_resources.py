"""FHIR resources that name no patient and belong to erased ones through other resources.

A resource belongs to a patient if it refers to the patient or to a resource that is gone, or if one that is gone refers to it: a
``Provenance`` of an encounter, an ``Observation`` that only its report places. What is found so leads on, until nothing more is found.
Only lines that name no patient, or are gone, are parsed; whose the others are, the landed rows say. Digests of what gone resources are
called by and refer to are kept as tombstones, so that a later delivery brings nothing back.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.engine.sql import file
from fairhaven.intake import file_detection
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.fhir.fhir_reader import views_of
from fairhaven.intake.fhir.ndjson_lines import resources_at
from fairhaven.intake.fhir.resource_references import ANY, OF_PATIENTS, References, references_of
from fairhaven.intake.fhir.resource_types import RESOURCE_TYPES
from fairhaven.intake.landing import REJECTS, LandingKeys, tombstone
from fairhaven.intake.linked_rows import FoundRows
from fairhaven.intake.model import Extract, Format
from fairhaven.intake.reader import DeliveredFile
from fairhaven.kernel.ids import SEPARATOR, pseudonym

_KINDS = {view.table: resource for resource in RESOURCE_TYPES for view in views_of(resource)}
_NEVER_NAMING = frozenset(
    ["Organization", "Location", "Practitioner", "PractitionerRole", "Medication", "HealthcareService", "Endpoint"]
)
"""Kinds that have no element for a patient, and may be most of a file's lines without one."""


Opened = Callable[[Extract], AbstractContextManager[tuple[DeliveredFile, Path]]]

_MEANT = pa.schema([("id", pa.string()), ("ref", pa.string())])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Resource:
    """A resource that names no patient, where it landed and what it says."""

    extract: int
    line: int
    landed: Mapping[str, int]
    quarantined: tuple[str, ...]
    says: References


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceTombstones:
    """Digests by which what belongs to resources of a source is known again."""

    source: str
    secrets: LandingKeys

    def of(self, says: References) -> Iterator[str]:
        """What a resource is called by, and what it refers to; of a patient also the patient, by number and by each identifier."""
        for token in says.called:
            yield self.called(token)
            if says.kind == "Patient":
                yield self.of_patient(token.partition("/")[2])
        for token in says.of_patients:
            yield self.referred_to(token)

    def of_lines(self, arrived: DeliveredFile, gone: Collection[int], work: Path) -> frozenset[str]:
        """Of each resource of some lines of a file.

        Args:
            work: a private folder for what is unpacked.
        """
        return frozenset(digest for _, says in _parsed(arrived, gone, work) for digest in self.of(says))

    def called(self, token: str) -> str:
        """Of a resource that is called so."""
        return tombstone(self.secrets, SEPARATOR.join(["resource", "called", token]))

    def referred_to(self, token: str) -> str:
        """Of a resource that refers to what is called so."""
        return tombstone(self.secrets, SEPARATOR.join(["resource", "referred to", token]))

    def of_patient(self, name: str) -> str:
        """Of a patient, as landing knows one."""
        return tombstone(self.secrets, patient_ref(name, self.source, self.secrets))


def patient_ref(name: str, source: str, secrets: LandingKeys) -> str:
    """The pseudonym of a patient's number, or of what stands for an identifier."""
    return pseudonym(secrets.pseudonym, source, name)


def named_otherwise(
    records: DeliveryRecords,
    opened: Opened,
    connection: duckdb.DuckDBPyConnection,
    extracts: Sequence[Extract],
    refs: Collection[str],
    secrets: LandingKeys,
) -> frozenset[str]:
    """patient_refs that stand for the same patients where a resource refers to them by an identifier.

    Args:
        extracts: of one source.
    """
    found = set[str]()
    connection.register("given", pa.table({"patient_ref": pa.array(sorted(refs), pa.string())}))
    for extract in extracts:
        if extract.format is Format.FHIR and "patient" in extract.tables:
            rows = connection.execute(
                f"SELECT row_line FROM read_parquet({file(records.table(extract.number, 'patient'))}) "
                "SEMI JOIN given USING (patient_ref)"
            ).fetchall()
            if rows:
                with opened(extract) as (arrived, work):
                    for _, says in _parsed(arrived, [line for (line,) in rows], work):
                        names = {token.partition("/")[2] for token in says.called}
                        found |= {patient_ref(name, extract.source, secrets) for name in names}
    return frozenset(found.difference(refs))


@dataclass(frozen=True, kw_only=True)
class ResourceSearch:
    """Looks for resources of erased patients in extracts of one FHIR source.

    Args:
        opened: an extract's file as it was delivered, and a private folder.
        connection: has the macro ``tombstone_of`` of landing, and reads the landed rows of *every* extract of the source.
    """

    records: DeliveryRecords
    opened: Opened
    tombstones: ResourceTombstones
    connection: duckdb.DuckDBPyConnection
    every: Sequence[Extract]

    def with_linked(
        self, extracts: Sequence[Extract], found: Mapping[int, FoundRows], names: Collection[str]
    ) -> tuple[dict[int, FoundRows], frozenset[str]]:
        """What was found, with the resources that belong to it, and the digests of all that erased ones are called by and refer to.

        Args:
            found: by number of extract, what bears a patient to be erased.
            names: tombstones of the source, and digests of resources that landing left out.
        """
        gone, every = set(names), self._bearing(extracts, found, names)
        for extract in extracts:
            if lines := _lines(every, extract):
                with self.opened(extract) as (arrived, work):
                    gone |= self.tombstones.of_lines(arrived, lines, work)
        is_more = True
        while is_more:
            reached = [each for extract in extracts for each in self._reached(extract, _lines(every, extract), gone)]
            every = _together(every, reached)
            leads_on = self._leading_on(reached, every, gone)
            is_more = not gone.issuperset(leads_on)
            gone |= leads_on
        return every, frozenset(gone)

    def _reached(self, extract: Extract, lines: Collection[int], gone: Collection[str]) -> Iterator[_Resource]:
        """Resources of an extract that name no patient and belong to what is gone.

        Args:
            lines: of the extract, that are gone.
        """
        places = self._naming_nobody(extract, lines)
        if not places:
            return
        with self.opened(extract) as (arrived, work):
            for line, says in _parsed(arrived, places.keys(), work):
                if any(digest in gone for digest in self._reaching(says)):
                    landed, quarantined = places[line]
                    yield _Resource(
                        extract=extract.number, line=line, landed=landed, quarantined=quarantined, says=says
                    )

    def _leading_on(
        self, reached: Sequence[_Resource], found: Mapping[int, FoundRows], gone: Collection[str]
    ) -> set[str]:
        """Digests of those that are the erased patient's alone: a list of several patients goes, as it names the erased one, and does
        not make the others theirs."""
        others = self._of_others({token for each in reached for token in each.says.refers}, found, gone)
        return {
            digest
            for each in reached
            if each.says.kind in OF_PATIENTS and others.isdisjoint(each.says.refers)
            for digest in self.tombstones.of(each.says)
        }

    def _reaching(self, says: References) -> Iterator[str]:
        """Digests any of which, once it is gone, takes the resource with it."""
        belongs = says.kind in OF_PATIENTS
        for token in says.refers:
            kind, _, name = token.partition("/")
            if kind in ("Patient", ANY):
                yield self.tombstones.of_patient(name)
            if kind == "Patient" or (belongs and kind != ANY):
                yield self.tombstones.called(token)
            elif belongs:
                yield from (self.tombstones.called(f"{each}/{name}") for each in OF_PATIENTS)
        if belongs:
            yield from map(self.tombstones.referred_to, says.answering)

    def _of_others(
        self, tokens: Iterable[str], found: Mapping[int, FoundRows], gone: Collection[str]
    ) -> frozenset[str]:
        """Those of some tokens by which another patient, or a resource of theirs, is called."""
        others = set[str]()
        by_kind: defaultdict[str, set[str]] = defaultdict(set)
        for token in tokens:
            kind, _, name = token.partition("/")
            if kind == "Patient":
                if self.tombstones.of_patient(name) not in gone and self.tombstones.called(token) not in gone:
                    others.add(token)
            elif kind in OF_PATIENTS or kind == ANY:
                by_kind[kind].add(name)
        for kind, ids in by_kind.items():
            known = {name: self._ref(name) for name in ids if kind == ANY}
            given = {"id": [*ids, *known], "ref": [None] * len(ids) + [*known.values()]}
            self.connection.register("meant", pa.table(given, schema=_MEANT))
            for extract in self.every:
                for table in extract.tables:
                    if kind in (ANY, _KINDS.get(table)):
                        gone_lines = found[extract.number].landed.get(table, {}) if extract.number in found else {}
                        # A patient's own number does not land.
                        column = "id" if "id" in extract.columns[table] else "ref"
                        landed = f"read_parquet({self._table(extract, table)})"
                        rows = self.connection.execute(
                            f"SELECT DISTINCT meant.id, row_line FROM {landed} AS r JOIN meant "
                            f"ON meant.{column} = r.{'id' if column == 'id' else 'patient_ref'} WHERE patient_ref IS NOT NULL"
                        ).fetchall()
                        others |= {f"{kind}/{name}" for name, line in rows if line not in gone_lines}
            self.connection.unregister("meant")
        return frozenset(others)

    def _naming_nobody(
        self, extract: Extract, gone: Collection[int]
    ) -> dict[int, tuple[dict[str, int], tuple[str, ...]]]:
        """Line -> tables of its landed rows with how many, and tables of quarantined ones; of lines that name no patient."""
        if extract.format is not Format.FHIR:
            return {}
        landed: defaultdict[int, dict[str, int]] = defaultdict(dict)
        quarantined: defaultdict[int, set[str]] = defaultdict(set)
        for table in extract.tables:
            if table in _KINDS and _KINDS[table] not in _NEVER_NAMING:
                for line, rows in self.connection.execute(
                    f"SELECT row_line, count(*) FROM read_parquet({self._table(extract, table)}) "
                    "WHERE patient_ref IS NULL GROUP BY row_line"
                ).fetchall():
                    landed[line][table] = rows
        for table, line in self.connection.execute(
            f"SELECT DISTINCT table_name, row_line FROM read_parquet({self._table(extract, REJECTS)}) "
            "WHERE patient_ref IS NULL"
        ).fetchall():
            quarantined[line].add(table)
        return {
            line: (landed.get(line, {}), tuple(sorted(quarantined.get(line, ()))))
            for line in landed.keys() | quarantined.keys()
            if line not in gone
        }

    def _bearing(
        self, extracts: Sequence[Extract], found: Mapping[int, FoundRows], tombstones: Collection[str]
    ) -> dict[int, FoundRows]:
        """What was found, with landed rows of patients who have a tombstone: a later delivery may say by what else they are named."""
        self.connection.register("tombstones_before", pa.table({"digest": pa.array(sorted(tombstones), pa.string())}))
        every = dict(found)
        for extract in extracts:
            before = every.get(extract.number, FoundRows(landed={}, quarantined={}))
            landed = dict(before.landed)
            for table in extract.tables:
                rows = f"read_parquet({self._table(extract, table)})"
                theirs = self.connection.execute(
                    f"SELECT row_line, count(*) FROM {rows} WHERE patient_ref IN (SELECT patient_ref FROM "
                    f"(SELECT DISTINCT patient_ref FROM {rows}) WHERE tombstone_of(patient_ref) IN (FROM tombstones_before)) GROUP BY row_line"
                ).fetchall()
                if theirs:
                    landed[table] = {**landed.get(table, {}), **dict(theirs)}
            if landed:
                every[extract.number] = FoundRows(landed=landed, quarantined=before.quarantined)
        return every

    def _ref(self, name: str) -> str:
        return patient_ref(name, self.tombstones.source, self.tombstones.secrets)

    def _table(self, extract: Extract, table: str) -> str:
        return file(self.records.table(extract.number, table))


def _parsed(arrived: DeliveredFile, wanted: Collection[int], work: Path) -> Iterator[tuple[int, References]]:
    for line, text in resources_at(file_detection.plain(arrived, work), arrived.name, wanted):
        if says := references_of(text):
            yield line, says


def _lines(found: Mapping[int, FoundRows], extract: Extract) -> frozenset[int]:
    rows = found.get(extract.number)
    return frozenset[int]().union(*rows.lines().values()) if rows else frozenset()


def _together(found: Mapping[int, FoundRows], reached: Iterable[_Resource]) -> dict[int, FoundRows]:
    every = dict(found)
    for resource in reached:
        before = every.get(resource.extract, FoundRows(landed={}, quarantined={}))
        landed = {table: dict(lines) for table, lines in before.landed.items()}
        for table, rows in resource.landed.items():
            landed.setdefault(table, {})[resource.line] = rows
        quarantined = {table: set(lines) for table, lines in before.quarantined.items()}
        for table in resource.quarantined:
            quarantined.setdefault(table, set()).add(resource.line)
        every[resource.extract] = FoundRows(landed=landed, quarantined=quarantined)
    return every
