"""The ledger of a hub: entries that hold each other by their hashes, in its database, under one signed head.

Whoever asks what the entries say is told after every hash and link, and the head, were looked at. What is there without that is
`Ledger.as_read`: for whoever looks for faults, or for the key that the head is known by.
"""

import datetime as dt
import errno
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairhaven.kernel.errors import Fault, Invalid, NotFound, check_faults
from fairhaven.kernel.files import canonical_json
from fairhaven.kernel.plain_files import no_file, read_plain
from fairhaven.ledger.chain_reader import NAME, Chain
from fairhaven.ledger.checkpoint import Checkpoint, Signer, checkpoint_of
from fairhaven.ledger.earlier_ledger import FOREIGN, LEDGER, EarlierLedger
from fairhaven.ledger.file_hashes import NO_FILE, content_hashes
from fairhaven.ledger.journal import Journal
from fairhaven.ledger.model import Actor, Entry, EventKind
from fairhaven.ledger.proof import EntryProof, proof_of
from fairhaven.ledger.published_ledger import PUBLISHED, PublishedLedger
from fairhaven.ledger.signed_head import RESTORE, SignedHead, head_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fairhaven.records import Database

Files = Mapping[str, str | None]
NO_FILES: Files = {}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RecordedChange:
    """A change of the hub's database, whose event is written: whoever writes to a table asks for one, so none is without its event.

    Args:
        entry: the event.
        connection: the transaction that holds both; it ends with the block that `Ledger.change` began.
    """

    entry: Entry
    connection: "Connection"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Read:
    """What was read at one moment.

    Args:
        note: the signed head; published: the one that others know, read before.
    """

    chain: Chain
    note: bytes | None
    published: bytes | None

    @property
    def is_of_nothing(self) -> bool:
        """Whether nothing was ever entered."""
        return not self.chain.size and self.note is None


