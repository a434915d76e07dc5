"""Names of delivered files, which are kept for ever: what tells of a patient is refused before anything is entered."""

import json
from pathlib import Path

import pytest

from fairhaven.intake.file_names import numbered_names
from fairhaven.kernel.errors import Invalid
from tests.support.intake_hub import NAMED, Hub

ROWS = "patient_id,given_name,family_name,nhs_number,postcode\nRX4471902,Rosalind,Okafor,9990000018,FH10 0AN\n"
PERSONS = NAMED.replace(
    "family_name = {", 'postcode = { type = "text", identity = "postcode" }\nfamily_name = {'
).replace("postcode =", 'nhs_number = { type = "text", identity = "nhs_number" }\npostcode =', 1)


@pytest.mark.parametrize(
    "name",
    [
        "patients_9990000018_Quillfeather.csv",
        "gp999-000-0018.csv",
        "2026-01-31_999 000 0018.csv",
        "2026-01-31_9990000018_2.csv",
        "99.90.00.00.18.csv",
        "\uff19\uff19\uff19\uff10\uff10\uff10\uff10\uff10\uff11\uff18.csv",
        "%39990000018.csv",
    ],
)
def test_a_number_of_a_patient_in_a_file_s_name_is_refused_in_every_spelling_and_never_shown(name: str) -> None:
    [fault] = numbered_names(["events.csv", name])
    assert "the name of file 2 of 2" in fault.message
    assert not fault.path
    assert "9990000018" not in fault.message


def test_days_times_and_numbers_of_parts_in_a_file_s_name_are_no_number_of_a_patient() -> None:
    days = [f"events_2026-01-{day:02d}-{part:02d}.csv" for day in range(1, 29) for part in range(1, 12)]
    spans = [f"events_2026-01-{day:02d}_2026-02-{day:02d}.csv" for day in range(1, 29)]
    times = [f"events_202601{day:02d}T1030{day:02d}.csv" for day in range(1, 29)]
    assert not list(numbered_names([*days, *spans, *times, "events_31-01-2026_01.csv", "9990000019.csv"]))


def test_a_file_named_after_somebody_whom_the_delivery_names_leaves_nothing_in_the_store(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(PERSONS, name="ward")
    # In order: by number, surname, both names as one word, postcode, the source's own number, digits pulled apart.
    for name in (
        "persons_9990000018.csv",
        "Okafor_persons.csv",
        "personsRosalindOkafor.csv",
        "persons_FH10-0AN.csv",
        "letter RX4471902.csv",
        "x_09990000018.csv",
    ):
        with pytest.raises(Invalid, match="the name of file 1 of 1") as refused:
            hub.receive(source, ROWS, name=name)
        assert "kafor" not in str(refused.value), name
        assert not hub.intake.deliveries()
        assert not list((hub.store / "landing").glob("*/*")), name
        assert not hub.vault.by_extract
    hub.receive(source, ROWS, name="persons_2026-01.csv")
    assert [extract.file for extract in hub.intake.extracts()] == ["persons_2026-01.csv"]
    # Bytes that come again are named in the record, too.
    more = ROWS.replace("RX4471902", "RX4471903")
    (hub.folder / "inbox/more.csv").write_text(more)
    (hub.folder / "inbox/Okafor.csv").write_text(ROWS)
    with pytest.raises(Invalid, match="the name of file 2 of 2"):
        hub.deliver(source, [hub.folder / "inbox/more.csv", hub.folder / "inbox/Okafor.csv"])
    assert not any("Okafor" in json.dumps(path.name) for path in hub.store.rglob("*"))


def test_a_file_within_a_cdm_that_is_named_after_a_patient_refuses_the_delivery(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    hub.receive(hub.source(PERSONS, name="ward"), ROWS, name="persons.csv")
    folder = tmp_path / "cdm"
    folder.mkdir()
    (folder / "person.csv").write_text("person_id,gender_concept_id,year_of_birth\n7,8507,1960\n")
    partner = hub.source('title = "x"\ncontroller = "c"\nkind = "cdm"\nformat = "omop"\n', "partner")
    for name in ("letter_999-000-0018.doc", "letter_FH10 0AN.doc"):
        (folder / name).write_text("x")
        with pytest.raises(Invalid, match="a file, table or column within the delivery") as refused:
            hub.deliver(partner, [folder])
        assert "0AN" not in str(refused.value)
        assert len(hub.intake.deliveries()) == 1
        (folder / name).rename(folder / "letter_2026-01.doc")
    hub.deliver(partner, [folder])
