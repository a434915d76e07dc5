"""A release describes itself: quality, every variable, and the measures that the report shows.

What is written beside a release is made from its tables alone, so it can be made again at any time: after a build that
was killed at the end, and after an erasure, which takes it away.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.archive import Release
from fairhaven.catalogue import describe
from fairhaven.engine import Engine
from fairhaven.exchange import DatasetAbout, croissant_dataset, dcat_dataset, hdruk_dataset
from fairhaven.journeys.descriptions.described_counts import DESCRIPTION, ROW_COUNTS, make_counts_known
from fairhaven.journeys.descriptions.discovery_index import is_as_written, make_index, record_description
from fairhaven.journeys.hub_audit import has_audit, open_audit, record_questions
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import vocabulary_of
from fairhaven.journeys.store_files import take_stock
from fairhaven.kernel.codec import read_record, to_json
from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.files import announce, damaged, scratch, write_json
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, content_hash, hash_of_json, hashes_as_written
from fairhaven.omop import CDM
from fairhaven.quality import Origin, QualityReport, Scorecard, check, scorecard
from fairhaven.release.description import Description
from fairhaven.release.row_counts import RowCounts, SourceRows, UnmappedRows, YearRows

QUALITY, SCORECARD = "quality.json", "scorecard.json"
_RECORDS = (QUALITY, SCORECARD, DESCRIPTION, ROW_COUNTS)
_FORMS = ("hdruk.json", "dcat.jsonld", "croissant.json")
"""The release for other catalogues, each where the hub has what it needs."""
_UNMAPPED = 200
"""How many unmapped codes are ranked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribedRelease:
    """What describes a release: how good it is, what each source filled, every variable, and rows counted for the report."""

    quality: QualityReport
    scorecard: Scorecard
    description: Description
    row_counts: RowCounts


