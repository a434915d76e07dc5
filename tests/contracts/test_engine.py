"""What every engine owes: the same expressions give the same rows, and files that every other engine reads."""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, note
from hypothesis import strategies as st

from fairhaven.engine import Engine, is_stored, open_engine
from fairhaven.harmonise.mapping_values import as_type
from fairhaven.kernel.errors import Invalid
from tests.support.examples import examples

# Times of the CDM have no zone.
# ruff: noqa: DTZ001

SCHEMA = pa.schema(
    [
        ("row_key", pa.int64()),
        ("person_id", pa.int64()),
        ("concept_id", pa.int32()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us")),
        ("value", pa.float64()),
        ("code", pa.string()),
        ("withdrawn", pa.bool_()),
    ]
)
# Without letters whose capitals engines know differently: see the gaps at the end.
TEXT = st.text(st.sampled_from("aAfFvV xX19.-+/| \t\v\f\n\\'\"`%_{}éÉ☃中😀"), max_size=12)
MOMENTS = st.datetimes(dt.datetime(1850, 1, 1), dt.datetime(2150, 1, 1))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "row_key": st.integers(0, 2**52 - 1),
            "person_id": st.none() | st.integers(0, 2**52 - 1) | st.integers(0, 3),
            "concept_id": st.none() | st.integers(0, 2**31 - 1) | st.integers(0, 3),
            "day": st.none() | st.dates(dt.date(1850, 1, 1), dt.date(2150, 1, 1)),
            "moment": st.none() | MOMENTS,
            "value": st.none() | st.floats(-1e9, 1e9).map(lambda number: round(number, 4)),
            "code": st.none() | TEXT | st.sampled_from(["A", "a", "", " A ", "é", "☃"]),
            "withdrawn": st.none() | st.booleans(),
        }
    ),
    max_size=12,
)
FIXED = [
    (1, 10, 3, dt.date(1899, 12, 31), dt.datetime(1899, 12, 31, 23, 59, 59, 123456), 1.5, "E11.9", False),
    (2, 10, None, dt.date(2020, 2, 29), dt.datetime(2020, 3, 29, 1, 30), -0.0, "é☃ \"'\\", True),
    (3, None, 3, None, None, None, None, None),
    (4, 2**52 - 1, 2**31 - 1, dt.date(2000, 1, 1), dt.datetime(2000, 1, 1), 0.1, "", False),
    (4, 2**52 - 1, 2**31 - 1, dt.date(2000, 1, 1), dt.datetime(2000, 1, 1), 0.1, "", False),
    (5, 7, 0, dt.date(2000, 1, 31), dt.datetime(2000, 1, 31, 12), 1e300, "E11.9", None),
]


def table_of(rows: Sequence[Any]) -> pa.Table:
    names = SCHEMA.names
    return pa.Table.from_pylist(
        [row if isinstance(row, dict) else dict(zip(names, row, strict=True)) for row in rows], SCHEMA
    )


ODD_TEXTS = [
    *(
        "1",
        " 2.50 ",
        "-3e2",
        ".5",
        "5.",
        "1_0",
        "NaN",
        "infinity",
        "1.5",
        "2147483648",
        "99999999999999999999",
        "",
        "x",
    ),
    *(
        "2020-02-29",
        "2020-02-30",
        "2020-2-9",
        "2020-01-01T10:00:00Z",
        "2020-01-01 10:00",
        "epoch",
        "20200101",
        "5f",
        "7d",
    ),
]


@pytest.mark.parametrize("dtype", ["float64", "int64", "int32", "date"])
def test_text_becomes_numbers_and_dates_alike(engine: Engine, reference: Engine, dtype: str) -> None:
    rows = pa.table({"code": ODD_TEXTS})
    mine, theirs = engine.arrow(rows), reference.arrow(rows)
    same_rows(
        engine.fetch(mine.mutate(found=as_type(mine.code, dtype))),
        reference.fetch(theirs.mutate(found=as_type(theirs.code, dtype))),
    )


@pytest.fixture(scope="module")
def rows(engine: Engine) -> ir.Table:
    return engine.arrow(table_of(FIXED))


def same_rows(left: pa.Table, right: pa.Table) -> None:
    """Equal as multisets, types included: EXCEPT ALL both ways is empty."""
    assert [(field.name, field.type) for field in left.schema] == [(field.name, field.type) for field in right.schema]
    with duckdb.connect() as connection:
        connection.register("l", left)
        connection.register("r", right)
        differing = connection.execute(
            "SELECT count(*) FROM ((FROM l EXCEPT ALL FROM r) UNION ALL (FROM r EXCEPT ALL FROM l))"
        ).fetchone()
    assert differing == (0,)


