"""What a build would do, and what stands in its way."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from fairhaven.archive import Release
from fairhaven.intake import Format, Source, check_opt_out_list
from fairhaven.journeys.model import Rooms, Stage, latest_delivery
from fairhaven.journeys.persons.recovery import recovery_in_words
from fairhaven.journeys.releases.build_stages import BuildStage, Describe, in_words, stages_of
from fairhaven.journeys.releases.inputs import inputs_of
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.omop.vocabulary import Vocabulary
from fairhaven.release.manifest import name_of


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildPlan:
    """What a build would do, in words. ``obstacles`` are the refusals it would end in; without them it can begin."""

    release: str
    as_of: dt.date
    stages: tuple[Stage, ...]
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedBuild:
    """What a build does, as data.

    Args:
        sources: those that delivered rows.
        obstacles: why it cannot begin.
        unchanged: the latest release, where it is made of the same inputs; then its description is all there is to do.
        vocabulary, inputs: None and empty where there are obstacles.
    """

    number: int
    as_of: dt.date
    sources: tuple[Source, ...]
    stages: tuple[BuildStage, ...]
    obstacles: tuple[str, ...]
    unchanged: Release | None
    vocabulary: Vocabulary | None
    inputs: str


def planned_build(rooms: Rooms, *, as_of: dt.date | None) -> PlannedBuild:
    """What a build of all that was received does."""
    day = as_of or latest_delivery(rooms) or dt.date.min
    sources = fed_sources(rooms)
    obstacles = tuple(obstacles_to(rooms, day))
    releases = rooms.archive.releases()
    vocabulary = None if obstacles else Vocabulary.open(rooms.store / "vocabulary")
    inputs = inputs_of(rooms, sources, day, vocabulary) if vocabulary else ""
    unchanged = releases[-1] if vocabulary and releases and releases[-1].facts.inputs == inputs else None
    number = len(releases) + 1
    return PlannedBuild(
        number=number,
        as_of=day,
        sources=tuple(sources),
        stages=(Describe(number=unchanged.number, is_new=False),)
        if unchanged
        else stages_of(rooms, sources, number=number, as_of=day),
        obstacles=obstacles,
        unchanged=unchanged,
        vocabulary=vocabulary,
        inputs=inputs,
    )


def plan(rooms: Rooms, *, as_of: dt.date | None) -> BuildPlan:
    """What a build would do, without doing it."""
    planned = planned_build(rooms, as_of=as_of)
    stages = (recovery_in_words(rooms), *map(in_words, planned.stages))
    return BuildPlan(release=name_of(planned.number), as_of=planned.as_of, stages=stages, obstacles=planned.obstacles)


def obstacles_to(rooms: Rooms, as_of: dt.date) -> Iterable[str]:
    """Why a build cannot even begin; all reasons at once."""
    if not rooms.intake.deliveries():
        yield f"nothing was received yet. Take a delivery: fairhaven receive {rooms.folder} SOURCE FILE..."
    if not (rooms.store / "vocabulary" / "current.json").exists():
        yield (
            "no vocabulary is loaded, so no code could be mapped. Download one from athena.ohdsi.org and run: "
            f"fairhaven vocabulary load {rooms.folder} FILE"
        )
    in_scope = [source.name for source in fed_sources(rooms) if source.in_national_opt_out]
    if in_scope:
        try:
            check_opt_out_list(
                rooms.intake.national_opt_out(as_of=as_of),
                as_of=as_of,
                max_age_days=rooms.settings.national_max_age_days,
            )
        except NotAllowedNow as error:
            yield f"{error} In its scope: {', '.join(in_scope)}."


def fed_sources(rooms: Rooms) -> list[Source]:
    """Sources that delivered rows, in the order of their names."""
    delivered = {extract.source for extract in rooms.intake.extracts()}
    return [s for name, s in sorted(rooms.sources.items()) if name in delivered and s.format != Format.OPT_OUT]
