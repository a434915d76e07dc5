"""Who is one person: the whole way from identity records to groups of patients. `service` and `evaluation` both take it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import literals
from fairhaven.kernel.errors import Refused
from fairhaven.kernel.progress import Progress
from fairhaven.linkage import deterministic
from fairhaven.linkage.graph import Floats, Ints, components
from fairhaven.linkage.probabilistic import link_probabilistically
from fairhaven.linkage.standardisation import standardise
from fairhaven.release.facts import MatchThresholds

MEMORY_LIMIT = "1400MB"


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonClusters:
    """Groups of patients, by number of the patient (see `standardisation`).

    Args:
        person: for each patient the smallest patient of the same person.
        step: for each patient the step that linked it; ``alone`` where none did.
        weight: its match weight where Splink linked it, else NaN.
        left, right, apart: pairs of persons (by their smallest patient) in the clerical band, and their weight.
        valid_numbers: patients with a valid NHS number.
        notes: what was left undone, in words.
    """

    person: Ints
    step: list[str]
    weight: Floats
    left: Ints
    right: Ints
    apart: Floats
    valid_numbers: int
    notes: tuple[str, ...] = ()


@contextmanager
def memory_only_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that never spills: identifiers reach no disk unencrypted, so work that does not fit in
    memory is refused instead.

    Raises:
        Refused: `MEMORY_LIMIT` is not enough.
    """
    try:
        with open_duckdb(spill=None, memory_limit=MEMORY_LIMIT) as connection:
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
    deterministic.cascade(connection)
    links = connection.execute("SELECT left_patient, right_patient FROM links").fetchnumpy()
    certain = components(patients, links["left_patient"], links["right_patient"])
    roots, cluster = np.unique(certain, return_inverse=True)
    progress.stage("Weighing the evidence for the rest")
    residue = link_probabilistically(connection, cluster.astype(np.int64), thresholds=thresholds, extras=extras)
    merged = residue.merged
    is_clerical = merged.apart > thresholds.clerical
    weight = merged.weight[cluster]
    step = _steps(connection, patients, weight)
    connection.execute("DROP VIEW IF EXISTS splink_units")
    for table in ("links", "versions", "units", "candidates", "contradictions"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    if residue.note:
        progress.note(residue.note)
    return PersonClusters(
        person=roots[merged.label][cluster],
        step=step,
        weight=np.where(np.array(step) == "splink", weight, np.nan),
        left=roots[merged.left[is_clerical]],
        right=roots[merged.right[is_clerical]],
        apart=merged.apart[is_clerical],
        valid_numbers=numbered,
        notes=(residue.note,) * bool(residue.note),
    )


def _steps(connection: duckdb.DuckDBPyConnection, patients: int, weight: Floats) -> list[str]:
    """The most certain step that each patient has a link by."""
    order = literals(*deterministic.ORDER)
    connection.register("weighed", pa.table({"patient": np.arange(patients), "weight": weight}))
    steps = connection.execute(
        f"""
        WITH ends AS (
            SELECT left_patient AS patient, step FROM links UNION ALL SELECT right_patient, step FROM links
        ), first AS (
            SELECT patient, [{order}][min(list_position([{order}], step))] AS step FROM ends GROUP BY patient
        )
        SELECT coalesce(step, CASE WHEN isnan(weight) THEN 'alone' ELSE 'splink' END) AS step
        FROM weighed LEFT JOIN first USING (patient) ORDER BY patient
        """
    ).fetch_arrow_table()
    connection.unregister("weighed")
    return [str(step) for step in steps["step"].to_pylist()]
