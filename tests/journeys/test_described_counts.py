"""What releases tell of themselves is known to the query audit before the first question, whatever became of their descriptions."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from fairhaven.engine import Engine
from fairhaven.hub import open_hub
from fairhaven.journeys.cohorts.discover import Discovery, discover
from fairhaven.journeys.descriptions import describe
from fairhaven.journeys.descriptions.describe import describe_for_reading, is_described
from fairhaven.journeys.descriptions.described_counts import DESCRIPTION, ROW_COUNTS
from fairhaven.journeys.hub_audit import open_audit
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.network import answer
from fairhaven.journeys.network.answer import HubAnswers
from fairhaven.journeys.open_release import open_release
from fairhaven.journeys.releases.report_facts import report_on_release
from fairhaven.kernel.codec import read_record
from fairhaven.kernel.files import read_json, write_json
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import EventKind, content_hash
from fairhaven.network import AvailabilityTask
from fairhaven.pages.release import render
from fairhaven.query_audit import Asker
from fairhaven.release.row_counts import RowCounts
from tests.support.actors import ANNA
from tests.support.network_wire import AVAILABILITY
from tests.support.older_hub import upgraded_older_hub

_CURIOUS = Asker(project="curious", organisation="one")
_RULE = """[ours]
title = "Ours"
threshold = 20
since = 2026-01-01
read = 2026-01-01
source = "Data access committee"
"""


@dataclass(frozen=True, kw_only=True)
class Upgraded:
    """A hub of before that was asked of under a rule by which its two releases, which 18 persons tell apart, are as one.

    Args:
        told: what its releases told before, in form 1 and by another rule; the description of the second is missing, as a killed build leaves it.
        hashes: of these descriptions.
    """

    rooms: Rooms
    told: tuple[dict[str, Any], ...]
    hashes: tuple[str | None, ...]
    discovery: Discovery


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    hub = upgraded_older_hub(tmp_path_factory.mktemp("older"))
    text = (hub / "hub.toml").read_text().splitlines()
    kept = [line for line in text if not line.startswith(("contact", "abstract", "disclosure"))]
    (hub / "hub.toml").write_text("\n".join(['disclosure = "ours.toml"', *kept]))
    (hub / "ours.toml").write_text(_RULE)
    rooms = open_hub(hub)
    places = [_description(rooms, number) for number in (1, 2)]
    told, hashes = tuple(map(read_json, places)), tuple(map(content_hash, places))
    places[1].unlink()
    (places[1].parent / "hdruk.json").write_text('{"persons": 17}')
    return Upgraded(rooms=rooms, told=told, hashes=hashes, discovery=discover(rooms, None, by=ANNA, progress=Silent()))


def _description(rooms: Rooms, number: int) -> Path:
    return rooms.archive.description(number) / DESCRIPTION


def _with_concept(rooms: Rooms, release: str, name: str) -> dict[int, np.ndarray]:
    """The persons with each concept of a table of events."""
    with open_release(rooms, release) as opened:
        table = opened.tables[name]
        rows = opened.engine.fetch(table.select("person_id", concept=table[f"{name.split('_')[0]}_concept_id"]))
    persons, concepts = rows["person_id"].to_numpy(), rows["concept"].to_numpy()
    return {int(concept): np.unique(persons[concepts == concept]) for concept in np.unique(concepts)}


def _shown_bars(written: dict[str, Any], name: str) -> dict[int, int]:
    """Persons of each concept of a table, as a description of any form shows them."""
    [table] = [each for each in written["tables"] if each["name"] == name]
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


def test_what_every_release_of_a_hub_of_before_tells_is_known_before_the_first_question(upgraded: Upgraded) -> None:
    rooms, discovery = upgraded.rooms, upgraded.discovery
    assert [each["format"] for each in upgraded.told] == [1, 1]
    persons = discovery.index.person_keys(discovery.index.universe)
    having = {
        concept: np.intersect1d(each, persons)
        for concept, each in _with_concept(rooms, "r0001", "drug_exposure").items()
    }
    told = {
        concept: count
        for concept, count in _shown_bars(upgraded.told[0], "drug_exposure").items()
        if count == len(having[concept]) and 11 < count < persons.size - 9
    }
    assert told
    # Told exactly of the first release: a number for any of these would say how many more there are in the second.
    assert {count for concept in told for count in _with_few_more(discovery, having[concept])} <= {None}


def test_a_release_is_described_before_it_is_asked_of_and_each_description_is_known_also_one_that_has_gone(
    upgraded: Upgraded,
) -> None:
    rooms = upgraded.rooms
    places = [_description(rooms, number) for number in (1, 2)]
    assert [read_json(place)["rule"] for place in places] == [rooms.settings.disclosure.rule] * 2
    first, second = rooms.archive.releases()
    with open_audit(rooms) as audit:
        assert audit.was_told(first.content, str(upgraded.hashes[0])), "in form 1, and by another rule"
        assert not audit.was_told(second.content, str(upgraded.hashes[1])), "it was not there"
        for release, place in zip((first, second), places, strict=True):
            assert audit.was_told(release.content, str(content_hash(place)))


def test_nothing_lies_beside_a_release_for_other_catalogues_where_the_hub_gives_them_nothing(
    upgraded: Upgraded,
) -> None:
    folder = _description(upgraded.rooms, 2).parent
    assert [name for name in ("hdruk.json", "dcat.jsonld", "croissant.json") if (folder / name).exists()] == []


def test_two_releases_that_few_persons_tell_apart_show_the_same_figures(upgraded: Upgraded) -> None:
    first, second = (read_json(_description(upgraded.rooms, number)) for number in (1, 2))
    assert (first["figures_of"], second["figures_of"]) == ("", "r0001")
    assert first["tables"] == second["tables"] and first["persons"] == second["persons"] == 33
    assert any(table["rows"] for table in first["tables"] if table["name"] != "person")
    report = report_on_release(upgraded.rooms, None, by=ANNA, progress=Silent())
    assert (report.asked, report.release, report.previous) == ("r0002", "r0001", "")
    assert "Fewer than 20 persons tell it from r0001" in render(report)


def test_unmapped_rows_and_years_are_counted_without_a_rest(upgraded: Upgraded) -> None:
    """A hidden rest would be what is left of a total: codes that are not ranked, and rows without a code or a day, are counted as well."""
    counted = read_record(_description(upgraded.rooms, 2).parent / ROW_COUNTS, RowCounts)
    coded: Counter[tuple[str, str]] = Counter()
    for code in counted.unmapped:
        coded[code.source, code.cdm_table] += code.rows
    assert {link.unmapped for link in counted.links} - {0}
    assert all(coded[link.source, link.cdm_table] == link.unmapped for link in counted.links)
    assert sum(year.rows for year in counted.years) == sum(link.rows for link in counted.links)


def test_a_release_that_lost_its_description_is_described_before_another_is_asked_of_and_an_altered_one_is_known(
    upgraded: Upgraded,
) -> None:
    rooms, [first, _] = upgraded.rooms, upgraded.rooms.archive.releases()
    place = _description(rooms, 1)
    whole = read_json(place)
    place.unlink()
    (place.parent / ROW_COUNTS).unlink()
    discover(rooms, "r0002", by=ANNA, progress=Silent())
    assert read_json(place) == whole
    write_json(place, whole | {"persons": 32})
    altered = str(content_hash(place))
    discover(rooms, "r0002", by=ANNA, progress=Silent())
    assert read_json(place) == whole
    with open_audit(rooms) as audit:
        assert audit.was_told(first.content, altered) and audit.was_told(first.content, str(content_hash(place)))


def test_figures_of_another_release_are_shown_only_while_that_holds_what_they_were_counted_in(
    upgraded: Upgraded,
) -> None:
    """An erasure of somebody whom the later release never had changes the earlier one alone."""
    rooms, [first, second] = upgraded.rooms, upgraded.rooms.archive.releases()
    place = _description(rooms, 2)
    whole = read_json(place)
    assert whole["figures_content"] == first.content and is_described(rooms, second)
    write_json(place, whole | {"figures_content": "before the erasure", "persons": 34})
    files = {rooms.archive.inside(place): content_hash(place)}
    rooms.ledger.append(EventKind.DESCRIPTION, {"release": second.name}, by=ANNA, files=files)
    assert not is_described(rooms, second)
    discover(rooms, "r0002", by=ANNA, progress=Silent())
    assert read_json(place) == whole


def _counted(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> list[Any]:
    """The first arguments with which a function of a module is called from now on."""
    called: list[Any] = []
    function = getattr(module, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        called.append(arguments)
        return function(*arguments, **named)

    monkeypatch.setattr(module, name, counted)
    return called


def test_releases_that_few_persons_tell_apart_are_described_one_after_the_other(
    upgraded: Upgraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each within the next, hundreds of engines would be open at once; and each is looked at once for all of them."""
    rooms = upgraded.rooms
    places = [_description(rooms, number) for number in (1, 2)]
    whole = [read_json(place) for place in places]
    for place in places:
        place.unlink()
    opened: list[Engine] = []
    open_at_once: list[int] = []

    def counted(work: Path) -> Engine:
        opened.append(engine := rooms.new_engine(work))
        open_at_once.append(sum(1 for each in work.parent.iterdir() if each.is_dir()))
        return engine

    stocks, read = _counted(monkeypatch, describe, "take_stock"), _counted(monkeypatch, describe, "_as_written")
    asked = replace(rooms, new_engine=counted)
    describe_for_reading(asked, rooms.archive.releases()[1:], by=ANNA, progress=Silent())
    assert [read_json(place) for place in places] == whole
    assert len(stocks) == 1
    # Of the first whether it is there, before and after it is written, what the next one's figures are, and what was checked in it.
    assert Counter(number for _, number in read) == {1: 4, 2: 1, 0: 1}
    assert len(opened) >= 2 and set(open_at_once) == {1}


def test_a_worker_that_has_a_release_open_knows_what_others_tell_since(
    upgraded: Upgraded, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = upgraded.rooms
    worker = HubAnswers(rooms=rooms, today=lambda: dt.date(2026, 11, 30), by=ANNA, progress=Silent())
    task = AvailabilityTask(uuid="u", collection="c", query=AVAILABILITY | {"project": "P"})
    looked = _counted(monkeypatch, answer, "tell_first")
    worker.availability(task.query, task=task)
    worker.availability(task.query, task=task)
    assert not looked, "while nothing changes, each release is looked at once and not for each question"
    place = _description(rooms, 1)
    write_json(place, read_json(place) | {"persons": 31})
    told = str(content_hash(place))
    worker.availability(task.query, task=task)
    assert looked
    with open_audit(rooms) as audit:
        assert audit.was_told(rooms.archive.releases()[0].content, told)
