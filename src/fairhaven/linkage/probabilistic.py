"""Probabilistic linkage of what the cascade left over: Splink 5 on pairs of groups of which at least one is open.

A group is **closed** when several patients were linked by a valid NHS number: nothing weaker may join two such groups.
Every other group is open and is compared with all groups, open or closed. Splink learns its weights from the data at
hand by expectation maximisation, without labels; its sampling is a hash of the row, so it is the same on every run.
Mutual-best merging (`graph`) then makes groups of the pairs.

The model is that of Fellegi and Sunter (1969), as Splink has it. Of a pair of records every comparison *k* is at one
level, such as "exact" or "one letter apart". With *m* the probability of that level among pairs of one person, *u*
among pairs of two, and *p* that two records at random are of one person, the match weight in bits is

    weight = log2(p / (1 - p)) + sum over k of log2(m[k] / u[k])

and the probability of a match ``2 ** weight / (1 + 2 ** weight)``. It takes the comparisons as independent, which
name and address within a family are not; so no pair decides alone: each is cut to a floor and a ceiling, and two groups
are judged by the mean of all their pairs.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress

import duckdb
import numpy as np
import pyarrow as pa

from fairhaven.engine.sql import identifier
from fairhaven.linkage.blocking import candidate_pairs
from fairhaven.linkage.graph import Ints, MergeResult, merge_mutual_best, unmerged
from fairhaven.linkage.splink_comparisons import comparisons
from fairhaven.linkage.unduplicated_sources import mark_unduplicated
from fairhaven.release.facts import MatchThresholds

SEED = 1948
MIN_UNITS = 100
"""Distinct descriptions below which there is too little to learn weights from."""

MARGIN = 3.0
"""Weight by which a record without a number must fit the bearer of one number better than that of another: odds of eight to one."""

_COLUMNS = ("given", "family", "birth", "birth_part", "id_text", "postcode", "sex", "address")
_DESCRIPTION = (
    "id", "id_text", "given", "given_second", "given_forms", "given_formal", "family", "family_parts",
    "birth", "birth_turned", "birth_part", "sex", "postcode", "area", "address",
)  # fmt: skip
_TRAINING_PAIRS = 1_000_000
_RANDOM_PAIRS = 1_000_000
_MIN_SEEN = 30  # random pairs at each level of a comparison after which no more are drawn
_MIN_SHARE = 0.02
_MIN_NUMBERED_PAIRS = 500
_RECALL = 0.6  # of name and birth exact together; a factor of two either way is one unit of weight


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbabilisticLinks:
    """Outcome of `link_probabilistically`.

    Args:
        merged: groups over the clusters that went in.
        note: why Splink was not used, where it was not.
    """

    merged: MergeResult
    note: str = ""


def link_probabilistically(
    connection: duckdb.DuckDBPyConnection,
    cluster: Ints,
    *,
    bearing: Ints,
    thresholds: MatchThresholds,
    extras: Sequence[str] = (),
) -> ProbabilisticLinks:
    """Merge clusters of patients by weight of evidence.

    Args:
        connection: holds ``versions``, which is used up, and ``links``.
        cluster: for each patient its cluster, numbered from 0 without gaps.
        bearing: what each cluster bears (`graph`): no two that bear different NHS numbers become one.
    """
    units = _write_units(connection, cluster, bearing, extras)
    clusters = int(cluster.max(initial=-1)) + 1
    if units < MIN_UNITS:
        note = f"fewer than {MIN_UNITS} distinct descriptions of persons: too little for Splink to learn from"
        return ProbabilisticLinks(merged=unmerged(clusters), note=note)
    if not candidate_pairs(connection, extras=extras):
        return ProbabilisticLinks(merged=unmerged(clusters))
    present = _present(connection, units, (*_COLUMNS, *extras))
    with _quietly(), _memory_in_words():
        note = _score(connection, present, is_numbered=_has_shared_numbers(connection))
    merged = unmerged(clusters) if note else _merge(connection, bearing, thresholds)
    return ProbabilisticLinks(merged=merged, note=note)


def _write_units(connection: duckdb.DuckDBPyConnection, cluster: Ints, bearing: Ints, extras: Sequence[str]) -> int:
    """``units``: the distinct descriptions in each cluster, with whether the cluster is open and what it bears."""
    assigned = {"patient": np.arange(cluster.size), "grouping": cluster, "bearing": bearing[cluster]}
    connection.register("assigned", pa.table(assigned))
    columns = ", ".join((*_DESCRIPTION, *map(identifier, extras)))
    connection.execute(
        f"""
        CREATE TABLE units AS
        WITH closed AS (
            SELECT DISTINCT grouping FROM assigned JOIN links ON patient = left_patient WHERE step = 'nhs_number'
        ), described AS (
            SELECT grouping, bearing, {columns}, min(version) AS first_version
            FROM versions JOIN assigned USING (patient) GROUP BY ALL
        )
        SELECT row_number() OVER (ORDER BY first_version) - 1 AS unit, grouping, bearing,
            grouping NOT IN (FROM closed) AS is_open, NULL::INT[] AS held_by, {columns}
        FROM described WHERE coalesce(given, family, birth, birth_part, id) IS NOT NULL
        """
    )
    connection.execute("DROP TABLE versions")
    mark_unduplicated(connection)
    connection.unregister("assigned")
    return int(connection.execute("SELECT count(*) FROM units").fetchall()[0][0])


def _present(connection: duckdb.DuckDBPyConnection, units: int, columns: Sequence[str]) -> list[str]:
    """Columns filled often enough, and with more than one value, to be compared."""
    tests = ", ".join(
        f"count({name}) >= {units * _MIN_SHARE} AND approx_count_distinct({name}) > 1"
        for name in map(identifier, columns)
    )
    is_present = connection.execute(f"SELECT {tests} FROM units").fetchall()[0]
    return list(compress(columns, is_present))


def _has_shared_numbers(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether enough pairs share a number to count from."""
    pairs = connection.execute(
        "SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM units WHERE id IS NOT NULL GROUP BY id)"
    ).fetchall()[0][0]
    return (pairs or 0) >= _MIN_NUMBERED_PAIRS


