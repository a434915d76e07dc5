"""A new hub's folder, with commented files to start from."""

from importlib.resources import files
from pathlib import Path

from fairhaven.journeys.hub_folder import check_outside_hubs
from fairhaven.journeys.hub_keys import make_keys
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import check_empty, check_own, clear_torn, write_atomically
from fairhaven.ledger import Actor

_MARK = ".being-made"
"""In a hub's folder while it is made."""
_PLACES = {
    "hub.toml": "hub.toml",
    "controller.toml": "controllers/example.toml",
    "source.toml.example": "sources/example.toml.example",
    "mapping.toml.example": "mappings/example.toml.example",
    "gitignore": ".gitignore",
}


def make_hub(folder: Path, *, by: Actor) -> list[Path]:
    """Write a new hub's files and keys. Killed, it is finished when it is called again.

    Returns:
        the files written, in the order in which a person would read them.

    Raises:
        NotAllowedNow: the folder is a hub already, or holds other things.
        NotPermitted: it is another account's.
    """
    check_own(folder)
    mark = folder / _MARK
    if (folder / "hub.toml").exists() and not mark.exists():
        raise NotAllowedNow(f"{folder} is a hub already; nothing was changed. Give a folder that does not exist yet.")
    if not mark.exists():
        check_outside_hubs(folder)
        check_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    (folder / "store").mkdir(exist_ok=True, mode=0o700)
    make_keys(folder / "store", by=by)
    for empty in ("vocabulary", "inbox"):
        (folder / empty).mkdir(exist_ok=True, mode=0o700)
    # hub.toml last: no folder is a hub that has not its keys.
    for template, place in reversed(_PLACES.items()):
        write_atomically(folder / place, files("fairhaven.hub").joinpath("new", template).read_bytes())
    clear_torn(folder)
    mark.unlink()
    return [folder / place for place in _PLACES.values()]
