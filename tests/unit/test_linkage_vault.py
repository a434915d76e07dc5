"""The identity vault keeps what it is given, sealed, and nothing else."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.keyring import Keyring
from fairhaven.linkage import Vault
from fairhaven.linkage.model import IDENTITY_SCHEMA, INDEX_SCHEMA

NUMBER, OTHER_NUMBER = "9990000018", "9990000026"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault", Keyring.create(tmp_path / "keys").vault)


def records(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"source": "gp", "birth_date": dt.date(1950, 1, 2), **row} for row in rows])


def index(*rows: tuple[str, str, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [{"source": source, "patient_ref": ref, "person_id": person, "step": "alone"} for source, ref, person in rows],
        schema=INDEX_SCHEMA,
    )


def kept(vault: Vault) -> pa.Table:
    found = vault.index()
    assert found is not None
    return found


def test_records_come_back_trimmed_in_the_shape_of_the_contract(vault: Vault) -> None:
    vault.add(7, records({"patient_ref": "a", "given_name": "  Ann ", "family_name": " "}))
    table = vault.records([7])
    assert table.schema == IDENTITY_SCHEMA
    row = table.to_pylist()[0]
    assert (row["row_extract"], row["given_name"], row["family_name"], row["nhs_number"]) == (7, "Ann", None, None)


def test_births_are_those_that_records_of_the_same_person_give_in_any_source(vault: Vault) -> None:
    days = [dt.date(1950, 1, day) for day in range(1, 9)]
    shared = [
        {"source": "x", "patient_ref": f"x{n}", "nhs_number": "0000000000", "birth_date": day}
        for n, day in enumerate(days)
    ]
    vault.add(
        1,
        records(
            {"patient_ref": "a", "nhs_number": NUMBER, "birth_date": days[0]},
            {"patient_ref": "b", "birth_date": days[2]},
            *shared,
        ),
    )
    others = (
        {"patient_ref": "a", "nhs_number": "999 000 0018", "birth_date": days[1]},
        {"patient_ref": "b", "birth_date": days[3]},
    )
    vault.add(
        2, records(*({"source": "hes", **other} for other in others), {"patient_ref": "y", "nhs_number": "0000000000"})
    )

    def known() -> set[tuple[str, dt.date]]:
        births = vault.known_identifiers(key=b"k" * 32, source="gp").births.to_pylist()
        return {(birth["patient_ref"], birth["birth_date"]) for birth in births}

    assert known() == {("a", days[0]), ("a", days[1]), ("b", days[2]), ("y", dt.date(1950, 1, 2))}
    vault.keep_index(index(("gp", "b", 4), ("hes", "b", 4)))
    assert known() == {("a", days[0]), ("a", days[1]), ("b", days[2]), ("b", days[3]), ("y", dt.date(1950, 1, 2))}


def test_adding_an_extract_again_replaces_it(vault: Vault) -> None:
    vault.add(1, records({"patient_ref": "a"}, {"patient_ref": "b"}))
    vault.add(1, records({"patient_ref": "c"}))
    assert vault.records()["patient_ref"].to_pylist() == ["c"]


def test_nothing_readable_is_on_disk(vault: Vault, tmp_path: Path) -> None:
    vault.add(1, records({"patient_ref": "ref-of-ann", "given_name": "Annabella", "nhs_number": NUMBER}))
    vault.keep_index(index(("gp", "ref-of-ann", 4)))
    written = b"".join(file.read_bytes() for file in (tmp_path / "vault").rglob("*") if file.is_file())
    assert not any(text in written for text in (b"Annabella", NUMBER.encode(), b"ref-of-ann", b"PAR1"))


def test_a_changed_byte_is_noticed(vault: Vault, tmp_path: Path) -> None:
    vault.add(1, records({"patient_ref": "a"}))
    file = next((tmp_path / "vault" / "identity").iterdir())
    damaged = bytearray(file.read_bytes())
    damaged[-3] ^= 1
    file.write_bytes(bytes(damaged))
    with pytest.raises(Invalid, match="altered"):
        vault.records()


def test_records_of_an_uncommitted_extract_are_dropped(vault: Vault) -> None:
    for extract in (1, 2, 3):
        vault.add(extract, records({"patient_ref": str(extract)}))
    vault.keep_only({1, 3})
    assert vault.extracts() == {1, 3}


def test_a_missing_extract_is_an_error_and_not_a_loss_of_patients(vault: Vault) -> None:
    vault.add(1, records({"patient_ref": "a"}))
    with pytest.raises(NotFound, match="extract 2, 5"):
        vault.records([1, 2, 5])


def test_a_listed_number_finds_every_patient_of_the_person(vault: Vault) -> None:
    vault.add(1, records({"patient_ref": "a", "nhs_number": "999 000 0018"}, {"patient_ref": "b"}))
    vault.add(2, records({"patient_ref": "c", "nhs_number": OTHER_NUMBER}))
    alone = vault.refs_with_nhs_numbers([NUMBER, "not a number"])
    assert alone.to_pylist() == [{"source": "gp", "patient_ref": "a"}]
    known = index(("gp", "a", 1), ("gp", "b", 1), ("gp", "c", 2))
    assert vault.refs_with_nhs_numbers(["999-000-0018"], known)["patient_ref"].to_pylist() == ["a", "b"]
    assert vault.refs_with_nhs_numbers([]).num_rows == 0


def test_erasure_reaches_every_extract_and_the_index(vault: Vault) -> None:
    vault.add(1, records({"patient_ref": "a"}, {"patient_ref": "b"}))
    vault.add(2, records({"patient_ref": "a"}))
    vault.keep_index(index(("gp", "a", 1), ("gp", "b", 2)))
    assert vault.erase({"gp": ["a"]}) == 2
    assert vault.records()["patient_ref"].to_pylist() == ["b"]
    assert kept(vault)["patient_ref"].to_pylist() == ["b"]
    assert vault.records([2]).num_rows == 0


def test_extracts_with_patients_whom_the_last_build_did_not_link_are_told(vault: Vault) -> None:
    vault.add(1, records({"patient_ref": "a"}))
    vault.add(2, records({"patient_ref": "a"}, {"patient_ref": "b", "source": "hes"}))
    vault.add(3, IDENTITY_SCHEMA.empty_table())
    assert vault.not_indexed([1, 2, 3]) == [1, 2]
    vault.keep_index(index(("gp", "a", 1), ("gp", "b", 2)))
    assert vault.not_indexed([1, 2, 3]) == [2]
    vault.keep_index(index(("gp", "a", 1), ("hes", "b", 1)))
    assert vault.not_indexed([1, 2, 3]) == []
    with pytest.raises(NotFound, match="extract 7"):
        vault.not_indexed([1, 7])


def test_an_index_proposed_with_a_release_counts_from_its_publication(vault: Vault, tmp_path: Path) -> None:
    vault.keep_index(index(("gp", "a", 1)))
    vault.propose_index(index(("gp", "a", 1), ("gp", "b", 2)), release=2)
    assert kept(vault).num_rows == 1
    vault.accept_index(published=1)
    assert kept(vault).num_rows == 1
    vault.propose_index(index(("gp", "a", 1), ("gp", "b", 2)), release=2)
    vault.accept_index(published=2)
    assert kept(vault).num_rows == 2
    assert not list(tmp_path.rglob("index-*"))
