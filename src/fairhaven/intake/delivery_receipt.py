"""Receiving: files become a committed delivery, as a whole or not at all.

Nothing that a killed receive leaves behind is ever read: folders and sealed files count only when a delivery names
them, and a delivery counts when it is entered in the ledger, which comes last.
"""

import datetime as dt
import os
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine.damage import reading_foreign
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.identifiers.known_identifiers import PURPOSE, KnownIdentifiers
from fairhaven.intake import landing
from fairhaven.intake.delivery_counts import counted_together, faults_of, undecided_keys
from fairhaven.intake.delivery_records import DeliveryRecords, Tombstones, make_durable, name_of_sealed
from fairhaven.intake.file_names import numbered_names, telling_names
from fairhaven.intake.landed_texts import LandedTexts
from fairhaven.intake.line_erasure import blank
from fairhaven.intake.model import (
    Delivery,
    DeliveryKind,
    Extract,
    Format,
    Receipt,
    Source,
    TableCount,
    UndecidedKey,
)
from fairhaven.intake.opt_out_lists import dated_ahead
from fairhaven.intake.ports import IdentityVault
from fairhaven.intake.reader import DeliveredFile, Reader
from fairhaven.intake.reconciliation import quarantine_reasons
from fairhaven.intake.resource_tombstones import ResourceTombstones
from fairhaven.intake.row_links import links_of, owners_of
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.expansion import ACCEPTED, USUAL, ExpansionLimits
from fairhaven.kernel.files import canonical_json, clear_scratch, scratch, sha256_of
from fairhaven.kernel.foreign_files import ForeignFile, files_below, given, kind_fault, name_fault
from fairhaven.kernel.foreign_names import shown
from fairhaven.kernel.keyring import DerivationKey
from fairhaven.kernel.listing import listed
from fairhaven.kernel.memory_files import memory_writer
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor
from fairhaven.omop.external_tables import UNWRITTEN

_CHUNK = 1 << 22
# Of no batch, because whoever makes an array loads pandas, which takes longer than many a command.
_NO_NUMBERS = pa.Table.from_batches([], pa.schema([("patient_ref", pa.string()), ("number", pa.string())]))
VERSION = "7"
"""Of landing itself; raised when the same staged rows would land otherwise than before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryReceiver:
    """What receiving works with: the store, its keys, the readers by format, the hub's precision of birth dates, the store's
    records as far as they are seen, and how large a delivered file may become."""

    store: Path
    envelope: Envelope
    pseudonyms: DerivationKey
    readers: Mapping[Format, Reader]
    birth_date: str
    records: DeliveryRecords
    limits: ExpansionLimits = USUAL

    def code(self, source: Source) -> str:
        """What landed rows depend on beside the declaration: the reader, landing itself, the precision of births, what the mapping reads."""
        code = f"{source.format}-{self.readers[source.format].version}/landing-{VERSION}/birth-{self.birth_date}"
        if source.tables and links_of(source):
            # Before, what tells of their patient was looked for only beside the row that says whose they are.
            code += "/owners-of-all-deliveries"
        if not source.reads:
            return code
        reads = {
            table: texts
            and {
                "plain": sorted(texts.plain),
                "free": sorted(texts.free),
                "words": {column: sorted(words) for column, words in sorted(texts.words.items())},
            }
            for table, texts in sorted(source.reads.items())
        }
        return f"{code}/reads-{sha256(canonical_json(reads).encode()).hexdigest()[:8]}"

    def texts(self, source: Source) -> LandedTexts:
        """What goes through the source's landed tables."""
        return LandedTexts.of(
            source,
            key=self.pseudonyms.key_for(PURPOSE),
            pseudonyms=landing.LandingKeys.of(self.pseudonyms.key_for).pseudonym,
            birth_date=self.birth_date,
        )

    def owners_of(self, source: Source, tables: Collection[str], *, but: int = 0) -> list[Path]:
        """Landed tables of a source that say whose the rows of some tables are, of all extracts but one."""
        owners = owners_of(links_of(source), tables) if source.tables else ()
        # Most deliveries need none, and to find them takes the record of every extract.
        return [
            self.records.table(extract.number, table)
            for extract in (self.records.extracts(source.name) if owners else ())
            for table in extract.tables
            if table in owners and extract.number != but
        ]

    def seal(self, path: Path, sealed_as: str) -> str:
        """Seal a file under the name of an extract's sealed bytes; the digest of what was sealed."""
        with path.open("rb") as content:
            return self.envelope.seal(content, self.records.sealed(sealed_as))

    @contextmanager
    def opened(self, extract: Extract, *, within: Path | None = None) -> Iterator[tuple[DeliveredFile, Path]]:
        """An extract's file as it was delivered, unsealed in memory, and the private folder of its path; both go at the end.

        Args:
            within: where that folder is made; None for the store, whose lock is held then.
        """
        with scratch(within or self.store / "scratch") as work:
            path = work / "opened"
            self.envelope.open_to(self.records.sealed(extract.sealed_as), path)
            blanked = frozenset(table for table, count in extract.tables.items() if count.erased)
            yield DeliveredFile(path=path, name=extract.file, limits=ACCEPTED, blanked=blanked), work


