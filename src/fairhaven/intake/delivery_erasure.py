"""Erasing patients: from landed rows, from the list of quarantined rows, and from the sealed bytes as delivered.

First a tombstone is set, so that the patient is left out whatever comes next; then each extract is written anew beside
the old one and swapped in; then its lines are blanked in the sealed bytes. Each step can be done again, so that after
a crash the same erasure ends what it began.
"""

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb, write_parquet
from fairhaven.engine.process_key import is_under_key, rows_of
from fairhaven.engine.sql import literal
from fairhaven.intake import landing
from fairhaven.intake.delivery_receipt import DeliveryReceiver
from fairhaven.intake.delivery_records import Tombstones, own_name, rewriting
from fairhaven.intake.fhir.resource_references import names_of_number
from fairhaven.intake.line_erasure import blank
from fairhaven.intake.linked_rows import FoundRows
from fairhaven.intake.model import Extract, Format, Source, TableCount
from fairhaven.intake.patient_names import PatientNames
from fairhaven.intake.quarantine_lines import patients_with
from fairhaven.intake.resource_tombstones import ResourceTombstones
from fairhaven.intake.row_search import RowSearch, looking, unowned_rows, unowned_rows_of
from fairhaven.kernel.files import readers_scratch
from fairhaven.kernel.ids import pseudonym
from fairhaven.kernel.listing import listed


@dataclass(frozen=True, kw_only=True, slots=True)
class ErasureCounts:
    """What an erasure took out.

    Args:
        rows: source -> table -> landed rows.
        quarantined: source -> table -> quarantined rows.
        extracts: numbers of the extracts whose sealed bytes were blanked.
        unknown_owners: source -> table -> rows that are left and belong to nobody known, as no row that they refer to was
            delivered: whether they are the patient's cannot be told.
    """

    rows: Mapping[str, Mapping[str, int]]
    quarantined: Mapping[str, Mapping[str, int]]
    extracts: tuple[int, ...]
    unknown_owners: Mapping[str, Mapping[str, int]]


def erase(
    receiver: DeliveryReceiver, patient_refs_by_source: Mapping[str, Sequence[str]], sources: Mapping[str, Source]
) -> ErasureCounts:
    """See `service.Intake.erase`."""
    secrets = landing.LandingKeys.of(receiver.pseudonyms.key_for)
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    quarantined: defaultdict[str, Counter[str]] = defaultdict(Counter)
    blanked = []
    unknown = {}
    for name, refs in sorted(patient_refs_by_source.items()):
        tombstones = Tombstones(receiver.store)
        tombstones.add(name, {landing.tombstone(secrets, ref) for ref in refs})
        source = sources[name]
        extracts = [extract for extract in receiver.records.extracts(name) if extract.format is not Format.OPT_OUT]
        with looking(receiver, name, secrets, extracts) as connection:
            search = RowSearch(receiver=receiver, source=source, secrets=secrets, connection=connection, every=extracts)
            found = search.bearing(extracts, refs, tombstones.of(name))
            # Before any row goes: what belongs to it is found by its tombstone alone, should this be cut short.
            found, names = search.linked(extracts, found, tombstones.of(name))
            tombstones.add(name, names)
            found = search.with_unreadable(extracts, found, names)
        others = _sealed_for_others(receiver, name)
        taken_out = [_take_out(receiver, extract, found.get(extract.number), others) for extract in extracts]
        blanked += [extract.number for extract in taken_out if extract]
        for each in found.values():
            rows[name].update(each.rows())
            quarantined[name].update({table: len(gone) for table, gone in each.quarantined.items()})
        unowned = unowned_rows(receiver, source)
        unknown[name] = sum((Counter(tables) for tables in unowned.values()), Counter[str]())
    return ErasureCounts(
        rows={name: dict(counts) for name, counts in rows.items() if counts},
        quarantined={name: dict(counts) for name, counts in quarantined.items() if counts},
        extracts=tuple(blanked),
        unknown_owners={name: dict(counts) for name, counts in unknown.items() if counts},
    )


