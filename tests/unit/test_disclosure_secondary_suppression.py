"""Moves: what one of them changes, and that the table still adds up."""

import numpy as np
import pytest

from fairhaven.disclosure.known_totals import NARROWEST, SUM, Fold, Moves, with_totals

SHAPES = [(3,), (3, 4), (2, 2), (1, 3), (3, 2, 3), (2, 2, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fold", [NARROWEST, SUM])
def test_every_move_keeps_every_total_and_raises_its_cell_by_one(shape: tuple[int, ...], fold: Fold) -> None:
    random = np.random.default_rng(3)
    table = with_totals(random.integers(0, 9, shape))
    inner = (slice(0, -1),) * len(shape)
    for place in np.ndindex(*table.shape):
        gaining, losing = random.random(table.shape), random.random(table.shape)
        move, worth = Moves(table.shape, place).best(gaining, losing, fold)
        if not np.isfinite(worth):
            assert 1 in shape, "a dimension of one category leaves no other end"
            continue
        changed = table.copy()
        for cell, sign in move.steps:
            changed[cell] += sign
        assert np.array_equal(with_totals(changed[inner]), changed)
        assert changed[place] == table[place] + 1
        others = [(gaining if sign > 0 else losing)[cell] for cell, sign in move.steps if cell != place]
        assert worth == pytest.approx(min(others) if fold is NARROWEST else sum(others))


def test_the_best_box_is_the_best_of_all_boxes() -> None:
    shape = (4, 5)
    random = np.random.default_rng(4)
    room = random.random((5, 6))
    move, worth = Moves((5, 6), (1, 2)).best(room, room, NARROWEST)
    boxes = [min(room[1, c], room[r, 2], room[r, c]) for r in range(5) for c in range(6) if r != 1 and c != 2]
    transfers = [
        min(room[r, c], room[1, -1], room[r, -1], room[-1, 2], room[-1, c])
        for r in range(shape[0])
        for c in range(shape[1])
        if r != 1 and c != 2
    ]
    assert worth == pytest.approx(max(boxes + transfers))
    assert (1, 2) in move.places


def test_a_table_with_its_totals_has_them_at_the_last_indices() -> None:
    assert with_totals([[1, 2], [3, 4]]).tolist() == [[1, 2, 3], [3, 4, 7], [4, 6, 10]]
