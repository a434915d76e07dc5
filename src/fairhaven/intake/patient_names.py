"""By which names FHIR resources know one patient: the id, identifiers, an id on another server.

What a reference names is a patient of its own to landing, which cannot see further than the reference. That two names are one
patient's is said by ``Patient`` resources, and by references that have a text and an identifier together. Names are followed to whatever
else they are said to be; not to a patient whose own resource landed, since one wrong reference would make two persons one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.engine.process_key import rows_of
from fairhaven.engine.sql import literal
from fairhaven.intake import file_detection
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.fhir.ndjson_lines import resources_at
from fairhaven.intake.fhir.resource_references import References, names_of_number, references_of
from fairhaven.intake.landing import REJECTS, tombstone
from fairhaven.intake.model import Extract
from fairhaven.intake.reader import DeliveredFile
from fairhaven.intake.resource_tombstones import ResourceTombstones, resources_said

Opened = Callable[[Extract], AbstractContextManager[tuple[DeliveredFile, Path]]]
Pair = tuple[str, str]

_PATIENT = "patient"
"""The table of ``Patient`` resources."""

_ESCAPED = r"\\u00[2-7]"
"""JSON may write a letter by its number."""
_IDENTIFIED = rf'[iI]dentifier"\s*:\s*\{{|{_ESCAPED}'


def is_identified(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether a resource may refer to something by an identifier."""
    return pc.match_substring_regex(texts, _IDENTIFIED)


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientNames:
    """Which names are one patient's, in the extracts of one FHIR source.

    Args:
        opened: an extract's file as it was delivered, and a private folder.
        connection: reads the landed rows of *extracts*.
    """

    records: DeliveryRecords
    opened: Opened
    tombstones: ResourceTombstones
    connection: duckdb.DuckDBPyConnection
    extracts: Sequence[Extract]

    def otherwise(self, refs: Collection[str], numbers: Collection[str]) -> frozenset[str]:
        """patient_refs that stand for the same patients where resources call them by another name.

        Args:
            numbers: NHS numbers of theirs, that other sources know.
        """
        mine = list(self._of_patients(refs)) if refs else []
        names = {token.partition("/")[2] for says in mine for token in says.called}
        names |= {name for number in numbers for name in names_of_number(number)}
        gone = {tombstone(self.tombstones.secrets, ref) for ref in refs} | set(map(self.tombstones.of_patient, names))
        names |= self.also(gone, [*self._said(), *(pair for says in mine for pair in says.alike)])
        return frozenset(map(self.tombstones.patient_ref, names)).difference(refs)

    def also(self, gone: Collection[str], pairs: Collection[Pair]) -> frozenset[str]:
        """Further names of the patients some of whose names are gone.

        Args:
            gone: tombstones.
            pairs: names that are one patient's, as resources say.
        """
        found = self._followed(gone, pairs)
        # What a reference calls the patient by may be another's identifier: that one's own resource says so.
        if found.intersection(identifier for _, identifier in pairs):
            pairs = [*pairs, *(pair for says in self._of_patients() for pair in says.alike)]
            found = self._followed(gone, pairs)
        return found

    def quarantined(self, extract: Extract) -> frozenset[int]:
        """Lines of ``Patient`` resources that are in quarantine."""
        found = self.connection.execute(
            f"SELECT DISTINCT row_line FROM {rows_of(self.records.table(extract.number, REJECTS))} "
            f"WHERE table_name = {literal(_PATIENT)}"
        )
        return frozenset(line for (line,) in found.fetchall())

    def _said(self) -> Iterator[Pair]:
        """The pairs that references say, and patients in quarantine."""
        for extract in self.extracts:
            with self.opened(extract) as (arrived, work):
                plain = file_detection.plain(arrived, work)
                for _, text in resources_at(plain, arrived.name, self.quarantined(extract), searched=is_identified):
                    if says := references_of(text):
                        yield from says.alike

    def _of_patients(self, refs: Collection[str] | None = None) -> Iterator[References]:
        """What ``Patient`` resources say that landed.

        Args:
            refs: of whom; None for all.
        """
        for extract in self._with_patients():
            rows = f"SELECT row_line FROM {self._patients(extract)}"
            if refs is not None:
                rows += f" SEMI JOIN {self._given(refs)} USING (patient_ref)"
            if lines := [line for (line,) in self.connection.execute(rows).fetchall()]:
                with self.opened(extract) as (arrived, work):
                    yield from (says for _, says in resources_said(arrived, lines, work))

    def _followed(self, gone: Collection[str], pairs: Collection[Pair]) -> frozenset[str]:
        """From name to name, but to no patient whose own resource landed, and to nothing that is also said to be such a patient's."""
        is_gone = {name: self.tombstones.of_patient(name) in gone for name in {name for pair in pairs for name in pair}}
        others = self._having_landed({name for name in is_gone if not is_gone[name]})
        kept = others | {identifier for name, identifier in pairs if name in others}
        beside: defaultdict[str, set[str]] = defaultdict(set)
        for name, identifier in pairs:
            beside[name].add(identifier)
            beside[identifier].add(name)
        waiting = [name for name in is_gone if is_gone[name]]
        found = set[str]()
        while waiting:
            further = {name for name in beside[waiting.pop()] if not is_gone[name]} - kept - found
            found |= further
            waiting += further
        return frozenset(found)

    def _having_landed(self, names: Collection[str]) -> frozenset[str]:
        """Those names by which a ``Patient`` resource landed."""
        name_of = {self.tombstones.patient_ref(name): name for name in names}
        found = set[str]()
        for extract in self._with_patients() if names else ():
            rows = f"SELECT DISTINCT patient_ref FROM {self._patients(extract)} SEMI JOIN {self._given(name_of)} USING (patient_ref)"
            found |= {name_of[ref] for (ref,) in self.connection.execute(rows).fetchall()}
        return frozenset(found)

    def _given(self, refs: Collection[str]) -> str:
        self.connection.register("given_refs", pa.table({"patient_ref": pa.array(sorted(refs), pa.string())}))
        return "given_refs"

    def _with_patients(self) -> Iterator[Extract]:
        return (each for each in self.extracts if _PATIENT in each.tables)

    def _patients(self, extract: Extract) -> str:
        return rows_of(self.records.table(extract.number, _PATIENT))
