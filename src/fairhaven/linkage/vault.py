"""The identity vault: the one place where identifiers are kept, sealed.

``identity/<extract>.sealed`` is one extract's identity records as Parquet bytes under a file key of their own;
``tokens/<extract>.sealed`` is what texts are compared with to know these records again, made of them when it is needed;
``index.sealed`` is the index of persons, ``index-NNNN.sealed`` the one that release NNNN, under way, will bring. What is read is held in memory only: nothing of the vault is ever
on disk in plaintext, not even for a moment, and the databases that work on it may not spill (`persons.memory_only_database`).
"""

import io
import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairhaven.identifiers.known_identifiers import KnownIdentifiers, code_of_tokens, known_identifiers
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.errors import Fault, Invalid, NotFound, check_faults
from fairhaven.kernel.files import clear_torn
from fairhaven.kernel.ids import pseudonym
from fairhaven.kernel.listing import listed
from fairhaven.kernel.plain_files import plain_file
from fairhaven.linkage.model import IDENTITY_SCHEMA, INDEX_SCHEMA
from fairhaven.linkage.persons import memory_only_database
from fairhaven.nhs.number import bare_digits_sql, valid_nhs_number

_REFERENCE = pa.schema([IDENTITY_SCHEMA.field("source"), IDENTITY_SCHEMA.field("patient_ref")])


_WORTH_THREADS = 1 << 20

_AT_A_TIME = 100_000

_NUMBER = re.compile("[0-9]{6,9}")


