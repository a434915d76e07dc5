"""Receiving, building and reporting by this code and by that of an earlier commit, in turn: the median ratio of their CPU-seconds.

    python -m bench.earlier [COMMIT] [--rounds 5] [--times 1]

Each runs from a checkout of its own, whole, with its own bench: the first delivery of the demonstration region is received and
built in fresh processes, on a fresh copy of the hub that the code itself made, and the command `report` is run. A round runs both, and every other round begins
with the other, so that what else the machine does falls on both. A ratio is of one round; the median is of the rounds.
"""

import argparse
import pickle
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BARS = {"receive": 1.25, "build": 1.10, "report": 1.15}
"""How much dearer what this code does may be than at the commit with which it is compared."""


def in_checkout(checkout: Path, name: str, *arguments: object) -> Any:
    """Run a function of a checkout's own `bench.build` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder) / "task", Path(folder) / "result"
        task.write_bytes(pickle.dumps(("bench.build", name, arguments)))
        subprocess.run(
            [sys.executable, "-m", "bench.measure", task, result],
            check=True,
            cwd=checkout,
            env={"PYTHONPATH": str(checkout / "src")},
        )
        return pickle.loads(result.read_bytes())


def command(checkout: Path, *words: object) -> float:
    """CPU-seconds of a command of a checkout, from its start to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", "from fairhaven.cli import main; main()", *map(str, words)],
        check=True,
        cwd=checkout,
        env={"PYTHONPATH": str(checkout / "src")},
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def check_out(commit: str, folder: Path) -> Path:
    """The code and benches of a commit, in a folder."""
    folder.mkdir()
    packed = subprocess.run(["git", "archive", commit, "src", "bench"], check=True, cwd=ROOT, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", folder], check=True, input=packed.stdout)
    return folder


def seconds(checkout: Path, hub: Path) -> dict[str, float]:
    """CPU-seconds of receiving, building and reporting in a hub's folder that was just written."""
    received, _ = in_checkout(checkout, "receive", hub)
    _, _, parts, _ = in_checkout(checkout, "build", hub)
    reported = command(checkout, "report", hub, "--out", hub.with_name("report.html"))
    hub.with_name("report.html").unlink()
    return {"receive": received, "build": sum(parts.values()), "report": reported}


def measure(commit: str, rounds: int, times: int, folder: Path) -> list[dict[str, Mapping[str, float]]]:
    """Of each round what the earlier code and this one spent."""
    checkouts = {"earlier": check_out(commit, folder / "earlier"), "now": ROOT}
    for name, checkout in checkouts.items():
        in_checkout(checkout, "write_region", folder / f"{name}-hub", times)
    spent = []
    for number in range(rounds):
        one: dict[str, Mapping[str, float]] = {}
        for name in sorted(checkouts, reverse=bool(number % 2)):
            hub = shutil.copytree(folder / f"{name}-hub", folder / "hub")
            one[name] = seconds(checkouts[name], hub)
            shutil.rmtree(hub)
        print(f"round {number + 1}: {one}", flush=True)
        spent.append(one)
    return spent


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default="899b4d3", help="the earlier code")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=1, help="copies of 1,130 persons")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spent = measure(arguments.commit, arguments.rounds, arguments.times, Path(folder))
    print(
        f"\n| work | {arguments.commit}, CPU-s | now, CPU-s | median ratio | smallest, largest | bar |\n|---|---:|---:|---:|---:|---|"
    )
    for work, bar in BARS.items():
        ratios = sorted(one["now"][work] / one["earlier"][work] for one in spent)
        median = statistics.median(ratios)
        print(
            f"| {work} | {statistics.median(one['earlier'][work] for one in spent):.1f} "
            f"| {statistics.median(one['now'][work] for one in spent):.1f} | {median:.2f} | {ratios[0]:.2f}, {ratios[-1]:.2f} "
            f"| {bar:.2f} {'held' if median <= bar else 'missed'} |"
        )


if __name__ == "__main__":
    main()
