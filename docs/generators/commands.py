"""The reference page of commands, made from the commands themselves."""

import re
from collections.abc import Iterator

import typer.main

from fairhaven.cli.app import app


def page() -> str:
    """The page of commands as Markdown."""
    lines = [
        "# Commands",
        "",
        "Made from the commands themselves by `make docs`; a test holds it to them.",
        "",
        (
            "Every command writes its result on stdout (with `--json` for a machine: [JSON](json.md)) and words and progress on stderr. "
            "Exit codes: 0 done, 1 refused or checks failed, 2 wrong usage."
        ),
    ]
    for path, command in commands():
        context = typer.Context(command, info_name=" ".join(("fairhaven", *path)))
        usage = re.sub(r"\[OPTIONS\]|[{}]", "", " ".join(command.collect_usage_pieces(context))).strip()
        lines += [
            "",
            f"## fairhaven {' '.join(path)}",
            "",
            f"`fairhaven {' '.join(path)} {usage}`".replace("  ", " "),
            "",
        ]
        lines += [(command.help or "").strip().replace("\n\n", "\n\n")]
        rows = list(_parameters(command, context))
        if rows:
            lines += ["", "| argument or option | meaning |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def commands() -> Iterator[tuple[tuple[str, ...], typer.core.TyperCommand]]:
    """Every command by the words that call it."""
    yield from _commands((), typer.main.get_command(app))


def _commands(
    path: tuple[str, ...], command: typer.core.TyperGroup | object
) -> Iterator[tuple[tuple[str, ...], typer.core.TyperCommand]]:
    if isinstance(command, typer.core.TyperGroup):
        for name, child in command.commands.items():
            yield from _commands((*path, name), child)
    elif isinstance(command, typer.core.TyperCommand):
        yield path, command


def _parameters(command: typer.core.TyperCommand, context: typer.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or "--help" in record[0]:
            continue
        name, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
        yield f"| `{name}` | {meaning} |"
