"""The intake room as others use it."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import file as sql_file
from fairhaven.intake import current_rows, delivery_erasure, opt_out_lists, reconciliation, row_search
from fairhaven.intake.cdm_reader import OmopReader
from fairhaven.intake.delimited_reader import DelimitedReader
from fairhaven.intake.delivery_receipt import DeliveryReceiver, receive, recover
from fairhaven.intake.delivery_records import EXTRACT, DeliveryRecords
from fairhaven.intake.fhir.fhir_reader import FhirReader
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Delivery, Extract, Format, Receipt, RowOrigin, Source
from fairhaven.intake.opt_out_lists import OptOutList, OptOutReader, days_in_name
from fairhaven.intake.parquet_reader import ParquetReader
from fairhaven.intake.ports import IdentityVault
from fairhaven.intake.reader import Reader
from fairhaven.intake.relanding import land_again, to_land_again
from fairhaven.intake.row_links import has_linked_rows
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.expansion import USUAL, ExpansionLimits
from fairhaven.kernel.files import readers_scratch
from fairhaven.kernel.keyring import DerivationKey
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor
from fairhaven.release.facts import QuarantinedRows, RowFlow


class Intake:
    """What was received by a hub, and how more is.

    Args:
        store: the hub's ``store`` folder.
        envelope: seals what is delivered.
        pseudonyms: the key of pseudonyms, row keys and tombstones.
        birth_date: how much of a date of birth lands: ``day``, ``month`` or ``year``.
        limits: how large a delivered file may become when it is unpacked.
    """

    def __init__(
        self,
        store: Path,
        *,
        envelope: Envelope,
        pseudonyms: DerivationKey,
        birth_date: str,
        limits: ExpansionLimits = USUAL,
    ) -> None:
        readers: dict[Format, Reader] = {
            Format.DELIMITED: DelimitedReader(),
            Format.PARQUET: ParquetReader(),
            Format.FHIR: FhirReader(),
            Format.OMOP: OmopReader(),
            Format.OPT_OUT: OptOutReader(),
        }
        self._receiver = DeliveryReceiver(
            store=store,
            envelope=envelope,
            pseudonyms=pseudonyms,
            readers=readers,
            birth_date=birth_date,
            records=DeliveryRecords(store),
            limits=limits,
        )
        self._records = self._receiver.records

    def receive(
        self,
        source: Source,
        files: Sequence[Path],
        *,
        received_on: dt.date,
        vault: IdentityVault,
        progress: Progress,
        code_version: str,
        by: Actor,
        known: Mapping[str, str | None],
        enter: Callable[[Sequence[Extract], Any], object],
        check_earlier: Callable[[Sequence[Extract]], object],
    ) -> Receipt:
        """Take delivery of files, as a whole or not at all. The caller holds the lock of the deliveries, and has recovered.

        Args:
            known: as of `recover`.
            enter: commits the delivery: enters it in the ledger with its extracts, and with its record as JSON has it.
            check_earlier: refuses extracts that are not as they were written. Rows of erased patients, in what comes, may reach
                earlier extracts of the source: then it is asked before anything of these is read or changed.

        Raises:
            Invalid: a file cannot be landed; every fault of every file. Or as `recover`.
        """
        return receive(
            self._receiver,
            source,
            files,
            received_on=received_on,
            vault=vault,
            progress=progress,
            code_version=code_version,
            by=by,
            known=known,
            enter=enter,
            check_earlier=check_earlier,
            leave_out=delivery_erasure.leave_out,
        )

    def write_missing_records(self, records: Mapping[int, Any]) -> None:
        """See `DeliveryRecords.write_missing`."""
        self._records.write_missing(records)

    def finish_swaps(self, *, known: Mapping[str, str | None]) -> None:
        """See `DeliveryRecords.finish_swaps`."""
        self._records.finish_swaps(known)

    def is_earlier(self, known: Collection[str]) -> Callable[[str], bool]:
        """See `DeliveryRecords.is_earlier`."""
        return self._records.is_earlier(known)

    def recover(self, vault: IdentityVault, *, known: Mapping[str, str | None]) -> None:
        """Clear away what a killed command left and finish what it decided. The caller holds the lock of the deliveries.

        Args:
            known: paths in the store of all files of deliveries that the ledger has -> content hash, None where it has none;
                none of them is cleared away.

        Raises:
            Invalid: one of these is missing; nothing was cleared away.
        """
        recover(self._records, vault, known)

    def until(self, delivery: int) -> "Intake":
        """The deliveries up to one, whatever is received from now on: what a build is made of."""
        seen = copy(self)
        seen._receiver = replace(self._receiver, records=self._records.until(delivery))
        seen._records = seen._receiver.records
        return seen

    def deliveries(self) -> list[Delivery]:
        """Every delivery, in order."""
        return self._records.deliveries()

    def extracts(self, source_name: str | None = None) -> list[Extract]:
        """Every extract, in order."""
        return self._records.extracts(source_name)

    def places_written(self, extracts: Sequence[Extract]) -> list[Path]:
        """What receiving, landing again and erasing write of these extracts: their deliveries' records, the folders of what
        is landed, the sealed bytes."""
        records = [self._records.record(number) for number in {extract.delivery for extract in extracts}]
        landed = [self._records.folder(extract.number) for extract in extracts]
        return [*records, *landed, *(self._records.sealed(extract.sealed_as) for extract in extracts)]

    def places_read(self, extracts: Sequence[Extract], *, stale: Collection[int]) -> list[Path]:
        """What a build reads of these extracts.

        Args:
            stale: numbers of those whose landed files are not read, because they are landed again first.
        """
        found = [self._records.record(number) for number in {extract.delivery for extract in extracts}]
        for extract in extracts:
            is_sealed_read = extract.number in stale or extract.format is Format.OPT_OUT
            if is_sealed_read:
                found += [self._records.folder(extract.number) / EXTRACT, self._records.sealed(extract.sealed_as)]
            else:
                found.append(self._records.folder(extract.number))
        return found

    def to_land_again(self, source: Source) -> list[Extract]:
        """Extracts whose rows depend on something that has changed since they were landed."""
        return to_land_again(self._receiver, source)

    def must_land_before_erasing(self, source: Source) -> bool:
        """Whether an erasure lands extracts of a source again before it looks for rows: stale ones, where rows belong through others."""
        return has_linked_rows(source) and bool(self.to_land_again(source))

    def landing_version(self, source: Source) -> str:
        """Version of the code that lands the source's rows, and the precision that it gives dates of birth."""
        return self._receiver.code(source)

    def land_again(
        self, source: Source, *, vault: IdentityVault, progress: Progress, also: Collection[int] = ()
    ) -> tuple[int, ...]:
        """Land extracts again from the sealed bytes where the declaration, a reader or the hub's precision of birth
        dates changed since. The caller holds the lock of the deliveries.

        Args:
            also: numbers of further extracts, of this source or others.

        Returns:
            numbers of the extracts that were landed again.

        Raises:
            Invalid: extracts do not fit the new declaration; they are as they were, the others are landed again.
        """
        return land_again(
            self._receiver, source, vault=vault, progress=progress, leave_out=delivery_erasure.leave_out, also=also
        )

    def current(
        self, engine: Engine, source: Source, *, excluded: ir.Table | None, births: pa.Table | None = None
    ) -> Mapping[str, ir.Table]:
        """The current rows by table: of rows with one key the last, without withdrawn rows and excluded patients.

        Args:
            excluded: has ``patient_ref`` of patients to leave out; None for nobody.
            births: ``patient_ref, birth_date``: days of birth of the source's patients that only other sources give.
        """
        precision = self._receiver.birth_date
        is_cut = births is not None and births.num_rows > 0 and precision != "day"
        days = engine.arrow(births) if is_cut else None
        return current_rows.current(engine, self._records, source, excluded=excluded, births=days, precision=precision)

    def type_1_opt_outs(self, engine: Engine, source: Source) -> pa.Table:
        """See `opt_out_lists.type_1_opt_outs`."""
        return opt_out_lists.type_1_opt_outs(engine, self._records, source)

    def national_opt_out(self, *, as_of: dt.date) -> OptOutList:
        """The national data opt-outs of the latest list received by *as_of*; check it by `check_opt_out_list`.

        Where several sources deliver lists, they count together and the oldest of their latest days is the date.
        """
        # Of one day, the later delivery; a list that arrived late is not the latest for that.
        last = {
            delivery.source: delivery
            for delivery in sorted(self._records.deliveries(), key=lambda delivery: delivery.received_on)
            if delivery.format is Format.OPT_OUT and delivery.received_on <= as_of
        }
        files = [self._records.extract(number).file for delivery in last.values() for number in delivery.extracts]
        days = [delivery.received_on for delivery in last.values()]
        dated = min([*days, *(day for file in files for day in days_in_name(file))], default=None)
        numbers = [self._listed(number) for delivery in last.values() for number in delivery.extracts]
        empty = pa.table({"nhs_number": pa.array([], pa.string())})
        together = pa.concat_tables([empty, *numbers])
        return OptOutList(
            numbers=together.group_by("nhs_number").aggregate([]),
            dated=dated,
        )

    def reconcile(self, engine: Engine, source: Source, excluded: ir.Table | None) -> list[RowFlow]:
        """See `reconciliation`; check it by `check_reconciled` and `check_quarantine`."""
        return reconciliation.reconcile(engine, self._records, source, excluded=excluded)

    def erase(
        self,
        patient_refs_by_source: Mapping[str, Sequence[str]],
        *,
        sources: Mapping[str, Source],
        vault: IdentityVault,
        progress: Progress,
    ) -> delivery_erasure.ErasureCounts:
        """Erase patients from landed rows and sealed bytes, for good, with what belongs to them through other tables.

        Doing it again, after a crash or not, changes nothing that is done. The caller holds the lock of the deliveries.

        Args:
            sources: as they are declared now, each of them.

        Raises:
            Invalid: extracts of a source whose rows belong to others do not fit what it declares now; nothing of it is
                erased then.
        """
        for name in patient_refs_by_source:
            source = sources[name]
            if has_linked_rows(source):
                delivery_erasure.finish_blanking(self._receiver, source)
                self.land_again(source, vault=vault, progress=progress)
        return delivery_erasure.erase(self._receiver, patient_refs_by_source, sources)

    def where(self, extract: int, line: int) -> RowOrigin:
        """The delivered file that a row came from.

        Raises:
            NotFound: no such extract.
        """
        found = self._records.extract(extract)
        delivery = self._records.delivery(found.delivery)
        return RowOrigin(
            source=found.source,
            file=found.file,
            delivery=delivery.number,
            received_on=delivery.received_on,
            extract=extract,
            line=line,
            sha256=found.sha256,
        )

    def patients_at(self, extract: int, lines: Collection[int], *, table: str) -> pa.Table:
        """Whom landed rows of some lines bear: ``source, patient_ref, row_line``.

        Args:
            table: the one that is meant of a CDM, whose tables each have lines of their own.
        """
        found = self._records.extract(extract)
        tables = [name for name in found.tables if found.format is not Format.OMOP or name == table]
        paths = [self._records.table(extract, name) for name in tables]
        if not paths:
            return _NOBODY
        rows = " UNION ALL ".join(f"SELECT patient_ref, row_line FROM read_parquet({sql_file(path)})" for path in paths)
        with readers_scratch() as work, open_duckdb(spill=work, reaches=paths) as connection:
            connection.register("wanted", pa.table({"row_line": pa.array(sorted(lines), pa.int64())}))
            return connection.execute(
                f"SELECT DISTINCT ? AS source, patient_ref, row_line FROM ({rows}) SEMI JOIN wanted USING (row_line) "
                "WHERE patient_ref IS NOT NULL",
                [found.source],
            ).fetch_arrow_table()

    def lines_of(
        self, patient_refs_by_source: Mapping[str, Collection[str]], *, sources: Mapping[str, Source]
    ) -> pa.Table:
        """See `row_search.lines_of`."""
        return row_search.lines_of(self._receiver, patient_refs_by_source, sources)

    def also_named(self, source: str, patient_refs: Collection[str], numbers: Collection[str] = ()) -> frozenset[str]:
        """patient_refs of the same patients, where FHIR resources name them by an identifier and not by their number.

        Args:
            numbers: NHS numbers of theirs, valid and as ten digits.
        """
        return delivery_erasure.also_named(self._receiver, source, patient_refs, numbers)

    def named_by_numbers(self, numbers: Collection[str], *, others: pa.Table) -> Mapping[str, frozenset[str]]:
        """patient_refs by source of whom rows are in quarantine, or FHIR resources name no patient, that hold one of some NHS numbers.

        Args:
            numbers: valid ones, as ten digits.
            others: ``source, patient_ref`` of who is known to be somebody else, though such a number stands in their rows.
        """
        return delivery_erasure.named_by_numbers(self._receiver, numbers, others) if numbers else {}

    def places_told(self, extracts: Sequence[int], *, rejects: bool = False) -> list[Path]:
        """What says of extracts where they came from, and with *rejects* what was put in quarantine of them."""
        numbers = sorted(extracts)
        records = {self._records.record(self._records.extract(number).delivery) for number in numbers}
        told = [self._records.folder(number) / EXTRACT for number in numbers]
        return [*sorted(records), *told, *(self._records.table(number, REJECTS) for number in numbers if rejects)]

    def quarantined(self, extracts: Sequence[Extract]) -> tuple[QuarantinedRows, ...]:
        """Rows of extracts that are in quarantine, by source and kind, the most first."""
        return reconciliation.quarantined_rows(self._records, extracts)

    def quarantine(self, numbers: Sequence[int] | None = None) -> pa.Table:
        """Quarantined rows of all extracts, or of those of these numbers: ``source, row_extract, file, table_name, row_line,
        field, reason``."""
        parts = []
        extracts = self.extracts() if numbers is None else [self._records.extract(number) for number in sorted(numbers)]
        paths = [self._records.table(extract.number, REJECTS) for extract in extracts]
        with readers_scratch() as work, open_duckdb(spill=work, reaches=paths) as connection:
            for extract, path in zip(extracts, paths, strict=True):
                parts.append(
                    connection.execute(
                        "SELECT ? AS source, ?::INTEGER AS row_extract, ? AS file, table_name, row_line, field, reason "
                        f"FROM read_parquet({sql_file(path)}) ORDER BY table_name, row_line, field",
                        [extract.source, extract.number, extract.file],
                    ).fetch_arrow_table()
                )
        return pa.concat_tables([_NOTHING_QUARANTINED, *parts])

    def _listed(self, extract: int) -> pa.Table:
        with (
            self._receiver.opened(self._records.extract(extract)) as (file, room),
            open_duckdb(spill=room, reaches=[room], keeps_order=True) as connection,
        ):
            opt_out_lists.read_numbers(connection, file.path, room)
            return connection.execute("SELECT number AS nhs_number FROM listed WHERE is_valid").fetch_arrow_table()


# Of no batch, because whoever makes an array loads pandas, which takes longer than many a command.
_NOBODY = pa.Table.from_batches(
    [], pa.schema({"source": pa.string(), "patient_ref": pa.string(), "row_line": pa.int64()})
)
_NOTHING_QUARANTINED = pa.Table.from_batches(
    [],
    pa.schema(
        {
            "source": pa.string(),
            "row_extract": pa.int32(),
            "file": pa.string(),
            "table_name": pa.string(),
            "row_line": pa.int64(),
            "field": pa.string(),
            "reason": pa.string(),
        }
    ),
)
