"""Deliveries: whole or not at all, once and not twice; what lands of them, and what is current."""

import dataclasses
import datetime as dt
import hashlib
import os
import shutil
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from fairhaven.cli import delivery_text
from fairhaven.engine import DuckDBEngine
from fairhaven.intake import (
    Source,
    check_opt_out_list,
    check_quarantine,
    check_reconciled,
)
from fairhaven.intake.landing import LandingKeys
from fairhaven.kernel.errors import Invalid, NotAllowedNow, Refused
from fairhaven.kernel.ids import digest52, pseudonym
from fairhaven.kernel.progress import Silent
from tests.support.intake_hub import DAY, HEADER, Hub

ROWS = HEADER + "1,p1,2020-01-01,5,a\n2,p2,2020-01-02,6,b\n"
NUMBERS = ("9990000018", "9990000026")


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


def ref(hub: Hub, patient: str, source: str = "gp") -> str:
    return pseudonym(LandingKeys.of(hub.keyring.pseudonyms.key_for).pseudonym, source, patient)


def counts(hub: Hub, source: Source, excluded: list[str] | None = None) -> dict[str, int]:
    with closing(DuckDBEngine(reaches=[hub.store])) as engine:
        table = None if excluded is None else engine.arrow(pa.table({"patient_ref": pa.array(excluded, pa.string())}))
        found = hub.intake.reconcile(engine, source, table)
    check_reconciled(found)
    plain = dataclasses.asdict(found[0])
    return {name: plain[name] for name in plain if name not in ("source", "table")}


def current(hub: Hub, source: Source, table: str = "events") -> list[dict[str, object]]:
    engine = DuckDBEngine(reaches=[hub.store])
    rows = engine.fetch(hub.intake.current(engine, source, excluded=None)[table].order_by(["row_extract", "row_line"]))
    engine.close()
    found: list[dict[str, object]] = rows.to_pylist()
    return found


def test_a_pipe_a_missing_file_and_a_name_that_is_not_utf_8_are_told_at_once(hub: Hub) -> None:
    os.mkfifo(hub.folder / "events_pipe.csv")
    oddly_named = hub.folder / os.fsdecode(b"events_caf\xe9.csv")
    oddly_named.write_text(ROWS)
    with pytest.raises(Invalid) as caught:
        hub.deliver(hub.events(), [hub.folder / "events_pipe.csv", oddly_named, hub.folder / "events_gone.csv"])
    said = "\n".join(map(str, caught.value.faults))
    assert "events_pipe.csv: is a pipe; deliver a file" in said
    assert "events_caf\ufffd.csv: the file's name is not UTF-8" in said
    assert "events_gone.csv: does not exist" in said


def test_the_receipt_says_why_rows_are_in_quarantine_and_where(hub: Hub) -> None:
    days = "".join(f"{number},p{number},someday,5,a\n" for number in range(7))
    receipt = hub.receive(hub.events(), HEADER + days + "8,p8,2020-01-01,five,a\n9,p9\n")
    first, *others = receipt.quarantine_reasons
    assert (first.table, first.field, first.rows, first.lines) == ("events", "event_date", 7, (2, 3, 4, 5, 6))
    assert {(reason.field, reason.lines) for reason in others} == {("value", (9,)), ("", (10,))}
    said = "\n".join(delivery_text.receipt(receipt))
    assert "quarantined: event_date is not a date in a declared form: 7 (lines 2, 3, 4, 5, 6, ...)" in said
    assert "quarantined: value is not a number: 1 (line 9)" in said


def test_rows_in_quarantine_are_counted_by_kind_also_where_two_extracts_have_them_on_the_same_line(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, HEADER + "1,p1,someday,5,a\n2,p2,2020-01-01,five,a\n")
    hub.receive(source, HEADER + "3,p3,someday,5,a\n", name="events_2.csv")
    found = hub.intake.quarantined(hub.intake.extracts())
    assert [(each.source, each.table, each.field, each.rows) for each in found] == [
        ("gp", "events", "event_date", 2),
        ("gp", "events", "value", 1),
    ]
    assert hub.intake.quarantined(hub.intake.extracts()[1:])[0].rows == 1


def test_the_same_bytes_again_do_nothing_and_it_is_said(hub: Hub) -> None:
    source = hub.events()
    first = hub.receive(source, ROWS)
    again = hub.receive(source, ROWS, name="events_again.csv")
    assert (first.delivery, again.delivery) == (1, None)
    assert again.already_received == {"events_again.csv": 1}
    assert len(hub.intake.extracts()) == 1


