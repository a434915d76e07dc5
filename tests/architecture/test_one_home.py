"""What has one home is done nowhere else: opening DuckDB and SQLite, quoting for SQL, keyed digests, looking into folders."""

import ast
from collections.abc import Callable, Iterator

import pytest

from tests.architecture.source_tree import SOURCE, Module, modules

OPENER = "fairhaven.engine.duckdb_connection"
SQLITE_OPENER = "fairhaven.kernel.sqlite_files"
RECORDS = {"fairhaven.records.postgresql", "fairhaven.records.sqlite"}
"""Who connects to the hub's database."""
MIGRATION = "fairhaven.records.migration"
"""Who loads Alembic, which takes longer than most commands; revisions beside it are loaded by Alembic alone."""
QUOTING = "fairhaven.engine.sql"
DIGESTS = "fairhaven.kernel.ids"
LISTING = "fairhaven.kernel.listing"
OTHER_LISTINGS = {
    "fairhaven.kernel.foreign_files": "names every folder of a delivery that cannot be read, all at once",
    "fairhaven.hub.store_modes": "gives modes, by folders that it holds open, and what another account keeps to itself has its own",
}
"""Where a folder is looked into otherwise, and why."""
_LOOKS = ("glob", "rglob", "iterdir", "iglob", "listdir", "scandir", "walk", "fwalk")
_DOUBLED = (("'", "''"), ('"', '""'))


def openings(module: Module) -> Iterator[str]:
    """Calls that open a DuckDB, or use the one that the library opens by itself (``duckdb.sql``)."""
    for name, call in module.calls():
        room, _, what = name.rpartition(".")
        is_opening = what == "connect" or (room == "duckdb" and what.startswith(("sql", "query", "read_", "from_")))
        if room.split(".")[-1] == "duckdb" and is_opening:
            yield module.line(call)
    if "duckdb.connect" in {
        f"{node.module}.{alias.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }:
        yield f"{module.name} imports connect"


def sqlite_openings(module: Module) -> Iterator[str]:
    """Calls that open an SQLite file."""
    for name, call in module.calls():
        if name in ("sqlite3.connect", "sqlite3.Connection"):
            yield module.line(call)


def quotings(module: Module) -> Iterator[str]:
    """Quotes doubled by hand."""
    for name, call in module.calls():
        given = tuple(each.value for each in call.args if isinstance(each, ast.Constant))
        if name.endswith(".replace") and given in _DOUBLED:
            yield module.line(call)


def digests(module: Module) -> Iterator[str]:
    """HMACs made by hand; comparing in constant time makes none."""
    for name, call in module.calls():
        if name in ("hmac.new", "hmac.digest", "hmac.HMAC"):
            yield module.line(call)


def listings(module: Module) -> Iterator[str]:
    """Calls that look into a folder: Python's own show one that may not be looked into as empty, or nothing of it."""
    if module.name not in OTHER_LISTINGS:
        for name, call in module.calls():
            room, _, what = name.rpartition(".")
            if what in _LOOKS and room != "ast":
                yield module.line(call)


Rule = Callable[[Module], Iterator[str]]
RULES: dict[Rule, str] = {
    openings: OPENER,
    sqlite_openings: SQLITE_OPENER,
    quotings: QUOTING,
    digests: DIGESTS,
    listings: LISTING,
}


def test_who_connects_to_the_hubs_database_and_who_loads_alembic() -> None:
    connecting = {module.name for module in modules() for name, _ in module.calls() if name.endswith("create_engine")}
    assert connecting == RECORDS
    loading = {
        module.name
        for module in modules()
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "alembic")
        or (isinstance(node, ast.Import) and any(each.name.split(".")[0] == "alembic" for each in node.names))
    }
    assert {name for name in loading if not name.startswith(f"{MIGRATION}s.versions.")} == {MIGRATION}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_is_done_in_its_home_and_nowhere_else(rule: Rule) -> None:
    places = {module.name: list(rule(module)) for module in modules()}
    assert places.pop(RULES[rule])
    assert not [place for found in places.values() for place in found]


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (openings, "import duckdb\nduckdb.connect()"),
        (openings, "import ibis\nibis.duckdb.connect()"),
        (openings, "import duckdb\nduckdb.sql('SELECT 1')"),
        (openings, "from duckdb import connect"),
        (sqlite_openings, "import sqlite3\nsqlite3.connect(path)"),
        (quotings, 'text = str(path).replace("\'", "\'\'")'),
        (quotings, "text = name.replace('\"', '\"\"')"),
        (digests, "import hmac\nhmac.new(key, text, 'sha256')"),
        (listings, "paths = sorted(folder.glob('*.json'))"),
        (listings, "import os\nfor at, folders, files in os.walk(folder): pass"),
    ],
)
def test_what_is_done_elsewhere_is_found(rule: Rule, source: str) -> None:
    assert list(rule(Module(name="fairhaven.elsewhere", path=SOURCE / "elsewhere.py", tree=ast.parse(source))))
