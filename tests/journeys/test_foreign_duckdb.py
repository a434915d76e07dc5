"""A DuckDB file of somebody else is data and never code, whichever command opens it."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from fairhaven.engine import DuckDBEngine
from fairhaven.hub import make_hub, open_hub
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.partner_cdm import SOURCE
from tests.support.shared_data import shared

SECRET = "ONLY-THE-HUB-HAS-THIS"
DEFINITION = 'name = "Anybody"\n[entry]\nevents = [{ condition_occurrence = "*" }]\n'
_OPEN = ("archive", "landing", "vocabulary")
TEXT = {"concept": "concept_name", "person": "gender_source_value"}
"""The column of each table that an attack fills."""
ROWS: Mapping[str, Mapping[str, str]] = {
    "concept": {
        "concept_id": "8507",
        "concept_name": "'MALE'",
        "domain_id": "'Gender'",
        "vocabulary_id": "'Gender'",
        "concept_class_id": "'Gender'",
        "standard_concept": "'S'",
        "concept_code": "'M'",
        "valid_start_date": "DATE '1970-01-01'",
        "valid_end_date": "DATE '2099-12-31'",
    },
    "person": {
        "person_id": "7",
        "gender_concept_id": "8507",
        "gender_source_value": "'M'",
        "year_of_birth": "1980",
        "race_concept_id": "8527",
        "ethnicity_concept_id": "38003564",
    },
}


def rows_of(table: str, text: str = "") -> str:
    """A row of a table as SQL, with *text* in the column that an attack fills."""
    values = dict(ROWS[table]) | ({TEXT[table]: text} if text else {})
    return "SELECT " + ", ".join(f"{value} AS {name}" for name, value in values.items())


def read(key: Path) -> str:
    """A file's content as SQL."""
    return f"(SELECT content FROM read_text('{key}'))"


def as_view(connection: duckdb.DuckDBPyConnection, table: str, key: Path) -> None:
    """A view over a file of whoever opens it."""
    connection.execute(f"CREATE VIEW {table} AS {rows_of(table, read(key))}")


def as_macro(connection: duckdb.DuckDBPyConnection, table: str, key: Path) -> None:
    """The file behind a table macro, in a schema of its own."""
    connection.execute(f"CREATE MACRO stolen() AS TABLE {read(key)}; CREATE SCHEMA omop")
    connection.execute(f"CREATE VIEW omop.{table.upper()} AS {rows_of(table, '(FROM stolen())')}")


def beside_a_table(connection: duckdb.DuckDBPyConnection, table: str, key: Path) -> None:
    """The table as it should be, and the view in another schema."""
    connection.execute(f"CREATE TABLE {table} AS {rows_of(table)}; CREATE SCHEMA a")
    connection.execute(f"CREATE VIEW a.{table} AS {rows_of(table, read(key))}")


def as_computed_column(connection: duckdb.DuckDBPyConnection, table: str, key: Path) -> None:
    """A column that is computed when it is read: of the variable in which landing keeps the key of the pseudonyms."""
    connection.execute(f"CREATE TABLE given AS {rows_of(table)}; ALTER TABLE given DROP COLUMN {TEXT[table]}")
    described = connection.execute("DESCRIBE given").fetchall()
    columns = ", ".join(f"{name} {kind}" for name, kind, *_ in described)
    names = ", ".join(name for name, *_ in described)
    connection.execute(
        f"CREATE TABLE {table} ({columns}, {TEXT[table]} VARCHAR"
        " GENERATED ALWAYS AS (coalesce(getvariable('pseudonym_of_inner')::VARCHAR, current_setting('allowed_paths')::VARCHAR)))"
    )
    connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM given; DROP TABLE given")


Attack = Callable[[duckdb.DuckDBPyConnection, str, Path], None]
ATTACKS: tuple[Attack, ...] = (as_view, as_macro, beside_a_table, as_computed_column)
DOORS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "vocabulary": ("concept", ("vocabulary", "load", "{hub}", "{file}")),
    "receive": ("person", ("receive", "{hub}", "partner", "{file}")),
    "quality of a CDM": ("person", ("quality", "--cdm", "{file}")),
    "vocabulary of a CDM": ("concept", ("quality", "--cdm", "{file}")),
    "count in a CDM": ("person", ("cohort", "count", "--cdm", "{file}", "{definition}")),
    "report of a CDM": ("person", ("cohort", "report", "--cdm", "{file}", "{definition}", "--out", "{out}")),
    "cohort of a CDM": ("person", ("cohort", "generate", "--cdm", "{file}", "{definition}", "--out", "{out}.csv")),
}
"""Command -> the table under attack, its words."""