def test_of_a_mixed_delivery_only_the_new_file_lands(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, ROWS)
    old, new = hub.folder / "inbox/events.csv", hub.folder / "events2.csv"
    new.write_text(HEADER + "3,p3,2020-01-01,,\n")
    receipt = hub.deliver(source, [old, new, new])
    assert [extract.file for extract in receipt.extracts] == ["events2.csv"]
    assert receipt.already_received == {"events.csv": 1}


def test_one_bad_file_refuses_the_delivery_and_the_faults_of_all_files_are_said(hub: Hub) -> None:
    source = hub.events()
    files = []
    for name, content in (("events1.csv", ROWS), ("events2.csv", "event_id\n1\n"), ("other.csv", ROWS + "\n")):
        files.append(hub.folder / name)
        files[-1].write_text(content)
    with pytest.raises(Invalid) as refused:
        hub.deliver(source, files)
    assert {fault.path for fault in refused.value.faults} == {"events2.csv", "other.csv"}
    assert hub.intake.extracts() == []
    assert hub.vault.by_extract == {}


def test_bytes_are_kept_as_delivered_and_sealed(hub: Hub) -> None:
    receipt = hub.receive(hub.events(), ROWS)
    digest = hashlib.sha256(ROWS.encode()).hexdigest()
    sealed = hub.store / "received" / f"{digest}.sealed"
    assert receipt.extracts[0].sha256 == digest
    assert hub.keyring.deliveries.open_bytes(sealed) == ROWS.encode()
    assert b"2020-01-01" not in sealed.read_bytes()


def test_identifiers_go_to_the_vault_and_coarse_ones_land(hub: Hub) -> None:
    header = HEADER.strip() + ",nhs_number,postcode,born\n"
    hub.receive(hub.events(), header + "1,p1,2020-01-01,5,a,9990000018,ls1 4ab,1980-05-06\n2,p1,2020-01-02,5,a,,,\n")
    row = hub.landed()[0]
    assert (row["postcode_district"], row["birth_date"]) == ("LS1", dt.date(1980, 5, 1))
    assert "nhs_number" not in row and "patient_id" not in row and "postcode" not in row
    [record] = hub.vault.records()
    assert record["patient_ref"] == row["patient_ref"] == ref(hub, "p1")
    assert (record["nhs_number"], record["birth_date"]) == ("9990000018", dt.date(1980, 5, 6))


@pytest.mark.parametrize(("precision", "expected"), [("day", 6), ("month", 1), ("year", 1)])
def test_a_birth_date_lands_as_finely_as_the_hub_allows(tmp_path: Path, precision: str, expected: int) -> None:
    hub = Hub(tmp_path, birth_date=precision)
    hub.receive(hub.events(), HEADER.strip() + ",born\n1,p1,2020-01-01,5,a,1980-05-06\n")
    born = hub.landed()[0]["birth_date"]
    assert born == dt.date(1980, 1 if precision == "year" else 5, expected)


def test_row_keys_are_keyed_digests_of_the_natural_key(hub: Hub) -> None:
    hub.receive(hub.events(), ROWS)
    salt = LandingKeys.of(hub.keyring.pseudonyms.key_for).salt("gp", "events")
    assert hub.landed()[0]["row_key"] == digest52(salt, "1")
    assert all(0 <= int(str(row["row_key"])) < 1 << 52 for row in hub.landed())


def test_without_a_key_equal_rows_are_numbered_and_keep_their_keys(hub: Hub) -> None:
    source = hub.events()
    table = dataclasses.replace(source.tables["events"], key=())
    source = dataclasses.replace(source, tables={"events": table})
    hub.receive(source, HEADER + "1,p1,2020-01-01,5,a\n1,p1,2020-01-01,5,a\n2,p1,2020-01-01,,\n")
    hub.receive(source, HEADER + "2,p1,2020-01-01,,\n1,p1,2020-01-01,5,a\n", name="events2.csv")
    first, second = hub.landed(1), hub.landed(2)
    assert len({row["row_key"] for row in first}) == 3
    assert second[1]["row_key"] == first[0]["row_key"]
    assert counts(hub, source)["current"] == 3


