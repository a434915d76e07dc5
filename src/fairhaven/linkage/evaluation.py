"""How good is the linkage? Precision, recall and F1 on persons whose truth is known, by the hub's own machinery."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from fairhaven.engine.sql import identifier, literal
from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault, check_faults
from fairhaven.kernel.progress import Progress, Silent
from fairhaven.linkage.evaluation_columns import EXTRAS, faults_of, recognise
from fairhaven.linkage.evaluation_pairs import wrong_pairs
from fairhaven.linkage.persons import PersonClusters, find_persons, memory_only_database
from fairhaven.linkage.service import THRESHOLDS
from fairhaven.nhs.number import bare_digits_sql, valid_nhs_number_sql
from fairhaven.release.facts import MatchThresholds

_FEBRL = r"^\s*rec-([0-9]+)-(org|dup-[0-9]+)\s*$"
_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%d-%b-%Y",
                 "%d %B %Y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")  # fmt: skip
_BIRTH_PART = "[0-9]{4}(-(0[1-9]|1[0-2]))?"
_CHECKED_SHARE = 0.6  # of ten-digit identifiers that pass the NHS check digit; of random ones one in eleven does


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Outcome of `trial`. All counts are of pairs of records unless named otherwise.

    Args:
        precision: share of the linked pairs that are one person.
        recall: share of the pairs that are one person that were linked.
        f1: their harmonic mean.
        linked, true, right: pairs linked; pairs that are one person by the truth; pairs that are both.
        across: precision, recall, f1, linked, true and right of pairs between two files; None for a single file.
        steps: step -> records it linked, and of them how many stand with none but their own (``records``, ``pure``).
        records, clusters, true_clusters: records with a truth; persons found; persons by the truth.
        clerical: pairs of persons that would be listed for a human.
        truth_form: how the truth was read, in words.
        columns: for each file, meaning -> header.
        notes: what was passed over, in words.
    """

    precision: float
    recall: float
    f1: float
    linked: int
    true: int
    right: int
    across: Mapping[str, float] | None
    steps: Mapping[str, Mapping[str, int]]
    records: int
    clusters: int
    true_clusters: int
    clerical: int
    thresholds: MatchThresholds
    truth_form: str
    columns: Mapping[str, Mapping[str, str]]
    notes: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        """The same in words for a person."""
        yield f"{self.records:,} records are {self.clusters:,} persons; by the truth {self.true_clusters:,}"
        yield f"truth: {self.truth_form}"
        for name, meanings in self.columns.items():
            yield f"{name}: " + ", ".join(f"{meaning} ({header})" for meaning, header in meanings.items())
        yield _line("all pairs", asdict(self))
        if self.across is not None:
            yield _line("across files", self.across)
        yield "step".ljust(32) + "records".rjust(10) + "  with none but their own".rjust(10)
        for step, counts in self.steps.items():
            yield step.ljust(32) + f"{counts['records']:10,}" + f"{counts['pure']:26,}"
        yield f"{self.clerical:,} pairs of persons would be listed for a human"
        yield from self.notes


def trial(
    files: Sequence[Path],
    *,
    truth: str,
    columns: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    thresholds: MatchThresholds = THRESHOLDS,
    wrong: Callable[[pa.Table], None] | None = None,
) -> Trial:
    """Link the records of *files*, across and within them, and compare with the truth.

    Args:
        files: delimited text (any delimiter, header in the first line) or Parquet, one record of a person a row.
        truth: column whose value is the same for records of one person; or FEBRL's ``rec-7-org`` and ``rec-7-dup-0``.
        columns: meaning -> header where a header is not recognised (see `evaluation_columns.SYNONYMS`).
        wrong: is given the pairs that came out wrong (`evaluation_pairs.wrong_pairs`), with what their records say.

    Raises:
        Invalid: every fault of the files at once.
    """
    listener = progress or Silent()
    with memory_only_database(files) as connection:
        listener.stage("Reading")
        meanings = _read(connection, files, truth=truth, given=columns or {})
        truth_form = _resolve_truth(connection)
        notes = _notes(connection)
        if wrong is not None:
            connection.execute("CREATE TABLE said AS SELECT * FROM identity")
        persons = find_persons(
            connection,
            thresholds=thresholds,
            progress=listener,
            checked_id=_is_nhs_number(connection),
            extras=[extra for extra in EXTRAS if any(extra in found for found in meanings.values())],
        )
        result = _judge(
            connection,
            persons,
            thresholds=thresholds,
            truth_form=truth_form,
            columns=meanings,
            notes=(*notes, *persons.notes),
        )
        return result if wrong is None else _with_wrong(connection, result, wrong)


