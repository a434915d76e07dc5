"""What the demonstration region is made of: its deliveries, and where the truth lies."""

import datetime as dt
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

SOURCES = (
    "national_opt_out",
    "gp_riverside",
    "gp_parkview",
    "gp_stmarys",
    "north_trust_hes",
    "south_trust_fhir",
    "council_asc",
    "registrar_deaths",
)
"""The feeds, in the order in which they are received."""


Delivery = tuple[dt.date, tuple[tuple[str, tuple[Path, ...]], ...]]
"""What arrives on one day: the day, and for each source in the order of receiving its files."""


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
    deliveries: tuple[Delivery, ...]

    @property
    def truth(self) -> Path:
        """Folder of the truth: Parquet files that nothing but tests and reports on the demonstration read."""
        return self.folder / "truth"
