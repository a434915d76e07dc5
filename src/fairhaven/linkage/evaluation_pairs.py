"""The pairs of records that a trial got wrong, with what the records say: for the eyes of those who may see the files they came from."""

import duckdb
import pyarrow as pa

MOST = 100_000
"""Pairs of either kind that are listed."""

_RECORDS = 450
"""Records of one person that are paired with each other: they make about as many pairs as are listed, and more would be a square."""

_SAID = (
    "truth",
    "person",
    "step",
    "nhs_number",
    "given_name",
    "family_name",
    "birth_date",
    "sex",
    "postcode",
    "address",
)


def wrong_pairs(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Pairs that are one person in the trial and two by the truth (``false``), then those of which the opposite holds (``missed``).

    Args:
        connection: holds ``judged`` (source, patient, patient_ref, person, step, truth) and ``said`` (source, patient_ref, and the
            identity as it was read).

    Returns:
        kind; left_file and left_row, right_file and right_row (both from 1, without the header); then what either record says.
    """
    said = ", ".join(f"l.{name}::VARCHAR AS left_{name}, r.{name}::VARCHAR AS right_{name}" for name in _SAID)
    return pa.concat_tables(
        [
            connection.execute(
                f"""
            WITH few AS (
                SELECT * FROM judged JOIN said USING (source, patient_ref)
                QUALIFY row_number() OVER (PARTITION BY {same} ORDER BY patient) <= {_RECORDS}
            )
            SELECT '{kind}' AS kind, l.row_extract AS left_file, l.patient_ref::BIGINT AS left_row,
                r.row_extract AS right_file, r.patient_ref::BIGINT AS right_row, {said}
            FROM few AS l JOIN few AS r ON l.{same} = r.{same} AND l.{other} <> r.{other} AND l.patient < r.patient
            ORDER BY l.{same}, l.patient, r.patient LIMIT {MOST}
            """
            ).fetch_arrow_table()
            for kind, same, other in (("false", "person", "truth"), ("missed", "truth", "person"))
        ]
    )