def _read(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], *, truth: str, given: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Write ``arrived``, and of it ``identity`` and ``labelled`` (source, patient_ref, truth)."""
    faults: list[Fault] = []
    tables: list[pa.Table] = []
    for path in files:
        if not path.is_file():
            message = "is a folder; name its files" if path.is_dir() else "does not exist"
            faults.append(Fault(message=message, path=str(path)))
            continue
        if not os.access(path, os.R_OK):
            faults.append(Fault(message=why_refused(path), path=str(path)))
            continue
        try:
            table = _rows(connection, path)
        except (duckdb.Error, OSError, UnicodeError, pa.ArrowException):
            # DuckDB's own words may quote a row.
            faults.append(Fault(message="cannot be read as delimited text (UTF-8) or Parquet", path=str(path)))
            continue
        tables.append(table)
        faults += faults_of(table.column_names, truth=truth, given=given, path=str(path))
        if not table.num_rows:
            faults.append(Fault(message="has no rows", path=str(path)))
    if not files:
        faults.append(Fault(message="no file to try; give at least one"))
    check_faults(list(dict.fromkeys(faults)))
    parts, meanings = [], {}
    for number, (path, table) in enumerate(zip(files, tables, strict=True)):
        connection.register(f"file_{number}", table)
        meaning = recognise(table.column_names, truth=truth, given=given)
        meanings[f"{number + 1}: {path.name}"] = meaning
        parts.append(_identity_sql(number, meaning, truth))
    connection.execute(f"CREATE TABLE arrived AS {' UNION ALL BY NAME '.join(parts)}")
    connection.execute("CREATE TABLE identity AS SELECT * EXCLUDE (truth, written_birth) FROM arrived")
    connection.execute("CREATE TABLE labelled AS SELECT source, patient_ref, trim(truth) AS truth FROM arrived")
    return meanings


def _rows(connection: duckdb.DuckDBPyConnection, path: Path) -> pa.Table:
    """All columns as text."""
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    if is_parquet:
        relation = connection.read_parquet(str(path))
        names = ", ".join(f"{identifier(name)}::VARCHAR AS {identifier(name.strip())}" for name in relation.columns)
    else:
        relation = connection.read_csv(str(path), header=True, all_varchar=True, sample_size=20000)
        names = ", ".join(f"trim({identifier(name)}) AS {identifier(name.strip())}" for name in relation.columns)
    return relation.project(names).fetch_arrow_table()


def _identity_sql(number: int, meaning: Mapping[str, str], truth: str) -> str:
    """One file's rows as identity records; the row's number is its patient_ref."""

    def column(name: str) -> str:
        return f"nullif(trim({identifier(meaning[name])}), '')" if name in meaning else "NULL::VARCHAR"

    given = f"nullif(concat_ws(' ', {column('given_name')}, {column('middle_name')}), '')"
    family = column("family_name")
    if "full_name" in meaning:
        full = f"string_split(regexp_replace({column('full_name')}, '\\s+', ' ', 'g'), ' ')"
        if "given_name" not in meaning:
            given = f"coalesce({given}, array_to_string({full}[:-2], ' '), {full}[1])"
        if "family_name" not in meaning:
            family = f"coalesce({family}, CASE WHEN len({full}) > 1 THEN {full}[-1] END)"
    birth = column("birth_date")
    if "birth_date" not in meaning and "birth_year" in meaning:
        month, day = (f"lpad({column(part)}, 2, '0')" for part in ("birth_month", "birth_day"))
        year = f"lpad({column('birth_year')}, 4, '0')"
        # A day without its month is none.
        birth = f"coalesce({year} || '-' || {month} || '-' || {day}, {year} || '-' || {month}, {year})"
    attempts = ", ".join(f"try_strptime({birth}, {literal(form)})" for form in _DATE_FORMATS)
    extras = "".join(f", {column(extra)} AS {extra}" for extra in EXTRAS)
    return f"""
        SELECT 'file_{number}' AS source, lpad(row_number() OVER ()::VARCHAR, 9, '0') AS patient_ref,
            {number + 1} AS row_extract, {column("nhs_number")} AS nhs_number, {given} AS given_name,
            {family} AS family_name, coalesce({attempts})::DATE AS birth_date, {column("sex")} AS sex,
            {column("postcode")} AS postcode,
            nullif(concat_ws(' ', {column("street_number")}, {column("address")}), '') AS address,
            NULL::VARCHAR AS ethnicity, NULL::VARCHAR AS source_links,
            CASE WHEN coalesce({attempts}) IS NULL AND regexp_full_match({birth}, '{_BIRTH_PART}') THEN {birth} END AS birth_part{extras}, {birth} AS written_birth, {identifier(truth)} AS truth
        FROM file_{number}
    """


def _resolve_truth(connection: duckdb.DuckDBPyConnection) -> str:
    """FEBRL's record names become the number of the person; anything else is an entity's identifier."""
    febrl, filled = connection.execute(
        f"SELECT count(*) FILTER (regexp_matches(truth, '{_FEBRL}')), count(nullif(truth, '')) FROM labelled"
    ).fetchall()[0]
    if filled and febrl == filled:
        connection.execute(f"UPDATE labelled SET truth = regexp_extract(truth, '{_FEBRL}', 1)")
        return "FEBRL record names: rec-N-org and rec-N-dup-M are person N"
    return "identifier of the person: equal values are one person"


def _is_nhs_number(connection: duckdb.DuckDBPyConnection) -> bool:
    bare = bare_digits_sql("nhs_number")
    ten, valid, filled = connection.execute(
        f"""
        SELECT count(*) FILTER (regexp_full_match({bare}, '[0-9]{{10}}')), count({valid_nhs_number_sql(bare)}),
            count(nhs_number) FROM identity
        """
    ).fetchall()[0]
    return bool(filled) and ten >= filled * _CHECKED_SHARE and valid >= ten * _CHECKED_SHARE


def _notes(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """What is passed over; uses up ``arrived``."""
    unread, unlabelled = connection.execute(
        """
        SELECT count(*) FILTER (birth_date IS NULL AND birth_part IS NULL AND written_birth IS NOT NULL),
            count(*) FILTER (coalesce(trim(truth), '') = '') FROM arrived
        """
    ).fetchall()[0]
    connection.execute("DROP TABLE arrived")
    notes = {
        f"{unread} dates of birth could not be read and count as missing": unread,
        f"{unlabelled} records have no truth; they are linked but not judged": unlabelled,
    }
    return tuple(note for note, count in notes.items() if count)


def _judge(
    connection: duckdb.DuckDBPyConnection,
    persons: PersonClusters,
    *,
    thresholds: MatchThresholds,
    truth_form: str,
    columns: Mapping[str, Mapping[str, str]],
    notes: tuple[str, ...],
) -> Trial:
    connection.register("found", persons.members)
    connection.execute(
        """
        CREATE TABLE judged AS
        SELECT source, patient, patient_ref, person, step, truth FROM found JOIN patients USING (patient)
        JOIN labelled USING (source, patient_ref) WHERE nullif(truth, '') IS NOT NULL
        """
    )
    keys = ("person", "truth", "person, truth")
    every = [_pairs(connection, key) for key in keys]
    crossing = [pairs - _pairs(connection, f"source, {key}") for pairs, key in zip(every, keys, strict=True)]
    linked, true, right = every
    rates = _rates(*every)
    steps = connection.execute(
        """
        SELECT step, count(*), count(*) FILTER (persons = 1) FROM judged JOIN (
            SELECT person, count(DISTINCT truth) AS persons FROM judged GROUP BY person
        ) USING (person) GROUP BY step ORDER BY count(*) DESC, step
        """
    ).fetchall()
    records, clusters, true_clusters = connection.execute(
        "SELECT count(*), count(DISTINCT person), count(DISTINCT truth) FROM judged"
    ).fetchall()[0]
    return Trial(
        precision=rates["precision"],
        recall=rates["recall"],
        f1=rates["f1"],
        linked=linked,
        true=true,
        right=right,
        across=_rates(*crossing) if len(columns) > 1 else None,
        steps={step: {"records": count, "pure": pure} for step, count, pure in steps},
        records=records,
        clusters=clusters,
        true_clusters=true_clusters,
        clerical=persons.clerical.num_rows,
        thresholds=thresholds,
        truth_form=truth_form,
        columns=columns,
        notes=notes,
    )


def _with_wrong(connection: duckdb.DuckDBPyConnection, result: Trial, wrong: Callable[[pa.Table], None]) -> Trial:
    """Hand out the wrong pairs, and say how many of how many."""
    pairs = wrong_pairs(connection)
    wrong(pairs)
    listed = Counter(pairs["kind"].to_pylist())
    every = {"false": result.linked - result.right, "missed": result.true - result.right}
    notes = [f"{listed[kind]:,} of {count:,} {kind} pairs are listed" for kind, count in every.items()]
    return replace(result, notes=(*result.notes, *notes))


def _pairs(connection: duckdb.DuckDBPyConnection, key: str) -> int:
    """Pairs of records that agree in *key*."""
    return int(
        connection.execute(
            f"SELECT coalesce(sum(n * (n - 1) // 2), 0) FROM (SELECT count(*) AS n FROM judged GROUP BY {key})"
        ).fetchall()[0][0]
    )


def _line(title: str, rates: Mapping[str, Any]) -> str:
    """A share is never rounded up to a perfection that it has not."""
    shares = "  ".join(f"{name} {int(rates[name] * 10000) / 10000:.4f}" for name in ("precision", "recall", "f1"))
    return f"{title}: {shares}  ({rates['linked']:,} linked, {rates['true']:,} true, {rates['right']:,} both)"


def _rates(linked: int, true: int, right: int) -> dict[str, float]:
    """No pair linked is no wrong pair; no true pair is none missed."""
    precision = right / linked if linked else 1.0
    recall = right / true if true else 1.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return {"precision": precision, "recall": recall, "f1": f1, "linked": linked, "true": true, "right": right}
