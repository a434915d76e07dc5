"""Decision time, memory and disk of the query audit with many answered questions over a large population.

    python -m bench.audit [--questions 100000] [--persons 1000000] [--asked 600]

The record is filled in bulk (the same rows that `ask` writes, with their exposures), because asking a hundred thousand
questions one by one measures the patience of the reader; then new questions of four kinds go through `ask` itself. The
peer beside it is what an audit without sketches would do for its first rule alone: compare a question with each earlier
set of about its size.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from pyroaring import BitMap

from bench.measure import peak_mb, size_mb
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.query_audit import Asker, Outcome, QueryAudit, rules_named
from fairhaven.query_audit.coalition import Coalition
from fairhaven.query_audit.model import VerdictKind
from fairhaven.query_audit.set_digests import KeyedSums, digest_of
from fairhaven.query_audit.set_sketches import Sketcher
from fairhaven.query_audit.sqlite import AuditRecord

_POLICY = policy_named("hdr-uk")
_RULES = rules_named("standard")
_ASKER = Asker(project="asking", organisation="asking")
_COALITION = "organisation asking"


def random_set(draw: np.random.Generator, persons: int) -> BitMap:
    """A cohort: sizes from 10 persons to 3 % of the population, each order of magnitude as frequent as the next."""
    size = int(np.exp(draw.uniform(np.log(10), np.log(0.03 * persons))))
    return BitMap(draw.integers(0, persons, size).astype(np.uint32))


def fill(path: Path, *, questions: int, persons: int, seed: int = 1) -> None:
    """Record answered questions, all in one coalition."""
    with QueryAudit(path, _POLICY, _RULES) as audit:
        audit.add_release("r1", np.arange(persons, dtype=np.int64))
        audit.ask(BitMap(range(persons)), asker=_ASKER, release="r1")
    record, draw = AuditRecord(path, copy=Path("record.sqlite")), np.random.default_rng(seed)
    sketcher, sums = Sketcher(record.secret), KeyedSums(record.secret)
    exposure, seq = np.zeros(persons, np.float32), 0
    with record.writing():
        for _ in range(questions):
            cohort = random_set(draw, persons)
            size = len(cohort)
            digest = digest_of(cohort)
            question = record.add_question(
                asker=Asker(project="other", organisation="asking"), release=1, digest=digest, is_refused=False,
                shown=_POLICY.rounded(size), persons=cohort, sketch=sketcher.sketch(cohort), keyed_sum=sums.of(cohort),
            )  # fmt: skip
            seq = record.add_verdict(_COALITION, question, VerdictKind.FRESH, None)
            if size > 500:  # as if the small ones were about ever new persons: else nothing could be asked any more
                exposure[np.frombuffer(cohort.to_array(), np.uint32)] += np.float32(1 / size)
        coalition = Coalition(_POLICY, sketcher, record.persons)
        coalition.grow_to(persons)
        coalition.exposure[:] = np.minimum(exposure, 0.05)
        record.save_state(_COALITION, seq, coalition.state())
    record.close()


def measure(path: Path, *, persons: int, asked: int, seed: int = 2) -> None:
    """Print the rows."""
    draw = np.random.default_rng(seed)
    before = peak_mb()
    began = time.perf_counter()
    with QueryAudit(path, _POLICY, _RULES) as audit:
        audit.ask(random_set(draw, persons), asker=_ASKER, release="r1")
        print(f"first question after a start, the record read        {time.perf_counter() - began:8.1f} s")
        spent: dict[str, list[float]] = {}
        answered = 0
        last = random_set(draw, persons)
        for turn in range(asked):
            kind = ("new", "refined by a tenth", "3 persons more", "as before")[turn % 4]
            if kind == "new":
                last = random_set(draw, persons)
            elif kind == "refined by a tenth":
                last = BitMap(list(last)[len(last) // 10 :])
            elif kind == "3 persons more":
                last = last | BitMap(draw.integers(0, persons, 3).astype(np.uint32))
            began = time.process_time()
            decision = audit.ask(last, asker=_ASKER, release="r1")
            spent.setdefault(kind, []).append(1e3 * (time.process_time() - began))
            answered += decision.outcome is Outcome.ANSWERED
        for _ in range(12):
            third = BitMap(draw.choice(persons, persons // 3, replace=False).astype(np.uint32))
            began = time.process_time()
            audit.ask(third, asker=_ASKER, release="r1")
            spent.setdefault("a third of everybody", []).append(1e3 * (time.process_time() - began))
        for kind, times in spent.items():
            tail = sorted(times)[int(0.99 * len(times))]
            print(f"{kind:<52} {statistics.median(times):8.1f} ms CPU, 99 % below {tail:.1f} ms")
        print(f"answered                                             {answered / asked:8.1%}")
        print(f"memory: sketches, exposures, tallies                 {_held(audit) / 1e6:8.0f} MB")
        print(f"memory: peak of the process, more than at its start  {peak_mb() - before:8.0f} MB")
    print(f"disk                                                 {size_mb(path.parent):8.0f} MB")
    _peer(path, draw, persons)


def _held(audit: QueryAudit) -> int:
    """Bytes of the arrays that grow with the questions and the population."""
    owners = [owner for coalition, _ in audit._coalitions.values() for owner in (coalition, coalition._answers)]
    arrays = [value for owner in owners for value in vars(owner).values() if isinstance(value, np.ndarray)]
    return sum(array.nbytes for array in arrays)


def _peer(path: Path, draw: np.random.Generator, persons: int) -> None:
    record, times = AuditRecord(path, copy=Path("record.sqlite")), []
    sizes = np.array(record._connection.execute("SELECT id, size FROM question").fetchall())
    for _ in range(5):
        cohort = random_set(draw, persons)
        began = time.process_time()
        for question in sizes[np.abs(sizes[:, 1] - len(cohort)) < _POLICY.threshold, 0]:
            cohort.symmetric_difference_cardinality(record.persons(int(question)))
        times.append(1e3 * (time.process_time() - began))
    print(f"peer: every set of about that size compared          {statistics.median(times):8.1f} ms CPU")


def main() -> None:
    """Fill a record and measure with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=100_000)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--asked", type=int, default=600)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.sqlite"
        fill(path, questions=wanted.questions, persons=wanted.persons)
        print(f"{wanted.questions:,} answered questions over {wanted.persons:,} persons")
        measure(path, persons=wanted.persons, asked=wanted.asked)


if __name__ == "__main__":
    main()
