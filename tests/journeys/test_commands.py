"""Each command, run as a user would run it."""

import csv
import io
import json
import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from docs.generators.json_results import result_type
from fairhaven.hub import open_hub
from fairhaven.journeys.persons.erase import plan_erasure
from fairhaven.ledger import EventKind
from fairhaven.nhs.number import valid_nhs_number
from tests.support.actors import ANNA
from tests.support.command_line import Command
from tests.support.json_form import COMMANDS, check_form, read_strictly
from tests.support.killed_hub import copied
from tests.support.killed_stages import Region
from tests.support.ledgers import begin_anew


def test_the_demonstration_run_again_finds_all_done(fairhaven: Command, copy: Path) -> None:
    before = json.loads(fairhaven("release", "list", copy, "--json").stdout)
    again = json.loads(fairhaven("demo", copy, "--persons", 300, "--json").stdout)
    assert [made["content"] for made in again["releases"]] == [release["content"] for release in before]
    refused = fairhaven("demo", copy, "--persons", 301, code=1)
    assert "another size or seed" in refused.stderr


def test_a_second_build_of_the_same_makes_no_release(fairhaven: Command, copy: Path) -> None:
    assert "Nothing has changed since r0002" in fairhaven("build", copy).stdout
    planned = json.loads(fairhaven("build", copy, "--plan", "--json").stdout)
    assert [stage["name"] for stage in planned["stages"]] == ["recover", "describe"]
    assert "nothing has changed since r0002" in fairhaven("build", copy, "--plan").stdout


def test_a_rebuild_from_nothing_has_the_same_content(fairhaven: Command, region: Region, tmp_path: Path) -> None:
    copy = copied(region.stage("build").hub, tmp_path / "hub")
    before = json.loads(fairhaven("release", "show", copy, "--json").stdout)
    begin_anew(copy)
    assert json.loads(fairhaven("build", copy, "--json").stdout)["content"] == before["content"]


def test_the_same_bytes_twice_change_nothing_and_it_is_said(fairhaven: Command, copy: Path) -> None:
    file = next((copy / "inbox" / "2026-11-01" / "registrar_deaths").iterdir())
    said = fairhaven("receive", copy, "registrar_deaths", file).stdout
    assert "same bytes were received before" in said
    assert "Nothing new" in said


def test_releases_are_listed_compared_and_verified(fairhaven: Command, demo: Path) -> None:
    assert [release["name"] for release in json.loads(fairhaven("release", "list", demo, "--json").stdout)] == [
        "r0001",
        "r0002",
    ]
    changes = json.loads(fairhaven("release", "diff", demo, "--json").stdout)["tables"]
    assert changes["measurement"]["added"] > 0
    assert changes["measurement"]["changed"] > 0
    assert changes["measurement"]["gone"] > 0
    assert "every hash agrees" in fairhaven("release", "verify", demo).stdout


