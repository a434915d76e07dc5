"""The public CDMs of OHDSI in and out: every row, reference and value is in the release or in a count that says why it is not."""

from collections import Counter
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import duckdb
import pytest

from fairhaven.harmonise import JOINED, LEFT_OUT
from fairhaven.journeys.model import Rooms
from fairhaven.omop import CDM
from fairhaven.omop.cdm import CDM_5_3_NAMES, VOCABULARY_TABLES
from fairhaven.release.facts import ReleaseFacts
from tests.support.partner_cdm import KEYS, built, differences, new_hub, release
from tests.support.public_cdms import FORMS, PUBLIC_CDMS, delivered, originals_of, tables_of, vocabulary_of
from tests.support.shared_data import shared

_FIRST_LINE = {"duckdb": 1, "parquet": 1, "csv": 2, "zip": 2}
_SAID = (*VOCABULARY_TABLES, "cdm_source")
"""Tables that are read for what they say, and are no rows of a release."""


_CONVENTIONS = frozenset(
    {
        *(("person", name) for name in ("day_of_birth", "birth_datetime", "person_source_value", "location_id")),
        *(("location", name) for name in ("zip", "location_source_value")),
        *(("provider", name) for name in ("provider_name", "provider_source_value")),
        ("measurement", "measurement_time"),
    }
)
"""Columns that are otherwise in a release, whoever delivers them, as `docs/how-to/new-source.md` says under "A partner's CDM"."""


@pytest.mark.slow
@pytest.mark.parametrize(("data", "form"), [*product(PUBLIC_CDMS, FORMS), ("omop_synthea27nj_5.4", "zip")])
def test_every_row_and_reference_is_in_the_release_or_in_a_count(tmp_path: Path, data: str, form: str) -> None:
    originals = originals_of(shared("data", data), tmp_path)
    path = delivered(originals, tmp_path / "delivered", form)
    hub = new_hub(tmp_path / "hub", vocabulary_of(originals, tmp_path / "vocabulary"))
    rooms = built(hub, partner=path)
    facts, connection = rooms.archive.release().facts, release(rooms)
    connection.execute(f"ATTACH '{originals}' AS theirs (READ_ONLY)")

    counts = _outcomes(facts)
    for flow in facts.row_flow:
        table = flow.table
        rows = connection.execute(f"SELECT count(*) FROM theirs.{table}").fetchone() or (0,)
        assert flow.received == rows[0] == flow.landed + flow.quarantined, table
        assert flow.landed == flow.current + flow.superseded, table
        if table in _SAID:
            continue
        lines = _lines(connection, facts, table)
        in_release = connection.execute(f"SELECT count(DISTINCT row_line) FROM ({lines})").fetchone() or (0,)
        aside = sum(number for outcome, number in counts[table].items() if outcome in (*LEFT_OUT, JOINED))
        assert flow.current == in_release[0] + aside, (table, counts[table])
        for column, number in _lost(connection, table, lines, _FIRST_LINE[form]).items():
            told = sum(each.rows for each in facts.emptied or () if (each.table, each.column) == (table, column))
            assert told == number, (table, column)
    assert {flow.table for flow in facts.row_flow} == set(tables_of(originals))
    assert facts.partner_cdms["partner"].rows == 1
    untold = _untold(connection, rooms, originals, _FIRST_LINE[form])
    assert {column: rows for column, rows in untold.items() if column not in _CONVENTIONS} == {}


def _untold(
    connection: duckdb.DuckDBPyConnection, rooms: Rooms, originals: Path, first: int
) -> Mapping[tuple[str, str], int]:
    """Table and column -> rows that are otherwise than delivered (``rows``: not there) and in no count of the receipt or the build."""
    facts = rooms.archive.release().facts
    told = Counter(
        {
            (table, column): rows
            for extract in rooms.intake.extracts()
            for table, count in extract.tables.items()
            for column, rows in count.withheld.items()
        }
    )
    for emptied in facts.emptied or ():
        told[emptied.cdm_table, emptied.column] += emptied.rows
    for table, outcomes in _outcomes(facts).items():
        told[table, "rows"] += sum(rows for outcome, rows in outcomes.items() if outcome in (*LEFT_OUT, JOINED))
    for flow in facts.row_flow:
        told[flow.table, "rows"] += flow.received - flow.current
    # Eras are made anew.
    compared = set(tables_of(originals)) - {*_SAID, "condition_era", "drug_era"}
    relations = {table: f"(SELECT rowid + {first} AS row_line, * FROM theirs.{table})" for table in compared}
    return {
        (table, column): rows
        for table, columns in differences(connection, relations).items()
        for column, rows in columns.items()
        if rows > told[table, column]
    }


def _outcomes(facts: ReleaseFacts) -> Mapping[str, Counter[str]]:
    found: dict[str, Counter[str]] = {flow.table: Counter() for flow in facts.row_flow}
    for each in facts.rule_outcomes:
        found[each.table][each.outcome] += each.rows
    return found


def _lines(connection: duckdb.DuckDBPyConnection, facts: ReleaseFacts, table: str) -> str:
    """Query: the lines of a delivered table that are rows of the release, with what these refer to."""
    rules = [rule.number for rule in facts.rules if rule.source == "partner" and rule.table == table] or [-1]
    has = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    parts = []
    for (name,) in has:
        columns = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
        refers = ", ".join(f"{column if column in columns else 'NULL'} AS {column}" for column in KEYS)
        parts.append(f"SELECT row_line, {refers} FROM {name} WHERE row_rule IN ({', '.join(map(str, rules))})")
    return " UNION ALL ".join(parts)


def _lost(connection: duckdb.DuckDBPyConnection, table: str, lines: str, first: int) -> dict[str, int]:
    """Column -> rows of the release that lack a reference which their delivered row has."""
    given = {row[0] for row in connection.execute(f"DESCRIBE theirs.{table}").fetchall()}
    lost = {}
    for field in CDM[table].fields:
        older = CDM_5_3_NAMES.get(table, {}).get(field.name, field.name)
        theirs = field.name if field.name in given else older
        if field.name not in KEYS or field.name in (CDM[table].primary_key, "person_id") or theirs not in given:
            continue
        found = connection.execute(
            f"SELECT count(*) FROM (SELECT row_line, max({field.name}) AS ours FROM ({lines}) GROUP BY 1) AS r "
            f"JOIN (SELECT rowid + {first} AS row_line, {theirs} AS theirs FROM theirs.{table}) USING (row_line) "
            "WHERE ours IS NULL AND nullif(theirs::VARCHAR, '') IS NOT NULL"
        ).fetchone()
        lost[field.name] = found[0] if found else 0
    return lost