class Vault:
    """Identity records by extract, and the index of persons.

    Args:
        folder: ``store/vault`` of the hub; made at the first writing. Writers hold the hub's lock
            of the deliveries for identity records, of the releases for the index.
        envelope: seals the vault.
    """

    def __init__(self, folder: Path, envelope: Envelope) -> None:
        self._folder = folder
        self._envelope = envelope

    def add(self, extract: int, records: pa.Table) -> None:
        """Keep the identity records of one extract; they replace what is there under this number, whole or not at all.

        Args:
            extract: number of the extract, from 1.
            records: columns of `model.IDENTITY_SCHEMA` in any order; columns that are not there are NULL,
                ``row_extract`` is set to *extract*.
        """
        kept = self._tokens(extract)
        self._check_plain(kept.name)
        kept.unlink(missing_ok=True)
        self._write(self._file(extract), _shaped(records, extract))

    def extracts(self) -> set[int]:
        """Numbers of the extracts that are here."""
        return set(_numbered(self._folder / "identity"))

    def files(self, extracts: Collection[int]) -> list[Path]:
        """Files of these extracts' records, there or not."""
        return [self._file(extract) for extract in sorted(extracts)]

    def index_file(self, *, proposed: int | None = None) -> Path:
        """File of the index of persons, or of the one proposed with a release."""
        return self._folder / "index.sealed" if proposed is None else self._proposed(proposed)

    def keep_only(self, extracts: Collection[int]) -> None:
        """Remove the records of every other extract: those of a delivery that was never committed."""
        self._check_plain()
        for extract, file in _numbered(self._folder / "tokens").items():
            if extract not in extracts:
                file.unlink()
        for extract in self.extracts() - set(extracts):
            self._file(extract).unlink()
        # The index is another's to clear: a build may be writing it.
        clear_torn(self._folder / "identity")
        clear_torn(self._folder / "tokens")

    def records(self, extracts: Collection[int] | None = None) -> pa.Table:
        """Identity records, in memory.

        Args:
            extracts: numbers of the extracts; None for all.

        Raises:
            NotFound: an extract has no records here, so a linkage would silently lose its patients.
        """
        wanted = self._here(extracts)
        return pa.concat_tables([IDENTITY_SCHEMA.empty_table(), *(self._read_identity(extract) for extract in wanted)])

    def not_indexed(self, extracts: Collection[int]) -> list[int]:
        """Those of some extracts with patients whom the index of persons lacks: it is of the last build, and they came since.

        Raises:
            NotFound: an extract has no records here.
        """
        index = self.index()
        known = _REFERENCE.empty_table() if index is None else index.select(_REFERENCE.names)
        return [
            extract
            for extract in self._here(extracts)
            if self._read(self._file(extract), _REFERENCE.names)
            .join(known, _REFERENCE.names, join_type="left anti")
            .num_rows
        ]

    def nhs_numbers_of(self, patients: Mapping[str, Collection[str]], *, extracts: Collection[int]) -> frozenset[str]:
        """Valid NHS numbers that identity records of some patients bear, as ten digits.

        Args:
            patients: source -> patient_refs.
            extracts: numbers of the extracts whose records are looked at.
        """
        found = set[str]()
        for extract in self._here(extracts):
            records = self._read(self._file(extract), [*_REFERENCE.names, "nhs_number"])
            found.update(records.filter(_are_of(records, patients))["nhs_number"].to_pylist())
        return frozenset(number for text in found if (number := valid_nhs_number(text)))

    def refs_with_nhs_numbers(
        self, numbers: Collection[str], index: pa.Table | None = None, *, extracts: Collection[int] | None = None
    ) -> pa.Table:
        """Patients of a list of NHS numbers, for opt-outs.

        Args:
            numbers: as listed; spaces and dashes are ignored, numbers without a valid check digit match nothing.
            index: the index of persons; with it every patient of a person of whom any record bears a listed number.
            extracts: numbers of the extracts whose records are looked at; None for all that are here.

        Returns:
            source, patient_ref; each once, sorted.
        """
        listed = sorted({number for text in numbers if (number := valid_nhs_number(text))})
        with memory_only_database() as connection:
            connection.execute(
                "CREATE TABLE listed AS SELECT unnest($numbers::VARCHAR[]) AS number", {"numbers": listed}
            )
            connection.execute("CREATE TABLE bearing (source VARCHAR, patient_ref VARCHAR)")
            here = self.extracts()
            for extract in sorted(here if extracts is None else here.intersection(extracts)):
                connection.register("identity", self._read(self._file(extract)))
                connection.execute(
                    f"""
                    INSERT INTO bearing SELECT DISTINCT source, patient_ref
                    FROM identity WHERE {bare_digits_sql("nhs_number")} IN (FROM listed)
                    """
                )
                connection.unregister("identity")
            if index is not None:
                connection.register("person_index", index)
                connection.execute(
                    """
                    INSERT INTO bearing SELECT source, patient_ref FROM person_index
                    WHERE person_id IN (
                        SELECT person_id FROM person_index SEMI JOIN bearing USING (source, patient_ref)
                    )
                    """
                )
            found = connection.execute(
                "SELECT DISTINCT source, patient_ref FROM bearing ORDER BY ALL"
            ).fetch_arrow_table()
        return found.cast(_REFERENCE)

    def known_identifiers(
        self, *, key: bytes, source: str, extracts: Collection[int] | None = None, keeps: bool = True
    ) -> KnownIdentifiers:
        """See `intake.IdentityVault`. What records are known by is kept beside them, because it costs more than reading it.

        Args:
            extracts: numbers of the extracts whose records are meant; None for all.
            keeps: whether it may be written; the caller holds the lock of the deliveries then.
        """
        stamp = pseudonym(key, "tokens", code_of_tokens())
        parts, missing = [KnownIdentifiers.none()], []
        for extract in self._here(extracts):
            kept = self._kept_tokens(extract, f"{stamp} {self._mark(extract)}", source)
            parts.append(kept) if kept else missing.append(extract)
        if missing:
            with memory_only_database() as connection:
                for extract in missing:
                    parts.append(_known_in_parts(connection, self._read_identity(extract), key))
                    if keeps:
                        written = parts[-1].written(f"{stamp} {self._mark(extract)}")
                        self._envelope.seal_bytes(written, self._tokens(extract))
        found = KnownIdentifiers.together(parts)
        return replace(
            found,
            numbers=pa.table({"number": found.numbers["number"].unique()}),
            tokens=pa.table({"token": found.tokens["token"].unique()}),
            persons=pa.concat_tables([found.persons, self._indexed()]),
            names=found.names.filter(pc.equal(found.names["source"], source)),
            doubtful=found.doubtful.filter(pc.equal(found.doubtful["source"], source)),
        )

    def _kept_tokens(self, extract: int, stamp: str, source: str) -> KnownIdentifiers | None:
        file = self._tokens(extract)
        try:
            return KnownIdentifiers.read(self._envelope.open_bytes(file), stamp, names_of=source)
        except (FileNotFoundError, Invalid, pa.ArrowException):  # it is made again of the records, which are checked
            return None

    def _check_plain(self, name: str = "*.sealed") -> None:
        """Raises Invalid where something else stands in the place of what is kept: no link of it is followed, and no folder removed."""
        message = (
            "is a folder, a link, a pipe or a device, and does not belong there: something other than Fairhaven put it there. "
            "Nothing was changed. Remove it; "
        )
        missed = {
            "identity": "what the next command misses then, restore from the hub's backup.",
            "tokens": "the next command makes again what it misses.",
        }
        faults = []
        for place, how in missed.items():
            folder = self._folder / place
            wrong = [folder] if folder.is_symlink() else [path for path in listed(folder, name) if _is_strange(path)]
            faults += [Fault(path=str(path), message=message + how) for path in wrong]
        check_faults(faults)

    def _mark(self, extract: int) -> str:
        """What tells the sealed records from all others: the last bytes are a code of authentication under a key of this file alone."""
        with plain_file(self._file(extract)) as file:
            file.seek(-16, os.SEEK_END)
            return file.read().hex()

    def _indexed(self) -> pa.Table:
        """Who is one person by the index, with keys of persons below 0."""
        index = self.index()
        if index is None:
            return KnownIdentifiers.none().persons
        persons = pc.negate(index["person_id"].cast(pa.int64()))
        return pa.table({"source": index["source"], "patient_ref": index["patient_ref"], "person": persons})

    def erase(self, refs: Mapping[str, Collection[str]]) -> int:
        """Remove patients from every extract and from the index; files are written anew under new keys.

        Args:
            refs: source -> patient_refs.

        Returns:
            identity records removed.
        """
        self._check_plain()
        removed = 0
        for extract in sorted(self.extracts()):
            # Most extracts have none of them, and two columns tell.
            if pc.any(_are_of(self._read(self._file(extract), _REFERENCE.names), refs)).as_py():
                records = self._read_identity(extract)
                kept = records.filter(pc.invert(_are_of(records, refs)))
                # First: a command that is killed in between finds the records, and does this again.
                self._tokens(extract).unlink(missing_ok=True)
                self._write(self._file(extract), kept.select(IDENTITY_SCHEMA.names))
                removed += records.num_rows - kept.num_rows
        index = self.index()
        if index is not None:
            kept = index.filter(pc.invert(_are_of(index, refs)))
            if kept.num_rows < index.num_rows:
                self.keep_index(kept.select(INDEX_SCHEMA.names))
        return removed

    def index(self) -> pa.Table | None:
        """The index of persons as last kept; None before the first build."""
        file = self._folder / "index.sealed"
        return self._read(file) if file.exists() else None

    def keep_index(self, index: pa.Table) -> None:
        """Keep the index of persons (`model.INDEX_SCHEMA`); it replaces the one before, whole or not at all."""
        self._write(self._folder / "index.sealed", _ordered(index))

    def propose_index(self, index: pa.Table, *, release: int) -> None:
        """Keep an index that becomes the hub's when its release is published (`accept_index`), and not before.

        So a build that is killed links again from the same index, and reports the same merges and splits.
        """
        self._write(self._proposed(release), _ordered(index))

    def accept_index(self, *, published: int) -> None:
        """The index proposed with a release takes its place; one whose release never came goes.

        Args:
            published: number of the latest release, 0 where there is none.
        """
        for torn in listed(self._folder, ".*.part"):
            torn.unlink()
        for file in listed(self._folder, "index-*.sealed"):
            if file == self._proposed(published):
                file.replace(self._folder / "index.sealed")
            else:
                file.unlink()

    def _here(self, extracts: Collection[int] | None) -> list[int]:
        """The extracts in order, all for None. Raises NotFound where one has no records here, Invalid where something else stands in their place."""
        self._check_plain()
        here = self.extracts()
        wanted = sorted(here if extracts is None else set(extracts))
        if missing := [extract for extract in wanted if extract not in here]:
            numbers = ", ".join(str(extract) for extract in missing)
            raise NotFound(
                f"{self._folder} holds no identity records of extract {numbers}. "
                "Restore the folder from its backup, or receive the delivery again into a new store."
            )
        return wanted

    def _proposed(self, release: int) -> Path:
        return self._folder / f"index-{release:04d}.sealed"

    def _file(self, extract: int) -> Path:
        return self._folder / "identity" / f"{extract:06d}.sealed"

    def _tokens(self, extract: int) -> Path:
        return self._folder / "tokens" / f"{extract:06d}.sealed"

    def _read_identity(self, extract: int) -> pa.Table:
        """Records of an extract; a column that was not kept yet when it arrived is NULL."""
        table = self._read(self._file(extract))
        return pa.concat_tables([IDENTITY_SCHEMA.empty_table(), table], promote_options="default")

    def _write(self, file: Path, table: pa.Table) -> None:
        out = io.BytesIO()
        pq.write_table(table, out, compression="zstd")
        self._envelope.seal_bytes(out.getvalue(), file)

    def _read(self, file: Path, columns: list[str] | None = None) -> pa.Table:
        content = self._envelope.open_bytes(file)
        # Starting threads for a small file costs more than reading it.
        is_large = len(content) > _WORTH_THREADS
        return pq.ParquetFile(pa.BufferReader(content)).read(columns=columns, use_threads=is_large)