class ErasedRowsOut(Protocol):
    """Takes out of what has just landed the rows that belong to erased patients through other rows."""

    def __call__(
        self,
        receiver: DeliveryReceiver,
        source: Source,
        landed: Sequence[Extract],
        erased_names: Collection[str],
        *,
        check_earlier: Callable[[Sequence[Extract]], object],
    ) -> list[Extract]:
        """See `delivery_erasure.leave_out`."""


def receive(
    receiver: DeliveryReceiver,
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
    leave_out: ErasedRowsOut,
) -> Receipt:
    """Take delivery of the files; the caller holds the lock of the deliveries, and has recovered.

    Args:
        known: as of `recover`.
        enter: commits the delivery: enters it in the ledger with its extracts, and with its record as JSON has it.
        check_earlier: refuses extracts that are not as they were written; asked before rows of erased persons are
            looked for in earlier ones. Whose the rows are whose owners came earlier is looked up without: it changes nothing there.

    Raises:
        Invalid: a file cannot be landed; then none is, and every fault of every file is in it.
    """
    records = receiver.records
    clear_scratch(receiver.store / "scratch")
    number, first = records.next_numbers(known)
    with scratch(receiver.store / "scratch") as work:
        landing_in = replace(receiver, records=records.receiving(first, work / "landing"))
        arrived = _arrived(files, source, work)
        names = [file.name for file in arrived]
        check_faults(list(numbered_names(names)))
        if source.format is Format.OPT_OUT:
            check_faults([fault for file in arrived for fault in dated_ahead(file.name, received_on=received_on)])
        digests = [_digest(file) for file in arrived]
        before = records.extracts_of(digests)
        new, already = _new(arrived, digests, _known(records, before, source, received_on), source)
        if not new:
            return Receipt(source=source.name, delivery=None, already_received=already)
        try:
            extracts = list[Extract]()
            undecided = list[UndecidedKey]()
            erased_names = set[str]()
            local_numbers = [_NO_NUMBERS]
            faults: list[Fault] = []
            progress.stage(f"Taking delivery of {source.name}")
            for place, (digest, file) in enumerate(new.items()):
                extract_number = first + place
                sealed_as = name_of_sealed(digest, before, source=source.name, number=extract_number)
                try:
                    with file.found.held() as path:
                        delivered = DeliveredFile(path=path, name=file.name, limits=receiver.limits)
                        extract, landed = _take(
                            landing_in, source, delivered, digest, sealed_as, extract_number, number, vault, work
                        )
                    extracts.append(extract)
                    undecided += undecided_keys(extract.number, landed.undecided)
                    erased_names |= landed.erased_names
                    local_numbers.append(landed.local_numbers)
                except Invalid as invalid:
                    faults += invalid.faults
                progress.advance(place + 1, len(new), "files")
            if not faults:
                faults += _missing_tables(records, source, extracts)
            check_faults(faults)
            landed_extracts = leave_out(landing_in, source, extracts, erased_names, check_earlier=check_earlier)
            places = {landing_in.records.folder(each.number): records.folder(each.number) for each in landed_extracts}
            numbers, key = pa.concat_tables(local_numbers), receiver.pseudonyms.key_for(PURPOSE)
            identifiers = vault.known_identifiers(key=key, source=source.name)
            inside = {name for each in extracts for count in each.tables.values() for name in count.dropped}
            check_faults(list(telling_names(names, inside, source, identifiers, numbers, key=key)))
            extracts = _withhold(receiver, source, landed_extracts, places, numbers, identifiers, work)
            # Where an identifier was withheld tells whoever delivered whom the hub knows: the record says it, and no receipt.
            told, undecided_between = counted_together(records, source, landed_extracts, work)
        except BaseException:
            recover(records, vault, known)
            raise
        delivery = Delivery(
            number=number,
            source=source.name,
            format=source.format,
            received_on=received_on,
            extracts=tuple(extract.number for extract in extracts),
            already_received=tuple(already),
            code_version=code_version,
            by=by,
        )
        records.commit(delivery, enter=partial(enter, extracts))
    listed = [extract for extract in extracts if source.format is Format.OPT_OUT]
    return Receipt(
        source=source.name,
        delivery=number,
        extracts=tuple(told),
        already_received=already,
        opt_outs=sum(count.landed for extract in listed for count in extract.tables.values()) if listed else None,
        faulty_lines=tuple(line for extract in listed for line in _faulty_lines(records, extract)),
        quarantine_reasons=() if listed else tuple(quarantine_reasons(records, extracts)),
        undecided_keys=(*undecided, *undecided_between),
    )