def test_later_deliveries_change_add_and_withdraw(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, ROWS)
    more = HEADER.strip() + ",status\n1,p1,2020-01-01,7,a,\n2,p2,2020-01-02,6,b,D\n3,p3,2020-01-03,,,A\n"
    hub.receive(source, more, name="events2.csv")
    assert [(row["event_id"], row["value"]) for row in current(hub, source)] == [("1", 7.0), ("3", None)]
    assert counts(hub, source) == {
        "received": 5,
        "landed": 5,
        "quarantined": 0,
        "opted_out": 0,
        "superseded": 2,
        "withdrawn": 1,
        "current": 2,
        "repeated": 0,
        "outdated": 0,
    }


def test_within_an_extract_the_later_line_of_a_key_wins_and_both_are_counted(hub: Hub) -> None:
    source = hub.events()
    receipt = hub.receive(source, HEADER + "1,p1,2020-01-01,5,a\n1,p1,2020-01-01,6,a\n")
    assert not receipt.extracts[0].tables["events"].has_unique_keys
    assert [row["value"] for row in current(hub, source)] == [6.0]
    assert counts(hub, source)["superseded"] == 1


def test_a_full_delivery_replaces_the_one_before(hub: Hub) -> None:
    source = hub.events('delivery = "full"')
    hub.receive(source, ROWS)
    hub.receive(source, HEADER + "9,p9,2020-01-01,,\n", name="events2.csv")
    assert [row["event_id"] for row in current(hub, source)] == ["9"]
    assert counts(hub, source)["superseded"] == 2


def test_opted_out_patients_are_left_out_and_counted(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, ROWS)
    assert counts(hub, source, [ref(hub, "p1")]) == {
        "received": 2,
        "landed": 1,
        "quarantined": 0,
        "opted_out": 1,
        "superseded": 0,
        "withdrawn": 0,
        "current": 1,
        "repeated": 0,
        "outdated": 0,
    }


def test_rows_that_do_not_add_up_are_refused(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, ROWS)
    path = hub.store / "landing/000001/events.parquet"
    with duckdb.connect() as connection:
        kept = connection.execute(f"SELECT * FROM read_parquet('{path}') LIMIT 1").fetch_arrow_table()
        connection.register("kept", kept)
        connection.execute(f"COPY kept TO '{path}' (FORMAT parquet)")
    with pytest.raises(Refused, match="rows do not add up"):
        counts(hub, source)


def test_too_many_quarantined_rows_are_refused(hub: Hub) -> None:
    source = hub.events("quarantine_limit = 0.3")
    hub.receive(source, HEADER + "1,p1,2020-01-01,5,a\n2,p2,x,6,b\n")
    with pytest.raises(NotAllowedNow, match=r"1 of 2 rows are quarantined \(50.0%\)"):
        check_quarantine(source, hub.intake.extracts())


def test_a_changed_declaration_lands_again_from_the_sealed_bytes(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, HEADER + "1,p1,2020-01-01,high,a\n")
    shutil.rmtree(hub.folder / "inbox")
    changed = dataclasses.replace(source, digest="another", tables={"events": _as_text(source)})
    assert [extract.number for extract in hub.intake.to_land_again(changed)] == [1]
    assert hub.intake.land_again(changed, vault=hub.vault, progress=Silent()) == (1,)
    assert [row["value"] for row in hub.landed()] == ["high"]
    assert hub.intake.to_land_again(changed) == []
    assert hub.quarantined() == []


def _as_text(source: Source):  # type: ignore[no-untyped-def]
    table = source.tables["events"]
    columns = tuple(dataclasses.replace(c, type="text") if c.name == "value" else c for c in table.columns)
    return dataclasses.replace(table, columns=columns)


def test_a_row_leads_back_to_its_file_and_line(hub: Hub) -> None:
    hub.receive(hub.events(), ROWS)
    place = hub.intake.where(1, 3)
    assert (place.source, place.file, place.line, place.received_on) == ("gp", "events.csv", 3, DAY)


def test_what_is_received_later_is_not_seen_by_who_began_before_and_is_not_cleared_by_them(hub: Hub) -> None:
    source = hub.events()
    hub.receive(source, ROWS)
    seen = hub.intake.until(1)
    hub.receive(source, HEADER + "9,p9,2020-01-01,,\n", name="events2.csv")
    assert [delivery.number for delivery in seen.deliveries()] == [1]
    assert [extract.number for extract in seen.extracts()] == [1]
    seen.recover(hub.vault, known={})
    assert [extract.number for extract in hub.intake.extracts()] == [1, 2]
    assert sorted(hub.vault.by_extract) == [1, 2]
    assert hub.lines(2) == [2]


