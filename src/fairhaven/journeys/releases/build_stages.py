"""The stages of a build, as data: `build_plan` says them in words, `build` carries them out."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairhaven.intake import Extract, Source
from fairhaven.journeys.model import Rooms, Stage
from fairhaven.release.manifest import name_of


@dataclass(frozen=True, kw_only=True, slots=True)
class LandAgain:
    """Extracts whose declaration or reader has changed are landed again: source -> how many of how many."""

    stale: Mapping[str, int]
    extracts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkPatients:
    """The patients of sources become persons, who keep their keys."""

    sources: tuple[str, ...]
    extracts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaveOut:
    """Patients who opted out are left out: sources that say so themselves, sources in the national list's scope."""

    type_1: tuple[str, ...]
    national: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AddUp:
    """Every row received is accounted for, and no more are in quarantine than a source allows."""

    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Harmonise:
    """Source tables become OMOP tables."""

    sources: tuple[str, ...]
    rules: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteTables:
    """The tables of the release are written, and looked through for the NHS numbers that came with extracts."""

    number: int
    extracts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Publish:
    """The manifest is sealed into the chain."""

    number: int
    as_of: dt.date


@dataclass(frozen=True, kw_only=True, slots=True)
class Describe:
    """What describes a release is made, unless it is there.

    Args:
        is_new: false where nothing has changed since the release, and no other is made.
    """

    number: int
    is_new: bool


BuildStage = LandAgain | LinkPatients | LeaveOut | AddUp | Harmonise | WriteTables | Publish | Describe


def stages_of(
    rooms: Rooms, sources: Sequence[Source], extracts: Sequence[Extract], *, number: int, as_of: dt.date
) -> tuple[BuildStage, ...]:
    """What makes a release of all that was received.

    Args:
        sources: those that delivered rows.
        extracts: all that were received.
        number: of the release.
    """
    names = tuple(source.name for source in sources)
    linked = tuple(extract.number for extract in extracts if extract.source in names)
    stale = {source.name: len(rooms.intake.to_land_again(source)) for source in sources}
    return (
        LandAgain(stale={name: count for name, count in stale.items() if count}, extracts=len(extracts)),
        LinkPatients(sources=names, extracts=linked),
        LeaveOut(
            type_1=tuple(source.name for source in sources if source.type_1_opt_out is not None),
            national=tuple(source.name for source in sources if source.in_national_opt_out),
        ),
        AddUp(sources=names),
        Harmonise(
            sources=names,
            rules=sum(len(rooms.mappings[name].rules) for source in sources for name in source.mapping),
        ),
        WriteTables(number=number, extracts=linked),
        Publish(number=number, as_of=as_of),
        Describe(number=number, is_new=True),
    )


def in_words(stage: BuildStage) -> Stage:
    """What a stage does, on how much."""
    match stage:
        case LandAgain(stale=stale, extracts=extracts) if stale:
            number = sum(stale.values())
            return Stage(
                name="land",
                what=f"land {number} of {extracts} extracts again, because their declaration or the reader changed",
            )
        case LandAgain(extracts=extracts):
            return Stage(name="land", what=f"nothing to land again: {extracts} extracts are landed as declared")
        case LinkPatients(sources=sources):
            return Stage(
                name="link",
                what=f"link the patients of {len(sources)} sources to persons; earlier persons keep their keys",
            )
        case LeaveOut(type_1=type_1, national=national):
            where = f"Type 1 in {len(type_1)} sources, the national list in {len(national)}"
            return Stage(name="opt out", what=f"leave out opted-out patients: {where}")
        case AddUp(sources=sources):
            return Stage(
                name="add up",
                what=f"account for every row that {len(sources)} sources delivered; refuse too many in quarantine",
            )
        case Harmonise(rules=rules):
            return Stage(name="harmonise", what=f"apply {rules} mapping rules and the rules for FHIR and OMOP sources")
        case WriteTables(number=number):
            return Stage(
                name="write",
                what=f"write the tables of {name_of(number)}; buckets without changes are not written again",
            )
        case Publish():
            return Stage(
                name="publish", what="seal the manifest into the chain: the moment from which the release exists"
            )
        case Describe(is_new=True):
            return Stage(name="describe", what="check quality and describe every variable, for the tables that changed")
        case Describe(number=number):
            last = name_of(number)
            what = f"nothing has changed since {last}, so no release is made; describe {last} where that is not done"
            return Stage(name="describe", what=what)