def _training_rules(present: Sequence[str]) -> list[str]:
    """Blocking rules of the training sessions: what one holds fixed, another learns.

    Never a postcode or an address where there is anything else: of those who share one, most are a family, and
    the model would learn what a family is.
    """
    names = " AND ".join(f"l.{column} = r.{column}" for column in ("given", "family") if column in present)
    others = [f"l.{column} = r.{column}" for column in ("birth", "email", "postcode", "address") if column in present]
    return [rule for rule in (names, *others[:1]) if rule]


def _score(connection: duckdb.DuckDBPyConnection, present: Sequence[str], *, is_numbered: bool) -> str:
    """Write ``weights`` (left_unit, right_unit, weight), or say why there are none."""
    from splink import DuckDBAPI, Linker
    from splink.internals.exceptions import EMTrainingException

    rules = _training_rules(present)
    if len(rules) < 2:
        return "too few columns of the records are filled for Splink to learn from"
    api = DuckDBAPI(connection=connection)
    needed = {
        *present,
        "birth",
        "birth_part",
        "id",
        "given_second",
        "given_forms",
        "family_parts",
        "birth_turned",
        "area",
    }
    connection.execute(f"CREATE VIEW splink_units AS SELECT unit AS unique_id, {', '.join(sorted(needed))} FROM units")
    settings = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "comparisons": comparisons(present),
        "blocking_rules_to_generate_predictions": [],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
    }
    linker = Linker(api.register("splink_units"), settings, log_level=None, validate_settings=False)
    both = " AND ".join(rules)
    try:
        # p: pairs that agree on all rules are nearly all of one person; they are this part of all such pairs.
        linker.training.estimate_probability_two_random_records_match([both], recall=_RECALL)
        # u: of pairs at random hardly any are of one person, so their levels are those of two.
        linker.training.estimate_u_using_random_sampling(
            max_pairs=_RANDOM_PAIRS, seed=SEED, min_count_per_level=_MIN_SEEN
        )
        if is_numbered:
            # The number itself says who is one person: what the others look like then is counted, not guessed.
            linker.training.estimate_m_from_label_column("id")
            rules = [both]
        # m: by expectation maximisation among pairs that agree on a rule, for the comparisons that the rule leaves free.
        for rule in rules:
            linker.training.estimate_parameters_using_expectation_maximisation(
                rule, max_pairs=_TRAINING_PAIRS, record_sample_proportion=1.0
            )
    except (EMTrainingException, ValueError):
        return "the records have too few likely matches for Splink to learn from"
    connection.execute(
        """
        CREATE TABLE blocked AS
        SELECT left_unit AS join_key_l, right_unit AS join_key_r, '0' AS match_key FROM candidates
        """
    )
    linker.table_management.register_blocked_pairs_for_predict(api.register("blocked"))
    predicted = linker.inference.predict(warning_mode="never")
    connection.execute(
        f"""
        CREATE TABLE weights AS
        SELECT unique_id_l AS left_unit, unique_id_r AS right_unit, round(match_weight, 4) AS weight
        FROM {predicted.physical_name}
        """
    )
    predicted.drop_table_from_database_and_remove_from_cache()
    connection.execute("DROP TABLE blocked")
    return ""