def _numbered(folder: Path) -> dict[int, Path]:
    """Files by the extract whose number is their name; what has another name is none of the vault's."""
    return {int(file.stem): file for file in listed(folder, "*.sealed") if _NUMBER.fullmatch(file.stem)}


def _is_strange(path: Path) -> bool:
    """Whether no file stands there, but something else; what goes meanwhile (a build looks while a receive writes) is not."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _are_of(records: pa.Table, patients: Mapping[str, Collection[str]]) -> pa.ChunkedArray:
    """Of each record, whether it is of one of some patients.

    Args:
        patients: source -> patient_refs.
    """
    theirs = pc.equal(records["source"], "\x1f")  # of nobody: no source has such a name
    for source, refs in patients.items():
        is_in = pc.is_in(records["patient_ref"], value_set=pa.array(sorted(refs), pa.string()))
        theirs = pc.or_(theirs, pc.and_(pc.equal(records["source"], source), is_in))
    return theirs


def _known_in_parts(connection: duckdb.DuckDBPyConnection, records: pa.Table, key: bytes) -> KnownIdentifiers:
    """What records are known by, some at a time: names and addresses of a million people do not fit beside each other."""
    parts = [KnownIdentifiers.none()]
    for first in range(0, records.num_rows, _AT_A_TIME):
        connection.register("records", records.slice(first, _AT_A_TIME))
        parts.append(known_identifiers(connection, "records", key=key))
    found = KnownIdentifiers.together(parts)
    return replace(found, tokens=pa.table({"token": found.tokens["token"].unique()}))


def _ordered(index: pa.Table) -> pa.Table:
    shaped = index.select(INDEX_SCHEMA.names).cast(INDEX_SCHEMA)
    return shaped.sort_by([("source", "ascending"), ("patient_ref", "ascending")])


def _shaped(records: pa.Table, extract: int) -> pa.Table:
    """The columns of the contract; texts trimmed, empty ones NULL."""
    columns = []
    for field in IDENTITY_SCHEMA:
        if field.name == "row_extract":
            column = pa.repeat(pa.scalar(extract, pa.int32()), records.num_rows)
        elif field.name not in records.column_names:
            column = pa.nulls(records.num_rows, field.type)
        else:
            column = records[field.name].cast(field.type)
            if pa.types.is_string(field.type) and field.name not in ("source", "patient_ref"):
                trimmed = pc.utf8_trim_whitespace(column)
                column = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        columns.append(column)
    return pa.table(columns, schema=IDENTITY_SCHEMA)
