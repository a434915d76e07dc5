"""Results about a hub."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fairhaven.cli.release_results import BuiltRelease
from fairhaven.journeys.model import Stage
from fairhaven.kernel.errors import Fault

if TYPE_CHECKING:
    from fairhaven.journeys.demonstration import Demonstration


@dataclass(frozen=True, kw_only=True, slots=True)
class NewHub:
    """A new hub.

    Args:
        hub: its folder.
        files: the files written, in the order to read them.
    """

    hub: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HubUpgrade:
    """A hub brought forward to this version, or what that would do.

    Args:
        stages: what is done, in order; none where the hub is of this version.
        entry: number of the ledger's entry that says so; null where nothing was done.
        is_done: it was done; otherwise it was a plan.
    """

    stages: tuple[Stage, ...]
    entry: int | None
    is_done: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedHub:
    """A hub whose files have no fault; where there are faults the command is refused with all of them.

    Args:
        faults: always empty.
        warnings: tables from which rows about persons are made and that do not say whose their rows are, rules whose texts a release leaves
            out, targets of code maps that a release cannot hold, terms that are overdue, in an older form or forgotten.
        counts: ``controllers``, ``sources``, ``mappings``, ``code maps``, ``projects`` and ``classes`` -> how many there are.
    """

    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    counts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Demonstrated:
    """A demonstration hub.

    Args:
        hub: its folder.
        persons: persons of the region.
        releases: what each build made, in order.
        report: the page on the last of them.
        seconds: wall time of this run.
    """

    hub: Path
    persons: int
    releases: tuple[BuiltRelease, ...]
    report: Path
    seconds: float

    @classmethod
    def of(cls, made: "Demonstration", *, report: Path) -> Self:
        """What came of the demonstration, and the page on it."""
        return cls(
            hub=made.folder,
            persons=made.persons,
            releases=tuple(map(BuiltRelease.of, made.releases)),
            report=report,
            seconds=round(made.seconds, 1),
        )
