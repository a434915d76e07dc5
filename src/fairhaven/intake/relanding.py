"""Landing again from the sealed bytes: a changed declaration needs no new delivery."""

import dataclasses
import os
import shutil
from pathlib import Path

from fairhaven.intake.delivery_receipt import DeliveryReceiver, land_file, make_durable
from fairhaven.intake.delivery_records import swap_in
from fairhaven.intake.landing import REJECTS
from fairhaven.intake.model import Extract, Source
from fairhaven.intake.ports import IdentityVault
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.progress import Progress

_MAGIC = b"PAR1"


def to_land_again(desk: DeliveryReceiver, source: Source) -> list[Extract]:
    """Extracts whose declaration, reader or precision of birth dates is another now, or whose landed files are gone or cut off."""
    wanted = (source.digest, desk.code(source))
    return [
        extract
        for extract in desk.records.extracts(source.name)
        if (extract.declaration, extract.code) != wanted or not _is_whole(desk, extract)
    ]


def _is_whole(desk: DeliveryReceiver, extract: Extract) -> bool:
    return all(_is_parquet(desk.records.table(extract.number, table)) for table in (*extract.tables, REJECTS))


def _is_parquet(path: Path) -> bool:
    """Whether a Parquet file is there to its last byte; that its rows are right is what reconciliation checks."""
    try:
        with path.open("rb") as file:
            file.seek(-len(_MAGIC), os.SEEK_END)
            return file.read() == _MAGIC
    except OSError:
        return False


def land_again(desk: DeliveryReceiver, source: Source, *, vault: IdentityVault, progress: Progress) -> tuple[int, ...]:
    """See `service.Intake.land_again`."""
    stale = to_land_again(desk, source)
    faults: list[Fault] = []
    done = []
    for place, extract in enumerate(stale):
        progress.stage(f"{source.name}: landing {extract.file} again")
        try:
            _land(desk, source, extract, vault)
            done.append(extract.number)
        except Invalid as invalid:
            faults += invalid.faults
        progress.advance(place + 1, len(stale), "files")
    check_faults(faults)
    return tuple(done)


def _land(desk: DeliveryReceiver, source: Source, extract: Extract, vault: IdentityVault) -> None:
    records = desk.records
    folder = records.folder(extract.number)
    making = folder.with_name(folder.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    with desk.opened(extract) as (arrived, work):
        try:
            landed = land_file(desk, source, arrived, extract=extract.number, folder=making, work=work)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
    tables = dict(landed.tables)
    for table, before in extract.tables.items():
        # Lines that erasure blanked were received, though nobody can read them now.
        if before.erased and table in tables:
            count = tables[table]
            tables[table] = dataclasses.replace(
                count, received=count.received + before.erased, erased=count.erased + before.erased
            )
        elif before.erased:
            tables[table] = dataclasses.replace(before, received=before.erased, landed=0, quarantined=0)
    again = dataclasses.replace(
        extract,
        tables=tables,
        columns=landed.columns,
        declaration=source.digest,
        code=desk.code(source),
        format=source.format,
        dialect=source.dialect,
    )
    records.write_extract(making, again)
    make_durable(making)
    vault.add(extract.number, landed.identities)
    swap_in(making, folder)
