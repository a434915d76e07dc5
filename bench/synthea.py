"""The same raw Synthea extract to OMOP with row lineage, by Fairhaven and by ehr2trace: rows per CPU-second.

    python -m bench.build --peer PYTHON      (PYTHON: one that has ehr2trace 0.7 installed)

The extract is five CSV files of the shared test data, written *times* times over with new identifiers. Fairhaven receives it and
builds a release; ehr2trace runs its steps `ingest`, `identity`, `canonical`, `omop`. The peer runs without a
vocabulary, which spares it all mapping of codes; Fairhaven also links, maps codes and seals an archive. Checks are
counted apart: quality and description here, `validate` there.
"""

import datetime as dt
import os
import resource
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import duckdb

from bench.actor import BENCH
from bench.measure import Clock, in_fresh_process, peak_mb
from fairhaven import region
from fairhaven.hub import make_hub, open_hub
from fairhaven.journeys.deliveries.receive import receive_delivery, take_vocabulary
from fairhaven.journeys.releases.build import build_release
from fairhaven.kernel.progress import Silent

SHARED = Path(os.environ.get("FAIRHAVEN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
DATA = SHARED / "data" / "etl_pair_synthea_tutorial" / "tutorial_etl_data.tar.gz"
TIMES = 20
RECORDED = 5_650
"""Rows per CPU-second of ehr2trace 0.7.0 in this bench, November 2026: 529,780 rows in 93.7 CPU-seconds."""

_DAY = dt.date(2026, 11, 22)
_TABLES = {
    "patients": ("Id",),
    "encounters": ("Id", "PATIENT"),
    "conditions": ("PATIENT", "ENCOUNTER"),
    "medications": ("PATIENT", "ENCOUNTER"),
    "immunizations": ("PATIENT", "ENCOUNTER"),
}
_CHECKS = ("Checking the quality of the tables", "Measuring completeness and dimensions", "Describing every variable")
_STEPS = ("ingest", "identity", "canonical", "omop")

_SOURCE = """
title = "Synthea"
controller = "example"
kind = "hospital"
format = "delimited"
delivery = "full"
mapping = ["synthea.toml"]
national_opt_out = false

[tables.patients]
files = ["patients*"]
key = ["id"]
patient = "id"
[tables.patients.columns]
id = { type = "text", from = "Id" }
birth_date = { type = "date", from = "BIRTHDATE", identity = "birth_date" }
death_date = { type = "date", from = "DEATHDATE" }
given_name = { type = "text", from = "FIRST", identity = "given_name" }
family_name = { type = "text", from = "LAST", identity = "family_name" }
sex = { type = "text", from = "GENDER", identity = "sex" }
race = { type = "text", from = "RACE" }
hispanic = { type = "text", from = "ETHNICITY" }

[tables.encounters]
files = ["encounters*"]
key = ["id"]
patient = "patient"
[tables.encounters.columns]
id = { type = "text", from = "Id" }
start = { type = "datetime", from = "START" }
stop = { type = "datetime", from = "STOP" }
patient = { type = "text", from = "PATIENT" }
class = { type = "text", from = "ENCOUNTERCLASS" }
"""
_EVENTS = """
[tables.{name}]
files = ["{name}*"]
patient = "patient"
[tables.{name}.columns]
start = {{ type = "{kind}", from = "{start}", required = true }}
{stop}
patient = {{ type = "text", from = "PATIENT" }}
encounter = {{ type = "text", from = "ENCOUNTER" }}
code = {{ type = "text", from = "CODE", required = true }}
term = {{ type = "text", from = "DESCRIPTION" }}
"""
_MAPPING = """
[[map]]
name = "patients"
from = "patients"
to = "person"
[map.set]
birth_date = "birth_date"
gender = "sex"
race = "race"
ethnicity = "hispanic"

[[map]]
name = "deaths"
from = "patients"
to = "death"
when = { death_date = { present = true } }
[map.set]
date = "death_date"

[[map]]
name = "encounters"
from = "encounters"
to = "visit_occurrence"
[map.set]
visit_ref = "id"
start_datetime = "start"
end_datetime = "stop"
concept_id = { column = "class", map = { inpatient = "inpatient", emergency = "emergency", urgentcare = "emergency" }, default = "outpatient" }
"""
_RULE = """
[[map]]
name = "{name}"
from = "{name}"
to = "event"
unmapped_to = "{table}"
[map.code]
column = "code"
vocabulary = "{vocabulary}"
text = "term"
[map.set]
{dates}
visit_ref = "encounter"
"""
_PEER = """
dataset_id: synthea
root_env: SYNTHEA_ROOT
identity: {person_key: PATIENT, encounter_key: ENCOUNTER}
time:
  timezone_assumption: UTC
  formats: ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]
  null_literals: ["", "NULL"]
partitions: [{id: all, dir: raw}]
sources:
  patients:
    adapter: delimited
    file_glob: patients.csv
    options: &csv {delimiter: ",", encoding: utf-8, quoting: minimal}
    shape: person_attributes
    event_kind: demographic
    fields:
      person_id: {from: [Id], required: true}
      gender: {from: [GENDER]}
      race: {from: [RACE]}
      ethnicity: {from: [ETHNICITY]}
      birth_date: {from: [BIRTHDATE]}
      death_time: {from: [DEATHDATE]}
  encounters:
    adapter: delimited
    file_glob: encounters.csv
    options: *csv
    shape: visit
    event_kind: visit
    fields:
      person_id: {from: [PATIENT], required: true}
      encounter_id: {from: [Id]}
      event_time: {from: [START], required: true}
      end_time: {from: [STOP]}
      visit_type: {from: [ENCOUNTERCLASS]}
  conditions: &events
    adapter: delimited
    file_glob: conditions.csv
    options: *csv
    shape: point_event
    event_kind: condition
    code_system: SNOMED
    fields:
      person_id: {from: [PATIENT], required: true}
      encounter_id: {from: [ENCOUNTER]}
      source_code: {from: [CODE], required: true}
      source_name: {from: [DESCRIPTION]}
      event_time: {from: [START, DATE], required: true}
      end_time: {from: [STOP]}
  medications: {<<: *events, file_glob: medications.csv, event_kind: drug_order, code_system: RXNORM}
  immunizations:
    <<: *events
    file_glob: immunizations.csv
    event_kind: drug_admin
    code_system: CVX
    fields:
      person_id: {from: [PATIENT], required: true}
      encounter_id: {from: [ENCOUNTER]}
      source_code: {from: [CODE], required: true}
      source_name: {from: [DESCRIPTION]}
      event_time: {from: [DATE], required: true}
omop: {source_name: synthea, cdm_holder: bench, source_release_date: "2026-11-22"}
meds: {splits: [[train, 1.0]], split_salt: synthea}
execution: {bucket_count: 4, workers: 1, chunk_rows: 100000}
owner_answers: {batch_relationship: one site, imaging_reports_included: false, vocabulary_source: none, answered_by: bench, answered_on: "2026-11-22"}
"""


def write_extract(folder: Path, times: int) -> int:
    """The extract's files, each row *times* times with identifiers of its own; how many rows they hold."""
    folder.mkdir(parents=True)
    rows = 0
    with tempfile.TemporaryDirectory() as once, tarfile.open(DATA) as archive, duckdb.connect() as connection:
        archive.extractall(once, filter="data")
        for name, keys in _TABLES.items():
            made = ", ".join(f'"{key}" || \'-\' || number AS "{key}"' for key in keys)
            read = f"read_csv('{once}/syntheaRaw/{name}.csv', all_varchar = true, header = true)"
            done = connection.execute(
                f"COPY (SELECT * REPLACE ({made}) FROM {read}, range({times}) AS copy(number))"
                f" TO '{folder}/{name}.csv' (FORMAT csv, HEADER)"
            ).fetchone()
            rows += done[0] if done else 0
    return rows


def write_hub(folder: Path) -> None:
    """A hub that takes the extract."""
    make_hub(folder, by=BENCH)
    events = [
        ("conditions", "date", "START", "condition_occurrence", "SNOMED"),
        ("medications", "datetime", "START", "drug_exposure", "RxNorm"),
        ("immunizations", "datetime", "DATE", "drug_exposure", "CVX"),
    ]
    source, mapping = _SOURCE, _MAPPING
    for name, kind, start, table, vocabulary in events:
        has_end = start == "START"
        stop = f'stop = {{ type = "{kind}", from = "STOP" }}' if has_end else ""
        source += _EVENTS.format(name=name, kind=kind, start=start, stop=stop)
        dates = f'start_{kind} = "start"' + (f'\nend_{kind} = "stop"' if has_end else "")
        mapping += _RULE.format(name=name, table=table, vocabulary=vocabulary, dates=dates)
    (folder / "sources" / "synthea.toml").write_text(source, encoding="utf-8")
    (folder / "mappings" / "synthea.toml").write_text(mapping, encoding="utf-8")


def ours(folder: Path, extract: Path) -> tuple[float, float, float, int]:
    """Receive and build: CPU-seconds to OMOP, of checks, peak MB, CDM rows."""
    write_hub(folder)
    rooms, clock = open_hub(folder), Clock()
    take_vocabulary(rooms, region.material_vocabulary(), by=BENCH, progress=Silent())
    began = time.process_time()
    receive_delivery(
        rooms, source="synthea", files=sorted(extract.glob("*")), received_on=_DAY, today=_DAY, by=BENCH, progress=clock
    )
    clock.stage("Building")
    release = build_release(rooms, as_of=_DAY, today=_DAY, by=BENCH, progress=clock).release
    spent = time.process_time() - began
    seconds = clock.stop()
    checks = sum(seconds[stage] for stage in _CHECKS)
    return spent - checks, checks, peak_mb(), sum(table.rows for table in release.tables.values())


def theirs(python: Path, folder: Path, extract: Path) -> tuple[float, float, float]:
    """The peer's steps: CPU-seconds to OMOP, of checks, peak MB."""
    (folder / "mappings").mkdir(parents=True)
    (folder / "synthea.yaml").write_text(_PEER, encoding="utf-8")
    places = {"SYNTHEA_ROOT": extract.parent, "EHR_WORK_ROOT": folder / "work", "EHR_MAPPINGS_DIR": folder / "mappings"}
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}, "OFFLINE_MODE": "1"}
    seconds = {}
    for step in (*_STEPS, "validate"):
        before = _children()
        command: list[str | Path] = [python.with_name("ehr2trace"), step, "-d", folder / "synthea.yaml"]
        ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        if ended.returncode and step != "validate":  # validate ends so where it finds fault with an extract
            raise SystemExit(f"ehr2trace {step} failed:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
        seconds[step] = _children() - before
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return sum(seconds[step] for step in _STEPS), seconds["validate"], peak


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(python: Path | None) -> None:
    """Print the table of both, or why there is none."""
    if python is None:
        print(
            f"\nehr2trace: not run, no --peer PYTHON; recorded: {RECORDED:,} rows/CPU-s (November 2026, same machine)"
        )
        return
    if not DATA.exists():
        print("\nehr2trace: not run, the shared test data is not here (FAIRHAVEN_SHARED)")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extract = folder / "raw"
        rows = write_extract(extract, TIMES)
        to_omop, checks, peak, made = in_fresh_process(ours, folder / "hub", extract)
        their_omop, their_checks, their_peak = in_fresh_process(theirs, python.absolute(), folder / "peer", extract)
    print(f"\nSynthea CSV {TIMES} times over, {rows:,} rows; here {made:,} CDM rows")
    print(f"{'':12}{'to OMOP CPU-s':>15}{'rows/CPU-s':>12}{'checks CPU-s':>14}{'peak MB':>9}{'x peer':>8}")
    for title, spent, checked, held in (
        ("fairhaven", to_omop, checks, peak),
        ("ehr2trace", their_omop, their_checks, their_peak),
    ):
        print(f"{title:12}{spent:>15.1f}{rows / spent:>12,.0f}{checked:>14.1f}{held:>9,.0f}{their_omop / spent:>8.1f}")
