"""A source as mental health and community services send it: contacts and activities name no patient, only a referral."""

from pathlib import Path

from fairhaven.engine import DuckDBEngine
from fairhaven.intake import check_reconciled
from fairhaven.intake.landing import LandingKeys
from fairhaven.kernel.ids import pseudonym
from tests.support.intake_hub import Hub

LINKED = """
title = "Mental health services"
controller = "c"
kind = "hospital"
format = "delimited"
[tables.referral]
files = ["referral*"]
key = ["ServiceRequestId"]
patient = "LocalPatientId"
[tables.referral.columns]
ServiceRequestId = "text"
LocalPatientId = "text"
ReferralDate = { type = "date", formats = ["%Y-%m-%d"] }
[tables.contact]
files = ["contact*"]
key = ["CareContactId"]
belongs_to = { table = "referral", by = ["ServiceRequestId"] }
[tables.contact.columns]
CareContactId = "text"
ServiceRequestId = "text"
ContactDate = { type = "date", formats = ["%Y-%m-%d"] }
[tables.activity]
files = ["activity*"]
key = ["CareActivityId"]
belongs_to = { table = "contact", by = { Contact = "CareContactId" } }
[tables.activity.columns]
CareActivityId = "text"
Contact = "text"
Note = "text"
"""
REFERRALS = "ServiceRequestId,LocalPatientId,ReferralDate\nR1,L1,2024-01-01\nR2,L2,2024-01-02\n"
CONTACTS = "CareContactId,ServiceRequestId,ContactDate\nC1,R1,2024-02-01\nC2,R2,2024-02-02\n"
ACTIVITIES = "CareActivityId,Contact,Note\nA1,C1,secret-of-L1\nA2,C2,of the other\n"


class Linked(Hub):
    """A hub with one source whose contacts and activities name no patient."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.mh = self.source(LINKED, "mh")

    def file(self, table: str, text: str) -> Path:
        """A file to deliver."""
        inbox = self.folder / "inbox"
        inbox.mkdir(exist_ok=True)
        path = inbox / f"{table}-{len(list(inbox.iterdir()))}.csv"
        path.write_text(text)
        return path

    def bring(self, **tables: str) -> None:
        """Deliver a file for each table, in this order."""
        self.deliver(self.mh, [self.file(table, text) for table, text in tables.items()])

    def ref(self, patient: str) -> str:
        """A patient's pseudonym."""
        return pseudonym(LandingKeys.of(self.keyring.pseudonyms.key_for).pseudonym, "mh", patient)

    def erase_patient(self, patient: str = "L1") -> dict[str, dict[str, int]]:
        """Erase one patient; landed rows by table."""
        counts = self.erase({"mh": [self.ref(patient)]})
        self.unknown = counts.unknown_owners
        return {source: dict(rows) for source, rows in counts.rows.items()}

    def delivered(self) -> str:
        """All sealed bytes, opened."""
        return b"".join(
            self.keyring.deliveries.open_bytes(self.store / "received" / f"{extract.sealed_as}.sealed")
            for extract in self.intake.extracts()
        ).decode()

    def values(self, table: str, column: str) -> list[object]:
        """A landed column, over all extracts."""
        return [
            row[column]
            for extract in self.intake.extracts()
            if table in extract.tables
            for row in self.landed(extract.number, table)
        ]

    def check_adds_up(self) -> dict[str, int]:
        """Rows add up; current rows by table."""
        engine = DuckDBEngine(reaches=[self.store])
        counts = self.intake.reconcile(engine, self.mh, None)
        check_reconciled(counts)
        current = self.intake.current(engine, self.mh, excluded=None)
        rows = {table: engine.count(found) for table, found in current.items()}
        engine.close()
        assert rows == {count.table: count.current for count in counts}
        return rows
