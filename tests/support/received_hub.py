"""A small hub with its ledger, vault and keys, that takes delivery of one source."""

from pathlib import Path

from fairhaven.hub import make_hub, open_hub
from fairhaven.intake import Receipt
from fairhaven.journeys.deliveries.receive import receive_delivery
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.progress import Silent
from tests.support.actors import ANNA
from tests.support.intake_hub import DAY, EVENTS, HEADER


def received_hub(folder: Path) -> Path:
    """A hub with one delivery of two patients."""
    make_hub(folder, by=ANNA)
    (folder / "controllers/riverside.toml").write_text('title = "Riverside"\n')
    (folder / "sources/gp.toml").write_text(EVENTS.format(settings="national_opt_out = false", more=""))
    received(open_hub(folder), "1,p1,2020-01-01,1,a\n2,p2,2020-01-02,2,b\n")
    return folder


def received(rooms: Rooms, rows: str) -> Receipt:
    """Take delivery of one file of rows."""
    file = rooms.folder / "events.csv"
    file.write_text(HEADER + rows)
    return receive_delivery(rooms, source="gp", files=[file], received_on=DAY, today=DAY, by=ANNA, progress=Silent())
