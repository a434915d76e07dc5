"""Commands about what data controllers want."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli.arguments import Hub
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import terms_results as results

Controller = Annotated[
    str | None,
    typer.Argument(
        metavar="CONTROLLER", help="Name of the controller's file, without .toml.", show_default="every controller"
    ),
]


def show_terms(folder: Hub, controller: Controller = None, *, screen: "Screen[results.ShownTerms]") -> None:
    """Say in plain English what data controllers want, each line with whether a machine or a person decides it."""
    from fairhaven.cli import terms_results as results
    from fairhaven.cli import terms_text
    from fairhaven.hub import read_text
    from fairhaven.hub.hub_terms import read_terms

    found = results.ShownTerms.of(read_terms(read_text(folder)), controller)
    screen.show(found, terms_text.shown_terms(found))


def diff_terms(
    folder: Hub,
    earlier: Annotated[
        Path,
        typer.Option(metavar="DIR", help="The same hub's folder as it was: a checkout or a copy.", show_default=False),
    ],
    controller: Controller = None,
    *,
    screen: "Screen[results.ComparedTerms]",
) -> None:
    """Say in plain English what data controllers want otherwise than in an earlier version of their files."""
    from fairhaven.access.terms.terms_files import read_earlier_terms
    from fairhaven.cli import terms_results as results
    from fairhaven.cli import terms_text
    from fairhaven.hub import read_text
    from fairhaven.hub.hub_terms import read_terms

    now = read_terms(read_text(folder))
    found = results.ComparedTerms.of(read_earlier_terms(earlier), now, controller)
    screen.show(found, terms_text.compared_terms(found))
