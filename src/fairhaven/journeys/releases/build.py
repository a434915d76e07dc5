"""Building a release: from all that was received to a sealed, described version of the whole record.

Each stage is done whole or not at all, so that a killed build is run again and ends as it would have ended. What the
build depends on is digested; a build whose digest is the current release's makes no new one.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NoReturn, assert_never

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.archive import Archive, Release
from fairhaven.engine import Engine
from fairhaven.harmonise import (
    Harmonised,
    HubFacts,
    SourceTables,
    fhir_rows,
    harmonise,
    local_maps,
    omop_rows,
    vocabulary_tables,
)
from fairhaven.identifiers.known_identifiers import PURPOSE as IDENTIFIERS_IN_TEXTS
from fairhaven.intake import Extract, Format, Source, all_listed_words, check_quarantine, check_reconciled
from fairhaven.journeys.deliveries.receive import (
    land_extracts_again,
    recover_deliveries,
    recover_vocabulary,
)
from fairhaven.journeys.descriptions.describe import describe_releases
from fairhaven.journeys.hub_locks import Locked, holding
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.persons.opt_out_patients import OptedOut, opt_out_facts, opt_outs
from fairhaven.journeys.persons.recovery import recover
from fairhaven.journeys.releases.build_plan import PlannedBuild, fed_sources, planned_build
from fairhaven.journeys.releases.build_stages import (
    AddUp,
    BuildStage,
    Describe,
    Harmonise,
    LandAgain,
    LeaveOut,
    LinkPatients,
    Publish,
    WriteTables,
)
from fairhaven.journeys.releases.identifier_screen import TellingTexts, telling_texts
from fairhaven.journeys.store_files import check_deliveries, check_kept, check_vocabulary, take_stock
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import scratch
from fairhaven.kernel.keyring import SEALING
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.ledger import Actor, content_hash
from fairhaven.linkage import PERSON_KEYS, LinkageResult, link
from fairhaven.omop.vocabulary import Vocabulary
from fairhaven.release.facts import ExtractFacts, PartnerCdm, ReleaseFacts, RowFlow, SourceFacts
from fairhaven.release.manifest import TableVersion


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build made. ``is_new`` is false where nothing had changed since the current release."""

    release: Release
    is_new: bool


def release_of(archive: Archive, as_of: dt.date) -> Built | None:
    """The release that was built as of a day, if there is one."""
    found = [release for release in archive.releases() if release.as_of == as_of]
    return Built(release=found[-1], is_new=False) if found else None


def build_release(rooms: Rooms, *, as_of: dt.date | None, today: dt.date, by: Actor, progress: Progress) -> Built:
    """Build a release.

    Args:
        as_of: the day the release speaks for; None for the day of the latest delivery.
        today: the day that an opt-out list must not be too old for.

    Raises:
        NotAllowedNow: nothing was received, no vocabulary is loaded, an opt-out list is missing or stale, too many rows
            of a source are in quarantine, or others held the releases, the deliveries or the vocabularies for too long.
    """
    with (
        holding(rooms, Locked.RELEASES, act="build", by=by, progress=progress),
        ExitStack() as opened,
        ExitStack() as deliveries,
    ):
        with holding(rooms, Locked.VOCABULARY, act="build", by=by, progress=progress):
            recover_vocabulary(rooms)
            take_stock(rooms, Locked.VOCABULARY, by=by)
        deliveries.enter_context(holding(rooms, Locked.DELIVERIES, act="build", by=by, progress=progress))
        rooms.keyring.check(*SEALING)
        rooms.archive.check_chain()
        recover(rooms, by=by, progress=progress)
        # What is received from here on is for the next build.
        rooms = replace(rooms, intake=rooms.intake.until(len(rooms.intake.deliveries())))
        # Before anything is read of them for the plan.
        _check_received(rooms)
        # Nobody loads another meanwhile.
        with holding(rooms, Locked.VOCABULARY, act="build", by=by, progress=progress):
            recover_vocabulary(rooms)
            planned = planned_build(rooms, as_of=as_of, today=today)
            if planned.vocabulary is None:
                raise NotAllowedNow("\n".join(planned.obstacles))
            _check_kept(rooms, planned.vocabulary)
        work = _BuildWork(
            rooms=rooms, planned=planned, vocabulary=planned.vocabulary, opened=opened, by=by, progress=progress
        )
        for stage in planned.stages:
            # Landing again comes first, and alone changes what was received.
            if not isinstance(stage, LandAgain):
                deliveries.close()
            work.carry_out(stage)
        return Built(release=work.release, is_new=planned.unchanged is None)


def _check_received(rooms: Rooms, *, also: Collection[int] = ()) -> None:
    """Refuse to build from what is not as it was received and landed.

    Args:
        also: numbers of extracts that are landed again beside those that are stale.
    """
    extracts = rooms.intake.extracts()
    fed = fed_sources(rooms.sources, extracts)
    stale = [extract.number for source in fed for extract in rooms.intake.to_land_again(source)]
    check_deliveries(rooms, extracts, stale=[*stale, *also])


