"""The demonstration hub built on Spark is the release that DuckDB built, hash for hash."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from tests.support.command_line import Command
from tests.support.ledgers import begin_anew


@pytest.mark.slow
@pytest.mark.skipif(find_spec("pysail") is None, reason="Sail is not installed: pip install 'fairhaven[sail]'")
def test_a_release_built_on_spark_has_the_content_of_duckdb_s(demo: Path, fairhaven: Command, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    shutil.copytree(demo, hub)
    built = open_hub(hub).archive.release()
    begin_anew(hub)
    text = (hub / "hub.toml").read_text(encoding="utf-8")
    (hub / "hub.toml").write_text(text.replace('engine = "duckdb"', 'engine = "spark"'), encoding="utf-8")
    fairhaven("build", hub, "--as-of", built.as_of.isoformat(), "--json")
    again = open_hub(hub).archive.release()
    assert json.dumps(
        {name: [table.rows, table.content] for name, table in again.tables.items()}, indent=1
    ) == json.dumps({name: [table.rows, table.content] for name, table in built.tables.items()}, indent=1)
    assert again.content == built.content
