"""The identity vault keeps what it is given, sealed, and nothing else."""

import datetime as dt
import os
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


KEY = b"k" * 32


def told(vault: Vault) -> tuple[set[object], int, set[object]]:
    """Numbers, how many tokens, and whose names are known of the source gp."""
    known = vault.known_identifiers(key=KEY, source="gp")
    names = set(known.names["patient_ref"].to_pylist())
    return set(known.numbers["number"].to_pylist()), known.tokens.num_rows, names


def test_what_records_are_known_by_is_kept_sealed_and_goes_with_them(vault: Vault, tmp_path: Path) -> None:
    ann = {"patient_ref": "ref-of-ann", "given_name": "Annabella", "family_name": "Osei", "nhs_number": NUMBER}
    vault.add(1, records(ann, {"patient_ref": "b", "given_name": "Bo"}))
    vault.add(2, records({"source": "hes", "patient_ref": "c", "given_name": "Annabella", "nhs_number": OTHER_NUMBER}))
    first = told(vault)
    assert first[0] == {int(NUMBER), int(OTHER_NUMBER)} and first[2] == {"ref-of-ann"}
    kept = [tmp_path / "vault" / "tokens" / name for name in ("000001.sealed", "000002.sealed")]
    assert not any(b"ref-of-ann" in file.read_bytes() for file in kept)
    written = [file.stat().st_mtime_ns for file in kept]
    assert told(vault) == first
    assert [file.stat().st_mtime_ns for file in kept] == written
    # Damaged, of other records, or of another key: made again.
    kept[0].write_bytes(kept[1].read_bytes())
    kept[1].write_bytes(b"FHE1")
    assert told(vault) == first
    assert vault.known_identifiers(key=b"j" * 32, source="gp").tokens.num_rows == first[1]
    vault.erase({"gp": ["ref-of-ann"]})
    assert not kept[0].exists()
    numbers, tokens, names = told(vault)
    assert (numbers, names) == ({int(OTHER_NUMBER)}, set()) and tokens < first[1]
    vault.add(1, records({"patient_ref": "d", "nhs_number": NUMBER}))
    assert told(vault)[0] == {int(NUMBER), int(OTHER_NUMBER)}
    vault.keep_only({2})
    assert not kept[0].exists()


def test_names_of_a_source_without_birth_dates_are_known_of_what_is_kept(vault: Vault) -> None:
    named = {"patient_ref": "a", "given_name": "Ottoline", "family_name": "Quackenbush"}
    vault.add(1, records({**named, "birth_date": None}))
    assert told(vault)[2] == {"a"}
    assert told(vault)[2] == {"a"}
    assert not vault.known_identifiers(key=KEY, source="hes").names.num_rows


@pytest.mark.parametrize("kept", ["tokens", "identity"])
@pytest.mark.parametrize("put", ["folder", "link", "pipe for all", "link for all"])
def test_what_stands_in_the_place_of_what_is_kept_is_refused_in_words(
    vault: Vault, tmp_path: Path, put: str, kept: str
) -> None:
    vault.add(1, records({"patient_ref": "a", "given_name": "Ottoline"}))
    place, elsewhere = tmp_path / "vault" / kept, tmp_path / "elsewhere"
    if kept == "identity":
        place.rename(tmp_path / "moved")
    elsewhere.mkdir()
    match put:
        case "folder":
            (place / "000001.sealed").mkdir(parents=True)
        case "link":
            place.mkdir()
            (place / "000001.sealed").symlink_to(elsewhere / "x")
        case "pipe for all":
            os.mkfifo(place)
        case _:
            place.symlink_to(elsewhere)
    for act in (lambda: told(vault), lambda: vault.keep_only({1}), lambda: vault.add(1, records()), vault.records):
        with pytest.raises(Invalid, match=kept):
            act()
    assert not list(elsewhere.iterdir())


def test_a_sealed_file_without_a_number_is_none_of_the_vaults(vault: Vault, tmp_path: Path) -> None:
    vault.add(1, records({"patient_ref": "a", "given_name": "Ottoline"}))
    told(vault)
    for folder in ("identity", "tokens"):
        (tmp_path / "vault" / folder / "x.sealed").touch()
    vault.keep_only({1})
    assert vault.extracts() == {1}


def test_a_build_reads_what_is_kept_and_writes_none(vault: Vault, tmp_path: Path) -> None:
    vault.add(1, records({"patient_ref": "a", "nhs_number": NUMBER}))
    assert vault.known_identifiers(key=KEY, source="", keeps=False).numbers.num_rows == 1
    assert not (tmp_path / "vault" / "tokens").exists()


def test_who_is_one_person_is_told_by_numbers_and_by_the_index(vault: Vault) -> None:
    vault.add(1, records({"patient_ref": "a", "nhs_number": "999 000 0018"}))
    vault.keep_index(index(("gp", "a", 4), ("hes", "b", 4)))
    persons = vault.known_identifiers(key=KEY, source="gp").persons.to_pylist()
    assert [(one["source"], one["person"]) for one in persons] == [("gp", int(NUMBER)), ("gp", -4), ("hes", -4)]
