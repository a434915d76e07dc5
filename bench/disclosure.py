"""Cells hidden beyond the small ones, and CPU-seconds, for tables of two and three ways.

    python -m bench.disclosure [--times 1]

The limit beside it is the number of small cells: hiding them and nothing else. It is not a protection (readers who know
totals work most of them out), but nothing can hide less. Counts are drawn from a log-normal distribution, as counts of
codes by place or year are: a few large cells, a long tail of small ones.
"""

import argparse
import time
from dataclasses import replace
from typing import Any

import numpy as np

from fairhaven.disclosure import Groups, protect_crosstab
from fairhaven.hub.disclosure_policies import policy_named

_TABLES = (
    ((10, 5), 3.5, 1.3),
    ((30, 10), 3.5, 1.3),
    ((100, 50), 3.5, 1.3),
    ((100, 50), -1.0, 2.5),
    ((10, 10, 5), 3.5, 1.3),
    ((20, 10, 10), 3.5, 1.3),
)


def main() -> None:
    """One line for each table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1, help="how often each table is protected")
    times = parser.parse_args().times
    policy = replace(policy_named("ons"), groups=Groups.TELL)
    print(f"{'table':>14} {'small':>6} {'hidden':>7} {'further':>8} {'hidden/small':>13} {'CPU s':>7}")
    for shape, mean, spread in _TABLES:
        drawn = np.floor(np.random.default_rng(7).lognormal(mean, spread, shape)).astype(int)
        counts: dict[Any, int] = {tuple(map(int, place)): int(drawn[place]) for place in np.ndindex(*shape)}
        began = time.process_time()
        for _ in range(times):
            table = protect_crosstab(counts, policy)
        seconds = (time.process_time() - began) / times
        small = sum(policy.is_small(count) for count in counts.values())
        name = " x ".join(map(str, shape))
        ratio = f"{table.hidden / small:.2f}"
        print(f"{name:>14} {small:>6} {table.hidden:>7} {table.further:>8} {ratio:>13} {seconds:>7.2f}")


if __name__ == "__main__":
    main()
