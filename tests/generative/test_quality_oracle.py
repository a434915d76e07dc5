"""Random rows: the fused scans count what a plain loop over Python rows counts."""

import datetime as dt
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairhaven.engine import Engine
from fairhaven.quality import DqdThresholds, QualityCheck, Severity, check
from tests.support.examples import examples
from tests.support.quality_cdm import TODAY, tables

Rows = list[dict[str, Any]]
days = st.none() | st.dates(dt.date(2019, 12, 20), dt.date(2020, 3, 20))
small = st.none() | st.integers(0, 4)

persons = st.lists(
    st.fixed_dictionaries(
        {
            "person_id": st.integers(1, 4),
            "gender_concept_id": st.sampled_from([8507, 8532, 0]),
            "year_of_birth": st.sampled_from([2019, 2020, None]),
            "month_of_birth": st.sampled_from([1, 12, None]),
            "day_of_birth": st.sampled_from([31, 1, None]),
        }
    ),
    max_size=5,
)
deaths = st.lists(st.fixed_dictionaries({"person_id": st.integers(1, 4), "death_date": days}), max_size=4)
visits = st.lists(
    st.fixed_dictionaries(
        {"visit_occurrence_id": st.integers(1, 4), "person_id": small, "visit_start_date": days, "visit_end_date": days}
    ),
    max_size=5,
)
conditions = st.lists(
    st.fixed_dictionaries(
        {
            "condition_occurrence_id": st.integers(1, 6),
            "person_id": small,
            "condition_concept_id": small,
            "condition_start_date": days,
            "condition_end_date": days,
            "visit_occurrence_id": small,
            "condition_source_value": st.sampled_from([None, "a", "b"]),
        }
    ),
    max_size=8,
)
periods = st.lists(
    st.fixed_dictionaries(
        {
            "observation_period_id": st.integers(1, 5),
            "person_id": st.integers(1, 3),
            "observation_period_start_date": days,
            "observation_period_end_date": days,
        }
    ),
    max_size=6,
)
concepts = st.lists(
    st.fixed_dictionaries(
        {
            "concept_id": st.integers(0, 4),
            "domain_id": st.sampled_from(["Condition", "Drug", None]),
            "standard_concept": st.sampled_from(["S", "C", None]),
            "invalid_reason": st.sampled_from([None, "D"]),
        }
    ),
    max_size=5,
)


def of(kind: str, field: str = "", table: str = "condition_occurrence", **chosen: str) -> QualityCheck:
    level = "CONCEPT" if "concept" in chosen else "FIELD"
    concept = chosen.pop("concept", "")
    return QualityCheck(
        kind=kind, level=level, table=table, field=field, concept=concept, severity=Severity.FATAL, settings=chosen
    )


CHECKS = (
    of("isRequired", "condition_start_date"),
    of("isPrimaryKey", "condition_occurrence_id"),
    of("isForeignKey", "person_id", fkTableName="PERSON", fkFieldName="PERSON_ID"),
    of("isForeignKey", "condition_concept_id", fkTableName="CONCEPT", fkFieldName="CONCEPT_ID"),
    of("fkDomain", "condition_concept_id", fkDomain="Condition"),
    of("isStandardValidConcept", "condition_concept_id"),
    of("sourceValueCompleteness", "condition_source_value", standardConceptFieldName="CONDITION_CONCEPT_ID"),
    of("plausibleStartBeforeEnd", "condition_start_date", plausibleStartBeforeEndFieldName="CONDITION_END_DATE"),
    of("plausibleAfterBirth", "condition_start_date"),
    of("plausibleBeforeDeath", "condition_start_date"),
    of("plausibleDuringLife", "condition_start_date"),
    of("withinVisitDates", "condition_start_date"),
    of("withinObservationPeriod", "condition_start_date"),
    of("measurePersonCompleteness"),
    of("measureObservationPeriodOverlap", table="observation_period"),
    of("plausibleGender", "condition_concept_id", concept="2", plausibleGender="Male"),
)


