"""Opt-outs, which fail closed: what is not known for certain counts as an opt-out, or stops the build.

- Type 1: a patient's objection at the GP practice, as a code in the practice's data.
- National data opt-out: a list of NHS numbers, one a line, a comma after it allowed (the MESH file form).
"""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine import Engine
from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.sql import file
from fairhaven.identifiers.withheld import MARK
from fairhaven.intake.current_rows import current, in_force, unread_rows
from fairhaven.intake.delivery_records import DeliveryRecords
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, Source, TableDeclaration, Type1OptOut
from fairhaven.intake.reader import DeliveredFile, StagedTable
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow
from fairhaven.kernel.memory_files import discard, memory_writer
from fairhaven.nhs import bare_digits_sql, valid_nhs_number_sql

TABLE = "opt_out"
_LARGEST_LIST = 256 << 20
"""Bytes; a list is held in memory. So large is a list of a third of England."""
_DAY_IN_NAME = re.compile(r"(?<!\d)(20\d\d)-?(\d\d)-?(\d\d)(?:[T_-]?\d{4,6})?(?!\d)")


@dataclass(frozen=True, kw_only=True, slots=True)
class OptOutList:
    """The national data opt-outs in force on a day.

    Args:
        numbers: ``nhs_number`` (10 digits), distinct.
        dated: the day the list was received, or the day in its file's name where that is earlier; None where there is none.
    """

    numbers: pa.Table
    dated: dt.date | None


class OptOutReader:
    """See `Reader`. Numbers are not landed: they stay in the sealed file, and only faulty lines are recorded."""

    version = "1"
    threads: int | None = None

    def stage(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: Source,  # noqa: ARG002 - of the protocol; a list looks the same whoever sends it
        arrived: DeliveredFile,
        *,
        scratch: Path,
    ) -> Sequence[StagedTable]:
        """See `Reader.stage`."""
        if arrived.path.stat().st_size > _LARGEST_LIST:
            message = "is larger than 256 MB, so it is not an opt-out list (one number a line)"
            raise Invalid(Fault(path=arrived.name, message=message))
        received = read_numbers(connection, arrived.path, scratch)
        if count_of(connection, "SELECT count(*) FROM listed WHERE is_valid") == 0:
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
                declaration=TableDeclaration(name=TABLE),
                rows="listed_rows",
                rejects="listed_faults",
                received=received,
            )
        ]


def read_numbers(connection: duckdb.DuckDBPyConnection, path: Path, scratch: Path) -> int:
    """Make ``listed(line, number, is_valid)`` of a list; lines without anything are not in it. The number of rows."""
    text = scratch / "list"
    listed = (
        path.read_bytes().decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "?")
    )
    with memory_writer(text) as out:
        out.write(listed.encode())
    connection.execute(
        f"CREATE TABLE listed AS SELECT line, number, {valid_nhs_number_sql('number')} IS NOT NULL AS is_valid FROM ("
        f"SELECT line, replace({bare_digits_sql('written')}, ',', '') AS number FROM ("
        "SELECT unnest(string_split(content, chr(10))) AS written, "
        "generate_subscripts(string_split(content, chr(10)), 1) AS line "
        f"FROM read_text({file(text)}))) WHERE number <> ''"
    )
    discard(text)
    return count_of(connection, "SELECT count(*) FROM listed")


def dated_ahead(file: str, *, received_on: dt.date) -> Iterator[Fault]:
    """The fault of a list that by its name was made after it was received: how old it is cannot be known."""
    for day in days_in_name(file):
        if day > received_on:
            message = (
                f"its name says {day} and it was delivered on {received_on}, so how old the list is cannot be known. "
                "Give the day on which it came, or in its name the day on which it was made"
            )
            yield Fault(path=file, message=message)


def days_in_name(file: str) -> list[dt.date]:
    """The days that a file's name carries as ``2026-01-31`` or ``20260131``, a time of day after them or not."""
    found = []
    for year, month, day in _DAY_IN_NAME.findall(file):
        with suppress(ValueError):
            found.append(dt.date(int(year), int(month), int(day)))
    return found