def _merge(connection: duckdb.DuckDBPyConnection, bearing: Ints, thresholds: MatchThresholds) -> MergeResult:
    """Groups from the pairs; a pair of two different people counts as the strongest contradiction.

    The weight of two groups is the sum over pairs of their descriptions, each cut to [floor, ceiling] so that no one
    pair outweighs the others. DECIMAL, because a sum of floats depends on its order and DuckDB's is not fixed.
    """
    pairs = connection.execute(
        """
        WITH judged AS (
            SELECT left_group, right_group, 1 AS pairs, bars,
                greatest(least(weight, $ceiling), $floor)::DECIMAL(18, 4) AS total,
                greatest(weight, $floor)::DECIMAL(18, 4) AS full_weight
            FROM candidates JOIN weights USING (left_unit, right_unit)
            UNION ALL
            SELECT left_group, right_group, pairs, bars, (pairs * $floor)::DECIMAL(18, 4) AS total, total FROM contradictions
        )
        SELECT left_group AS one, right_group AS other, sum(pairs)::DOUBLE AS pairs,
            sum(total)::DOUBLE AS total, sum(full_weight)::DOUBLE AS full_weight, sum(bars) AS bars
        FROM judged GROUP BY ALL ORDER BY ALL
        """,
        {"floor": thresholds.floor, "ceiling": thresholds.ceiling},
    ).fetchnumpy()
    size = np.ones(bearing.size, np.int64)
    counted = connection.execute("SELECT grouping, count(*) AS units FROM units GROUP BY grouping").fetchnumpy()
    size[counted["grouping"]] = counted["units"]
    connection.execute("DROP TABLE weights; DROP TABLE candidates; DROP TABLE contradictions")
    return merge_mutual_best(
        size=size,
        bearing=bearing,
        left=pairs["one"],
        right=pairs["other"],
        total=pairs["total"],
        full=pairs["full_weight"],
        pairs=pairs["pairs"],
        bars=pairs["bars"],
        unseen=thresholds.unseen,
        link=thresholds.link,
        margin=MARGIN,
    )


@contextmanager
def _memory_in_words() -> Iterator[None]:
    """Splink puts the statement and DuckDB's words into its own exception; both may hold values."""
    from splink.internals.exceptions import SplinkException

    try:
        yield
    except SplinkException as fault:
        if isinstance(fault.__cause__, duckdb.OutOfMemoryException):
            raise fault.__cause__ from None
        raise RuntimeError("Splink could not weigh the pairs; this is a fault of Fairhaven, please report it") from None


@contextmanager
def _quietly() -> Iterator[None]:
    """Splink talks of its training, sometimes with values; none of it may reach a log."""
    logger = logging.getLogger("splink")
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
