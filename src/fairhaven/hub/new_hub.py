"""A new hub's folder, with commented files to start from."""

from importlib.resources import files
from pathlib import Path

from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import check_empty, write_atomically
from fairhaven.kernel.keyring import Keyring
from fairhaven.ledger import Actor, EventKind, Ledger

_PLACES = {
    "hub.toml": "hub.toml",
    "controller.toml": "controllers/example.toml",
    "source.toml.example": "sources/example.toml.example",
    "mapping.toml.example": "mappings/example.toml.example",
    "gitignore": ".gitignore",
}


def make_hub(folder: Path, *, by: Actor) -> list[Path]:
    """Write a new hub's files and keys.

    Returns:
        the files written, in the order in which a person would read them.

    Raises:
        NotAllowedNow: the folder is a hub already, or holds other things.
    """
    if (folder / "hub.toml").exists():
        raise NotAllowedNow(f"{folder} is a hub already; nothing was changed. Give a folder that does not exist yet.")
    check_empty(folder)
    for template, place in _PLACES.items():
        write_atomically(folder / place, files("fairhaven.hub").joinpath("new", template).read_bytes())
    for empty in ("vocabulary", "inbox"):
        (folder / empty).mkdir(exist_ok=True)
    keyring = Keyring.create(folder / "store" / "keys")
    facts = {"keys": keyring.check_values()}
    Ledger(folder / "store" / "ledger.jsonl").append(EventKind.HUB_MADE, facts, by=by)
    return [folder / place for place in _PLACES.values()]
