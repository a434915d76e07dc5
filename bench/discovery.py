"""Questions to a discovery index beside PostgreSQL with OHDSI's indexes, on the same persons in the same run.

    python -m bench.discovery [--persons 100000] [--seed 1] [--without-postgres]

About a hundred events a person (see `population`). CPU-milliseconds of one question, the median of several; the first is
asked of an index that was just opened and of a server that has answered once. Beside both: DuckDB over the release's
Parquet, and for sets of persons the physical limit: three sets as plain bits, put together and counted by NumPy.
"""

import argparse
import datetime as dt
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from bench.measure import in_fresh_process, size_mb
from bench.population import TABLES, make
from bench.postgres import Postgres, postgres, programs
from fairhaven.cohort import DiscoveryIndex
from fairhaven.cohort.model import (
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    Dates,
    Demographic,
    Domain,
    EntryEvents,
    Events,
    Filter,
    Group,
    InclusionRule,
    Match,
    Numbers,
    OneOf,
    Window,
)
from fairhaven.engine import DuckDBEngine
from fairhaven.kernel.files import sha256_of
from fairhaven.omop import CDM

DAY = dt.date(2023, 1, 1)
CONDITIONS, MEASUREMENTS, DRUGS = (table.first_id for table in TABLES)
RARE, MIDDLE, OTHER = CONDITIONS + 305, CONDITIONS + 10, CONDITIONS + 20
COMMON = (CONDITIONS + 1, CONDITIONS + 2, CONDITIONS + 3)
DRUG, MEASURED = DRUGS + 9, MEASUREMENTS + 77
_REPEATS = 9


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question in both languages.

    Args:
        is_set: made of sets of persons alone.
    """

    title: str
    definition: CohortDefinition
    sql: str
    is_set: bool = True


def questions() -> list[Question]:
    """The questions, in the order of the trial that chose the design."""
    female = Demographic(filters=(Filter(field="gender_concept_id", test=OneOf(concepts=(8532,))),))
    born = Demographic(
        filters=(Filter(field="year_of_birth", test=Numbers(compare=Compare.BETWEEN, value=1950, to=1975)),)
    )
    both = "SELECT count(*) FROM person WHERE gender_concept_id = 8532 AND year_of_birth BETWEEN 1950 AND 1975 AND"
    high = (
        Filter(field="value_as_number", test=Numbers(compare=Compare.MORE, value=150)),
        Filter(field="start_date", test=Dates(compare=Compare.AT_LEAST, value=DAY)),
    )
    follows = Correlated(events=Events(domain=Domain.DRUG_EXPOSURE, concepts="drug"), start=Window(since=0, until=90))
    first = EntryEvents(events=(Events(domain=Domain.CONDITION_OCCURRENCE, concepts="middle", first=True),))
    either = Group(match=Match.ANY, members=(_ever("condition", "middle"), _ever("drug", "drug")))
    neither = Group(match=Match.AT_MOST, count=0, members=(_ever("condition", "other"),))
    return [
        Question(title="A1 rare set, 6 below it", definition=_persons(_ever("condition", "rare")), sql=_having(RARE)),
        Question(title="A2 set of 43", definition=_persons(_ever("condition", "middle")), sql=_having(MIDDLE)),
        Question(title="A3 sets of 777", definition=_persons(_ever("condition", "common")), sql=_having(*COMMON)),
        Question(
            title="B A2, sex, 25 years of birth",
            definition=_persons(_ever("condition", "middle"), female, born),
            sql=f"{both} person_id IN ({_who('condition', MIDDLE)})",
        ),
        Question(
            title="C (A2 or drug), not other, B",
            definition=_persons(either, neither, female, born),
            sql=f"{both} (person_id IN ({_who('condition', MIDDLE)}) OR person_id IN ({_who('drug', DRUG)}))"
            f" AND NOT person_id IN ({_who('condition', OTHER)})",
        ),
        Question(
            title="D first A2, drug within 90 days",
            definition=_asked(first, follows),
            is_set=False,
            sql=f"""WITH first AS (SELECT person_id, min(condition_start_date) AS day FROM condition_occurrence
                WHERE condition_concept_id IN ({_below(MIDDLE)}) GROUP BY person_id)
                SELECT count(DISTINCT f.person_id) FROM first f
                JOIN observation_period p ON p.person_id = f.person_id
                 AND f.day BETWEEN p.observation_period_start_date AND p.observation_period_end_date
                JOIN drug_exposure d ON d.person_id = f.person_id
                 AND d.drug_exposure_start_date BETWEEN f.day AND f.day + 90
                 AND d.drug_exposure_start_date <= p.observation_period_end_date
                WHERE d.drug_concept_id IN ({_below(DRUG)})""",
        ),
        Question(
            title="E measured above 150 since 2023",
            definition=_persons(_ever("measurement", "measured", *high)),
            is_set=False,
            sql=f"""SELECT count(DISTINCT person_id) FROM measurement WHERE measurement_concept_id IN ({_below(MEASURED)})
                AND value_as_number > 150 AND measurement_date >= DATE '{DAY}'""",
        ),
    ]


_TABLE = {"condition": "condition_occurrence", "drug": "drug_exposure", "measurement": "measurement"}


def _below(*concepts: int) -> str:
    ids = ", ".join(map(str, concepts))
    return f"SELECT descendant_concept_id FROM concept_ancestor WHERE ancestor_concept_id IN ({ids})"


def _who(kind: str, *concepts: int) -> str:
    return f"SELECT person_id FROM {_TABLE[kind]} WHERE {kind}_concept_id IN ({_below(*concepts)})"


def _having(*concepts: int) -> str:
    return f"SELECT count(DISTINCT person_id) FROM ({_who('condition', *concepts)}) AS having_it"


def _ever(kind: str, concepts: str, *filters: Filter) -> Correlated:
    events = Events(domain=Domain(_TABLE[kind]), concepts=concepts, filters=filters)
    return Correlated(events=events, within_observation=False)


def _persons(*members: Correlated | Demographic | Group) -> CohortDefinition:
    return _asked(EntryEvents(events=(Events(domain=Domain.PERSON),), observed=False), *members)


def _asked(entry: EntryEvents, *members: Correlated | Demographic | Group) -> CohortDefinition:
    sets = {
        "rare": (RARE,),
        "middle": (MIDDLE,),
        "common": COMMON,
        "other": (OTHER,),
        "drug": (DRUG,),
        "measured": (MEASURED,),
    }
    return CohortDefinition(
        concept_sets=tuple(
            ConceptSet(id=name, items=tuple(ConceptSetItem(concept_id=each, descendants=True) for each in concepts))
            for name, concepts in sets.items()
        ),
        entry=entry,
        rules=(InclusionRule(name="asked", group=Group(members=members)),),
    )


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Milliseconds by the clock and of the CPU, and the answer."""

    wall: float
    cpu: float
    answer: int


