"""Commands about projects that may ask for counts."""

from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli.arguments import Hub, actor, opened
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import project_results as results


def open_project(
    folder: Hub,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The project's name.", show_default=False)],
    organisation: Annotated[
        str,
        typer.Option(
            metavar="O", help="Whose project it is; all projects of one organisation are taken to share answers."
        ),
    ],
    *,
    screen: "Screen[results.OpenedProject]",
) -> None:
    """Let a project ask for counts (`fairhaven cohort count --project`), on behalf of one organisation for ever.

    Capitals, widths and blanks make no other name. What the name was answered before stays known.
    """
    from fairhaven.cli import project_results as results
    from fairhaven.journeys.cohorts import projects

    project = projects.open_project(opened(folder), name, organisation=organisation, by=actor())
    found = results.OpenedProject(project=project.name, organisation=project.organisation)
    screen.show(found, [f"{project.name} may ask for counts, for {project.organisation}."])
