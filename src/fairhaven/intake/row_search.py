"""Where rows of erased patients are, in what one source has delivered: by their number, through other rows, and in quarantine."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.intake import landing, lines
from fairhaven.intake.delivery_receipt import DeliveryReceiver
from fairhaven.intake.fhir.resource_references import tokens_in
from fairhaven.intake.linked_resources import ResourceSearch
from fairhaven.intake.linked_rows import NO_ROWS, FoundRows, names_in, unknown_owners, with_linked_rows
from fairhaven.intake.model import Extract, Format, Source
from fairhaven.intake.patient_rows import bearing, naming_nobody
from fairhaven.intake.quarantine_lines import texts_at
from fairhaven.intake.resource_tombstones import ResourceTombstones
from fairhaven.intake.row_links import links_of, owners_of
from fairhaven.kernel.files import readers_scratch
from fairhaven.kernel.ids import pseudonym
from fairhaven.nhs.number import nhs_numbers_in


@contextmanager
def looking(
    receiver: DeliveryReceiver, source: str, secrets: landing.LandingKeys, extracts: Sequence[Extract]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that digests as landing does, and reads these extracts of one source."""
    reaches = [receiver.records.folder(extract.number) for extract in extracts]
    # A plan looks, too, and changes nothing in the store.
    with readers_scratch() as work, open_duckdb(spill=work, reaches=reaches) as connection:
        secrets.define(connection, source)
        yield connection


def unowned_rows(receiver: DeliveryReceiver, source: Source) -> Mapping[int, Mapping[str, int]]:
    """Number of extract -> table -> rows that belong to nobody known by all that the source has delivered."""
    if not source.tables or not links_of(source):
        return {}
    return _unowned_rows(receiver, source, receiver.records.extracts(source.name))


def unowned_rows_of(
    receiver: DeliveryReceiver, source: Source, landed: Sequence[Extract]
) -> Mapping[int, Mapping[str, int]]:
    """The same of extracts that have just landed. Others are looked at only where these do not say whose all their rows are, and of
    them only the tables that may."""
    links = links_of(source) if source.tables else ()
    if not owners_of(links, {table for extract in landed for table in extract.tables}):
        return {}
    alone = _unowned_rows(receiver, source, landed)
    owners = owners_of(links, {table for rows in alone.values() for table in rows})
    numbers = {extract.number for extract in landed}
    others = [
        replace(extract, tables={table: count for table, count in extract.tables.items() if table in owners})
        for extract in (receiver.records.extracts(source.name) if owners else ())
        if extract.number not in numbers and owners & extract.tables.keys()
    ]
    return _unowned_rows(receiver, source, [*others, *landed]) if others else alone


def _unowned_rows(
    receiver: DeliveryReceiver, source: Source, extracts: Sequence[Extract]
) -> Mapping[int, Mapping[str, int]]:
    secrets = landing.LandingKeys.of(receiver.pseudonyms.key_for)
    with looking(receiver, source.name, secrets, extracts) as connection:
        return unknown_owners(connection, receiver.records, source, extracts)


def lines_of(
    receiver: DeliveryReceiver, patient_refs_by_source: Mapping[str, Collection[str]], sources: Mapping[str, Source]
) -> pa.Table:
    """Lines from which rows of patients landed, or would have but for a fault: ``row_extract, row_line, table_name``, which is empty
    where the lines of an extract are those of its file, whatever its tables are called.

    FHIR resources that name no patient are no rows of a person in a release, and are not looked for.
    """
    secrets = landing.LandingKeys.of(receiver.pseudonyms.key_for)
    found = set[tuple[int, int, str]]()
    for name, refs in patient_refs_by_source.items():
        source = sources[name]
        extracts = [extract for extract in receiver.records.extracts(name) if extract.format is not Format.OPT_OUT]
        digests = frozenset(landing.tombstone(secrets, ref) for ref in refs)
        with looking(receiver, name, secrets, extracts) as connection:
            search = RowSearch(receiver=receiver, source=source, secrets=secrets, connection=connection, every=extracts)
            rows = search.bearing(extracts, refs, digests)
            if source.format is not Format.FHIR:
                rows, _ = search.linked(extracts, rows, digests)
        for extract in extracts:
            for table, lines_of_table in rows.get(extract.number, NO_ROWS).lines().items():
                named = table if extract.format is Format.OMOP else ""
                found |= {(extract.number, line, named) for line in lines_of_table}
    numbers, line_numbers, names = zip(*sorted(found), strict=True) if found else ((), (), ())
    return pa.table([numbers, line_numbers, names], schema=_LINES)


