"""How organisations, accounts and roles change in the hub's database: each write takes the change whose event says it.

Days are those of the event, in UTC. Nothing begins or ends on a day that is over, so what was once said of a day stays true.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select, update

from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, check_faults
from fairhaven.ledger import RecordedChange
from fairhaven.people.model import Account, Details, HeldRole, Organisation, RoleGrant
from fairhaven.people.people_events import (
    account_ended,
    account_made,
    details_erased,
    details_recorded,
    organisation_recorded,
    role_confirmed,
    role_ended,
    role_given,
)
from fairhaven.people.people_lookup import account, held_role, organisation, roles_given_to
from fairhaven.people.people_tables import (
    ACCOUNT,
    ACCOUNT_DETAILS,
    ORGANISATION,
    ORGANISATION_ASSURANCE,
    ORGANISATION_DELEGATE,
    ROLE,
    ROLE_CONFIRMATION,
)
from fairhaven.people.people_words import AccountKind, RoleState, ScopeKind
from fairhaven.people.rules import OF_SERVICES


def record_organisation(change: RecordedChange, organisation: Organisation) -> None:
    """Write an organisation, new or in the place of what was known of it.

    Raises:
        NotFound: its officer or a delegate is no account.
        Invalid: another organisation has its code.
        NotAllowedNow: one of those accounts has ended.
    """
    organisation_recorded(organisation).check_entered(change)
    connection, this = change.connection, organisation.id
    for account_id in sorted(organisation.delegates | ({organisation.officer} - {""})):
        _check_active(account(connection, account_id, before=change.entry.number), _day(change))
    _check_codes(connection, organisation)
    values = {name: getattr(organisation, name) for name in ("title", "ods_code", "ror_id", "sector", "country")}
    values["officer"] = organisation.officer or None
    if not connection.execute(update(ORGANISATION).where(ORGANISATION.c.id == this).values(values)).rowcount:
        connection.execute(insert(ORGANISATION).values(id=this, **values))
    _replace(
        connection,
        ORGANISATION_ASSURANCE,
        this,
        [
            {name: getattr(each, name) for name in ("kind", "reference", "issued", "expires", "status")}
            for each in organisation.assurances
        ],
    )
    _replace(connection, ORGANISATION_DELEGATE, this, [{"account": each} for each in sorted(organisation.delegates)])


def make_account(change: RecordedChange, account: Account, details: Details) -> None:
    """Write an account that is new, and whose it is.

    Raises:
        Invalid: there is one of this id.
    """
    account_made(account, details).check_entered(change)
    if change.connection.execute(select(ACCOUNT.c.id).where(ACCOUNT.c.id == account.id)).first():
        raise Invalid(f"there is an account {account.id} already: make another id")
    change.connection.execute(insert(ACCOUNT).values(id=account.id, kind=account.kind, ended=None))
    _write_details(change.connection, account.id, details)


def change_details(change: RecordedChange, account_id: str, details: Details) -> None:
    """Write whose an account is, in the place of what was known.

    Raises:
        NotFound: there is no such account.
    """
    details_recorded(account_id, details).check_entered(change)
    account(change.connection, account_id, before=change.entry.number)
    _erase_details(change.connection, account_id)
    _write_details(change.connection, account_id, details)


def erase_details(change: RecordedChange, account_id: str) -> None:
    """Take away what tells whose an account is, with the salt of its hash. The account, its roles and its events stay.

    Raises:
        NotFound: there is no such account.
    """
    details_erased(account_id).check_entered(change)
    account(change.connection, account_id, before=change.entry.number)
    _erase_details(change.connection, account_id)


def end_account(change: RecordedChange, account_id: str, end: dt.date) -> None:
    """End an account and the roles that it has, from a day on.

    Raises:
        NotFound: there is no such account.
        Invalid: the day is over.
        NotAllowedNow: it has ended, or will have by then.
    """
    account_ended(account_id, end).check_entered(change)
    connection, today = change.connection, _day(change)
    _check_not_over("end", end, today)
    _check_active(account(connection, account_id, before=change.entry.number), end)
    connection.execute(update(ACCOUNT).where(ACCOUNT.c.id == account_id).values(ended=end))
    later = ROLE.c.ended.is_(None) | (ROLE.c.ended > end)
    connection.execute(update(ROLE).where(ROLE.c.account == account_id, later).values(ended=end))


def give_role(change: RecordedChange, grant: RoleGrant) -> HeldRole:
    """Give an account a role; the ledger's entry gives it its number.

    Raises:
        NotFound: there is no such account, or no such organisation.
        Invalid: the start is over; or a service is to have a role that a person has.
        NotAllowedNow: the account ends before that, or has the role already.
    """
    role_given(grant).check_entered(change)
    connection, today = change.connection, _day(change)
    _check_not_over("start", grant.start, today)
    holder = account(connection, grant.account, before=change.entry.number)
    _check_active(holder, grant.start)
    if holder.kind is AccountKind.SERVICE and grant.role not in OF_SERVICES:
        raise Invalid(f"{grant.role} is held by a person, and {grant.account} is a service")
    if grant.scope.kind is ScopeKind.ORGANISATION:
        organisation(connection, grant.scope.id)
    for each in roles_given_to(connection, grant.account, before=change.entry.number):
        is_over = each.state(today) in (RoleState.LAPSED, RoleState.ENDED)
        if not is_over and each.is_as(grant):
            raise NotAllowedNow(
                f"{grant.account} is {grant.role} for {grant.scope} already, by role {each.number}: confirm or end that one"
            )
    values = {name: getattr(grant, name) for name in ("account", "role", "start", "end")}
    scope = {"scope_kind": grant.scope.kind, "scope": grant.scope.id}
    connection.execute(insert(ROLE).values(number=change.entry.number, **values, **scope, ended=holder.ended))
    return held_role(connection, change.entry.number)


def confirm_role(change: RecordedChange, number: int) -> None:
    """Say that a role is still needed, so that it does not lapse for another quarter.

    Raises:
        NotFound: there is no such role.
        NotAllowedNow: it has not begun, has lapsed or has ended: only whoever may give it can give it anew.
    """
    held = held_role(change.connection, number, before=change.entry.number)
    role_confirmed(held.grant.account, number).check_entered(change)
    _check_held(held, _day(change))
    values = {"number": change.entry.number, "role": number, "day": _day(change)}
    change.connection.execute(insert(ROLE_CONFIRMATION).values(values))


def end_role(change: RecordedChange, number: int, end: dt.date) -> None:
    """End a role from a day on; one that has not begun is then never held.

    Raises:
        NotFound: there is no such role.
        Invalid: the day is over.
        NotAllowedNow: it has lapsed or ended, or ends before that day already.
    """
    held = held_role(change.connection, number, before=change.entry.number)
    role_ended(held.grant.account, number, end).check_entered(change)
    today = _day(change)
    _check_not_over("end", end, today)
    if held.state(today) is not RoleState.NOT_YET:
        _check_held(held, today)
    if held.end is not None and held.end <= end:
        raise NotAllowedNow(f"role {number} ends on {held.end} already; give another for the time after that")
    change.connection.execute(update(ROLE).where(ROLE.c.number == number).values(ended=end))


def _replace(connection: Connection, table: Table, organisation_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows of an organisation in the place of those that it has."""
    connection.execute(delete(table).where(table.c.organisation == organisation_id))
    for row in rows:
        connection.execute(insert(table).values(organisation=organisation_id, **row))


