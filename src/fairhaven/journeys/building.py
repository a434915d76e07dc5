"""Building a release: from all that was received to a sealed, described version of the whole record.

Each stage is done whole or not at all, so that a killed build is run again and ends as it would have ended. What the
build depends on is digested; a build whose digest is the current release's makes no new one.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

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
from fairhaven.harmonise.fhir import fhir_rows
from fairhaven.harmonise.omop import omop_rows
from fairhaven.intake import (
    Extract,
    Format,
    OptOutList,
    Reconciliation,
    Source,
    check_opt_out_list,
    check_quarantine,
    check_reconciled,
)
from fairhaven.journeys.describing import describe_release
from fairhaven.journeys.guarding import check_no_nhs_numbers
from fairhaven.journeys.model import Rooms, latest_delivery
from fairhaven.journeys.settling import settle
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.kernel.files import canonical_json, one_writer, scratch, sha256_of
from fairhaven.kernel.progress import Progress
from fairhaven.kernel.version import code_version
from fairhaven.linkage import link
from fairhaven.omop.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of a build, in words: what it does, and on how much."""

    name: str
    what: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a build would do. ``obstacles`` are the refusals it would end in; without them it can begin."""

    release: str
    as_of: dt.date
    stages: tuple[Stage, ...]
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build made. ``is_new`` is false where nothing had changed since the current release."""

    release: Release
    is_new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class OptedOut:
    """Patients whom opt-outs keep out of a release.

    Args:
        refs: columns source, patient_ref, kind (``type-1`` or ``national``).
        national: the list that was applied; None where no source is in its scope.
    """

    refs: pa.Table
    national: OptOutList | None

    def of(self, source: str) -> pa.Table:
        """The patient_refs of one source, each once."""
        mine = self.refs.filter(pc.equal(self.refs["source"], source))
        return mine.group_by("patient_ref").aggregate([]).select(["patient_ref"])


def plan(rooms: Rooms, *, as_of: dt.date | None) -> Plan:
    """What a build would do, without doing it."""
    day = as_of or latest_delivery(rooms) or dt.date.min
    extracts = rooms.intake.extracts()
    obstacles = list(_obstacles(rooms, day))
    number = len(rooms.archive.releases()) + 1
    fed = _fed(rooms)
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
    if current and current[0].facts.get("inputs") == _inputs(rooms, day):
        stages = (Stage(name="nothing", what=f"nothing has changed since {current[0].name}; no release would be made"),)
    return Plan(release=f"r{number:04d}", as_of=day, stages=stages, obstacles=tuple(obstacles))


def release_of(rooms: Rooms, day: dt.date) -> Built | None:
    """The release that was built as of a day, if there is one."""
    found = [release for release in rooms.archive.releases() if release.as_of == day]
    return Built(release=found[-1], is_new=False) if found else None


def build(rooms: Rooms, *, as_of: dt.date | None, progress: Progress) -> Built:
    """Build a release.

    Args:
        as_of: the day the release speaks for; None for the day of the latest delivery.

    Raises:
        NotAllowedNow: nothing was received, no vocabulary is loaded, an opt-out list is missing or stale, too many rows
            of a source are in quarantine, or another command is writing.
    """
    with one_writer(rooms.store):
        settle(rooms, progress=progress)
        day = as_of or latest_delivery(rooms) or dt.date.min
        if obstacles := list(_obstacles(rooms, day)):
            raise NotAllowedNow("\n".join(obstacles))
        inputs = _inputs(rooms, day)
        releases = rooms.archive.releases()
        if releases and releases[-1].facts.get("inputs") == inputs:
            describe_release(rooms, releases[-1], progress=progress)
            return Built(release=releases[-1], is_new=False)
        with scratch(rooms.store / "scratch") as work:
            engine = rooms.new_engine(work)
            try:
                release = _build(rooms, engine, day, inputs, progress)
            finally:
                engine.close()
        describe_release(rooms, release, progress=progress)
        return Built(release=release, is_new=True)


def _build(rooms: Rooms, engine: Engine, day: dt.date, inputs: str, progress: Progress) -> Release:
    fed = _fed(rooms)
    for source in fed:
        rooms.intake.land_again(source, vault=rooms.vault, progress=progress)
    extracts = rooms.intake.extracts()
    names = {source.name for source in fed}
    identified = [extract.number for extract in extracts if extract.source in names]
    linked = link(rooms.vault.records(identified), rooms.vault.index(), secret=rooms.keyring.secret, progress=progress)
    opted_out = _opt_outs(rooms, engine, fed, linked.index, day, progress)
    flow = _flow(rooms, engine, fed, opted_out, progress)

    progress.stage("Harmonising to OMOP")
    vocabulary = Vocabulary.open(rooms.store / "vocabulary")
    harmonised = _harmonised(rooms, engine, fed, linked.index, opted_out, vocabulary, day)
    number = len(rooms.archive.releases()) + 1
    rooms.vault.propose_index(linked.index, release=number)
    tables = rooms.archive.write(engine, harmonised.tables, number=number, inputs=inputs, progress=progress)
    check_no_nhs_numbers(
        {name: [rooms.archive.path(file.path) for file in table.files] for name, table in tables.items()},
        lambda: rooms.vault.records(identified)["nhs_number"].drop_null().unique().to_pylist(),
    )

    facts = {
        "inputs": inputs,
        "code_version": code_version(),
        "vocabulary": vocabulary.version,
        "rules": [asdict(rule) for rule in harmonised.rules],
        "counts": [asdict(count) for count in harmonised.counts],
        "extracts": [_extract_facts(rooms, extract) for extract in extracts],
        "sources": [
            {"name": source.name, "title": source.title, "kind": source.kind, "controller": source.controller}
            for source in fed
        ],
        "flow": [asdict(row) for row in flow],
        "linkage": linked.summary.as_dict(),
        "opt_outs": _opt_out_facts(opted_out),
    }
    progress.stage("Sealing the release")
    release = rooms.archive.publish(number=number, as_of=day, tables=tables, facts=facts)
    rooms.vault.settle_index(published=number)
    return release


