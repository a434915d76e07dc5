"""Plans in words: a build's and an erasure's stages have one shape, and what comes first is said first."""

import datetime as dt
from pathlib import Path

import pytest

from fairhaven.archive import Erasure
from fairhaven.cli import release_text
from fairhaven.hub import open_hub
from fairhaven.hub.new_hub import make_hub
from fairhaven.journeys.model import Stage
from fairhaven.journeys.persons.erasure_stages import ErasureStage, erasure_stage_in_words
from fairhaven.journeys.persons.recovery import ErasureUnderWay
from fairhaven.journeys.releases import build_plan
from fairhaven.journeys.releases.build_stages import Describe, in_words
from fairhaven.journeys.store_files import erasure_journal
from fairhaven.kernel.codec import to_json
from tests.support.actors import ANNA


def test_a_plan_begins_with_what_a_killed_command_left(tmp_path: Path) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    rooms = open_hub(tmp_path / "hub")
    first = build_plan.plan_build(rooms, as_of=None, today=dt.date(2026, 1, 31)).stages[0]
    assert first == Stage(name="recover", what="first finish what a killed command left, if one did")
    under_way = ErasureUnderWay(person=7, patients={}, by=ANNA, after=0)
    erasure_journal(rooms).begin(to_json(under_way), by=ANNA)
    first = build_plan.plan_build(rooms, as_of=None, today=dt.date(2026, 1, 31)).stages[0]
    assert (first.name, "the erasure of a person" in first.what, "7" in first.what) == ("recover", True, False)


def test_where_nothing_has_changed_the_description_is_what_is_planned() -> None:
    said = in_words(Describe(number=2, is_new=False))
    assert said.name == "describe"
    assert said.what.startswith("nothing has changed since r0002, so no release is made; describe r0002")


@pytest.mark.parametrize(
    ("is_new", "heading"),
    [(True, "Building r0002 as of 2026-01-31 would:"), (False, "Building as of 2026-01-31 would make no new release:")],
)
def test_a_plan_is_headed_by_the_release_that_it_would_make(is_new: bool, heading: str) -> None:
    planned = build_plan.BuildPlan(release="r0002", is_new=is_new, as_of=dt.date(2026, 1, 31), stages=())
    assert next(release_text.plan(planned)) == heading


def test_an_erasures_stages_have_names_too() -> None:
    patients = {"gp_parkview": ["a"], "north_trust_hes": ["b", "c"]}
    nothing = Erasure(persons=0, rows={}, files=0, superseded={})
    said = [erasure_stage_in_words(stage, patients, nothing) for stage in ErasureStage]
    assert [stage.name for stage in said] == ["deliveries", "vault", "releases", "describe", "questions"]
    assert "1 patient record of gp_parkview, 2 patient records of north_trust_hes" in said[0].what
