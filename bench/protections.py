"""What each protection of a file or a connection costs, beside the same work without it: CPU-milliseconds.

    python -m bench.protections [--megabytes 200] [--entries 100000] [--records 100000] [--times 5]

Each row is the median of some tries. Behind them stands what each takes of receiving the first delivery of the demonstration region, in
CPU-seconds of a profile (of which DuckDB's opening is counted again where it is opened). What all of them cost a whole receive and build
is `bench.earlier`.
"""

import argparse
import cProfile
import datetime as dt
import hashlib
import itertools
import json
import random
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bench import build
from bench.actor import BENCH
from bench.measure import in_fresh_process
from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.kernel.envelope import Envelope
from fairhaven.kernel.files import canonical_json, sha256_of
from fairhaven.ledger import Entry, EventKind, Ledger
from fairhaven.linkage import Vault
from fairhaven.linkage.model import IDENTITY_SCHEMA

_OF_A_RECEIVE = {
    "texts, numbers and days searched for identifiers": [
        ("intake/landed_texts.py", "_searched"),
        ("intake/landed_texts.py", "_screened"),
    ],
    "what people are known by, made and sealed": [("linkage/vault.py", "known_identifiers")],
    "rows of one key told apart and counted": [
        ("intake/repeated_keys.py", "in_file"),
        ("intake/delivery_counts.py", "counted_together"),
    ],
    "DuckDB opened, locked and closed": [("engine/duckdb_connection.py", "open_duckdb")],
    "bytes sealed": [("kernel/envelope.py", "seal")],
    "files and folders made durable": [("kernel/files.py", "sync")],
    "files hashed, the entry of the ledger signed": [("deliveries/receive.py", "_enter")],
    "the lock held, keys checked, stock taken": [
        ("journeys/hub_locks.py", "holding"),
        ("kernel/keyring.py", "check"),
        ("deliveries/receive.py", "recover_deliveries"),
    ],
}
"""What protects -> the functions that do it."""


def cpu(work: Callable[[], object], times: int) -> float:
    """CPU-milliseconds of a work, the median of some tries."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        work()
        spent.append((time.process_time() - began) * 1000)
    return statistics.median(spent)


def opened(*, spill: Path | None) -> None:
    """A connection as the hub's work has it, opened and closed."""
    with open_duckdb(spill=spill):
        pass


def seal(envelope: Envelope, plain: Path, sealed: Path) -> None:
    """Seal a file's bytes."""
    with plain.open("rb") as file:
        envelope.seal(file, sealed)


def read(path: Path) -> None:
    """Read a file's bytes and look at none."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def fill(path: Path, entries: int) -> None:
    """A ledger as years of questions, deliveries and descriptions leave one; written at once, because each append is synced."""
    acts: list[tuple[EventKind, dict[str, Any], dict[str, str | None]]] = [
        (EventKind.QUESTIONS, {"record": "ab" * 16, "logs": {"1000": {"lines": 7, "end": 700, "hash": "cd" * 32}}}, {}),
        (EventKind.DELIVERY, {"delivery": 7, "source": "gp"}, {f"landing/00000{n}/events.parquet": "12" * 32 for n in (1, 2)}),
        (EventKind.DESCRIPTION, {"release": "r0001"}, {"archive/releases/0001/quality.json": "14" * 32}),
    ]  # fmt: skip
    previous = "0" * 64
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, entries + 1):
            kind, facts, files = acts[number % len(acts)]
            entry = Entry(
                number=number, at="2026-11-30T08:00:00+00:00", kind=kind.value, facts=facts, files=files, actor=BENCH,
                previous=previous, hash="",
            )  # fmt: skip
            previous = hashlib.sha256(canonical_json(entry.content()).encode()).hexdigest()
            file.write(canonical_json({**entry.content(), "hash": previous}) + "\n")


def parse(ledger: Path) -> None:
    """The same lines as plain JSON, kept, and the SHA-256 of each."""
    with ledger.open("rb") as file:
        [(json.loads(line), hashlib.sha256(line).hexdigest()) for line in file]


def identity_records(count: int) -> pa.Table:
    """Records of as many people of one source, each with a number, a name, a birth, a postcode and an address of one's own."""
    draw = random.Random(1)
    syllables = ["an", "bel", "cor", "da", "el", "fin", "gra", "hol", "is", "jor", "ka", "lin", "mor", "na", "os", "pe"]
    names = ["".join(parts).title() for parts in itertools.product(syllables, syllables, syllables)]
    fields: dict[str, Sequence[object]] = {
        "source": ["gp"] * count,
        "patient_ref": [secrets.token_hex(16) for _ in range(count)],
        "nhs_number": [str(9_000_000_000 + number) for number in range(count)],
        "given_name": draw.choices(names, k=count),
        "family_name": draw.choices(names, k=count),
        "birth_date": [dt.date(1930, 1, 1) + dt.timedelta(days=number % 30_000) for number in range(count)],
        "postcode": [f"NX{number % 80} {number % 9 + 1}AB" for number in range(count)],
        "address": [f"{number % 200} {name} Street" for number, name in enumerate(draw.choices(names, k=count))],
    }
    return pa.table(
        {
            field.name: pa.array(fields[field.name], field.type)
            if field.name in fields
            else pa.nulls(count, field.type)
            for field in IDENTITY_SCHEMA
        }
    )


