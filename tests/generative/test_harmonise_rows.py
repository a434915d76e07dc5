"""Random tables through harmonise: no row lost, identifiers unique and the same whatever the order."""

import datetime as dt
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.engine import Engine
from fairhaven.harmonise import Harmonised
from fairhaven.harmonise.generic_rows import EVENT_TABLES
from fairhaven.omop import CDM
from tests.support.examples import examples
from tests.support.harmonise_cases import (
    AS_OF,
    PEOPLE,
    TWO_PEOPLE,
    landed,
    landed_columns,
    made,
    mapping,
    vocabulary_tables,
)

RULES = """
[[map]]
name = "coded"
from = "events"
to = "event"
when = { kind = ["a", "b"] }
[map.code]
column = "code"
vocabulary = { column = "kind", map = { a = "SNOMED" }, default = "ICD10" }
clean = "icd10"
[map.set]
start_date = "day"
end_date = "until"
value_number = "number"

[[map]]
name = "side by side"
from = "events"
to = "condition_occurrence"
[map.unpivot]
side = ["code", "code_b"]
[map.code]
column = "side"
vocabulary = "ICD10"
[map.set]
start_date = "day"
"""
CODES = ["195967001", "8480-6", "76009000", "J45.9", "E149", "E11X", "Z83.3", "R69", "nothing", "", None]
DAYS = st.one_of(
    st.none(), st.dates(dt.date(1900, 1, 1), dt.date(2030, 1, 1)), st.dates(dt.date(2010, 1, 1), dt.date(2020, 1, 1))
)
ROW = st.fixed_dictionaries(
    {
        "patient_ref": st.sampled_from(["p1", "p2", "p3", "p4", None]),
        "kind": st.sampled_from(["a", "b", "c", None]),
        "code": st.sampled_from(CODES),
        "code_b": st.sampled_from(CODES),
        "day": DAYS,
        "until": DAYS,
        "number": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    }
)
SCHEMA = pa.schema(
    [
        ("patient_ref", pa.string()),
        ("kind", pa.string()),
        ("code", pa.string()),
        ("code_b", pa.string()),
        ("day", pa.date32()),
        ("until", pa.date32()),
        ("number", pa.float64()),
    ]
)
# p3 is linked but nobody knows a birth year; p4 is not linked.
PEOPLE_OF = {("gp", "p1"): 11, ("gp", "p2"): 12, ("gp", "p3"): 13}


def run(engine: Engine, events: pa.Table) -> Harmonised:
    with tempfile.TemporaryDirectory() as folder:
        rules = mapping(Path(folder), PEOPLE + RULES)
    tables = {"people": landed("people", TWO_PEOPLE), "events": events}
    return made(engine, rules, tables, people=PEOPLE_OF, vocabulary=vocabulary_tables(engine))


def contents(engine: Engine, found: Harmonised) -> dict[str, list[Any]]:
    return {
        name: sorted((tuple(row.values()) for row in engine.fetch(table).to_pylist()), key=repr)
        for name, table in found.tables.items()
    }


@examples(3)
@given(rows=st.lists(ROW, max_size=40))
def test_no_row_is_lost_and_identifiers_are_unique_and_stable(engine: Engine, rows: list[dict[str, Any]]) -> None:
    events = landed_columns("events", pa.Table.from_pylist(rows, schema=SCHEMA))
    found = run(engine, events)
    by_table = contents(engine, found)

    # Unpivoted: each code that is there is a row; the other rule: each row of its kinds; all of them are counted.
    outcomes: Counter[str] = Counter()
    for count in found.counts:
        rule = next((rule.name for rule in found.rules if rule.number == count.rule), "")
        if rule == "side by side" and "end" not in count.outcome:
            outcomes["side by side"] += count.rows
        in_cdm = count.outcome in EVENT_TABLES
        outcomes["in the CDM"] += count.rows if in_cdm else 0
    codes = [row[column] for row in rows for column in ("code", "code_b") if row[column]]
    # E149 leads to two concepts and so to two rows.
    assert outcomes["side by side"] == len(codes) + codes.count("E149")
    assert outcomes["in the CDM"] == sum(len(by_table.get(name, [])) for name in EVENT_TABLES)
    taken = {index for index, row in enumerate(rows) if row["kind"] in ("a", "b") or row["code"] or row["code_b"]}
    not_taken = sum(count.rows for count in found.counts if count.outcome == "not taken")
    assert not_taken == len(rows) - len(taken)

    for name, content in by_table.items():
        key = CDM[name].primary_key
        if key:
            ids = [row[0] for row in content]
            assert len(set(ids)) == len(ids), name
            assert all(0 <= number < 2**53 for number in ids), name
    for table in EVENT_TABLES:
        place = CDM[table].names.index(CDM[table].date)
        assert all(dt.date(1959, 1, 1) <= row[place] <= AS_OF for row in by_table.get(table, []))

    reversed_rows = events.take(pa.array(range(events.num_rows - 1, -1, -1), pa.int64()))
    assert contents(engine, run(engine, reversed_rows)) == by_table
