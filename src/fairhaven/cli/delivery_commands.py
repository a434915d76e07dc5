"""Commands that take things in: extracts and the vocabulary."""

from pathlib import Path
from typing import Annotated

import typer

from fairhaven.cli import result_text, screen
from fairhaven.cli.arguments import AsJson, Hub, actor, day, today


def receive(
    folder: Hub,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source, as its file in sources/ is named.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The delivered files; together one delivery.")],
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Day of the delivery.", show_default="today")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take delivery of an extract: all of its files or none, kept as delivered, every row landed or quarantined."""
    received_on = day(on) or today()
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.deliveries.receive import receive as take

        receipt = take(open_hub(folder), source=source, files=files, on=received_on, by=actor(), progress=progress)
    if as_json:
        screen.show_json(receipt)
        return
    screen.show_lines(result_text.receipt(receipt))


def load_vocabulary(
    folder: Hub,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An Athena download: the zip or its folder; or another hub's folder.")
    ],
    as_json: AsJson = False,
) -> None:
    """Load an OMOP vocabulary; its version is recorded and the next build uses it."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.deliveries.receive import take_vocabulary

        vocabulary = take_vocabulary(open_hub(folder), file, by=actor(), progress=progress)
    if as_json:
        screen.show_json(
            {"version": vocabulary.version, "rows": dict(vocabulary.counts), "notes": list(vocabulary.notes)}
        )
        return
    screen.show_table(
        f"Vocabulary {vocabulary.version}",
        ["table", "rows"],
        [(name, rows) for name, rows in vocabulary.counts.items()],
    )
    screen.show_lines(vocabulary.notes)
