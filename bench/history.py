"""What is received, looked through and erased after many deliveries: CPU-seconds and files opened, by how many came before.

    python -m bench.history [--deliveries 1 10 100 3650]

The first of the deliveries, of one small file, is received; the others are copies of it that the ledger has like any other: 3,650
are ten years of one a day. Then one more is received, once as it is and once after somebody of the source was erased; the store is
looked through; and a patient is erased from what was delivered. Receiving should cost what the new delivery costs; looking
through and erasing, what there is.
"""

import argparse
import dataclasses
import datetime as dt
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.actor import BENCH
from bench.measure import in_fresh_process
from fairhaven.hub import make_hub, open_hub
from fairhaven.journeys.deliveries.receive import receive_delivery
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.persons.recovery import ErasureUnderWay, carry_out
from fairhaven.journeys.store_files import files_of_deliveries
from fairhaven.journeys.store_verification import verify_store
from fairhaven.kernel.codec import to_json
from fairhaven.kernel.files import write_json
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import EventKind, content_hashes

DAY = dt.date(2026, 1, 31)
_SOURCE = """
title = "Ward"
controller = "trust"
kind = "hospital"
format = "delimited"
national_opt_out = false
[tables.events]
files = ["*"]
key = ["event_id"]
patient = "patient_id"
[tables.events.columns]
event_id = "text"
patient_id = "text"
event_date = "date"
nhs_number = { type = "text", identity = "nhs_number", optional = true }
"""
_HEADER = "event_id,patient_id,event_date\n"


def fill(folder: Path, deliveries: int) -> None:
    """A hub with so many deliveries."""
    make_hub(folder, by=BENCH)
    (folder / "controllers/trust.toml").write_text('title = "Trust"\n')
    (folder / "sources/ward.toml").write_text(_SOURCE)
    rooms = open_hub(folder)
    receive(rooms, "1,p1,2020-01-01\n2,p2,2020-01-02\n")
    [first] = rooms.intake.extracts()
    [delivery] = rooms.intake.deliveries()
    places = files_of_deliveries(rooms, [first])
    for number in range(2, deliveries + 1):
        sha256 = f"{number:064x}"
        copied = dataclasses.replace(first, number=number, delivery=number, sha256=sha256, sealed_as=sha256)
        targets = files_of_deliveries(rooms, [copied])
        for path, target in zip(places, targets, strict=True):
            if path.is_dir():
                shutil.copytree(path, target, copy_function=os.link, ignore=shutil.ignore_patterns("extract.json"))
                write_json(target / "extract.json", to_json(copied))
            elif path.suffix == ".json":
                write_json(target, to_json(dataclasses.replace(delivery, number=number, extracts=(number,))))
            else:
                os.link(path, target)
        facts = {"delivery": number, "source": "ward", "files": [{"name": first.file, "sha256": sha256}]}
        rooms.ledger.append(EventKind.DELIVERY, facts, by=BENCH, files=content_hashes(rooms.store, targets))


def receive(rooms: Rooms, rows: str) -> None:
    """Take one small file."""
    file = rooms.folder / "events.csv"
    file.write_text(_HEADER + rows)
    receive_delivery(rooms, source="ward", files=[file], received_on=DAY, today=DAY, by=BENCH, progress=Silent())


def erase(rooms: Rooms) -> None:
    """Erase the patient of the last delivery, from whatever was delivered."""
    last = max(rooms.vault.extracts())
    [patient] = rooms.vault.records([last])["patient_ref"].to_pylist()
    decided = ErasureUnderWay(person=1, patients={"ward": [patient]}, by=BENCH, after=rooms.ledger.length())
    carry_out(rooms, decided, progress=Silent())


def measured(folder: Path, work: str) -> tuple[float, int]:
    """CPU-seconds of one work in a hub, and how many files of the store Python opened for it."""
    works: dict[str, Callable[[Rooms], Any]] = {
        "receive": lambda rooms: receive(rooms, "3,p3,2020-01-03\n"),
        "receive after an erasure": lambda rooms: receive(rooms, "4,p4,2020-01-04\n"),
        "verify": lambda rooms: verify_store(rooms, after="", progress=Silent()),
        "erase": erase,
    }
    opened, store = [0], f"{folder / 'store'}/"

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        opened[0] += event == "open" and str(arguments[0]).startswith(store)

    rooms = open_hub(folder)
    sys.addaudithook(count)
    began = time.process_time()
    works[work](rooms)
    return time.process_time() - began, opened[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, nargs="+", default=[1, 10, 100, 3650])
    works = ("receive", "verify", "erase", "receive after an erasure")
    print(f"| deliveries before | {' | '.join(f'{work}, CPU-s, files opened' for work in works)} |")
    print(f"|---:|{'---|' * len(works)}")
    for deliveries in parser.parse_args().deliveries:
        with tempfile.TemporaryDirectory() as name:
            hub = Path(name) / "hub"
            in_fresh_process(fill, hub, deliveries)
            figures = [in_fresh_process(measured, hub, work) for work in works]
        print(
            f"| {deliveries:,} | {' | '.join(f'{seconds:.2f}, {opened:,}' for seconds, opened in figures)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
