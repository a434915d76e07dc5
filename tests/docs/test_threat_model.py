"""What the threat model says is shown: every protection names a test, and every test, command and file it names is there."""

import re
from pathlib import Path

import pytest

from docs.generators.commands import commands

ROOT = Path(__file__).parents[2]
EXPLANATION = ROOT / "docs" / "explanation"
MODEL = (EXPLANATION / "threat-model.md").read_text(encoding="utf-8")
PAGES = {name: (EXPLANATION / name).read_text(encoding="utf-8") for name in ("threat-model.md", "dpia.md")}
WHO = re.split(r"^## ", MODEL, flags=re.MULTILINE)[2:]
"""The sections of those who could do harm."""


def test_every_test_that_is_named_exists() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {name for page in PAGES.values() for name in re.findall(r"`(test_\w+)`", page)}
    assert named
    assert named - there == set()


@pytest.mark.parametrize("section", WHO, ids=[section.partition("\n")[0] for section in WHO])
def test_each_protection_names_the_test_that_shows_it_and_what_remains_is_said(section: str) -> None:
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert rows
    assert [row for row in rows if not re.search(r"`test_\w+`[^|]*\|$", row)] == []
    assert "What remains" in section


def test_those_whom_a_hub_must_reckon_with_each_have_a_section() -> None:
    titles = " ".join(section.partition("\n")[0] for section in WHO).lower()
    for who in ("operator", "analyst", "partner", "member", "researcher", "thief", "insider"):
        assert who in titles


@pytest.mark.parametrize("name", PAGES)
def test_every_command_that_is_named_exists(name: str) -> None:
    there = {" ".join(path) for path, _ in commands()}
    named = set(re.findall(r"`fairhaven ([a-z]+(?: [a-z]+)?)", PAGES[name]))
    assert named
    assert {words for words in named if not {words, words.partition(" ")[0]} & there} == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_place_of_the_store_that_is_named_is_in_the_way_of_the_data(name: str) -> None:
    way = (EXPLANATION / "the-way-of-the-data.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`store/([\w.-]+)", PAGES[name]))
    assert {place for place in named if place not in way} == set()