TYPE_1 = (
    '[type_1_opt_out]\ntable = "events"\ncolumn = "code"\ndate = "event_date"\nopted_out = ["OUT"]\nopted_in = ["IN"]'
)


@pytest.mark.parametrize(
    ("rows", "is_out"),
    [
        ("1,p1,2020-01-01,,OUT\n", True),
        ("1,p1,2020-01-01,,OUT\n2,p1,2020-01-02,,IN\n", False),
        ("1,p1,2020-01-03,,OUT\n2,p1,2020-01-02,,IN\n", True),
        ("1,p1,2026-01-30,,OUT\n2,p1,2026-01-31,,IN\n", False),
        ("1,p1,2026-01-30,,OUT\n2,p1,2026-02-01,,IN\n", True),
        ("1,p1,2020-01-02,,OUT\n2,p1,2020-01-02,,IN\n", True),
        ("1,p1,2020-01-02,,IN\n", False),
        ("1,p1,not a day,,OUT\n2,p2,2020-01-01,,\n", True),
        ("1,p1,2020-01-01,,\n", False),
        # The newest row of the key is in quarantine: an opt-out stands, an opt-in does not.
        ("1,p1,2020-01-01,,OUT\n1,p1,not a day,,a\n", True),
        ("1,p1,2020-01-01,,OUT\n2,p1,2020-01-02,,IN\n2,p1,not a day,,a\n", True),
    ],
)
def test_the_latest_type_1_code_counts_and_doubt_means_opted_out(hub: Hub, rows: str, is_out: bool) -> None:
    source = hub.events(more=TYPE_1)
    hub.receive(source, HEADER + rows)
    engine = DuckDBEngine(reaches=[hub.store])
    assert hub.intake.type_1_opt_outs(engine, source).column("patient_ref").to_pylist() == [ref(hub, "p1")] * is_out
    engine.close()


def test_an_unreadable_line_that_may_hold_an_opt_out_stops_the_build_until_a_new_delivery(hub: Hub) -> None:
    source = hub.events(more=TYPE_1)
    engine = DuckDBEngine(reaches=[hub.store])
    hub.receive(source, HEADER + "1,p1,2020-01-01,,a\n2,p2,OUT\n")
    with pytest.raises(NotAllowedNow, match=r"events\.csv:3"):
        hub.intake.type_1_opt_outs(engine, source)
    hub.receive(source, HEADER + "2,p2,2020-01-01,,OUT\n", name="events2.csv")
    assert hub.intake.type_1_opt_outs(engine, source).column("patient_ref").to_pylist() == [ref(hub, "p2")]
    engine.close()


LIST = 'title = "x"\ncontroller = "nhs"\nkind = "opt-out"\nformat = "opt-out"\n'


def test_an_opt_out_list_is_kept_sealed_and_its_faulty_lines_are_named(hub: Hub) -> None:
    source = hub.source(LIST, "optout")
    receipt = hub.receive(
        source, f"{NUMBERS[0]},\r\n999 000 0026\n9990000019,\nhello\n\n{NUMBERS[0]}\n", name="mesh.dat"
    )
    assert (receipt.opt_outs, receipt.faulty_lines) == (3, (3, 4))
    found = hub.intake.national_opt_out(as_of=DAY + dt.timedelta(days=3))
    assert sorted(found.numbers.column("nhs_number").to_pylist()) == sorted(NUMBERS)
    assert found.dated == DAY
    for path in hub.store.rglob("*"):
        assert path.is_dir() or NUMBERS[0].encode() not in path.read_bytes()


def test_the_latest_list_by_the_day_asked_for_replaces_earlier_ones(hub: Hub) -> None:
    source = hub.source(LIST, "optout")
    hub.receive(source, NUMBERS[0], name="a.dat", day=DAY)
    hub.receive(source, NUMBERS[1], name="b.dat", day=DAY + dt.timedelta(days=30))
    assert hub.intake.national_opt_out(as_of=DAY).numbers.column(0).to_pylist() == [NUMBERS[0]]
    later = hub.intake.national_opt_out(as_of=DAY + dt.timedelta(days=30))
    assert later.numbers.column(0).to_pylist() == [NUMBERS[1]]