class _Known:
    """What is known of releases' descriptions while some are written: each is read once, and again after it was written."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._has_own_figures: dict[int, bool | None] = {}

    def is_described(self, release: Release) -> bool:
        """As the function of that name."""
        return self._of(release) is not None

    def has_own_figures(self, release: Release) -> bool:
        """Whether it is described, and not by the figures of another."""
        return self._of(release) is True

    def forget(self, release: Release) -> None:
        """Look at it again: it was written."""
        self._has_own_figures.pop(release.number, None)

    def _of(self, release: Release) -> bool | None:
        if release.number not in self._has_own_figures:
            found = _found(self._rooms, release)
            self._has_own_figures[release.number] = None if found is None else not found.description.figures_of
        return self._has_own_figures[release.number]


def describe_releases(rooms: Rooms, releases: Sequence[Release], *, by: Actor, progress: Progress) -> None:
    """Write what describes releases, their discovery indexes with it, unless it is there and says what they hold."""
    known = _Known(rooms)
    for each in _in_order(rooms, releases, known):
        _describe(rooms, each, known, by=by, progress=progress)
    if rooms.settings.readers:
        with open_audit(rooms) as audit:
            make_counts_known(rooms, audit, rooms.archive.releases())  # they may only ask
        record_questions(rooms, by=by, progress=progress)


def _describe(rooms: Rooms, release: Release, known: _Known, *, by: Actor, progress: Progress) -> None:
    with hashes_as_written(rooms.store) as written:
        make_index(rooms, release, progress=progress)
        if not known.is_described(release):
            _write(rooms, release, known, progress=progress)
            known.forget(release)
    record_description(rooms, release, written, by=by)
    if has_audit(rooms):
        with open_audit(rooms) as audit:
            make_counts_known(rooms, audit, [release])


def _in_order(rooms: Rooms, releases: Sequence[Release], known: _Known) -> list[Release]:
    """Releases that are to be described, and the earlier ones without a description of today whose figures they, or another of them, may have.

    The oldest first: they are described one after the other, not each within the next. Of hundreds a few persons apart each would keep its engine open.
    """
    wanted = {each.number: each for each in releases if not known.is_described(each)}
    undescribed = [
        each
        for each in rooms.archive.releases()
        if each.number < max(wanted, default=0) and each.number not in wanted and not known.is_described(each)
    ]
    if undescribed:
        with scratch(rooms.store / "scratch") as work, closing(rooms.new_engine(work)) as engine:
            for each in reversed(undescribed):
                later = [other for other in wanted.values() if other.number > each.number]
                if any(_is_told_by_few(rooms, each, other, engine) for other in later):
                    wanted[each.number] = each
    together = {each.number: each for each in releases} | wanted
    return [together[number] for number in sorted(together)]


def is_described(rooms: Rooms, release: Release) -> bool:
    """Whether what describes a release is there, as it was written and by the rule now in force."""
    return _found(rooms, release) is not None


def _tell_before_it_goes(rooms: Rooms, release: Release) -> None:
    """Have the audit know what an earlier description told, whose place another takes: whoever has it keeps it."""
    with open_audit(rooms) as audit:
        make_counts_known(rooms, audit, [release])


def _is_told_by_few(rooms: Rooms, earlier: Release, later: Release, engine: Engine) -> bool:
    """Whether so few persons tell two releases apart that figures of both would say what these few have."""
    enough = rooms.settings.disclosure.threshold
    return 0 < rooms.archive.persons_apart(earlier, later, engine, enough=enough) < enough


def _told_alike(rooms: Rooms, release: Release, known: _Known, engine: Engine) -> tuple[Release, Description] | None:
    """The latest of earlier releases that few persons tell from this one; None where there is none.

    One that has another's figures itself is passed over, and so is one without a description: of those that few persons tell apart
    each has one by now (`_in_order`).
    """
    for earlier in reversed(rooms.archive.releases()):
        if earlier.number >= release.number or not known.has_own_figures(earlier):
            continue
        if _is_told_by_few(rooms, earlier, release, engine):
            return earlier, _whole(rooms, earlier).description
    return None


def _write(rooms: Rooms, release: Release, known: _Known, *, progress: Progress) -> None:
    folder = rooms.archive.description(release.number)
    rooms.archive.check_rows(release)
    with scratch(rooms.store / "scratch") as work, closing(rooms.new_engine(work)) as engine:
        tables = rooms.archive.tables(release, engine)
        contents = {name: version.content for name, version in release.tables.items()}
        earlier = _as_written(rooms, release.number - 1)
        vocabulary = _vocabulary(rooms, release, engine)
        quality = check(
            {**tables, **vocabulary},
            engine=engine,
            today=release.as_of,
            known=earlier.quality if earlier else None,
            contents={
                **contents,
                **dict.fromkeys(vocabulary, release.facts.vocabulary_digest or release.facts.vocabulary),
            },
            progress=progress,
        )
        write_json(folder / QUALITY, to_json(quality))
        progress.stage("Measuring completeness and dimensions")
        card = scorecard(tables, engine=engine, origins=_origins(release), report=quality)
        write_json(folder / SCORECARD, to_json(card))
        progress.stage("Describing every variable")
        if (alike := _told_alike(rooms, release, known, engine)) is not None:
            other, description = alike
            description = replace(description, figures_of=other.name, figures_content=other.content)
        else:
            description = describe(
                tables,
                engine=engine,
                policy=rooms.settings.disclosure,
                concept=vocabulary.get("concept"),
                contents=contents,
                previous=earlier.description if earlier else None,
            )
        if content_hash(folder / DESCRIPTION) not in (None, hash_of_json(to_json(description))):
            _tell_before_it_goes(rooms, release)
        write_json(folder / DESCRIPTION, to_json(description))
        _write_exchange_forms(rooms, release, description)
        write_json(folder / ROW_COUNTS, to_json(_row_counts(release, tables, engine)))


def _write_exchange_forms(rooms: Rooms, release: Release, description: Description) -> None:
    """Write the release for other catalogues; what lies in the place of a form that is not to be given goes."""
    folder, forms = rooms.archive.description(release.number), _exchange_forms(rooms, release, description)
    for name in _FORMS:
        if name in forms:
            write_json(folder / name, forms[name])
        else:
            announce({folder / name: None})
            (folder / name).unlink(missing_ok=True)


def _exchange_forms(rooms: Rooms, release: Release, description: Description) -> Mapping[str, Any]:
    """HDR UK, DCAT-AP and Croissant, by the name of the file; none where the hub does not say who it is and whom to ask."""
    settings = rooms.settings
    if not (settings.contact and settings.abstract):
        return {}
    about = DatasetAbout(
        title=f"{settings.name}, release {release.name}",
        abstract=settings.abstract,
        publisher=settings.holder,
        publisher_id=settings.abbreviation,
        contact=settings.contact,
        release=release.name,
        number=release.number,
        as_of=release.as_of,
        issued=release.as_of,
        hash=release.hash,
    )
    files = {name: [(file.path, file.sha256) for file in table.files] for name, table in release.tables.items()}
    forms = {
        "dcat.jsonld": dcat_dataset(description, about),
        "croissant.json": croissant_dataset(description, about, files=files),
    }
    # The HDR UK form asks for the number of persons, and a hidden number is not given.
    return forms if description.persons is None else {"hdruk.json": hdruk_dataset(description, about), **forms}


def described(rooms: Rooms, release: Release, *, by: Actor, progress: Progress) -> DescribedRelease:
    """What describes a release; made first where it is not there, which takes the lock of the releases."""
    if not is_described(rooms, release):
        describe_for_reading(rooms, [release], by=by, progress=progress)
    return _whole(rooms, release)


def describe_for_reading(rooms: Rooms, releases: Sequence[Release], *, by: Actor, progress: Progress) -> None:
    """As `describe_releases`, for a command that only reads releases: it takes their lock, and stock of them in a hub of before, where
    what describes one would else be all that the ledger knows of them."""
    with holding(rooms, Locked.RELEASES, act="description of a release", by=by, progress=progress):
        take_stock(rooms, Locked.RELEASES, by=by)
        describe_releases(rooms, releases, by=by, progress=progress)


def _whole(rooms: Rooms, release: Release) -> DescribedRelease:
    if (found := _found(rooms, release)) is None:
        raise damaged(rooms.archive.description(release.number))
    return found


def _found(rooms: Rooms, release: Release) -> DescribedRelease | None:
    """What describes a release, where it is there as it was written, by the rule now in force, and says what the release holds."""
    found = _as_written(rooms, release.number)
    if found is None or found.row_counts.content != release.content:
        return None
    # What the rule of another day let through is not shown under today's, nor figures of persons who were erased from the release whose they are.
    is_of_today = found.description.rule == rooms.settings.disclosure.rule and _has_figures_of_today(
        rooms, found.description
    )
    return found if is_of_today else None


def _has_figures_of_today(rooms: Rooms, description: Description) -> bool:
    """Whether the release whose figures a description has, if it has another's, still holds what they were counted in."""
    if not description.figures_of:
        return True
    try:
        return rooms.archive.release(description.figures_of).content == description.figures_content
    except NotFound:
        return False


