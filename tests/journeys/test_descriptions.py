"""What is written beside a release is made again where it is damaged."""

from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.descriptions.describe import DESCRIPTION, QUALITY, described
from fairhaven.kernel.files import read_json, write_json
from fairhaven.kernel.progress import Silent
from tests.support.actors import ANNA


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"results": [{"severity": "terrible"}]}, id="a severity that there is not"),
        pytest.param({"as_of": "the day before"}, id="a day that is none"),
    ],
)
def test_a_damaged_quality_is_made_again(copy: Path, damage: dict[str, object]) -> None:
    rooms = open_hub(copy)
    release = rooms.archive.release()
    file = rooms.archive.description(release.number) / QUALITY
    whole = read_json(file)
    write_json(file, whole | damage)

    found = described(rooms, release, by=ANNA, progress=Silent())

    assert found.quality.as_of == release.as_of
    assert len(found.quality.results) == len(whole["results"])
    assert read_json(file)["results"] == whole["results"]


def test_what_one_policy_let_through_is_not_shown_under_the_next(copy: Path) -> None:
    rooms = open_hub(copy)
    release = rooms.archive.release()
    file = rooms.archive.description(release.number) / DESCRIPTION
    before = read_json(file)
    settings = copy / "hub.toml"
    other = "hdr-uk"
    settings.write_text(f'disclosure = "{other}"\n' + settings.read_text())

    rooms = open_hub(copy)
    found = described(rooms, release, by=ANNA, progress=Silent())

    assert (before["policy"], rooms.settings.disclosure.name) == ("ons", other)
    assert (found.description.policy, read_json(file)["policy"]) == (other, other)
    assert found.description.persons != before["persons"]
