"""Progress of long work, for whoever watches."""

from typing import Protocol


class Progress(Protocol):
    """What long work says of itself. A door draws it; work never writes to a screen itself."""

    def stage(self, title: str) -> None:
        """A new stage begins, in words for a person."""

    def advance(self, done: int, total: int, unit: str) -> None:
        """So much of the stage is done."""

    def note(self, message: str) -> None:
        """Something worth a line that is not an error."""


class Silent:
    """Progress that nobody watches."""

    def stage(self, title: str) -> None:
        """Say nothing."""

    def advance(self, done: int, total: int, unit: str) -> None:
        """Say nothing."""

    def note(self, message: str) -> None:
        """Say nothing."""
