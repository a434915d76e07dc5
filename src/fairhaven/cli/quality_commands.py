"""Commands that judge and describe: quality, report."""

from pathlib import Path
from typing import Annotated

import typer

from fairhaven.cli import result_text, screen
from fairhaven.cli.arguments import AsJson, ReleaseName, today

_LEVELS = ("fatal", "convention", "characterization", "never")


def quality(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A hub: its release is checked.", show_default=False)
    ] = None,
    cdm: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Any OMOP CDM: a DuckDB file, or a folder of Parquet or CSV.")
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="DataQualityDashboard's threshold files; its checks are run with them."),
    ] = None,
    fail_on: Annotated[
        str,
        typer.Option(
            metavar="LEVEL",
            help="Exit with 1 if a check of this level or graver fails: fatal, convention, characterization, never.",
        ),
    ] = "never",
    name: ReleaseName = None,
    as_json: AsJson = False,
) -> None:
    """Check a hub's release, or any OMOP CDM, and print its scorecard."""
    if (folder is None) == (cdm is None):
        raise typer.BadParameter("give a hub's folder or --cdm PATH, one of the two", param_hint="DIR")
    if fail_on not in _LEVELS:
        raise typer.BadParameter(f"is one of {', '.join(_LEVELS)}", param_hint="--fail-on")
    if cdm is not None and name is not None:
        raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--release")
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.journeys.releases import quality

        if cdm is not None:
            shown = quality.quality_of_cdm(cdm, thresholds=thresholds, today=today(), progress=progress)
        else:
            assert folder is not None
            from fairhaven.hub import open_hub

            shown = quality.quality_of_release(open_hub(folder), name, thresholds=thresholds, progress=progress)
    if as_json:
        screen.show_json(shown.to_json())
    else:
        screen.show_lines(result_text.quality(shown))
    if shown.fails(fail_on):
        raise typer.Exit(screen.REFUSED)


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The hub's folder.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="The page to write.")],
    name: ReleaseName = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained page that shows a release to people: what came in, what became of it, how good it is."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.releases.report_facts import report as report_on
        from fairhaven.kernel.files import write_atomically
        from fairhaven.pages.release import render

        facts = report_on(open_hub(folder), name, progress=progress)
        progress.stage("Drawing the page")
        write_atomically(out, render(facts), mode=0o644)
    if as_json:
        screen.show_json({"release": facts.release, "out": str(out)})
        return
    screen.show_lines([f"The report on {facts.release} is in {out}."])
