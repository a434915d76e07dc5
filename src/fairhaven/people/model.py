"""The nouns: an organisation and what it has in force, an account and what is known of whose it is, a role that is held."""

import datetime as dt
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from fairhaven.kernel.errors import Fault, check_faults
from fairhaven.kernel.foreign_names import shown
from fairhaven.kernel.months import months_after
from fairhaven.people.countries import COUNTRIES
from fairhaven.people.organisation_codes import is_ods_code, is_ror_id
from fairhaven.people.people_words import AccountKind, DsptStatus, Role, RoleState, ScopeKind, Sector, Standing
from fairhaven.people.rules import CONFIRMED_EACH_MONTHS, SCOPES

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", re.ASCII)
_ACCOUNT = re.compile(r"a[0-9a-f]{12}", re.ASCII)
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 /.:-]{0,59}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_LONGEST_EMAIL = 254  # RFC 5321
_LONGEST_WORDS = 300
_DSPT_ENDS = (6, 30)
_LONGEST_MONTHS = {Standing.DSPT: 24, Standing.CYBER_ESSENTIALS: 12}


def new_account_id(*, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """An id that says nothing of whose account it is, for events, which are never erased: ``a`` and 12 hex digits."""
    return f"a{random(6).hex()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Assurance:
    """Something that an organisation has to show, from a day to a day.

    Args:
        kind: what it is.
        reference: by which it is found: the toolkit's code of the organisation, the certificate, the registration.
        issued, expires: the first and the last day on which it counts; in the toolkit the last is a 30 June.
        status: of the toolkit alone.

    Raises:
        Invalid: it cannot be so.
    """

    kind: Standing
    reference: str
    issued: dt.date
    expires: dt.date
    status: DsptStatus | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_faults([Fault(message=message, field=f"{self.kind}.{name}") for name, message in self._faults()])

    def counts_on(self, day: dt.date) -> bool:
        """Whether it is in force on a day: neither over nor of a status that does not meet the standards."""
        is_met = self.status in (None, DsptStatus.MET, DsptStatus.EXCEEDED)
        return is_met and self.issued <= day <= self.expires

    def _faults(self) -> Iterator[tuple[str, str]]:
        is_dspt = self.kind is Standing.DSPT
        if not _REFERENCE.fullmatch(self.reference):
            yield (
                "reference",
                "is no code: write letters and digits, as the certificate or the public register has them",
            )
        if self.expires <= self.issued:
            yield "expires", "is not after the day on which it was issued"
        elif (months := _LONGEST_MONTHS.get(self.kind)) and self.expires > months_after(self.issued, months):
            yield (
                "expires",
                f"is more than {months} months after the day on which it was issued; none holds for so long",
            )
        if is_dspt and (self.expires.month, self.expires.day) != _DSPT_ENDS:
            yield "expires", "is no 30 June, on which every year of the toolkit ends"
        if is_dspt != (self.status is not None):
            yield "status", "is missing" if is_dspt else "is said of the Data Security and Protection Toolkit alone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Organisation:
    """An organisation that takes part.

    Args:
        id: a name of its own in this hub, of letters, digits, _ and -, that everybody may know.
        title: its name.
        ods_code, ror_id: its codes; one of them at least. A ROR identifier is written without ``https://ror.org/``.
        country: ISO 3166, or GB-ENG, GB-NIR, GB-SCT, GB-WLS.
        assurances: what it has to show, one of each kind at most.
        officer: account of whoever answers for it; empty where nobody does.
        delegates: accounts of who may act for it.

    Raises:
        Invalid: it cannot be so; with all faults.
    """

    id: str
    title: str
    ods_code: str = ""
    ror_id: str = ""
    sector: Sector
    country: str
    assurances: tuple[Assurance, ...] = ()
    officer: str = ""
    delegates: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_faults([Fault(message=message, field=name) for name, message in self._faults()])

    def in_force(self, day: dt.date) -> frozenset[Standing]:
        """What it has in force on a day, as far as is known now."""
        return frozenset(each.kind for each in self.assurances if each.counts_on(day))

    def _faults(self) -> Iterator[tuple[str, str]]:
        if not _NAME.fullmatch(self.id):
            yield "id", "is no name of letters, digits, _ and -, at most 100"
        yield from _faults_of_words("title", self.title)
        if not (self.ods_code or self.ror_id):
            yield "ods_code", "is missing, and so is ror_id: look the organisation up in one of the two registers"
        if self.ods_code and not is_ods_code(self.ods_code):
            yield "ods_code", "is no ODS code, which has 3 to 12 capital letters and digits"
        if self.ror_id and not is_ror_id(self.ror_id):
            yield (
                "ror_id",
                "is no ROR identifier like 03h2bxq36, or a letter of it is wrong: its last two digits check it",
            )
        if self.country not in COUNTRIES:
            yield "country", "is no country of ISO 3166; the United Kingdom is GB, England GB-ENG"
        kinds = [each.kind for each in self.assurances]
        for kind in sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            yield "assurances", f"has {kind} twice"
        if not all(map(is_account_id, self.delegates | ({self.officer} if self.officer else set()))):
            yield "officer", "or a delegate is named by something else than the id of an account"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Somebody or something that acts.

    Args:
        id: of `new_account_id`.
        ended: the first day on which it is none any more; None while it is one.

    Raises:
        Invalid: the id could say whose account it is.
    """

    id: str
    kind: AccountKind
    ended: dt.date | None = None

    def __post_init__(self) -> None:
        """An event that names a person is never erased."""
        check_faults(faults_of_account_id(self.id))


@dataclass(frozen=True, kw_only=True, slots=True)
class Details:
    """What tells whose an account is. It stands in a table, can be erased, and is in no event.

    Args:
        name: of the person or the service.
        email: empty where none is known.
        salt: 32 hex digits that make the hash of these words, which an event holds, say nothing once they are erased.

    Raises:
        Invalid: it cannot be so; without what stands there.
    """

    name: str
    email: str = ""
    salt: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        found = list(_faults_of_words("name", self.name))
        is_address = (
            len(self.email) <= _LONGEST_EMAIL and shown(self.email) == self.email and _EMAIL.fullmatch(self.email)
        )
        if self.email and not is_address:
            found.append(("email", "is no address like name@organisation.org"))
        check_faults([Fault(message=message, field=name) for name, message in found])


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """For what a role is held.

    Args:
        id: of the organisation or the controller; empty for the hub.
    """

    kind: ScopeKind
    id: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.kind is ScopeKind.HUB and self.id:
            check_faults([Fault(message="is said of the hub, which needs none", field="scope")])
        if self.kind is not ScopeKind.HUB and not _NAME.fullmatch(self.id):
            check_faults([Fault(message=f"is no name of {self.kind.meaning}", field="scope")])

    def __str__(self) -> str:
        """As messages say it."""
        return " ".join(filter(None, (self.kind.meaning, self.id)))


HUB = Scope(kind=ScopeKind.HUB)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleGrant:
    """That an account is given a role.

    Args:
        start, end: the first day on which it is held, and the first on which it is held no more; without an end until somebody ends it.

    Raises:
        Invalid: such a role is not held for such a thing, or it would end before it begins.
    """

    account: str
    role: Role
    scope: Scope
    start: dt.date
    end: dt.date | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        found = faults_of_account_id(self.account)
        if self.scope.kind not in SCOPES[self.role]:
            held = " or ".join(sorted(kind.meaning for kind in SCOPES[self.role]))
            found.append(Fault(message=f"{self.role} is held for {held}, not for {self.scope}", field="scope"))
        if self.end is not None and self.end <= self.start:
            found.append(Fault(message="is not after the start", field="end"))
        check_faults(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldRole:
    """A role that was given.

    Args:
        number: of the ledger's entry that gave it.
        ended: the first day on which it is held no more, where it or its account was ended; None where it was not.
        confirmed: the days on which it was confirmed since, in order.
    """

    number: int
    grant: RoleGrant
    ended: dt.date | None = None
    confirmed: tuple[dt.date, ...] = ()

    @property
    def end(self) -> dt.date | None:
        """The first day on which it is held no more, by how it was given or because it was ended; None where none is known."""
        return min(filter(None, (self.grant.end, self.ended)), default=None)

    def is_as(self, grant: RoleGrant) -> bool:
        """Whether another grant would give the same account the same role for the same thing, and for a time that this has already."""
        mine = self.grant
        is_same = (mine.account, mine.role, mine.scope) == (grant.account, grant.role, grant.scope)
        is_after = self.end is not None and self.end <= grant.start
        is_before = grant.end is not None and grant.end <= mine.start
        return is_same and not (is_after or is_before)

    def lapses(self, day: dt.date) -> dt.date:
        """On which day it lapses unless it is confirmed, by what was confirmed up to *day*."""
        return months_after(_last([self.grant.start, *self.confirmed], day), CONFIRMED_EACH_MONTHS)

    def state(self, day: dt.date) -> RoleState:
        """What it is on a day. What is recorded later never changes what is said of a day that was over."""
        lapses, end = self.lapses(day), self.end
        if day < self.grant.start:
            return RoleState.NOT_YET
        if end is not None and end <= min(day, lapses):
            return RoleState.ENDED
        return RoleState.LAPSED if lapses <= day else RoleState.HELD


def faults_of_account_id(text: str) -> list[Fault]:
    """What is wrong with an id of an account."""
    message = "is no id of an account, which is `a` and 12 hex digits and says nothing of the person"
    return [] if is_account_id(text) else [Fault(message=message, field="account")]


def is_account_id(text: str) -> bool:
    """Whether a text is an id of an account by its form."""
    return _ACCOUNT.fullmatch(text) is not None


def _last(days: Sequence[dt.date], day: dt.date) -> dt.date:
    return max((each for each in days if each <= day), default=days[0])


def _faults_of_words(name: str, text: str) -> Iterator[tuple[str, str]]:
    if not text.strip():
        yield name, "is empty"
    elif len(text) > _LONGEST_WORDS:
        yield name, f"is longer than {_LONGEST_WORDS} letters"
    elif shown(text) != text:
        yield (
            name,
            "holds a character that is none to be read: a line's end, a control, a change of the direction of writing",
        )
