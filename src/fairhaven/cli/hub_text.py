"""Hubs in words: a new one, and the demonstration."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fairhaven.cli import release_text

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.cli.hub_results import HubUpgrade, NewHub
    from fairhaven.journeys.demonstration import Demonstration


def new_hub(made: "NewHub") -> list[str]:
    """What a new hub has, and what to do with it."""
    return [
        f"A new hub is in {made.hub}. Its files, in the order to read them:",
        *(f"  {path}" for path in made.files),
        "",
        "Next: describe a source (docs/tutorial/first-release.md walks through it), then",
        f"  fairhaven check {made.hub}",
    ]


def upgraded(found: "HubUpgrade") -> Iterator[str]:
    """What an upgrade did, or would do."""
    if not found.stages:
        yield "This hub is of this version: there is nothing to upgrade."
        return
    yield "The hub was upgraded:" if found.is_done else "An upgrade would:"
    yield from (f"  {stage.what}" for stage in found.stages)
    if found.is_done:
        yield f"Recorded as entry {found.entry} of the ledger. Make a backup of the hub now: one of before needs the version of before."
    else:
        yield "Make a backup of the hub first. Nothing was done."


def demonstration(found: "Demonstration", page: Path) -> Iterator[str]:
    """What came of the demonstration."""
    yield f"The demonstration hub is in {found.folder}: {found.persons:,} invented persons, known to seven organisations."
    for made in found.releases:
        yield ""
        if made.is_new:
            yield from release_text.built(made)
        else:
            yield f"{made.release.name}, as of {made.release.as_of}, was there already."
    yield from (
        "",
        f"Look at {page} in a browser: what came in, what became of it, how good it is.",
        "Try also:",
        f"  fairhaven release diff {found.folder}",
        f"  fairhaven quality {found.folder}",
        f"  fairhaven export {found.folder} --format duckdb --out omop.duckdb",
        f"  fairhaven cohort report {found.folder} {found.folder}/cohorts",
        f"({found.seconds:.0f} seconds)",
    )
