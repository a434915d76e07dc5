"""Commands that judge and describe: quality, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fairhaven.cli import quality_text
from fairhaven.cli.arguments import Cdm, Force, Hub, ReleaseName, actor, opened, output, today
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import quality_results as results


def quality(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A hub: its release is checked.", show_default=False)
    ] = None,
    cdm: Cdm = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="DataQualityDashboard's threshold files; its checks are run with them."),
    ] = None,
    fail_on: Annotated[
        Literal["fatal", "convention", "characterization", "never"],
        typer.Option(help="Exit with 1 if a check of this level or graver fails."),
    ] = "never",
    name: ReleaseName = None,
    *,
    screen: "Screen[results.QualityFindings]",
) -> None:
    """Check a hub's release, or any OMOP CDM, and print its scorecard."""
    if (folder is None) == (cdm is None):
        raise typer.BadParameter("give a hub's folder or --cdm PATH, one of the two", param_hint="DIR")
    if cdm is not None and name is not None:
        raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--release")
    from fairhaven.cli import quality_results as results
    from fairhaven.journeys.releases.release_quality import quality_of_cdm, quality_of_release

    found = (
        quality_of_release(opened(folder), name, thresholds=thresholds, by=actor(), progress=screen.progress)
        if folder is not None
        else quality_of_cdm(cdm or Path(), thresholds=thresholds, today=today(), progress=screen.progress)
    )
    screen.show(results.QualityFindings.of(found), quality_text.quality(found), is_good=not found.fails(fail_on))


def report(
    folder: Hub,
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="The page to write.")],
    name: ReleaseName = None,
    force: Force = False,
    *,
    screen: "Screen[results.WrittenReport]",
) -> None:
    """Write one self-contained page that shows a release to people: what came in, what became of it, how good it is."""
    from fairhaven.cli import quality_results as results
    from fairhaven.journeys.releases.report_facts import report_on_release
    from fairhaven.pages.release import render

    rooms = opened(folder)
    place = output(out, command="report", force=force, rooms=rooms)
    facts = report_on_release(rooms, name, by=actor(), progress=screen.progress)
    screen.write_page(place, render, facts)
    written = results.WrittenReport(release=facts.release, out=out)
    screen.show(written, [f"The report on {written.release} is in {out}."])
