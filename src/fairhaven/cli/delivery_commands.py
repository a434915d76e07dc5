"""Commands that take things in: extracts and the vocabulary."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import delivery_text
from fairhaven.cli.arguments import Hub, actor, day, opened, today
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import delivery_results as results


def receive(
    folder: Hub,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source, as its file in sources/ is named.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The delivered files; together one delivery.")],
    on: Annotated[
        dt.date | None,
        typer.Option(
            "--on",
            metavar="DATE",
            parser=day,
            help="Day of the delivery, which also dates an opt-out list; not after today.",
            show_default="today",
        ),
    ] = None,
    *,
    screen: "Screen[results.Receipt]",
) -> None:
    """Take delivery of an extract: all of its files or none, kept as delivered, every row landed or quarantined."""
    from fairhaven.journeys.deliveries.receive import receive_delivery

    receipt = receive_delivery(
        opened(folder),
        source=source,
        files=files,
        received_on=on or today(),
        today=today(),
        by=actor(),
        progress=screen.progress,
    )
    screen.show(receipt, delivery_text.receipt(receipt))


def load_vocabulary(
    folder: Hub,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An Athena download: the zip or its folder; or another hub's folder.")
    ],
    *,
    screen: "Screen[results.LoadedVocabulary]",
) -> None:
    """Load an OMOP vocabulary; its version is recorded and the next build uses it."""
    from fairhaven.cli import delivery_results as results
    from fairhaven.journeys.deliveries.receive import take_vocabulary

    taken = take_vocabulary(opened(folder), file, by=actor(), progress=screen.progress)
    loaded = results.LoadedVocabulary(version=taken.version, rows=taken.counts, notes=taken.notes)
    screen.show(loaded, delivery_text.vocabulary(loaded))
