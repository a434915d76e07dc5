"""What the ledger says of each change of organisations, accounts and roles: ids, codes and days, never a name or an address.

A write method is given the change that entered such an event, and refuses one that entered another.
"""

import datetime as dt
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from fairhaven.kernel.codec import to_json
from fairhaven.kernel.files import canonical_json
from fairhaven.kernel.ids import pseudonym
from fairhaven.ledger import Actor, EventKind, Ledger, RecordedChange
from fairhaven.people.model import Account, Details, Organisation, RoleGrant


@dataclass(frozen=True, kw_only=True, slots=True)
class PeopleEvent:
    """An event before it is entered.

    Args:
        about: id of the organisation or the account that is changed.
    """

    kind: EventKind
    about: str
    facts: Mapping[str, Any]

    def entered(self, ledger: Ledger, *, by: Actor) -> AbstractContextManager[RecordedChange]:
        """The change that enters it, as `Ledger.change`."""
        return ledger.change(self.kind, self.facts, by=by, about=self.about)

    def check_entered(self, change: RecordedChange) -> None:
        """Refuse a change whose entry says something else than what is to be written: a fault of whoever calls."""
        entry = change.entry
        if (entry.kind, entry.about, canonical_json(entry.facts)) != (
            self.kind,
            self.about,
            canonical_json(self.facts),
        ):
            raise RuntimeError(f"the entry of this change is no {self.kind} with what is to be written")


def organisation_recorded(organisation: Organisation) -> PeopleEvent:
    """An organisation is new, or something of it is; its title stands in the table."""
    facts = to_json(organisation)
    del facts["id"], facts["title"]
    facts["delegates"] = sorted(organisation.delegates)
    facts["assurances"].sort(key=lambda assurance: assurance["kind"])
    return _event(EventKind.ORGANISATION, organisation.id, facts)


def account_made(account: Account, details: Details) -> PeopleEvent:
    """An account is new."""
    return _event(EventKind.ACCOUNT, account.id, {"kind": account.kind, "details": hash_of_details(details)})


def details_recorded(account: str, details: Details) -> PeopleEvent:
    """What tells whose an account is has changed."""
    return _event(EventKind.ACCOUNT_DETAILS, account, {"details": hash_of_details(details)})


def details_erased(account: str) -> PeopleEvent:
    """Nothing tells any more whose an account is."""
    return _event(EventKind.ACCOUNT_DETAILS_ERASED, account, {})


def account_ended(account: str, end: dt.date) -> PeopleEvent:
    """An account is one no more, from a day on, and what roles it has end with it."""
    return _event(EventKind.ACCOUNT_ENDED, account, {"end": end})


def role_given(grant: RoleGrant) -> PeopleEvent:
    """An account was given a role."""
    facts = to_json(grant)
    del facts["account"]
    return _event(EventKind.ROLE_GIVEN, grant.account, facts)


def role_confirmed(account: str, number: int) -> PeopleEvent:
    """A role is still needed.

    Args:
        number: of the role.
    """
    return _event(EventKind.ROLE_CONFIRMED, account, {"role": number})


def role_ended(account: str, number: int, end: dt.date) -> PeopleEvent:
    """A role is held no more, from a day on."""
    return _event(EventKind.ROLE_ENDED, account, {"role": number, "end": end})


def hash_of_details(details: Details) -> str:
    """What an event holds of them: 32 hex digits, which say nothing once the salt is erased."""
    return pseudonym(bytes.fromhex(details.salt), details.name, details.email)


def _event(kind: EventKind, about: str, facts: Mapping[str, Any]) -> PeopleEvent:
    return PeopleEvent(kind=kind, about=about, facts=to_json(facts))