def births_told_late(births: pa.Table, deliveries: Mapping[int, int]) -> pa.Table:
    """The births of patients that nobody knew when their first rows landed: a day or moment of those rows may be one.

    Args:
        births: as in `linkage.LinkageResult`.
        deliveries: number of an extract -> that of its delivery. What comes in one is known before any of it counts.
    """
    told = zip(births["first"].to_pylist(), births["since"].to_pylist(), strict=True)
    late = [since not in deliveries or deliveries[since] != deliveries.get(first) for first, since in told]
    return births.filter(pa.array(late, pa.bool_()))


def land_without_known_persons(rooms: Rooms, extracts: Sequence[Extract], *, by: Actor, progress: Progress) -> None:
    """Land extracts again whose texts hold what persons are known by since; nobody held the deliveries since they were landed.

    Raises:
        Invalid: what was received is no more as it was received and landed; nothing was landed again.
    """
    numbers = {extract.number for extract in extracts}
    with holding(rooms, Locked.DELIVERIES, act="build", by=by, progress=progress):
        recover_deliveries(rooms, by=by)
        _check_received(rooms, also=numbers)
        sources = sorted({extract.source for extract in extracts})
        land_extracts_again(rooms, sources, by=by, progress=progress, also=numbers)


def _check_kept(rooms: Rooms, vocabulary: Vocabulary) -> None:
    """Refuse to build on releases, an index of persons or a vocabulary that are not as they were written."""
    check_kept(rooms, [rooms.vault.index_file(), *rooms.archive.log_files()])
    if releases := rooms.archive.releases():
        rooms.archive.check_rows(releases[-1])
    check_kept(rooms, [rooms.store / "vocabulary" / "current.json"])
    check_vocabulary(rooms, vocabulary)


