"""Who is one person: the whole way from identity records to groups of patients. `service` and `evaluation` both take it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import literals
from fairhaven.kernel.errors import Refused
from fairhaven.kernel.progress import Progress
from fairhaven.linkage import deterministic
from fairhaven.linkage.graph import NOTHING, Floats, Ints, borne_together, components
from fairhaven.linkage.numbers_held import drop_default_numbers, numbers_held, unite_numbers
from fairhaven.linkage.probabilistic import link_probabilistically
from fairhaven.linkage.standardisation import standardise
from fairhaven.release.facts import MatchThresholds

MEMORY_LIMIT = "1400MB"


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonClusters:
    """Groups of patients, by number of the patient (see `standardisation`).

    Args:
        members: ``patient``; ``person``, the smallest patient of the same person; ``step`` that linked it, ``alone``
            where none did; ``weight`` of the match where Splink linked it, else NULL.
        clerical: pairs of persons in the clerical band: ``left_person, right_person, weight``.
        valid_numbers: patients with a valid NHS number.
        notes: what was left undone, in words.
    """

    members: pa.Table
    clerical: pa.Table
    valid_numbers: int
    notes: tuple[str, ...] = ()


@contextmanager
def memory_only_database(reaches: Collection[Path] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that never spills: identifiers reach no disk unencrypted, so work that does not fit in
    memory is refused instead.

    Args:
        reaches: files that are read on it.

    Raises:
        Refused: `MEMORY_LIMIT` is not enough.
    """
    try:
        with open_duckdb(spill=None, reaches=reaches, memory_limit=MEMORY_LIMIT) as connection:
            yield connection
    except duckdb.OutOfMemoryException:
        raise Refused(
            f"linking so many identity records needs more than {MEMORY_LIMIT} of memory; nothing was changed. Identity "
            "records may not spill to disk; link fewer sources at a time."
        ) from None


def find_persons(
    connection: duckdb.DuckDBPyConnection,
    *,
    thresholds: MatchThresholds,
    progress: Progress,
    checked_id: bool = True,
    extras: Sequence[str] = (),
) -> PersonClusters:
    """Group the patients of the table ``identity``.

    Uses up ``identity`` and leaves ``patients`` in the connection.
    """
    progress.stage("Cleaning identity records")
    standardise(connection, checked_id=checked_id, extras=extras)
    patients, numbered = connection.execute(
        """
        SELECT (SELECT count(*) FROM patients), (SELECT count(DISTINCT patient) FROM versions WHERE id IS NOT NULL)
        """
    ).fetchall()[0]
    progress.stage("Linking by NHS number and exact combinations")
    stated = connection.execute("SELECT left_patient, right_patient FROM stated").fetchnumpy()
    one_patient = components(patients, stated["left_patient"], stated["right_patient"])
    drop_default_numbers(connection)
    unite_numbers(connection)
    # An identifier without a check digit may be mistyped, and then contradicts nothing.
    bearing = numbers_held(connection, patients, one_patient=one_patient) if checked_id else np.full(patients, NOTHING)
    deterministic.cascade(connection)
    certain = deterministic.certain_groups(connection, bearing, one_patient=one_patient)
    roots, cluster = np.unique(certain, return_inverse=True)
    progress.stage("Weighing the evidence for the rest")
    residue = link_probabilistically(
        connection,
        cluster.astype(np.int64),
        bearing=borne_together(certain, bearing)[roots],
        thresholds=thresholds,
        extras=extras,
    )
    merged = residue.merged
    members = _members(connection, roots[merged.label][cluster], merged.weight[cluster])
    apart = {"left_person": roots[merged.left], "right_person": roots[merged.right], "weight": merged.apart}
    connection.execute("DROP VIEW IF EXISTS splink_units")
    for table in ("links", "stated", "versions", "units", "candidates", "contradictions"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    if residue.note:
        progress.note(residue.note)
    return PersonClusters(
        members=members,
        clerical=pa.table(apart).filter(pc.field("weight") > thresholds.clerical),
        valid_numbers=numbered,
        notes=(residue.note,) if residue.note else (),
    )


def _members(connection: duckdb.DuckDBPyConnection, person: Ints, weight: Floats) -> pa.Table:
    """`PersonClusters.members`: of a patient's links the most certain step counts.

    Args:
        weight: of each patient's match, NaN where Splink made none.
    """
    order = literals(*deterministic.ORDER)
    weighed = pa.table({"patient": np.arange(person.size), "person": person, "weight": weight})
    connection.register("weighed", weighed)
    members = connection.execute(
        f"""
        WITH ends AS (
            SELECT left_patient AS patient, step FROM links UNION ALL SELECT right_patient, step FROM links
        ), first AS (
            SELECT patient, [{order}][min(list_position([{order}], step))] AS step FROM ends GROUP BY patient
        )
        SELECT patient, person, coalesce(first.step, CASE WHEN isnan(weight) THEN 'alone' ELSE 'splink' END) AS step,
            CASE WHEN first.step IS NULL AND NOT isnan(weight) THEN weight END AS weight
        FROM weighed LEFT JOIN first USING (patient) ORDER BY patient
        """
    ).fetch_arrow_table()
    connection.unregister("weighed")
    return members
