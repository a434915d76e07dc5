"""What ended a command before its result: in words on stderr, as JSON where it was asked for, and as an exit code."""

import os
import traceback
from dataclasses import dataclass
from typing import Any

import typer

from fairhaven.cli import screen
from fairhaven.cli.storage_errors import access_refusal, storage_fault
from fairhaven.kernel.errors import ErrorCode, FairhavenError, Refusal
from fairhaven.kernel.interruption import INTERRUPTED, is_interruption

DEBUG = "FAIRHAVEN_DEBUG"
"""The setting under which a fault of Fairhaven itself ends in Python's traceback, which may quote rows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalResult:
    """What stands on stdout in place of a result.

    Args:
        error: why the command was not done.
    """

    error: Refusal


def refuse(error: BaseException, *, as_json: bool) -> int:
    """Show why a command was not done; its exit code."""
    refusal = refusal_of(error)
    if as_json:
        screen.show_json(RefusalResult(error=refusal))
    match refusal.code:
        case ErrorCode.USAGE:
            _show_usage(error)
            return 2
        case ErrorCode.INTERRUPTED:
            screen.words.print(refusal.message)
        case ErrorCode.INTERNAL:
            screen.say("Fairhaven itself is at fault", [refusal.message, *_way(error), _PLEASE])
            if os.environ.get(DEBUG):
                raise error
        case _:
            alone = "Fault" if refusal.code is ErrorCode.INVALID else "Refused"
            heading = alone if len(refusal.faults) == 1 else f"{len(refusal.faults)} faults"
            screen.say(heading, refusal.faults)
    return 1


def refusal_of(error: BaseException) -> Refusal:
    """Why a command was not done, without a row's value: of a library's own words only a file's name is passed on."""
    match error:
        case _ if is_interruption(error):
            return Refusal.because(ErrorCode.INTERRUPTED, INTERRUPTED)
        case FairhavenError():
            return Refusal.of(error)
        case typer.TyperException():
            return Refusal.because(ErrorCode.USAGE, error.format_message())
        case Exception() if (said := access_refusal(error)) is not None:
            return Refusal.because(ErrorCode.NOT_PERMITTED, said)
        case Exception() if (said := storage_fault(error)) is not None:
            return Refusal.because(ErrorCode.STORAGE, said)
        case _:
            return Refusal.because(ErrorCode.INTERNAL, f"{type(error).__qualname__} at {_way(error)[-1]}")


_PLEASE = f"Please report these lines: they hold no data. With {DEBUG}=1 the whole traceback is shown, which may."


def _way(error: BaseException) -> list[str]:
    """The places in our code that an error came through, and its own; its words may quote a row, these do not."""
    frames = [(frame.f_globals.get("__name__", "?"), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [(module, line) for module, line in frames[:-1] if module.startswith("fairhaven.")]
    return [f"{module}:{line}" for module, line in (*ours, *frames[-1:])] or ["an unknown place"]


def _show_usage(error: Any) -> None:
    """In typer's own words."""
    error.show()
