"""Results about projects."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedProject:
    """A project that may ask for counts.

    Args:
        project: its name.
        organisation: whose it is.
    """

    project: str
    organisation: str
