"""The records of what was received: where they are, how they are read, and what is committed.

A delivery is committed by its entry in the ledger, which holds its record and that record's hash: the file is written then, and
written again where it is gone. Whatever no delivery names is the rest of a receive that did not end: nobody reads it, and the
next writer clears it away.
"""

import contextlib
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

from fairhaven.intake.model import Delivery, Extract
from fairhaven.kernel.codec import read_record, to_json
from fairhaven.kernel.errors import Fault, NotFound, check_faults
from fairhaven.kernel.files import announce_folder, clear_torn, stamp_of, sync, write_json
from fairhaven.kernel.listing import listed
from fairhaven.ledger import content_hashes

T = TypeVar("T", Delivery, Extract)

EXTRACT = "extract.json"
"""In an extract's folder: what it holds."""

_NUMBERED = re.compile(r"\d{6}")
_EXTRACTS_OWN = re.compile(r"(?:landing/|vault/identity/|received/[0-9a-f]+-)(?P<number>\d{6})[./]\w")
"""What bears the number of its extract."""
_READY, _BEFORE = ".new", ".old"
"""Behind the name of what is ready to take its place, and of what was there before."""
_DIGEST = 64
"""How many characters of the name of sealed bytes are the digest of what was delivered."""


class DeliveryRecords:
    """Deliveries and extracts of one hub's store.

    A record is read once, as long as its file is the same: a hub has thousands, and each command asks for them again and again.

    Args:
        store: the hub's ``store`` folder.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._until: int | None = None
        self._under_way: tuple[int, Path] | None = None
        self._read: dict[Path, tuple[tuple[int, ...], Any]] = {}

    def until(self, delivery: int) -> "DeliveryRecords":
        """The same as far as one delivery, whatever is received from now on."""
        seen = copy(self)
        seen._until = delivery
        return seen

    def receiving(self, first: int, folder: Path) -> "DeliveryRecords":
        """The same while extracts are received, which are elsewhere until they have been searched for identifiers.

        Args:
            first: number of the first of them.
            folder: in scratch.
        """
        seen = copy(self)
        seen._under_way = first, folder
        return seen

    def deliveries(self) -> list[Delivery]:
        """Every committed delivery that is seen, in order."""
        return [delivery for delivery in self._committed() if self._until is None or delivery.number <= self._until]

    def extracts(self, source: str | None = None) -> list[Extract]:
        """Every extract of these deliveries, in order."""
        numbers = [
            number
            for delivery in self.deliveries()
            if source is None or delivery.source == source
            for number in delivery.extracts
        ]
        return [self.extract(number) for number in sorted(numbers)]

    def extracts_of(self, digests: Collection[str]) -> list[Extract]:
        """Extracts of delivered files by their SHA-256, in order. A file that has no sealed bytes was never delivered, and then no
        record is read for it."""
        sealed = {path.name[:_DIGEST] for path in listed(self._store / "received", "*.sealed")}
        return [each for each in self.extracts() if each.sha256 in digests] if sealed.intersection(digests) else []

    def extract(self, number: int) -> Extract:
        """One extract.

        Raises:
            NotFound: no such extract was landed.
        """
        path = self.folder(number) / EXTRACT
        with contextlib.suppress(FileNotFoundError):
            return self._record(path, Extract)
        finish_swap(self.folder(number))
        try:
            return self._record(path, Extract)
        except FileNotFoundError:
            raise NotFound(
                f"{path} is missing, which says what extract {number} holds. Restore that folder from the hub's backup."
                if any(number in delivery.extracts for delivery in self.deliveries())
                else f"there is no extract {number} in {self._store}"
            ) from None

    def delivery(self, number: int) -> Delivery:
        """One delivery.

        Raises:
            NotFound: no such delivery was received.
        """
        try:
            return self._record(self.record(number), Delivery)
        except FileNotFoundError:
            raise NotFound(f"there is no delivery {number} in {self._store}") from None

    def folder(self, extract: int) -> Path:
        """Where an extract's landed tables are."""
        first, elsewhere = self._under_way or (extract + 1, self._store)
        return (self._store / "landing" if extract < first else elsewhere) / f"{extract:06d}"

    def table(self, extract: int, table: str) -> Path:
        """The Parquet file of one landed table."""
        return self.folder(extract) / f"{table}.parquet"

    def sealed(self, sealed_as: str) -> Path:
        """The sealed bytes of a delivered file, by `Extract.sealed_as`."""
        return self._store / "received" / f"{sealed_as}.sealed"

    def record(self, delivery: int) -> Path:
        """The file that says what a delivery is."""
        return self._store / "deliveries" / f"{delivery:06d}.json"

    def write_extract(self, folder: Path, extract: Extract) -> None:
        """Write ``extract.json`` beside the extract's tables."""
        self._read.pop(folder / EXTRACT, None)
        write_json(folder / EXTRACT, to_json(extract))

    def commit(self, delivery: Delivery, *, enter: Callable[[Any], object]) -> None:
        """Make a delivery part of the hub.

        Args:
            enter: is given the delivery's record, as JSON has it, and enters the delivery in the ledger: that is the commit.
        """
        record = to_json(delivery)
        enter(record)
        write_json(self.record(delivery.number), record)

    def write_missing(self, records: Mapping[int, Any]) -> None:
        """Write the records of deliveries that were entered, where they are not; the lock of the deliveries must be held.

        Args:
            records: number of the delivery -> its record, as JSON has it.
        """
        there = set(listed(self._store / "deliveries"))
        for number, record in records.items():
            if (path := self.record(number)) not in there:
                write_json(path, record)

    def next_numbers(self, known: Collection[str]) -> tuple[int, int]:
        """(delivery, extract) numbers that are free: neither the disk nor the ledger has them, nor any after them.

        Args:
            known: as of `clear_uncommitted`.
        """
        committed = self._committed()
        deliveries = {delivery.number for delivery in committed} | _numbers(known, "deliveries")
        extracts = _extracts(committed) | _numbers(known, "landing")
        return max(deliveries, default=0) + 1, max(extracts, default=0) + 1

    def is_earlier(self, known: Collection[str]) -> Callable[[str], bool]:
        """Tells of a path in the store whether it is of what was received before, and not of the delivery to come.

        Args:
            known: as of `next_numbers`.
        """
        _, first = self.next_numbers(known)

        def is_of_before(path: str) -> bool:
            number = _EXTRACTS_OWN.match(path)
            return path in known or path.startswith("erased/") or (number is not None and int(number["number"]) < first)

        return is_of_before

    def kept_extracts(self, known: Collection[str]) -> set[int]:
        """Numbers of the extracts that a committed delivery or the ledger has: what must never be cleared away."""
        return _extracts(self._committed()) | _numbers(known, "landing")

    def finish_swaps(self, known: Mapping[str, str | None]) -> None:
        """Have each folder that is ready take its place, if it is what was decided; the lock of the deliveries must be held.

        Args:
            known: path in the store -> content hash of what is to be there.

        Raises:
            Invalid: a folder is another than that; each is named, and none was moved.
        """
        numbers = self._kept_beside(_READY, known)
        check_faults([fault for number in numbers for fault in self._faults_of_ready(number, known)])
        for number in numbers:
            finish_swap(self.folder(number))

    def _kept_beside(self, ending: str, known: Collection[str]) -> list[int]:
        """Numbers of the extracts, of those that are kept, beside whose folder one of this ending stands."""
        found = [path.stem for path in listed(self._store / "landing", f"*{ending}")]
        numbers = {int(stem) for stem in found if _NUMBERED.fullmatch(stem)}
        return sorted(numbers & self.kept_extracts(known)) if numbers else []

    def _faults_of_ready(self, number: int, known: Mapping[str, str | None]) -> Iterator[Fault]:
        ready = _beside(self.folder(number), _READY)
        path = self.folder(number).relative_to(self._store).as_posix()
        wanted = {place.removeprefix(path): digest for place, digest in known.items() if place.startswith(f"{path}/")}
        found = {
            place.removeprefix(f"{path}{_READY}"): digest
            for place, digest in content_hashes(self._store, [ready]).items()
        }
        # A hub of before has no hashes until stock is taken of it.
        if wanted and found != {place: digest for place, digest in wanted.items() if digest}:
            message = "is not what a command was about to put in its place: something else put it there. Remove it."
            yield Fault(path=f"{path}{_READY}", message=message)

    def clear_uncommitted(self, known: Mapping[str, str | None]) -> set[int]:
        """Remove what no committed delivery names; the lock of the deliveries must be held.

        Args:
            known: paths in the store of all files of deliveries that the ledger has, or that notes of an act under way name ->
                content hash, None where it has none. They were committed, whatever records say that are there or not, so
                that none of them is ever removed.

        Returns:
            as of `kept_extracts`.

        Raises:
            Invalid: one of them is missing; each is named, and nothing was removed. Tables that are landed again are not meant.
        """
        self.finish_swaps(known)
        for number in self._kept_beside(_BEFORE, known):
            finish_swap(self.folder(number))
        check_faults(
            [
                Fault(path=path, message=f"is missing, and the ledger has it. {_what_to_do(path)}")
                for path in sorted(known)
                if not _is_landed_again(path) and not (self._store / path).exists()
            ]
        )
        committed = self.kept_extracts(known)
        for folder in listed(self._store / "landing"):
            if folder.is_dir() and (not _NUMBERED.fullmatch(folder.name) or int(folder.name) not in committed):
                shutil.rmtree(folder)
        received = self._store / "received"
        if unknown := [path for path in listed(received) if path.is_file() and f"received/{path.name}" not in known]:
            named = {self.sealed(self.extract(number).sealed_as) for number in committed}
            for path in unknown:
                if path not in named:
                    path.unlink()
        for name in ("deliveries", "landing", "received", "erased"):
            clear_torn(self._store / name)
        return committed

    def _committed(self) -> list[Delivery]:
        found = listed(self._store / "deliveries", "*.json")
        return [self._record(path, Delivery) for path in found if _NUMBERED.fullmatch(path.stem)]

    def _record(self, path: Path, form: type[T]) -> T:
        """Raises FileNotFoundError where there is none."""
        seen = stamp_of(path)
        before = self._read.get(path)
        if before is None or before[0] != seen:
            before = self._read[path] = seen, read_record(path, form)
        record: T = before[1]
        return record


