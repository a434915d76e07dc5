"""A source that holds each person once says that two of its patients are two people."""

import duckdb
import pyarrow as pa
import pytest

from fairhaven.linkage.agreement_conditions import HELD_APART, IS_SOMEONE_ELSE
from fairhaven.linkage.unduplicated_sources import mark_unduplicated

NAMESAKES = 12


def marked(*, twice: int, namesakes: int = NAMESAKES) -> duckdb.DuckDBPyConnection:
    """Of practice and hospital each knows pairs of namesakes of two numbers; the hospital registered *twice* people twice."""
    groups = [
        {"grouping": group, "bearing": group, "family": f"family{group // 2}", "birth": "19500304"}
        for group in range(2 * namesakes)
    ]
    holdings = [("gp", group) for group in range(2 * namesakes)] + [
        ("hospital", group) for group in range(2 * namesakes)
    ]
    holdings += [("hospital", group) for group in range(twice)]
    # Somebody without a number, whom both know.
    groups.append({"grouping": 2 * namesakes, "bearing": -1, "family": "family0", "birth": "19500304"})
    holdings += [("gp", 2 * namesakes), ("hospital", 2 * namesakes)]
    assigned = [
        {"patient": number, "source": source, "grouping": group, "bearing": groups[group]["bearing"]}
        for number, (source, group) in enumerate(holdings)
    ]
    connection = duckdb.connect()
    connection.register("assigned", pa.Table.from_pylist(assigned).drop_columns("source"))
    connection.register("patients", pa.Table.from_pylist(assigned).select(["patient", "source"]))
    connection.register("described", pa.Table.from_pylist(groups))
    connection.execute(
        "CREATE TABLE units AS SELECT grouping AS unit, *, 'ann' AS given, NULL::VARCHAR AS given_second, ['ann'] AS given_forms, "
        "NULL::VARCHAR[] AS family_parts, NULL::INT[] AS held_by FROM described"
    )
    mark_unduplicated(connection)
    return connection


def apart(connection: duckdb.DuckDBPyConnection) -> int:
    pairs = f"SELECT count(*) FROM units AS l JOIN units AS r ON l.unit < r.unit WHERE {HELD_APART}"
    return int(connection.execute(pairs).fetchall()[0][0])


def holders(connection: duckdb.DuckDBPyConnection) -> set[int]:
    found = connection.execute("SELECT DISTINCT unnest(held_by) FROM units").fetchall()
    return {holder for (holder,) in found}


def test_sources_that_show_namesakes_of_two_numbers_and_nobody_twice_hold_each_person_once() -> None:
    connection = marked(twice=0)
    assert holders(connection) == {1, 2}
    everybody = 2 * NAMESAKES + 1
    assert apart(connection) == everybody * (everybody - 1) // 2


def test_a_source_that_registers_people_twice_says_nothing_of_two_of_its_patients() -> None:
    assert holders(marked(twice=2)) == {1}


def test_a_source_that_shows_few_namesakes_says_nothing_of_two_of_its_patients() -> None:
    assert holders(marked(twice=0, namesakes=9)) == set()


@pytest.mark.parametrize(
    ("given", "sex", "is_someone_else"),
    [("paula", "f", True), ("paul", "f", False), ("p", "f", False), ("pau1", "m", False), ("louis", "m", True)],
)
def test_forenames_that_are_only_alike_are_two_peoples_where_the_sex_is_another(
    given: str, sex: str, is_someone_else: bool
) -> None:
    described = (
        "SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS id_text, $given AS given, NULL::VARCHAR AS given_second, [$given] AS given_forms, 'reed' AS family, "
        "NULL::VARCHAR[] AS family_parts, $sex AS sex, 7 AS bearing"
    )
    sides = {
        name: described.replace("$given", f"'{one}'").replace("$sex", f"'{of}'")
        for name, one, of in (("l", "paul", "m"), ("r", given, sex))
    }
    found = duckdb.sql(f"SELECT {IS_SOMEONE_ELSE} FROM ({sides['l']}) AS l, ({sides['r']}) AS r").fetchall()[0][0]
    assert found is is_someone_else