def build(population: Path, folder: Path) -> tuple[float, float]:
    """Make the index; CPU-seconds and the most memory, in MB."""
    engine = DuckDBEngine(reaches=[population, folder.parent])
    tables = {file.stem: engine.parquet([file]) for file in sorted(population.glob("*.parquet"))}
    began = time.process_time()
    DiscoveryIndex.build(tables, engine, folder)
    seconds = time.process_time() - began
    engine.close()
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ask(folder: Path) -> dict[str, tuple[Measured, Measured, Measured]]:
    """Of each question: asked first, in an index just opened; again; and again without what was kept of earlier answers."""
    found = {}
    for question in questions():
        index = DiscoveryIndex.open(folder)
        first = _measured(lambda: index.count(question.definition))  # noqa: B023 - called at once
        again = _median(lambda: index.count(question.definition))  # noqa: B023

        def anew() -> int:
            index.forget()  # noqa: B023
            return index.count(question.definition)  # noqa: B023

        found[question.title] = (first, again, _median(anew))
    return found


def opening(folder: Path) -> float:
    """Milliseconds to open an index."""
    return _median(lambda: DiscoveryIndex.open(folder).persons).wall


def hashed(folder: Path) -> float:
    """CPU-milliseconds to hash the files of an index."""
    return _median(lambda: len([sha256_of(path) for path in folder.glob("*.bin")]), times=3).cpu