@dataclass(kw_only=True)
class _BuildWork:
    """A build under way: what its stages hand on to one another."""

    rooms: Rooms
    planned: PlannedBuild
    vocabulary: Vocabulary
    opened: ExitStack
    by: Actor
    progress: Progress
    landed: list[Extract] = field(init=False)
    linked: LinkageResult = field(init=False)
    opted_out: OptedOut = field(init=False)
    flow: tuple[RowFlow, ...] = field(init=False)
    harmonised: Harmonised = field(init=False)
    tables: Mapping[str, TableVersion] = field(init=False)
    release: Release = field(init=False)

    @cached_property
    def _engine(self) -> Engine:
        """Opened when the first stage needs it."""
        work = self.opened.enter_context(scratch(self.rooms.store / "scratch"))
        return self.opened.enter_context(closing(self.rooms.new_engine(work)))

    def carry_out(self, stage: BuildStage) -> None:
        """Carry out a stage, after those before it; who lands again holds the deliveries."""
        rooms, planned, progress = self.rooms, self.planned, self.progress
        match stage:
            case LandAgain(stale=stale):
                self._note_left_out()
                land_extracts_again(rooms, stale, by=self.by, progress=progress)
                self.landed = rooms.intake.extracts()
            case LinkPatients(extracts=extracts):
                records, index = rooms.vault.records(extracts), rooms.vault.index()
                self.linked = link(records, index, key=rooms.keyring.pseudonyms.key_for(PERSON_KEYS), progress=progress)
            case LeaveOut():
                progress.stage("Applying opt-outs")
                self.opted_out = opt_outs(
                    rooms,
                    self._engine,
                    planned.sources,
                    self.landed,
                    self.linked.index,
                    as_of=planned.as_of,
                    today=planned.today,
                )
            case AddUp():
                progress.stage("Adding up rows")
                self.flow = self._flow()
            case Harmonise():
                progress.stage("Harmonising to OMOP")
                self.harmonised = self._harmonised()
            case WriteTables(number=number, extracts=extracts):
                rooms.vault.propose_index(self.linked.index, release=number)
                self.tables = rooms.archive.write(
                    self._engine,
                    self.harmonised.tables,
                    number=number,
                    by=self.by,
                    inputs=planned.inputs,
                    progress=progress,
                )
                key = rooms.keyring.pseudonyms.key_for(IDENTIFIERS_IN_TEXTS)
                found = telling_texts(
                    {
                        name: [rooms.archive.path(file.path) for file in table.files]
                        for name, table in self.tables.items()
                    },
                    lambda: rooms.vault.known_identifiers(key=key, source="", extracts=extracts, keeps=False),
                    key=key,
                    listed=all_listed_words(rooms.sources.values()),
                )
                if found.columns:
                    self._refuse(found)
            case Publish(number=number, as_of=as_of):
                progress.stage("Sealing the release")
                self.release = rooms.archive.publish(
                    number=number,
                    as_of=as_of,
                    tables=self.tables,
                    facts=self._facts(),
                    by=self.by,
                    files=self._index(number),
                )
                rooms.vault.accept_index(published=number)
            case Describe(number=number):
                # The description has an engine of its own, and the memory of both would be too much.
                self.opened.close()
                self.release = rooms.archive.release(str(number))
                describe_releases(rooms, [self.release], by=self.by, progress=progress)
            case _:
                assert_never(stage)

    def _refuse(self, found: TellingTexts) -> NoReturn:
        """Refuse a release that would name a person; of what landed before the person was known, only digests are left for the next."""
        rooms = self.rooms
        # The next build has the same inputs, and would go on with these tables.
        rooms.archive.sweep()
        again = [extract for extract in self.landed if extract.number in found.extracts]
        land_without_known_persons(rooms, again, by=self.by, progress=self.progress)
        numbers = ", ".join(str(extract.number) for extract in again)
        landed = f" What holds them landed again without them (extracts {numbers})." if again else ""
        raise NotAllowedNow(
            f"NHS numbers, names or addresses of known persons stand in {', '.join(found.columns)}, so the release was not made.{landed} "
            "Build again. If it is refused again, find the rule that fills the column, and take the source's column out of its mapping "
            "or its declaration."
        )

    def _index(self, number: int) -> dict[str, str | None]:
        """The index of persons that the release brings, under the name that it has from then on."""
        vault, store = self.rooms.vault, self.rooms.store
        path = vault.index_file().relative_to(store).as_posix()
        return {path: content_hash(vault.index_file(proposed=number))}

    def _note_left_out(self) -> None:
        delivered = {extract.source for extract in self.planned.extracts}
        for name in sorted(delivered - set(self.rooms.sources)):
            self.progress.note(
                f"{name} has delivered but is no longer described in sources/{name}.toml; it is left out."
            )

    def _excluded(self, source: Source) -> ir.Table | None:
        refs = self.opted_out.of(source.name)
        return self._engine.arrow(refs) if refs.num_rows else None

    def _flow(self) -> tuple[RowFlow, ...]:
        """What became of every row received; refuses where rows do not add up or too many are quarantined."""
        flow: list[RowFlow] = []
        refusals = []
        for source in self.planned.sources:
            counts = self.rooms.intake.reconcile(self._engine, source, excluded=self._excluded(source))
            check_reconciled(counts)
            try:
                check_quarantine(source, [extract for extract in self.landed if extract.source == source.name])
            except NotAllowedNow as error:
                refusals.append(str(error))
            flow += counts
        if refusals:
            raise NotAllowedNow("\n".join(refusals))
        return tuple(flow)

    def _harmonised(self) -> Harmonised:
        rooms, engine, fed, vocabulary = self.rooms, self._engine, self.planned.sources, self.vocabulary
        births = births_told_late(self.linked.births, {extract.number: extract.delivery for extract in self.landed})
        tables = {
            source.name: rooms.intake.current(
                engine,
                source,
                excluded=self._excluded(source),
                births=births.filter(pc.equal(births["source"], source.name)).select(["patient_ref", "birth_date"]),
            )
            for source in fed
        }
        rules = {Format.FHIR: fhir_rows, Format.OMOP: omop_rows}
        return harmonise(
            engine,
            [
                SourceTables(
                    name=source.name,
                    kind=source.kind,
                    format=str(source.format),
                    tables=tables[source.name],
                    mapping=[rooms.mappings[name] for name in source.mapping],
                    keys=source.link_names,
                )
                for source in fed
            ],
            persons=engine.arrow(self.linked.index.select(["source", "patient_ref", "person_id"])),
            vocabulary=vocabulary_tables(engine, vocabulary),
            local=local_maps(rooms.code_maps, on=self.planned.as_of),
            hub=HubFacts(
                name=rooms.settings.name,
                abbreviation=rooms.settings.abbreviation,
                holder=rooms.settings.holder,
                birth_date=rooms.settings.birth_date,
            ),
            as_of=self.planned.as_of,
            standards={
                source.name: rules[source.format](tables[source.name]) for source in fed if source.format in rules
            },
        )

    def _facts(self) -> ReleaseFacts:
        received_on = {delivery.number: delivery.received_on for delivery in self.rooms.intake.deliveries()}
        return ReleaseFacts(
            inputs=self.planned.inputs,
            code_version=code_version(),
            vocabulary=self.vocabulary.version,
            vocabulary_digest=self.vocabulary.digest,
            sources=tuple(
                SourceFacts(name=source.name, title=source.title, kind=source.kind, controller=source.controller)
                for source in self.planned.sources
            ),
            extracts=tuple(_extract_facts(extract, received_on[extract.delivery]) for extract in self.landed),
            row_flow=self.flow,
            quarantined=self.rooms.intake.quarantined(self.landed),
            linkage=self.linked.summary,
            opt_outs=opt_out_facts(self.opted_out),
            rules=self.harmonised.rules,
            rule_outcomes=self.harmonised.counts,
            emptied=self.harmonised.emptied,
            partner_cdms=self._partner_cdms(),
            partner_concepts=self.harmonised.partner_concepts,
        )

    def _partner_cdms(self) -> Mapping[str, PartnerCdm]:
        """Source -> what its latest delivery of a CDM says of itself."""
        return {extract.source: extract.cdm for extract in self.landed if extract.cdm is not None}


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
