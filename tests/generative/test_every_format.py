"""The same random facts in every format that is read: the release has the rows that they are, whoever sent them, and what is in no release is told by name."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.generated_facts import FAULTS, NEGATIONS, NOBODY, Event, Statement, World
from tests.support.generated_files import SOURCES
from tests.support.generated_hub import GeneratedHub
from tests.support.generated_partner import partner_rows
from tests.support.generated_truth import FORMS, truth
from tests.support.generated_world import random_world

FIRST = 1
RUNS = 8
"""Hubs that a difference may cost while its facts are made fewer."""


def test_the_facts_of_a_few_seeds_hold_something_of_everything() -> None:
    worlds = [random_world(seed) for seed in range(FIRST, FIRST + 6)]
    statements = [each for world in worlds for each in world.statements]
    events = [each.fact for each in statements if isinstance(each.fact, Event)]
    assert {event.kind for event in events} == {*NEGATIONS} - {"visit"}
    assert {bool(event.number is None) for event in events if event.text} == {True, False}
    assert {(event.kind, event.standing) for event in events if event.standing} >= {
        (kind, standing) for kind, several in NEGATIONS.items() if kind != "visit" for standing in several
    }
    assert {each.fault for each in statements} == {"", *FAULTS}
    assert {each.table for each in statements if each.fact is None} == {
        "places",
        "providers",
        "persons",
        "visits",
        "events",
    }
    assert any(each.copies > 1 for each in statements)
    assert any(world.opted_out for world in worlds)
    left_out = sum((Counter(truth(world, FORMS["r4"]).left_out) for world in worlds), Counter())
    assert {*left_out} == {"not taken", "no birth year", "no date", "after the release", "before birth"}
    # A partner's CDM has each row that the release has, and those besides that a hub is to find at fault.
    for world in worlds:
        ours = truth(World(statements=world.statements, opted_out=frozenset()), FORMS["cdm54"])
        partners = partner_rows(world, 1, FORMS["cdm54"])
        assert all(
            len(partners[table]) >= len(ours.rows[table])
            for table in partners
            if table in ours.rows and table != "observation_period"
        )


@pytest.mark.slow
def test_every_format_gives_the_rows_that_the_facts_are(request: pytest.FixtureRequest) -> None:
    seeds = range(FIRST, FIRST + int(request.config.getoption("--seeds")))
    found = [told for seed in seeds if (told := _differences(seed))]
    assert not found, "\n\n".join(found)


def _differences(seed: int) -> str:
    """What is otherwise in the hub of a seed, with the fewest facts by which it shows; empty where nothing is."""
    world = random_world(seed)
    told, persons = _tried(world, seed)
    if not told:
        return ""
    smallest = _smallest(world, persons, lambda fewer: bool(_tried(fewer, seed)[0]))
    return f"seed {seed}:\n{told}\nalso with no more than this:\n" + "\n".join(map(_said, smallest.statements))


def _tried(world: World, seed: int) -> tuple[str, list[int]]:
    """What is otherwise in the hub of a world, and whose rows are."""
    with TemporaryDirectory() as folder:
        hub = GeneratedHub(Path(folder), world, seed)
        differences = hub.differences()
        lines = [*hub.sums(), *(f"{each.source} {each.table} {each.more:+}: {each.row}" for each in differences)]
    years = {each.row.partition(",")[0].removeprefix("who=") for each in differences}
    births = {each.person: str(getattr(each.fact, "birth", [0])[0]) for each in world.statements if each.table == "persons"}  # fmt: skip
    return "\n".join(lines), [person for person, year in births.items() if year in years]


def _smallest(world: World, persons: list[int], fails: Callable[[World], bool]) -> World:
    """A part of a world that fails still: one of the persons whose rows differ, then fewer and fewer of their statements."""
    of_one = [[each for each in world.statements if each.person in {person, NOBODY}] for person in persons]
    tries = iter(range(RUNS))
    for several in sorted(of_one, key=len):
        if next(tries, None) is not None and fails(one := world.only(several)):
            break
    else:
        return world
    keys = list(dict.fromkeys((each.table, each.key) for each in one.statements))
    part = max(len(keys) // 2, 1)
    while next(tries, None) is not None:
        without = [each for each in one.statements if (each.table, each.key) not in keys[:part]]
        if without and fails(fewer := world.only(without)):
            one, keys = fewer, keys[part:]
        else:
            keys = [*keys[part:], *keys[:part]]
            part = max(part // 2, 1)
    return one


def _said(each: Statement) -> str:
    facts = {name: value for name, value in vars(each.fact).items() if value not in {"", None}} if each.fact else "taken back"  # fmt: skip
    return f"  {each.table} {each.key} of person {each.person}, delivery {each.delivery}, {each.copies} x {each.fault or 'whole'}: {facts}"


def test_a_difference_is_shown_by_the_fewest_facts() -> None:
    world = random_world(FIRST)
    guilty = next(each for each in world.statements if each.table == "events" and not each.fault)
    found = _smallest(world, [guilty.person, guilty.person + 1], lambda fewer: guilty in fewer.statements)
    assert guilty in found.statements
    assert {each.person for each in found.statements} <= {guilty.person, NOBODY}
    assert len(found.statements) < len([each for each in world.statements if each.person in {guilty.person, NOBODY}])
    assert len(SOURCES) == 7
