"""How good could any linkage of `bench.namesakes` be? Two people who agree in all that a set holds cannot be told apart.

The oracle knows the truth of every record but the one before it, and of every situation how often which answer is right: it is
better than anything that has to learn. A record with a valid number is no question. For a record without one it sees how each
person whom the record could be agrees in names, birth, postcode, address and mistyped number, and whether the record's source knows that person
already. Records that see the same get the same answer.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
import pyarrow as pa

from fairhaven.nhs.number import bare_digits_sql, valid_nhs_number_sql

_SEEN = 3
"""Persons among whom the answer is; those who agree less are passed over."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What the oracle reaches.

    Args:
        precision: at *recall*.
        recall: the one that was asked for, or the oracle's highest where that is lower.
        questions: records without a valid number.
        alike: of them those that fit the right person and another alike.
    """

    precision: float
    recall: float
    questions: int
    alike: int


class _Offer(NamedTuple):
    """A person whom a record could be: how they agree, whether they are the one, and pairs of records that hang on it."""

    agreement: tuple[object, ...]
    is_same: bool
    pairs: float


def limit(records: pa.Table, truth: pa.Table, *, recall: float) -> Limit:
    """The best precision at *recall*.

    Args:
        records: identity records.
        truth: source, patient_ref, truth.
    """
    connection = duckdb.connect()
    connection.register("records", records)
    connection.register("truth", truth)
    connection.execute(_SEEN_SQL)
    every, right, questions = connection.execute(_PAIRS_SQL).fetchall()[0]
    offers: dict[int, list[_Offer]] = defaultdict(list)
    for record, is_same, pairs, *agreement in connection.execute(_OFFERS_SQL).fetchall():
        offers[record].append(_Offer(tuple(agreement), is_same, pairs))
    situations = [sorted(offered, key=lambda each: each.agreement, reverse=True)[:_SEEN] for offered in offers.values()]
    alike = sum(
        any(
            one.is_same and one.agreement == other.agreement for one in offered for other in offered if one is not other
        )
        for offered in situations
    )
    wrong = 0.0
    for good, bad in sorted(_answers(situations), key=lambda answer: answer[1] / answer[0]):
        share = min(1.0, max(recall * every - right, 0.0) / good)
        right, wrong = right + share * good, wrong + share * bad
    return Limit(precision=right / (right + wrong), recall=right / every, questions=questions, alike=alike)


def _answers(situations: list[list[_Offer]]) -> Iterator[tuple[float, float]]:
    """For each situation the right and the wrong pairs of the answer that is right most often; of those who agree alike either is as good."""
    counted: dict[tuple[tuple[object, ...], ...], dict[tuple[tuple[object, ...], bool], float]] = defaultdict(
        lambda: defaultdict(float)
    )
    for offered in situations:
        seen = tuple(each.agreement for each in offered)
        for each in offered:
            counted[seen][each.agreement, each.is_same] += each.pairs / seen.count(each.agreement)
    for pairs in counted.values():
        good, best = max(
            ((pairs.get((agreement, True), 0.0), agreement) for agreement, _ in pairs), key=lambda each: each[0]
        )
        if good:
            yield good, pairs.get((best, False), 0.0)


def _name(column: str) -> str:
    """2 where equal, 1 where a slip apart or an initial that fits, else 0."""
    left, right = f"l.{column}", f"r.{column}"
    return (
        f"CASE WHEN {left} = {right} THEN 2 WHEN damerau_levenshtein({left}, {right}) <= 1"
        f" OR (least(length({left}), length({right})) = 1 AND {left}[1] = {right}[1]) THEN 1 ELSE 0 END"
    )


def _place(column: str) -> str:
    """2 where equal, 1 where either is unknown, else 0."""
    return f"CASE WHEN l.{column} = r.{column} THEN 2 WHEN l.{column} <> r.{column} THEN 0 ELSE 1 END"


_SEEN_SQL = f"""
    CREATE TABLE seen AS
    SELECT row_number() OVER (ORDER BY source, patient_ref) AS record, truth, source,
        {valid_nhs_number_sql(bare_digits_sql("nhs_number"))} AS number, nhs_number AS digits, given_name AS given, family_name AS family,
        birth_date AS birth, sex, postcode, address,
        least(strftime(birth_date, '%Y%m%d'), strftime(birth_date, '%Y%d%m')) AS either_birth
    FROM records JOIN truth USING (source, patient_ref)
"""
_PAIRS_SQL = """
    SELECT count(*), count(*) FILTER (l.number IS NOT NULL AND r.number IS NOT NULL)::DOUBLE,
        (SELECT count(*) FROM seen WHERE number IS NULL)
    FROM seen AS l JOIN seen AS r ON l.truth = r.truth AND l.record < r.record
"""
# Of two records without a number each is asked about the other: their pair counts half either time.
_OFFERS_SQL = f"""
    WITH compared AS (
        SELECT l.record, r.truth, l.truth = r.truth AS is_same, l.source <> r.source AS is_new,
            CASE WHEN r.number IS NULL THEN 0.5 ELSE 1 END AS pairs,
            [{_name("given")}, {_name("family")}, (l.birth = r.birth)::INT, {_place("postcode")}, {_place("address")},
                CASE WHEN damerau_levenshtein(l.digits, r.digits) <= 2 THEN 2 WHEN l.digits <> r.digits THEN 0 ELSE 1 END] AS agreement
        FROM seen AS l JOIN seen AS r
        ON l.number IS NULL AND l.record <> r.record AND l.sex = r.sex AND l.either_birth = r.either_birth
    )
    SELECT record, any_value(is_same), sum(pairs)::DOUBLE, max(agreement)::VARCHAR, bool_and(is_new) FROM compared
    WHERE agreement[1] > 0 AND agreement[2] > 0 GROUP BY record, truth
"""
