"""What is made from the code is committed as it would be made now, and shows what the code has."""

from pathlib import Path

import pytest

from docs.generators import way_of_the_data
from docs.generators.documents import DOCUMENTS, Document

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("document", DOCUMENTS, ids=[document.place for document in DOCUMENTS])
def test_a_document_is_committed_as_it_would_be_made_now(document: Document) -> None:
    assert document.path.read_text(encoding="utf-8") == document.text(), "run `make docs`"


def test_the_rooms_in_the_picture_are_those_of_the_code() -> None:
    for room, _ in way_of_the_data.ROOMS:
        assert (ROOT / "src" / "fairhaven" / room / "__init__.py").exists()
