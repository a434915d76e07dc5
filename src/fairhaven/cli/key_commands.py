"""Commands for a hub's keys."""

from typing import TYPE_CHECKING

from fairhaven.cli import key_text
from fairhaven.cli.arguments import Hub, actor, opened
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import key_results as results


def check_keys(folder: Hub, *, screen: "Screen[results.CheckedKeys]") -> None:
    """Check that a hub's keys are its own, that nobody else may read them, and that they open every sealed file."""
    from fairhaven.journeys import hub_keys

    found = hub_keys.check_keys(opened(folder), progress=screen.progress)
    screen.show(found, key_text.checked(found), is_good=not found.faults)


def rotate_keys(folder: Hub, *, screen: "Screen[results.RotatedKeys]") -> None:
    """Give the vault and the deliveries new keys: the key of each sealed file is wrapped again, and no content is rewritten.

    A hub with the two keys of before gets one for each purpose. Interrupted, it is finished when it is run again. The key of pseudonyms is kept: with another,
    every pseudonym, person key and row identifier would be another, so it changes only with a new store.
    """
    from fairhaven.journeys import hub_keys

    done = hub_keys.rotate_keys(opened(folder), by=actor(), progress=screen.progress)
    screen.show(done, key_text.rotated(done))