def attacked(path: Path, attack: Attack, table: str, key: Path) -> Path:
    """A partner's DuckDB file in which *table* is under attack."""
    with duckdb.connect(str(path)) as connection:
        attack(connection, table, key)
        for other in ROWS.keys() - {table}:
            connection.execute(f"CREATE TABLE {other} AS {rows_of(other)}")
    return path


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
@pytest.mark.parametrize("door", DOORS)
def test_what_is_computed_in_a_partners_file_is_refused_by_name_and_reads_no_key(
    fairhaven: Command, tmp_path: Path, door: str, attack: Attack
) -> None:
    hub, definition = tmp_path / "hub", tmp_path / "anybody.toml"
    make_hub(hub, by=ANNA)
    (hub / "controllers" / "partner.toml").write_text('title = "Partner"\n')
    (hub / "sources" / "partner.toml").write_text(SOURCE)
    (hub / "store" / "keys" / "another.key").write_text(SECRET)
    definition.write_text(DEFINITION)
    table, words = DOORS[door]
    file = attacked(tmp_path / "cdm.duckdb", attack, table, hub / "store" / "keys" / "another.key")
    places = {"hub": hub, "file": file, "definition": definition, "out": tmp_path / "out"}
    done = fairhaven(*(word.format(**places) for word in words), code=1)
    assert table in done.stderr.lower() and "only stored rows are read" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holding == [hub / "store" / "keys" / "another.key"]


def test_a_link_in_a_partners_folder_reads_no_key(fairhaven: Command, tmp_path: Path) -> None:
    folder, key = tmp_path / "cdm", tmp_path / "keys" / "a.key"
    folder.mkdir()
    key.parent.mkdir()
    key.write_text(f"person_id,gender_source_value\n7,{SECRET}\n")
    (folder / "person.csv").symlink_to(key)
    done = fairhaven("quality", "--cdm", folder, code=1)
    assert "person.csv" in done.stderr and SECRET not in done.stdout + done.stderr


def test_tables_that_dbt_made_as_views_are_named_when_they_are_delivered(fairhaven: Command, tmp_path: Path) -> None:
    case, hub = shared("cases", "etl2-03-cdm-tables-that-are-views"), tmp_path / "hub"
    make_hub(hub, by=ANNA)
    (hub / "controllers" / "example.toml").write_text('title = "Example"\n')
    (hub / "sources" / "p.toml").write_text((case / "source.toml").read_text())
    done = fairhaven("receive", hub, "p", case / "half.duckdb", "--json", code=1)
    said = [fault["message"] for fault in json.loads(done.stdout)["error"]["faults"]]
    assert [message.split()[0] for message in said] == ["condition_occurrence", "measurement"]
    assert all("materialized='table'" in message for message in said)


def test_the_engine_of_a_hub_reaches_its_rows_and_not_its_keys_vault_or_deliveries(tmp_path: Path) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    rooms = open_hub(tmp_path / "hub")
    for room in ("archive", "keys", "landing", "received", "vault", "vocabulary"):
        (rooms.store / room).mkdir(exist_ok=True)
        (rooms.store / room / "a.txt").write_text(SECRET)
    with closing(rooms.new_engine(tmp_path / "scratch")) as engine:
        assert isinstance(engine, DuckDBEngine)
        for room in _OPEN:
            assert engine.connection.execute(f"FROM read_text('{rooms.store / room / 'a.txt'}')").fetchall()
        hidden = [path for path in (tmp_path / "hub").rglob("*") if path.is_file() and path.parent.name not in _OPEN]
        assert {"hub.toml", "published-ledger.jsonl", "a.txt"} <= {path.name for path in hidden}
        for path in hidden:
            with pytest.raises(duckdb.PermissionException):
                engine.connection.execute(f"FROM read_blob('{path}')")
