"""The one tree of errors, and the code that each has for a program.

    FairhavenError                                                 code              exit code
    |-- Refused              a rule says no                        refused           1
    |   |-- NotPermitted     ... to this person or purpose         not_permitted     1
    |   `-- NotAllowedNow    ... in this state, or until something is done
    |                                                              not_allowed_now   1
    |-- NotFound             there is no such thing                not_found         1
    `-- Invalid              input that does not fit, all faults   invalid           1

A message is for the person who must act: what is wrong, why it matters, what to do next. It never carries a row's
value: a source's column, a file's name and a line's number are as near as it comes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fairhaven.kernel.foreign_names import shown
from fairhaven.kernel.word import Word


class ErrorCode(Word):
    """Why something was not done, for a program: each error of the tree by its name, and what may happen to any command."""

    REFUSED = "refused", "a rule says no"
    NOT_PERMITTED = "not_permitted", "a rule, or the machine, says no to this person or purpose"
    NOT_ALLOWED_NOW = "not_allowed_now", "a rule says no in this state; the message says what must happen first"
    NOT_FOUND = "not_found", "there is no such thing"
    INVALID = "invalid", "an input does not fit; all of its faults are listed"
    USAGE = "usage", "the command was not written as it must be; nothing was begun"
    INTERRUPTED = "interrupted", "somebody ended the command; run again, it goes on where it stopped"
    STORAGE = "storage", "the disk or the machine could not do it: full, missing, damaged or without memory"
    INTERNAL = "internal", "a fault of Fairhaven itself; the message names its place in the code"


class FairhavenError(Exception):
    """Anything that Fairhaven says no to, in words a user can act on."""

    code: ClassVar = ErrorCode.REFUSED


class Refused(FairhavenError):
    """A rule says no."""


class NotPermitted(Refused):
    """A rule says no to this person or purpose."""

    code = ErrorCode.NOT_PERMITTED


class NotAllowedNow(Refused):
    """A rule says no in this state; the message says what must happen first."""

    code = ErrorCode.NOT_ALLOWED_NOW


class NotFound(FairhavenError):
    """There is no such thing."""

    code = ErrorCode.NOT_FOUND


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

    def __post_init__(self) -> None:
        """Names in it are often somebody else's, and a fault is one line."""
        for part in ("message", "path", "field"):
            object.__setattr__(self, part, shown(getattr(self, part)))

    def __str__(self) -> str:
        place = self.path + (f":{self.line}" if self.line is not None else "")
        return ": ".join(part for part in (place, self.field, self.message) if part)


class Invalid(FairhavenError):
    """Input that does not fit; carries every fault found, not only the first."""

    code = ErrorCode.INVALID

    def __init__(self, faults: Sequence[Fault] | Fault | str) -> None:
        match faults:
            case str():
                self.faults: tuple[Fault, ...] = (Fault(message=faults),)
            case Fault():
                self.faults = (faults,)
            case _:
                self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def check_faults(faults: Sequence[Fault]) -> None:
    """Refuse an input in which faults were found.

    Raises:
        Invalid: with all of them, where there are any.
    """
    if faults:
        raise Invalid(faults)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why something was not done.

    Args:
        code: for a program to act on.
        message: for a person, one line for each fault.
        faults: every fault, with its place where it has one; never empty.
    """

    code: ErrorCode
    message: str
    faults: tuple[Fault, ...]

    @classmethod
    def of(cls, error: FairhavenError) -> "Refusal":
        """An error as data."""
        if isinstance(error, Invalid):
            return cls(code=error.code, message=str(error), faults=error.faults)
        return cls.because(error.code, str(error))

    @classmethod
    def because(cls, code: ErrorCode, message: str) -> "Refusal":
        """A refusal whose faults are the lines of its message."""
        lines = message.splitlines() or [message]
        return cls(code=code, message=message, faults=tuple(Fault(message=line) for line in lines))
