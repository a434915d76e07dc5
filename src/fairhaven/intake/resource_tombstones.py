"""Tombstones of FHIR resources: keyed digests by which what belongs to erased ones is known again, whenever it is delivered."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from fairhaven.intake import file_detection
from fairhaven.intake.fhir.ndjson_lines import resources_at
from fairhaven.intake.fhir.resource_references import ANY, OF_PATIENTS, References, references_of
from fairhaven.intake.landing import LandingKeys, tombstone
from fairhaven.intake.reader import DeliveredFile
from fairhaven.kernel.ids import SEPARATOR, pseudonym


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceTombstones:
    """Digests by which what belongs to resources of a source is known again."""

    source: str
    secrets: LandingKeys

    def of(self, says: References) -> Iterator[str]:
        """What a resource is called by, and what it refers to; of a patient also the patient, by number and by each identifier."""
        for token in says.answering:
            yield self.called(token)
        if says.kind == "Patient":
            yield from (self.of_patient(token.partition("/")[2]) for token in says.called)
        for token in says.of_patients:
            yield self.referred_to(token)

    def of_lines(self, arrived: DeliveredFile, gone: Collection[int], work: Path) -> frozenset[str]:
        """Of each resource of some lines of a file.

        Args:
            work: a private folder for what is unpacked.
        """
        return frozenset(digest for _, says in resources_said(arrived, gone, work) for digest in self.of(says))

    def reaching(self, says: References) -> Iterator[str]:
        """Digests any of which, once it is gone, takes a resource with it that names no patient of its own."""
        belongs = says.kind in OF_PATIENTS
        for token in says.refers:
            kind, _, name = token.partition("/")
            if kind in ("Patient", ANY):
                yield self.of_patient(name)
            if kind == "Patient" or belongs:
                yield self.called(token)
        for name in says.mentions:
            yield self.of_patient(name)
        if belongs:
            yield from map(self.referred_to, says.answering)
            # A deletion of what is gone, or a version of it that names nobody.
            yield from map(self.called, says.called)

    def called(self, token: str) -> str:
        """Of a resource that is called so."""
        return tombstone(self.secrets, SEPARATOR.join(["resource", "called", token]))

    def referred_to(self, token: str) -> str:
        """Of a resource that refers to what is called so."""
        return tombstone(self.secrets, SEPARATOR.join(["resource", "referred to", token]))

    def of_patient(self, name: str) -> str:
        """Of a patient, as landing knows one."""
        return tombstone(self.secrets, self.patient_ref(name))

    def patient_ref(self, name: str) -> str:
        """The pseudonym of a patient's number, or of what stands for an identifier."""
        return pseudonym(self.secrets.pseudonym, self.source, name)


def resources_said(arrived: DeliveredFile, wanted: Collection[int], work: Path) -> Iterator[tuple[int, References]]:
    """What the resources of some lines of a file say."""
    for line, text in resources_at(file_detection.plain(arrived, work), arrived.name, wanted):
        if says := references_of(text):
            yield line, says