def test_a_list_that_arrives_late_does_not_replace_a_later_one(hub: Hub) -> None:
    source = hub.source(LIST, "optout")
    hub.receive(source, NUMBERS[1], name="b.dat", day=DAY)
    hub.receive(source, NUMBERS[0], name="a.dat", day=DAY - dt.timedelta(days=30))
    found = hub.intake.national_opt_out(as_of=DAY)
    assert (found.numbers.column(0).to_pylist(), found.dated) == ([NUMBERS[1]], DAY)


def test_the_age_of_a_list_is_counted_to_today_where_the_release_speaks_for_an_earlier_day(hub: Hub) -> None:
    hub.receive(hub.source(LIST, "optout"), NUMBERS[0], name="mesh.dat")
    found = hub.intake.national_opt_out(as_of=DAY)
    month_later = DAY + dt.timedelta(days=31)
    with pytest.raises(NotAllowedNow, match=f"31 days before {month_later}"):
        check_opt_out_list(found, as_of=DAY, today=month_later, max_age_days=30)


def test_a_list_of_a_day_to_come_is_refused_also_where_an_earlier_version_received_it(hub: Hub) -> None:
    hub.receive(hub.source(LIST, "optout"), NUMBERS[0], name="mesh.dat")
    found = hub.intake.national_opt_out(as_of=DAY)
    with pytest.raises(NotAllowedNow, match="a list of a day to come would never grow old"):
        check_opt_out_list(found, as_of=DAY, today=DAY - dt.timedelta(days=1), max_age_days=30)


@pytest.mark.parametrize(
    ("name", "days_before"),
    [("mesh.dat", 0), ("ndop_2025-12-01.csv", 45), ("NDOP20251201093000.dat", 45), ("lot_20251399_1.dat", 0)],
)
def test_a_list_is_as_old_as_its_name_says(hub: Hub, name: str, days_before: int) -> None:
    hub.receive(hub.source(LIST, "optout"), NUMBERS[0], name=name, day=dt.date(2026, 1, 15))
    dated = hub.intake.national_opt_out(as_of=dt.date(2026, 1, 15)).dated
    assert dated == dt.date(2026, 1, 15) - dt.timedelta(days=days_before)


def test_a_list_whose_name_carries_a_day_after_its_delivery_is_refused(hub: Hub) -> None:
    source = hub.source(LIST, "optout")
    with pytest.raises(Invalid, match="how old the list is cannot be known"):
        hub.receive(source, NUMBERS[0], name="ndop_20260116.csv", day=dt.date(2026, 1, 15))
    assert hub.intake.deliveries() == []


@pytest.mark.parametrize("content", ["", "NHS number\n", "\0\xff"])
def test_a_list_without_numbers_is_refused(hub: Hub, content: str) -> None:
    with pytest.raises(Invalid, match="holds no NHS number"):
        hub.receive(hub.source(LIST, "optout"), content, name="mesh.dat")


def test_no_list_and_an_old_list_fail_closed(hub: Hub) -> None:
    with pytest.raises(NotAllowedNow, match="no list had been received"):
        check_opt_out_list(hub.intake.national_opt_out(as_of=DAY), as_of=DAY, today=DAY, max_age_days=30)
    hub.receive(hub.source(LIST, "optout"), NUMBERS[0], name="mesh.dat")
    for days, is_refused in ((30, False), (31, True)):
        day = DAY + dt.timedelta(days=days)
        found = hub.intake.national_opt_out(as_of=day)
        if is_refused:
            with pytest.raises(NotAllowedNow, match="31 days before"):
                check_opt_out_list(found, as_of=day, today=DAY, max_age_days=30)
        else:
            check_opt_out_list(found, as_of=day, today=DAY, max_age_days=30)


def test_an_opt_out_list_with_the_same_numbers_a_month_later_is_fresh(hub: Hub) -> None:
    source = hub.source(LIST, "optouts")
    month = dt.timedelta(days=31)
    assert hub.receive(source, "9990000018,\n", "list.dat").delivery == 1
    assert hub.receive(source, "9990000018,\n", "list.dat").delivery is None
    assert hub.receive(source, "9990000018,\n", "list.dat", DAY + month).delivery == 2
    assert hub.intake.national_opt_out(as_of=DAY + month + dt.timedelta(days=1)).dated == DAY + month
    assert hub.intake.national_opt_out(as_of=DAY + dt.timedelta(days=2)).dated == DAY
