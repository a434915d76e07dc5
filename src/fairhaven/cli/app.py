"""The tree of commands. Rooms are imported when a command runs, so that `--help` answers at once."""

import signal

import typer

from fairhaven.cli import (
    cohort_commands,
    delivery_commands,
    hub_commands,
    linkage_commands,
    network_commands,
    quality_commands,
    release_commands,
)

app = typer.Typer(
    name="fairhaven",
    help="The software of a health data research hub: raw extracts of many data controllers become one linked, "
    "standardised, versioned release.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
release = typer.Typer(help="Look at releases, compare them, check that nothing was altered.", no_args_is_help=True)
network = typer.Typer(
    help="Serve a network of hubs: who is in it, what they are asked, what they say.", no_args_is_help=True
)
vocabulary = typer.Typer(help="Load the OMOP vocabulary.", no_args_is_help=True)
cohort = typer.Typer(
    help="Say in words who a cohort is, count it, show what each rule leaves, write out who is in it.",
    no_args_is_help=True,
)
linkage = typer.Typer(help="Judge the hub's linkage.", no_args_is_help=True)

app.command()(hub_commands.demo)
app.command()(hub_commands.init)
app.command()(hub_commands.check)
app.command()(delivery_commands.receive)
app.command()(release_commands.build)
release.command("list")(release_commands.list_releases)
release.command("show")(release_commands.show_release)
release.command("diff")(release_commands.diff_releases)
release.command("verify")(release_commands.verify_releases)
app.add_typer(release, name="release")
app.command()(release_commands.erase)
app.command()(release_commands.trace)
app.command()(release_commands.export)
app.command()(quality_commands.quality)
linkage.command("trial")(linkage_commands.trial)
app.add_typer(linkage, name="linkage")
app.command()(quality_commands.report)
cohort.command("explain")(cohort_commands.explain)
cohort.command("count")(cohort_commands.count)
cohort.command("report")(cohort_commands.report)
cohort.command("generate")(cohort_commands.generate)
cohort.command("budget")(cohort_commands.budget)
app.add_typer(cohort, name="cohort")
app.command()(network_commands.answer)
network.command("serve")(network_commands.serve)
network.command("join")(network_commands.join)
network.command("leave")(network_commands.leave)
network.command("ask")(network_commands.ask)
network.command("results")(network_commands.results)
app.add_typer(network, name="network")
vocabulary.command("load")(delivery_commands.load_vocabulary)
app.add_typer(vocabulary, name="vocabulary")


def main() -> None:
    """Run the command line."""
    # Told to end, it ends as by Ctrl-C: half-written files are taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