def also_named(
    receiver: DeliveryReceiver, source: str, patient_refs: Collection[str], numbers: Collection[str]
) -> frozenset[str]:
    """See `service.Intake.also_named`."""
    secrets = landing.LandingKeys.of(receiver.pseudonyms.key_for)
    extracts = [extract for extract in receiver.records.extracts(source) if extract.format is Format.FHIR]
    if not extracts or not (patient_refs or numbers):
        return frozenset()
    folders = [receiver.records.folder(extract.number) for extract in extracts]
    # A plan asks, too, and changes nothing of the store.
    with readers_scratch() as work, open_duckdb(spill=work, reaches=folders) as connection:
        names = PatientNames(
            records=receiver.records,
            opened=partial(receiver.opened, within=work),
            tombstones=ResourceTombstones(source=source, secrets=secrets),
            connection=connection,
            extracts=extracts,
        )
        return names.otherwise(patient_refs, numbers)


def named_by_numbers(
    receiver: DeliveryReceiver, numbers: Collection[str], others: pa.Table
) -> Mapping[str, frozenset[str]]:
    """See `service.Intake.named_by_numbers`."""
    extracts = [extract for extract in receiver.records.extracts() if extract.format is not Format.OPT_OUT]
    key = landing.LandingKeys.of(receiver.pseudonyms.key_for).pseudonym
    folders = [receiver.records.folder(extract.number) for extract in extracts]

    def refs_of(extract: Extract, number: str) -> Iterator[str]:
        names = names_of_number(number) if extract.format is Format.FHIR else {number}
        return (pseudonym(key, extract.source, name) for name in names)

    with readers_scratch() as work, open_duckdb(spill=work, reaches=folders) as connection:
        return patients_with(
            numbers,
            extracts,
            records=receiver.records,
            opened=partial(receiver.opened, within=work),
            connection=connection,
            others=others,
            refs_of=refs_of,
        )


def leave_out(
    receiver: DeliveryReceiver,
    source: Source,
    landed: Sequence[Extract],
    erased_names: Collection[str],
    *,
    check_earlier: Callable[[Sequence[Extract]], object],
) -> list[Extract]:
    """Take out of what has just landed what belongs to erased patients through other rows, and what of theirs is in quarantine; and count
    what belongs to nobody known.

    Where that gives names of rows that were not known before, rows delivered earlier may belong to them; they go too. Their
    tombstones are set last: a receive that was cut short before does all of it again.

    Args:
        erased_names: digests of what the rows are called by that landing left out.
        check_earlier: as of `delivery_receipt.receive`. Most deliveries have nothing of anybody who was erased, and cost no more for
            what came before them.

    Returns:
        the extracts as they are then.
    """
    left = _without_erased(receiver, source, landed, erased_names, check_earlier)
    unowned = unowned_rows_of(receiver, source, left)
    found = []
    for extract in left:
        rows = unowned.get(extract.number, {})
        tables = {name: dataclasses.replace(count, unowned=rows.get(name, 0)) for name, count in extract.tables.items()}
        found.append(dataclasses.replace(extract, tables=tables))
        if found[-1] != extract:
            receiver.records.write_extract(receiver.records.folder(extract.number), found[-1])
    return found


def _without_erased(
    receiver: DeliveryReceiver,
    source: Source,
    landed: Sequence[Extract],
    erased_names: Collection[str],
    check_earlier: Callable[[Sequence[Extract]], object],
) -> list[Extract]:
    """See `leave_out`."""
    tombstones = Tombstones(receiver.store)
    known = tombstones.of(source.name)
    if not known or source.format is Format.OPT_OUT:
        return list(landed)
    secrets = landing.LandingKeys.of(receiver.pseudonyms.key_for)
    given = known.union(erased_names)
    # Of whom it became known only with what has just landed, rows of other files may have landed, too.
    is_landed = given > known
    with looking(receiver, source.name, secrets, landed) as connection:
        search = RowSearch(receiver=receiver, source=source, secrets=secrets, connection=connection, every=landed)
        found, names = search.belonging(landed, given, is_landed=is_landed)
        if not search.with_unreadable(landed, found, names) and names == known:
            return list(landed)
    numbers = {extract.number for extract in landed}
    earlier = [extract for extract in receiver.records.extracts(source.name) if extract.number not in numbers]
    check_earlier(earlier)
    every = [*earlier, *landed]
    with looking(receiver, source.name, secrets, every) as connection:
        search = RowSearch(receiver=receiver, source=source, secrets=secrets, connection=connection, every=every)
        reached: Sequence[Extract] = landed
        found, names = search.belonging(reached, given, is_landed=is_landed)
        if names > known:
            reached = every
            found, names = search.belonging(reached, names, is_landed=is_landed)
        found = search.with_unreadable(reached, found, names)
    others = _sealed_for_others(receiver, source.name)
    for extract in reached:
        _take_out(receiver, extract, found.get(extract.number), others)
    tombstones.add(source.name, names)
    return [receiver.records.extract(extract.number) for extract in landed]


