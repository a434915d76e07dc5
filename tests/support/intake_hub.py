"""A small hub's intake for tests: declarations as text, files as bytes, a vault in memory."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.identifiers.known_identifiers import KnownIdentifiers, known_identifiers
from fairhaven.intake import ErasureCounts, Intake, Receipt, Source, read_source
from fairhaven.intake.model import TableCount
from fairhaven.kernel.keyring import Keyring
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.toml import Document
from tests.support.actors import ANNA

DAY = dt.date(2026, 1, 31)
SECRET = b"s" * 32

EVENTS = """
title = "Riverside Surgery"
controller = "riverside"
kind = "gp"
format = "delimited"
{settings}
[tables.events]
files = ["*events*"]
key = ["event_id"]
patient = "patient_id"
withdrawn = {{ column = "status", values = ["D"] }}
[tables.events.columns]
event_id = "text"
patient_id = "text"
event_date = {{ type = "date", formats = ["%Y-%m-%d", "%d/%m/%Y"], required = true, earliest = "1900-01-01" }}
value = "number"
code = "text"
status = {{ type = "text", optional = true }}
nhs_number = {{ type = "text", identity = "nhs_number", optional = true }}
postcode = {{ type = "text", identity = "postcode", optional = true }}
born = {{ type = "date", identity = "birth_date", optional = true }}
{more}
"""
HEADER = "event_id,patient_id,event_date,value,code\n"
NAMED = """
title = "x"
controller = "c"
kind = "hospital"
format = "delimited"
[tables.persons]
files = ["*"]
key = ["patient_id"]
patient = "patient_id"
[tables.persons.columns]
patient_id = "text"
given_name = { type = "text", identity = "given_name" }
family_name = { type = "text", identity = "family_name" }
"""
"""Another source, whose records say what people are called."""


def assert_adds_up(tables: Mapping[str, TableCount]) -> None:
    """No count of a receipt is below 0, and together they are the rows received."""
    for table, count in tables.items():
        fates = (count.landed, count.superseded, count.identical, count.withdrawn, count.quarantined, count.erased)
        assert min(fates) >= 0 and sum(fates) == count.received, (table, count)


class MemoryVault:
    """Identity records by extract."""

    def __init__(self) -> None:
        self.by_extract: dict[int, pa.Table] = {}

    def add(self, extract: int, records: pa.Table) -> None:
        """Keep the records of an extract."""
        self.by_extract[extract] = records

    def keep_only(self, extracts: Collection[int]) -> None:
        """Drop the others."""
        self.by_extract = {number: kept for number, kept in self.by_extract.items() if number in extracts}

    def known_identifiers(self, *, key: bytes, source: str) -> KnownIdentifiers:
        """What the records are known by."""
        if not self.by_extract:
            return KnownIdentifiers.none()
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.register("records", pa.concat_tables(self.by_extract.values()))
            return known_identifiers(connection, "records", key=key)

    def records(self) -> list[dict[str, object]]:
        """All records."""
        return [record for _, table in sorted(self.by_extract.items()) for record in table.to_pylist()]


class Hub:
    """A store with intake, in a folder of the test."""

    def __init__(self, folder: Path, *, birth_date: str = "month") -> None:
        self.folder = folder
        self.store = folder / "store"
        self.keyring = Keyring.create(self.store / "keys", secret=SECRET)
        self.vault = MemoryVault()
        self.sources: dict[str, Source] = {}
        self.intake = Intake(
            self.store, envelope=self.keyring.deliveries, pseudonyms=self.keyring.pseudonyms, birth_date=birth_date
        )

    def source(self, text: str, name: str = "gp") -> Source:
        """Parse a declaration that has no faults."""
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        document = Document(path, f"sources/{name}.toml")
        source = read_source(document)
        assert source is not None, document.faults
        self.sources[name] = source
        return source

    def events(self, settings: str = "", more: str = "") -> Source:
        """The source that most tests use."""
        return self.source(EVENTS.format(settings=settings, more=more))

    def receive(self, source: Source, content: bytes | str, name: str = "events.csv", day: dt.date = DAY) -> Receipt:
        """Deliver one file."""
        inbox = self.folder / "inbox"
        inbox.mkdir(exist_ok=True)
        path = inbox / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.deliver(source, [path], day)

    def deliver(self, source: Source, files: list[Path], day: dt.date = DAY) -> Receipt:
        """Deliver files."""
        self.intake.recover(self.vault, known={})
        receipt = self.intake.receive(
            source,
            files,
            received_on=day,
            vault=self.vault,
            progress=Silent(),
            code_version="test",
            by=ANNA,
            known={},
            enter=lambda *_: None,
            check_earlier=lambda _: None,
        )
        for extract in receipt.extracts:
            assert_adds_up(extract.tables)
        return receipt

    def erase(self, patients: Mapping[str, Sequence[str]]) -> ErasureCounts:
        """Erase patients of sources as they are declared last."""
        return self.intake.erase(patients, sources=self.sources, vault=self.vault, progress=Silent())

    def landed(self, extract: int = 1, table: str = "events") -> list[dict[str, object]]:
        """Landed rows in line order."""
        path = self.store / "landing" / f"{extract:06d}" / f"{table}.parquet"
        # Many tests look at many tables: opening a DuckDB for each costs more than reading it.
        return sorted(pq.read_table(path).to_pylist(), key=lambda row: int(row["row_line"]))

    def lines(self, extract: int = 1, table: str = "events") -> list[object]:
        """Line numbers of the landed rows."""
        return [row["row_line"] for row in self.landed(extract, table)]

    def quarantined(self) -> list[tuple[object, ...]]:
        """(line, field, reason) of all quarantined rows."""
        return [(row["row_line"], row["field"], row["reason"]) for row in self.intake.quarantine().to_pylist()]
