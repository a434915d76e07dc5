"""A release, open for reading: its tables and its vocabulary on an engine of their own."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

import ibis.expr.types as ir

from fairhaven.archive import Archive, Release
from fairhaven.engine import Engine
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import check_vocabulary
from fairhaven.kernel.errors import NotFound, Refused
from fairhaven.kernel.files import readers_scratch
from fairhaven.omop.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenRelease:
    """What can be read of a release.

    Args:
        tables: every table of the CDM, empty where the release has no rows for it, and the vocabulary's.
    """

    release: Release
    engine: Engine
    tables: Mapping[str, ir.Table]


def vocabulary_of(rooms: Rooms, release: Release) -> Vocabulary:
    """The vocabulary that a release was made with.

    Raises:
        NotFound: it is no longer here.
        Invalid: its files are not those that were loaded.
    """
    facts = release.facts
    found = Vocabulary.of(rooms.store / "vocabulary", facts.vocabulary, facts.vocabulary_digest)
    check_vocabulary(rooms, found)
    return found


@contextmanager
def open_release(rooms: Rooms, name: str | None) -> Iterator[OpenRelease]:
    """Open a release for reading; nothing is locked.

    Raises:
        NotFound: there is no such release, or its vocabulary is no longer here.
        Invalid: its rows or its vocabulary are not those that were written.
        Refused: the release was altered (a person was erased) while it was read; what was read may be half of each.
    """
    release = rooms.archive.release(name)
    vocabulary = vocabulary_of(rooms, release)
    rooms.archive.check_rows(release)
    with readers_scratch() as work, closing(rooms.new_engine(work)) as engine:
        try:
            tables = dict(rooms.archive.tables(release, engine))
            tables |= {table: engine.parquet(vocabulary.files(table)) for table in vocabulary.counts}
            yield OpenRelease(release=release, engine=engine, tables=tables)
        except Exception:
            # A file that went away in the middle of a query shows as whatever the engine makes of it.
            _check_unaltered(rooms.archive, release)
            raise
        _check_unaltered(rooms.archive, release)


def _check_unaltered(archive: Archive, release: Release) -> None:
    try:
        content = archive.release(release.name).content
    except NotFound:
        content = ""
    if content != release.content:
        raise Refused(f"{release.name} was altered while it was read (a person was erased): run the command again")