def test_verify_names_the_file_that_was_altered(fairhaven: Command, copy: Path) -> None:
    file = sorted((copy / "store" / "archive" / "measurement").glob("*.parquet"))[-1]
    altered = bytearray(file.read_bytes())
    altered[len(altered) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(altered)
    said = fairhaven("release", "verify", copy, code=1).stdout
    assert file.name in said


def test_a_row_is_traced_to_the_line_it_came_from(fairhaven: Command, demo: Path) -> None:
    rooms = open_hub(demo)
    files = [str(path) for path in rooms.archive.files(rooms.archive.release(), "condition_occurrence")]
    query = "SELECT condition_occurrence_id, condition_source_value FROM read_parquet(?) WHERE condition_source_value IS NOT NULL"
    sources = set()
    for row_id, code in duckdb.execute(query, [files]).fetchall()[::7][:60]:
        from fairhaven.journeys.releases.trace_row import trace

        found = trace(rooms, table="condition_occurrence", row_id=row_id)
        sources.add(found.source)
        delivered = next(demo.glob(f"inbox/*/{found.source}/{found.file}"))
        if delivered.suffix != ".gz":
            line = delivered.read_bytes().decode("latin-1").splitlines()[(found.line or 0) - 1]
            assert code.replace(".", "") in line.replace(".", "")
    assert len(sources) > 2
    said = fairhaven("trace", demo, "condition_occurrence", row_id).stdout
    assert f"line {found.line}" in said
    assert "no row 12" in fairhaven("trace", demo, "condition_occurrence", 12, code=1).stderr
    assert "not a table" in fairhaven("trace", demo, "conditions", 12, code=1).stderr


def test_an_export_is_a_cdm_database_and_passes_its_own_quality_checks(
    fairhaven: Command, demo: Path, tmp_path: Path
) -> None:
    shown = json.loads(fairhaven("release", "show", demo, "--json").stdout)
    fairhaven("export", demo, "--format", "duckdb", "--out", tmp_path / "cdm.duckdb")
    with duckdb.connect(str(tmp_path / "cdm.duckdb"), read_only=True) as database:
        row = database.execute("SELECT count(*) FROM measurement").fetchone()
        assert row == (shown["tables"]["measurement"]["rows"],)
        assert database.execute("SELECT cdm_version FROM cdm_source").fetchone() is not None
        assert database.execute("SELECT count(*) FROM concept").fetchone() != (0,)
        columns = {name for (name,) in database.execute("SELECT DISTINCT column_name FROM duckdb_columns()").fetchall()}
        assert not {"row_extract", "row_line", "row_rule"} & columns
    fairhaven("export", demo, "--format", "parquet", "--out", tmp_path / "cdm")
    for path in (tmp_path / "cdm.duckdb", tmp_path / "cdm"):
        report = json.loads(fairhaven("quality", "--cdm", path, "--json").stdout)
        assert report["rows"]["measurement"] == shown["tables"]["measurement"]["rows"]
    assert (
        "is there already" in fairhaven("export", demo, "--format", "parquet", "--out", tmp_path / "cdm", code=1).stderr
    )


def test_quality_prints_a_scorecard_and_fails_on_demand(fairhaven: Command, demo: Path) -> None:
    report = json.loads(fairhaven("quality", demo, "--json").stdout)
    failed = {result["severity"] for result in report["results"] if result["status"] == "failed"}
    done = fairhaven("quality", demo, "--fail-on", "characterization", code=1 if failed else 0)
    assert "checks" in done.stdout
    fairhaven("quality", demo, "--fail-on", "nonsense", code=2)
    fairhaven("quality", code=2)


def test_nobody_is_erased_while_patients_were_received_whom_no_build_has_linked_to_persons(
    fairhaven: Command, copy: Path, tmp_path: Path
) -> None:
    rooms = open_hub(copy)
    index = rooms.vault.index()
    assert index is not None
    person = index["person_id"][0].as_py()
    header, first = next(copy.glob("inbox/*/gp_riverside/registrations*")).read_text().splitlines()[:2]
    number, rest = first.split(",", 1)
    # The same human as somebody else's patient may be, delivered after the last build.
    (tmp_path / "registrations_late.csv").write_text(f"{header}\nNEW-{number},{rest}\n")
    fairhaven("receive", copy, "gp_riverside", tmp_path / "registrations_late.csv")
    [last] = [delivery.number for delivery in rooms.intake.deliveries()][-1:]
    for plan in (("--plan",), ()):
        refused = fairhaven("erase", copy, "--person-key", person, *plan, code=1).stderr
        assert f"whom the last build does not know: of gp_riverside (delivery {last})" in refused
        assert f"Build first: fairhaven build {copy}" in refused
    (copy / "sources" / "gp_riverside.toml").unlink()
    refused = fairhaven("erase", copy, "--person-key", person, "--plan", code=1).stderr
    assert "Put sources/gp_riverside.toml back as it was. Build first" in refused
    # Whoever was never here is said not to be, whatever came since.
    assert "nobody here has the person key" in fairhaven("erase", copy, "--person-key", 17, code=1).stderr


def test_a_person_is_found_by_an_nhs_number_that_stands_in_no_command_line(
    fairhaven: Command, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms, file = open_hub(copy), tmp_path / "number.txt"
    index = rooms.vault.index()
    assert index is not None
    person_of = {(row["source"], row["patient_ref"]): row["person_id"] for row in index.to_pylist()}
    bearers: dict[str, set[int]] = {}
    for row in rooms.vault.records().to_pylist():
        if number := valid_nhs_number(row["nhs_number"]):
            bearers.setdefault(number, set()).add(person_of[row["source"], row["patient_ref"]])
    number, [person] = next((number, persons) for number, persons in bearers.items() if len(persons) == 1)
    file.write_text(f"\n{number[:3]} {number[3:6]} {number[6:]}\r\n")
    by_number = fairhaven("erase", copy, "--nhs-number-file", file, "--plan", "--json").stdout
    assert by_number == fairhaven("erase", copy, "--person-key", person, "--plan", "--json").stdout
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(number.encode())))
    assert fairhaven("erase", copy, "--nhs-number-file", "-", "--plan", "--json").stdout == by_number

    other = next(row["person_id"] for row in index.to_pylist() if row["person_id"] != person)
    for text, said in (
        (f"{number}\n{number}\n", "alone on one line"),
        ("9990000019", "alone on one line"),
        ("999 000 0018", "nobody here has this NHS number"),
    ):
        file.write_text(text)
        refused = fairhaven("erase", copy, "--nhs-number-file", file, code=1).stderr
        assert said in refused and not re.search(r"\d{3} ?\d{3} ?\d{4}", refused)
    mine = [row for row in index.to_pylist() if row["person_id"] == person]
    rooms.vault.keep_index(
        pa.Table.from_pylist([*({**row, "person_id": other} for row in mine), *index.to_pylist()], schema=index.schema)
    )
    file.write_text(number)
    assert (
        "records of 2 persons have this NHS number: "
        in fairhaven("erase", copy, "--nhs-number-file", file, code=1).stderr
    )
    for words in ((), ("--person-key", person, "--nhs-number-file", file)):
        assert "one of the two" in fairhaven("erase", copy, *words, code=2).stderr


