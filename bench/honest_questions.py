"""How much of honest research the query audit answers, and how near: the second table of docs/explanation/query-audit.md.

    python -m bench.honest_questions [--secrets 1] [--only 100,000]

Sessions of 5 to 30 steps over the concept sets of the OHDSI phenotype library (`tests/support/research_sessions.py`), each session a project
of its own, by the rules of the audit in memory; two CPU-minutes. Needs the shared test data (`FAIRHAVEN_SHARED`).
"""

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from tests.support.practised_attack import met_by
from tests.support.research_sessions import Library, Session, invented, published
from tests.support.shared_data import shared

_ALL = ("hdr-uk", "hes", "ons")


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """Whom is asked of.

    Args:
        sessions: how many; least: persons of a cohort to start from; together: sessions that are one coalition.
    """

    title: str
    library: Callable[[], Library]
    sessions: int
    least: int
    policies: Sequence[str] = _ALL
    together: int = 1


def _populations() -> list[Population]:
    archive = shared("data", "cohorts", "phenotypelibrary_3.37.0_json.tar.gz")
    third = partial(invented, archive, persons=100_000)
    return [
        Population(title="300,000 persons", library=partial(invented, archive, persons=300_000, every=10), sessions=40, least=100),
        Population(title="100,000 persons", library=third, sessions=500, least=100),
        Population(title="GiBleed", library=partial(published, archive, shared("data", "omop_gibleed_5.3")), sessions=500, least=10),
        Population(
            title="no concept with more than 10",
            library=partial(published, archive, shared("data", "cohorts", "stress_cdm_5.4_parquet")),
            sessions=500,
            least=50,
        ),
        Population(title="60 sessions of 100,000 as one coalition", library=third, sessions=60, least=100, policies=["hdr-uk"], together=60),
    ]  # fmt: skip


def measure(population: Population, secrets: int) -> None:
    """Print a row for each policy."""
    library, draw = population.library(), random.Random(3)
    asked = [list(Session(library, draw, least=population.least).questions()) for _ in range(population.sessions)]
    everybody = BitMap(range(library.persons))
    for name in population.policies:
        policy, shares, off = policy_named(name), [], []
        for secret in range(secrets):
            given = 0
            for number, session in enumerate(asked):
                if number % population.together == 0:
                    met = met_by(policy, np.random.default_rng(secret).bytes(16), everybody)
                for persons in session:
                    verdict = met(persons)
                    given += not verdict.is_refused
                    if verdict.value:
                        off.append(abs(verdict.value - len(persons)))
            shares.append(given / sum(map(len, asked)))
        print(
            f"{population.title:<40} {name:<7} answered {np.mean(shares):6.1%} ({min(shares):.1%} to {max(shares):.1%});"
            f" a number is off by {np.mean(off):.1f} in the mean, {max(off)} at most,"
            f" {np.mean(np.array(off) > policy.round_to):.1%} by more than {policy.round_to}",
            flush=True,
        )


def main() -> None:
    """Measure all, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secrets", type=int, default=1, help="secrets of the hub, over which shares are averaged")
    parser.add_argument("--only", default="", help="a part of a title")
    wanted = parser.parse_args()
    for population in _populations():
        if wanted.only in population.title:
            measure(population, wanted.secrets)


if __name__ == "__main__":
    main()
