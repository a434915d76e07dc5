"""A hub's keys: one file for each purpose, so that whoever does one thing needs, and can be given, no key of another.

``NAME.key`` holds 32 bytes, ``keys.json`` the check value of each (`ids.check_value`), so that a key that is not the hub's
is known before anything is written under it. Hubs of before had two keys: ``master.key`` wrapped every file key and
``secret.key`` was the hub's secret. They are read as before, until `fairhaven keys rotate` gives each purpose its own.
"""

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property, partial
from pathlib import Path

from fairhaven.kernel.codec import read_record
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.files import clear_torn, damaged, make_folder, sync, write_atomically, write_json
from fairhaven.kernel.ids import check_value, derive
from fairhaven.kernel.listing import listed
from fairhaven.kernel.secret_files import check_closed, read_secret
from fairhaven.kernel.signing_key import SigningKey, read_public

_LENGTH = 32
_CHECKS = "keys.json"
ROTATING = "rotating.json"
"""Among the keys while they are rotated: what has been decided, and will be ended."""
_IF_READ = "if others may have read it, see `fairhaven keys rotate`"
_BACKUP = "Restore the folder from the hub's key backup; without its keys what was delivered cannot be read."


class Purpose(StrEnum):
    """What a key is for."""

    VAULT = "vault", "wraps the file keys of the identity vault"
    DELIVERIES = "deliveries", "wraps the file keys of what was delivered"
    PSEUDONYMS = "pseudonyms", "makes pseudonyms, person keys, row identifiers and tombstones"
    RECORD = "record", "signs the head of the ledger"

    meaning: str

    def __new__(cls, name: str, meaning: str) -> "Purpose":
        """A purpose with its meaning."""
        made = str.__new__(cls, name)
        made._value_ = name
        made.meaning = meaning
        return made


_BEFORE = {
    Purpose.VAULT: "master.key",
    Purpose.DELIVERIES: "master.key",
    Purpose.PSEUDONYMS: "secret.key",
    Purpose.RECORD: "secret.key",
}
WRAPPING = (Purpose.VAULT, Purpose.DELIVERIES)
"""What a rotation makes anew; the others are what identifiers, answers and signatures that are there were made with."""
SEALING = (Purpose.VAULT, Purpose.DELIVERIES, Purpose.PSEUDONYMS)
"""What every command needs that takes in, links or erases."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyChecks:
    """What ``keys.json`` holds.

    Args:
        checks: purpose -> check value of its key.
    """

    checks: Mapping[str, str]


class DerivationKey:
    """A key from which others are derived, read when it is first needed.

    Args:
        key: gives the key.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def key_for(self, use: str) -> bytes:
        """A key of 32 bytes for one use, by `ids.derive`."""
        return derive(self._key(), use)