def _obstacles(rooms: Rooms, day: dt.date) -> Iterable[str]:
    """Why a build cannot even begin; all reasons at once."""
    if not rooms.intake.deliveries():
        yield f"nothing was received yet. Take a delivery: fairhaven receive {rooms.folder} SOURCE FILE..."
    if not (rooms.store / "vocabulary" / "current.json").exists():
        yield (
            "no vocabulary is loaded, so no code could be mapped. Download one from athena.ohdsi.org and run: "
            f"fairhaven vocabulary load {rooms.folder} FILE"
        )
    in_scope = [source.name for source in _fed(rooms) if source.in_national_opt_out]
    if in_scope:
        try:
            check_opt_out_list(
                rooms.intake.national_opt_out(as_of=day),
                as_of=day,
                max_age_days=rooms.settings.national_max_age_days,
            )
        except NotAllowedNow as error:
            yield f"{error} In its scope: {', '.join(in_scope)}."


def _fed(rooms: Rooms) -> list[Source]:
    """Sources that delivered rows, in the order of their names."""
    delivered = {extract.source for extract in rooms.intake.extracts()}
    return [s for name, s in sorted(rooms.sources.items()) if name in delivered and s.format != Format.OPT_OUT]


def _inputs(rooms: Rooms, day: dt.date) -> str:
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
        "vocabulary": Vocabulary.open(rooms.store / "vocabulary").version,
        "erasures": sum(entry.kind.startswith("erasure") for entry in rooms.ledger.entries()),
    }
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def _opt_outs(
    rooms: Rooms, engine: Engine, fed: Sequence[Source], index: pa.Table, day: dt.date, progress: Progress
) -> OptedOut:
    progress.stage("Applying opt-outs")
    schema = pa.schema([("source", pa.string()), ("patient_ref", pa.string()), ("kind", pa.string())])
    parts = [schema.empty_table()]
    for source in fed:
        if source.type_1_opt_out is not None:
            refs = rooms.intake.type_1_opt_outs(engine, source).column("patient_ref")
            parts.append(_marked(refs, source.name, "type-1", schema))
    in_scope = [source.name for source in fed if source.in_national_opt_out]
    national = None
    if in_scope:
        national = rooms.intake.national_opt_out(as_of=day)
        check_opt_out_list(national, as_of=day, max_age_days=rooms.settings.national_max_age_days)
        assert national is not None
        listed = rooms.vault.refs_with_nhs_numbers(national.numbers.column("nhs_number").to_pylist(), index)
        for name in in_scope:
            refs = listed.filter(pc.equal(listed["source"], name)).column("patient_ref")
            parts.append(_marked(refs, name, "national", schema))
    return OptedOut(refs=pa.concat_tables(parts), national=national)


def _marked(refs: pa.ChunkedArray, source: str, kind: str, schema: pa.Schema) -> pa.Table:
    rows = len(refs)
    return pa.table({"source": [source] * rows, "patient_ref": refs, "kind": [kind] * rows}, schema=schema)


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
) -> list[Reconciliation]:
    """What became of every row received; refuses where rows do not add up or too many are quarantined."""
    progress.stage("Adding up rows")
    flow, refusals = [], []
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
    return flow


def _extract_facts(rooms: Rooms, extract: Extract) -> dict[str, Any]:
    delivery = next(d for d in rooms.intake.deliveries() if d.number == extract.delivery)
    return {
        "number": extract.number,
        "source": extract.source,
        "file": extract.file,
        "sha256": extract.sha256,
        "delivery": extract.delivery,
        "received_on": delivery.received_on.isoformat(),
        "rows": sum(count.received for count in extract.tables.values()),
        "dropped": sorted({header for count in extract.tables.values() for header in count.dropped}),
    }


def _opt_out_facts(opted_out: OptedOut) -> list[dict[str, Any]]:
    counted = opted_out.refs.group_by(["source", "kind"]).aggregate([("patient_ref", "count_distinct")])
    dated = opted_out.national.dated if opted_out.national else None
    return [
        {
            "source": row["source"],
            "kind": row["kind"],
            "patients": row["patient_ref_count_distinct"],
            "list_date": dated.isoformat() if dated and row["kind"] == "national" else None,
        }
        for row in sorted(counted.to_pylist(), key=lambda row: (row["source"], row["kind"]))
    ]