def known(vault: Vault, *, is_kept: bool) -> None:
    """What the vault's records are known by, as a receive asks for it."""
    if not is_kept:
        vault.add(1, vault.records([1]))
    vault.known_identifiers(key=bytes(32), source="gp")


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    key = secrets.token_bytes(32)
    envelope = Envelope(lambda: key)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, sealed = folder / "plain", folder / "sealed"
        with plain.open("wb") as file:
            for _ in range(arguments.megabytes):
                file.write(secrets.token_bytes(1_000_000))
        ledger = folder / "ledger.jsonl"
        fill(ledger, arguments.entries)
        vault = Vault(folder / "vault", envelope)
        vault.add(1, identity_records(arguments.records))
        known(vault, is_kept=True)
        bytes_ = f"{arguments.megabytes} MB"
        rows: list[tuple[str, Callable[[], object], str, Callable[[], object]]] = [
            ("DuckDB opened, locked, with encrypted spill", lambda: opened(spill=folder), "bare", _bare),
            ("DuckDB opened, locked, without spill", lambda: opened(spill=None), "bare", _bare),
            (f"{bytes_} sealed", lambda: seal(envelope, plain, sealed), "copied", lambda: shutil.copy(plain, folder / "copy")),
            (f"{bytes_} opened", lambda: sum(map(len, envelope.chunks(sealed))), "read", lambda: read(plain)),
            (f"{bytes_} hashed", lambda: sha256_of(plain), "read", lambda: read(plain)),
            (f"{arguments.entries:,} entries of a ledger compared", lambda: Ledger(ledger).entries(), "parsed and hashed", lambda: parse(ledger)),
            (f"what {arguments.records:,} people are known by, kept", lambda: known(vault, is_kept=True), "made of their records", lambda: known(vault, is_kept=False)),
        ]  # fmt: skip
        print("| protection | CPU-ms | without it | CPU-ms |\n|---|---:|---|---:|")
        for title, protected, peer, without in rows:
            print(f"| {title} | {cpu(protected, arguments.times):.1f} | {peer} | {cpu(without, arguments.times):.1f} |")
        in_fresh_process(build.write_region, folder / "hub", 1)
        print("\n| of a receive | CPU-s |\n|---|---:|")
        for title, seconds in in_fresh_process(of_a_receive, folder / "hub").items():
            print(f"| {title} | {seconds:.2f} |")


def of_a_receive(folder: Path) -> dict[str, float]:
    """CPU-seconds of receiving the region, and of each protection in it."""
    profile = cProfile.Profile(time.process_time)
    whole, _ = profile.runcall(build.receive, folder)
    profile.create_stats()
    spent = {(file, name): cumulative for (file, _, name), (_, _, _, cumulative, _) in profile.stats.items()}
    parts = {
        title: sum(
            seconds
            for (file, name), seconds in spent.items()
            if any(file.endswith(place) and name == function for place, function in functions)
        )
        for title, functions in _OF_A_RECEIVE.items()
    }
    return {"all of it": whole, **parts}


def _bare() -> None:
    duckdb.connect().close()


if __name__ == "__main__":
    main()