class Keyring:
    """The keys of a hub. Each is read and checked when it is first needed, so that whoever reads releases needs none.

    Args:
        folder: the hub's ``store/keys``.
        recorded: gives the check values that the ledger holds, by purpose; none where it holds none.
    """

    def __init__(self, folder: Path, *, recorded: Callable[[], Mapping[str, str]] = dict) -> None:
        self.folder = folder
        self._recorded = recorded
        self._keys: dict[Purpose, bytes] = {}

    @cached_property
    def vault(self) -> Envelope:
        """Seals the identity vault."""
        return Envelope(partial(self._key, Purpose.VAULT))

    @cached_property
    def deliveries(self) -> Envelope:
        """Seals what was delivered."""
        return Envelope(partial(self._key, Purpose.DELIVERIES))

    def envelope(self, purpose: Purpose) -> Envelope:
        """Seals what a key that wraps is for."""
        return {Purpose.VAULT: self.vault, Purpose.DELIVERIES: self.deliveries}[purpose]

    @cached_property
    def pseudonyms(self) -> DerivationKey:
        """Makes pseudonyms, person keys, row identifiers and tombstones."""
        return DerivationKey(partial(self._key, Purpose.PSEUDONYMS))

    @cached_property
    def record(self) -> SigningKey:
        """Signs the head of the ledger; its public half is in ``store/record.pub``."""
        return SigningKey(partial(self._key, Purpose.RECORD))

    def check(self, *purposes: Purpose) -> None:
        """Read keys at the start: nothing is begun that could not be ended, or would be sealed under a key of another hub.

        Raises:
            NotFound: a key, or what it is checked by, is not there.
            Invalid: a key is damaged, or not the hub's.
            NotAllowedNow: somebody else may read a key.
        """
        for purpose in purposes:
            self._key(purpose)

    def check_values(self) -> dict[str, str]:
        """The check value of every key, by purpose, as the ledger is to hold them. Raises as `check`."""
        return {purpose.value: check_value(self._key(purpose), purpose) for purpose in Purpose}

    def path(self, purpose: Purpose) -> Path:
        """The file of a key, which in a hub of before may be one for several purposes."""
        own, before = self.folder / f"{purpose}.key", self.folder / _BEFORE[purpose]
        return before if before.exists() and not own.exists() else own

    def _key(self, purpose: Purpose) -> bytes:
        if purpose not in self._keys:
            if purpose in WRAPPING and (self.folder / ROTATING).exists():
                raise NotAllowedNow(
                    "the keys of this hub are being rotated, or that was interrupted; nothing was done. "
                    f"`fairhaven keys rotate {self.folder.parent.parent}` finishes it."
                )
            key = self._read(purpose)
            self._check_value(purpose, key)
            self._keys[purpose] = key
        return self._keys[purpose]

    def _read(self, purpose: Purpose) -> bytes:
        path = self.path(purpose)
        try:
            check_closed(path.parent, if_read=_IF_READ)
            key = read_secret(path, if_read=_IF_READ)
        except FileNotFoundError:
            raise NotFound(f"{self.folder} does not hold {path.name}. {_BACKUP}") from None
        # The secret of a hub of before, and the key of pseudonyms that it became, may be of any length.
        is_of_any_length = purpose is Purpose.PSEUDONYMS or path.name == "secret.key"
        if not key or (len(key) != _LENGTH and not is_of_any_length):
            raise damaged(path)
        # Hubs of before signed nothing: the key follows from their secret, so that every hub has one.
        is_derived = purpose is Purpose.RECORD and path.name == _BEFORE[purpose]
        return derive(key, purpose) if is_derived else key

    def _check_value(self, purpose: Purpose, key: bytes) -> None:
        """Raises Invalid where a key is not the one that ``keys.json`` and the ledger know."""
        path, found = self.path(purpose), check_value(key, purpose)
        kept = self.folder / _CHECKS
        expected = {}
        if kept.exists():
            expected[_CHECKS] = read_record(kept, KeyChecks).checks
            if purpose not in expected[_CHECKS]:
                raise damaged(kept)
        elif path.name == f"{purpose}.key":
            raise NotFound(f"{self.folder} does not hold {_CHECKS}, by which keys are known. {_BACKUP}")
        expected["the ledger"] = self._recorded()
        for where, checks in expected.items():
            if checks.get(purpose, found) != found:
                raise Invalid(
                    f"{path} is not the key of this hub: its check value is not the one in {where}. Nothing was "
                    "written. Restore the folder from the hub's key backup."
                )

    def has_public_half(self) -> bool:
        """Whether ``record.pub`` is the public half of the key. Raises as `check`."""
        return self.record.is_half_in(_public_half_of(self.folder))

    def public_half(self) -> bytes:
        """Of the key that signs the ledger's head, 32 bytes.

        Whoever may read the key takes it from there: ``record.pub`` can be exchanged by who cannot read a key.

        Raises:
            Invalid: the key is not the hub's, or neither it nor ``record.pub`` can be read.
            NotAllowedNow: somebody else may read the key.
        """
        path = _public_half_of(self.folder)
        try:
            return self.record.public
        except (NotFound, PermissionError):
            if not path.exists():
                raise Invalid(
                    f"{path} is missing, so this account cannot tell whether the ledger is the one that was signed. Restore "
                    "it from the hub's backup."
                ) from None
        return read_public(path)

    def publish_half(self) -> None:
        """Write the public half, where a hub of before has none. Raises as `check`."""
        if not _public_half_of(self.folder).exists():
            self.record.write_public(_public_half_of(self.folder))

    def is_of_before(self) -> bool:
        """Whether nothing here is of a hub with a key for each purpose. Who may not look cannot say so."""
        after = [_public_half_of(self.folder), self.folder / _CHECKS]
        after += [self.folder / f"{purpose}.key" for purpose in Purpose]
        try:
            return (self.folder / _BEFORE[Purpose.RECORD]).exists() and not any(path.exists() for path in after)
        except PermissionError:
            return False

    def next_keys(self) -> dict[Purpose, bytes]:
        """The keys after a rotation: new ones that wrap, the others as they are. Raises as `check`."""
        keys = {purpose: self._key(purpose) for purpose in Purpose}
        return keys | {purpose: secrets.token_bytes(_LENGTH) for purpose in WRAPPING}

    def propose(self, keys: Mapping[Purpose, bytes]) -> None:
        """Write what is new of these keys beside those in use; nothing reads them until they are accepted."""
        clear_torn(self.folder)
        for purpose, key in keys.items():
            if purpose in WRAPPING or not (self.folder / f"{purpose}.key").exists():
                write_atomically(self._proposed(purpose), key)

    def accept(self, checks: Mapping[str, str]) -> None:
        """Put proposed keys in use, with their check values. Doing it again, after a kill or not, ends what was begun."""
        clear_torn(self.folder)
        # Before the keys: at no moment is there one that nothing tells from another hub's.
        write_json(self.folder / _CHECKS, asdict(KeyChecks(checks=checks)))
        for purpose in Purpose:
            if self._proposed(purpose).exists():
                self._proposed(purpose).replace(self.folder / f"{purpose}.key")
        sync(self.folder)
        for before in set(_BEFORE.values()):
            (self.folder / before).unlink(missing_ok=True)
        self._keys.clear()
        public_half = _public_half_of(self.folder)
        for torn in listed(public_half.parent, f".{public_half.name}.*.part"):
            torn.unlink(missing_ok=True)
        # Read anew: what is in place now is what the public half must be of.
        SigningKey(partial(self._key, Purpose.RECORD)).write_public(public_half)

    def _proposed(self, purpose: Purpose) -> Path:
        return self.folder / f"{purpose}.key.new"

    @classmethod
    def create(cls, folder: Path, *, secret: bytes | None = None) -> "Keyring":
        """Make the keys of a new hub, all or none; keys that are already there are kept.

        Args:
            folder: ``store/keys``; made with mode 0700, its files with 0600.
            secret: given only for the demonstration region, whose identifiers are invented and must be
                the same for the same seed. A real hub's pseudonyms have a random key.
        """
        if not listed(folder, "*.key"):
            making = folder.with_name(f"{folder.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            make_folder(making.parent)
            making.mkdir(mode=0o700)
            keys = {purpose: secrets.token_bytes(_LENGTH) for purpose in Purpose}
            if secret:
                keys[Purpose.PSEUDONYMS] = secret
            write_keys(making, keys)
            SigningKey(partial(keys.__getitem__, Purpose.RECORD)).write_public(_public_half_of(folder))
            making.rename(folder)
            sync(folder.parent)
        return cls(folder)


def write_keys(folder: Path, keys: Mapping[Purpose, bytes]) -> None:
    """Write keys and their check values; they are on the disk when this returns."""
    for purpose, key in keys.items():
        write_atomically(folder / f"{purpose}.key", key)
    checks = KeyChecks(checks={purpose.value: check_value(key, purpose) for purpose, key in keys.items()})
    write_json(folder / _CHECKS, asdict(checks))


def _public_half_of(folder: Path) -> Path:
    """Where the public half of the key that signs is: beside the folder of the keys, for whoever may read releases."""
    return folder.parent / "record.pub"
