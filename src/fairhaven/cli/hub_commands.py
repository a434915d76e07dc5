"""Commands that make and check a hub."""

from pathlib import Path
from typing import Annotated

import typer

from fairhaven.cli import result_text, screen
from fairhaven.cli.arguments import AsJson, Hub, actor
from fairhaven.cli.release_commands import release_json


def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the demonstration hub is made.")] = Path("demo"),
    persons: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="How many persons live in the region.", show_default="1,130"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same region, byte for byte.")] = 1,
    no_serve: Annotated[
        bool, typer.Option("--no-serve", help="Do not serve the hub's pages afterwards (this version has none yet).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a demonstration hub, build its two releases, and say what came of it.

    Seven invented organisations of one region deliver twice, a month apart. The truth (who is who, every clinical fact) is kept
    beside the hub, in truth/, and is never read by the build.
    """
    del no_serve  # the portal comes with a later version; the option is there so that scripts need not change
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub.demonstration import demonstrate
        from fairhaven.kernel.files import write_atomically
        from fairhaven.pages.release import render

        shown = demonstrate(folder, persons=persons, seed=seed, by=actor(), progress=progress)
        page = folder / "report.html"
        progress.stage("Drawing the page")
        write_atomically(page, render(shown.report), mode=0o644)
    if as_json:
        screen.show_json(
            {
                "hub": shown.folder,
                "persons": shown.persons,
                "releases": [release_json(made) for made in shown.releases],
                "report": page,
                "seconds": round(shown.seconds, 1),
            }
        )
        return
    screen.show_lines(result_text.demonstration(shown, page))


def init(folder: Hub, as_json: AsJson = False) -> None:
    """Make a new hub: a folder of commented files to fill in."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import make_hub

        written = make_hub(folder, by=actor())
    if as_json:
        screen.show_json({"hub": str(folder), "files": [str(path) for path in written]})
        return
    screen.show_lines(
        [
            f"A new hub is in {folder}. Its files, in the order to read them:",
            *(f"  {path}" for path in written),
            "",
            "Next: describe a source (docs/tutorial/first-release.md walks through it), then",
            f"  fairhaven check {folder}",
        ]
    )


def check(folder: Hub, as_json: AsJson = False) -> None:
    """Find every fault of a hub's files at once, each with its file and line."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import read_text

        text = read_text(folder)
    counts = {
        "controllers": len(text.controllers),
        "sources": len(text.sources),
        "mappings": len(text.mappings),
        "code maps": len(text.code_maps),
    }
    if as_json:
        screen.show_json({"faults": [], "counts": counts})
        return
    screen.show_lines([f"No faults. {', '.join(f'{count} {name}' for name, count in counts.items())}."])