def _write_details(connection: Connection, account_id: str, details: Details) -> None:
    values = {"name": details.name, "email": details.email, "salt": details.salt}
    connection.execute(insert(ACCOUNT_DETAILS).values(account=account_id, **values))


def _erase_details(connection: Connection, account_id: str) -> None:
    connection.execute(delete(ACCOUNT_DETAILS).where(ACCOUNT_DETAILS.c.account == account_id))


def _check_codes(connection: Connection, organisation: Organisation) -> None:
    found = [
        Fault(message=f"is the code of {other} already: one organisation has one record", field=name)
        for name in ("ods_code", "ror_id")
        if (code := getattr(organisation, name))
        for other in connection.execute(
            select(ORGANISATION.c.id).where(ORGANISATION.c[name] == code, ORGANISATION.c.id != organisation.id)
        ).scalars()
    ]
    check_faults(found)


def _check_active(account: Account, day: dt.date) -> None:
    if account.ended is not None and account.ended <= day:
        raise NotAllowedNow(f"account {account.id} is none any more from {account.ended} on: name another, or make one")


def _check_held(held: HeldRole, day: dt.date) -> None:
    match held.state(day):
        case RoleState.NOT_YET:
            raise NotAllowedNow(f"role {held.number} begins on {held.grant.start}: confirm it then")
        case RoleState.LAPSED:
            raise NotAllowedNow(
                f"role {held.number} lapsed on {held.lapses(day)}, as nobody confirmed it: give it anew"
            )
        case RoleState.ENDED:
            raise NotAllowedNow(f"role {held.number} ended on {held.end}: give it anew")
        case RoleState.HELD:
            return


def _check_not_over(field: str, day: dt.date, today: dt.date) -> None:
    if day < today:
        raise Invalid(
            Fault(message=f"is {day}, which is over: today is {today}, and the past stays as it was", field=field)
        )


def _day(change: RecordedChange) -> dt.date:
    """The day of an event, in UTC."""
    return dt.datetime.fromisoformat(change.entry.at).date()
