"""Landing again from the sealed bytes: a changed declaration needs no new delivery."""

import dataclasses
import os
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from fairhaven.identifiers.known_identifiers import KnownIdentifiers
from fairhaven.intake.delivery_receipt import DeliveryReceiver, ErasedRowsOut, keep_landed, land_file, with_withheld
from fairhaven.intake.delivery_records import rewriting
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, Source
from fairhaven.intake.ports import IdentityVault
from fairhaven.intake.row_links import in_order, links_of
from fairhaven.intake.row_search import unowned_rows
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.files import scratch
from fairhaven.kernel.plain_files import plain_file
from fairhaven.kernel.progress import Progress

_MAGIC = b"PAR1"


def to_land_again(receiver: DeliveryReceiver, source: Source) -> list[Extract]:
    """Extracts whose declaration, reader or precision of birth dates is another now, whose landed files are gone or cut off, or with rows of
    which it has become known since whose they are: what tells of that patient was not looked for in them."""
    wanted = (source.digest, receiver.code(source))
    extracts = receiver.records.extracts(source.name)
    owned = _owned_since(receiver, source, extracts)
    return [
        extract
        for extract in extracts
        if (extract.declaration, extract.code) != wanted
        or extract.number in owned
        or not all(_is_whole(receiver.records.table(extract.number, table)) for table in (*extract.tables, REJECTS))
        or (links_of(source) and not _has_names(receiver.records.table(extract.number, REJECTS)))
    ]


def _owned_since(receiver: DeliveryReceiver, source: Source, extracts: Sequence[Extract]) -> set[int]:
    waiting = {
        extract.number: extract.tables for extract in extracts if any(c.unowned for c in extract.tables.values())
    }
    # Few have such rows, and to look for their owners takes a query of every table.
    now = unowned_rows(receiver, source) if waiting else {}
    return {
        number
        for number, tables in waiting.items()
        if any(now.get(number, {}).get(name, 0) < count.unowned for name, count in tables.items())
    }


def _has_names(rejects: Path) -> bool:
    """Whether quarantined rows were landed with what they are called by and belong to."""
    return "named" in pq.read_schema(rejects).names


def _is_whole(path: Path) -> bool:
    """Whether a Parquet file is there to its last byte; that its rows are right is what reconciliation checks."""
    try:
        with plain_file(path) as file:
            file.seek(-len(_MAGIC), os.SEEK_END)
            return file.read() == _MAGIC
    except OSError:
        return False


def land_again(
    receiver: DeliveryReceiver,
    source: Source,
    *,
    vault: IdentityVault,
    progress: Progress,
    leave_out: ErasedRowsOut,
    also: Collection[int] = (),
) -> tuple[int, ...]:
    """See `service.Intake.land_again`."""
    changed = to_land_again(receiver, source)
    stale = [
        extract for extract in receiver.records.extracts(source.name) if extract in changed or extract.number in also
    ]
    if not stale:
        return ()
    # What says whose rows are comes first.
    order = in_order(links_of(source))
    stale.sort(key=lambda extract: min((order.index(table) for table in extract.tables if table in order), default=0))
    known = vault.known_identifiers(key=receiver.texts(source).key, source=source.name)
    faults: list[Fault] = []
    done = []
    erased_names = set[str]()
    for place, extract in enumerate(stale):
        progress.stage(f"{source.name}: landing {extract.file} again")
        try:
            erased_names |= _land(receiver, source, extract, vault, known)
            done.append(extract.number)
        except Invalid as invalid:
            faults += invalid.faults
        progress.advance(place + 1, len(stale), "files")
    if done:
        landed = [receiver.records.extract(number) for number in done]
        # Whoever lands again has compared all that there is of the source.
        leave_out(receiver, source, landed, erased_names, check_earlier=lambda _: None)
    check_faults(faults)
    return tuple(done)


def _land(
    receiver: DeliveryReceiver, source: Source, extract: Extract, vault: IdentityVault, known: KnownIdentifiers
) -> frozenset[str]:
    """Land one extract again; what its erased rows are called by."""
    with rewriting(receiver.records.folder(extract.number)) as making:
        with receiver.opened(extract) as (arrived, work):
            folder = work / "landing"
            landed = land_file(receiver, source, arrived, extract=extract.number, folder=folder, work=work)
            with scratch(work) as room:
                withheld = keep_landed(
                    receiver.texts(source),
                    {folder: making},
                    known=known,
                    local_numbers=landed.local_numbers,
                    own=landed.identities,
                    others=receiver.owners_of(source, landed.tables, but=extract.number),
                    work=room,
                )
        tables = {
            name: with_withheld(count, withheld.get(making / f"{name}.parquet", {}))
            for name, count in landed.tables.items()
        }
        for table, before in extract.tables.items():
            # Lines that erasure blanked were received, though nobody can read them now.
            if before.erased:
                count = tables.get(table) or dataclasses.replace(before, received=0, landed=0, quarantined=0, erased=0)
                tables[table] = dataclasses.replace(
                    count, received=count.received + before.erased, erased=count.erased + before.erased
                )
        again = dataclasses.replace(
            extract,
            tables=tables,
            columns=landed.columns,
            declaration=source.digest,
            code=receiver.code(source),
            format=source.format,
            dialect=source.dialect,
            cdm=landed.cdm,
            written_as=landed.written_as,
        )
        receiver.records.write_extract(making, again)
        vault.add(extract.number, landed.identities)
    return landed.erased_names
