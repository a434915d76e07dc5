"""The command that judges the hub's linkage on labelled persons."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli.arguments import Force, output
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    import pyarrow as pa

    from fairhaven.cli import linkage_results as results
    from fairhaven.kernel.outputs import Output


def trial(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV or Parquet files of persons.")],
    truth: Annotated[str, typer.Option(metavar="COLUMN", help="The column that says who is who.")],
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=NAME", help="What a column holds, where its name does not say; may be repeated."),
    ] = None,
    wrong: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV file for the pairs that came out wrong, with what their records say: as private as FILE... are.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    *,
    screen: "Screen[results.Trial]",
) -> None:
    """Link labelled persons as the hub would, and print precision, recall and F1 against the truth."""
    place = None if wrong is None else output(wrong, command="linkage trial", force=force)
    columns = {}
    for text in column or []:
        field, equals, name = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not FIELD=NAME", param_hint="--column")
        columns[field.strip()] = name.strip()
    from fairhaven.linkage import trial as run_trial

    result = run_trial(
        files,
        truth=truth,
        columns=columns or None,
        progress=screen.progress,
        wrong=None if place is None else lambda pairs: _write_csv(place, pairs),
    )
    screen.show(result, result.lines())


def _write_csv(place: "Output", table: "pa.Table") -> None:
    import pyarrow.csv as pc

    with place.file() as file:
        pc.write_csv(table, file)
