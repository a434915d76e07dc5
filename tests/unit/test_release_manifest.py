"""The manifest: what is sealed is read back with its seal, and what this code does not know is refused, never lost."""

import datetime as dt
import json
from pathlib import Path

import pytest

from fairhaven.kernel.errors import Invalid
from fairhaven.release.facts import ExtractFacts, MappingRule, OptOutFacts, RowFlow, RuleOutcome, SourceFacts
from fairhaven.release.manifest import (
    FORMAT,
    GENESIS,
    Release,
    StoredFile,
    TableVersion,
    manifest_of,
    read_manifest,
    seal_of,
)
from tests.support.release_facts import release_facts

_PATH = Path("0001.json")
_DAY = dt.date(2026, 11, 1)
_RELEASE = Release(
    number=1,
    as_of=_DAY,
    tables={
        "death": TableVersion(
            name="death",
            rows=2,
            version=0,
            content="c",
            buckets=1,
            files=(StoredFile(path="death/a.parquet", sha256="s", bytes=9, rows=2, bucket=0, content="c"),),
        )
    },
    facts=release_facts(
        vocabulary="v",
        sources=(SourceFacts(name="gp", title="GP", kind="gp", controller="c"),),
        extracts=(
            ExtractFacts(
                number=1, source="gp", file="f.csv", sha256="s", delivery=1, received_on=_DAY, rows=2, dropped=("x",)
            ),
        ),
        row_flow=(
            RowFlow(
                source="gp",
                table="t",
                received=2,
                landed=2,
                quarantined=0,
                opted_out=0,
                superseded=0,
                withdrawn=0,
                current=2,
            ),
        ),
        opt_outs=(OptOutFacts(source="gp", kind="national", patients=1, list_date=_DAY),),
        rules=(MappingRule(number=1, name="r", source="gp", table="t", file="m.toml:1", target="death"),),
        rule_outcomes=(RuleOutcome(rule=1, source="gp", table="t", outcome="death", rows=2),),
    ),
    previous=GENESIS,
    salt="0" * 32,
)


def test_a_manifest_is_read_back_and_its_seal_is_that_of_its_file() -> None:
    written = json.loads(json.dumps(manifest_of(_RELEASE)))
    assert read_manifest(written, path=_PATH) == _RELEASE
    assert seal_of(written) == seal_of(manifest_of(read_manifest(written, path=_PATH)))
    assert (written["format"], written["name"], written["content"]) == (FORMAT, "r0001", _RELEASE.content)


def test_a_manifest_of_a_later_format_is_refused_and_it_is_said_why() -> None:
    with pytest.raises(Invalid, match=r"0001\.json: has format 3, .* reads formats 1 to 2: use the Fairhaven"):
        read_manifest(manifest_of(_RELEASE) | {"format": FORMAT + 1}, path=_PATH)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 0},
        {"format": "2"},
        {"format": 1},
        {"more": 1},
        {"facts": {}},
        {"as_of": "yesterday"},
        {"tables": {"death": {}}},
        {"tables": None},
    ],
)
def test_what_is_no_manifest_is_called_damaged(change: dict[str, object]) -> None:
    with pytest.raises(Invalid, match=r"0001\.json is damaged"):
        read_manifest(manifest_of(_RELEASE) | change, path=_PATH)


@pytest.mark.parametrize("document", [None, [], "manifest", 1])
def test_a_document_that_is_no_object_is_called_damaged(document: object) -> None:
    with pytest.raises(Invalid, match="is damaged"):
        read_manifest(document, path=_PATH)
