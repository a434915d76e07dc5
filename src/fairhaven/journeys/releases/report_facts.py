"""The page that shows a release to people."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.archive import Release
from fairhaven.catalogue import read_description
from fairhaven.harmonise import LEFT_OUT
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.releases import compare
from fairhaven.journeys.releases.describe import DESCRIPTION, MEASURES, QUALITY, SCORECARD, described
from fairhaven.kernel.errors import NotFound
from fairhaven.kernel.files import write_atomically
from fairhaven.kernel.progress import Progress
from fairhaven.pages import release as page
from fairhaven.quality import CheckStatus, QualityReport
from fairhaven.release.facts import LinkageSummary, RowFlow, RuleOutcome


def write_report(rooms: Rooms, name: str | None, *, out: Path, progress: Progress) -> str:
    """Write the page on a release; returns the release's name."""
    release = rooms.archive.release(name)
    known = described(rooms, release, progress=progress)
    facts = _facts(rooms, release, known, progress)
    progress.stage("Drawing the page")
    write_atomically(out, page.render(facts), mode=0o644)
    return release.name


def _facts(rooms: Rooms, release: Release, known: Mapping[str, Any], progress: Progress) -> page.ReportFacts:
    facts, measures = release.facts, known[MEASURES]
    quality = QualityReport.from_json(known[QUALITY])
    changes, previous = _changes(rooms, release, progress)
    return page.ReportFacts(
        hub=rooms.settings.name,
        release=release.name,
        as_of=release.as_of,
        hash=release.hash,
        previous=previous,
        policy=rooms.settings.disclosure,
        persons=release.tables["person"].rows if "person" in release.tables else 0,
        vocabulary=facts.vocabulary,
        code_version=facts.code_version,
        sources=tuple(
            page.Source(name=source.name, title=source.title, kind=source.kind, controller=source.controller)
            for source in facts.sources
        ),
        flows=tuple(_flow(row) for row in facts.row_flow),
        links=tuple(page.Link(**link) for link in measures["links"]),
        linkage=_linkage(facts.linkage),
        kinds=tuple(
            page.Kinds(kinds=frozenset(found["kinds"]), persons=found["persons"])
            for found in known[SCORECARD]["linked"]
        ),
        completeness=tuple(page.YearRows(**row) for row in measures["years"]),
        scorecard=_scorecard(quality),
        description=read_description(known[DESCRIPTION]),
        unmapped=tuple(page.Unmapped(vocabulary="", **code) for code in measures["unmapped"]),
        quarantine=tuple(_quarantine(rooms, {extract.number for extract in facts.extracts})),
        set_aside=tuple(_set_aside(facts.rule_outcomes)),
        opt_outs=tuple(
            page.OptOut(source=row.source, kind=row.kind, persons=row.patients, rows=None, list_date=row.list_date)
            for row in facts.opt_outs
        ),
        changes=changes,
        deliveries=tuple(
            page.Delivery(
                extract=extract.number,
                source=extract.source,
                file=extract.file,
                received_on=extract.received_on,
                rows=extract.rows,
                sha256=extract.sha256,
                dropped=extract.dropped,
            )
            for extract in facts.extracts
        ),
        notes_withheld=measures["notes"] or None,
    )


def _flow(row: RowFlow) -> page.Flow:
    names = ("source", "table", "received", "landed", "quarantined", "opted_out", "withdrawn", "superseded")
    return page.Flow(**{name: getattr(row, name) for name in names})


def _set_aside(counts: Iterable[RuleOutcome]) -> Iterable[page.SetAside]:
    """Landed rows that became no row, by source and reason; an outcome that is a CDM table is none."""
    summed: Counter[tuple[str, str]] = Counter()
    for count in counts:
        if count.outcome in LEFT_OUT:
            summed[count.source, count.outcome] += count.rows
    for (source, reason), rows in summed.items():
        yield page.SetAside(source=source, reason=reason, rows=rows)


def _linkage(facts: LinkageSummary) -> page.Linkage:
    return page.Linkage(
        records=facts.patients,
        persons=facts.persons,
        steps=tuple(page.Step(name=name, records=records) for name, records in facts.steps.items()),
        persons_by_sources=facts.persons_by_sources,
        clerical=facts.clerical,
        merges=facts.merges,
        splits=facts.splits,
    )


def _scorecard(quality: QualityReport) -> page.Scorecard:
    tallies: dict[tuple[str, str], Counter[CheckStatus]] = {}
    for result in quality.results:
        if result.check.table in quality.rows:
            tally = tallies.setdefault((result.check.category.lower(), result.check.table), Counter())
            tally[result.status] += 1
    scores = [
        page.Score(
            category=category,
            table=table,
            passed=tally[CheckStatus.PASSED],
            failed=tally[CheckStatus.FAILED] + tally[CheckStatus.ERROR],
            not_applicable=tally[CheckStatus.NOT_APPLICABLE],
        )
        for (category, table), tally in sorted(tallies.items())
    ]
    failing = [
        page.Check(
            name=result.check.kind,
            table=result.check.table,
            field=result.check.field,
            category=result.check.category.lower(),
            words=result.check.description or result.check.kind,
            rows_failed=result.violated or 0,
            rows_checked=result.denominator or 0,
            threshold=(result.check.threshold or 0) / 100,
            level={"fatal": "error", "convention": "warning"}.get(result.check.severity, "note"),
        )
        for result in quality.failed()
        if result.check.table in quality.rows
    ]
    return page.Scorecard(scores=tuple(scores), failing=tuple(failing))


def _quarantine(rooms: Rooms, extracts: set[int]) -> Iterable[page.Quarantine]:
    table = rooms.intake.quarantine()
    mine = table.filter(pc.is_in(table["row_extract"], pa.array(sorted(extracts), pa.int32())))
    counted = mine.group_by(["source", "table_name", "field", "reason"]).aggregate([("row_line", "count_distinct")])
    for row in sorted(counted.to_pylist(), key=lambda row: -row["row_line_count_distinct"]):
        yield page.Quarantine(
            source=row["source"],
            table=row["table_name"],
            field=row["field"] or "",
            reason=row["reason"],
            rows=row["row_line_count_distinct"],
        )


def _changes(rooms: Rooms, release: Release, progress: Progress) -> tuple[tuple[page.Change, ...], str]:
    try:
        earlier, later, changes = compare.compared(rooms, None, release.name, progress=progress)
    except NotFound:
        return (), ""
    rows = [
        page.Change(
            table=name,
            before=earlier.tables[name].rows if name in earlier.tables else 0,
            after=later.tables[name].rows if name in later.tables else 0,
            added=change.added,
            changed=change.changed,
            gone=change.gone,
        )
        for name, change in changes.items()
    ]
    return tuple(rows), earlier.name
