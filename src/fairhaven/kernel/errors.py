"""The one tree of errors.

    FairhavenError
    |-- Refused              a rule says no                        exit code 1
    |   |-- NotPermitted     ... to this person or purpose
    |   `-- NotAllowedNow    ... in this state, or until something is done
    |-- NotFound             there is no such thing                exit code 1
    `-- Invalid              input that does not fit, all faults   exit code 1

A message is for the person who must act: what is wrong, why it matters, what to do next. It never carries a row's
value: a source's column, a file's name and a line's number are as near as it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class FairhavenError(Exception):
    """Anything that Fairhaven says no to, in words a user can act on."""


class Refused(FairhavenError):
    """A rule says no."""


class NotPermitted(Refused):
    """A rule says no to this person or purpose."""


class NotAllowedNow(Refused):
    """A rule says no in this state; the message says what must happen first."""


class NotFound(FairhavenError):
    """There is no such thing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong with an input, and where.

    Args:
        message: what is wrong and what to do.
        path: the file, as the user knows it.
        line: line in that file, from 1; None where the fault is about the whole file.
        field: dotted place inside the file, for example ``tables.events.columns.value``.
    """

    message: str
    path: str = ""
    line: int | None = None
    field: str = ""

    def __str__(self) -> str:
        place = self.path + (f":{self.line}" if self.line is not None else "")
        return ": ".join(part for part in (place, self.field, self.message) if part)


class Invalid(FairhavenError):
    """Input that does not fit; carries every fault found, not only the first."""

    def __init__(self, faults: Sequence[Fault] | Fault | str) -> None:
        match faults:
            case str():
                self.faults: tuple[Fault, ...] = (Fault(message=faults),)
            case Fault():
                self.faults = (faults,)
            case _:
                self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))
