"""The reference pages of commands and files, made from the things themselves: `python -m fairhaven.cli.reference_pages FOLDER`."""

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import typer.main

from fairhaven.cli.app import app

_FILES = (
    ("hub.toml", "hub.toml", "What the hub is, and its rules."),
    ("controllers/NAME.toml", "controller.toml", "One file for each data controller."),
    (
        "sources/NAME.toml",
        "source.toml.example",
        "One file for each feed. `docs/how-to/new-source.md` explains every part.",
    ),
    (
        "mappings/NAME.toml",
        "mapping.toml.example",
        "Rules to the CDM. `docs/reference/mapping-files.md` has the whole language.",
    ),
)


def files_page() -> str:
    """The page of a hub's files as Markdown: the commented files that `fairhaven init` writes."""
    lines = [
        "# Files of a hub",
        "",
        (
            "Made from the commented files that `fairhaven init` writes, by `make docs`; a test holds it to them. "
            "`fairhaven check` tells every fault of these files with its line. What Fairhaven makes is in `store/`, and "
            "`docs/explanation/the-way-of-the-data.md` says what is where."
        ),
    ]
    for place, template, words in _FILES:
        text = files("fairhaven.hub").joinpath("new", template).read_text(encoding="utf-8")
        lines += ["", f"## {place}", "", words, "", "```toml", text.rstrip("\n"), "```"]
    lines += [
        "",
        "## vocabulary/NAME.csv",
        "",
        "Local code maps: OHDSI `source_to_concept_map` or a Usagi export, told by their header.",
        "",
        "## mappings/NAME.json",
        "",
        "Carrot rules, versions 1 and 2.",
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page of commands as Markdown."""
    lines = [
        "# Commands",
        "",
        "Made from the commands themselves by `make docs`; a test holds it to them.",
        "",
        (
            "Every command writes its result on stdout (with `--json` for a machine) and words and progress on stderr. "
            "Exit codes: 0 done, 1 refused or checks failed, 2 wrong usage."
        ),
    ]
    for path, command in _commands((), typer.main.get_command(app)):
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


def main(folder: Path) -> None:
    """Write the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "commands.md").write_text(page(), encoding="utf-8")
    (folder / "files.md").write_text(files_page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
