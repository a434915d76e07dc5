"""What releases tell of themselves is known to the query audit before the first question, whatever became of their descriptions."""

from pathlib import Path

import numpy as np

from fairhaven.hub import open_hub
from fairhaven.journeys.cohorts.discover import Discovery, discover
from fairhaven.journeys.descriptions.told_counts import DESCRIPTION
from fairhaven.journeys.hub_audit import open_audit
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import open_release
from fairhaven.journeys.releases.report_facts import report_on_release
from fairhaven.kernel.files import read_json
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import content_hash
from fairhaven.pages.release import render
from fairhaven.query_audit import Asker
from tests.support.actors import ANNA
from tests.support.older_hub import unpack_older_hub

_CURIOUS = Asker(project="curious", organisation="one")


def _description(rooms: Rooms, number: int) -> Path:
    return rooms.archive.description(number) / DESCRIPTION


def _with_concept(rooms: Rooms, release: str, name: str) -> dict[int, np.ndarray]:
    """The persons with each concept of a table of events."""
    with open_release(rooms, release) as opened:
        table = opened.tables[name]
        rows = opened.engine.fetch(table.select("person_id", concept=table[f"{name.split('_')[0]}_concept_id"]))
    persons, concepts = rows["person_id"].to_numpy(), rows["concept"].to_numpy()
    return {int(concept): np.unique(persons[concepts == concept]) for concept in np.unique(concepts)}


def _shown_bars(written: dict[str, object], name: str) -> dict[int, int]:
    """Persons of each concept of a table, as a description of any form shows them."""
    [table] = [each for each in written["tables"] if each["name"] == name]  # type: ignore[attr-defined]
    [variable] = [each for each in table["variables"] if each["name"] == f"{name.split('_')[0]}_concept_id"]
    return {int(bar["code"]): bar["persons"] for bar in variable["bars"] if bar["persons"] is not None}


def _with_few_more(discovery: Discovery, persons: np.ndarray) -> list[int | None]:
    """What is said of a group with one to nine persons more."""
    keys = discovery.index.person_keys(discovery.index.universe)
    others = np.setdiff1d(keys, persons)
    with discovery.questions() as questions:
        decided = [
            questions.ask_of_persons(np.union1d(persons, others[:more]), asker=_CURIOUS) for more in range(1, 10)
        ]
    return [each.count.value if each.count else None for each in decided]


def test_what_every_release_of_a_hub_of_before_tells_is_known_before_the_first_question(tmp_path: Path) -> None:
    rooms = open_hub(unpack_older_hub(tmp_path))
    written = [read_json(_description(rooms, number)) for number in (1, 2)]
    assert [each["format"] for each in written] == [1, 1]
    _description(rooms, 2).unlink()  # as a killed build leaves a release
    discovery = discover(rooms, None, by=ANNA, progress=Silent())
    assert read_json(_description(rooms, 2))["format"] == 2, "described before it is asked of"
    persons = discovery.index.person_keys(discovery.index.universe)
    having = {
        concept: np.intersect1d(each, persons)
        for concept, each in _with_concept(rooms, "r0001", "drug_exposure").items()
    }
    told = {
        concept: count
        for concept, count in _shown_bars(written[0], "drug_exposure").items()
        if count == len(having[concept]) and count < persons.size - 9
    }
    assert told
    # Told exactly of the first release: a number for any of these would say how many more there are in the second.
    assert {count for concept in told for count in _with_few_more(discovery, having[concept])} <= {None}


_RULE = """[ours]
title = "Ours"
threshold = 20
since = 2026-01-01
read = 2026-01-01
source = "Data access committee"
"""


def test_two_releases_that_few_persons_tell_apart_show_the_same_figures_and_what_another_rule_told_is_known(
    copy: Path,
) -> None:
    """Under a threshold of 20 the two releases of the demonstration, which 18 persons tell apart, are as one."""
    settings = copy / "hub.toml"
    kept = [line for line in settings.read_text().splitlines() if not line.startswith(("contact", "abstract"))]
    settings.write_text("\n".join(['disclosure = "ours.toml"', *kept]))
    (copy / "ours.toml").write_text(_RULE)
    rooms = open_hub(copy)
    releases = rooms.archive.releases()
    places = [_description(rooms, release.number) for release in releases]
    forms = [places[1].parent / name for name in ("hdruk.json", "dcat.jsonld", "croissant.json")]
    forms[0].write_text('{"persons": 17}')
    before = [content_hash(place) for place in places]
    assert {read_json(place)["figures_of"] for place in places} == {""}, (
        "18 persons are enough where the threshold is 10"
    )

    discover(rooms, None, by=ANNA, progress=Silent())

    after = [content_hash(place) for place in places]
    assert [each for each in forms if each.exists()] == []
    with open_audit(rooms) as audit:
        for release, *digests in zip(releases, before, after, strict=True):
            assert [audit.was_told(release.content, str(each)) for each in digests] == [True, True]
    first, second = map(read_json, places)
    assert (first["figures_of"], second["figures_of"]) == ("", "r0001")
    assert first["tables"] == second["tables"] and first["persons"] == second["persons"]
    report = report_on_release(rooms, None, by=ANNA, progress=Silent())
    assert (report.asked, report.release, report.previous) == ("r0002", "r0001", "")
    assert "Fewer than 20 persons tell it from r0001" in render(report)
