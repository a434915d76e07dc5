"""What the demonstration region is made of: its deliveries, and where the truth lies."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST = dt.date(2026, 10, 1)
"""Day of the first delivery."""
SECOND = dt.date(2026, 11, 1)
"""Day of the second delivery: what came to be known in the month between, and what was taken back."""
FIRST_EXTRACT = dt.date(2026, 9, 27)
"""Last day of care that the first delivery knows of; systems extract a few days before they send."""
SECOND_EXTRACT = dt.date(2026, 10, 28)
"""Last day of care that the second delivery knows of."""

PRACTICES = ("riverside", "parkview", "stmarys")
TRUSTS = ("north", "south")
SOURCES = (
    "gp_riverside",
    "gp_parkview",
    "gp_stmarys",
    "north_trust_hes",
    "south_trust_fhir",
    "council_asc",
    "registrar_deaths",
    "national_opt_out",
)
"""The feeds, in the order in which they are received. The opt-out list comes first of all in a delivery."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What arrives on one day.

    Args:
        as_of: the day.
        files: for each source in the order of receiving, its files.
    """

    as_of: dt.date
    files: Sequence[tuple[str, Sequence[Path]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A demonstration hub's folder, written.

    Args:
        folder: the hub folder: TOML files, ``vocabulary/``, ``inbox/``, and ``truth/`` beside them.
        persons: how many people live there.
        seed: what the invented parts were drawn with.
        deliveries: what to receive, in order.
    """

    folder: Path
    persons: int
    seed: int
    deliveries: Sequence[Delivery]

    @property
    def truth(self) -> Path:
        """Folder of the truth: Parquet files that nothing but tests and reports on the demonstration read."""
        return self.folder / "truth"