class Ledger:
    """The ledger of one hub.

    Args:
        store: the hub's store.
        database: gives the hub's database, when it is first needed; None for an account that may not open it, which reads what is
            published and writes nothing.
        signer: signs the head with each entry; None for who writes none.
        public: gives the public half of the key by which the head is known; None for the signer's own.
        now: the clock, in UTC.
    """

    def __init__(
        self,
        store: Path,
        *,
        database: "Callable[[], Database] | None" = None,
        signer: Signer | None = None,
        public: Callable[[], bytes] | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.store = store
        self._database = database
        self._signer = signer
        self._head = SignedHead(public or (lambda: self._signing.public))
        self._published = PublishedLedger(store)
        self._now = now
        self._lock = threading.Lock()
        self._chain = Chain()
        self._checked: tuple[Chain, bytes | None] | None = None
        self._journals: dict[str, Journal] = {}

    def begin(self, facts: Mapping[str, Any], *, by: Actor) -> Entry:
        """The first entry, "hub made", where there is none yet; killed, it is called again.

        In any other ledger a head that is missing is a fault, and stays one.
        """
        with self._writing(may_be_new=True) as (connection, chain):
            entry = chain.entries[0] if chain.entries else self._enter(connection, chain, EventKind.HUB_MADE, facts, by)
        self._publish()
        return entry

    def take_over(self, earlier: EarlierLedger, facts: Mapping[str, Any], *, by: Actor) -> Entry:
        """The entries of an earlier version's file, and one that says that they were taken over; killed, it is called again.

        Nothing is published yet: the head beside that file is what it is known by as long as it is there.

        Raises:
            Invalid: the database holds another ledger.
        """
        from fairhaven.ledger.event_table import add_entries

        with self._writing(may_be_new=True) as (connection, chain):
            size = len(earlier.entries)
            if not chain.size:
                add_entries(connection, earlier.entries)
                return self._enter(connection, self._read_in(connection, None).chain, EventKind.UPGRADED, facts, by)
            *taken, last = chain.entries[: size + 1]
            is_taken = [entry for entry, _ in earlier.entries] == taken and last.kind == EventKind.UPGRADED
            if not (is_taken and last.facts.get("ledger") == facts["ledger"]):
                raise Invalid(Fault(path=LEDGER, message=FOREIGN))
            return last

    @contextmanager
    def change(
        self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, about: str = "", files: Files = NO_FILES
    ) -> Iterator[RecordedChange]:
        """Change the hub's database: what the block writes and the event are on the disk when it ends, or neither where it raises.

        Args:
            by: who decided what is recorded, which after an interruption need not be who carries it out.
            about: what is changed, by an id that everybody may know.
            files: path in the store -> content hash of what the act wrote; None for what it removed.

        Raises:
            Invalid: as `entries`; nothing was written.
            NotAllowedNow: others wrote all the while.
        """
        with self._writing() as (connection, chain):
            entry = self._enter(connection, chain, kind, facts, by, about=about, files=files)
            yield RecordedChange(entry=entry, connection=connection)
        self._publish()

    def append(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry about what is not in the database; it is on the disk when this returns. As `change`."""
        with self.change(kind, facts, by=by, files=files) as change:
            return change.entry

    def append_once(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry unless there is one of this kind with these facts: work redone after a crash records once.

        The actor is not compared: an act is one act, whoever finishes it.
        """
        return self._append_unless(lambda entries: entries, kind, facts, by, files)

    def append_change(self, kind: EventKind, facts: Mapping[str, Any], *, by: Actor, files: Files = NO_FILES) -> Entry:
        """Write an entry unless the last of this kind has these facts: what is in use is recorded when it changes."""
        return self._append_unless(lambda entries: entries[-1:], kind, facts, by, files)

    def _append_unless(
        self,
        among: Callable[[Sequence[Entry]], Sequence[Entry]],
        kind: EventKind,
        facts: Mapping[str, Any],
        by: Actor,
        files: Files,
    ) -> Entry:
        wanted = canonical_json(facts)
        with self._writing() as (connection, chain):
            same = (entry for entry in among(chain.of(kind)) if canonical_json(entry.facts) == wanted)
            entry = next(same, None) or self._enter(connection, chain, kind, facts, by, files=files)
        self._publish()
        return entry

    def append_changed(
        self, kind: EventKind, facts: Mapping[str, Any], places: Iterable[Path], *, by: Actor
    ) -> Entry | None:
        """Write an entry with the content hashes of the files that are other than the ledger says, if any is.

        Args:
            places: files and folders of the store that the act may have written or removed.
        """
        changed = self.changed(places)
        check_faults([no_file(self.store / path).faults[0] for path, digest in changed.items() if digest == NO_FILE])
        return self.append(kind, facts, by=by, files=changed) if changed else None

    def not_entered(self, files: Files) -> dict[str, str | None]:
        """Those of some content hashes by path in the store that the entries do not say, for the next one. Raises as `entries`."""
        kept = self.files()
        return {path: digest for path, digest in files.items() if kept.get(path) != digest}

    def changed(self, places: Iterable[Path]) -> Files:
        """Content hashes of the files that are other than the ledger says; None for those that are gone."""
        return self.not_entered(content_hashes(self.store, places, self.files()))

    def entries(self) -> Sequence[Entry]:
        """Every entry in order.

        Raises:
            Invalid: a row is no entry, a hash or a link does not hold, or the signed head does not agree.
        """
        return self._known().entries

    def entries_of(self, *kinds: EventKind) -> Sequence[Entry]:
        """The entries of some kinds, in order. Raises as `entries`."""
        return self._known().of(*kinds)

    def files(self) -> Mapping[str, str]:
        """What the store must hold beside the files that manifests name: path -> content hash. Raises as `entries`."""
        return self._known().files

    def length(self) -> int:
        """How many entries there are. Raises as `entries`."""
        return len(self.entries())

    def journal(self, path: str) -> Journal:
        """The notes of an act under way, which are to be entered here.

        Args:
            path: in the store.
        """
        if path not in self._journals:
            self._journals[path] = Journal(
                self.store / path,
                store=self.store,
                entries=self.entries,
                signer=lambda: self._signing,
                public=self._head.public,
            )
        return self._journals[path]

    def as_read(self) -> Chain:
        """What is there, whatever it is worth; nothing is decided by it."""
        return self._read().chain

    def as_found(self) -> Chain:
        """What is there, whether a head counts it or not: for the key that the head is known by."""
        if self._database is None:
            return PublishedLedger(self.store).read(Chain(), counted=None)
        return self.as_read()

    @property
    def checkpoint(self) -> Path:
        """The file of the signed head, as it is published."""
        return self._published.checkpoint

    def verify(self) -> list[Fault]:
        """What is wrong with the chain, read anew: nothing where every hash and link holds."""
        self._chain, self._published = Chain(), PublishedLedger(self.store)
        return list(self.as_read().faults)

    def head(self) -> Checkpoint | None:
        """How many entries there are, and the root of their tree; None where there is none. Raises as `entries`."""
        chain = self._known()
        return head_of(chain) if chain.entries else None

    def published_faults(self) -> list[Fault]:
        """What is wrong with the entries as they are published: nothing where they are those of the database. Raises as `entries`."""
        published, mine = Ledger(self.store, public=self._head.public), self._known()
        faults = list(published.as_read().faults) or published.head_faults()
        is_same = [entry.hash for entry in published.as_read().entries] == [entry.hash for entry in mine.entries]
        if not faults and not is_same:
            faults = [Fault(path=PUBLISHED, message="has other entries than the hub's database")]
        return [replace(fault, path=PUBLISHED) for fault in faults]

    def signed_head(self) -> tuple[str, bytes]:
        """The signed note of all entries, and the public half of the key that signed it. Raises as `entries`."""
        read = self._read()
        self._check(read)
        return (read.note or b"").decode(), self._head.public()

    def prove(self, number: int, *, since: Path | None = None) -> EntryProof:
        """The proof that an entry is in the ledger.

        Args:
            since: a checkpoint that was kept elsewhere, from which the ledger is shown to go on.

        Raises:
            NotFound: there is no such entry, or no such file.
            Invalid: as `entries`; or the checkpoint is not one of this ledger.
        """
        if since is not None and not since.is_file():
            raise NotFound(f"there is no file {since}")
        note, public = self.signed_head()
        chain, earlier = self._known(), None
        if since is not None:
            check_faults(self._head.disagreements_elsewhere(chain, since))
            earlier = checkpoint_of(read_plain(since), public, path=since.name)
        return proof_of(chain, number, note, since=earlier)

    def head_faults(self, path: Path | None = None) -> list[Fault]:
        """What of the ledger a signed checkpoint does not agree with: nothing where it holds.

        Args:
            path: a checkpoint that was kept elsewhere; None for the head that is signed now, in the database and as it is published.
        """
        read = self._read()
        if read.chain.faults:
            return _faults(read.chain)
        return self._head.disagreements_elsewhere(read.chain, path) if path else self._disagreements(read)

    def _known(self) -> Chain:
        read = self._read()
        self._check(read)
        is_published = read.note == read.published and self._published.path.exists()
        if self._database is not None and read.note is not None and not is_published:
            # Whoever wrote the last entry is about to, or was killed before. What is entered is entered, published or not: the
            # next to ask tries again, and the scrub of the store says what is not as it must be (`published_faults`).
            with suppress(OSError):
                self._published.catch_up(
                    read.chain, read.note, is_newer=lambda note: self._head.size_signed(note) > read.chain.size
                )
        return read.chain

    def _check(self, read: "_Read") -> None:
        if self._checked != (read.chain, read.note):
            check_faults(_faults(read.chain) or self._disagreements(read))
            self._checked = read.chain, read.note

    def _disagreements(self, read: "_Read") -> list[Fault]:
        """Of what was read, with its head, and with the one that was published before."""
        if (found := self._head.disagreements(read.chain, read.note)) or self._database is None:
            return found
        if (published := self._head.size_signed(read.published)) > read.chain.size:
            message = (
                f"has {read.chain.size:,} entries, and a head of {published:,} was published: it was cut, or an older copy was put in its "
                f"place. {RESTORE}"
            )
            return [Fault(path=NAME, message=message)]
        return []

    def _read(self) -> "_Read":
        # What is published first: whoever writes meanwhile writes the entry before its head, and publishes after that.
        if self._database is None:
            with self._lock:
                published = self._published.note()
                self._chain = self._published.read(self._chain, counted=self._head.size_signed(published))
                return _Read(chain=self._chain, note=published, published=published)
        published = self._published.note()
        with self._database().reading() as connection:
            return self._read_in(connection, published)

    def _read_in(self, connection: "Connection", published: bytes | None) -> "_Read":
        from fairhaven.ledger.event_table import read_entries, read_note

        self._chain = read_entries(connection, self._chain)
        return _Read(chain=self._chain, note=read_note(connection), published=published)

    @property
    def _signing(self) -> Signer:
        if self._signer is None:
            raise RuntimeError("this ledger was opened without the key that signs it")
        return self._signer

    @contextmanager
    def _writing(self, *, may_be_new: bool = False) -> "Iterator[tuple[Connection, Chain]]":
        if self._database is None:
            reason = "the ledger is written by the hub's own account alone"
            raise PermissionError(errno.EACCES, reason, str(self._published.path))
        self._signing.public  # noqa: B018 - before anything is written it shows whether this account may sign
        with self._database().writing() as connection:
            read = self._read_in(connection, self._published.note())
            if not (may_be_new and read.is_of_nothing):
                self._check(read)
            yield connection, read.chain

    def _enter(
        self,
        connection: "Connection",
        chain: Chain,
        kind: EventKind,
        facts: Mapping[str, Any],
        by: Actor,
        *,
        about: str = "",
        files: Files = NO_FILES,
    ) -> Entry:
        from fairhaven.ledger.event_table import add_entries, read_entries, write_note

        entry = Entry(
            number=chain.size + 1,
            at=self._now().isoformat(timespec="seconds"),
            kind=kind.value,
            facts=facts,
            files=files,
            about=about,
            actor=by,
            previous=chain.previous,
            hash="",
        )
        content = canonical_json(entry.content())
        entry = replace(entry, hash=hashlib.sha256(content.encode()).hexdigest())
        add_entries(connection, [(entry, content)])
        write_note(connection, head_of(read_entries(connection, chain)).signed(self._signing))
        return entry

    def _publish(self) -> None:
        """What was committed, for those who read no database; one that is killed before is made up for by the next to ask."""
        self._known()


def _faults(chain: Chain) -> list[Fault]:
    """Of the chain, with what to do."""
    return [replace(fault, message=f"{fault.message}. {RESTORE}") for fault in chain.faults]
