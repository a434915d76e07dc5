"""Which counts may be shown: the one home of small-number rules. Pure: numbers in, numbers out."""

from fairhaven.disclosure.policy import Dominance, Groups, Policy, Small, Ties, Zeros
from fairhaven.disclosure.protection import Cell, Protected, ProtectedTable, protect, protect_extreme, protect_table
from fairhaven.disclosure.published import policy_named, published_policies, read_policy

__all__ = [
    "Cell",
    "Dominance",
    "Groups",
    "Policy",
    "Protected",
    "ProtectedTable",
    "Small",
    "Ties",
    "Zeros",
    "policy_named",
    "protect",
    "protect_extreme",
    "protect_table",
    "published_policies",
    "read_policy",
]