def found_to_be_one(hub: Path, one: int, other: int) -> None:
    """Leave what a build leaves that finds two persons to be one: the index has one key, releases from before have both."""
    rooms = open_hub(hub)
    index = rooms.vault.index()
    assert index is not None
    rows = [row | {"person_id": one} if row["person_id"] == other else row for row in index.to_pylist()]
    rooms.vault.keep_index(pa.Table.from_pylist(rows, schema=index.schema))
    rooms.ledger.append_changed(EventKind.STOCK_TAKEN, {"of": "releases"}, [rooms.vault.index_file()], by=ANNA)


def test_who_has_another_key_in_earlier_releases_is_erased_under_both_and_by_the_later_key(
    fairhaven: Command, copy: Path
) -> None:
    rooms = open_hub(copy)
    index = rooms.vault.index()
    assert index is not None
    one, other = sorted(set(index["person_id"].to_pylist()))[:2]
    found_to_be_one(copy, one, other)
    for plan in (("--plan",), ()):
        refused = fairhaven("erase", copy, "--person-key", other, *plan, code=1).stderr
        assert f"later builds found its patients to be {one}. Erase that person" in refused
    assert plan_erasure(rooms, person_key=one).releases.rows == rooms.archive.plan_erase([one, other]).rows


def only_in_quarantine(fairhaven: Command, hub: Path, number: str, folder: Path) -> None:
    """Receive somebody with an NHS number of whom no row can be read."""
    header, first = csv.reader(next(hub.glob("inbox/*/gp_riverside/registrations*")).read_text().splitlines()[:2])
    row = dict(zip(header, first, strict=True)) | {"patient_id": "NEW", "nhs_number": number, "registered_on": "soon"}
    late = folder / "registrations_late.csv"
    late.write_text(f'{",".join(header)}\n"' + '","'.join(row.values()) + '"\n')
    fairhaven("receive", hub, "gp_riverside", late)


