"""From landed rows to a release: source rows per CPU-second, memory, growth, and a bare copy beside it.

    python -m bench.build [--times 1 10] [--peer PYTHON]

The first delivery of the demonstration region (1,130 persons times *times*) is received and then built, each in a fresh
process. The limit is DuckDB copying the same landed Parquet to Parquet (zstd) without changing it. A size's
growth is the growth of its CPU-seconds over that of its rows since the size before: 1.00 is linear.

With --peer the same raw Synthea extract goes through Fairhaven and through ehr2trace (see `bench.synthea`); PYTHON is one
that has ehr2trace installed.
"""

import argparse
import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bench import synthea
from bench.actor import BENCH
from bench.measure import Clock, in_fresh_process, peak_mb, size_mb
from fairhaven import region
from fairhaven.hub import open_hub
from fairhaven.journeys.deliveries.receive import receive_delivery, take_vocabulary
from fairhaven.journeys.hub_keys import make_keys
from fairhaven.journeys.releases.build import build_release
from fairhaven.kernel.progress import Silent
from fairhaven.region.model import FIRST

PERSONS = 1_130
BAR = 50_000
MEMORY = 1_907
"""2 GB, in the MB of 2**20 bytes that the operating system counts."""

# Which part of the build a stage belongs to; what is not named here is the start: keys, digests of inputs.
_PARTS = {
    "Cleaning identity records": "link",
    "Linking by NHS number and exact combinations": "link",
    "Weighing the evidence for the rest": "link",
    "Numbering persons": "link",
    "Applying opt-outs": "opt-outs",
    "Adding up rows": "add up",
    "Harmonising to OMOP": "harmonise+write",
    "Sealing the release": "seal",
    "Checking the quality of the tables": "quality",
    "Measuring completeness and dimensions": "dimensions",
    "Describing every variable": "describe",
}
_AFTER = ("quality", "dimensions", "describe")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What one size cost.

    Args:
        seconds: CPU-seconds by part of the build.
        peak: MB, of the process that built.
        copying: CPU-seconds of the bare copy.
    """

    source_rows: int
    cdm_rows: int
    seconds: dict[str, float]
    peak: float
    copying: float

    @property
    def building(self) -> float:
        """CPU-seconds from landed rows to the sealed release."""
        return sum(seconds for part, seconds in self.seconds.items() if part not in _AFTER)

    @property
    def describing(self) -> float:
        """CPU-seconds of quality and description."""
        return sum(self.seconds.get(part, 0.0) for part in _AFTER)


def write_region(folder: Path, times: int) -> None:
    """The region's hub folder, with keys, ready to receive."""
    make_keys(folder / "store", by=BENCH, secret=hashlib.sha256(b"bench").digest())
    region.write(folder, persons=PERSONS * times, progress=Silent())


def receive(folder: Path) -> tuple[float, float]:
    """Take the first delivery: CPU-seconds, peak MB."""
    rooms = open_hub(folder)
    take_vocabulary(rooms, region.material_vocabulary(), by=BENCH, progress=Silent())
    began = time.process_time()
    for source in region.SOURCES:
        if files := sorted((folder / "inbox" / FIRST.isoformat() / source).glob("*")):
            receive_delivery(
                rooms, source=source, files=files, received_on=FIRST, today=FIRST, by=BENCH, progress=Silent()
            )
    return time.process_time() - began, peak_mb()


def build(folder: Path) -> tuple[int, int, dict[str, float], float]:
    """Build the first release: source rows, CDM rows, CPU-seconds by part, peak MB."""
    rooms, clock = open_hub(folder), Clock()
    release = build_release(rooms, as_of=FIRST, today=FIRST, by=BENCH, progress=clock).release
    seconds: dict[str, float] = {}
    for stage, spent in clock.stop().items():
        part = _PARTS.get(stage, "start")
        seconds[part] = seconds.get(part, 0.0) + spent
    rows = sum(count.received for extract in rooms.intake.extracts() for count in extract.tables.values())
    return rows, sum(table.rows for table in release.tables.values()), seconds, peak_mb()


def copy(folder: Path) -> float:
    """CPU-seconds of DuckDB's copy of every landed table, unchanged."""
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as out:
        connection.execute("SET preserve_insertion_order = false")
        began = time.process_time()
        for number, file in enumerate(sorted((folder / "store" / "landing").rglob("*.parquet"))):
            connection.execute(f"COPY (FROM '{file}') TO '{out}/{number}.parquet' (FORMAT parquet, COMPRESSION zstd)")
        return time.process_time() - began


def measure(times: int, folder: Path) -> Size:
    """Write, receive, build and copy one size."""
    in_fresh_process(write_region, folder, times)
    megabytes = size_mb(folder / "inbox" / FIRST.isoformat())
    spent, held = in_fresh_process(receive, folder)
    print(f"{times}x received: {megabytes:,.0f} MB in {spent:.1f} CPU-s, {megabytes / spent:.1f} MB/CPU-s, peak {held:,.0f} MB")  # fmt: skip
    source_rows, cdm_rows, seconds, peak = in_fresh_process(build, folder)
    print(f"{times}x built, CPU-s: " + ", ".join(f"{part} {spent:.1f}" for part, spent in seconds.items()), flush=True)
    copying = in_fresh_process(copy, folder)
    return Size(source_rows=source_rows, cdm_rows=cdm_rows, seconds=seconds, peak=peak, copying=copying)


def show(sizes: Sequence[tuple[int, Size]]) -> None:
    """Print a row for each size."""
    print(
        f"\n{'times':>6}{'source rows':>13}{'CDM rows':>13}{'build CPU-s':>13}{'rows/CPU-s':>12}{'growth':>8}"
        f"{'describe CPU-s':>16}{'peak MB':>9}{'copy CPU-s':>12}{'x copy':>8}"
    )
    before: Size | None = None
    for times, size in sizes:
        growth = "-"
        if before is not None:
            growth = f"{size.building / before.building / (size.source_rows / before.source_rows):.2f}"
        print(
            f"{times:>6}{size.source_rows:>13,}{size.cdm_rows:>13,}{size.building:>13.1f}"
            f"{size.source_rows / size.building:>12,.0f}{growth:>8}{size.describing:>16.1f}{size.peak:>9,.0f}"
            f"{size.copying:>12.2f}{size.building / size.copying:>8.1f}"
        )
        before = size
    last = sizes[-1][1]
    rate = last.source_rows / last.building
    print(f"bar: {BAR:,} source rows/CPU-s ({'held' if rate >= BAR else 'missed'} at the largest size), under {MEMORY:,} MB ({'held' if last.peak < MEMORY else 'missed'})")  # fmt: skip


def main() -> None:
    """Run the bench and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10], help="sizes, in copies of 1,130 persons")
    parser.add_argument("--peer", type=Path, help="a Python that has ehr2trace installed")
    arguments = parser.parse_args()
    sizes = []
    for times in sorted(arguments.times):
        with tempfile.TemporaryDirectory() as folder:
            sizes.append((times, measure(times, Path(folder) / "hub")))
    show(sizes)
    synthea.show(arguments.peer)


if __name__ == "__main__":
    main()
