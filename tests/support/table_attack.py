"""What a reader can work out of a table: every whole-number table that looks the same, tried one by one.

It shares nothing with the code under test: no moves, no arrays, no search for what to hide. Small tables only.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import product

Key = tuple[Hashable, ...]


def totals_of(counts: Mapping[Key, int], everything: Hashable) -> dict[Key, int]:
    """Every total of a table, by key with *everything* in at least one place."""
    sums: dict[Key, int] = {}
    for key, count in counts.items():
        for pattern in product((False, True), repeat=len(key)):
            if any(pattern):
                total = tuple(everything if left else part for left, part in zip(pattern, key, strict=True))
                sums[total] = sums.get(total, 0) + count
    return sums


def possible(
    shown: Mapping[Key, int | None],
    known: Mapping[Key, int],
    everything: Hashable,
    *,
    least: int,
    most: int,
    asked: range,
) -> Mapping[Key, frozenset[int]]:
    """For each hidden cell, which of the counts asked for it may have.

    Args:
        shown: the cells; None for a hidden one.
        known: true totals that the reader knows.
        least, most: what the reader takes a hidden cell to be at least; where to stop trying.
        asked: the counts that are of interest.
    """
    hidden = [key for key, count in shown.items() if count is None]
    seen: dict[Key, set[int]] = {key: set() for key in hidden}
    rests = {}
    for total, sum_ in known.items():
        rests[total] = sum_ - sum(count or 0 for key, count in shown.items() if _is_in(key, total, everything))
    within = [[total for total in rests if _is_in(key, total, everything)] for key in hidden]
    after: list[dict[Key, int]] = [{} for _ in range(len(hidden) + 1)]
    for place in range(len(hidden) - 1, -1, -1):
        after[place] = dict(after[place + 1])
        for total in within[place]:
            after[place][total] = after[place].get(total, 0) + 1
    # A value already seen for every cell needs no second table: each search asks for one cell and one count.
    for place, key in enumerate(hidden):
        for count in asked:
            if count in seen[key]:
                continue
            for table in _tables(hidden, within, after, dict(rests), least, most, {place: count}):
                for other, found in zip(hidden, table, strict=True):
                    seen[other].update({found} & set(asked))
                break
    return {key: frozenset(values) for key, values in seen.items()}


def _tables(
    hidden: Sequence[Key],
    within: Sequence[Sequence[Key]],
    after: Sequence[Mapping[Key, int]],
    rests: dict[Key, int],
    least: int,
    most: int,
    pinned: Mapping[int, int],
    place: int = 0,
) -> Iterator[tuple[int, ...]]:
    if place == len(hidden):
        yield ()
        return
    room = min([most, *(rests[total] - least * (after[place + 1].get(total, 0)) for total in within[place])])
    # The last cell of a total is what is left of it.
    exact = {rests[total] for total in within[place] if not after[place + 1].get(total)}
    tries = [pinned[place]] if place in pinned else sorted(exact)[:1] if exact else range(least, room + 1)
    for count in tries:
        if not least <= count <= room or exact - {count}:
            continue
        for total in within[place]:
            rests[total] -= count
        for rest in _tables(hidden, within, after, rests, least, most, pinned, place + 1):
            yield (count, *rest)
        for total in within[place]:
            rests[total] += count


def _is_in(key: Key, total: Key, everything: Hashable) -> bool:
    return all(part in (everything, own) for own, part in zip(key, total, strict=True))