def oracle(item: QualityCheck, cdm: dict[str, Rows]) -> tuple[int, int]:
    """DQD's definition of a check as a loop; None compares with nothing."""
    rows, f = cdm[item.table], item.field
    filled = [row for row in rows if f and row[f] is not None]

    def joined(other: str, key: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        return [(row, found) for row in rows for found in cdm[other] if row[key] is not None and row[key] == found[key]]

    match item.kind:
        case "isRequired":
            return len(rows) - len(filled), len(rows)
        case "isPrimaryKey":
            keys = [row[f] for row in rows]
            return sum(keys.count(key) > 1 for key in keys), len(rows)
        case "isForeignKey":
            key = item.settings["fkFieldName"].lower()
            known = {row[key] for row in cdm[item.settings["fkTableName"].lower()]}
            return sum(row[f] not in known for row in filled), len(rows)
        case "fkDomain":
            meant = [c for row in filled for c in cdm["concept"] if c["concept_id"] == row[f] != 0]
            return sum(c["domain_id"] not in (None, "Condition") for c in meant), len(rows)
        case "isStandardValidConcept":
            meant = [c for row in filled for c in cdm["concept"] if c["concept_id"] == row[f] != 0]
            wrong = sum(c["standard_concept"] != "S" or c["invalid_reason"] is not None for c in meant)
            return wrong, len(filled)
        case "sourceValueCompleteness":
            return len({row[f] for row in rows if row["condition_concept_id"] == 0}), len({row[f] for row in rows})
        case "plausibleStartBeforeEnd":
            both = [row for row in filled if row["condition_end_date"] is not None]
            return sum(row[f] > row["condition_end_date"] for row in both), len(both)
        case "plausibleAfterBirth":
            births = [(row, birth(p)) for row, p in joined("person", "person_id") if row[f] is not None]
            return sum(born is not None and row[f] < born for row, born in births), len(filled)
        case "plausibleBeforeDeath" | "plausibleDuringLife":
            deaths = [(row, d["death_date"]) for row, d in joined("death", "person_id") if row[f] is not None]
            late = sum(died is not None and row[f] > died + dt.timedelta(days=60) for row, died in deaths)
            dead = {row["person_id"] for row in cdm["death"]}
            return late, len(deaths) if item.kind == "plausibleBeforeDeath" else sum(
                row["person_id"] in dead for row in rows
            )
        case "withinVisitDates":
            week = dt.timedelta(days=7)
            pairs = joined("visit_occurrence", "visit_occurrence_id")
            outside = sum(
                row[f] is not None
                and (
                    (v["visit_start_date"] is not None and row[f] < v["visit_start_date"] - week)
                    or (v["visit_end_date"] is not None and row[f] > v["visit_end_date"] + week)
                )
                for row, v in pairs
            )
            return outside, len(pairs)
        case "withinObservationPeriod":
            return sum(not any(covers(p, row, f) for p in cdm["observation_period"]) for row in filled), len(filled)
        case "measurePersonCompleteness":
            present = {row["person_id"] for row in rows}
            return sum(p["person_id"] not in present for p in cdm["person"]), len(cdm["person"])
        case "measureObservationPeriodOverlap":
            touching = {a["person_id"] for a in rows for b in rows if touches(a, b)}
            return len(touching), len({row["person_id"] for row in rows})
        case _:
            people = [p for row, p in joined("person", "person_id") if row[f] == 2]
            return sum(p["gender_concept_id"] != 8507 for p in people), sum(row[f] == 2 for row in rows)


def birth(person: dict[str, Any]) -> dt.date | None:
    if person["year_of_birth"] is None:
        return None
    first = dt.date(person["year_of_birth"], person["month_of_birth"] or 1, 1)
    return first + dt.timedelta(days=(person["day_of_birth"] or 1) - 1)


def covers(period: dict[str, Any], row: dict[str, Any], field: str) -> bool:
    start, end = period["observation_period_start_date"], period["observation_period_end_date"]
    is_own = period["person_id"] == row["person_id"]
    return is_own and start is not None and end is not None and start <= row[field] <= end


def touches(a: dict[str, Any], b: dict[str, Any]) -> bool:
    if a["person_id"] != b["person_id"] or a["observation_period_id"] == b["observation_period_id"]:
        return False
    start, end = "observation_period_start_date", "observation_period_end_date"
    day = dt.timedelta(days=1)
    overlap = None not in (a[start], a[end], b[start], b[end]) and a[start] <= b[end] and a[end] >= b[start]
    follows = a[end] is not None and b[start] is not None and a[end] + day == b[start]
    precedes = b[end] is not None and a[start] is not None and b[end] + day == a[start]
    return overlap or follows or precedes


@examples(5)
@given(st.data())
def test_the_scans_count_what_a_loop_counts(engine: Engine, data: st.DataObject) -> None:
    drawn: dict[str, st.SearchStrategy[list[dict[str, Any]]]] = {
        "person": persons,
        "death": deaths,
        "visit_occurrence": visits,
        "condition_occurrence": conditions,
        "observation_period": periods,
        "concept": concepts,
    }
    cdm: dict[str, list[dict[str, Any]]] = {name: data.draw(rows, label=name) for name, rows in drawn.items()}
    found = {name: table for name, table in tables(cdm, engine, with_empty=True).items() if name in cdm}
    report = check(found, engine=engine, today=TODAY, thresholds=DqdThresholds(name="some", checks=CHECKS))

    for result in report.results:
        assert (result.violated, result.denominator) == oracle(result.check, cdm), result.check.id
