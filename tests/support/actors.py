"""Who changes hubs in tests."""

from fairhaven.ledger import Actor, ActorKind

ANNA = Actor(kind=ActorKind.OPERATING_SYSTEM_USER, name="anna")
BEN = Actor(kind=ActorKind.OPERATING_SYSTEM_USER, name="ben")
