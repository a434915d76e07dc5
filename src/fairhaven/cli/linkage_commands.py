"""The command that judges the hub's linkage on labelled persons."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import linkage_results as results


def trial(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV or Parquet files of persons.")],
    truth: Annotated[str, typer.Option(metavar="COLUMN", help="The column that says who is who.")],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="What a column holds, where its name does not say; may be repeated."),
    ] = None,
    *,
    screen: "Screen[results.Trial]",
) -> None:
    """Link labelled persons as the hub would, and print precision, recall and F1 against the truth."""
    columns = {}
    for text in column or []:
        field, equals, name = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not FIELD=NAME", param_hint="--column")
        columns[field.strip()] = name.strip()
    from fairhaven.linkage import trial as run_trial

    result = run_trial(files, truth=truth, columns=columns or None, progress=screen.progress)
    screen.show(result, result.lines())
