"""The archive as other rooms' journeys see it: each verb's work is in the module named after it."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.archive import difference, erasure, export, publish, split_persons, verification
from fairhaven.archive.model import Change, Erasure, Problem, SplitRow
from fairhaven.archive.release_store import ReleaseStore, number_of
from fairhaven.engine import Engine
from fairhaven.kernel.outputs import Output
from fairhaven.kernel.progress import Progress, Silent
from fairhaven.ledger import Actor
from fairhaven.omop import CDM
from fairhaven.release.facts import ReleaseFacts
from fairhaven.release.manifest import Release, TableVersion, name_of


class Archive(ReleaseStore):
    """The releases of a hub.

    Whoever writes holds the lock of the releases; reading needs none.
    """

    def tables(self, release: Release, engine: Engine) -> Mapping[str, ir.Table]:
        """A release's tables with the CDM's columns and lineage; a table without rows is there and empty."""
        found = {}
        for name, table in CDM.items():
            if table.schema == "CDM":
                files = self.files(release, name)
                schema = table.schema_of(lineage=True).to_pyarrow()
                found[name] = engine.parquet(files) if files else engine.arrow(schema.empty_table())
        return found

    def write(
        self,
        engine: Engine,
        tables: Mapping[str, ir.Table],
        *,
        number: int,
        by: Actor,
        progress: Progress | None = None,
        inputs: str = "",
    ) -> Mapping[str, TableVersion]:
        """Write the tables of a release to come; nobody sees them before `publish`.

        What an earlier build left unpublished is removed first.

        Args:
            tables: expressions by CDM table name; they are cast to the CDM's schema with lineage.
            number: the release's number, the last one's plus 1.
            inputs: digest of all that the tables are made of. Where a killed build had the same, the tables that it
                finished are kept; an empty one keeps nothing.
        """
        self.resume(by=by, progress=progress)
        return publish.write(self, engine, tables, number=number, by=by, progress=progress or Silent(), inputs=inputs)

    def publish(
        self,
        *,
        number: int,
        as_of: dt.date,
        tables: Mapping[str, TableVersion],
        facts: ReleaseFacts,
        by: Actor,
        files: Mapping[str, str | None] | None = None,
    ) -> Release:
        """Seal the written tables as a release; the manifest's appearance is the moment of commit.

        Args:
            files: path in the store -> content hash, of what comes with the release beside what the archive writes.

        Raises:
            NotAllowedNow: the number does not follow the last release's.
        """
        return publish.publish(self, number=number, as_of=as_of, tables=tables, facts=facts, by=by, files=files or {})

    def verify(self, *releases: str, progress: Progress | None = None) -> list[Problem]:
        """Recompute every hash: nothing where all is as it was sealed.

        Args:
            releases: names of the releases whose files are read; none means all. The chain is checked as a whole.

        Raises:
            NotFound: there is no release of such a name.
        """
        return verification.verify(self, self._found(releases), progress or Silent())

    def readable_releases(self, *releases: str) -> list[Release]:
        """Every release whose manifest can be read, or those of these names, whatever they are worth.

        Raises:
            NotFound: there is no release of such a name.
        """
        names = self._found(releases)
        return [each for each in verification.readable_releases(self, []) if not names or each.name in names]

    def _found(self, names: Sequence[str]) -> frozenset[str]:
        there = {int(path.stem) for path in self.manifests()}
        return frozenset(name_of(number_of(name, there)) for name in names)

    def chain_problems(self) -> list[Problem]:
        """What is wrong with manifests, their chain and the ledger; files of rows are not read."""
        return verification.chain_problems(self)

    def files_under_way(self) -> Mapping[str, str | None]:
        """Path in the store -> content hash of what an erasure or a build under way has decided or written; None for what goes.

        Raises:
            Invalid: notes are not this hub's.
        """
        return erasure.files_under_way(self)

    def check_chain(self) -> None:
        """Refuse to go on where manifests, their seals in the ledger and the newest Delta versions do not agree.

        Raises:
            Invalid: everything that does not.
        """
        verification.check_chain(self)

    def check_rows(self, release: Release, *tables: str) -> None:
        """Refuse to read a release whose files of rows are not those of its manifest.

        Args:
            tables: those that are read; none means all.

        Raises:
            Invalid: every file that was altered or is missing.
        """
        verification.check_rows(self, release, tables or release.tables)

    def check_rows_of(self, person_keys: Sequence[int]) -> None:
        """The same for the files of every release that an erasure of these persons would rewrite.

        Raises:
            Invalid: every file that was altered or is missing.
        """
        erasure.check_rows_of(self, person_keys)

    def diff(self, earlier: Release, later: Release, engine: Engine) -> Mapping[str, Change]:
        """How two releases differ, by table: rows with a key by their key, deaths by person, others by all columns."""
        return difference.diff(self, earlier, later, engine)

    def changes(self, earlier: Release, later: Release, engine: Engine, table: str) -> ir.Table:
        """The differing rows of one table: key (or all columns where there is none), change, rows."""
        return difference.changes(self, earlier, later, engine, table)

    def persons_apart(self, earlier: Release, later: Release, engine: Engine, *, enough: int) -> int:
        """How many persons any of whose rows differ between two releases; where there are *enough* or more, so many."""
        return difference.persons_apart(self, earlier, later, engine, enough=enough)

    def split_rows(self, lines: pa.Table, person_keys: Collection[int]) -> tuple[SplitRow, ...]:
        """Rows of releases that come from some lines of extracts, and stand under the keys of other persons than these.

        Args:
            lines: ``row_extract, row_line, table_name``: the name of the landed table where each table of an extract has lines of its
                own, and else an empty text.
        """
        return split_persons.split_rows(self, lines, person_keys)

    def plan_erase(self, person_keys: Sequence[int], *, split: Sequence[SplitRow] = ()) -> Erasure:
        """What `erase` would take away; nothing is changed."""
        return erasure.plan_erase(self, person_keys, split)

    def erase(
        self,
        person_keys: Sequence[int],
        *,
        split: Sequence[SplitRow] = (),
        facts: Mapping[str, Any],
        by: Actor,
        files: Mapping[str, str | None] | None = None,
        progress: Progress | None = None,
    ) -> Erasure:
        """Take persons out of every release, so that no file of the archive holds anything of them.

        What describes the releases touched (`description`) is removed too: make it again. Killed at any moment, the
        next `erase`, or `resume`, finishes. Persons whom no release has are no error: nothing is done.

        Args:
            split: their rows under the keys of others (`split_rows`). What is derived of these others goes from the releases that
                mixed the two.
            facts: what the ledger's entry says of the act beside the seals that it makes void: ``persons`` as keyed
                digests, and whatever else was done in it; never who it was.
            by: who decided it.
            files: path in the store -> content hash, of what the act changed outside the archive.
        """
        return erasure.erase(
            self, person_keys, split=split, facts=facts, by=by, files=files or {}, progress=progress or Silent()
        )

    def resume(self, *, by: Actor, progress: Progress | None = None) -> None:
        """Finish an erasure or a publication that was cut short, if there is one; `write` and `erase` do so first.

        Args:
            by: who is named in the ledger where what was cut short is older than the recording of actors.
        """
        publish.recover(self)
        erasure.resume(self, by=by, progress=progress or Silent())
        self.clear_torn()

    def export(
        self,
        release: Release,
        out: Output,
        *,
        format: export.Format,  # noqa: A002 - the word that the command line has for it
        vocabulary_files: Mapping[str, Sequence[Path]],
        progress: Progress | None = None,
    ) -> None:
        """Write a release as a standard OMOP CDM 5.4 database, whole or not at all.

        Args:
            out: a DuckDB file, or for ``parquet`` a folder with one file for each table.
            vocabulary_files: Parquet files by vocabulary table (``concept`` and its company).
        """
        export.export(self, release, out, form=format, vocabulary_files=vocabulary_files, progress=progress or Silent())
