"""Rows that are a patient's only through other tables are erased with the patient, wherever and whenever they were delivered."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fairhaven.cli import delivery_text
from fairhaven.intake import read_source
from fairhaven.intake.row_links import is_link_column
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.toml import Document
from tests.support.intake_hub import Hub
from tests.support.linked_tables import ACTIVITIES, CONTACTS, LINKED, REFERRALS, Linked
from tests.support.work_done import opened_below


@pytest.fixture
def hub(tmp_path: Path) -> Linked:
    """Nothing received yet."""
    return Linked(tmp_path)


def test_rows_two_links_away_go_with_their_patient_from_landing_and_from_the_sealed_bytes(hub: Linked) -> None:
    hub.bring(referral=REFERRALS, contact=CONTACTS, activity=ACTIVITIES)
    assert hub.erase_patient() == {"mh": {"referral": 1, "contact": 1, "activity": 1}}
    assert hub.values("contact", "CareContactId") == ["C2"] and hub.values("activity", "Note") == ["of the other"]
    text = hub.delivered()
    assert "secret" not in text and "C1" not in text and "R1" not in text and "A2,C2,of the other" in text
    assert hub.check_adds_up() == {"referral": 1, "contact": 1, "activity": 1}
    assert hub.erase_patient() == {}


def test_rows_in_quarantine_are_links_and_are_reached_like_others(hub: Linked) -> None:
    hub.bring(
        referral=REFERRALS.replace("2024-01-01", "not a day"),
        contact=CONTACTS.replace("2024-02-01", "no day"),
        activity=ACTIVITIES + "A3,C1,also secret,too many fields\n",
    )
    hub.erase_patient()
    text = hub.delivered()
    assert "secret" not in text and "C1" not in text and "R1" not in text and "A2,C2" in text
    assert [(row["table_name"]) for row in hub.intake.quarantine().to_pylist()] == []


@pytest.mark.parametrize("order", [("referral", "contact", "activity"), ("activity", "contact", "referral")])
def test_what_is_delivered_of_an_erased_patient_later_is_left_out_with_all_that_belongs_to_it(
    hub: Linked, order: tuple[str, ...]
) -> None:
    hub.bring(referral=REFERRALS, contact=CONTACTS, activity=ACTIVITIES)
    hub.erase_patient()
    later = {
        "referral": "ServiceRequestId,LocalPatientId,ReferralDate\nR3,L1,2024-03-01\n",
        "contact": "CareContactId,ServiceRequestId,ContactDate\nC3,R3,2024-03-02\nC4,R1,2024-03-03\nC5,R2,2024-03-04\n",
        "activity": "CareActivityId,Contact,Note\nA3,C3,secret 3\nA4,C4,secret 4\nA5,C5,kept\nA6,C1,secret 6\n",
    }
    hub.bring(**{table: later[table] for table in order})
    assert hub.values("contact", "CareContactId") == ["C2", "C5"]
    assert hub.values("activity", "Note") == ["of the other", "kept"]
    text = hub.delivered()
    assert "secret" not in text and "C3" not in text and "C4" not in text and "A5,C5,kept" in text
    assert hub.check_adds_up() == {"referral": 1, "contact": 2, "activity": 2}


def test_a_row_that_came_before_what_it_belongs_to_goes_when_that_comes_and_is_left_out(hub: Linked) -> None:
    hub.bring(referral=REFERRALS)
    hub.erase_patient()
    hub.bring(activity="CareActivityId,Contact,Note\nA9,C9,secret 9\n")
    assert "secret" in hub.delivered()
    hub.bring(contact="CareContactId,ServiceRequestId,ContactDate\nC9,R1,2024-03-02\n")
    assert "secret" not in hub.delivered() and hub.values("activity", "Note") == []


def test_a_faulty_row_of_an_erased_patient_in_a_later_delivery_is_left_out_of_quarantine_and_bytes(hub: Linked) -> None:
    hub.bring(referral=REFERRALS)
    hub.erase_patient()
    hub.bring(referral="ServiceRequestId,LocalPatientId,ReferralDate\nR7,L1,no day\nR8,L1\n", contact=CONTACTS)
    assert hub.intake.quarantine().num_rows == 0
    assert "L1" not in hub.delivered() and "C1" not in hub.delivered()


def test_a_row_given_to_another_patient_since_stays_with_that_one(hub: Linked) -> None:
    hub.bring(referral=REFERRALS, contact=CONTACTS, activity=ACTIVITIES)
    hub.bring(referral="ServiceRequestId,LocalPatientId,ReferralDate\nR1,L2,2024-01-01\n")
    assert hub.erase_patient() == {"mh": {"referral": 1}}
    assert hub.values("activity", "CareActivityId") == ["A1", "A2"]
    assert hub.check_adds_up() == {"referral": 2, "contact": 2, "activity": 2}


def test_a_row_that_may_be_either_of_two_patients_is_in_no_release_and_goes_with_the_first_who_is_erased(
    hub: Linked,
) -> None:
    shared = REFERRALS + "R1,L2,2024-01-03\n"
    hub.mh = hub.source(LINKED.replace('key = ["ServiceRequestId"]\npatient', "patient"), "mh")
    hub.bring(referral=shared, contact=CONTACTS, activity=ACTIVITIES)
    assert hub.check_adds_up() == {"referral": 3, "contact": 1, "activity": 1}
    hub.erase_patient()
    text = hub.delivered()
    assert "secret" not in text and "C1" not in text and "A2,C2,of the other" in text and "R1,L2" in text


def test_rows_that_belong_to_nobody_known_are_left_out_of_releases_and_named_by_an_erasure(hub: Linked) -> None:
    hub.bring(referral=REFERRALS, contact=CONTACTS + "C7,R7,2024-02-02\n", activity=ACTIVITIES + "A7,C7,whose\n")
    assert hub.check_adds_up() == {"referral": 2, "contact": 2, "activity": 2}
    hub.erase_patient()
    assert hub.unknown == {"mh": {"contact": 1, "activity": 1}}


def test_a_link_declared_after_rows_were_received_reaches_them(hub: Linked) -> None:
    declared = hub.mh
    plain = LINKED.replace('belongs_to = { table = "referral", by = ["ServiceRequestId"] }', "")
    hub.mh = hub.source(
        plain.replace('belongs_to = { table = "contact", by = { Contact = "CareContactId" } }', ""), "mh"
    )
    hub.bring(referral=REFERRALS, contact=CONTACTS.replace("2024-02-01", "no day"), activity=ACTIVITIES)
    hub.sources["mh"] = declared
    hub.erase_patient()
    assert "secret" not in hub.delivered() and "C1" not in hub.delivered()


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ('"referral"', "must be { table"),
        ('{ table = "spell", by = ["ServiceRequestId"] }', "refers to spell"),
        ('{ table = "referral", by = ["Spell"] }', "refers to Spell"),
        ('{ table = "referral", by = [] }', "one to 3 columns"),
        ('{ table = "referral", by = { ServiceRequestId = "LocalPatientId" } }', "no column that lands"),
        ('{ table = "referral", by = { ContactDate = "ServiceRequestId" } }', "declare one type"),
        ('{ table = "activity", by = { CareContactId = "Contact" } }', "circle"),
        ('{ table = "ward", by = { CareContactId = "Ward" } }', "has no patient column"),
    ],
)
def test_a_link_that_names_nobody_is_a_fault(tmp_path: Path, declared: str, fault: str) -> None:
    path = tmp_path / "mh.toml"
    ward = '\n[tables.ward]\nfiles = ["ward*"]\nbelongs_to = "nobody"\n[tables.ward.columns]\nWard = "text"\n'
    path.write_text(LINKED.replace('{ table = "referral", by = ["ServiceRequestId"] }', declared) + ward)
    document = Document(path, "sources/mh.toml")
    assert read_source(document) is None
    assert any(fault in found.message and found.line for found in document.faults), document.faults


def test_a_declaration_without_links_has_the_digest_it_had(tmp_path: Path) -> None:
    """Or every hub would land everything again, as all did when words for nothing and time zones came in."""
    digest = Hub(tmp_path).events().digest
    assert digest == "65cde81fd145d42f48b17de51d66d8f44a32bdf07d7dd3fd729f19147d852611"


NAMED = LINKED.replace(
    "ReferralDate = {",
    'nhs_number = { type = "text", identity = "nhs_number" }\ngiven_name = { type = "text", identity = "given_name" }\n'
    'family_name = { type = "text", identity = "family_name" }\nbirth_date = { type = "date", identity = "birth_date" }\n'
    "ReferralDate = {",
)
PLANTED = ("999 000 0018-1", "1242486/2", "Rosalind Okafor 3", "19530714-4")
"""What a partner may call referrals and contacts by: numbers, the name and the birth of their patient."""


def test_columns_by_which_rows_belong_to_others_hold_no_identifier_and_lose_no_row_its_patient(tmp_path: Path) -> None:
    hub = Linked(tmp_path)
    hub.mh = hub.source(NAMED, "mh")
    head = "ServiceRequestId,LocalPatientId,nhs_number,given_name,family_name,birth_date,ReferralDate\n"
    of_one = "1242486,9990000018,Rosalind,Okafor,1953-07-14,2024-01-01"
    hub.bring(
        activity="CareActivityId,Contact,Note\n"
        + "".join(f"A{place},{text},1242486 said 14.7.53\n" for place, text in enumerate(PLANTED))
        + "A9,C9,said 14/07/1953\n",
        contact="CareContactId,ServiceRequestId,ContactDate\n"
        + "".join(f"{text},{text},1953-07-14\n" for text in PLANTED)
        + "C9,R9,1953-07-14\n",
        referral=head
        + "".join(f"{text},{of_one}\n" for text in PLANTED)
        + "R9,7654321,9990000026,Amaka,Nwosu,1990-01-02,2024-01-01\n",
    )
    landed = "\n".join(
        str(hub.landed(number, table)) for number, table in ((1, "activity"), (2, "contact"), (3, "referral"))
    )
    assert [
        text for text in ("0018", "1242486/", "Okafor", "19530714", "14.7.53", "1953, 7, 14") if text in landed
    ] == ["1953, 7, 14"]
    # What is another patient's birth stays.
    assert hub.values("activity", "Note")[-1] == "said 14/07/1953"
    assert [str(day) for day in hub.values("contact", "ContactDate")] == ["1953-07-01"] * 4 + ["1953-07-14"]
    assert hub.check_adds_up() == {"referral": 5, "contact": 5, "activity": 5}
    assert hub.erase_patient("1242486") == {"mh": {"referral": 4, "contact": 4, "activity": 4}}
    assert hub.values("activity", "CareActivityId") == ["A9"]
    hub.bring(activity="CareActivityId,Contact,Note\nA7,1242486/2,late\nA8,C9,kept\n")
    assert hub.values("activity", "CareActivityId") == ["A9", "A8"]


def test_rows_that_an_earlier_version_landed_are_reached_by_their_values(hub: Linked) -> None:
    hub.bring(referral=REFERRALS, contact=CONTACTS, activity=ACTIVITIES)
    for path in sorted(hub.store.glob("landing/*/*.parquet")):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns([name for name in table.column_names if is_link_column(name)]), path)
    assert hub.check_adds_up() == {"referral": 2, "contact": 2, "activity": 2}
    assert hub.erase_patient() == {"mh": {"referral": 1, "contact": 1, "activity": 1}}
    assert hub.values("activity", "Note") == ["of the other"]


def test_what_tells_of_a_patient_is_found_in_rows_whose_referral_came_a_month_before_or_comes_a_month_after(
    tmp_path: Path,
) -> None:
    hub = Linked(tmp_path)
    hub.mh = hub.source(NAMED, "mh")
    referral = (
        "ServiceRequestId,LocalPatientId,nhs_number,given_name,family_name,birth_date,ReferralDate\n"
        "R1,1242486,9990000018,Rosalind,Okafor,1953-07-14,2024-01-01\n"
    )
    contact = "CareContactId,ServiceRequestId,ContactDate\nC1,R1,1953-07-14\n"
    activity = "CareActivityId,Contact,Note\nA1,C1,no. 1242486\nA2,C1,said 14.7.53\nA3,C1,Mrs Okafor\nA4,C1,harmless\nA5,C9,whose\n"

    def is_told(extract: int, table: str) -> list[bool]:
        return [
            any(text in str(row) for text in ("1242486", "14.7.53", "Okafor", "7, 14)"))
            for row in hub.landed(extract, table)
        ]

    hub.bring(referral=referral)
    hub.bring(contact=contact)
    hub.bring(activity=activity)
    assert is_told(2, "contact") + is_told(3, "activity") == [False] * 6
    assert [extract.tables["activity"].unowned for extract in hub.intake.extracts()[2:]] == [1]
    hub.intake.land_again(hub.mh, vault=hub.vault, progress=Silent(), also=[3])
    assert is_told(3, "activity") == [False] * 5
    late = Linked(tmp_path / "late")
    late.mh = late.source(NAMED, "mh")
    late.bring(activity=activity, contact=contact)
    assert late.intake.to_land_again(late.mh) == []
    late.bring(referral=referral)
    assert [extract.number for extract in late.intake.to_land_again(late.mh)] == [1, 2]
    late.intake.land_again(late.mh, vault=late.vault, progress=Silent())
    hub = late
    assert is_told(1, "activity") + is_told(2, "contact") == [False] * 6
    assert late.intake.to_land_again(late.mh) == []
    assert [count.unowned for extract in late.intake.extracts() for count in extract.tables.values()] == [1, 0, 0]


def test_a_receipt_says_how_many_rows_belong_to_nobody_known(hub: Linked) -> None:
    receipt = hub.deliver(hub.mh, [hub.file("contact", CONTACTS), hub.file("activity", ACTIVITIES)])
    said = "\n".join(delivery_text.receipt(receipt))
    assert said.count("belong to nobody known, as no row that they refer to was delivered: 2 rows") == 2


def test_of_earlier_deliveries_only_tables_that_say_whose_are_rows_whose_owners_did_not_come_with_them_are_read(
    hub: Linked,
) -> None:
    hub.bring(referral=REFERRALS, contact=CONTACTS, activity=ACTIVITIES)

    def read_of_earlier(**tables: str) -> set[str]:
        earlier = {path.relative_to(hub.store).as_posix() for path in hub.store.glob("landing/*/*.parquet")}
        with opened_below(hub.store) as opened:
            hub.bring(**tables)
        return {Path(path).stem for path in opened.keys() & earlier} - {"rejects"}

    whole = {"referral": REFERRALS, "contact": CONTACTS, "activity": ACTIVITIES}
    again = {name: text.replace("1,", "3,").replace("2,", "4,") for name, text in whole.items()}
    assert read_of_earlier(**again) == set()
    assert read_of_earlier(contact="CareContactId,ServiceRequestId,ContactDate\nC8,R1,2024-03-02\n") == {"referral"}
    assert read_of_earlier(activity="CareActivityId,Contact,Note\nA8,C8,note\n") == {"referral", "contact"}
