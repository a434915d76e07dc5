"""CPU-seconds per million rows of the quality checks: fused scans against one query for each check.

    python -m bench.quality [--times 25] [--naive-times 1]

The tables are the GiBleed CDM of the shared test data, each person's records written *times* times over with new
identifiers. One query for each check is how OHDSI's DataQualityDashboard works; here the same SQL shapes run on DuckDB
through the same connection, without any cost of R or Java. Both must give the same numbers, else the bench stops.
"""

import argparse
import datetime as dt
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb import DuckDBEngine
from fairhaven.omop.cdm import CDM
from fairhaven.quality.dqd_thresholds import DqdThresholds
from fairhaven.quality.model import QualityCheck
from fairhaven.quality.row_checks import UnreadableError, limit_of, paired_source_value
from fairhaven.quality.service import check

TODAY = dt.date(2026, 11, 21)
STEP = 10_000_000
SHARED = Path(os.environ.get("FAIRHAVEN_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def write_times(source: Path, folder: Path, times: int) -> None:
    """The CDM of *source* written *times* times over: every person, visit and event with identifiers of its own."""
    connection = duckdb.connect()
    for name, table in CDM.items():
        file = source / f"{name}.parquet"
        there: set[str] = set()
        if file.exists():
            there = {row[0] for row in connection.execute(f"DESCRIBE FROM '{file}'").fetchall()}
        number = times if table.schema == "CDM" and table.has_person else 1
        columns = ", ".join(_column(field.name, field.dtype, field.name in there, number) for field in table.fields)
        rows = f"FROM '{file}', range({number}) AS copy(number)" if there else "LIMIT 0"
        connection.execute(
            f"COPY (SELECT {columns} {rows}) TO '{folder / file.name}' (FORMAT parquet, COMPRESSION zstd)"
        )


def _column(name: str, dtype: str, is_there: bool, times: int) -> str:
    types = {"int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE", "date": "DATE", "string": "VARCHAR"}
    kind = types.get(dtype, "TIMESTAMP")
    is_shifted = is_there and times > 1 and dtype == "int64" and name.endswith("_id")
    value = f'"{name}"::{kind}' if is_there else f"NULL::{kind}"
    return f'{value}{f" + number * {STEP}" if is_shifted else ""} AS "{name}"'


def query(item: QualityCheck) -> str | None:
    """One query for one check: violated and denominator; None for those that need none (cdmTable, cdmField)."""
    t, f, settings = item.table, f'"{item.field}"', item.settings
    everything = f"SELECT count(*) FROM {t}"
    filled = f"{everything} WHERE {f} IS NOT NULL"

    def pair(violated: str, counted: str = everything) -> str:
        return f"SELECT (SELECT count(*) FROM {violated}), ({counted})"

    match item.kind:
        case "cdmTable" | "cdmField":
            return None
        case "isRequired" | "measureValueCompleteness":
            return pair(f"{t} WHERE {f} IS NULL")
        case "cdmDatatype":
            text = f"CAST({f} AS VARCHAR)"
            return pair(f"{t} WHERE (TRY_CAST({text} AS DOUBLE) IS NULL OR contains({text}, '.')) AND {f} IS NOT NULL")
        case "isPrimaryKey":
            return pair(f"{t} WHERE {f} IN (SELECT {f} FROM {t} GROUP BY {f} HAVING count(*) > 1)")
        case "isForeignKey":
            other, key = settings["fkTableName"], settings["fkFieldName"]
            return pair(f"{t} a LEFT JOIN {other} b ON a.{f} = b.{key} WHERE b.{key} IS NULL AND a.{f} IS NOT NULL")
        case "fkDomain" | "fkClass":
            column = {"fkDomain": "domain_id", "fkClass": "concept_class_id"}[item.kind]
            return pair(
                f"{t} a LEFT JOIN concept c ON a.{f} = c.concept_id"
                f" WHERE c.concept_id <> 0 AND c.{column} <> '{settings[item.kind]}'"
            )
        case "isStandardValidConcept":
            return pair(
                f"{t} a JOIN concept c ON a.{f} = c.concept_id WHERE c.concept_id <> 0 AND"
                " (c.standard_concept <> 'S' OR c.standard_concept IS NULL OR c.invalid_reason IS NOT NULL)",
                filled,
            )
        case "standardConceptRecordCompleteness" | "sourceConceptRecordCompleteness":
            if source := paired_source_value(t, item.field):
                return pair(
                    f"{t} WHERE {f} = 0 OR ({f} IS NULL AND {source} IS NOT NULL)", f"{filled} OR {source} IS NOT NULL"
                )
            return pair(f"{t} WHERE {f} = 0", filled)
        case "sourceValueCompleteness":
            zero = settings["standardConceptFieldName"]
            return pair(
                f"(SELECT DISTINCT {f} FROM {t} WHERE {zero} = 0)",
                f"SELECT count(*) FROM (SELECT DISTINCT {f} FROM {t})",
            )
        case "measurePersonCompleteness":
            missing = f"person a LEFT JOIN {t} b ON a.person_id = b.person_id WHERE b.person_id IS NULL"
            return pair(missing, "SELECT count(*) FROM person")
        case "measureConditionEraCompleteness":
            occurrence = "condition_occurrence a"
            return pair(
                f"(SELECT DISTINCT a.person_id FROM {occurrence} LEFT JOIN {t} b ON a.person_id = b.person_id"
                " WHERE b.person_id IS NULL AND a.condition_concept_id <> 0)",
                f"SELECT count(DISTINCT person_id) FROM {occurrence} WHERE condition_concept_id <> 0",
            )
        case "measureObservationPeriodOverlap":
            start, end = "observation_period_start_date", "observation_period_end_date"
            return pair(
                f"(SELECT DISTINCT a.person_id FROM {t} a JOIN {t} b ON a.person_id = b.person_id"
                " AND a.observation_period_id <> b.observation_period_id"
                f" WHERE (a.{start} <= b.{end} AND a.{end} >= b.{start}) OR a.{end} + 1 = b.{start}"
                f" OR b.{end} + 1 = a.{start})",
                f"SELECT count(DISTINCT person_id) FROM {t}",
            )
        case "plausibleUnitConceptIds":
            units = f"{settings[item.kind]}, 0"
            concept = f"{f} = {item.concept}"
            return pair(
                f"{t} WHERE {concept} AND unit_concept_id IS NOT NULL AND unit_concept_id NOT IN ({units})",
                f"{everything} WHERE {concept} AND (unit_concept_id <> 0 OR unit_concept_id IS NULL)",
            )
        case "plausibleGender" | "plausibleGenderUseDescendants":
            sex = 8507 if settings[item.kind] == "Male" else 8532
            is_below = item.kind == "plausibleGenderUseDescendants"
            join = f" JOIN concept_ancestor d ON d.descendant_concept_id = a.{f}" if is_below else ""
            where = f"{'d.ancestor_concept_id' if is_below else f'a.{f}'} IN ({item.concept})"
            person = f"{t} a JOIN person p ON a.person_id = p.person_id{join}"
            return pair(
                f"{person} WHERE {where} AND p.gender_concept_id <> {sex}", f"{everything} a{join} WHERE {where}"
            )
        case _:
            return _of_dates(item, pair, everything, filled)


def _of_dates(item: QualityCheck, pair: Callable[..., str], everything: str, filled: str) -> str:
    t, f, settings = item.table, f'"{item.field}"', item.settings
    day = f"CAST(a.{f} AS DATE)"
    person = f"{t} a JOIN person p ON a.person_id = p.person_id"
    match item.kind:
        case "plausibleValueLow" | "plausibleValueHigh":
            limit = limit_of(settings[item.kind], TODAY)
            sign = "<" if item.kind.endswith("Low") else ">"
            value, bound = (day, f"DATE '{limit}'") if isinstance(limit, dt.date) else (f"a.{f}", limit)
            return pair(f"{t} a WHERE {value} {sign} {bound}", filled)
        case "plausibleStartBeforeEnd":
            end = settings["plausibleStartBeforeEndFieldName"]
            return pair(f"{t} a WHERE {day} > CAST(a.{end} AS DATE)", f"{filled} AND {end} IS NOT NULL")
        case "plausibleAfterBirth":
            born = (
                "coalesce(CAST(p.birth_datetime AS DATE),"
                " make_date(p.year_of_birth, coalesce(p.month_of_birth, 1), coalesce(p.day_of_birth, 1)))"
            )
            return pair(f"{person} WHERE {day} < {born}", filled)
        case "plausibleTemporalAfter" if settings["plausibleTemporalAfterTableName"].lower() == "person":
            born = "coalesce(CAST(p.birth_datetime AS DATE), make_date(p.year_of_birth, 6, 1))"
            return pair(f"{person} WHERE {born} > {day}")
        case "plausibleTemporalAfter":
            return pair(f"{t} a WHERE CAST(a.{settings['plausibleTemporalAfterFieldName']} AS DATE) > {day}")
        case "plausibleBeforeDeath" | "plausibleDuringLife":
            death = f"{t} a JOIN death d ON a.person_id = d.person_id"
            is_life = item.kind == "plausibleDuringLife"
            counted = (
                f"{everything} WHERE person_id IN (SELECT person_id FROM death)" if is_life
                else f"SELECT count(*) FROM {death} WHERE a.{f} IS NOT NULL"
            )  # fmt: skip
            return pair(f"{death} WHERE {day} > d.death_date + 60", counted)
        case "withinVisitDates":
            visit = f"{t} a JOIN visit_occurrence v ON a.visit_occurrence_id = v.visit_occurrence_id"
            return pair(
                f"{visit} WHERE a.{f} < v.visit_start_date - 7 OR a.{f} > v.visit_end_date + 7",
                f"SELECT count(*) FROM {visit}",
            )
    raise UnreadableError(item.kind)


def run(times: int, *, is_compared: bool) -> None:
    """Measure one size and print its row."""
    thresholds = DqdThresholds.read(SHARED / "data" / "dqd")
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        write_times(SHARED / "data" / "omop_gibleed_5.3", folder, times)
        engine = DuckDBEngine(reaches=[folder])
        tables = {name: engine.parquet([folder / f"{name}.parquet"]) for name in CDM}
        started = time.process_time()
        report = check(tables, engine=engine, today=TODAY, thresholds=thresholds)
        fused = time.process_time() - started
        rows = sum(report.rows.values())
        one_by_one = _one_by_one(folder, report, engine) if is_compared else None
        engine.close()
    peer = f"{one_by_one:8.1f} {one_by_one / fused:7.1f}x" if one_by_one is not None else f"{'-':>8} {'-':>8}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows:12,} {len(report.results):7,} {fused:8.1f} {fused / rows * 1e6:10.2f} {peer} {peak:9,.0f}")


def _one_by_one(folder: Path, report, engine: DuckDBEngine) -> float:  # type: ignore[no-untyped-def]
    connection = engine.connection
    for name in CDM:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM '{folder}/{name}.parquet'")
    started = time.process_time()
    for result in report.results:
        if (sql := query(result.check)) is not None:
            found = connection.execute(sql).fetchone()
            if result.denominator is not None and found != (result.violated, result.denominator):
                raise SystemExit(f"{result.check.id}: {found} one by one, {result.violated, result.denominator} fused")
    return time.process_time() - started


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=25, help="size of the larger run, in copies of GiBleed")
    parser.add_argument(
        "--naive-times", type=int, default=1, help="largest size that is compared with one query a check"
    )
    options = parser.parse_args()
    print(f"{'rows':>12} {'checks':>7} {'cpu s':>8} {'s/M rows':>10} {'1 by 1':>8} {'ratio':>8} {'peak MB':>9}")
    for times in sorted({1, options.times}):
        run(times, is_compared=times <= options.naive_times)


if __name__ == "__main__":
    main()