def _as_written(rooms: Rooms, number: int) -> DescribedRelease | None:
    """What describes a release; None where any of it is missing, altered or of another form: it can be made again."""
    folder = rooms.archive.description(number)
    if not is_as_written(rooms, [folder / name for name in (*_RECORDS, *_FORMS)]):
        return None
    try:
        return DescribedRelease(
            quality=read_record(folder / QUALITY, QualityReport),
            scorecard=read_record(folder / SCORECARD, Scorecard),
            description=read_record(folder / DESCRIPTION, Description),
            row_counts=read_record(folder / ROW_COUNTS, RowCounts),
        )
    except (FileNotFoundError, Invalid):
        return None


def _vocabulary(rooms: Rooms, release: Release, engine: Engine) -> dict[str, ir.Table]:
    """The vocabulary that the release was made with; nothing where it is no longer here."""
    try:
        vocabulary = vocabulary_of(rooms, release)
    except NotFound:
        return {}
    return {name: engine.parquet(vocabulary.files(name)) for name in vocabulary.counts}


def _row_counts(release: Release, tables: Mapping[str, ir.Table], engine: Engine) -> RowCounts:
    """Rows by source and table, rows and persons by source and year, unmapped codes: counted in the tables."""
    origins = _origins(release)
    if not origins:
        return RowCounts(content=release.content)
    names = engine.arrow(
        pa.table(
            {
                "row_extract": pa.array(list(origins), pa.int32()),
                "source": pa.array([origin.source for origin in origins.values()], pa.string()),
            }
        )
    )
    events = [_events(name, table, names) for name, table in tables.items() if _is_event(name)]
    together = engine.keep(ibis.union(*events))
    by_table = together.group_by("source", "cdm_table")
    links = by_table.agg(rows=together.count(), unmapped=together.is_unmapped.cast("int64").sum())
    years = together.group_by("source", "year").agg(rows=together.count(), persons=together.person_id.nunique())
    return RowCounts(
        content=release.content,
        links=tuple(SourceRows(**row) for row in engine.fetch(links.order_by("source", "cdm_table")).to_pylist()),
        years=tuple(YearRows(**row) for row in engine.fetch(years.order_by("source", "year")).to_pylist()),
        unmapped=_unmapped(engine, tables, names),
        notes=release.tables["note"].rows if "note" in release.tables else 0,
    )