def recover(records: DeliveryRecords, vault: IdentityVault, known: Mapping[str, str | None]) -> None:
    """Clear away what no committed delivery names; the lock of the deliveries must be held.

    Args:
        known: paths in the store of all files of deliveries that the ledger has -> content hash, None where it has none.

    Raises:
        Invalid: one of these is missing; nothing was cleared away.
    """
    vault.keep_only(records.clear_uncommitted(known))


def land_file(
    receiver: DeliveryReceiver, source: Source, arrived: DeliveredFile, *, extract: int, folder: Path, work: Path
) -> landing.LandingResult:
    """Read one file and land it in *folder*, under the key of the process, without the patients who were erased from this hub.

    Raises:
        Invalid: the file as a whole cannot be landed.
    """
    with scratch(work) as room:
        # DuckDB takes * and [ in a name for patterns; a link of our own has none.
        link = room / "arrived"
        link.symlink_to(arrived.path.absolute())
        reader = receiver.readers[source.format]
        folder.mkdir(parents=True, exist_ok=True)
        with (
            reading_foreign(arrived.name),
            open_duckdb(
                spill=room,
                reaches=[arrived.path, room, folder],
                memory_limit=landing.MEMORY_LIMIT,
                threads=reader.threads,
                keeps_order=True,
            ) as connection,
        ):
            secrets = landing.LandingKeys.of(receiver.pseudonyms.key_for)
            secrets.define(connection, source.name)
            staged = reader.stage(connection, source, replace(arrived, path=link), scratch=room)
            landed = landing.land(
                staged,
                connection=connection,
                source=source,
                extract=extract,
                folder=folder,
                secrets=secrets,
                birth_date=receiver.birth_date,
                tombstones=Tombstones(receiver.store).of(source.name),
            )
    check_faults(list(faults_of(landed.undecided, source, arrived.name)))
    gone = frozenset[int]().union(*landed.erased_lines.values())
    if gone and source.format is Format.FHIR:
        # What these lines say is nowhere once they are left out, and what belongs to them may be anywhere.
        with scratch(work) as room:
            tombstones = ResourceTombstones(source=source.name, secrets=secrets)
            return replace(landed, erased_names=landed.erased_names.union(tombstones.of_lines(arrived, gone, room)))
    return landed


