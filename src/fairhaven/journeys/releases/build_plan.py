"""What a build would do, what stands in its way, and what it depends on."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from fairhaven.intake import Format, Source, check_opt_out_list
from fairhaven.journeys.model import Rooms, latest_delivery
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import canonical_json, sha256_of
from fairhaven.kernel.version import code_version
from fairhaven.omop.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of a build, in words: what it does, and on how much."""

    name: str
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildPlan:
    """What a build would do. ``obstacles`` are the refusals it would end in; without them it can begin."""

    release: str
    as_of: dt.date
    stages: tuple[Stage, ...]
    obstacles: tuple[str, ...] = ()


def plan(rooms: Rooms, *, as_of: dt.date | None) -> BuildPlan:
    """What a build would do, without doing it."""
    day = as_of or latest_delivery(rooms) or dt.date.min
    extracts = rooms.intake.extracts()
    obstacles = list(obstacles_to(rooms, day))
    number = len(rooms.archive.releases()) + 1
    fed = fed_sources(rooms)
    stale = [number for source in fed for number in rooms.intake.to_land_again(source)]
    scope = [source.name for source in fed if source.in_national_opt_out]
    rules = sum(len(rooms.mappings[name].rules) for source in fed for name in source.mapping)
    stages: tuple[Stage, ...] = (
        Stage(
            name="land",
            what=f"land {len(stale)} of {len(extracts)} extracts again, because their declaration or the reader changed"
            if stale
            else f"nothing to land again: {len(extracts)} extracts are landed as declared",
        ),
        Stage(name="link", what=f"link the patients of {len(fed)} sources to persons; earlier persons keep their keys"),
        Stage(
            name="opt out",
            what=f"leave out opted-out patients: Type 1 in {sum(s.type_1_opt_out is not None for s in fed)} sources, "
            f"the national list in {len(scope)}",
        ),
        Stage(name="harmonise", what=f"apply {rules} mapping rules and the rules for FHIR and OMOP sources"),
        Stage(name="write", what=f"write the tables of r{number:04d}; buckets without changes are not written again"),
        Stage(name="publish", what="seal the manifest into the chain: the moment from which the release exists"),
        Stage(name="describe", what="check quality and describe every variable, for the tables that changed"),
    )
    current = rooms.archive.releases()[-1:] if not obstacles else []
    if current and current[0].facts.inputs == inputs_of(rooms, day, Vocabulary.open(rooms.store / "vocabulary")):
        stages = (Stage(name="nothing", what=f"nothing has changed since {current[0].name}; no release would be made"),)
    return BuildPlan(release=f"r{number:04d}", as_of=day, stages=stages, obstacles=tuple(obstacles))


def obstacles_to(rooms: Rooms, day: dt.date) -> Iterable[str]:
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
                rooms.intake.national_opt_out(as_of=day),
                as_of=day,
                max_age_days=rooms.settings.national_max_age_days,
            )
        except NotAllowedNow as error:
            yield f"{error} In its scope: {', '.join(in_scope)}."


def fed_sources(rooms: Rooms) -> list[Source]:
    """Sources that delivered rows, in the order of their names."""
    delivered = {extract.source for extract in rooms.intake.extracts()}
    return [s for name, s in sorted(rooms.sources.items()) if name in delivered and s.format != Format.OPT_OUT]


def inputs_of(rooms: Rooms, day: dt.date, vocabulary: Vocabulary) -> str:
    """Digest of everything a release is made of: the same digest, the same release."""
    written = [
        path
        for folder in ("sources", "mappings", "vocabulary")
        for path in sorted((rooms.folder / folder).glob("*"))
        if path.suffix in (".toml", ".csv", ".py", ".json")
    ]
    said = {
        "as_of": day.isoformat(),
        "code": code_version(),
        "settings": [
            rooms.settings.birth_date,
            rooms.settings.name,
            rooms.settings.abbreviation,
            rooms.settings.holder,
        ],
        "text": {str(path.relative_to(rooms.folder)): sha256_of(path) for path in written},
        "extracts": [[extract.number, extract.sha256, extract.erased_lines] for extract in rooms.intake.extracts()],
        "vocabulary": vocabulary.version,
        "erasures": sum(entry.kind.startswith("erasure") for entry in rooms.ledger.entries()),
    }
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()
