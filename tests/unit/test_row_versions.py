"""Rows of one key: which of them counts, and that what is received adds up, by name, in every format."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fairhaven.cli import delivery_text
from fairhaven.engine import DuckDBEngine
from fairhaven.intake import Receipt, Source, check_reconciled
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.progress import Silent
from fairhaven.release.facts import RowFlow
from tests.support.intake_hub import EVENTS, HEADER, Hub

Resource = dict[str, Any]
FHIR = 'title = "Trust"\ncontroller = "trust"\nkind = "hospital"\nformat = "fhir"\n{settings}\n'


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def observation(name: str, value: float, version: str = "", updated: str = "", **more: Any) -> Resource:
    meta = {**({"versionId": version} if version else {}), **({"lastUpdated": updated} if updated else {})}
    return {"resourceType": "Observation", "id": name, "status": "final", "subject": {"reference": "Patient/p1"},
            "valueQuantity": {"value": value}, **({"meta": meta} if meta else {}), **more}  # fmt: skip


def deletion(url: str, **bundle: Any) -> Resource:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"request": {"method": "DELETE", "url": url}}],
        **bundle,
    }


def lines(*resources: Resource) -> str:
    return "".join(json.dumps(resource) + "\n" for resource in resources)


def current(hub: Hub, source: Source) -> dict[str, list[dict[str, Any]]]:
    engine = DuckDBEngine(reaches=[hub.store])
    tables = hub.intake.current(engine, source, excluded=None)
    found = {
        name: engine.fetch(rows.order_by(["row_extract", "row_line"])).to_pylist() for name, rows in tables.items()
    }
    engine.close()
    return found


def flow(hub: Hub, source: Source) -> dict[str, RowFlow]:
    engine = DuckDBEngine(reaches=[hub.store])
    found = hub.intake.reconcile(engine, source, None)
    engine.close()
    check_reconciled(found)
    for row in found:
        assert row.received == row.current + row.quarantined + row.opted_out + row.superseded + row.withdrawn
    return {row.table: row for row in found}


def added_up(receipt: Receipt) -> Receipt:
    for extract in receipt.extracts:
        for count in extract.tables.values():
            assert (
                count.received
                == count.landed
                + count.superseded
                + count.identical
                + count.withdrawn
                + count.quarantined
                + count.erased
            )
            assert min(count.landed, count.superseded, count.identical, count.withdrawn) >= 0
    return receipt


def words(receipt: Receipt) -> str:
    return "\n".join(delivery_text.receipt(receipt))


def test_the_version_decides_which_row_of_a_resource_counts_not_the_order_of_lines(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    given = [
        # by time, as instants, whatever the offset: 10:30+02:00 is before 09:00Z
        observation("time", 1, updated="2020-05-01T09:00:00Z"), observation("time", 2, updated="2020-05-01T10:30:00+02:00"),
        observation("both", 1, "2", "2020-05-01T10:00:00.100Z"), observation("both", 2, "9", "2020-05-01T10:00:00.099Z"),
        observation("tie", 1, "10", "2020-05-01T10:00:00Z"), observation("tie", 2, "9", "2020-05-01T11:00:00+01:00"),
        observation("number", 1, "10"), observation("number", 2, "9"),
        observation("some", 1, "2"), observation("some", 2, "1", "2020-05-01T10:00:00Z"),
        observation("untimed", 1, updated="2020-05-01T10:00:00Z"), observation("untimed", 2),
        observation("opaque", 2, "MTY3"), observation("opaque", 1, "aXbY"),
        observation("none", 2), observation("none", 1),
        observation("same", 1), observation("same", 1),
        observation("wrong", 2, updated="yesterday"), observation("wrong", 1, updated="2020-05-01T10:00:00Z"),
    ]  # fmt: skip
    receipt = added_up(hub.receive(source, lines(*given), "o.ndjson"))
    assert {row["id"]: row["value_number"] for row in current(hub, source)["observation"]} == dict.fromkeys(
        (each["id"] for each in given), 1.0
    )
    count = receipt.extracts[0].tables["observation"]
    assert (count.received, count.landed, count.superseded, count.identical) == (20, 10, 9, 1)
    [undecided] = receipt.undecided_keys
    assert (undecided.rows, undecided.keys, undecided.key, undecided.lines) == (8, 4, ("id",), (11, 12, 13, 14, 15))
    assert "observation: 20 rows received, 10 landed, 9 superseded by others of their key, 1 identical" in words(
        receipt
    )
    assert "warning: id is not unique: 8 rows with 4 keys differ (lines 11, 12, 13, 14, 15, ...)" in words(receipt)
    assert flow(hub, source)["observation"].repeated == 10


def test_an_older_version_that_comes_later_does_not_count_and_one_without_a_time_is_of_its_delivery(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    added_up(hub.receive(source, lines(
        observation("old", 1, "2", "2020-05-02T00:00:00Z"), observation("new", 2, "1", "2020-05-01T00:00:00Z"),
        observation("plain", 2, "1", "2020-05-01T00:00:00Z"), observation("back", 2, updated="2020-05-01T00:00:00Z"),
        observation("twice", 2),
    ), "1.ndjson"))  # fmt: skip
    added_up(hub.receive(source, lines(
        observation("old", 2, "1", "2020-05-01T00:00:00Z"), observation("new", 1, "2", "2020-05-03T00:00:00Z"),
        observation("plain", 1), observation("back", 1), observation("twice", 1),
    ), "2.ndjson"))  # fmt: skip
    # An export of before comes last: what had no time stands against it.
    added_up(hub.receive(source, lines(observation("back", 3, updated="2020-04-01T00:00:00Z")), "3.ndjson"))
    rows = current(hub, source)["observation"]
    assert {row["id"]: row["value_number"] for row in rows} == dict.fromkeys(
        ("old", "new", "plain", "back", "twice"), 1.0
    )
    assert not {"row_updated", "row_version"} & rows[0].keys()


def test_of_several_files_of_one_delivery_the_version_counts_and_the_receipt_adds_up_over_them(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    names = ("a.ndjson", "b.ndjson", "c.ndjson")
    given = (
        [
            observation("x", 1, updated="2020-05-02T00:00:00Z"),
            observation("y", 1),
            observation("y", 1),
            observation("z", 2),
        ],
        [observation("x", 2, updated="2020-05-01T00:00:00Z"), observation("y", 1), observation("z", 1)],
        [deletion("Observation/w")],
    )
    for name, resources in zip(names, given, strict=True):
        (hub.folder / name).write_text(lines(*resources))
    receipt = added_up(hub.deliver(source, [hub.folder / name for name in names]))
    counts = [extract.tables["observation"] for extract in receipt.extracts]
    assert [(each.landed, each.superseded, each.identical, each.withdrawn) for each in counts] == [
        (1, 1, 2, 0),
        (2, 1, 0, 0),
        (0, 0, 0, 1),
    ]
    [undecided] = receipt.undecided_keys
    assert (undecided.extracts, undecided.rows, undecided.keys) == ((1, 2, 3), 2, 1)
    assert (
        "observation (extracts 1, 2, 3): warning: id is not unique: 2 rows with 1 key differ; the last file counts"
        in words(receipt)
    )
    assert {row["id"]: row["value_number"] for row in current(hub, source)["observation"]} == {"x": 1, "y": 1, "z": 1}
    assert flow(hub, source)["observation"].repeated == 4


def test_components_of_an_observation_go_with_the_version_that_has_them(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    part = {"code": {"text": "part"}, "valueInteger": 1}
    before = observation("o", 1, "1", "2020-05-01T00:00:00Z", component=[part, part, part])
    added_up(hub.receive(source, lines(before, observation("gone", 1, "1", component=[part])), "1.ndjson"))
    added_up(hub.receive(source, lines(
        observation("o", 1, "2", "2020-05-02T00:00:00Z", component=[part]), before, observation("gone", 1, "2"),
    ), "2.ndjson"))  # fmt: skip
    found = [(row["id"], row["position"], row["row_extract"]) for row in current(hub, source)["observation_component"]]
    assert found == [("o", 1, 2)]
    assert flow(hub, source)["observation_component"].superseded == 7


def test_a_resource_that_the_source_deleted_is_gone_until_it_is_there_again(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    names = (
        "plain",
        "slash",
        "absolute",
        "version",
        "case",
        "history",
        "tag",
        "later",
        "again",
        "both",
        "first",
        "stale",
        "kept",
    )
    part = {"code": {"text": "part"}, "valueInteger": 1}
    added_up(hub.receive(source, lines(
        # A deletion that comes before what it deletes.
        deletion("Observation/first", meta={"lastUpdated": "2021-01-01T00:00:00Z"}),
        *(observation(name, 1, "1", "2020-05-01T00:00:00Z", component=[part]) for name in names if name != "first"),
    ), "1.ndjson"))  # fmt: skip
    history = {"resourceType": "Bundle", "type": "history", "meta": {"lastUpdated": "2030-01-01T00:00:00Z"}, "entry": [
        {"fullUrl": "https://trust/fhir/Observation/again", "request": {"method": "PUT", "url": "Observation/again"},
         "resource": observation("again", 2), "response": {"status": "200", "lastModified": "2020-07-01T00:00:00Z", "etag": 'W/"3"'}},
        {"request": {"method": "DELETE", "url": "Observation/again/_history/2"}, "response": {"status": "204", "lastModified": "2020-06-01T00:00:00Z"}},
        {"request": {"method": "DELETE", "url": "Observation/history/_history/2"}, "response": {"status": "204", "lastModified": "2020-06-01T00:00:00Z"}},
        {"request": {"method": "DELETE", "url": "Observation/stale"}, "response": {"lastModified": "2020-04-01T00:00:00Z"}},
    ]}  # fmt: skip
    receipt = added_up(hub.receive(source, lines(
        deletion("Observation/plain"), deletion("/Observation/slash"), deletion("https://trust/fhir/Observation/absolute"),
        deletion(" Observation/version/_history/1 "),
        {"resourceType": "Bundle", "type": "batch", "entry": [{"request": {"method": "delete", "url": "Observation/case"},
                                                               "resource": observation("case", 1)}]},
        history,
        {**observation("tag", 1, "2", "2020-06-01T00:00:00Z"), "meta": {"versionId": "2", "tag": [{"code": "DELETED"}]}},
        deletion("Observation/later", timestamp="2020-06-01T00:00:00Z"),
        deletion("Observation/both"), observation("both", 2, "2", "2020-06-01T00:00:00Z"),
        observation("first", 2, "2", "2020-06-01T00:00:00Z"),
    ), "2.ndjson"))  # fmt: skip
    added_up(hub.receive(source, lines(observation("later", 2, "3", "2020-07-01T00:00:00Z")), "3.ndjson"))
    left = {row["id"]: row["value_number"] for row in current(hub, source)["observation"]}
    assert left == {"kept": 1, "later": 2, "again": 2, "stale": 1}
    assert {row["id"] for row in current(hub, source)["observation_component"]} == {"kept", "stale"}
    assert "observation: 14 rows received, 2 landed, 2 superseded by others of their key, 10 withdrawn" in words(
        receipt
    )
    assert flow(hub, source)["observation"].withdrawn == 9


def test_an_entry_that_is_no_resource_and_no_deletion_that_is_understood_is_in_quarantine(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    entries: list[Resource] = [
        {"request": {"method": "DELETE", "url": "Observation?identifier=a|b"}},
        {"request": {"method": "DELETE", "url": "Observation"}},
        {"request": {"method": "DELETE"}},
        {"request": {"method": "DELETE", "url": "Patient/p1/$purge"}},
        {"response": {"status": "204"}},
        {},
        {"request": {"method": "DELETE", "url": "Wizard/w"}},
        {"request": {"method": "DELETE", "url": "CarePlan/c"}},
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    manifest = {"transactionTime": "2020-05-01T00:00:00Z", "request": "https://trust", "output": [], "deleted": []}
    alone = {"resourceType": "Bundle", "entry": {"request": {"method": "DELETE", "url": "Observation/one"}}}
    receipt = added_up(hub.receive(source, lines(bundle, manifest, alone), "d.ndjson"))
    assert receipt.extracts[0].tables["observation"].withdrawn == 1
    assert [line for line, _, _ in hub.quarantined()] == [2, *range(1_000_001, 1_000_008)]
    reasons = {reason.reason: reason.rows for reason in receipt.quarantine_reasons}
    assert reasons == {
        "the entry of the Bundle has no resource, and asks for no deletion of one by its type and id": 5,
        "resourceType is not a resource type of FHIR R4": 1,
        "the line is no FHIR resource: resourceType is missing": 1,
        "the file is the manifest of an export; deliver the files that it names": 1,
    }
    assert receipt.extracts[0].tables["care_plan"].withdrawn == 1


def test_a_patient_whom_the_source_deleted_goes_with_what_it_says_of_them(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1970-05-06"}
    other = {**observation("theirs", 1), "subject": {"reference": "Patient/p2"}}
    added_up(hub.receive(source, lines(patient, {**patient, "id": "p2"}, observation("o", 1), other), "1.ndjson"))
    added_up(
        hub.receive(source, lines(deletion("Patient/p1", meta={"lastUpdated": "2020-05-01T00:00:00Z"})), "2.ndjson")
    )
    assert [row["id"] for row in current(hub, source)["observation"]] == ["theirs"]
    assert [row["row_line"] for row in current(hub, source)["patient"]] == [2]
    assert {table: row.withdrawn for table, row in flow(hub, source).items()} == {
        "patient": 1,
        "observation": 1,
        "observation_component": 0,
    }
    again = {**patient, "meta": {"lastUpdated": "2020-06-01T00:00:00Z"}}
    added_up(hub.receive(source, lines(again), "3.ndjson"))
    assert len(current(hub, source)["observation"]) == 2
    assert len(current(hub, source)["patient"]) == 2


def test_a_key_that_is_not_unique_in_its_file_is_told_and_refused_where_the_source_says_so(hub: Hub) -> None:
    source = hub.events()
    rows = (
        HEADER
        + "1,p1,2020-01-01,5,a\n1,p1,2020-01-02,6,a\n1,p1,2020-01-02,6,a\n2,p1,2020-01-01,5,a\n2,p1,2020-01-01,5,a\n"
    )
    receipt = added_up(hub.receive(source, rows))
    count = receipt.extracts[0].tables["events"]
    assert (count.received, count.landed, count.superseded, count.identical) == (5, 2, 1, 2)
    assert (
        "events: 5 rows received, 2 landed, 1 superseded by others of their key, 2 identical to others of their key"
        in words(receipt)
    )
    assert "warning: event_id is not unique: 3 rows with 1 key differ (lines 2, 3, 4); the last line counts" in words(
        receipt
    )
    assert flow(hub, source)["events"].repeated == 3
    strict = hub.source(EVENTS.format(settings="", more="").replace("key = [", "key_is_unique = true\nkey = ["))
    message = r"key_is_unique = true, but 3 rows that differ have 1 key \(lines 2, 3, 4\)"
    with pytest.raises(Invalid, match=message) as refused:
        hub.receive(strict, rows + "9,p1,2020-01-01,5,a\n", "more_events.csv")
    assert [(fault.path, fault.field) for fault in refused.value.faults] == [("more_events.csv", "events.event_id")]
    # Also of what was received before it was declared; rows that are equal are no contradiction.
    with pytest.raises(Invalid, match=message):
        hub.intake.land_again(strict, vault=hub.vault, progress=Silent())
    hub.receive(strict, HEADER + "1,p1,2020-01-01,5,a\n1,p1,2020-01-01,5,a\n", "equal_events.csv")


def test_a_day_that_another_source_gives_as_the_patients_birth_is_as_fine_as_births_are(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, HEADER + "e1,p1,1953-07-14,1,a\ne2,p1,1953-07-15,1,a\ne3,p2,1953-07-14,1,a\n")
    engine = DuckDBEngine(reaches=[hub.store])
    [first, *_] = (row["patient_ref"] for row in hub.landed())
    days = [dt.date(1953, 7, 14), dt.date(1953, 8, 14)]
    births = pa.table({"patient_ref": [first, first], "birth_date": days})
    rows = hub.intake.current(engine, source, excluded=None, births=births)["events"]
    found = engine.fetch(rows.order_by("row_line")).to_pylist()
    # Rules put a time of day behind a day: a day of another type would lose it, in every row.
    said = engine.fetch(rows.order_by("row_line").select(day=rows["event_date"].cast("string"))).to_pylist()
    engine.close()
    assert [row["day"] for row in said] == ["1953-07-01", "1953-07-15", "1953-07-14"]
    assert [row["event_date"] for row in found] == [dt.date(1953, 7, 1), dt.date(1953, 7, 15), dt.date(1953, 7, 14)]
    assert [set(row) for row in found] == [set(row) for row in hub.landed()]


def unreadable(name: str, version: str = "", updated: str = "", **more: Any) -> Resource:
    """A version whose status may negate and is in no shape that is known."""
    return observation(name, 9, version, updated, status="Entered in error", **more)


@pytest.mark.parametrize("is_one_file", [True, False])
def test_where_the_newest_version_is_in_quarantine_no_older_one_counts(hub: Hub, is_one_file: bool) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    early, late = "2020-05-01T10:00:00Z", "2020-05-02T10:00:00Z"
    parts = [{"code": {"text": "c"}, "valueQuantity": {"value": 1}}] * 2
    pairs = [
        (observation("newer", 1, "1", early, component=parts), unreadable("newer", "2", late)),
        (unreadable("later", "2", late), observation("later", 1, "1", early)),  # an older one that comes later
        (observation("numbered", 1, "1"), unreadable("numbered", "2")),
        (observation("plain", 1), unreadable("plain")),
        (deletion("Observation/deleted", meta={"lastUpdated": early}), unreadable("deleted", "2", late)),
        (unreadable("older", "1", early), observation("older", 1, "2", late)),
        (unreadable("again", "2", late), observation("again", 1, "2", late)),  # mended, as what it is
        (observation("so", 1, "2", late), unreadable("so", "2", late)),
    ]
    sides = [lines(*(pair[side] for pair in pairs)) for side in (0, 1)]
    files = [hub.folder / f"Observation-{number}.ndjson" for number in range(2)]
    for path, text in zip(files, ["".join(sides), ""] if is_one_file else sides, strict=True):
        path.write_text(text)
    receipt = added_up(hub.deliver(source, files[:1] if is_one_file else files))
    found = current(hub, source)
    assert {row["id"] for row in found["observation"]} == {"older", "again", "so"}
    assert found.get("observation_component", []) == []
    counted = flow(hub, source)
    assert (counted["observation"].outdated, counted["observation_component"].outdated) == (5, 2)
    landed = dict.fromkeys(counted, 0)
    for extract in receipt.extracts:
        for table, count in extract.tables.items():
            landed[table] += count.landed
    assert landed == {name: row.current for name, row in counted.items()}
    hub.receive(source, lines(observation("newer", 3, "2", late), observation("plain", 3)), "mended.ndjson")
    assert {row["id"] for row in current(hub, source)["observation"]} == {"older", "again", "so", "newer", "plain"}
    assert flow(hub, source)["observation"].outdated == 3


def test_a_patient_whose_newest_version_is_in_quarantine_is_who_they_were(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    person = {"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-01", "gender": "male"}
    hub.receive(source, lines(person, {**person, "deceasedDateTime": "2020-13-45"}), "Patient.ndjson")
    assert len(current(hub, source)["patient"]) == 1
    assert flow(hub, source)["patient"].outdated == 0


def test_a_row_in_quarantine_leaves_no_older_row_of_its_key_in_any_format(hub: Hub) -> None:
    source = hub.events()
    before = "".join(f"e{number},p1,2020-01-0{number},{number},A\n" for number in range(1, 5))
    hub.receive(source, HEADER + before)
    # A correction, a withdrawal, a row that is right again, and one whose key cannot be read.
    after = "e1,p1,2020-13-01,5,B,\ne2,p1,yesterday,2,A,D\ne3,p1,x,3,A,\ne3,p1,2020-01-03,3,B,\n,p1,2020-01-04,4,A,\n"
    added_up(hub.receive(source, HEADER.replace("\n", ",status\n") + after, "events-2.csv"))
    assert {row["event_id"]: row["code"] for row in current(hub, source)["events"]} == {"e3": "B", "e4": "A"}
    assert flow(hub, source)["events"].outdated == 2


_TABLE = """
title = "Practices"
controller = "practices"
kind = "gp"
format = "delimited"
[tables.rows]
files = ["*"]
key = {key}
patient = "patient_id"
[tables.rows.columns]
practice = "text"
patient_id = "text"
since = {since}
{says}
"""


@pytest.mark.parametrize(
    ("key", "since", "says", "stays"),
    [
        (["practice", "patient_id"], '{ type = "date", required = true }', '{ type = "date", identity = "birth_date" }', True),
        (["patient_id"], '{ type = "date", required = true }', '{ type = "text", identity = "sex" }', True),
        (["patient_id"], '{ type = "whole", required = true }', '"text"', True),  # a year of birth, say
        (["patient_id"], '{ type = "date", required = true }', '"text"', False),  # a death, say
        (["practice", "patient_id"], '{ type = "whole", required = true }', '"text"', False),
        (["practice"], '{ type = "date", required = true }', '{ type = "date", identity = "birth_date" }', False),  # an episode, say
    ],
)  # fmt: skip
def test_a_row_stays_that_says_who_somebody_is_and_none_that_says_what_happened(
    hub: Hub, key: list[str], since: str, says: str, stays: bool
) -> None:
    source = hub.source(_TABLE.format(key=json.dumps(key), since=since, says=f"said = {says}"), "practices")
    sound = "2000" if "whole" in since else "2000-01-01"
    hub.receive(source, f"practice,patient_id,since,said\nX,A,{sound},1950-01-01\n", "1.csv")
    hub.receive(source, "practice,patient_id,since,said\nX,A,unknown,1950-01-01\n", "2.csv")
    assert (len(current(hub, source)["rows"]), flow(hub, source)["rows"].outdated) == ((1, 0) if stays else (0, 1))


def test_components_that_a_newer_version_has_not_are_counted_as_superseded_at_once(hub: Hub) -> None:
    source = hub.source(FHIR.format(settings=""), "trust")
    parts = [{"code": {"text": "c"}, "valueQuantity": {"value": number}} for number in (1, 2)]
    older = observation("a", 1, updated="2020-01-01T00:00:00Z", component=parts)
    newer = observation("a", 2, updated="2020-01-02T00:00:00Z")
    for number, files in enumerate(([older, newer], [newer, older])):
        trust = hub.source(FHIR.format(settings=""), f"trust{number}")
        together = hub.receive(trust, lines(*files), "o.ndjson").extracts[-1].tables["observation_component"]
        assert (together.received, together.landed, together.superseded) == (2, 0, 2)
    paths = [hub.folder / name for name in ("o1.ndjson", "o2.ndjson")]
    for path, each in zip(paths, (older, newer), strict=True):
        path.write_text(lines(each))
    receipt = added_up(hub.deliver(source, paths))
    apart = receipt.extracts[0].tables["observation_component"]
    assert (apart.received, apart.landed, apart.superseded) == (2, 0, 2)
