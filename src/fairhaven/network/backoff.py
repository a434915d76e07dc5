"""How long to wait: between two looks at an empty queue, and after trouble, the longer the more often it failed."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """How often a server is asked, in seconds.

    Args:
        interval: between two looks at empty queues.
        first: the wait after the first failure; it doubles with each further one.
        longest: no wait after a failure is longer.
        patience: failures in a row after which one round (`once`) is given up.
        second_try: before a task is tried again that could not be answered; it doubles with each further try.
    """

    interval: float = 5.0
    first: float = 1.0
    longest: float = 300.0
    patience: int = 5
    second_try: float = 60.0

    def idle(self, chance: random.Random) -> float:
        """The wait before the next look: the interval, a fifth more or less, so that workers do not march in step."""
        return self.interval * chance.uniform(0.8, 1.2)

    def after(self, failures: int, chance: random.Random, *, asked: float | None = None) -> float:
        """The wait after so many failures in a row: half of it by chance.

        Args:
            failures: from 1.
            asked: what the server asks for (Retry-After); it is kept to, up to the longest wait.
        """
        # 2 ** 60 seconds are enough for any cap, and 2 ** 1100 is no float.
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        wait = whole / 2 + chance.uniform(0, whole / 2)
        return min(self.longest, max(wait, asked)) if asked is not None else wait