def test_an_erased_person_leaves_no_trace(fairhaven: Command, copy: Path, tmp_path: Path) -> None:
    rooms = open_hub(copy)
    release = rooms.archive.release()
    person = duckdb.execute(
        "SELECT person_id FROM read_parquet(?) GROUP BY 1 HAVING count(DISTINCT row_extract) > 2 ORDER BY 1 LIMIT 1",
        [[str(path) for path in rooms.archive.files(release, "measurement")]],
    ).fetchone()
    assert person is not None
    key = person[0]
    index = rooms.vault.index()
    assert index is not None
    former = next(row["person_id"] for row in index.to_pylist() if row["person_id"] != key)
    found_to_be_one(copy, key, former)
    refs = [row["patient_ref"] for row in index.to_pylist() if row["person_id"] in (key, former)]
    records = pa.Table.to_pylist(rooms.vault.records())
    number = next(
        row["nhs_number"] for row in records if row["patient_ref"] in refs and valid_nhs_number(row["nhs_number"])
    )
    only_in_quarantine(fairhaven, copy, number, tmp_path)
    planned = fairhaven("erase", copy, "--person-key", key, "--plan").stdout
    assert "would take away" in planned
    done = read_strictly(fairhaven("erase", copy, "--person-key", key, "--json").stdout)
    check_form(done, result_type(COMMANDS["erase"]))
    assert done["deliveries"]["rows"] and done["identities"]
    sealed = rooms.store / "received" / f"{open_hub(copy).intake.extracts()[-1].sealed_as}.sealed"
    assert number.encode() not in rooms.keyring.deliveries.open_bytes(sealed)
    for path in (copy / "store").rglob("*.parquet"):
        found = duckdb.execute(f"DESCRIBE FROM read_parquet('{path}')").fetchall()
        columns = {name for name, *_ in found}
        if "person_id" in columns:
            assert duckdb.execute(
                "SELECT count(*) FROM read_parquet(?) WHERE person_id IN (?, ?)", [str(path), key, former]
            ).fetchone() == (0,), path
        if "patient_ref" in columns:
            assert duckdb.execute(
                "SELECT count(*) FROM read_parquet(?) WHERE list_contains(?, patient_ref)", [str(path), refs]
            ).fetchone() == (0,), path
    for path in (copy / "store").rglob("*"):
        if path.is_file() and path.suffix in (".json", ".jsonl", ".parquet", ".sqlite"):
            content = path.read_bytes()
            assert not any(str(each).encode() in content for each in (key, former)), path
            assert not any(ref.encode() in content for ref in refs), path
    assert "every hash agrees" in fairhaven("release", "verify", copy).stdout
    for nobody in (17, 10**30):
        assert "nobody here has the person key" in fairhaven("erase", copy, "--person-key", nobody, code=1).stderr
    assert "was erased before" in fairhaven("erase", copy, "--person-key", former).stdout
    again = fairhaven("erase", copy, "--person-key", key).stdout
    assert f"This person was erased before, as entry {done['entry']} of the ledger says" in again
    assert "nothing more" in fairhaven("erase", copy, "--person-key", key, "--plan").stdout


