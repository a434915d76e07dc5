"""What a build would do, and what stands in its way."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairhaven.archive import Release
from fairhaven.intake import Extract, Format, Source, check_opt_out_list
from fairhaven.journeys.model import Rooms, Stage, latest_delivery
from fairhaven.journeys.persons.recovery import recovery_in_words
from fairhaven.journeys.releases.build_stages import BuildStage, Describe, LandAgain, in_words, stages_of
from fairhaven.journeys.releases.inputs import inputs_of
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.omop.vocabulary import Vocabulary
from fairhaven.release.manifest import name_of


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildPlan:
    """What a build would do, in words.

    Args:
        release: the release that it would make; where nothing has changed, the one that is there.
        is_new: false where nothing has changed.
        obstacles: the refusals it would end in; without them it can begin.
    """

    release: str
    is_new: bool
    as_of: dt.date
    stages: tuple[Stage, ...]
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedBuild:
    """What a build does, as data.

    Args:
        extracts: all that were received, as they are before any is landed again.
        sources: those that delivered rows.
        obstacles: why it cannot begin.
        unchanged: the latest release, where it is made of the same inputs; then its description is all there is to do.
        vocabulary, inputs: None and empty where there are obstacles.
    """

    number: int
    as_of: dt.date
    today: dt.date
    extracts: tuple[Extract, ...]
    sources: tuple[Source, ...]
    stages: tuple[BuildStage, ...]
    obstacles: tuple[str, ...]
    unchanged: Release | None
    vocabulary: Vocabulary | None
    inputs: str


def planned_build(rooms: Rooms, *, as_of: dt.date | None, today: dt.date) -> PlannedBuild:
    """What a build of all that was received does."""
    day = as_of or latest_delivery(rooms.intake) or dt.date.min
    extracts = rooms.intake.extracts()
    sources = fed_sources(rooms.sources, extracts)
    obstacles = tuple(obstacles_to(rooms, sources, as_of=day, today=today))
    releases = rooms.archive.releases()
    vocabulary = None if obstacles else Vocabulary.open(rooms.store / "vocabulary")
    inputs = inputs_of(rooms, sources, extracts, day, vocabulary) if vocabulary else ""
    unchanged = releases[-1] if vocabulary and releases and releases[-1].facts.inputs == inputs else None
    number = len(releases) + 1
    stages = stages_of(rooms, sources, extracts, number=number, as_of=day)
    if unchanged:
        # Where nothing has changed, only what was landed and is lost or cut off is landed again.
        again = [stage for stage in stages if isinstance(stage, LandAgain) and stage.stale]
        stages = (*again, Describe(number=unchanged.number, is_new=False))
    return PlannedBuild(
        number=number,
        as_of=day,
        today=today,
        extracts=tuple(extracts),
        sources=tuple(sources),
        stages=stages,
        obstacles=obstacles,
        unchanged=unchanged,
        vocabulary=vocabulary,
        inputs=inputs,
    )


def plan_build(rooms: Rooms, *, as_of: dt.date | None, today: dt.date) -> BuildPlan:
    """What a build would do, without doing it."""
    planned = planned_build(rooms, as_of=as_of, today=today)
    return BuildPlan(
        release=planned.unchanged.name if planned.unchanged else name_of(planned.number),
        is_new=planned.unchanged is None,
        as_of=planned.as_of,
        stages=(recovery_in_words(rooms), *map(in_words, planned.stages)),
        obstacles=planned.obstacles,
    )


def obstacles_to(rooms: Rooms, sources: Iterable[Source], *, as_of: dt.date, today: dt.date) -> Iterable[str]:
    """Why a build of these sources cannot even begin; all reasons at once."""
    if not rooms.intake.deliveries():
        yield f"nothing was received yet. Take a delivery: fairhaven receive {rooms.folder} SOURCE FILE..."
    if not (rooms.store / "vocabulary" / "current.json").exists():
        yield (
            "no vocabulary is loaded, so no code could be mapped. Download one from athena.ohdsi.org and run: "
            f"fairhaven vocabulary load {rooms.folder} FILE"
        )
    in_scope = [source.name for source in sources if source.in_national_opt_out]
    if in_scope:
        try:
            check_opt_out_list(
                rooms.intake.national_opt_out(as_of=as_of),
                as_of=as_of,
                today=today,
                max_age_days=rooms.settings.national_max_age_days,
            )
        except NotAllowedNow as error:
            yield f"{error} In its scope: {', '.join(in_scope)}."


def fed_sources(sources: Mapping[str, Source], extracts: Sequence[Extract]) -> list[Source]:
    """Sources that delivered rows, in the order of their names."""
    delivered = {extract.source for extract in extracts}
    return [s for name, s in sorted(sources.items()) if name in delivered and s.format != Format.OPT_OUT]