def name_of_sealed(sha256: str, before: Sequence[Extract], *, source: str, number: int) -> str:
    """The name of a new extract's sealed bytes: of a source's own extracts with the same file all have one, other sources another.

    Args:
        before: extracts of the hub, those of this file at least.
    """
    same = [each for each in before if each.sha256 == sha256]
    others = {each.sealed_as for each in same if each.source != source}
    own = [each.sealed_as for each in same if each.source == source and each.sealed_as not in others]
    if own:
        return own[-1]
    return own_name(sha256, number) if others else sha256


def own_name(sha256: str, number: int) -> str:
    """The name of sealed bytes that no other extract has."""
    return f"{sha256}-{number:06d}"


def _extracts(deliveries: Iterable[Delivery]) -> set[int]:
    return {number for delivery in deliveries for number in delivery.extracts}


def _numbers(known: Collection[str], folder: str) -> set[int]:
    """Numbers of the deliveries (``deliveries``) or extracts (``landing``) that paths are of."""
    form = re.compile(rf"{folder}/(\d{{6}})[./]")
    return {int(found[1]) for path in known if (found := form.match(path))}


def _what_to_do(path: str) -> str:
    """About a file of a delivery that is missing."""
    if not (record := re.fullmatch(r"deliveries/(\d{6})\.json", path)):
        return "Restore it from the hub's backup."
    return (
        f"It is the record of delivery {int(record[1])}: restore it from a backup of the hub made since. To receive the same files "
        "again does not help: no command changes the hub without this record. Where no copy is left, restore the whole store from "
        "one backup."
    )


