"""Organisations, accounts and roles as the hub's database has them: each is compared with the events whenever it is read.

Whoever opened the hub has verified the events (`Ledger.entries`).
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, select

from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.ledger import EventKind
from fairhaven.people.event_replay import (
    recorded_account,
    recorded_details,
    recorded_ids,
    recorded_organisation,
    recorded_roles,
)
from fairhaven.people.model import Account, Assurance, Details, HeldRole, Organisation, RoleGrant, Scope
from fairhaven.people.people_events import hash_of_details, organisation_recorded
from fairhaven.people.people_tables import (
    ACCOUNT,
    ACCOUNT_DETAILS,
    ORGANISATION,
    ORGANISATION_ASSURANCE,
    ORGANISATION_DELEGATE,
    ROLE,
    ROLE_CONFIRMATION,
)
from fairhaven.people.people_words import AccountKind, DsptStatus, Role, RoleState, ScopeKind, Sector, Standing


def account(connection: Connection, account_id: str, *, before: int | None = None) -> Account:
    """An account.

    Args:
        before: the number of an entry that is not to be looked at, nor any after it: what it says is about to be written.

    Raises:
        NotFound: there is none of this id.
        Invalid: the tables say something else than the events.
    """
    with _held_by_events(f"account {account_id}"):
        row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.id == account_id)).first()
        found = None if row is None else Account(id=row.id, kind=AccountKind.known(row.kind), ended=row.ended)
        _check_same(found, recorded_account(connection, account_id, before=before))
    if found is None:
        raise NotFound(f"there is no account {account_id}")
    return found


def accounts(connection: Connection) -> Sequence[Account]:
    """Every account that was made, those that ended as well, by id. Raises as `account`."""
    ids = set(connection.execute(select(ACCOUNT.c.id)).scalars()) | recorded_ids(connection, EventKind.ACCOUNT)
    return [account(connection, each) for each in sorted(ids)]


def details_of(connection: Connection, account_id: str) -> Details | None:
    """Whose an account is; None where that was erased. Raises as `account`."""
    account(connection, account_id)
    with _held_by_events(f"whose account {account_id} is"):
        row = connection.execute(select(ACCOUNT_DETAILS).where(ACCOUNT_DETAILS.c.account == account_id)).first()
        found = None if row is None else Details(name=row.name, email=row.email, salt=row.salt)
        hashed = None if found is None else hash_of_details(found)
        _check_same(hashed, recorded_details(connection, account_id))
    return found


def organisation(connection: Connection, organisation_id: str) -> Organisation:
    """An organisation as it is known now.

    Raises:
        NotFound: there is none of this id.
        Invalid: the tables say something else than the events.
    """
    with _held_by_events(f"organisation {organisation_id}"):
        found = _organisation(connection, organisation_id)
        facts = None if found is None else organisation_recorded(found).facts
        _check_same(facts, recorded_organisation(connection, organisation_id))
    if found is None:
        raise NotFound(f"there is no organisation {organisation_id}: record it first")
    return found


def organisations(connection: Connection) -> Sequence[Organisation]:
    """Every organisation, by id. Raises as `organisation`."""
    kept = set(connection.execute(select(ORGANISATION.c.id)).scalars())
    return [organisation(connection, each) for each in sorted(kept | recorded_ids(connection, EventKind.ORGANISATION))]


def held_role(connection: Connection, number: int, *, before: int | None = None) -> HeldRole:
    """A role by its number, whatever has become of it.

    Args:
        before: as of `account`.

    Raises:
        NotFound: there is none of this number.
        Invalid: the tables say something else than the events.
    """
    holder = connection.execute(select(ROLE.c.account).where(ROLE.c.number == number)).scalar()
    for each in roles_given_to(connection, holder, before=before) if holder else ():
        if each.number == number:
            return each
    raise NotFound(f"there is no role {number}")


def roles_of(connection: Connection, account_id: str, day: dt.date) -> Mapping[HeldRole, RoleState]:
    """The roles that an account had begun to hold by a day, with what each was on it: held, lapsed or ended.

    Raises:
        NotFound: there is no such account.
    """
    account(connection, account_id)
    found = roles_given_to(connection, account_id)
    return {each: each.state(day) for each in found if each.grant.start <= day}


def roles_given_to(connection: Connection, account_id: str, *, before: int | None = None) -> Sequence[HeldRole]:
    """Every role that an account was ever given, by number; none for one that there is not.

    Args:
        before: as of `account`.

    Raises:
        Invalid: the tables say something else than the events.
    """
    with _held_by_events(f"what roles account {account_id} has"):
        rows = connection.execute(select(ROLE).where(ROLE.c.account == account_id).order_by(ROLE.c.number)).all()
        confirmed = defaultdict[int, list[dt.date]](list)
        days = select(ROLE_CONFIRMATION).where(ROLE_CONFIRMATION.c.role.in_([row.number for row in rows]))
        for each in connection.execute(days.order_by(ROLE_CONFIRMATION.c.number)):
            confirmed[each.role].append(each.day)
        found = [
            HeldRole(number=row.number, grant=_grant(row), ended=row.ended, confirmed=tuple(confirmed[row.number]))
            for row in rows
        ]
        _check_same(found, list(recorded_roles(connection, account_id, before=before).values()))
    return found


def _check_same(found: object, recorded: object) -> None:
    if found != recorded:
        raise ValueError("is not as it was recorded")


@contextmanager
def _held_by_events(what: str) -> Iterator[None]:
    """Refuse what a table says otherwise than the events, or what it cannot say."""
    try:
        yield
    except (ValueError, Invalid):
        message = f"{what} was altered by something other than Fairhaven, and nothing is decided by it: restore the hub's database from its backup"
        raise Invalid(message) from None


def _grant(row: Row[Any]) -> RoleGrant:
    scope = Scope(kind=ScopeKind.known(row.scope_kind), id=row.scope)
    return RoleGrant(account=row.account, role=Role.known(row.role), scope=scope, start=row.start, end=row.end)


def _organisation(connection: Connection, organisation_id: str) -> Organisation | None:
    row = connection.execute(select(ORGANISATION).where(ORGANISATION.c.id == organisation_id)).first()
    if row is None:
        return None
    of_it = select(ORGANISATION_ASSURANCE).where(ORGANISATION_ASSURANCE.c.organisation == organisation_id)
    delegates = select(ORGANISATION_DELEGATE.c.account).where(ORGANISATION_DELEGATE.c.organisation == organisation_id)
    return Organisation(
        id=row.id,
        title=row.title,
        ods_code=row.ods_code,
        ror_id=row.ror_id,
        sector=Sector.known(row.sector),
        country=row.country,
        assurances=tuple(
            _assurance(each) for each in connection.execute(of_it.order_by(ORGANISATION_ASSURANCE.c.kind))
        ),
        officer=row.officer or "",
        delegates=frozenset(connection.execute(delegates).scalars()),
    )


def _assurance(row: Row[Any]) -> Assurance:
    status = None if row.status is None else DsptStatus.known(row.status)
    kind = Standing.known(row.kind)
    return Assurance(kind=kind, reference=row.reference, issued=row.issued, expires=row.expires, status=status)
