"""Who changes the hubs that are measured."""

from fairhaven.ledger import Actor, ActorKind

BENCH = Actor(kind=ActorKind.OPERATING_SYSTEM_USER, name="bench")
