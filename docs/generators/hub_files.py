"""The reference page of a hub's files, made from the commented files that `fairhaven init` writes and from the table of what lies in a store."""

from importlib.resources import files

from fairhaven.journeys.hub_places import STORE

_FILES = (
    ("hub.toml", "hub.toml", "What the hub is, and its rules."),
    (
        "controllers/NAME.toml",
        "controller.toml",
        "One file for each data controller. [Terms](terms.md) has every field, and the files `tiers.toml` and `classes/NAME.toml` beside it.",
    ),
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


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Files of a hub",
        "",
        (
            "Made from the commented files that `fairhaven init` writes, by `make docs`; a test holds it to them. "
            "`fairhaven check` tells every fault of these files with its line. What Fairhaven makes is in [`store/`](#store)."
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
        "",
        "## projects/NAME.toml",
        "",
        (
            "A project that may ask for counts, `name` and `organisation`, as `fairhaven project open` wrote it. The ledger has both, so what "
            "is changed here by hand is refused; without the file the project asks no more."
        ),
    ]
    return "\n".join([*lines, *_store()]) + "\n"


def _store() -> list[str]:
    return [
        "",
        "## store/",
        "",
        (
            "What Fairhaven makes. The readers are the accounts of the group that `readers` of hub.toml names (docs/how-to/accounts.md); what they "
            "do not read, nobody but the hub's own account does. `fairhaven store verify` compares all of it, but for the databases where it stands "
            "what nobody notices; what a command compares before it reads it stands below. A plan (`--plan`) compares releases alone."
        ),
        "",
        "| in `store/` | what it is | the readers | what it is compared with, or why with nothing | by whom before it is read | if it is not as it was written |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{each.path}` | {each.what} | {each.readers} | {each.comparison} | {each.compared_by} | {each.remedy} |"
            for each in STORE
        ),
    ]
