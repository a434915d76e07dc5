"""Cases of the cohort language: one person's few rows, what a definition says, and the days that are then in the cohort.

Days are numbered from 1 January 2020 = day 1. A row reads ``TABLE CONCEPT START[-END] [column=value ...]``; the person is
observed on the days 1-100 unless a case says otherwise, and enters by any condition of concept 1 unless it says otherwise.
A case's definition is written in the language's own form; what it says stands in place of `DEFINITION`'s. The cases of a
file run as one batch over one CDM, once by the plain evaluation and once by the compiler.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.formats.fairhaven import read_json
from fairhaven.cohort.model import Domain
from fairhaven.engine import DuckDBEngine, Engine
from fairhaven.omop import CDM
from tests.support.cohort_oracle import Oracle, Stay
from tests.support.cohort_results import on, stays

TABLES = {
    "observed": Domain.OBSERVATION_PERIOD,
    "condition": Domain.CONDITION_OCCURRENCE,
    "drug": Domain.DRUG_EXPOSURE,
    "measured": Domain.MEASUREMENT,
    "visit": Domain.VISIT_OCCURRENCE,
    "episode": Domain.EPISODE,
    "died": Domain.DEATH,
}
DEFINITION: dict[str, Any] = {
    "concept_sets": {
        "one": {"concepts": ["1"]},
        "two": {"concepts": ["2"]},
        "drug": {"concepts": ["7"]},
    },
    "entry": {"events": [{"condition_occurrence": "one"}]},
}
VOCABULARY: dict[str, list[dict[str, Any]]] = {
    "concept": [
        {"concept_id": concept, "invalid_reason": "D" if concept == 13 else None}
        for concept in (1, 2, 7, 10, 11, 12, 13)
    ],
    "concept_ancestor": [{"ancestor_concept_id": 10, "descendant_concept_id": below} for below in (10, 11, 12, 13, 14)],
    "concept_relationship": [
        {"concept_id_1": 21, "concept_id_2": 11, "relationship_id": "Maps to", "invalid_reason": None},
        {"concept_id_1": 22, "concept_id_2": 11, "relationship_id": "Maps to", "invalid_reason": "D"},
        {"concept_id_1": 23, "concept_id_2": 11, "relationship_id": "Mapped from", "invalid_reason": None},
    ],
}
"""10 is above 11, 12, 13 (no longer valid) and 14 (which the vocabulary does not have); 21 maps to 11."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Rows, what the definition says, and the stays that come of it: ``"5-100, 200-300"``, or ``""`` for none."""

    that: str
    rows: list[str]
    stays: str
    says: dict[str, Any]

    def __str__(self) -> str:
        return self.that


def case_of(that: str, rows: str, stays: str, **says: Any) -> Case:
    return Case(that=that, rows=[row.strip() for row in rows.split(",")], stays=stays, says=says)


def entering_by(*events: dict[str, Any], **limits: Any) -> dict[str, Any]:
    return {"events": list(events), **limits}


def rule(*members: dict[str, Any], match: str = "all") -> dict[str, Any]:
    return {"name": "a rule", "match": match, "members": list(members)}


def concepts(*items: str) -> dict[str, Any]:
    """Sets, of which "one" lets the person in."""
    return {**DEFINITION["concept_sets"], "one": {"concepts": list(items)}}


def drug(days: str, **also: str) -> dict[str, Any]:
    """Drugs of concept 7 in a window."""
    return {"drug_exposure": "drug", "when": days, **also}


JUST_THE_EVENT = {"exit": "end_date"}


def day(number: str) -> dt.date:
    return dt.date(2019, 12, 31) + dt.timedelta(days=int(number))


def rows_of(person: int, texts: list[str], tables: dict[str, list[dict[str, Any]]]) -> None:
    """Put a case's rows into the tables; ids are given in the order of the rows."""
    born = 1970
    if not any(text.startswith("observed") for text in texts):
        texts = ["observed 1-100", *texts]
    for place, text in enumerate(texts):
        kind, *words = text.split()
        if kind == "person":
            born = int(words[0])
            continue
        domain = TABLES[kind]
        facts = DOMAINS[domain]
        concept = None if kind == "observed" else words.pop(0)
        start, _, end = words.pop(0).partition("-")
        row: dict[str, Any] = {"person_id": person, facts.key: person * 100 + place, facts.start: day(start)}
        if concept is not None and facts.concept is not None:
            row[facts.concept] = int(concept)
        if end and facts.end is not None:
            row[facts.end] = day(end)
        for column, _, value in (word.partition("=") for word in words):
            kind_of = CDM[domain][column].type
            row[column] = int(value) if kind_of == "integer" else float(value) if kind_of == "float" else value
        tables[domain].append(dict.fromkeys(CDM[domain].names) | row | {"person_id": person})
    tables["person"].append(dict.fromkeys(CDM["person"].names) | {"person_id": person, "year_of_birth": born})


@dataclass(frozen=True, kw_only=True)
class Found:
    """Each case's stays, by its place."""

    by_oracle: dict[int, list[Stay]]
    compiled: dict[int, list[Stay]]

    def of(self, cases: Sequence[Case], case: Case) -> tuple[list[Stay], list[Stay], list[Stay]]:
        """What the case says, what the plain evaluation found for its person, and what the compiler did."""
        number = cases.index(case) + 1
        stretches = [text.strip().partition("-") for text in case.stays.split(",") if text.strip()]
        expected = [(number, day(start), day(end)) for start, _, end in stretches]
        by_oracle, compiled = (
            [stay for stay in side[number] if stay[0] == number] for side in (self.by_oracle, self.compiled)
        )
        return expected, by_oracle, compiled


def run(cases: Sequence[Case], engine: Engine | None = None) -> Found:
    """Run cases as one batch, on a DuckDB of their own where no engine is given."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in DOMAINS}
    tables |= {"provider": [], "care_site": [], **VOCABULARY}
    definitions = {}
    for number, each in enumerate(cases, start=1):
        rows_of(number, each.rows, tables)
        definitions[number] = read_json(DEFINITION | each.says)
    oracle = Oracle(tables)
    running = engine or DuckDBEngine()
    compiled = stays(running, on(running, tables), definitions)
    if engine is None:
        running.close()
    by_oracle = {number: oracle.stays(each) for number, each in definitions.items()}
    return Found(by_oracle=by_oracle, compiled=compiled)