def _origins(release: Release) -> dict[int, Origin]:
    """Extract number -> source and kind, as the release's manifest says."""
    kinds = {source.name: source.kind for source in release.facts.sources}
    return {
        extract.number: Origin(source=extract.source, kind=kinds[extract.source])
        for extract in release.facts.extracts
        if extract.source in kinds
    }


def _is_event(name: str) -> bool:
    table = CDM[name]
    return table.schema == "CDM" and bool(table.date) and not name.endswith("_era") and table.has_person


def _events(name: str, table: ir.Table, names: ir.Table) -> ir.Table:
    """One table's rows as (person, source, table, year, is it unmapped)."""
    definition = CDM[name]
    joined = table.join(names, "row_extract")
    unmapped = joined[definition.concept] == 0 if definition.concept else ibis.literal(False)
    return joined.select(
        "person_id",
        "source",
        cdm_table=ibis.literal(name),
        year=joined[definition.date].year().cast("int32"),
        is_unmapped=unmapped,
    )


def _unmapped(engine: Engine, tables: Mapping[str, ir.Table], names: ir.Table) -> tuple[UnmappedRows, ...]:
    """Source codes without a standard concept, the most frequent first; then of each source and table what is left of such rows."""
    parts = []
    for name, table in tables.items():
        definition = CDM[name]
        if not definition.concept or definition.schema != "CDM" or not definition.has_person:
            continue
        rows = table.filter(table[definition.concept] == 0).join(names, "row_extract")
        parts.append(
            rows.select("person_id", "source", cdm_table=ibis.literal(name), code=rows[definition.source_value])
        )
    rows = engine.keep(ibis.union(*parts))
    coded = rows.filter(rows.code.notnull())
    counted = coded.group_by("source", "cdm_table", "code").agg(rows=coded.count(), persons=coded.person_id.nunique())
    ranked = engine.keep(counted.order_by(ibis.desc("rows"), "source", "cdm_table", "code").limit(_UNMAPPED))
    left = rows.anti_join(ranked, ["source", "cdm_table", "code"])
    others = left.group_by("source", "cdm_table").agg(rows=left.count(), persons=left.person_id.nunique())
    found = engine.fetch(ranked).to_pylist()
    # The order of a limited table is not kept with it.
    found.sort(key=lambda row: (-row["rows"], row["source"], row["cdm_table"], row["code"]))
    return tuple(UnmappedRows(**row) for row in found) + tuple(
        UnmappedRows(code=None, **row) for row in engine.fetch(others.order_by("source", "cdm_table")).to_pylist()
    )