def _is_landed_again(path: str) -> bool:
    """Whether a file that is gone is made again from the sealed bytes."""
    return path.startswith("landing/") and path.endswith(".parquet")


@contextlib.contextmanager
def rewriting(folder: Path) -> Iterator[Path]:
    """A folder in which an extract's landing folder is made anew; at the end it takes the old one's place.

    After a fault the old one is as it was; after a crash `finish_swap` ends what was decided.
    """
    making = _beside(folder, ".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        yield making
        make_durable(making)
        announce_folder(folder, making)
        # Whatever is there was not put there by a command: that would have ended, or been finished, before this one.
        shutil.rmtree(_beside(folder, _READY), ignore_errors=True)
        making.rename(_beside(folder, _READY))
        finish_swap(folder)
        sync(folder.parent)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def make_durable(folder: Path) -> None:
    """Have the folder's files on disk before anything refers to them."""
    for path in listed(folder):
        sync(path)
    sync(folder)
    sync(folder.parent)


def finish_swap(folder: Path) -> None:
    """End a swap that was cut off: a folder that is ready takes its place, the old one goes."""
    old, ready = _beside(folder, _BEFORE), _beside(folder, _READY)
    if ready.exists():
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        # A reader that found the folder gone may have ended the swap in the meantime.
        with contextlib.suppress(FileNotFoundError):
            ready.rename(folder)
    if folder.exists():  # where somebody took it away, what was there before is all that is left
        shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path, ending: str) -> Path:
    return folder.with_name(folder.name + ending)


class Tombstones:
    """The tombstones of a store: one file for each source, and the erasures that have not ended."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "erased"

    def of(self, source: str) -> frozenset[str]:
        """Digests of a source's erased patients."""
        path = self._folder / f"{source}.json"
        return read_record(path, frozenset[str]) if path.exists() else frozenset()

    def add(self, source: str, digests: Collection[str]) -> None:
        """Remember patients as erased; the file is there whole or not at all."""
        before = self.of(source)
        if not before.issuperset(digests):
            write_json(self._folder / f"{source}.json", sorted(before.union(digests)))
