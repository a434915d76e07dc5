"""The attack on landing: who somebody is, planted in every text of every format, and somebody who reads the store meanwhile."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from fairhaven.harmonise import CDM_READ
from fairhaven.identifiers.known_identifiers import KnownIdentifiers
from fairhaven.intake import ReadTexts
from fairhaven.intake.fhir.views import VIEWS
from fairhaven.omop import CDM
from fairhaven.omop.cdm import CDM_5_3_NAMES
from tests.support.intake_hub import Hub, MemoryVault
from tests.support.planted_identifiers import (
    KNOWN,
    NUMBERS,
    OF_BIRTH,
    PLANTED,
    TABLES,
    planted_elements,
    planted_in_version,
    planted_resources,
    planted_tables,
)

HEAD = 'title = "x"\ncontroller = "c"\nkind = "{kind}"\nformat = "{format}"\n'


_CODED_IN_CDM = (
    *("observation.value_as_string", "observation.value_source_value", "measurement.value_source_value"),
    *("drug_exposure.sig", "drug_exposure.stop_reason", "drug_exposure.lot_number", "condition_occurrence.stop_reason"),
    *("device_exposure.unique_device_id", "device_exposure.production_id"),
)


_TELLING = (
    "9990000018",
    "999 000 0018",
    "Rosalind Okafor",
    "fh100an",
    "40 Riverside",
    "19530714",
    "born 14.7.53",
    "1242486",
)
_OF_NOBODY = ("location", "care_site", "provider")
"""Tables that are read and say of nobody whose their rows are: what tells something at a patient's own rows alone tells nothing there."""


