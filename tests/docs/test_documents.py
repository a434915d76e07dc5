"""What is made from the code is committed as it would be made now, and shows what the code has."""

import json
import re
from pathlib import Path

import pytest
from jinja2.filters import FILTERS
from jinja2.runtime import Macro

from docs.generators import house_picture, json_results, page_components, way_of_the_data
from docs.generators.documents import DOCUMENTS, Document
from fairhaven.pages.kit.templates import environment
from tests.support.html_page import check_nothing_fetched, check_screen_reader, check_style_policy
from tests.support.json_form import COMMANDS, check_form

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("document", DOCUMENTS, ids=[document.place for document in DOCUMENTS])
def test_a_document_is_committed_as_it_would_be_made_now(document: Document) -> None:
    assert document.path.read_text(encoding="utf-8") == document.text(), "run `make docs`"


def test_the_page_of_components_shows_every_component_and_every_drawing_that_templates_have() -> None:
    template = page_components.TEMPLATE.read_text(encoding="utf-8")
    components = environment().get_template("kit/components.html.j2").module
    names = {name for name in dir(components) if isinstance(getattr(components, name), Macro)}
    names |= set(environment().filters) - set(FILTERS)
    assert {"table", "folded", "share"} <= names
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", template)] == []


def test_the_page_of_components_is_a_page_like_all_others() -> None:
    html = page_components.page()
    check_nothing_fetched(html)
    check_style_policy(html)
    check_screen_reader(html)


def test_the_examples_of_json_have_the_forms_they_stand_for() -> None:
    examples = json.loads(json_results.EXAMPLES.read_text(encoding="utf-8"))
    assert examples.keys() == COMMANDS.keys()
    for name, command in COMMANDS.items():
        for form, example in zip(json_results.forms_of(json_results.result_type(command)), examples[name], strict=True):
            check_form(example, form)


def test_the_rooms_in_the_picture_are_those_of_the_code() -> None:
    for room, _ in way_of_the_data.ROOMS:
        assert (ROOT / "src" / "fairhaven" / room / "__init__.py").exists()


def test_the_picture_of_the_house_has_words_for_the_packages_that_there_are() -> None:
    packages = {package for floor in house_picture.floors() for package in floor}
    assert packages == set(house_picture.WORDS)
    assert {floor[0] for floor in house_picture.floors()} == set(house_picture.FLOORS)


def test_the_places_that_developers_are_sent_to_are_there() -> None:
    text = (ROOT / "DEVELOPERS.md").read_text(encoding="utf-8")
    places = set(re.findall(r"`([a-z_]+/[a-z_/]*(?:\.py)?)`", text))
    assert places
    roots = (ROOT / "src" / "fairhaven", ROOT, ROOT / "tests")
    assert not {place for place in places if not any((root / place).exists() for root in roots)}
