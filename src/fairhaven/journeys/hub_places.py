"""What lies in a hub's store: one table, which says what it is, who may read it, whether the ledger has its hash, and what is to be
done where it is not as it was written.

The modes of the store, its scrub and the reference page of a hub's files follow from it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from fairhaven.journeys.hub_locks import Locked
from fairhaven.kernel.keyring import Purpose

_RESTORE = "Restore it from the hub's backup."


class Access(StrEnum):
    """What the accounts may do that ``readers`` of hub.toml names."""

    NONE = "nothing"
    READ = "read"
    ADD = "read, and each adds files of its own"


@dataclass(frozen=True, kw_only=True, slots=True)
class StorePlace:
    """A file of the store, files of one kind, or a folder with all that is in it.

    Args:
        path: in the store; ``*`` stands for a name. Of several places that a file is in, the one that goes deepest counts, of two as
            deep the first.
        what: what it is.
        readers: what the readers may do; what is hidden (``.NAME``) they never read.
        thing: what holds it while it is changed; None for what is changed otherwise.
        compared: what it is compared with.
        compared_by: who compares it before reading it, beside the scrub. Plans (``--plan``) compare releases alone.
        is_hashed: the ledger has its hash, or a manifest whose hash the ledger has.
        unnoticed: what another byte there may change without anybody's notice; empty where it is noticed, or changes nothing.
        remedy: what to do where it is not as it was written; empty where that does not matter.
        has_rows: an engine reads and writes it.
        sealed_for: purpose of the key that its ``.sealed`` files are sealed under.
    """

    path: str
    what: str
    readers: Access = Access.NONE
    thing: Locked | None = None
    compared: str = "its hash in the ledger"
    compared_by: str = "nobody"
    is_hashed: bool = True
    unnoticed: str = ""
    remedy: str = _RESTORE
    has_rows: bool = False
    sealed_for: Purpose | None = None

    @property
    def comparison(self) -> str:
        """What it is compared with, and what is not noticed for all that."""
        return self.compared + (
            f". Another byte may change, and nobody notices: {self.unnoticed}" if self.unnoticed else ""
        )


_CLEARED = "work in progress, cleared by the next command"
_NEXT = "the next command that may go on from them, before it does"
_NOTED = "notes of an act under way: each line is signed, and its signature is looked at"
_RECORD = "changed by every question; a damaged one is refused when it is opened"

STORE: Sequence[StorePlace] = (
    StorePlace(
        path="deliveries",
        compared_by="builds and erasures, all of them; reports and traces, those that they tell of",
        what="the record of each delivery",
        thing=Locked.DELIVERIES,
        remedy="Remove it, and the next receive or build writes it again from the ledger. If that says that it is missing, an earlier version "
        "received this delivery: restore it from the hub's backup.",
    ),
    StorePlace(
        path="received",
        compared_by="builds and erasures, what they read of it; each byte is authenticated as well",
        what="the files of each delivery, sealed",
        thing=Locked.DELIVERIES,
        sealed_for=Purpose.DELIVERIES,
    ),
    StorePlace(
        path="landing",
        compared_by="builds and erasures; reports on releases that earlier versions made, what is in quarantine; traces, what an extract says of its origin",
        what="the rows of each delivery without identities, and those in quarantine",
        thing=Locked.DELIVERIES,
        has_rows=True,
    ),
    StorePlace(
        path="landing/*/*.parquet",
        compared_by="builds and erasures; reports on releases that earlier versions made, what is in quarantine",
        what="one table of an extract",
        thing=Locked.DELIVERIES,
        remedy="Without this file the next build lands it again from the sealed bytes: remove it, or restore it from the hub's backup.",
        has_rows=True,
    ),
    StorePlace(
        path="landing-again.json",
        compared_by=_NEXT,
        what="what is changed of extracts that were there before",
        is_hashed=False,
        remedy="",
        compared=_NOTED,
    ),
    StorePlace(
        path="erased",
        compared_by="builds, erasures and whoever receives",
        what="who was erased, as keyed digests",
        thing=Locked.DELIVERIES,
    ),
    StorePlace(
        path="erasing.json", compared_by=_NEXT, what="who is to be erased", is_hashed=False, remedy="", compared=_NOTED
    ),
    StorePlace(
        path="vault",
        compared_by="builds and erasures; each byte is authenticated as well",
        what="the identity vault",
        sealed_for=Purpose.VAULT,
    ),
    StorePlace(
        path="vault/identity",
        compared_by="builds and erasures; each byte is authenticated as well",
        what="the identities of each extract's patients, sealed",
        thing=Locked.DELIVERIES,
        sealed_for=Purpose.VAULT,
    ),
    StorePlace(
        path="vault/tokens",
        compared_by="whoever receives or builds",
        what="keyed digests of identities, sealed: what texts are compared with",
        is_hashed=False,
        remedy="",
        compared="each byte is authenticated, and it names the identities that it was made of; it is made again of them where it is not as it was",
        sealed_for=Purpose.VAULT,
    ),
    StorePlace(
        path="vault/index.sealed",
        compared_by="builds and erasures; each byte is authenticated as well",
        what="which patients are one person",
        thing=Locked.RELEASES,
        sealed_for=Purpose.VAULT,
    ),
    StorePlace(
        path="archive",
        compared_by="whoever reads rows, the files that are read; builds and erasures, the logs",
        what="the rows of releases, a folder for each table, with the log of its versions",
        compared="its hash in the ledger; files of rows: that in the manifests",
        readers=Access.READ,
        thing=Locked.RELEASES,
        has_rows=True,
    ),
    StorePlace(
        path="archive/releases/*.json",
        compared_by="whoever reads a release, by its seal in the ledger",
        what="the manifest of each release",
        readers=Access.READ,
        thing=Locked.RELEASES,
    ),
    StorePlace(
        path="archive/releases/*",
        compared_by="whoever reads it; of the index as much as a question reads",
        what="what describes each release, and its discovery index",
        readers=Access.READ,
        thing=Locked.RELEASES,
        remedy="Remove it, and the next build or report makes it again.",
    ),
    StorePlace(
        path="archive/building.json",
        compared_by=_NEXT,
        what="what a build has made",
        readers=Access.READ,
        is_hashed=False,
        remedy="",
        compared=_NOTED,
    ),
    StorePlace(
        path="archive/erasure.json",
        compared_by=_NEXT,
        what="who is to be erased from releases",
        is_hashed=False,
        remedy="",
        compared=_NOTED,
    ),
    StorePlace(
        path="archive/.work", what="releases that an erasure makes anew", is_hashed=False, remedy="", compared=_CLEARED
    ),
    StorePlace(
        path="vocabulary",
        compared_by="builds, exports, and whoever else reads a release with its vocabulary",
        what="the vocabularies that were loaded",
        readers=Access.READ,
        thing=Locked.VOCABULARY,
        remedy="Load this vocabulary again (`fairhaven vocabulary load`), or restore it from the hub's backup.",
        has_rows=True,
    ),
    StorePlace(
        path="vocabulary/loading.json",
        compared_by=_NEXT,
        what="what a loading writes, and who loads",
        readers=Access.READ,
        is_hashed=False,
        remedy="",
        compared=_NOTED,
    ),
    StorePlace(
        path="records.sqlite",
        compared_by="every command that asks the ledger, its entries",
        what="the hub's database: the ledger, which has every act, who did it and the hashes of what it wrote",
        is_hashed=False,
        compared="the ledger's entries hold each other by their own hashes, which are computed again, and by its signed head",
    ),
    StorePlace(
        path="ledger.jsonl",
        compared_by="`fairhaven upgrade`, which takes it over; no other command reads it",
        what="the ledger of an earlier version, until the hub is upgraded",
        is_hashed=False,
        compared="its entries hold each other by their own hashes, which are computed again",
    ),
    StorePlace(
        path="published-ledger.jsonl",
        compared_by="every command of an account that only reads the hub",
        what="the ledger's entries as they are published, for accounts that may not open the database",
        readers=Access.READ,
        is_hashed=False,
        compared="its entries are compared with the database's, and hold each other by their own hashes",
        remedy="Remove it, and the next command of the hub's own account writes it again.",
    ),
    StorePlace(
        path="checkpoint",
        compared_by="every command that asks the ledger",
        what="the ledger's head, signed, as it is published",
        readers=Access.READ,
        is_hashed=False,
        compared="its signature, and what it says of the ledger, are looked at",
    ),
    StorePlace(
        path="record.pub",
        compared_by="every command that asks the ledger, where its account may read the key",
        what="the public half of the key that signs",
        readers=Access.READ,
        is_hashed=False,
        compared="compared with the key that signs, where that may be read",
    ),
    StorePlace(
        path="keys",
        compared_by="whoever needs a key, by its check value in the ledger",
        what="the hub's keys",
        is_hashed=False,
        remedy="Restore the folder from the hub's key backup.",
        compared="each key is compared with its check value, where it may be read (`fairhaven keys check`)",
    ),
    StorePlace(
        path="keys.making",
        what="keys of a new hub",
        is_hashed=False,
        remedy="",
        compared="keys of a hub whose making was killed; they go when it is made",
    ),
    StorePlace(
        path="query-audit.sqlite",
        compared_by="every count and the scrub, its mark and how far it has read the logs, which the ledger has",
        what="what projects asked and were answered: the logs of questions, taken over",
        is_hashed=False,
        compared=_RECORD,
        unnoticed="what was answered, or spent, as its tables have it; the logs have what was asked",
    ),
    StorePlace(
        path="query-audit",
        compared_by="every count",
        what="the questions of each account, a log each",
        readers=Access.ADD,
        is_hashed=False,
        compared="the lines of each log hold each other by their hashes; the last that the ledger has seen is looked for at every count, and each by the scrub",
    ),
    StorePlace(
        path="query-audit/record.sqlite",
        what="a copy of the record of questions without persons' ids, from which other accounts begin",
        compared_by="every count, how far it has read the logs",
        readers=Access.READ,
        is_hashed=False,
        remedy="Remove it, and the next count of the hub's own account makes it again.",
        compared="made again from the record of questions when that has grown",
        unnoticed="as in the record of questions, for counts of other accounts",
    ),
    StorePlace(
        path="query-audit-set-aside",
        what="what was left of logs that the hub goes on without",
        compared_by="the scrub: no other command reads it",
    ),
    StorePlace(
        path="network.sqlite",
        what="what `network serve` was asked and told",
        is_hashed=False,
        compared=_RECORD,
        unnoticed="a question, or what a member answered; who joined, asked and left stands in the ledger",
    ),
    StorePlace(
        path="discovery",
        what="the tasks that `answer` did",
        is_hashed=False,
        compared="changed by every task that is answered; a damaged record is refused when it is opened",
        unnoticed="an answer that waits to be sent",
    ),
    StorePlace(path="scratch", what="work in progress", is_hashed=False, remedy="", compared=_CLEARED),
    StorePlace(
        path="outputs",
        what="where outputs are being written",
        is_hashed=False,
        remedy="",
        compared="outputs that are being written, or that a killed command left; the next command clears it",
    ),
    StorePlace(
        path="locks",
        what="who changes what",
        is_hashed=False,
        remedy="",
        compared="who holds what; nothing is read from it but that",
    ),
    StorePlace(
        path=".lock",
        what="the lock of an earlier version",
        is_hashed=False,
        remedy="",
        compared="nothing reads it; it may be removed",
    ),
    StorePlace(
        path="demonstration.json",
        what="how far `fairhaven demo` has come",
        is_hashed=False,
        remedy="",
        compared="how far `fairhaven demo` has come; no other command reads it",
    ),
)
"""Whatever lies in a store. A file that is in none of these places is private, and is asked for by `store verify`."""

NOTES: Sequence[str] = tuple(place.path for place in STORE if place.compared == _NOTED)
"""The notes of acts under way (`ledger.journal`)."""


def _by_top() -> Mapping[str, Sequence[tuple[list[str], StorePlace]]]:
    found: dict[str, list[tuple[list[str], StorePlace]]] = defaultdict(list)
    for place in STORE:
        parts = place.path.split("/")
        found[parts[0]].append((parts, place))
    # The deepest first; the order of places as deep stays.
    return {top: sorted(places, key=lambda each: -len(each[0])) for top, places in found.items()}


_BY_TOP = _by_top()
_HELD_WHOLE = {
    top: places[0][1].thing for top, places in _BY_TOP.items() if len({place.thing for _, place in places}) == 1
}
"""Folders that one thing holds with all that is in them: most files of a store are in one, and there are many."""


def place_of(path: str) -> StorePlace | None:
    """The place of a file or folder; None where it is in none.

    Args:
        path: in the store.
    """
    # Beside an open SQLite file lie two of its own.
    parts = path.removesuffix("-wal").removesuffix("-shm").split("/")
    for place_parts, place in _BY_TOP.get(parts[0], ()):
        if len(parts) >= len(place_parts) and all(map(fnmatchcase, parts, place_parts)):
            return place
    return None


def part_of(path: str) -> Locked | None:
    """What holds a file of the store while it is changed, and has its hash entered."""
    top = path.partition("/")[0]
    if top in _HELD_WHOLE:
        return _HELD_WHOLE[top]
    place = place_of(path)
    return place.thing if place else None


def remedy(path: str) -> str:
    """What to do about a file of the store that is not as it was written."""
    place = place_of(path)
    return place.remedy if place else _RESTORE
