"""A hub's disclosure policy is a published one, or a file of its own."""

from pathlib import Path

import pytest

from fairhaven.hub.hub_files import read_text
from fairhaven.hub.new_hub import make_hub
from fairhaven.kernel.errors import Invalid
from tests.support.actors import ANNA

OWN = '[ours]\ntitle = "Ours"\nthreshold = 7\nsince = 2026-01-01\nsource = "Board"\n'


def hub(folder: Path, setting: str) -> Path:
    make_hub(folder, by=ANNA)
    file = folder / "hub.toml"
    file.write_text(file.read_text().replace('disclosure = "ons"', f'disclosure = "{setting}"'))
    return folder


def test_a_new_hub_has_the_policy_of_the_secure_research_service(tmp_path: Path) -> None:
    assert read_text(hub(tmp_path / "hub", "ons")).settings.disclosure.name == "ons"


def test_a_hub_has_a_policy_of_its_own(tmp_path: Path) -> None:
    folder = hub(tmp_path / "hub", "disclosure.toml")
    (folder / "disclosure.toml").write_text(OWN)
    assert read_text(folder).settings.disclosure.threshold == 7


@pytest.mark.parametrize(
    ("setting", "text", "place"),
    [
        ("nobody", OWN, ("hub.toml", "disclosure")),
        ("absent.toml", OWN, ("absent.toml", "")),
        ("disclosure.toml", OWN.replace("7", "0"), ("disclosure.toml", "ours.threshold")),
    ],
)
def test_a_policy_that_cannot_be_had_is_a_fault_with_its_file(
    tmp_path: Path, setting: str, text: str, place: tuple[str, str]
) -> None:
    folder = hub(tmp_path / "hub", setting)
    (folder / "disclosure.toml").write_text(text)
    with pytest.raises(Invalid) as caught:
        read_text(folder)
    assert [(fault.path, fault.field) for fault in caught.value.faults] == [place]
