"""Killed with -9 at any moment of receiving, the next receive gives exactly the one delivery."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.intake_hub import HEADER, Hub
from tests.support.processes import ENVIRONMENT

PROGRAM = """
import datetime as dt, sys
from pathlib import Path
from fairhaven.intake import Intake, read_source
from fairhaven.kernel.keyring import Keyring
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.toml import Document
from fairhaven.ledger import Actor, ActorKind
from fairhaven.linkage import Vault

folder = Path(sys.argv[1])
keyring = Keyring(folder / "store/keys")
source = read_source(Document(folder / "gp.toml"))
intake = Intake(folder / "store", envelope=keyring.deliveries, pseudonyms=keyring.pseudonyms, birth_date="month")
print("ready", flush=True)
intake.receive(source, sorted((folder / "inbox").iterdir()), received_on=dt.date(2026, 1, 31),
    vault=Vault(folder / "store/vault", keyring.vault), progress=Silent(), code_version="test",
    by=Actor(kind=ActorKind.OPERATING_SYSTEM_USER, name="anna"), known={}, enter=lambda *_: None, check_earlier=lambda _: None)
print("done", flush=True)
"""


def trial(folder: Path, seed: int, *, rows: int) -> str:
    """Kill one receive of three files of so many rows, run the next to its end, and tell what the store then holds."""
    folder.mkdir()
    hub = Hub(folder)
    hub.events()
    (folder / "inbox").mkdir()
    for part in range(3):
        text = "".join(f"{part}-{n},p{n % 50},2020-01-01,{n},c\n" for n in range(rows))
        (folder / f"inbox/events{part}.csv").write_text(HEADER + text + "x,y\n")
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        # As long as it takes: half a second, and more of more rows.
        time.sleep(random.Random(seed).uniform(0, 0.5 + rows / 30_000))
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, text=True, check=False)
    assert "done" in done.stdout, done.stderr
    deliveries = hub.intake.deliveries()
    assert [delivery.extracts for delivery in deliveries] == [(1, 2, 3)]
    assert sorted(path.name for path in (hub.store / "landing").iterdir()) == ["000001", "000002", "000003"]
    assert len(list((hub.store / "received").iterdir())) == 3
    assert sorted(path.stem for path in (hub.store / "vault/identity").iterdir()) == ["000001", "000002", "000003"]
    assert list((hub.store / "scratch").iterdir()) == []
    assert len(hub.quarantined()) == 3
    return repr([[sorted(row.items()) for row in hub.landed(number)] for number in (1, 2, 3)])


def check(folder: Path, seeds: range, *, rows: int) -> None:
    outcomes = {trial(folder / str(seed), seed, rows=rows) for seed in seeds}
    assert len(outcomes) == 1


def test_a_receive_killed_at_a_random_moment_is_done_once_by_the_next(tmp_path: Path) -> None:
    check(tmp_path, range(2), rows=1_000)


@pytest.mark.slow
def test_a_receive_killed_at_fifty_random_moments_is_done_once_by_the_next(tmp_path: Path) -> None:
    check(tmp_path, range(50), rows=20_000)
