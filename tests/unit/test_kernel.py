"""The ground floor: what is written is there whole, what is sealed opens only unaltered, faults know their lines."""

import io
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.kernel import ids
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.files import clear_scratch, scratch, write_atomically
from fairhaven.kernel.keyring import Keyring
from fairhaven.kernel.toml import Document
from fairhaven.kernel.version import source_digest
from tests.support.examples import examples


@pytest.fixture(scope="session")
def envelope(tmp_path_factory: pytest.TempPathFactory) -> Envelope:
    return Keyring.create(tmp_path_factory.mktemp("store") / "keys").deliveries


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_what_is_sealed_opens_to_the_same_bytes(envelope: Envelope, tmp_path: Path, size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    envelope.seal(io.BytesIO(data), tmp_path / "sealed")
    assert envelope.open_bytes(tmp_path / "sealed") == data
    assert data[:64] not in (tmp_path / "sealed").read_bytes() or size < 16


@given(st.data())
@examples(60)
def test_no_byte_of_a_sealed_file_can_change_unseen(
    envelope: Envelope, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("sealed") / "file"
    envelope.seal_bytes(b"diagnosis" * 20, path)
    sealed = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(sealed)
    with pytest.raises(Invalid):
        envelope.open_bytes(path)


def test_a_sealed_file_cannot_be_cut_short_unseen(envelope: Envelope, tmp_path: Path) -> None:
    envelope.seal_bytes(b"x" * (3 << 20), tmp_path / "file")
    whole = (tmp_path / "file").read_bytes()
    for length in (0, 4, 40, 1 << 20, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(Invalid):
            envelope.open_bytes(tmp_path / "cut")


def test_another_hubs_key_does_not_open_a_file(envelope: Envelope, tmp_path: Path) -> None:
    envelope.seal_bytes(b"x", tmp_path / "file")
    with pytest.raises(Invalid):
        Keyring.create(tmp_path / "other" / "keys").vault.open_bytes(tmp_path / "file")


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1))
@examples(50)
def test_duckdb_computes_the_same_identifiers(parts: list[str]) -> None:
    text = ids.SEPARATOR.join(parts)
    row = duckdb.execute(f"SELECT {ids.row_key_sql('$1')}", [text]).fetchone()
    assert row is not None
    assert row[0] == ids.digest52(*parts) < 2**52


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", "old")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "a", 3)  # type: ignore[arg-type]
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_scratch_is_gone_afterwards_and_after_a_crash(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        assert folder.is_dir()
    assert not folder.exists()
    (tmp_path / "work-left").mkdir()
    clear_scratch(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_scratch_of_another_command_that_runs_is_left_alone(tmp_path: Path) -> None:
    with scratch(tmp_path) as folder:
        clear_scratch(tmp_path)
        assert folder.is_dir()


def test_a_documents_faults_come_all_at_once_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        'title = 3\n\n[[map]]\nname = "a"\n[map.code]\ncolumn = 3\n\n[[map]]\nname = 2\n[tables."odd name"]\nkey = 1\n'
    )
    document = Document(path, "x.toml")
    root = document.root
    root.text("title")
    for section in root.sections("map"):
        section.text("name")
        section.section("code").text("column", None)
        section.finish()
    for _, table in root.section("tables").named():
        table.texts("key")
    root.text("absent")
    root.finish()
    assert [(fault.line, fault.field) for fault in document.faults] == [
        (1, "title"),
        (6, "map[0].code.column"),
        (9, "map[1].name"),
        (11, "tables.odd name.key"),
        (None, "absent"),
    ]


def test_broken_toml_is_a_fault_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("a = 1\nb = = 2\n")
    document = Document(path)
    assert [(fault.line, fault.message) for fault in document.faults] == [(2, "not valid TOML: Invalid value")]


def test_nothing_is_said_to_be_missing_in_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("name = \n")
    document = Document(path)
    document.root.text("name")
    document.root.finish()
    assert len(document.faults) == 1


def test_a_number_too_long_to_be_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text("a = " + "9" * 5000)
    assert "too long to be read" in Document(tmp_path / "file.toml").faults[0].message


def test_an_unknown_setting_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('nmae = "x"\n')
    document = Document(path, "x.toml")
    document.root.text("name", "")
    root = document.root
    root.text("name", "")
    root.finish()
    assert "known: name" in document.faults[0].message


def test_a_fault_reads_from_the_outside_in() -> None:
    assert str(Fault(message="is missing", path="a.toml", line=3, field="x.y")) == "a.toml:3: x.y: is missing"
    assert str(Invalid([Fault(message="a"), Fault(message="b")])) == "a\nb"


@pytest.mark.parametrize("name", ["build.py", "terms.csv", "ons.toml", "document.html.j2", "look.css"])
def test_a_file_of_any_kind_that_changes_is_another_version_of_the_code(tmp_path: Path, name: str) -> None:
    (tmp_path / "pages").mkdir()
    file = tmp_path / "pages" / name
    file.write_text("before")
    before = source_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "build.pyc").write_text("made by Python")
    assert source_digest(tmp_path) == before
    file.write_text("after")
    assert source_digest(tmp_path) != before