_LINES = pa.schema([("row_extract", pa.int32()), ("row_line", pa.int64()), ("table_name", pa.string())])


@dataclass(frozen=True, kw_only=True)
class RowSearch:
    """Looks for rows of patients in extracts of one source.

    Args:
        every: all extracts of the source.
    """

    receiver: DeliveryReceiver
    source: Source
    secrets: landing.LandingKeys
    connection: duckdb.DuckDBPyConnection
    every: Sequence[Extract]

    def linked(
        self, extracts: Sequence[Extract], found: Mapping[int, FoundRows], names: frozenset[str]
    ) -> tuple[dict[int, FoundRows], frozenset[str]]:
        """See `linked_rows.with_linked_rows`, and `linked_resources` for FHIR."""
        if self.source.format is Format.FHIR:
            search = ResourceSearch(
                records=self.receiver.records,
                opened=self.receiver.opened,
                tombstones=self._resources,
                connection=self.connection,
                every=self.every,
            )
            return search.with_linked(extracts, found, names)
        return with_linked_rows(self.connection, self.receiver.records, self.source, extracts, found, names)

    def belonging(
        self, extracts: Sequence[Extract], names: frozenset[str], *, is_landed: bool
    ) -> tuple[dict[int, FoundRows], frozenset[str]]:
        """What belongs to those who have a tombstone, as `linked`.

        Args:
            is_landed: rows that bear such a patient themselves may have landed.
        """
        return self.linked(extracts, self.bearing(extracts, None if is_landed else (), names), names)

    def bearing(
        self, extracts: Sequence[Extract], refs: Collection[str] | None, tombstones: Collection[str]
    ) -> dict[int, FoundRows]:
        """See `patient_rows.bearing`."""
        return bearing(self.connection, self.receiver.records, extracts, refs=refs, tombstones=tombstones)

    def with_unreadable(
        self, extracts: Sequence[Extract], found: Mapping[int, FoundRows], names: frozenset[str]
    ) -> dict[int, FoundRows]:
        """What was found, with lines that could not be read and hold the number of a patient or of a row to which names belong."""
        every = dict(found)
        unread = naming_nobody(self.connection, self.receiver.records, extracts)
        for extract in extracts:
            if table_of := unread.get(extract.number):
                more = self._naming(extract, table_of, names)
                if more.lines():
                    every[extract.number] = every.get(extract.number, NO_ROWS).and_also(more)
        return every

    def _naming(self, extract: Extract, table_of: Mapping[int, str], names: frozenset[str]) -> FoundRows:
        quarantined: defaultdict[str, set[int]] = defaultdict(set)
        with self.receiver.opened(extract) as (arrived, work):
            for line, text in texts_at(extract, arrived, frozenset(table_of), work):
                if not names.isdisjoint(self._digests(extract, text)):
                    quarantined[table_of[line]].add(line)
        return FoundRows(landed={}, quarantined=quarantined)

    def _digests(self, extract: Extract, text: str) -> Iterator[str]:
        """The tombstone of every patient and row that a line may name."""
        parts = sorted({part for part in lines.split(text, extract.dialect) if part})
        for part in {*parts, *nhs_numbers_in(text)}:
            yield landing.tombstone(self.secrets, pseudonym(self.secrets.pseudonym, extract.source, part))
        for named in names_in(parts, self.source):
            yield landing.tombstone(self.secrets, named)
        if extract.format is Format.FHIR:
            for token in tokens_in(text):
                yield self._resources.called(token)

    @property
    def _resources(self) -> ResourceTombstones:
        return ResourceTombstones(source=self.source.name, secrets=self.secrets)
