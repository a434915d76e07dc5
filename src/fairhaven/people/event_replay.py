"""What the ledger's events say of organisations, accounts and roles, by which the tables are compared before anything is decided by them.

Events hold each other by hashes under a signed head, and tables do not: whoever writes a role into the table holds none.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from fairhaven.kernel.codec import from_json
from fairhaven.ledger import EventKind
from fairhaven.ledger.event_table import EVENT
from fairhaven.people.model import Account, HeldRole, RoleGrant
from fairhaven.people.people_words import AccountKind

_DETAILS = (EventKind.ACCOUNT, EventKind.ACCOUNT_DETAILS, EventKind.ACCOUNT_DETAILS_ERASED)
_ROLES = (EventKind.ROLE_GIVEN, EventKind.ROLE_CONFIRMED, EventKind.ROLE_ENDED, EventKind.ACCOUNT_ENDED)


class _Event(NamedTuple):
    number: int
    kind: EventKind
    day: dt.date
    facts: Mapping[str, Any]


def recorded_ids(connection: Connection, kind: EventKind) -> set[str]:
    """Of what events of a kind are about."""
    return set(connection.execute(select(EVENT.c.about).where(EVENT.c.kind == kind)).scalars())


def recorded_organisation(connection: Connection, organisation_id: str) -> Mapping[str, Any] | None:
    """The facts of an organisation's last event; None where there is none."""
    found = [event.facts for event in _events(connection, organisation_id, (EventKind.ORGANISATION,))]
    return found[-1] if found else None


def recorded_details(connection: Connection, account_id: str) -> str | None:
    """The hash of what tells whose an account is; None where that was erased."""
    found: str | None = None
    for event in _events(connection, account_id, _DETAILS):
        found = event.facts.get("details")
    return found


def recorded_account(connection: Connection, account_id: str, *, before: int | None) -> Account | None:
    """An account by its events; None where it was never made."""
    found: Account | None = None
    for event in _events(connection, account_id, (EventKind.ACCOUNT, EventKind.ACCOUNT_ENDED), before):
        if event.kind is EventKind.ACCOUNT:
            found = Account(id=account_id, kind=AccountKind.known(event.facts["kind"]))
        elif found is not None:
            found = replace(found, ended=_end(event))
    return found


def recorded_roles(connection: Connection, account_id: str, *, before: int | None) -> Mapping[int, HeldRole]:
    """The roles that an account was given, by number, as its events before an entry leave them."""
    roles: dict[int, HeldRole] = {}
    account_end: dt.date | None = None
    for event in _events(connection, account_id, _ROLES, before):
        if event.kind is EventKind.ROLE_GIVEN:
            grant = from_json(RoleGrant, {"account": account_id, **event.facts})
            roles[event.number] = HeldRole(number=event.number, grant=grant, ended=account_end)
        elif event.kind is EventKind.ROLE_CONFIRMED:
            role = roles[event.facts["role"]]
            roles[role.number] = replace(role, confirmed=(*role.confirmed, event.day))
        elif event.kind is EventKind.ROLE_ENDED:
            role = roles[event.facts["role"]]
            roles[role.number] = replace(role, ended=_end(event))
        else:
            account_end = _end(event)
            roles = {
                number: replace(role, ended=min(role.ended or account_end, account_end))
                for number, role in roles.items()
            }
    return roles


def _events(
    connection: Connection, about: str, kinds: Collection[EventKind], before: int | None = None
) -> Iterator[_Event]:
    wanted = select(EVENT).where(EVENT.c.about == about, EVENT.c.kind.in_(kinds))
    if before is not None:
        wanted = wanted.where(EVENT.c.number < before)
    for row in connection.execute(wanted.order_by(EVENT.c.number)):
        content = json.loads(row.content)
        day = dt.datetime.fromisoformat(content["at"]).date()
        yield _Event(number=row.number, kind=EventKind(row.kind), day=day, facts=content["facts"])


def _end(event: _Event) -> dt.date:
    return dt.date.fromisoformat(event.facts["end"])