# One expression for each thing that engines are known to do differently.
EXPRESSIONS: dict[str, Callable[[Any], Any]] = {
    "as it is": lambda t: t,
    "xor of 52-bit identifiers": lambda t: t.mutate(
        a=t.row_key ^ ibis.literal(4503599627370495, "int64"), b=(t.row_key ^ 5) ^ t.person_id
    ),
    "remainder, with absent values": lambda t: t.mutate(b=t.person_id % 8, c=t.person_id.fill_null(0) % 8),
    "integer widths": lambda t: t.mutate(
        a=t.day.year().cast("int32"), b=t.concept_id.cast("int64"), c=t.value.isnull().cast("int32")
    ),
    "dates and times": lambda t: t.mutate(
        a=t.moment.date(),
        b=t.day.cast("timestamp(6)"),
        c=t.day + ibis.interval(days=30),
        d=t.day.month(),
        e=t.moment.hour(),
    ),
    "days between": lambda t: t.mutate(a=t.day.delta(ibis.date(2000, 1, 1), unit="day").cast("int64")),
    "text": lambda t: t.mutate(
        a=t.code.upper(),
        b=t.code.strip(),
        c=t.code.length().cast("int32"),
        d=t.code.replace(".", ""),
        e=t.code.substr(0, 3),
        f=t.code + "|",
        g=t.code.fill_null("none"),
        h=t.code.startswith("E"),
    ),
    "digest": lambda t: t.mutate(a=t.code.hexdigest("sha256")),
    "text that is no number": lambda t: t.mutate(a=t.code.try_cast("float64"), b=t.code.try_cast("date")),
    "numbers as text": lambda t: t.mutate(a=t.row_key.cast("string"), b=t.day.cast("string")),
    "null logic": lambda t: t.filter(t.withdrawn.fill_null(False) | t.concept_id.isnull()).mutate(
        a=t.code.nullif(""), b=ibis.coalesce(t.concept_id, 0), c=t.person_id.identical_to(t.row_key)
    ),
    "first of each by window": lambda t: t.filter(
        ibis.row_number().over(
            group_by=[t.person_id],
            order_by=[
                t.day.asc(nulls_first=False),
                t.row_key,
                t.code.asc(nulls_first=False),
                t.moment,
                t.value,
                t.concept_id,
            ],
        )
        == 0
    ).select("person_id", "row_key"),
    "gaps by window": lambda t: t.mutate(
        before=t.day.max().over(group_by=t.person_id, order_by=[t.day, t.row_key], rows=(None, -1))
    ).drop("moment", "value", "code", "withdrawn", "concept_id"),
    "groups": lambda t: t.group_by("concept_id").agg(
        n=t.count().cast("int64"), first=t.day.min(), last=t.moment.max(), persons=t.person_id.nunique().cast("int64")
    ),
    "union": lambda t: t.union(t.mutate(code=ibis.literal("x"))),
    "join on absent values": lambda t: t.join(t.view(), ["person_id", "concept_id"]).select("row_key", "row_key_right"),
    "left join": lambda t: t.left_join(t.view().filter(lambda v: v.value > 0), "row_key").select(
        "row_key", "value_right"
    ),
    "anti join": lambda t: t.anti_join(t.filter(t.withdrawn), "row_key"),
    "unpivot": lambda t: (
        t.select("row_key", a=t.code, b=t.code.upper())
        .pivot_longer(["a", "b"], names_to="column", values_to="code")
        .filter(lambda v: v.code.notnull())
    ),
    "cases": lambda t: t.mutate(a=ibis.cases((t.value > 1, "high"), (t.value.isnull(), "absent"), else_="low")),
    "division": lambda t: t.mutate(a=t.value / 7.0, b=t.concept_id / 2),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_gives_the_rows_that_duckdb_gives(
    engine: Engine, reference: Engine, rows: ir.Table, name: str
) -> None:
    expected = reference.fetch(EXPRESSIONS[name](reference.arrow(table_of(FIXED))))
    same_rows(engine.fetch(EXPRESSIONS[name](rows)), expected)


@examples(4, phases=[Phase.explicit, Phase.generate])
@given(ROWS)
def test_generated_rows_give_the_rows_that_duckdb_gives(
    engine: Engine, reference: Engine, generated: list[dict[str, Any]]
) -> None:
    if engine.name == "duckdb":
        return
    mine, theirs = engine.arrow(table_of(generated)), reference.arrow(table_of(generated))
    for name, build in EXPRESSIONS.items():
        note(name)
        same_rows(engine.fetch(build(mine)), reference.fetch(build(theirs)))
    engine.drop(mine)
    reference.drop(theirs)


def test_rows_are_kept_and_given_back(engine: Engine, rows: ir.Table) -> None:
    kept = engine.keep(rows.filter(rows.person_id == 10))
    assert is_stored(kept) and not is_stored(rows.filter(rows.person_id == 10))
    assert engine.count(kept) == 2
    assert kept.schema().to_pyarrow() == SCHEMA.remove_metadata() or kept.schema().names == tuple(SCHEMA.names)
    engine.drop(kept)


def test_rows_of_several_expressions_are_kept_in_one_table(engine: Engine, rows: ir.Table) -> None:
    parts = [rows.filter(rows.person_id == 10), rows.filter(ibis.literal(False)), rows.filter(rows.person_id != 10)]
    kept = engine.keep(*parts)
    same_rows(engine.fetch(kept), engine.fetch(ibis.union(*parts)))
    engine.drop(kept)


def test_no_rows_are_kept_too(engine: Engine, rows: ir.Table) -> None:
    kept = engine.keep(rows.filter(ibis.literal(False)))
    assert engine.count(kept) == 0
    same_rows(engine.fetch(kept), SCHEMA.empty_table())


def test_a_column_of_absent_values_is_read(engine: Engine) -> None:
    table = engine.arrow(pa.table({"a": [1, 2], "b": pa.nulls(2)}))
    assert engine.fetch(table)["b"].to_pylist() == [None, None]


def test_no_files_are_refused(engine: Engine) -> None:
    with pytest.raises(ValueError, match="no files"):
        engine.parquet([])


def test_one_bucket_is_one_sorted_file(engine: Engine, rows: ir.Table, tmp_path: Path) -> None:
    written = engine.write(rows, tmp_path / "out", order_by=["concept_id", "row_key"])
    assert written == {0: tmp_path / "out" / "bucket-000.parquet"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bucket-000.parquet"]
    found = pq.read_table(written[0])
    same_rows(found.cast(SCHEMA), table_of(FIXED))
    assert found["concept_id"].to_pylist() == [0, 3, 3, 2**31 - 1, 2**31 - 1, None]
    assert pq.read_metadata(written[0]).row_group(0).column(0).compression == "ZSTD"


def test_times_in_files_have_no_zone(engine: Engine, rows: ir.Table, tmp_path: Path) -> None:
    [file] = engine.write(rows, tmp_path / "out").values()
    types = {row[0]: row[1] for row in duckdb.sql(f"DESCRIBE FROM '{file}'").fetchall()}
    assert list(types.values()) == ["BIGINT", "BIGINT", "INTEGER", "DATE", "TIMESTAMP", "DOUBLE", "VARCHAR", "BOOLEAN"]


@pytest.mark.parametrize("buckets", [2, 8])
def test_a_row_goes_to_its_remainder_s_bucket(engine: Engine, rows: ir.Table, tmp_path: Path, buckets: int) -> None:
    written = engine.write(rows, tmp_path / "out", order_by=["row_key"], buckets=buckets, bucket_by="person_id")
    expected: dict[int, list[int]] = {}
    for row in table_of(FIXED).to_pylist():
        expected.setdefault((row["person_id"] or 0) % buckets, []).append(row["row_key"])
    found = {bucket: pq.read_table(file)["row_key"].to_pylist() for bucket, file in written.items()}
    assert found == expected
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        f"bucket-{bucket:03d}.parquet" for bucket in expected
    }
    back = engine.parquet(list(written.values()))
    same_rows(engine.fetch(back), table_of(FIXED))


def test_nothing_written_is_no_file(engine: Engine, rows: ir.Table, tmp_path: Path) -> None:
    assert engine.write(rows.filter(ibis.literal(False)), tmp_path / "a") == {}
    assert engine.write(rows.filter(ibis.literal(False)), tmp_path / "b", buckets=4, bucket_by="person_id") == {}
    assert list(Path(tmp_path).rglob("*.parquet")) == []


def test_many_rows_stay_one_file_a_bucket(engine: Engine, tmp_path: Path) -> None:
    many = pa.table({"person_id": pa.array(range(300_000), pa.int64())})
    written = engine.write(
        engine.arrow(many), tmp_path / "out", order_by=["person_id"], buckets=4, bucket_by="person_id"
    )
    assert sorted(written) == [0, 1, 2, 3]
    assert pq.read_table(written[3])["person_id"].to_pylist() == list(range(3, 300_000, 4))


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("ß", lambda t: t.code.upper()),
        ("NaN", lambda t: t.code.try_cast("float64")),
        ("1_0", lambda t: t.code.try_cast("float64")),
        ("epoch", lambda t: t.code.try_cast("date")),
    ],
    ids=["capital of sharp s", "no number", "underscore in a number", "word for a date"],
)
def test_gaps_between_engines_that_rooms_must_step_around(
    engine: Engine, reference: Engine, text: str, build: Callable[[Any], Any]
) -> None:
    if engine.name == "duckdb":
        return
    rows = pa.table({"code": [text]})
    mine, theirs = engine.arrow(rows), reference.arrow(rows)
    assert engine.fetch(mine.select(a=build(mine))) != reference.fetch(theirs.select(a=build(theirs)))


def test_an_unknown_engine_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="duckdb, spark"):
        open_engine("oracle", tmp_path)