def _take(
    receiver: DeliveryReceiver,
    source: Source,
    arrived: DeliveredFile,
    digest: str,
    sealed_as: str,
    number: int,
    delivery: int,
    vault: IdentityVault,
    work: Path,
) -> tuple[Extract, landing.LandingResult]:
    """Land and seal one file; nothing of it counts until its delivery is committed. With it what landing found."""
    records = receiver.records
    folder = records.folder(number)
    landed = land_file(receiver, source, arrived, extract=number, folder=folder, work=work)
    erased = sum(count.erased for count in landed.tables.values())
    # What an earlier extract of the source has sealed is without all who were erased: it must not come in again by the back
    # door of the bytes as delivered, not even for the moment until what belongs to erased rows is left out.
    is_new = not records.sealed(sealed_as).exists()
    if is_new and erased:
        receiver.seal(blank(source.format, source.dialect, arrived, landed.erased_lines, work), sealed_as)
    elif is_new and receiver.seal(arrived.path, sealed_as) != digest:
        records.sealed(sealed_as).unlink()
        message = "changed while it was being received; deliver it again when it is whole"
        raise Invalid(Fault(path=arrived.name, message=message))
    extract = Extract(
        number=number,
        source=source.name,
        file=arrived.name,
        sha256=digest,
        bytes=arrived.path.stat().st_size,
        delivery=delivery,
        tables=landed.tables,
        columns=landed.columns,
        declaration=source.digest,
        code=receiver.code(source),
        format=source.format,
        dialect=source.dialect,
        written_as=landed.written_as,
        erased_lines=erased,
        sealed_as=sealed_as,
        cdm=landed.cdm,
    )
    records.write_extract(folder, extract)
    if source.format is not Format.OPT_OUT:
        vault.add(number, landed.identities)
    return extract, landed


def _withhold(
    receiver: DeliveryReceiver,
    source: Source,
    extracts: Sequence[Extract],
    places: Mapping[Path, Path],
    local_numbers: pa.Table,
    known: KnownIdentifiers,
    work: Path,
) -> list[Extract]:
    """Write what has just landed as it is kept, without identifiers, when all of the delivery is: one file tells what another's texts hold.

    Args:
        places: folder of an extract as landing wrote it -> where it is kept.

    Returns:
        the extracts as they are then.
    """
    texts, records = receiver.texts(source), receiver.records
    # Of a list only the numbers of its lines land.
    if source.format is Format.OPT_OUT:
        known = KnownIdentifiers.none()
    with scratch(work) as room:
        landed = [path for folder in places for path in listed(folder, "*.parquet")]
        others = receiver.owners_of(source, texts.without_owners(landed, work=room))
        withheld = keep_landed(texts, places, known=known, local_numbers=local_numbers, work=room, others=others)
    found = list[Extract]()
    for extract in extracts:
        tables = dict[str, TableCount]()
        for name, count in extract.tables.items():
            rows = withheld.get(records.table(extract.number, name), {})
            tables[name] = with_withheld(count, rows)
        found.append(replace(extract, tables=tables))
        records.write_extract(records.folder(extract.number), found[-1])
        make_durable(records.folder(extract.number))
    return found


def keep_landed(
    texts: LandedTexts,
    places: Mapping[Path, Path],
    *,
    known: KnownIdentifiers,
    local_numbers: pa.Table,
    work: Path,
    own: pa.Table | None = None,
    others: Sequence[Path] = (),
) -> dict[Path, dict[str, int]]:
    """Put landed folders where they are kept, searched for identifiers: see `LandedTexts.screen`.

    Args:
        places: folder as landing wrote it -> where it is kept.
    """
    tables = dict[Path, Path]()
    for folder, kept in places.items():
        kept.mkdir(parents=True, exist_ok=True)
        for path in listed(folder, "*.parquet"):
            if path.stem == landing.REJECTS:
                # What is in quarantine lands without any value of its rows.
                shutil.move(path, kept / path.name)
            else:
                tables[path] = kept / path.name
    return texts.screen(tables, known=known, local_numbers=local_numbers, work=work, own=own, others=others)


def with_withheld(count: TableCount, withheld: Mapping[str, int]) -> TableCount:
    """A table's count with what was withheld after it had landed beside what did not land; a row may be in both."""
    both = {name: max(rows, count.withheld.get(name, 0)) for name, rows in withheld.items()}
    return replace(count, withheld={**count.withheld, **both})


def _faulty_lines(records: DeliveryRecords, extract: Extract) -> list[int]:
    rejects = pq.read_table(records.table(extract.number, landing.REJECTS), columns=["row_line"])
    return sorted(rejects.column("row_line").to_pylist())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Packed:
    """A delivered folder as one file, made here and in memory."""

    path: Path

    @contextmanager
    def held(self) -> Iterator[Path]:
        """As `ForeignFile.held`; nobody else could put another file in its place."""
        yield self.path


@dataclass(frozen=True, kw_only=True, slots=True)
class _Arrived:
    """A file of a delivery, and its name as it is recorded."""

    found: ForeignFile | _Packed
    name: str


