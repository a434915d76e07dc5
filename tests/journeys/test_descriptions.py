"""What is written beside a release is made again where it is damaged, and a report needs nothing but both."""

import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.journeys.descriptions.describe import QUALITY, described
from fairhaven.journeys.descriptions.described_counts import DESCRIPTION
from fairhaven.journeys.descriptions.discovery_index import is_as_written, kept_index
from fairhaven.journeys.releases.protected_counts import protected
from fairhaven.journeys.releases.report_facts import quarantined_in, report_on_release
from fairhaven.kernel.errors import Invalid
from fairhaven.kernel.files import read_json, write_json
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import EventKind
from fairhaven.pages.release import render
from tests.support.actors import ANNA
from tests.support.ledgers import alter
from tests.support.page_facts import PageFacts
from tests.support.release_page_figures import FATES, ReleasePageFigures
from tests.support.row_equations import row_equations


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


def test_checks_of_the_release_before_that_were_altered_are_not_carried_on(copy: Path) -> None:
    rooms = open_hub(copy)
    first, second = (rooms.archive.description(number) / QUALITY for number in (1, 2))
    kept, whole = read_json(first), read_json(second)
    forged = [result | {"status": "failed", "violated": 1} for result in kept["results"]]
    write_json(first, kept | {"results": forged})
    second.unlink()

    described(rooms, rooms.archive.release(), by=ANNA, progress=Silent())

    assert read_json(second)["results"] == whole["results"]


@pytest.mark.parametrize("file", [DESCRIPTION, "discovery/manifest.json"])
def test_what_the_ledger_does_not_have_describes_no_release(copy: Path, file: str) -> None:
    rooms = open_hub(copy)
    release = rooms.archive.release()
    place = rooms.archive.description(release.number) / file
    path = place.relative_to(rooms.store).as_posix()
    assert is_as_written(rooms, [place])
    rooms.ledger.append(EventKind.DESCRIPTION, {"release": release.name}, by=ANNA, files={path: None})
    assert not is_as_written(rooms, [place])


def test_a_ledger_at_fault_is_not_taken_for_a_release_without_an_index(copy: Path) -> None:
    release = open_hub(copy).archive.release()
    rooms = open_hub(copy)
    alter(rooms.store, 'UPDATE event SET content = replace(content, \'"kind":"delivery"\', \'"kind":"delivers"\')')
    with pytest.raises(Invalid, match=r"ledger:\d+: .* altered"):
        kept_index(rooms, release)


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


def test_a_report_is_made_of_its_release_alone(copy: Path) -> None:
    whole = report_on_release(open_hub(copy), None, by=ANNA, progress=Silent())
    assert whole.quarantine
    for folder in ("deliveries", "landing", "received", "vault"):
        shutil.rmtree(copy / "store" / folder)
    assert report_on_release(open_hub(copy), None, by=ANNA, progress=Silent()) == whole


@pytest.mark.parametrize("policy", ["ons", "hdr-uk", "hes", "opensafely"])
def test_nothing_that_the_demonstration_says_of_itself_narrows_a_small_count(demo: Path, policy: str) -> None:
    """Read out of the page as it is made; what files for other catalogues say are figures of the description."""
    rooms, rule = open_hub(demo), policy_named(policy)
    release = rooms.archive.release(None)
    known = described(rooms, release, by=ANNA, progress=Silent())
    if policy != rooms.settings.disclosure.name:  # the tables are described by another rule
        known = replace(known, description=replace(known.description, tables=()))
    quarantine = quarantined_in(rooms, release)
    made = protected(release, known, rule, hub="Hub", quarantine=quarantine, changes={})
    titles = {source.name: source.title for source in release.facts.sources}
    many = {
        name
        for flow in release.facts.row_flow
        for fate, words in FATES.items()
        if getattr(flow, fate) >= rule.threshold
        for name in ((flow.source, flow.table, fate), (titles[flow.source], flow.table, words))
    }
    equations = row_equations(release.facts, {link.cdm_table for link in known.row_counts.links})
    assert sum(bool(equation.left) for equation in equations) > 3
    figures = ReleasePageFigures(render(made), rule, equations=equations)
    assert figures.hidden
    assert (figures.narrowed(many=many), figures.unread()) == ({}, [])
    if made.description is not None:
        assert not PageFacts(made).narrowed(rule.threshold, many=many)
        folder = rooms.archive.description(release.number)
        said = _counts({"": read_json(folder / DESCRIPTION)}, of=("rows", "persons"))
        for form in ("hdruk.json", "dcat.jsonld", "croissant.json"):
            assert _counts(read_json(folder / form)) <= said | {
                sum(each.rows or 0 for each in known.description.tables)
            }


_COUNTS = (
    "populationSize",
    "measuredValue",
    "frequency",
    "healthdcatap:numberOfUniqueIndividuals",
    "healthdcatap:numberOfRecords",
)


def _counts(found: object, *, of: Collection[str] = _COUNTS) -> set[int]:
    """Numbers of these names in JSON, at any depth."""
    match found:
        case dict():
            parts = [_counts(part, of=of) for part in found.values()]
            own = [part["@value"] if isinstance(part, dict) else part for name, part in found.items() if name in of]
            return set().union({int(each) for each in own if each is not None}, *parts)
        case list():
            return set().union(*(_counts(part, of=of) for part in found))
    return set()
