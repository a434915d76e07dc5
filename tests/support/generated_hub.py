"""A hub with a source for every format, into each of which the same generated facts are delivered, and what its release says of them."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.hub import make_hub, open_hub
from fairhaven.intake import Receipt, check_reconciled
from fairhaven.journeys.deliveries.receive import receive_delivery, take_vocabulary
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.releases.build import build_release
from fairhaven.kernel.progress import Silent
from fairhaven.omop import CDM
from tests.support.actors import ANNA
from tests.support.generated_concepts import FURTHER_CONCEPTS, FURTHER_RELATIONSHIPS
from tests.support.generated_declarations import declare
from tests.support.generated_facts import AS_OF, DELIVERIES, World
from tests.support.generated_files import SOURCES, Written, nhs_number, rows_in_use, write
from tests.support.generated_periods import Row
from tests.support.generated_truth import FORMS, UNCODED, Rows, truth
from tests.support.harmonise_cases import ANCESTORS
from tests.support.partner_cdm import release, vocabulary_files

NOT_COMPARED = frozenset(
    {
        *("person_id", "person_source_value", "visit_occurrence_id", "visit_source_value"),
        *("provider_id", "care_site_id", "location_id"),
        *("row_extract", "row_line", "row_rule"),
    }
)
"""Identifiers are the hub's, and a visit is called by what its format calls it."""
DERIVED = ("observation_period", "condition_era", "drug_era")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A row that a source has too often in the release (*more* above 0), or not often enough."""

    source: str
    table: str
    row: str
    more: int


def vocabulary(folder: Path) -> Path:
    """A vocabulary of a few concepts to load."""
    vocabulary_files(folder, FURTHER_CONCEPTS, FURTHER_RELATIONSHIPS)
    ancestors, descendants = zip(*ANCESTORS, strict=True)
    levels = pa.array([0] * len(ancestors))
    columns = {"ancestor_concept_id": ancestors, "descendant_concept_id": descendants}
    pq.write_table(
        pa.table(columns | {"min_levels_of_separation": levels, "max_levels_of_separation": levels}),
        folder / "concept_ancestor.parquet",
    )
    return folder


class GeneratedHub:
    """The hub of a world, received and built."""

    def __init__(self, folder: Path, world: World, seed: int) -> None:
        self.world = world
        self.truths = {source: truth(world, form) for source, form in FORMS.items()}
        self.written: dict[str, list[Written]] = defaultdict(list)
        self.receipts: dict[str, list[Receipt]] = defaultdict(list)
        hub = folder / "hub"
        make_hub(hub, by=ANNA)
        declare(hub)
        files = folder / "vocabulary"
        files.mkdir()
        take_vocabulary(open_hub(hub), vocabulary(files), by=ANNA, progress=Silent())
        self.rooms = open_hub(hub)
        for number, day in enumerate(DELIVERIES):
            for source in SOURCES:
                written = write(world, source, number, folder / f"{source}-{number}", Random(seed))
                self.written[source].append(written)
                if written.files:
                    self.receipts[source].append(self.receive(source, written.files, day))
        optout = folder / "optout.csv"
        # A list of nobody is refused: 0 is nobody of the world.
        numbers = [nhs_number(source, person) for source in SOURCES for person in sorted({0, *world.opted_out})]
        optout.write_text("".join(f"{number},\n" for number in numbers))
        self.receive("optout", [optout], DELIVERIES[-1])
        build_release(self.rooms, as_of=AS_OF, today=AS_OF, by=ANNA, progress=Silent())
        self.facts = self.rooms.archive.release().facts

    def receive(self, source: str, files: Sequence[Path], day: dt.date) -> Receipt:
        return receive_delivery(
            self.rooms, source=source, files=files, received_on=day, today=AS_OF, by=ANNA, progress=Silent()
        )

    def rows(self) -> Mapping[str, Rows]:
        """Source -> table -> rows of the release, persons by their year of birth and visits by their start."""
        connection, built = release(self.rooms), self.rooms.archive.release()
        fetched = {
            name: connection.execute(f"FROM {name}").fetch_arrow_table().to_pylist()
            for name in CDM
            if name not in {"cdm_source", "metadata"} and self.rooms.archive.files(built, name)
        }
        by_rule = {rule.number: rule.source for rule in self.facts.rules}
        persons = {row["person_id"]: row for row in fetched["person"]}
        known = {
            "visit_occurrence_id": ("visit", {row["visit_occurrence_id"]: row["visit_start_datetime"] for row in fetched.get("visit_occurrence", [])}),
            "provider_id": ("provider", {row["provider_id"]: row["specialty_source_value"] or UNCODED for row in fetched.get("provider", [])}),
            "care_site_id": ("care_site", {row["care_site_id"]: row["care_site_source_value"] for row in fetched.get("care_site", [])}),
            "location_id": ("location", {row["location_id"]: f"{row['city']} {row['zip']}" for row in fetched.get("location", [])}),
        }  # fmt: skip
        found: dict[str, dict[str, list[Row]]] = {source: defaultdict(list) for source in SOURCES}
        for table, rows in fetched.items():
            for row in rows:
                person = persons.get(row.get("person_id"), row)
                source = by_rule[(person if table in DERIVED else row)["row_rule"]]
                said: Row = {"who": person["year_of_birth"]} if "person_id" in row else {}
                own = CDM[table].primary_key
                said |= {name: of[row[key]] for key, (name, of) in known.items() if key != own and row.get(key) in of}
                said |= {name: value for name, value in row.items() if name not in {*NOT_COMPARED, own}}
                found[source][table].append(said)
        return found

    def differences(self) -> list[Difference]:
        """What the release has otherwise than the truth."""
        found = []
        for source, tables in self.rows().items():
            for table in sorted({*tables, *self.truths[source].rows}):
                ours, theirs = _counted(tables.get(table, [])), _counted(self.truths[source].rows.get(table, []))
                found += [
                    Difference(source=source, table=table, row=row, more=ours[row] - theirs[row])
                    for row in sorted({*ours, *theirs})
                    if ours[row] != theirs[row]
                ]
        return found

    def sums(self) -> Iterator[str]:
        """What does not add up, or adds up to another number than was written."""
        flows = {(flow.source, flow.table): flow for flow in self.facts.row_flow}
        check_reconciled(list(flows.values()))
        outcomes = left_out(self.rooms)
        for source in SOURCES:
            yield from _receipts(source, self.receipts[source])
            # FHIR takes a deleted patient's rows back with the patient, and a partner leaves out what was negated.
            names = ["no date", "after the release", "before birth"]
            if FORMS[source].is_declared:
                names += ["not taken", "no birth year"]
            for name in names:
                if outcomes[source][name] != (rows := self.truths[source].left_out.get(name, 0)):
                    yield f"{source}: {outcomes[source][name]} left out as {name}, of {rows}"
            emptied = self.emptied(source)
            for key in sorted({*emptied, *self.truths[source].emptied}):
                if emptied[key] != (rows := self.truths[source].emptied.get(key, 0)):
                    yield f"{source}: {emptied[key]} references emptied in {'.'.join(key)}, of {rows}"
            received = sum((each.received for each in self.written[source]), Counter())
            quarantined = sum((each.quarantined for each in self.written[source]), Counter())
            in_use = rows_in_use(self.world, source)
            for table, rows in received.items():
                flow = flows[source, table]
                parts = flow.current + flow.superseded + flow.withdrawn + flow.quarantined + flow.opted_out
                if flow.received != parts:
                    yield f"{source} {table}: {flow.received} received, and {parts} in all by name"
                if flow.received != rows:
                    yield f"{source} {table}: {flow.received} received, of {rows} that were written"
                if table != "device" and flow.current != in_use[table]:
                    yield f"{source} {table}: {flow.current} in use, of {in_use[table]} that should be"
                if flow.quarantined != quarantined[table]:
                    yield f"{source} {table}: {flow.quarantined} in quarantine, of {quarantined[table]} that should be"

    def emptied(self, source: str) -> Counter[tuple[str, str]]:
        """References to what is in no row, as the build counts them."""
        told: Counter[tuple[str, str]] = Counter()
        for each in self.facts.emptied or ():
            if each.source == source and each.reason == "names no row of the release":
                told[each.cdm_table, each.column] += each.rows
        return told


def _receipts(source: str, receipts: Sequence[Receipt]) -> Iterator[str]:
    for receipt in receipts:
        for extract in receipt.extracts:
            for table, count in extract.tables.items():
                parts = count.landed + count.superseded + count.identical + count.withdrawn + count.quarantined
                if count.received != parts + count.erased:
                    yield f"{source} {table}: {count.received} received, and {parts} in all by name at the receipt"


def _counted(rows: Sequence[Row]) -> Counter[str]:
    return Counter(", ".join(f"{name}={_shown(row[name])}" for name in sorted(row, key=lambda name: (name != "who", name)) if row[name] is not None) for row in rows)  # fmt: skip


def _shown(value: Any) -> str:
    return (
        value.isoformat() if isinstance(value, dt.date) else f"{value:.12g}" if isinstance(value, float) else str(value)
    )


def left_out(rooms: Rooms) -> Mapping[str, Counter[str]]:
    """Source -> why a row is in no table, or the table that it is in -> how many."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for each in rooms.archive.release().facts.rule_outcomes:
        found[each.source][each.outcome] += each.rows
    return found
