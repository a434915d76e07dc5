"""Secondary suppression: which further cells to hide so that no hidden one can be worked out.

For every sensitive cell a *proof* is kept: moves (`known_totals.Moves`) over hidden cells alone that lead from the true table to one in
which the cell is as much higher, and to one in which it is as much lower, as its protection asks. A cell without a proof
is not safe; cells are hidden until all have one, and then those are shown again that no proof needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fairhaven.disclosure.known_totals import NARROWEST, SUM, Floats, Mask, Move, Moves, Place, places_of

_ENOUGH_MOVES = 64
"""A proof that takes more moves is given up, and more is hidden instead."""
_TOTAL_COST, _GRAND_TOTAL_COST = 4.0, 1_000.0
"""Against 1 for a cell: a total that is hidden is one that readers are taken not to know, which weakens the promise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectionLevel:
    """How much higher and lower than it is a hidden cell must be able to be."""

    up: float
    down: float


def complement(
    values: Floats,
    *,
    costs: Floats,
    least: Floats,
    hidden: Mask,
    can_hide: Mask,
    needs: Mapping[Place, ProtectionLevel],
) -> Mask:
    """Hides further cells until every sensitive one is proved safe; as few as a greedy search finds.

    Args:
        values: the table with its totals.
        costs: what hiding a cell or a total costs; of those that would do the cheapest are hidden.
        least: the smallest value that a reader must allow for, by cell.
        hidden: what is hidden to begin with; it holds every place of *needs*.
        can_hide: what is hidden already, and what may be. Not zeros that everybody may know (no man is pregnant).
        needs: the sensitive cells and what each asks for.

    Returns:
        True for hidden cells of the table with its totals; for totals: that readers are taken not to know them.
    """
    search = _Search(values, costs, least, hidden.copy(), can_hide)
    proofs: dict[Place, frozenset[Place]] = {}
    for place in sorted(needs, key=lambda place: (values[place], place)):
        proof = search.proof(place, needs[place])
        if proof is None and (move := search.cheapest(place, needs[place])) is not None:
            for cell in move.places:
                search.hidden[cell] = True
            proof = search.proof(place, needs[place])
        if proof is None:  # never seen; were it to happen, nothing of the table is shown but what everybody knows
            return np.isfinite(costs)
        proofs[place] = proof
    _show_again(search, hidden, needs, proofs)
    return search.hidden


def default_costs(sizes: Floats) -> Floats:
    """A total is worth four cells, that over everything more than all; of cells the ones with few persons are hidden first."""
    is_total = np.ones(sizes.shape, dtype=bool)
    is_total[(slice(0, -1),) * sizes.ndim] = False
    costs: Floats = np.where(is_total, _TOTAL_COST, 1.0) + share_of_all(sizes)
    costs[(-1,) * sizes.ndim] = _GRAND_TOTAL_COST
    return costs


def share_of_all(sizes: Floats) -> Floats:
    """Half of the part that each place has of all persons: it decides only between what is worth the same."""
    half: Floats = sizes / (sizes[(-1,) * sizes.ndim] + 1) / 2
    return half


def _show_again(
    search: "_Search", primary: Mask, needs: Mapping[Place, ProtectionLevel], proofs: dict[Place, frozenset[Place]]
) -> None:
    """Shows cells that turn out not to be needed, totals first and then the largest."""
    for cell in sorted(places_of(search.hidden & ~primary), key=lambda place: -search.cost[place]):
        search.hidden[cell] = False
        found = {}
        for place in [place for place, proof in proofs.items() if cell in proof]:
            proof = search.proof(place, needs[place])
            if proof is None:
                search.hidden[cell] = True
                break
            found[place] = proof
        else:
            proofs |= found


class _Search:
    """The moves that a suppression allows, and the cheapest ones that it does not allow yet."""

    def __init__(self, values: Floats, costs: Floats, least: Floats, hidden: Mask, can_hide: Mask) -> None:
        self.values, self.cost, self.least, self.hidden, self.can_hide = values, costs, least, hidden, can_hide

    def proof(self, place: Place, need: ProtectionLevel) -> frozenset[Place] | None:
        """The cells of moves that make room enough for a cell, up and down; None where there are not enough."""
        used: frozenset[Place] = frozenset()
        for amount, sign in ((need.up, 1), (need.down, -1)):
            found = self._reach(place, amount, sign)
            if found is None:
                return None
            used |= found
        return used

    def _reach(self, place: Place, amount: float, sign: int) -> frozenset[Place] | None:
        now = self.values.copy()
        moves = Moves(now.shape, place)
        used: frozenset[Place] = frozenset()
        for _ in range(_ENOUGH_MOVES):
            if amount <= 0:
                return used
            gain = np.where(self.hidden, np.inf, 0.0)
            lose = np.where(self.hidden, now - self.least, 0.0)
            rising, falling = (gain, lose) if sign > 0 else (lose, gain)
            move, room = moves.best(rising, falling, NARROWEST)
            room = min(room, float(rising[place]), amount)
            if room <= 0:
                return None
            for cell, direction in move.steps:
                now[cell] += sign * direction * room
            used |= move.places
            amount -= room
        return None

    def cheapest(self, place: Place, need: ProtectionLevel) -> Move | None:
        """The move that costs least to allow and by itself meets the need; None where there is none."""
        room = self.values - self.least
        cost = np.where(self.hidden, 0.0, self.cost)
        # While this cell rises by `up` a losing one must have that much to give; while it falls, a gaining one.
        gains = np.where(self.can_hide & (room >= need.down), cost, np.inf)
        loses = np.where(self.can_hide & (room >= need.up), cost, np.inf)
        move, least = Moves(self.values.shape, place).best(gains, loses, SUM)
        return move if 0 < least < np.inf else None
