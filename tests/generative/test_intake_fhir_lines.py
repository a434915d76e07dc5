"""Whatever a line holds, it lands or is quarantined: nothing breaks the reader, and the sums come out even."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairhaven.engine.duckdb_connection import open_duckdb
from tests.support import fhir_files
from tests.support.examples import examples

TYPES = ("Patient", "Condition", "Observation", "Encounter", "MedicationRequest", "CarePlan", "Wizard")
ELEMENTS = (
    "id",
    "status",
    "subject",
    "code",
    "category",
    "component",
    "onsetDateTime",
    "valueQuantity",
    "name",
    "extension",
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["reference", "coding", "value", "url", "system", "code"]) | st.text(), inner, max_size=3
        )
    ),
    max_leaves=8,
)
resources = st.fixed_dictionaries(
    {"resourceType": st.sampled_from(TYPES) | json_values}, optional=dict.fromkeys(ELEMENTS, json_values)
)
lines = (
    resources.map(lambda value: json.dumps(value).encode())
    | json_values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=40).map(lambda data: data.replace(b"\n", b""))
    | resources.map(lambda value: json.dumps(value).encode()[:-3])
)


@examples(10)
@given(st.lists(lines, min_size=1, max_size=12))
def test_any_lines_are_landed_or_quarantined(content: list[bytes]) -> None:
    content = [b'{"resourceType":"Condition"}', b'{"resourceType":"Condition"}', *content]
    with TemporaryDirectory() as name, open_duckdb(spill=Path(name), reaches=[Path(name)]) as con:
        folder = Path(name)
        found = fhir_files.staged(con, fhir_files.written(folder, b"\n".join(content)), folder / "scratch")
        seen: list[Any] = []
        for table in found.values():
            if table.declaration.name != "observation_component":
                seen += con.execute(
                    f"SELECT row_line FROM {table.rows} UNION ALL SELECT DISTINCT row_line FROM {table.rejects}"
                ).fetchall()
            for relation in (table.rows, table.rejects):
                con.execute(f"FROM {relation}").fetchall()
    assert sorted(line for (line,) in seen) == [
        number for number, line in enumerate(content, start=1) if not _is_blank(line)
    ]


def _is_blank(line: bytes) -> bool:
    return not line.strip(b" \t\r\n")