def test_a_hub_begins_with_files_that_have_no_faults(fairhaven: Command, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    assert "hub.toml" in fairhaven("init", hub).stdout
    assert "No faults" in fairhaven("check", hub).stdout
    assert "is a hub already" in fairhaven("init", hub, code=1).stderr
    refused = fairhaven("build", hub, code=1).stderr
    assert "nothing was received yet" in refused
    assert "no vocabulary is loaded" in refused


def test_every_fault_of_a_hub_is_named_at_once_with_its_line(fairhaven: Command, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    fairhaven("init", hub)
    (hub / "hub.toml").write_text('name = 3\nengin = "duckdb"\n')
    (hub / "sources" / "a.toml").write_text('title = "A"\ncontroller = "nobody"\nkind = "gp"\nformat = "delimted"\n')
    (hub / "mappings" / "b.toml").write_text("[[map]]\nnome = 'x'\n")
    (hub / "controllers" / "c.toml").write_text("title = \n")
    said = fairhaven("check", hub, code=1).stderr
    for fault in ("hub.toml:1", "hub.toml:2", "sources/a.toml:4", "mappings/b.toml:2", "controllers/c.toml:1"):
        assert fault in said
    assert json.loads(fairhaven("check", hub, "--json", code=1).stdout)["error"]["faults"]


def test_a_folder_that_is_no_hub_is_refused_in_words(fairhaven: Command, tmp_path: Path) -> None:
    assert "is not a hub" in fairhaven("build", tmp_path, code=1).stderr
    assert "is not a hub" in fairhaven("release", "list", tmp_path / "nowhere", code=1).stderr


def test_a_delivery_of_a_day_to_come_is_refused(fairhaven: Command, copy: Path) -> None:
    file = next((copy / "inbox" / "2026-11-01" / "registrar_deaths").iterdir())
    said = fairhaven("receive", copy, "registrar_deaths", file, "--on", "2999-01-31", code=1).stderr
    assert "the delivery is dated 2999-01-31, and today is" in said


def test_a_stale_opt_out_list_stops_the_build(fairhaven: Command, copy: Path) -> None:
    settings = copy / "hub.toml"
    settings.write_text(settings.read_text().replace("36_500", "35"))
    said = fairhaven("build", copy, "--as-of", "2027-01-01", code=1).stderr
    assert "national data opt-out list" in said
    assert "2027-01-01" in said
    assert len(open_hub(copy).archive.releases()) == 2


def test_wrong_usage_is_told_by_exit_code_two(fairhaven: Command, demo: Path) -> None:
    fairhaven("build", code=2)
    fairhaven("export", demo, "--format", "xlsx", "--out", "x", code=2)
    fairhaven("build", demo, "--as-of", "yesterday", code=2)


MAP_HEADER = "source_code,source_vocabulary_id,source_code_description,target_concept_id\n"


def test_check_tells_of_targets_of_code_maps_that_a_release_cannot_hold(fairhaven: Command, copy: Path) -> None:
    assert "Warning" not in fairhaven("check", copy).stdout
    (copy / "vocabulary/lab.csv").write_text(
        f"{MAP_HEADER}A,PARKVIEW,x,999999999\nB,PARKVIEW,x,2000000001\nC,PARKVIEW,x,3004249\n", encoding="utf-8"
    )
    with (copy / "mappings/gp.toml").open("a", encoding="utf-8") as mapping:
        mapping.write(
            '\n[[map]]\nname = "sugar"\nfrom = "events"\nto = "condition_occurrence"\n[map.code]\ncolumn = "code"\n'
            'vocabulary = "PARKVIEW"\n[map.set]\nstart_date = "event_date"\n'
        )
    said = fairhaven("check", copy).stdout
    assert (
        "vocabulary/lab.csv:2: targets are not in the vocabulary, so these codes get concept 0: A -> 999999999" in said
    )
    assert (
        "targets are of the domain Measurement, and rule sugar puts them into condition_occurrence: C -> 3004249"
        in said
    )
    assert "2000000001" not in said


def test_check_refuses_a_rule_that_cannot_tell_apart_what_a_code_map_does(fairhaven: Command, copy: Path) -> None:
    (copy / "vocabulary/lab.csv").write_text(
        f"{MAP_HEADER}A,ICD10,first,201826\nA,ICD10,second,320128\n", encoding="utf-8"
    )
    said = fairhaven("check", copy, code=1).stderr
    assert "vocabulary/lab.csv tells A of icd10 apart by the source's words, and the rule gives none" in said
