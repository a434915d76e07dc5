"""Where a role may be held, and what a program may hold."""

from collections.abc import Mapping, Set

from fairhaven.people.people_words import Role, ScopeKind

_HUB, _ORGANISATION, _CONTROLLER = ScopeKind.HUB, ScopeKind.ORGANISATION, ScopeKind.CONTROLLER

SCOPES: Mapping[Role, Set[ScopeKind]] = {
    Role.RESEARCHER: {_ORGANISATION},
    Role.REVIEWER: {_CONTROLLER},
    Role.SIGNATORY: {_CONTROLLER},
    Role.COMMITTEE_MEMBER: {_HUB, _CONTROLLER},
    Role.PUBLIC_MEMBER: {_HUB, _CONTROLLER},
    Role.BROKER: {_HUB, _ORGANISATION},
    Role.EXPERT: {_HUB, _CONTROLLER},
    Role.OUTPUT_CHECKER: {_HUB, _CONTROLLER},
    Role.DATA_ENGINEER: {_HUB},
    Role.SECURITY_OFFICER: {_HUB, _ORGANISATION},
    Role.ADMINISTRATOR: {_HUB},
}
"""For what each role may be held."""

OF_SERVICES: Set[Role] = {Role.BROKER, Role.DATA_ENGINEER}
"""What a program may do by itself; the other roles judge, answer for something or are accredited, which a person does."""

CONFIRMED_EACH_MONTHS = 3
"""A role that was not confirmed for so many months lapses on that day."""
