"""The reference of mapping files names every column that a rule may set."""

from pathlib import Path

from fairhaven.harmonise.generic_rows import KINDS
from fairhaven.harmonise.mapping_file import CARRIED

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "mapping-files.md"


def test_every_kind_of_row_is_documented_with_its_columns() -> None:
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    for kind, columns in KINDS.items():
        (line,) = [line for line in lines if line.startswith(f"| `{kind}` | `")]
        for name in set(columns) - set(CARRIED) - {"position", "target", "default_target"}:
            assert f"`{name}`" in line, f"{kind}.{name}"
