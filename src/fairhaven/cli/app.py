"""The tree of commands. Rooms are imported when a command runs, so that `--help` answers at once."""

import signal

import typer

from fairhaven.cli import cohorts, describing, hubs, linking, networking, receiving, releasing

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

app.command()(hubs.demo)
app.command()(hubs.init)
app.command()(hubs.check)
app.command()(receiving.receive)
app.command()(releasing.build)
release.command("list")(releasing.list_releases)
release.command("show")(releasing.show_release)
release.command("diff")(releasing.diff_releases)
release.command("verify")(releasing.verify_releases)
app.add_typer(release, name="release")
app.command()(releasing.erase)
app.command()(releasing.trace)
app.command()(releasing.export)
app.command()(describing.quality)
linkage.command("trial")(linking.trial)
app.add_typer(linkage, name="linkage")
app.command()(describing.report)
cohort.command("explain")(cohorts.explain)
cohort.command("count")(cohorts.count)
cohort.command("report")(cohorts.report)
cohort.command("generate")(cohorts.generate)
cohort.command("budget")(cohorts.budget)
app.add_typer(cohort, name="cohort")
app.command()(networking.answer)
network.command("serve")(networking.serve)
network.command("join")(networking.join)
network.command("leave")(networking.leave)
network.command("ask")(networking.ask)
network.command("results")(networking.results)
app.add_typer(network, name="network")
vocabulary.command("load")(receiving.load_vocabulary)
app.add_typer(vocabulary, name="vocabulary")


def main() -> None:
    """Run the command line."""
    # Told to end, it ends as by Ctrl-C: half-written files are taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
