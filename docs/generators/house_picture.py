"""The picture of the house: its floors as the import contract has them, top to bottom."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

WORDS = {
    "cli": "commands: parse, call one use case, show what came",
    "pages": "what people see, drawn from protected counts",
    "hub": "reads a hub's folder, plugs the rooms in",
    "journeys": "use cases that cross rooms",
    "intake": "typed rows without identities",
    "linkage": "which records are one person",
    "harmonise": "sources become the OMOP CDM",
    "quality": "checks of a CDM, rows that fail",
    "archive": "releases as files that never change",
    "catalogue": "what the tables of a release hold",
    "network": "Cohort Discovery: worker and server",
    "query_audit": "counts beside all that was told before",
    "access": "what controllers want, in terms that decide",
    "region": "a made-up region with a known truth",
    "cohort": "definitions, their formats, English and engines",
    "disclosure": "which counts may be shown: numbers in, numbers out",
    "omop": "CDM and vocabulary",
    "exchange": "HDR UK, DCAT-AP, Croissant",
    "nhs": "the NHS number",
    "identifiers": "who is named in a text",
    "release": "manifest, facts, description",
    "people": "who somebody is, and in what role",
    "ledger": "what was done, by whom",
    "records": "the one database, its revisions and jobs",
    "engine": "tables on DuckDB or Spark",
    "kernel": "errors, files, identifiers, progress",
}
"""What each package is for, in a few words."""

FLOORS = {
    "cli": "doors",
    "pages": "pages",
    "hub": "wiring",
    "journeys": "journeys",
    "intake": "rooms",
    "cohort": "science",
    "omop": "standards",
    "nhs": "standards",
    "people": "people",
    "release": "record",
    "engine": "ground",
    "kernel": "ground",
}
"""What a floor is called, by its first package."""

_WIDTH, _LABEL, _GAP, _BOX, _MARGIN, _EDGE = 1000, 118, 8, 50, 8, 16
_ACROSS = 3
_STYLE = """
  .floor { fill: #f1f4f4; } .box { fill: #ffffff; stroke: #c3cfd2; }
  .name { fill: #16323b; font-weight: 600; font-size: 15px; } .words { fill: #4d5f67; font-size: 12px; }
  .label { fill: #2f7f6f; font-weight: 600; font-size: 13px; }
  @media (prefers-color-scheme: dark) {
    .floor { fill: #1b2428; } .box { fill: #263238; stroke: #45565e; }
    .name { fill: #eef4f4; } .words { fill: #b4c2c8; } .label { fill: #7fcfbc; }
  }
"""


def floors() -> list[list[str]]:
    """The packages of each floor, the highest first, from the contract."""
    with PYPROJECT.open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(
        each["layers"] for each in contracts if each["type"] == "layers" and each["containers"] == ["fairhaven"]
    )
    return [[name.strip(" ()") for name in layer.split("|")] for layer in layers]


def picture() -> str:
    """The picture as SVG text."""
    parts: list[str] = []
    y = _EDGE
    for packages in floors():
        parts += _floor(packages, y)
        y += _height(packages) + 6
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + _EDGE - 6}" role="img" '
                'font-family="system-ui, sans-serif">'
            ),
            "<title>The house</title>",
            "<desc>Floors of packages. Code uses the floors below its own, never one beside or above.</desc>",
            f"<style>{_STYLE}</style>",
            *parts,
            "</svg>",
            "",
        )
    )


def _height(packages: Sequence[str]) -> int:
    rows = -(-len(packages) // _ACROSS)
    return rows * _BOX + (rows - 1) * _GAP + 2 * _MARGIN


def _floor(packages: Sequence[str], y: int) -> Iterator[str]:
    height, across = _height(packages), min(len(packages), _ACROSS)
    left, right = _EDGE + _LABEL, _WIDTH - _EDGE - _MARGIN
    width = (right - left - (across - 1) * _GAP) / across
    yield f'<rect class="floor" x="{_EDGE}" y="{y}" width="{_WIDTH - 2 * _EDGE}" height="{height}" rx="10"/>'
    yield f'<text class="label" x="{_EDGE + _MARGIN}" y="{y + height / 2 + 5:g}">{FLOORS[packages[0]]}</text>'
    for place, package in enumerate(packages):
        x = left + place % across * (width + _GAP)
        top = y + _MARGIN + place // across * (_BOX + _GAP)
        yield f'<rect class="box" x="{x:g}" y="{top}" width="{width:g}" height="{_BOX}" rx="6"/>'
        yield f'<text class="name" x="{x + 12:g}" y="{top + 21}">{escape(package)}</text>'
        yield f'<text class="words" x="{x + 12:g}" y="{top + 38}">{escape(WORDS[package])}</text>'
