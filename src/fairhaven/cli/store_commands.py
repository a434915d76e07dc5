"""Commands about the store as a whole."""

from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import store_text
from fairhaven.cli.arguments import Hub, opened
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import store_results as results


def verify_store(
    folder: Hub,
    after: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Go on after this file: an earlier run that was ended said so.",
            show_default="from the beginning",
        ),
    ] = "",
    *,
    screen: "Screen[results.StoreVerification]",
) -> None:
    """Read every file of the store and compare it with what was written down; say of each fault what to do."""
    from fairhaven.journeys.store_verification import verify_store as verified

    found = verified(opened(folder), after=after, progress=screen.progress)
    screen.show(found, store_text.verification(found), is_good=found.is_good)
