"""Current rows, Type 1 opt-outs and the reconciliation are the same on every engine."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fairhaven.engine import Engine
from fairhaven.intake import Source, check_reconciled
from tests.support.intake_hub import HEADER, Hub
from tests.support.linked_tables import ACTIVITIES, CONTACTS, REFERRALS, Linked

TYPE_1 = (
    '[type_1_opt_out]\ntable = "events"\ncolumn = "code"\ndate = "event_date"\nopted_out = ["OUT"]\nopted_in = ["IN"]'
)
DELIVERIES = (
    "1,p1,2020-01-01,5,a\n2,p2,2020-01-02,6,OUT\n3,p3,2020-01-03,7,OUT\n4,p4,bad,8,c\n",
    "1,p1,2020-01-01,9,a\n5,p3,2020-02-03,,IN\n5,p3,2020-02-03,1,IN\n",
    "6,p5,2020-03-01,2,é\n",
)


def answers(engine: Engine, hub: Hub, source: Source) -> list[object]:
    """Everything that intake tells through an engine, in an order of its own."""
    opted_out = hub.intake.type_1_opt_outs(engine, source)
    excluded = engine.arrow(opted_out)
    rows = engine.fetch(hub.intake.current(engine, source, excluded=excluded)["events"]).to_pylist()
    counts = hub.intake.reconcile(engine, source, excluded)
    check_reconciled(counts)
    return [opted_out.to_pylist(), sorted(repr(sorted(row.items())) for row in rows), counts]


def test_every_engine_tells_the_same(spark: Engine, reference: Engine, tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.events(more=TYPE_1)
    for number, rows in enumerate(DELIVERIES):
        hub.receive(source, HEADER + rows, name=f"events{number}.csv")
    theirs, ours = answers(spark, hub, source), answers(reference, hub, source)
    assert ours == theirs
    assert isinstance(ours[0], list) and len(ours[0]) == 1
    counts = ours[2]
    assert isinstance(counts, list | tuple)
    [count] = counts
    assert (count.received, count.landed, count.quarantined, count.opted_out, count.current) == (8, 6, 1, 1, 4)


def test_every_engine_tells_the_same_version_of_a_fhir_resource(
    spark: Engine, reference: Engine, tmp_path: Path
) -> None:
    hub = Hub(tmp_path)
    source = hub.source('title = "x"\ncontroller = "c"\nkind = "hospital"\nformat = "fhir"\n', "trust")
    about = {"resourceType": "Observation", "subject": {"reference": "Patient/a"}}
    part = {"valueInteger": 1}
    deliveries: list[list[list[dict[str, object]]]] = [
        [
            [{"resourceType": "Patient", "id": name} for name in "ab"],
            [{**about, "id": "o", "component": [part, part], "meta": {"lastUpdated": "2020-05-02T00:00:00Z"}}],
            [{**about, "id": "o", "component": [part], "meta": {"versionId": "1"}}, {**about, "id": "gone"}],
        ],
        [[{**about, "id": "o", "meta": {"lastUpdated": "2020-05-01T00:00:00Z"}}]],
        [[{"resourceType": "Bundle", "entry": [{"request": {"method": "DELETE", "url": url}} for url in ("Observation/gone", "Patient/b")]}]],
    ]  # fmt: skip
    for number, files in enumerate(deliveries):
        paths = [tmp_path / f"{number}-{place}.ndjson" for place in range(len(files))]
        for path, resources in zip(paths, files, strict=True):
            path.write_text("".join(json.dumps(each) + "\n" for each in resources))
        hub.deliver(source, paths)

    def told(engine: Engine) -> list[object]:
        tables = hub.intake.current(engine, source, excluded=None)
        counts = hub.intake.reconcile(engine, source, None)
        check_reconciled(counts)
        names = ["row_extract", "row_line", "id"]
        return [
            counts,
            *(
                engine.fetch(tables[name].select(names)).to_pylist()
                for name in ("observation", "observation_component")
            ),
        ]

    ours = told(reference)
    assert ours == told(spark)
    first = {"row_extract": 2, "row_line": 1, "id": "o"}
    assert ours[1:] == [[first], [first, first]]


def test_columns_that_an_earlier_extract_lacks_are_null(engine: Engine, tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    source = hub.source('title = "x"\ncontroller = "c"\nkind = "cdm"\nformat = "fhir"\n', "trust")
    hub.receive(source, '{"resourceType": "Patient", "id": "a"}\n', name="one.ndjson")
    hub.receive(source, '{"resourceType": "Patient", "id": "b", "birthDate": "1980-05-06"}\n', name="two.ndjson")
    path = hub.store / "landing/000001/patient.parquet"

    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["birth_date"]), path)
    current = hub.intake.current(engine, source, excluded=None)["patient"]
    rows: pa.Table = engine.fetch(current.order_by("row_extract"))
    assert [str(day) for day in rows.column("birth_date").to_pylist()] == ["None", "1980-05-01"]


def test_current_rows_have_the_patient_that_they_belong_to_and_opt_outs_leave_them_out(
    engine: Engine, tmp_path: Path
) -> None:
    hub = Linked(tmp_path)
    hub.bring(referral=REFERRALS, contact=CONTACTS + "C7,R7,2024-02-02\n", activity=ACTIVITIES)
    excluded = engine.arrow(pa.table({"patient_ref": [hub.ref("L1")]}))
    current = hub.intake.current(engine, hub.mh, excluded=excluded)
    for table in ("referral", "contact", "activity"):
        assert engine.fetch(current[table]).column("patient_ref").to_pylist() == [hub.ref("L2")]
    counts = hub.intake.reconcile(engine, hub.mh, excluded)
    check_reconciled(counts)
    assert {count.table: count.opted_out for count in counts} == {"referral": 1, "contact": 2, "activity": 1}
