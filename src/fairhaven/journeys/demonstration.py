"""The demonstration: a region's hub from nothing to its second release, in one go. Interrupted, it goes on where it stopped."""

import datetime as dt
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairhaven import region
from fairhaven.journeys.deliveries.receive import receive_delivery, take_vocabulary
from fairhaven.journeys.hub_folder import check_outside_hubs
from fairhaven.journeys.hub_keys import make_keys
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.releases.build import Built, build_release, release_of
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.journeys.releases.report_facts import report_on_release
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import check_empty, check_own, read_json, write_json
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor

_MARK = "demonstration.json"


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """What came of the demonstration.

    Args:
        releases: what each build made, in order.
        report: what there is to show of the last of them.
        seconds: wall time of this run.
    """

    folder: Path
    persons: int
    releases: tuple[Built, ...]
    report: ReleaseReport
    seconds: float


def demonstrate(
    folder: Path,
    *,
    persons: int | None,
    seed: int,
    open_hub: Callable[[Path], Rooms],
    by: Actor,
    progress: Progress,
) -> Demonstration:
    """Write the region, take its deliveries, build a release after each, and report on the last.

    Args:
        folder: where the hub is made.
        open_hub: wires the hub once its files are written.

    Raises:
        NotAllowedNow: the folder holds something else, or a demonstration of another size or seed.
        NotPermitted: it is another account's.
    """
    began = time.monotonic()
    wanted = {"seed": seed, "persons": persons}
    check_own(folder)
    mark = folder / "store" / _MARK
    if not mark.exists():
        check_outside_hubs(folder)
        check_empty(folder)
        write_json(mark, {"wanted": wanted, "is_written": False})
    if read_json(mark)["wanted"] != wanted:
        raise NotAllowedNow(
            f"{folder} holds a demonstration of another size or seed; nothing was changed. Give another folder, or remove that one."
        )
    if not read_json(mark)["is_written"]:
        # Identities are invented, so the secret may follow from the seed: the same seed gives the same release everywhere.
        secret = hashlib.sha256(f"demonstration {seed}".encode()).digest()
        make_keys(folder / "store", by=by, secret=secret)
        made = region.write(folder, persons=persons, seed=seed, progress=progress)
        days = [
            [
                day.isoformat(),
                [[source, [str(file.relative_to(folder)) for file in files]] for source, files in delivered],
            ]
            for day, delivered in made.deliveries
        ]
        write_json(mark, {"wanted": wanted, "is_written": True, "persons": made.persons, "days": days})
    facts = read_json(mark)
    rooms = open_hub(folder)
    if not (rooms.store / "vocabulary" / "current.json").exists():
        take_vocabulary(rooms, region.material_vocabulary(), by=by, progress=progress)
    built = []
    for text, delivered in facts["days"]:
        day = dt.date.fromisoformat(text)
        for source, names in delivered:
            files = [folder / file for file in names]
            receive_delivery(rooms, source=source, files=files, received_on=day, today=day, by=by, progress=progress)
        built.append(
            release_of(rooms.archive, day) or build_release(rooms, as_of=day, today=day, by=by, progress=progress)
        )
    return Demonstration(
        folder=folder,
        persons=facts["persons"],
        releases=tuple(built),
        report=report_on_release(rooms, None, by=by, progress=progress),
        seconds=time.monotonic() - began,
    )