class _Watched(MemoryVault):
    """Whenever it is asked for anything, every file of the store is read as it is then."""

    def __init__(self, store: Path) -> None:
        super().__init__()
        self.store = store
        self.seen: dict[str, set[bytes]] = {}
        self.kinds: set[bytes] = set()

    def _look(self) -> None:
        for path in self.store.rglob("*"):
            if path.is_file() and not path.is_symlink():
                content = path.read_bytes()
                self.kinds.add(content[:4])
                if shown := KNOWN.in_(content):
                    self.seen[str(path.relative_to(self.store))] = shown

    def add(self, extract: int, records: pa.Table) -> None:
        super().add(extract, records)
        self._look()

    def keep_only(self, extracts: Collection[int]) -> None:
        super().keep_only(extracts)
        self._look()

    def known_identifiers(self, *, key: bytes, source: str) -> KnownIdentifiers:
        self._look()
        return super().known_identifiers(key=key, source=source)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub whose files are read by somebody while it works, who finds nobody, at no moment."""
    hub = Hub(tmp_path)
    hub.vault = watched = _Watched(hub.store)
    yield hub
    watched._look()
    assert watched.seen == {}
    # Among them were tables that had landed and were not searched yet.
    assert b"PARE" in watched.kinds


def _landed(hub: Hub) -> str:
    """Every value of every landed file, as text."""
    paths = sorted((hub.store / "landing").glob("*/*.parquet"))
    with duckdb.connect() as connection:
        return "\n".join(repr(connection.execute("FROM read_parquet(?)", [str(path)]).fetchall()) for path in paths)


def _check_nothing_told(hub: Hub, planted: tuple[str, ...] = PLANTED) -> None:
    landed = _landed(hub)
    assert [text for text in planted if repr(text)[1:-1] in landed] == []
    assert [number for number in NUMBERS if str(number) in landed] == []
    assert "datetime.date(1953, 7, 14)" not in landed
    assert "datetime.datetime(1953, 7, 14" not in landed
    assert "harmless" in landed


@pytest.mark.parametrize("form", ["delimited", "parquet"])
def test_nothing_planted_in_a_declared_table_lands_though_the_names_come_in_a_later_file(
    hub: Hub, tmp_path: Path, form: str
) -> None:
    source = hub.source(HEAD.format(kind="gp", format=form) + TABLES)
    files = []
    for name, query in planted_tables().items():
        path = tmp_path / f"{name}.{'csv' if form == 'delimited' else form}"
        duckdb.execute(f"COPY ({query}) TO '{path}' ({'HEADER' if form == 'delimited' else 'FORMAT parquet'})")
        files.append(path)
    receipt = hub.deliver(source, sorted(files))
    assert (
        sum(count.landed for extract in receipt.extracts for count in extract.tables.values()) == 5 * len(PLANTED) + 2
    )
    _check_nothing_told(hub)


def test_nothing_planted_in_fhir_resources_lands(hub: Hub) -> None:
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    hub.receive(source, planted_resources(), "all.ndjson")
    _check_nothing_told(hub)


@pytest.mark.slow  # a query of every table that FHIR lands
def test_nothing_planted_in_any_element_of_fhir_that_is_read_lands(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source(HEAD.format(kind="hospital", format="fhir"), "trust")
    receipt = hub.receive(source, planted_elements(_TELLING), "all.ndjson")
    assert {name for name, count in receipt.extracts[0].tables.items() if count.landed and not count.quarantined} == {
        view.table for views in VIEWS.values() for view in views
    }
    _check_nothing_told(hub)


def test_nothing_planted_in_elements_that_only_stu3_or_r5_has_lands(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    for version in ("STU3", "R5"):
        source = hub.source(
            HEAD.format(kind="hospital", format="fhir") + f'fhir_version = "{version}"\n', version.lower()
        )
        receipt = hub.receive(source, planted_in_version(version, _TELLING), "all.ndjson")
        assert sum(count.landed for count in receipt.extracts[0].tables.values()) == 5 * len(_TELLING) + 1
    _check_nothing_told(hub)


_KINDS = {"integer": "BIGINT", "float": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP"}


def _planted_cdm(planted: tuple[str, ...], *, is_5_3: bool) -> dict[str, str]:
    """SQL of every table of a CDM, in which each text holds something planted, each number one of somebody and each day their birth.

    Who a row is of that names nobody is not known, so what only tells something at the patient's own rows is planted elsewhere.
    """
    in_turn = f"[{', '.join(map(str, NUMBERS))}][1 + n % 4]"
    tables = {}
    for table in CDM.values():
        texts = [
            text
            for text in planted
            if table.name not in _OF_NOBODY or text not in (*OF_BIRTH, "1242486", "no. 1242486")
        ]
        values = ", ".join(f"({place}, '{text}')" for place, text in enumerate(texts))
        if table.schema == "VOCAB":
            continue
        columns = []
        for field in table.fields:
            kind = _KINDS.get(field.type, "VARCHAR")
            value = {"VARCHAR": "text", "DATE": "DATE '1953-07-14'", "TIMESTAMP": "TIMESTAMP '1953-07-14 10:00'"}.get(
                kind, in_turn
            )
            if field.name in ("person_id", "subject_id"):
                value = "1242486"
            elif field.name == "location_id":
                value = "9990000018"
            elif field.is_primary_key:
                # Keys are unique, and one of them is an NHS number.
                value = "CASE WHEN n = 0 THEN 9990000018 WHEN n = 1 THEN 1242486 ELSE n END"
            elif field.type == "integer" and field.dtype == "int32":
                value = "0"
            elif table.name in _OF_NOBODY and kind not in ("VARCHAR", "BIGINT"):
                value = "NULL"
            name = CDM_5_3_NAMES.get(table.name, {}).get(field.name, field.name) if is_5_3 else field.name
            columns.append(f"{value}::{kind} AS {name}")
        tables[table.name] = f"SELECT {', '.join(columns)} FROM (VALUES {values}) t(n, text)"
    born = "1953 AS year_of_birth, 7 AS month_of_birth, 14 AS day_of_birth, '9990000018' AS person_source_value"
    tables["person"] = f"SELECT * REPLACE ({born}) FROM ({tables['person']}) LIMIT 1"
    living = "'40 Riverside' AS address_1, 'FH10 0AN' AS zip, 'harmless' AS city"
    tables["location"] = f"SELECT * REPLACE ({living}) FROM ({tables['location']}) LIMIT 1"
    # What the whole CDM says of itself is told as it is.
    said = "'v5.4' AS cdm_version, 'x' AS vocabulary_version, 'x' AS cdm_etl_reference"
    days = "DATE '2020-01-01' AS source_release_date, DATE '2020-01-01' AS cdm_release_date"
    tables["cdm_source"] = f"SELECT * REPLACE ({said}, {days}) FROM ({tables['cdm_source']})"
    return tables


@pytest.mark.parametrize(("form", "is_5_3"), [("csv", True), ("duckdb", False)])
def test_nothing_planted_in_a_partners_cdm_lands_nor_its_own_number_of_a_person(
    hub: Hub, tmp_path: Path, form: str, is_5_3: bool
) -> None:
    folder = tmp_path / "cdm"
    folder.mkdir()
    # A CDM has no names: numbers, postcodes, addresses and births are what it is known by.
    planted = tuple(text for text in PLANTED if "kafor" not in text.casefold())
    with duckdb.connect(str(folder / "omop.duckdb") if form == "duckdb" else ":memory:") as connection:
        for name, query in _planted_cdm(planted, is_5_3=is_5_3).items():
            if form == "duckdb":
                connection.execute(f"CREATE TABLE {name} AS {query}")
            else:
                connection.execute(f"COPY ({query}) TO '{folder}/{name}.{form}' (FORMAT {form})")
    head = HEAD.format(kind="cdm", format="omop") + f"coded = {list(_CODED_IN_CDM)}\n"
    reads = {table: ReadTexts(plain=columns, free=frozenset()) for table, columns in CDM_READ.items()}
    source = replace(hub.source(head, "partner"), reads=reads)
    hub.deliver(source, [folder / "omop.duckdb" if form == "duckdb" else folder])
    _check_nothing_told(hub, planted)
    # What the visit with an NHS number for its own says is still its own.
    assert (
        hub.landed(1, "visit_occurrence")[0]["visit_occurrence_id"]
        == hub.landed(1, "observation")[0]["visit_occurrence_id"]
    )
