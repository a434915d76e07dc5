"""FHIR resources that name no patient and belong to erased ones through other resources.

A resource belongs to a patient if it refers to the patient or to a resource that is gone, or if one that is gone refers to it: a
``Provenance`` of an encounter, an ``Observation`` that only its report places. What is found so leads on, until nothing more is found.
Only lines that name no patient, or are gone, are parsed, and those whose text may say by what else a patient is named; whose the others
are, the landed rows say. Digests of what gone resources are called by and refer to are kept as tombstones, so that a later delivery
brings nothing back.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.engine.process_key import rows_of
from fairhaven.intake import file_detection
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.fhir.fhir_reader import views_of
from fairhaven.intake.fhir.ndjson_lines import resources_at
from fairhaven.intake.fhir.resource_references import ANY, OF_PATIENTS, References, references_of
from fairhaven.intake.fhir.resource_types import RESOURCE_TYPES
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.linked_rows import NO_ROWS, FoundRows
from fairhaven.intake.model import Extract, Format
from fairhaven.intake.patient_names import Opened, Pair, PatientNames, is_identified
from fairhaven.intake.patient_rows import bearing
from fairhaven.intake.resource_tombstones import ResourceTombstones, resources_said

_KINDS = {view.table: resource for resource in RESOURCE_TYPES for view in views_of(resource)}
_SHARED = (
    "Organization",
    "Location",
    "Practitioner",
    "PractitionerRole",
    "Medication",
    "HealthcareService",
    "Endpoint",
)
"""Kinds that have no element for a patient, and may be most of a file's lines without one: only an extension or a text names one."""
_IS_SHARED = rf'"resourceType"\s*:\s*"(?:{"|".join(_SHARED)})"'
_MAY_NAME_A_PATIENT = r'Patient|(?i:nhs-number)|2\.16\.840\.1\.113883\.2\.1\.4\.1|"\s*urn:'
_MEANT = pa.schema([("id", pa.string()), ("ref", pa.string())])
BESIDE = "bundle"
"""Stands for a table where it is what Bundles say beside their resources that names somebody."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Resource:
    """A resource that names no patient, where it landed and what it says."""

    extract: int
    line: int
    landed: Mapping[str, int]
    quarantined: tuple[str, ...]
    says: References


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
        candidates, pairs = list[_Resource](), set[Pair]()
        for extract in extracts:
            candidates += self._read(extract, pairs)
        every, gone = self._of_patients(extracts, found, set(names), pairs)
        reached = self._followed(candidates, every, gone)
        return _together(every, reached), frozenset(gone)

    def _read(self, extract: Extract, pairs: set[Pair]) -> Iterator[_Resource]:
        """Resources of an extract that name no patient, and what its Bundles say beside theirs; to *pairs*, names of one patient."""
        if extract.format is not Format.FHIR:
            return
        nobody = self._naming_nobody(extract)
        shared = dict[int, References]()
        names = self._names()
        wanted = nobody.keys() | names.quarantined(extract)
        with self.opened(extract) as (arrived, work):
            plain = file_detection.plain(arrived, work)
            for line, text in resources_at(plain, arrived.name, wanted, searched=_may_say):
                says = references_of(text)
                if says is None:
                    continue
                pairs |= says.alike
                if line == 0:
                    yield _Resource(extract=extract.number, line=0, landed={}, quarantined=(BESIDE,), says=says)
                elif line in nobody:
                    landed, quarantined = nobody[line]
                    yield _Resource(
                        extract=extract.number, line=line, landed=landed, quarantined=quarantined, says=says
                    )
                elif says.kind in _SHARED:
                    shared[line] = says
        for line, (landed, quarantined) in self._naming_nobody(extract, shared).items() if shared else ():
            yield _Resource(
                extract=extract.number, line=line, landed=landed, quarantined=quarantined, says=shared[line]
            )

    def _of_patients(
        self, extracts: Sequence[Extract], found: Mapping[int, FoundRows], gone: set[str], pairs: set[Pair]
    ) -> tuple[dict[int, FoundRows], set[str]]:
        """What was found, with all that bears a patient of whom any name is gone, and the digests of it all."""
        every, read = dict(found), dict[int, frozenset[int]]()
        while True:
            # A later delivery may say by what else a patient is named.
            for number, more in bearing(self.connection, self.records, extracts, refs=None, tombstones=gone).items():
                every[number] = every.get(number, NO_ROWS).and_also(more)
            for extract in extracts:
                lines = _lines(every, extract)
                if new := lines - read.get(extract.number, frozenset()):
                    with self.opened(extract) as (arrived, work):
                        for _, says in resources_said(arrived, new, work):
                            pairs |= says.alike
                            gone.update(self.tombstones.of(says))
                    read[extract.number] = lines
            also = self._names().also(gone, pairs)
            if not also:
                return every, gone
            gone.update(map(self.tombstones.of_patient, also))

    def _followed(
        self, candidates: Sequence[_Resource], found: Mapping[int, FoundRows], gone: set[str]
    ) -> list[_Resource]:
        """The resources that belong to what is gone, however far; what they are called by and refer to is gone then, too."""
        waiting: defaultdict[str, list[_Resource]] = defaultdict(list)
        lines = {number: frozenset[int]().union(*rows.lines().values()) for number, rows in found.items()}
        for each in candidates:
            if each.line not in lines.get(each.extract, ()) and not (each.line == 0 and lines.get(each.extract)):
                for digest in self.tombstones.reaching(each.says):
                    waiting[digest].append(each)
        leading = [digest for digest in waiting if digest in gone]
        others = self._of_others({token for each in candidates for token in each.says.refers}, found) if leading else ()
        reached = dict[tuple[int, int], _Resource]()
        while leading:
            for each in waiting.pop(leading.pop(), ()):
                if (each.extract, each.line) in reached:
                    continue
                reached[each.extract, each.line] = each
                if self._leads_on(each.says, others, gone):
                    further = set(self.tombstones.of(each.says)) - gone
                    gone |= further
                    leading += further & waiting.keys()
        return list(reached.values())

    def _leads_on(self, says: References, others: Collection[str], gone: Collection[str]) -> bool:
        """Whether a resource is the erased patient's alone: a list of several patients goes, as it names the erased one, and does not
        make the others theirs."""
        patients = {token for token in says.refers if token.startswith("Patient/")}
        return (
            says.kind in OF_PATIENTS
            and says.refers.isdisjoint(others)
            and all(
                self.tombstones.of_patient(token.partition("/")[2]) in gone or self.tombstones.called(token) in gone
                for token in patients
            )
        )

    def _of_others(self, tokens: Collection[str], found: Mapping[int, FoundRows]) -> frozenset[str]:
        """Those of some tokens by which a resource of another patient is called."""
        others = set[str]()
        by_kind: defaultdict[str, set[str]] = defaultdict(set)
        for token in tokens:
            kind, _, name = token.partition("/")
            if kind == ANY or (kind in OF_PATIENTS and kind != "Patient"):
                by_kind[kind].add(name)
        for kind, ids in by_kind.items():
            known = {name: self.tombstones.patient_ref(name) for name in ids if kind == ANY}
            given = {"id": [*ids, *known], "ref": [None] * len(ids) + [*known.values()]}
            self.connection.register("meant", pa.table(given, schema=_MEANT))
            for extract in self.every:
                for table in extract.tables:
                    if kind in (ANY, _KINDS.get(table)):
                        gone_lines = found[extract.number].landed.get(table, {}) if extract.number in found else {}
                        # A patient's own number does not land.
                        column = "id" if "id" in extract.columns[table] else "ref"
                        landed = self._table(extract, table)
                        rows = self.connection.execute(
                            f"SELECT DISTINCT meant.id, row_line FROM {landed} AS r JOIN meant "
                            f"ON meant.{column} = r.{'id' if column == 'id' else 'patient_ref'} WHERE patient_ref IS NOT NULL"
                        ).fetchall()
                        others |= {f"{kind}/{name}" for name, line in rows if line not in gone_lines}
            self.connection.unregister("meant")
        return frozenset(others)

    def _naming_nobody(
        self, extract: Extract, shared: Collection[int] | None = None
    ) -> dict[int, tuple[dict[str, int], tuple[str, ...]]]:
        """Line -> tables of its landed rows with how many, and tables of quarantined ones; of lines that name no patient.

        Args:
            shared: lines of kinds that are shared, which are left out where none are given.
        """
        landed: defaultdict[int, dict[str, int]] = defaultdict(dict)
        quarantined: defaultdict[int, set[str]] = defaultdict(set)
        among = ""
        if shared is not None:
            self.connection.register("among", pa.table({"row_line": pa.array(sorted(shared), pa.int64())}))
            among = "SEMI JOIN among USING (row_line) "
        for table in extract.tables:
            if table in _KINDS and (_KINDS[table] in _SHARED) == (shared is not None):
                for line, rows in self.connection.execute(
                    f"SELECT row_line, count(*) FROM {self._table(extract, table)} {among}"
                    "WHERE patient_ref IS NULL GROUP BY row_line"
                ).fetchall():
                    landed[line][table] = rows
        for table, line in self.connection.execute(
            f"SELECT DISTINCT table_name, row_line FROM {self._table(extract, REJECTS)} {among}"
            "WHERE patient_ref IS NULL"
        ).fetchall():
            quarantined[line].add(table)
        return {
            line: (landed.get(line, {}), tuple(sorted(quarantined.get(line, ()))))
            for line in landed.keys() | quarantined.keys()
        }

    def _names(self) -> PatientNames:
        return PatientNames(
            records=self.records,
            opened=self.opened,
            tombstones=self.tombstones,
            connection=self.connection,
            extracts=[extract for extract in self.every if extract.format is Format.FHIR],
        )

    def _table(self, extract: Extract, table: str) -> str:
        return rows_of(self.records.table(extract.number, table))


def _may_say(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether a resource may refer to something by an identifier, or is of a kind that is shared and may name a patient all the same."""
    is_shared = pc.match_substring_regex(texts, _IS_SHARED)
    return pc.or_(is_identified(texts), pc.and_(is_shared, pc.match_substring_regex(texts, _MAY_NAME_A_PATIENT)))


def _lines(found: Mapping[int, FoundRows], extract: Extract) -> frozenset[int]:
    rows = found.get(extract.number)
    return frozenset[int]().union(*rows.lines().values()) if rows else frozenset()


def _together(found: Mapping[int, FoundRows], reached: Iterable[_Resource]) -> dict[int, FoundRows]:
    landed: defaultdict[int, defaultdict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    quarantined: defaultdict[int, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for resource in reached:
        for table, rows in resource.landed.items():
            landed[resource.extract][table][resource.line] = rows
        for table in resource.quarantined:
            quarantined[resource.extract][table].add(resource.line)
    every = dict(found)
    for extract in landed.keys() | quarantined.keys():
        more = FoundRows(landed=landed[extract], quarantined=quarantined[extract])
        every[extract] = every.get(extract, NO_ROWS).and_also(more)
    return every
