"""The tree of commands. Rooms are imported when a command runs, so that `--help` answers at once."""

import os
import sys
from collections.abc import Sequence

import typer

from fairhaven.cli import (
    cohort_commands,
    delivery_commands,
    hub_commands,
    key_commands,
    ledger_commands,
    linkage_commands,
    network_commands,
    project_commands,
    quality_commands,
    release_commands,
    store_commands,
    terms_commands,
)
from fairhaven.cli.command import as_command
from fairhaven.cli.refusals import refuse
from fairhaven.kernel.interruption import is_interruption

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
project = typer.Typer(help="Say which projects may ask for counts.", no_args_is_help=True)
network = typer.Typer(
    help="Serve a network of hubs: who is in it, what they are asked, what they say.", no_args_is_help=True
)
vocabulary = typer.Typer(help="Load the OMOP vocabulary.", no_args_is_help=True)
store = typer.Typer(help="Look after the files that the hub keeps.", no_args_is_help=True)
cohort = typer.Typer(
    help="Say in words who a cohort is, count it, show what each rule leaves, write out who is in it.",
    no_args_is_help=True,
)
keys = typer.Typer(
    help="Check and rotate the keys by which a hub seals, signs and makes pseudonyms.", no_args_is_help=True
)
terms = typer.Typer(help="Read what data controllers want.", no_args_is_help=True)
ledger = typer.Typer(
    help="Look at what was done in the hub and by whom, and check that nothing of it was changed.", no_args_is_help=True
)
linkage = typer.Typer(help="Judge the hub's linkage.", no_args_is_help=True)

for group, name, act in (
    (app, "demo", hub_commands.demo),
    (app, "init", hub_commands.init),
    (app, "check", hub_commands.check),
    (app, "upgrade", hub_commands.upgrade),
    (keys, "check", key_commands.check_keys),
    (keys, "rotate", key_commands.rotate_keys),
    (app, "receive", delivery_commands.receive),
    (app, "build", release_commands.build),
    (release, "list", release_commands.list_releases),
    (release, "show", release_commands.show_release),
    (release, "diff", release_commands.diff_releases),
    (release, "verify", release_commands.verify_releases),
    (app, "erase", release_commands.erase),
    (app, "trace", release_commands.trace),
    (app, "export", release_commands.export),
    (app, "quality", quality_commands.quality),
    (linkage, "trial", linkage_commands.trial),
    (app, "report", quality_commands.report),
    (cohort, "explain", cohort_commands.explain),
    (cohort, "count", cohort_commands.count),
    (cohort, "report", cohort_commands.report),
    (cohort, "generate", cohort_commands.generate),
    (cohort, "budget", cohort_commands.budget),
    (cohort, "questions", cohort_commands.questions),
    (terms, "show", terms_commands.show_terms),
    (terms, "diff", terms_commands.diff_terms),
    (project, "open", project_commands.open_project),
    (app, "answer", network_commands.answer),
    (network, "serve", network_commands.serve),
    (network, "join", network_commands.join),
    (network, "leave", network_commands.leave),
    (network, "ask", network_commands.ask),
    (network, "results", network_commands.replies),
    (ledger, "show", ledger_commands.show_ledger),
    (ledger, "verify", ledger_commands.verify_ledger),
    (ledger, "checkpoint", ledger_commands.show_checkpoint),
    (ledger, "prove", ledger_commands.prove_entry),
    (store, "verify", store_commands.verify_store),
    (vocabulary, "load", delivery_commands.load_vocabulary),
):
    group.command(name)(as_command(act))
for name, group in (
    ("keys", keys),
    ("release", release),
    ("ledger", ledger),
    ("linkage", linkage),
    ("cohort", cohort),
    ("terms", terms),
    ("project", project),
    ("network", network),
    ("store", store),
    ("vocabulary", vocabulary),
):
    app.add_typer(group, name=name)


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: the words after `fairhaven`.

    Returns:
        the exit code: 0 done, 1 refused or checks failed, 2 wrong usage.

    Raises:
        KeyboardInterrupt: or what a library made of it (see `is_interruption`); what is left to do is the caller's.
    """
    command = typer.main.get_command(app)
    # What a command makes is its account's alone, whoever writes it: libraries ask for the widest mode and leave it to this.
    before = os.umask(0o077)
    try:
        with command.make_context("fairhaven", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except BrokenPipeError:
        # Whoever read stdout has seen enough; Python must not try to write the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if is_interruption(error):
            raise
        return refuse(error, as_json="--json" in arguments)
    finally:
        os.umask(before)
    return 0
