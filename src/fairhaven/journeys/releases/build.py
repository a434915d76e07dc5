"""Building a release: from all that was received to a sealed, described version of the whole record.

Each stage is done whole or not at all, so that a killed build is run again and ends as it would have ended. What the
build depends on is digested; a build whose digest is the current release's makes no new one.
"""

import datetime as dt
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.archive import Release
from fairhaven.engine import Engine
from fairhaven.harmonise import (
    Harmonised,
    HubFacts,
    SourceTables,
    VocabularyTables,
    harmonise,
    local_maps,
    read_code_map,
)
from fairhaven.harmonise.cdm_rows import omop_rows
from fairhaven.harmonise.fhir import fhir_rows
from fairhaven.intake import (
    Extract,
    Format,
    Source,
    check_quarantine,
    check_reconciled,
)
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms, latest_delivery
from fairhaven.journeys.persons.opt_outs import OptedOut, opt_out_facts, opt_outs
from fairhaven.journeys.recovery import recover
from fairhaven.journeys.releases.build_plan import fed_sources, inputs_of, obstacles_to
from fairhaven.journeys.releases.describe import describe_release
from fairhaven.journeys.releases.identifier_screen import check_no_nhs_numbers
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import scratch
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor
from fairhaven.linkage import PERSON_KEYS, link
from fairhaven.omop.vocabulary import Vocabulary
from fairhaven.release.facts import ExtractFacts, ReleaseFacts, RowFlow, SourceFacts


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build made. ``is_new`` is false where nothing had changed since the current release."""

    release: Release
    is_new: bool


def release_of(rooms: Rooms, day: dt.date) -> Built | None:
    """The release that was built as of a day, if there is one."""
    found = [release for release in rooms.archive.releases() if release.as_of == day]
    return Built(release=found[-1], is_new=False) if found else None


def build(rooms: Rooms, *, as_of: dt.date | None, by: Actor, progress: Progress) -> Built:
    """Build a release.

    Args:
        as_of: the day the release speaks for; None for the day of the latest delivery.

    Raises:
        NotAllowedNow: nothing was received, no vocabulary is loaded, an opt-out list is missing or stale, too many rows
            of a source are in quarantine, or others held the releases or the deliveries for too long.
    """
    with holding(rooms, Locked.RELEASES, act="build", by=by, progress=progress):
        with holding(rooms, Locked.DELIVERIES, act="build", by=by, progress=progress):
            recover(rooms, by=by, progress=progress)
            # What is received from here on is for the next build.
            rooms = replace(rooms, intake=rooms.intake.until(len(rooms.intake.deliveries())))
            day = as_of or latest_delivery(rooms) or dt.date.min
            if obstacles := list(obstacles_to(rooms, day)):
                raise NotAllowedNow("\n".join(obstacles))
            vocabulary = Vocabulary.open(rooms.store / "vocabulary")
            inputs = inputs_of(rooms, day, vocabulary)
            release = _unchanged(rooms, inputs)
            if release is None:
                _land_again(rooms, progress)
        if release is not None:
            describe_release(rooms, release, progress=progress)
            return Built(release=release, is_new=False)
        with scratch(rooms.store / "scratch") as work, closing(rooms.new_engine(work)) as engine:
            release = _build(rooms, engine, vocabulary, day, inputs, by, progress)
        describe_release(rooms, release, progress=progress)
        return Built(release=release, is_new=True)


def _unchanged(rooms: Rooms, inputs: str) -> Release | None:
    """The latest release, where it is made of the same inputs."""
    releases = rooms.archive.releases()
    return releases[-1] if releases and releases[-1].facts.inputs == inputs else None


def _land_again(rooms: Rooms, progress: Progress) -> None:
    for name in sorted({extract.source for extract in rooms.intake.extracts()} - set(rooms.sources)):
        progress.note(f"{name} has delivered but is no longer described in sources/{name}.toml; it is left out.")
    for source in fed_sources(rooms):
        rooms.intake.land_again(source, vault=rooms.vault, progress=progress)


def _build(
    rooms: Rooms, engine: Engine, vocabulary: Vocabulary, day: dt.date, inputs: str, by: Actor, progress: Progress
) -> Release:
    fed = fed_sources(rooms)
    extracts = rooms.intake.extracts()
    names = {source.name for source in fed}
    identified = [extract.number for extract in extracts if extract.source in names]
    linked = link(
        rooms.vault.records(identified),
        rooms.vault.index(),
        key=rooms.keyring.key_for(PERSON_KEYS),
        progress=progress,
    )
    opted_out = opt_outs(rooms, engine, fed, linked.index, day, progress)
    flow = _flow(rooms, engine, fed, opted_out, progress)

    progress.stage("Harmonising to OMOP")
    harmonised = _harmonised(rooms, engine, fed, linked.index, opted_out, vocabulary, day)
    number = len(rooms.archive.releases()) + 1
    rooms.vault.propose_index(linked.index, release=number)
    tables = rooms.archive.write(engine, harmonised.tables, number=number, by=by, inputs=inputs, progress=progress)
    check_no_nhs_numbers(
        {name: [rooms.archive.path(file.path) for file in table.files] for name, table in tables.items()},
        lambda: rooms.vault.records(identified)["nhs_number"].drop_null().unique().to_pylist(),
    )

    received_on = {delivery.number: delivery.received_on for delivery in rooms.intake.deliveries()}
    facts = ReleaseFacts(
        inputs=inputs,
        code_version=code_version(),
        vocabulary=vocabulary.version,
        sources=tuple(
            SourceFacts(name=source.name, title=source.title, kind=source.kind, controller=source.controller)
            for source in fed
        ),
        extracts=tuple(_extract_facts(extract, received_on[extract.delivery]) for extract in extracts),
        row_flow=flow,
        linkage=linked.summary,
        opt_outs=opt_out_facts(opted_out),
        rules=harmonised.rules,
        rule_outcomes=harmonised.counts,
    )
    progress.stage("Sealing the release")
    release = rooms.archive.publish(number=number, as_of=day, tables=tables, facts=facts, by=by)
    rooms.vault.settle_index(published=number)
    return release


def _harmonised(
    rooms: Rooms,
    engine: Engine,
    fed: Sequence[Source],
    index: pa.Table,
    opted_out: OptedOut,
    vocabulary: Vocabulary,
    day: dt.date,
) -> Harmonised:
    tables = {
        source.name: rooms.intake.current(engine, source, excluded=engine.arrow(opted_out.of(source.name)))
        for source in fed
    }
    rules = {Format.FHIR: fhir_rows, Format.OMOP: omop_rows}
    standards = {source.name: rules[source.format](tables[source.name]) for source in fed if source.format in rules}
    return harmonise(
        engine,
        [
            SourceTables(
                name=source.name,
                kind=source.kind,
                format=str(source.format),
                controller=source.controller,
                tables=tables[source.name],
                mapping=[rooms.mappings[name] for name in source.mapping],
            )
            for source in fed
        ],
        persons=engine.arrow(index.select(["source", "patient_ref", "person_id"])),
        vocabulary=VocabularyTables(
            concept=engine.parquet(vocabulary.files("concept")),
            concept_relationship=_where_any(engine, vocabulary, "concept_relationship"),
            concept_ancestor=_where_any(engine, vocabulary, "concept_ancestor"),
            version=vocabulary.version,
        ),
        local=local_maps({path.name: read_code_map(path) for path in rooms.code_maps}),
        hub=HubFacts(
            name=rooms.settings.name,
            abbreviation=rooms.settings.abbreviation,
            holder=rooms.settings.holder,
            birth_date=rooms.settings.birth_date,
        ),
        as_of=day,
        standards=standards,
    )


def _where_any(engine: Engine, vocabulary: Vocabulary, table: str) -> ir.Table | None:
    return engine.parquet(vocabulary.files(table)) if vocabulary.counts[table] else None


def _flow(
    rooms: Rooms, engine: Engine, fed: Sequence[Source], opted_out: OptedOut, progress: Progress
) -> tuple[RowFlow, ...]:
    """What became of every row received; refuses where rows do not add up or too many are quarantined."""
    progress.stage("Adding up rows")
    flow: list[RowFlow] = []
    refusals = []
    for source in fed:
        counts = rooms.intake.reconcile(engine, source, excluded=engine.arrow(opted_out.of(source.name)))
        check_reconciled(counts)
        try:
            check_quarantine(source, rooms.intake.extracts(source.name))
        except NotAllowedNow as error:
            refusals.append(str(error))
        flow += counts
    if refusals:
        raise NotAllowedNow("\n".join(refusals))
    return tuple(flow)


def _extract_facts(extract: Extract, received_on: dt.date) -> ExtractFacts:
    return ExtractFacts(
        number=extract.number,
        source=extract.source,
        file=extract.file,
        sha256=extract.sha256,
        delivery=extract.delivery,
        received_on=received_on,
        rows=sum(count.received for count in extract.tables.values()),
        dropped=tuple(sorted({header for count in extract.tables.values() for header in count.dropped})),
    )
