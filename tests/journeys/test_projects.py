"""Projects through the command: who may ask is opened by name, once, for one organisation."""

from pathlib import Path

import pytest

from fairhaven.hub import open_hub
from fairhaven.journeys.cohorts.projects import asker_of, open_project
from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.ledger import EventKind
from tests.support.actors import ANNA
from tests.support.command_line import Command


@pytest.fixture
def hub(tmp_path: Path, fairhaven: Command) -> Path:
    fairhaven("init", tmp_path / "hub")
    for example in ("controllers", "sources"):
        for file in (tmp_path / "hub" / example).glob("*.toml"):
            file.unlink()
    return tmp_path / "hub"


def test_an_unknown_project_is_refused_and_told_how_one_is_opened(hub: Path) -> None:
    with pytest.raises(NotFound, match="fairhaven project open"):
        asker_of(open_hub(hub), "Asthma")


def test_a_project_is_known_however_its_name_is_spelled_and_belongs_to_one_organisation(
    hub: Path, fairhaven: Command
) -> None:
    said = fairhaven("project", "open", hub, "Asthma in  Children", "--organisation", "Riverside")
    assert "Asthma in Children may ask for counts, for Riverside" in said.stdout
    again = open_project(open_hub(hub), "ASTHMA in children", organisation="riverside ", by=ANNA)
    assert again.name == "Asthma in Children"
    asker = asker_of(open_hub(hub), "asthma\N{NO-BREAK SPACE}IN children")
    assert (asker.project, asker.organisation) == ("asthma in children", "riverside")
    entered = [entry for entry in open_hub(hub).ledger.entries() if entry.kind == EventKind.PROJECT]
    assert [entry.facts for entry in entered] == [{"project": "asthma in children", "organisation": "riverside"}]
    with pytest.raises(NotAllowedNow, match="was opened for the organisation riverside"):
        open_project(open_hub(hub), "Asthma in Children", organisation="Market", by=ANNA)
    with pytest.raises(NotAllowedNow, match="is another project's"):
        open_project(open_hub(hub), "Asthma in-Children", organisation="Market", by=ANNA)


def test_another_name_or_organisation_written_into_a_projects_file_brings_no_fresh_budget(hub: Path) -> None:
    open_project(open_hub(hub), "Asthma", organisation="Riverside", by=ANNA)
    file = hub / "projects" / "asthma.toml"
    text = file.read_text()
    for name, organisation in (("Asthma", "Market"), ("Asthma 2", "Riverside")):
        file.write_text(text.replace("Riverside", organisation).replace("Asthma", name))
        with pytest.raises(Invalid, match="by the ledger"):
            asker_of(open_hub(hub), name)
    file.unlink()
    open_project(open_hub(hub), "Asthma", organisation="Riverside", by=ANNA)
    assert asker_of(open_hub(hub), "asthma").organisation == "riverside"
    file.unlink()
    with pytest.raises(NotFound, match="open: none"):
        asker_of(open_hub(hub), "asthma")


@pytest.mark.parametrize("name", ["", " \t", "\x1b[31mred", "a" * 101, "\N{ZERO WIDTH SPACE}"])
def test_a_name_that_nobody_can_read_is_refused(hub: Path, name: str) -> None:
    with pytest.raises(Invalid, match="empty, longer than 100 characters"):
        open_project(open_hub(hub), name, organisation="Riverside", by=ANNA)
    with pytest.raises(Invalid, match="the organisation"):
        open_project(open_hub(hub), "Asthma", organisation=name, by=ANNA)
    assert not (hub / "projects").exists()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("River\ufe0fside", r"nobody sees \(U\+FE0F\)"),
        ("Riverside\u3164", r"nobody sees \(U\+3164\)"),
        ("Riverside\u2800", r"nobody sees \(U\+2800\)"),
        ("Riv\N{CYRILLIC SMALL LETTER IE}rside", "Cyrillic and Latin"),
        ("River\N{GREEK SMALL LETTER OMICRON}", "Greek and Latin"),
    ],
)
def test_a_name_that_people_would_take_for_another_is_refused(hub: Path, name: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        open_project(open_hub(hub), name, organisation="Riverside", by=ANNA)
    with pytest.raises(Invalid, match=why):
        open_project(open_hub(hub), "Asthma", organisation=name, by=ANNA)
    assert not (hub / "projects").exists()


def test_a_name_too_long_for_a_file_is_refused_and_one_of_another_script_is_not(hub: Path) -> None:
    with pytest.raises(Invalid, match="shorter name"):
        open_project(open_hub(hub), "\u5065" * 90, organisation="Riverside", by=ANNA)
    for name in ("\u5065" * 60, "\N{CYRILLIC SMALL LETTER IE}" * 60):
        open_project(open_hub(hub), name, organisation="Riverside", by=ANNA)
        assert asker_of(open_hub(hub), name).organisation == "riverside"


def test_a_project_that_was_opened_with_letters_that_nobody_sees_is_opened_once_more(hub: Path) -> None:
    open_project(open_hub(hub), "Asthma", organisation="Riverside", by=ANNA)
    rooms = open_hub(hub)
    for spelled in ("migraine", "eczema\ufe0f"):  # as earlier versions entered them
        (hub / "projects" / f"{spelled[:5]}.toml").write_text(f'name = "{spelled}"\norganisation = "Riverside\ufe0f"\n')
        rooms.ledger.append(EventKind.PROJECT, {"project": spelled, "organisation": "riverside\ufe0f"}, by=ANNA)
    for name in ("migraine", "eczema"):
        with pytest.raises(Invalid, match="open the project with that command"):
            asker_of(open_hub(hub), name)
        with pytest.raises(NotAllowedNow, match="was opened for the organisation riverside"):
            open_project(open_hub(hub), name, organisation="Market", by=ANNA)
        open_project(open_hub(hub), name, organisation="Riverside", by=ANNA)
        assert asker_of(open_hub(hub), name).organisation == "riverside"