def limit(persons: int) -> float:
    """Milliseconds to put three sets of plain bits together and count them."""
    sets = np.random.default_rng(1).integers(0, 1 << 63, (3, persons // 64 + 1), dtype=np.uint64)
    return _median(lambda: int(np.bitwise_count(sets[0] & sets[1] & sets[2]).sum())).wall


def by_duckdb(population: Path) -> dict[str, Measured]:
    """The same questions to DuckDB over the release's Parquet."""
    with duckdb.connect(config={"memory_limit": "2GB"}) as connection:
        connection.execute("SET parquet_metadata_cache = true")
        for file in population.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")

        def answer(sql: str) -> int:
            return int((connection.execute(sql).fetchone() or (0,))[0])

        return {each.title: _median(lambda: answer(each.sql), times=3) for each in questions()}  # noqa: B023


def by_postgres(server: Postgres) -> dict[str, Measured]:
    """The same questions to PostgreSQL, warm."""
    found = {}
    for each in questions():
        _, once, _ = server.timed(each.sql)
        # The kernel counts hundredths of a second: short questions are asked until they fill some tenths.
        times = max(1, min(50, int(0.5 / max(once, 0.001))))
        runs = [server.timed(each.sql, times=times) for _ in range(3)]
        rows, wall, cpu = sorted(runs, key=lambda run: run[2])[1]
        found[each.title] = Measured(wall=1000 * wall, cpu=1000 * cpu, answer=int(rows[0][0]))
    return found


_TYPES = {"int32": "integer", "int64": "bigint", "float64": "numeric", "date": "date", "timestamp(6)": "timestamp"}
_INDEXED = {
    "person": ("gender_concept_id",),
    "observation_period": ("person_id",),
    "condition_occurrence": ("person_id", "condition_concept_id", "visit_occurrence_id"),
    "measurement": ("person_id", "measurement_concept_id", "visit_occurrence_id"),
    "drug_exposure": ("person_id", "drug_concept_id", "visit_occurrence_id"),
    "concept": (),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
}
"""OHDSI's indexes for CDM 5.4 on the columns that the tables here fill, besides the primary keys."""


def load(server: Postgres, population: Path, work: Path) -> float:
    """OHDSI's tables and indexes in PostgreSQL; CPU-seconds of the server."""
    spent = 0.0
    for name, indexed in _INDEXED.items():
        columns = ", ".join(
            f"{field.name} {_TYPES.get(field.dtype, field.type)}" for field in CDM[name].fields
        ).replace("varchar(max)", "text")
        file = population / f"{name}.parquet"
        text = work / f"{name}.csv"
        duckdb.sql(f"COPY (FROM '{file}') TO '{text}' (FORMAT csv, HEADER false)")
        text.chmod(0o644)
        given = ", ".join(row[0] for row in duckdb.sql(f"DESCRIBE FROM '{file}'").fetchall())
        steps = [f"CREATE TABLE {name} ({columns})", f"COPY {name} ({given}) FROM '{text}' (FORMAT csv)"]
        if key := CDM[name].primary_key:
            steps.append(f"ALTER TABLE {name} ADD PRIMARY KEY ({key})")
        steps += [f"CREATE INDEX ON {name} ({column})" for column in indexed]
        # OHDSI's scripts cluster by person; the rows come in that order already.
        steps.append(f"VACUUM ANALYZE {name}")
        spent += sum(server.timed(step)[2] for step in steps)
        text.unlink()
    return spent


def _measured(work: Callable[[], int]) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    answer = work()
    return Measured(wall=1000 * (time.perf_counter() - wall), cpu=1000 * (time.process_time() - cpu), answer=answer)


def _median(work: Callable[[], int], times: int = _REPEATS) -> Measured:
    runs = [_measured(work) for _ in range(times)]
    return Measured(
        wall=statistics.median(run.wall for run in runs),
        cpu=statistics.median(run.cpu for run in runs),
        answer=runs[0].answer,
    )


def main() -> None:
    """Run the bench and print its tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-postgres", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        population, index = folder / "population", folder / "index"
        make(population, options.persons, options.seed)
        seconds, peak = in_fresh_process(build, population, index)
        answers = in_fresh_process(ask, index)
        duck = in_fresh_process(by_duckdb, population)
        theirs: Mapping[str, Measured] = {}
        loading, size = 0.0, 0.0
        where = None if options.without_postgres else programs()
        if where is not None:
            with postgres(where, folder / "postgres") as server:
                loading = load(server, population, folder)
                size = server.size_mb()
                theirs = by_postgres(server)
        elif not options.without_postgres:
            print("without PostgreSQL: version 15 is not on this machine")
        events = int(sum(table.rows for table in TABLES) * options.persons)
        print(f"{options.persons:,} persons, {events:,} events; load of the machine {os.getloadavg()[0]:.1f}")
        print(f"index: {seconds:.1f} CPU-s, {peak:,.0f} MB of memory; opened in {opening(index):.2f} ms")
        bitmaps = (index / "bitmaps.bin").stat().st_size / 1e6
        print(f"on disk: {size_mb(index):,.0f} MB, of it bitmaps {bitmaps:,.0f}; Parquet {size_mb(population):,.0f}")
        if theirs:
            print(f"PostgreSQL: {loading:.1f} CPU-s, {size:,.0f} MB, {size / size_mb(index):.1f} times the index")
        print(f"every byte hashed, as if it were compared before the first question: {hashed(index):.1f} ms")
        print(f"limit: three sets of plain bits put together and counted in {limit(options.persons):.4f} ms\n")
        _print(answers, duck, theirs, limit(options.persons))


def _print(
    answers: Mapping[str, tuple[Measured, Measured, Measured]],
    duck: Mapping[str, Measured],
    theirs: Mapping[str, Measured],
    least: float,
) -> None:
    print(
        f"{'CPU-ms':34}{'persons':>10}{'first':>9}{'anew':>9}{'again':>9}{'limit':>7}{'DuckDB':>9}{'PG':>10}{'PG wall':>10}{'PG/anew':>10}"
    )
    for each in questions():
        first, again, anew = answers[each.title]
        peer = theirs.get(each.title)
        found = {one.answer for one in (first, again, anew, duck[each.title], *([peer] if peer else []))}
        if len(found) > 1:
            raise SystemExit(f"{each.title}: the answers differ: {sorted(found)}")
        share = f"{100 * least / again.cpu:6.0f}%" if each.is_set else f"{'':7}"
        beside = f"{peer.cpu:10,.0f}{peer.wall:10,.0f}{peer.cpu / anew.cpu:9,.0f}x" if peer else ""
        print(
            f"{each.title:34}{first.answer:10,}{first.cpu:9.2f}{anew.cpu:9.2f}{again.cpu:9.3f}{share}"
            f"{duck[each.title].cpu:9,.0f}{beside}"
        )


if __name__ == "__main__":
    main()
