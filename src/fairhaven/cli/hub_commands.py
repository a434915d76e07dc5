"""Commands that make and check a hub."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import hub_text
from fairhaven.cli.arguments import Hub, Plan, actor, opened, output, today
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import hub_results as results


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
    *,
    screen: "Screen[results.Demonstrated]",
) -> None:
    """Make a demonstration hub, build its two releases, and say what came of it.

    Seven invented organisations of one region deliver twice, a month apart. The truth (who is who, every clinical fact) is kept
    beside the hub, in truth/, and is never read by the build.
    """
    del no_serve  # the portal comes with a later version; the option is there so that scripts need not change
    from fairhaven.cli import hub_results as results
    from fairhaven.journeys.demonstration import demonstrate
    from fairhaven.pages.release import render

    shown = demonstrate(folder, persons=persons, seed=seed, open_hub=opened, by=actor(), progress=screen.progress)
    page = folder / "report.html"
    screen.write_page(output(page, command="report", force=True), render, shown.report)
    screen.show(results.Demonstrated.of(shown, report=page), hub_text.demonstration(shown, page))


def init(folder: Hub, *, screen: "Screen[results.NewHub]") -> None:
    """Make a new hub: a folder of commented files to fill in."""
    from fairhaven.cli import hub_results as results
    from fairhaven.hub import make_hub

    made = results.NewHub(hub=folder, files=tuple(make_hub(folder, by=actor())))
    screen.show(made, hub_text.new_hub(made))


def upgrade(folder: Hub, plan: Plan = False, *, screen: "Screen[results.HubUpgrade]") -> None:
    """Bring a hub that an earlier version made forward to this one; interrupted, it goes on when it is run again."""
    from fairhaven.cli import hub_results as results
    from fairhaven.hub import read_text
    from fairhaven.journeys.hub_upgrade import plan_upgrade, upgrade_hub

    hub = read_text(folder)
    if plan:
        found = results.HubUpgrade(stages=plan_upgrade(hub), entry=None, is_done=False)
    else:
        done = upgrade_hub(hub, by=actor(), progress=screen.progress)
        found = results.HubUpgrade(stages=done.stages, entry=done.entry, is_done=True)
    screen.show(found, hub_text.upgraded(found))


def check(folder: Hub, *, screen: "Screen[results.CheckedHub]") -> None:
    """Find every fault of a hub's files at once, each with its file and line; close what of its store is open to others."""
    from fairhaven.access.terms.terms_files import read_proposed_terms
    from fairhaven.cli import hub_results as results
    from fairhaven.cli.screen import note
    from fairhaven.hub import open_hub, read_text
    from fairhaven.hub.hub_terms import terms_faults, terms_warnings
    from fairhaven.journeys.persons.unlinked_tables import unlinked_table_warnings
    from fairhaven.journeys.releases.code_map_targets import code_map_warnings
    from fairhaven.journeys.releases.rule_checks import rule_faults
    from fairhaven.journeys.releases.withheld_texts import withheld_text_warnings
    from fairhaven.kernel.errors import Invalid, check_faults

    terms = read_proposed_terms(folder)
    try:
        rooms = open_hub(folder, tell=note) if (folder / "store").is_dir() else None
        text = rooms or read_text(folder)
    except Invalid as error:
        raise Invalid((*error.faults, *terms.faults)) from None
    check_faults([*rule_faults(text.sources, text.mappings), *terms_faults(terms, text)])
    counts = {
        "controllers": len(text.controllers),
        "sources": len(text.sources),
        "mappings": len(text.mappings),
        "code maps": len(text.code_maps),
        "projects": len(text.projects),
        "classes": len(terms.classes),
    }
    warnings = unlinked_table_warnings(text.sources, text.mappings) + withheld_text_warnings(
        text.sources, text.mappings
    )
    if rooms is not None:
        warnings += code_map_warnings(rooms)
    warnings += terms_warnings(terms, text, today=today())
    words = [f"No faults. {', '.join(f'{count} {name}' for name, count in counts.items())}."]
    words += [f"Warning: {warning}" for warning in warnings]
    screen.show(results.CheckedHub(counts=counts, warnings=warnings), words)
