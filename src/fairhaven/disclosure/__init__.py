"""Which counts may be shown: the one home of small-number rules. Pure: numbers in, numbers out."""

from fairhaven.disclosure.crosstab import ProtectedCrosstab, UniformGroup, protect_crosstab
from fairhaven.disclosure.magnitude import Magnitude, ProtectedMagnitudes, Statistic, is_dominated, protect_magnitudes
from fairhaven.disclosure.nested_counts import lacks_few, protect_steps
from fairhaven.disclosure.policy import Dominance, Groups, Policy, Small, Ties, Zeros
from fairhaven.disclosure.primary_suppression import (
    Cell,
    Protected,
    ProtectedTable,
    as_rounded,
    hidden,
    protect,
    protect_extreme,
    protect_table,
    shown,
)
from fairhaven.disclosure.table_arrays import ALL

__all__ = [
    "ALL",
    "Cell",
    "Dominance",
    "Groups",
    "Magnitude",
    "Policy",
    "Protected",
    "ProtectedCrosstab",
    "ProtectedMagnitudes",
    "ProtectedTable",
    "Small",
    "Statistic",
    "Ties",
    "UniformGroup",
    "Zeros",
    "as_rounded",
    "hidden",
    "is_dominated",
    "lacks_few",
    "protect",
    "protect_crosstab",
    "protect_extreme",
    "protect_magnitudes",
    "protect_steps",
    "protect_table",
    "shown",
]
