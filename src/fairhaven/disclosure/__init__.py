"""Which counts may be shown: the one home of small-number rules. Pure: numbers in, numbers out."""

from fairhaven.disclosure.policy import Policy, policy_named, published_policies, read_policy
from fairhaven.disclosure.protection import Cell, Protected, ProtectedTable, protect, protect_extreme, protect_table

__all__ = [
    "Cell",
    "Policy",
    "Protected",
    "ProtectedTable",
    "policy_named",
    "protect",
    "protect_extreme",
    "protect_table",
    "published_policies",
    "read_policy",
]
