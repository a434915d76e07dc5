"""What is worked out from the rows of generated facts: observation periods, and eras by OHDSI's scripts."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.support.generated_concepts import INGREDIENT
from tests.support.generated_facts import AS_OF

Row = dict[str, Any]
ALGORITHM_FROM_EHR = 32882
AFTER_DEATH = dt.timedelta(days=60)
PREFIX = {"condition_occurrence": "condition", "measurement": "measurement", "observation": "observation", "procedure_occurrence": "procedure", "drug_exposure": "drug", "device_exposure": "device", "specimen": "specimen"}  # fmt: skip
"""Table of events -> what its columns begin with."""


def periods(tables: Mapping[str, Sequence[Row]]) -> Iterator[Row]:
    """From the first to the last record, and at most 60 days after death. An end that was worked out is no record."""
    seen: dict[int, list[tuple[dt.date, dt.date]]] = defaultdict(list)
    for table, rows in tables.items():
        if table not in {"visit_occurrence", *PREFIX}:
            continue
        for row in rows:
            first, last = _span(table, row)
            if table == "drug_exposure":
                last = row["verbatim_end_date"]
            seen[row["who"]].append((first, max(last or first, first)))
    over = {row["who"]: row["death_date"] + AFTER_DEATH for row in tables.get("death", [])}
    for who, spans in seen.items():
        first = min(start for start, _ in spans)
        last = min(max(end for _, end in spans), AS_OF, over.get(who, AS_OF))
        if first <= last:
            yield {
                "who": who,
                "observation_period_start_date": first,
                "observation_period_end_date": last,
                "period_type_concept_id": ALGORITHM_FROM_EHR,
            }


def eras(tables: Mapping[str, Sequence[Row]], table: str) -> Iterator[Row]:
    """Rows of one concept at most thirty days apart."""
    name = "drug" if table == "drug_exposure" else "condition"
    grouped: dict[tuple[int, int], list[tuple[dt.date, dt.date]]] = defaultdict(list)
    for row in tables.get(table, []):
        concept = INGREDIENT if name == "drug" else row["condition_concept_id"]
        first, last = _span(table, row)
        if concept:
            grouped[row["who"], concept].append((first, last or first + dt.timedelta(days=1)))
    for (who, concept), spans in grouped.items():
        for members in _islands(sorted(spans)):
            first, last = members[0][0], max(end for _, end in members)
            row = {
                "who": who,
                f"{name}_concept_id": concept,
                f"{name}_era_start_date": first,
                f"{name}_era_end_date": last,
            }
            if name == "drug":
                row |= {"drug_exposure_count": len(members), "gap_days": _uncovered(members)}
            else:
                row |= {"condition_occurrence_count": len(members)}
            yield row


def _span(table: str, row: Row) -> tuple[dt.date, dt.date | None]:
    name = "visit" if table == "visit_occurrence" else table if table.endswith("_exposure") else PREFIX.get(table, "")
    if f"{name}_start_date" in row:
        return row[f"{name}_start_date"], row[f"{name}_end_date"]
    return row[f"{name}_date"], row.get(f"{name}_end_date")


def _islands(spans: Iterable[tuple[dt.date, dt.date]]) -> list[list[tuple[dt.date, dt.date]]]:
    found: list[list[tuple[dt.date, dt.date]]] = []
    for span in spans:
        if found and (span[0] - max(end for _, end in found[-1])).days <= 30:
            found[-1].append(span)
        else:
            found.append([span])
    return found


def _uncovered(members: Sequence[tuple[dt.date, dt.date]]) -> int:
    reached, days = members[0][1], 0
    for first, last in members[1:]:
        days += max((first - reached).days, 0)
        reached = max(reached, last)
    return days