def _arrived(files: Sequence[Path], source: Source, work: Path) -> list[_Arrived]:
    """The delivered files: a folder counts as the files in it, or as one file where it is a whole CDM."""
    faults = [fault for path in files for fault in _path_faults(path)]
    if not files:
        faults = [Fault(message="no file was given; name at least one")]
    check_faults(faults)
    arrived: list[_Arrived] = []
    for number, path in enumerate(files):
        if not path.is_dir():
            arrived.append(_Arrived(found=given(path), name=shown(path.name)))
        elif source.format is Format.OMOP:
            packed = _pack(path, work / f"folder-{number}.zip")
            arrived.append(_Arrived(found=_Packed(path=packed), name=shown(path.name)))
        else:
            inside = files_below(path)
            arrived += [_Arrived(found=found, name=shown(found.place.name)) for found in inside]
            if not inside:
                raise Invalid(Fault(path=str(path), message="is a folder without files"))
    return arrived


def _digest(arrived: _Arrived) -> str:
    with arrived.found.held() as path:
        return sha256_of(path)


def _path_faults(path: Path) -> Iterator[Fault]:
    """What must hold of a delivered path, all told at once; that a file is one is looked at again when it is opened."""
    if not os.path.lexists(path):
        yield Fault(path=str(path), message="does not exist")
        return
    if message := name_fault(path.name) or kind_fault(path.lstat().st_mode):
        yield Fault(path=str(path), message=message)
    elif path.is_dir():
        try:
            files_below(path)
        except Invalid as invalid:
            yield from invalid.faults
    elif path.with_name(f"{path.name}.wal").exists():
        yield Fault(path=str(path), message=UNWRITTEN)


def _pack(folder: Path, target: Path) -> Path:
    """A folder as one file, in memory, whose bytes depend on its content alone."""
    with memory_writer(target) as zipped, zipfile.ZipFile(zipped, "w", zipfile.ZIP_STORED) as out:
        for found in files_below(folder):
            entry = zipfile.ZipInfo(found.place.as_posix(), date_time=(1980, 1, 1, 0, 0, 0))
            with found.held() as path, path.open("rb") as source, out.open(entry, "w", force_zip64=True) as member:
                shutil.copyfileobj(source, member, _CHUNK)
    return target


def _known(records: DeliveryRecords, before: Sequence[Extract], source: Source, received_on: dt.date) -> dict[str, int]:
    """sha256 -> delivery, of what this source has delivered.

    An opt-out list says who has opted out on its day, so the same bytes on a later day are news: nobody has changed
    their mind since.
    """
    extracts = [extract for extract in before if extract.source == source.name]
    if source.format is Format.OPT_OUT:
        extracts = [extract for extract in extracts if records.delivery(extract.delivery).received_on >= received_on]
    return {extract.sha256: extract.delivery for extract in reversed(extracts)}


def _new(
    arrived: Sequence[_Arrived], digests: Sequence[str], known: Mapping[str, int], source: Source
) -> tuple[Mapping[str, _Arrived], Mapping[str, int]]:
    """Files to land by digest, and (name -> delivery) of those received before.

    Of a full delivery every file is landed where one is new, because the delivery replaces the one before as a whole.
    """
    already = {file.name: known[digest] for file, digest in zip(arrived, digests, strict=True) if digest in known}
    if source.delivery is DeliveryKind.FULL and any(digest not in known for digest in digests):
        known, already = {}, {}
    new: dict[str, _Arrived] = {}
    for file, digest in zip(arrived, digests, strict=True):
        if digest not in known:
            new.setdefault(digest, file)
    return new, already


def _missing_tables(records: DeliveryRecords, source: Source, extracts: Sequence[Extract]) -> list[Fault]:
    """A full delivery must bring every table that the one before brought, or their rows would be gone without a word."""
    before = [each for each in records.deliveries() if each.source == source.name and each.extracts]
    if source.delivery is not DeliveryKind.FULL or not before or source.format is Format.OPT_OUT:
        return []
    last = before[-1]
    had = {table for number in last.extracts for table in records.extract(number).tables}
    has = {table for extract in extracts for table in extract.tables}
    return [
        Fault(
            message=f"{source.name} delivers in full, so this delivery replaces delivery {last.number}, but it brings no "
            f"{table}, which that one did. Deliver all files together."
        )
        for table in sorted(had - has)
    ]