def check_opt_out_list(opt_outs: OptOutList, *, as_of: dt.date, today: dt.date, max_age_days: int) -> None:
    """Refuse to use a list that is not there, too old on the release's day or today, or of a day to come.

    Raises:
        NotAllowedNow: it says what to do.
    """
    what_to_do = (
        'Receive a fresh list (fairhaven receive DIR SOURCE FILE, with a source of format = "opt-out"), or set '
        "national_opt_out = false on sources that are outside its scope."
    )
    if opt_outs.dated is None:
        raise NotAllowedNow(
            f"sources are in the scope of the national data opt-out, but no list had been received by {as_of}. {what_to_do}"
        )
    if opt_outs.dated > today:
        raise NotAllowedNow(
            f"the national data opt-out list is of {opt_outs.dated}, and today is {today}: a list of a day to come would "
            f"never grow old. {what_to_do}"
        )
    # Who opted out since is not on the list, whichever day the release speaks for.
    counted_to = max(as_of, today)
    age_days = (counted_to - opt_outs.dated).days
    if age_days > max_age_days:
        raise NotAllowedNow(
            f"the national data opt-out list is of {opt_outs.dated}, {age_days} days before {counted_to}; "
            f"this hub allows {max_age_days}. {what_to_do}"
        )


def type_1_opt_outs(engine: Engine, records: DeliveryRecords, source: Source) -> pa.Table:
    """``patient_ref`` of those whose latest Type 1 code by date is an opt-out.

    A code without date, on the same day as an opt-in, withheld, or in a quarantined row counts as an opt-out. An opt-in of a day
    after the delivery that carries it takes nothing back, nor does one whose newest row is in quarantine; an opt-out of such a key stands.

    Raises:
        NotAllowedNow: the table that carries the codes was never delivered, or a line of its latest delivery that
            could not be read may hold an opt-out of a patient who is not known.
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
    received_on = max(records.delivery(extract.delivery).received_on for extract in carrying)
    rows = current(engine, records, source, excluded=None, only=rule.table)[rule.table]
    if unread_rows(engine, records, carrying, rule.table) is not None:
        every = current(engine, records, source, excluded=None, hears_quarantine=False, only=rule.table)[rule.table]
        rows = ibis.union(rows.filter(~_is_out(rows, rule)), every.filter(_is_out(every, rule)))
    rows = rows.mutate(is_out=_is_out(rows, rule), is_in=rows[rule.column].isin(list(rule.opted_in)))
    rows = rows.filter((rows.is_out | rows.is_in) & rows.patient_ref.notnull())
    day = rows[rule.date]
    by_patient = rows.group_by("patient_ref").agg(
        last_out=day.max(where=rows.is_out),
        last_in=day.max(where=rows.is_in & (day.cast("date") <= ibis.literal(received_on))),
        outs=rows.is_out.sum(),
        undated=(rows.is_out & day.isnull()).sum(),
    )
    opted_out = by_patient.filter(
        (by_patient.undated > 0)
        | ((by_patient.outs > 0) & (by_patient.last_in.isnull() | (by_patient.last_out >= by_patient.last_in)))
    ).select("patient_ref")
    landed = engine.fetch(opted_out).column("patient_ref").to_pylist()
    return pa.table({"patient_ref": pa.array(sorted({*landed, *quarantined}), pa.string())})


def _is_out(rows: ir.Table, rule: Type1OptOut) -> ir.BooleanValue:
    """Whether a row opts out; a code that was withheld may have been one."""
    code = rows[rule.column]
    is_out = code.isin(list(rule.opted_out))
    return ((is_out | code.startswith(MARK)) if code.type().is_string() else is_out).fill_null(False)


def _quarantined_opt_outs(records: DeliveryRecords, source: Source, carrying: Sequence[Extract]) -> set[str]:
    last = max(extract.delivery for extract in carrying)
    is_opt_out = [("is_opt_out", "=", True)]
    rows = [
        (extract, row)
        for extract in carrying
        for row in pq.read_table(records.table(extract.number, REJECTS), filters=is_opt_out).to_pylist()
    ]
    unknown = {
        f"{extract.file}:{row['row_line']}"
        for extract, row in rows
        if row["patient_ref"] is None and extract.delivery == last
    }
    if unknown:
        raise NotAllowedNow(
            f"{source.name}: lines that could not be read may hold Type 1 opt-outs, and whose is not known: "
            f"{', '.join(sorted(unknown)[:10])}. Have them corrected and receive the file again."
        )
    return {row["patient_ref"] for _, row in rows} - {None}