def finish_blanking(receiver: DeliveryReceiver, source: Source) -> None:
    """Blank in the sealed bytes what an erasure that was cut short has taken out of the landed rows."""
    others = _sealed_for_others(receiver, source.name)
    for extract in receiver.records.extracts(source.name):
        _take_out(receiver, extract, None, others)


def _sealed_for_others(receiver: DeliveryReceiver, source: str) -> frozenset[str]:
    """Names of sealed bytes that extracts of other sources have."""
    return frozenset(each.sealed_as for each in receiver.records.extracts() if each.source != source)


def _take_out(
    receiver: DeliveryReceiver, extract: Extract, found: FoundRows | None, others: Collection[str]
) -> Extract | None:
    """Take rows out of an extract and its sealed bytes; the extract, where that changed its bytes.

    Args:
        others: names of sealed bytes that are other sources' too.
    """
    if found and found.lines():
        extract = _rewrite(receiver, extract, found)
    if not extract.to_blank:
        return None
    _blank(receiver, extract, others)
    return extract


def _rewrite(receiver: DeliveryReceiver, extract: Extract, found: FoundRows) -> Extract:
    """Write the extract's folder without the lines and swap it in; the sealed bytes come next."""
    folder = receiver.records.folder(extract.number)
    gone = found.lines()
    changed = dataclasses.replace(
        extract,
        tables={table: _counted(count, table, found) for table, count in extract.tables.items()},
        erased_lines=extract.erased_lines + sum(map(len, gone.values())),
        to_blank={
            table: tuple(sorted({*extract.to_blank.get(table, ()), *gone.get(table, ())}))
            for table in extract.to_blank.keys() | gone.keys()
        },
    )
    with (
        rewriting(folder) as making,
        open_duckdb(spill=receiver.store / "scratch", reaches=[folder, making], keeps_order=True) as connection,
    ):
        for path in listed(folder, "*.parquet"):
            if path.stem == landing.REJECTS:
                _copy_without(connection, path, making / path.name, found.quarantined, "table_name")
            elif path.stem in found.landed:
                _copy_without(connection, path, making / path.name, found.landed, literal(path.stem))
            else:
                os.link(path, making / path.name)
        receiver.records.write_extract(making, changed)
    return changed


def _counted(count: TableCount, table: str, found: FoundRows) -> TableCount:
    landed, quarantined = found.rows().get(table, 0), len(found.quarantined.get(table, ()))
    left = dict[str, Any]()
    # Which of the rows that are gone had given way is no longer known, and matters to nobody: the sum does.
    rest = landed
    for name in ("landed", "superseded", "identical", "withdrawn"):
        taken = min(rest, getattr(count, name))
        left[name], rest = getattr(count, name) - taken, rest - taken
    return dataclasses.replace(
        count,
        **left,
        quarantined=count.quarantined - quarantined,
        erased=count.erased + landed + quarantined,
    )


def _copy_without(
    connection: duckdb.DuckDBPyConnection,
    source: Path,
    target: Path,
    lines_gone: Mapping[str, Collection[int]],
    table: str,
) -> None:
    """Copy a Parquet file without the rows of some lines; *table* is SQL that says of which table a row is."""
    gone = sorted((name, line) for name, numbers in lines_gone.items() for line in numbers)
    names, numbers = [name for name, _ in gone], [line for _, line in gone]
    connection.register("gone", pa.table({"t": pa.array(names, pa.string()), "n": pa.array(numbers, pa.int64())}))
    kept = f"SELECT * FROM {rows_of(source)} WHERE ({table}, row_line) NOT IN (SELECT (t, n) FROM gone)"
    write_parquet(connection, kept, target, is_under_key=is_under_key(source))
    connection.unregister("gone")


def _blank(receiver: DeliveryReceiver, extract: Extract, others: Collection[str]) -> None:
    """Blank the lines in the sealed bytes; those that another source delivered too stay as they are, for that one."""
    is_shared = extract.sealed_as in others
    sealed_as = own_name(extract.sha256, extract.number) if is_shared else extract.sealed_as
    with receiver.opened(extract) as (arrived, work):
        receiver.seal(blank(extract.format, extract.dialect, arrived, extract.to_blank, work), sealed_as)
    changed = dataclasses.replace(extract, to_blank={}, sealed_as=sealed_as)
    receiver.records.write_extract(receiver.records.folder(extract.number), changed)
