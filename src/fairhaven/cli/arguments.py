"""Arguments and options that several commands share, worded once."""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fairhaven.journeys.model import Rooms
    from fairhaven.kernel.outputs import Output
    from fairhaven.ledger import Actor

Hub = Annotated[Path, typer.Argument(metavar="DIR", help="The hub's folder.", show_default=False)]
Force = Annotated[
    bool, typer.Option("--force", help="Write over a file that is there and that this command did not make.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Write the result as JSON on stdout.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")]
Cdm = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="Any OMOP CDM instead of a hub: a DuckDB file, or a folder or zip of Parquet or CSV."
    ),
]
ReleaseName = Annotated[
    str | None,
    typer.Option("--release", metavar="R", help="The release, for example r0002.", show_default="the latest"),
]


_ENDING: ContextVar[ExitStack] = ContextVar("_ENDING")


def opened(folder: Path) -> "Rooms":
    """The hub of a folder; what opens it is loaded only when a command needs it."""
    from fairhaven.cli.screen import note
    from fairhaven.hub import modes_of, open_hub

    rooms = open_hub(folder, tell=note)
    if rooms.database is not None:
        # The last to close SQLite's file folds its log of changes into it: a store at rest has one file of it.
        _ENDING.get().callback(rooms.database.close)
    if rooms.settings.readers:
        _ENDING.get().callback(modes_of(rooms).apply)
    return rooms


def output(path: Path, *, command: str, force: bool, rooms: "Rooms | None" = None) -> "Output":
    """Where a command is to write, looked at before it does anything; of what killed commands left there it says what it removes.

    Args:
        command: for what is found there: a file that the same command made is written over.
        rooms: the hub whose readers may read it where its own account writes it; None where no hub is open.

    Raises:
        NotAllowedNow, Invalid: nothing may be written there, and why.
    """
    import os

    from fairhaven.cli.screen import note
    from fairhaven.hub import modes_of
    from fairhaven.journeys.hub_folder import check_outside_hubs
    from fairhaven.kernel.outputs import REMOVED, Output, clear_left

    for left in clear_left(path.parent):
        note(REMOVED.format(left))
    return Output(
        path=path,
        command=command,
        check_place=check_outside_hubs,
        is_forced=force,
        group=modes_of(rooms).group_of_outputs if rooms else None,
        notes=rooms.store / "outputs" if rooms and os.access(rooms.store, os.W_OK) else None,
    )


@contextmanager
def ending_with_modes() -> Iterator[None]:
    """At the end of a command the readers of the hubs that it opened are let read what it made."""
    with ExitStack() as ending:
        token = _ENDING.set(ending)
        try:
            yield
        finally:
            _ENDING.reset(token)


def actor() -> "Actor":
    """Who runs the command: the operating system's user, as the kernel knows it, not as the environment says."""
    import os

    from fairhaven.kernel.accounts import account_name
    from fairhaven.ledger import Actor, ActorKind

    return Actor(kind=ActorKind.OPERATING_SYSTEM_USER, name=account_name(os.getuid()))


def today() -> dt.date:
    """Today, where the hub is."""
    return dt.datetime.now().astimezone().date()


def day(text: str) -> dt.date:
    """A date given on the command line.

    Raises:
        typer.BadParameter: it is not written as 2026-01-31.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date like 2026-01-31") from None
