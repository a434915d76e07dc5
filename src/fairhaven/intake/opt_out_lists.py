"""Opt-outs, which fail closed: what cannot be told for certain counts as an opt-out, or stops the build.

- Type 1: a patient's objection at the GP practice, as a code in the practice's data.
- National data opt-out: a list of NHS numbers, one a line, a comma after it allowed (the MESH file form).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine import Engine
from fairhaven.engine.sql import file
from fairhaven.intake.current_rows import current, in_force
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, Source, TableDeclaration
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow
from fairhaven.nhs import bare_digits_sql, valid_nhs_number_sql

TABLE = "opt_out"


@dataclass(frozen=True, kw_only=True, slots=True)
class OptOutList:
    """The national data opt-outs in force on a day.

    Args:
        numbers: ``nhs_number`` (10 digits), distinct.
        dated: the day the list was received; None where there is none.
        age_days: from then to the day asked for.
    """

    numbers: pa.Table
    dated: dt.date | None
    age_days: int | None


class OptOutReader:
    """See `Reader`. Numbers are not landed: they stay in the sealed file, and only faulty lines are recorded."""

    version = "1"

    def stage(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,  # noqa: ARG002 - of the protocol; a list looks the same whoever sends it
        arrived: DeliveredFile,
        *,
        scratch: Path,
    ) -> Sequence[StagedTable]:
        """See `Reader.stage`."""
        received = read_numbers(connection, arrived.path, scratch)
        good = _one(connection, "SELECT count(*) FROM listed WHERE is_valid")
        if good == 0:
            raise Invalid(
                Fault(
                    path=arrived.name,
                    message="holds no NHS number, so it is not an opt-out list (one number a line). An empty list "
                    "would let everybody's records through.",
                )
            )
        connection.execute("CREATE VIEW listed_rows AS SELECT line AS row_line FROM listed WHERE is_valid")
        connection.execute(
            "CREATE VIEW listed_faults AS SELECT line AS row_line, 'nhs_number' AS field, "
            "'is not an NHS number with a valid check digit' AS reason, NULL::VARCHAR AS patient "
            "FROM listed WHERE NOT is_valid"
        )
        return [
            StagedTable(
                table=TABLE,
                declaration=TableDeclaration(name=TABLE),
                rows="listed_rows",
                rejects="listed_faults",
                received=received,
            )
        ]


def read_numbers(connection: duckdb.DuckDBPyConnection, path: Path, scratch: Path) -> int:
    """Make ``listed(line, number, is_valid)`` of a list; lines without anything are not in it. The number of rows."""
    text = scratch / "list"
    text.write_text(path.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\0", "?"))
    connection.execute(
        f"CREATE TABLE listed AS SELECT line, number, {valid_nhs_number_sql('number')} IS NOT NULL AS is_valid FROM ("
        f"SELECT line, replace({bare_digits_sql('written')}, ',', '') AS number FROM ("
        "SELECT unnest(string_split(content, chr(10))) AS written, "
        "generate_subscripts(string_split(content, chr(10)), 1) AS line "
        f"FROM read_text({file(text)}))) WHERE number <> ''"
    )
    text.unlink()
    return _one(connection, "SELECT count(*) FROM listed")


def check_opt_out_list(opt_outs: OptOutList, *, as_of: dt.date, max_age_days: int) -> None:
    """Refuse to use a list that is not there or too old.

    Raises:
        NotAllowedNow: it says what to do.
    """
    what_to_do = (
        'Receive a fresh list (fairhaven receive DIR SOURCE FILE, with a source of format = "opt-out"), or set '
        "national_opt_out = false on sources that are outside its scope."
    )
    if opt_outs.dated is None or opt_outs.age_days is None:
        raise NotAllowedNow(
            f"sources are in the scope of the national data opt-out, but no list had been received by {as_of}. {what_to_do}"
        )
    if opt_outs.age_days > max_age_days:
        raise NotAllowedNow(
            f"the national data opt-out list is of {opt_outs.dated}, {opt_outs.age_days} days before {as_of}; "
            f"this hub allows {max_age_days}. {what_to_do}"
        )


def type_1_opt_outs(engine: Engine, records: DeliveryRecords, source: Source) -> pa.Table:
    """``patient_ref`` of those whose latest Type 1 code by date is an opt-out.

    A code without date, on the same day as an opt-in, or in a quarantined row counts as an opt-out.

    Raises:
        NotAllowedNow: the table that carries the codes was never delivered, or a line of its latest delivery that
            could not be read may hold an opt-out of a patient that cannot be told.
    """
    rule = source.type_1_opt_out
    extracts = in_force(source, records.extracts(source.name))
    if rule is None or not extracts:
        return pa.table({"patient_ref": pa.array([], pa.string())})
    carrying = [extract for extract in extracts if rule.table in extract.tables]
    if not carrying:
        raise NotAllowedNow(
            f"{source.name}: the table {rule.table}, which carries Type 1 opt-outs, was never delivered, so nobody's "
            "wish is known. Receive it first."
        )
    quarantined = _quarantined_opt_outs(records, source, carrying)
    rows = current(engine, records, source, excluded=None)[rule.table]
    rows = rows.mutate(
        is_out=rows[rule.column].isin(list(rule.opted_out)), is_in=rows[rule.column].isin(list(rule.opted_in))
    )
    rows = rows.filter((rows.is_out | rows.is_in) & rows.patient_ref.notnull())
    day = rows[rule.date]
    by_patient = rows.group_by("patient_ref").agg(
        last_out=day.max(where=rows.is_out),
        last_in=day.max(where=rows.is_in),
        outs=rows.is_out.sum(),
        undated=(rows.is_out & day.isnull()).sum(),
    )
    opted_out = by_patient.filter(
        (by_patient.undated > 0)
        | ((by_patient.outs > 0) & (by_patient.last_in.isnull() | (by_patient.last_out >= by_patient.last_in)))
    ).select("patient_ref")
    told = engine.fetch(opted_out).column("patient_ref").to_pylist()
    return pa.table({"patient_ref": pa.array(sorted({*told, *quarantined}), pa.string())})


def _quarantined_opt_outs(records: DeliveryRecords, source: Source, carrying: Sequence[Extract]) -> set[str]:
    last = max(extract.delivery for extract in carrying)
    known: set[str] = set()
    unknown: list[str] = []
    for extract in carrying:
        rejects = pq.read_table(
            records.table(extract.number, REJECTS),
            columns=["row_line", "patient_ref"],
            filters=[("is_opt_out", "=", True)],
        )
        for line, patient_ref in zip(*(rejects.column(name).to_pylist() for name in rejects.column_names), strict=True):
            if patient_ref is not None:
                known.add(patient_ref)
            elif extract.delivery == last:
                unknown.append(f"{extract.file}:{line}")
    if unknown:
        shown = ", ".join(sorted(set(unknown))[:10])
        raise NotAllowedNow(
            f"{source.name}: lines that could not be read may hold Type 1 opt-outs, and whose is not known: {shown}. "
            "Have them corrected and receive the file again."
        )
    return known


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
