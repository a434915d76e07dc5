"""Results in words: one function for each thing that a command shows a person."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from fairhaven.cli import screen

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.cli.delivery_results import LoadedVocabulary
    from fairhaven.cli.hub_results import NewHub
    from fairhaven.cli.network_results import JoinedCollection, QuestionReply, WorkerSummary
    from fairhaven.cli.release_results import ComparedReleases, ListedRelease, ShownRelease, VerifiedReleases
    from fairhaven.intake import QuarantineReason, Receipt
    from fairhaven.journeys.demonstration import Demonstration
    from fairhaven.journeys.persons.erase import ErasurePlan
    from fairhaven.journeys.persons.recovery import Erased
    from fairhaven.journeys.releases.build import Built
    from fairhaven.journeys.releases.build_plan import BuildPlan
    from fairhaven.journeys.releases.trace_row import Trace
    from fairhaven.quality import QualityReport

_SHOWN = 15
"""How many failing checks a scorecard on a screen lists."""
_REASONS = 10
"""How many reasons for quarantine a receipt on a screen lists for each table."""


def receipt(found: "Receipt") -> Iterator[str]:
    """What became of a delivery."""
    for file, delivery in found.already_received.items():
        yield f"{file}: the same bytes were received before (delivery {delivery}); nothing was done with it."
    if found.delivery is None:
        yield f"Nothing new for {found.source}."
        return
    yield f"Delivery {found.delivery} of {found.source}:"
    if found.opt_outs is not None:
        yield f"  a list of {found.opt_outs:,} NHS numbers"
        if found.faulty_lines:
            yield f"  {len(found.faulty_lines):,} lines are not NHS numbers: {_listed(found.faulty_lines)}"
        return
    for extract in found.extracts:
        yield f"  {extract.file} (extract {extract.number})"
        for table, count in extract.tables.items():
            parts = [f"{count.received:,} rows received", f"{count.landed:,} landed"]
            if count.quarantined:
                parts.append(f"{count.quarantined:,} quarantined")
            if count.erased:
                parts.append(f"{count.erased:,} of erased persons left out")
            yield f"    {table}: {', '.join(parts)}"
            mine = [misfit for misfit in found.misfits if (misfit.extract, misfit.table) == (extract.number, table)]
            yield from _misfits(mine)
            if count.dropped:
                yield f"      outside the agreement, dropped: {_columns(count.dropped)}"
            if count.missing:
                yield f"      not in the file: {', '.join(count.missing)}"


def _misfits(found: "Sequence[QuarantineReason]") -> Iterator[str]:
    """Why rows are in quarantine, and where to look."""
    for misfit in found[:_REASONS]:
        lines = ", ".join(map(str, misfit.lines)) + (", ..." if misfit.rows > len(misfit.lines) else "")
        what = f"{misfit.field} {misfit.reason}" if misfit.field else misfit.reason
        yield f"      quarantined: {what}: {misfit.rows:,} (line{'s' if misfit.rows > 1 else ''} {lines})"
    if (rest := len(found) - _REASONS) > 0:
        yield f"      ... and {rest} more reasons (--json gives all)"


def _columns(names: Sequence[str]) -> str:
    """Names of columns; spreadsheets add columns that have none."""
    named = [name for name in names if name]
    if unnamed := len(names) - len(named):
        named.append("a column without a name" if unnamed == 1 else f"{unnamed} columns without a name")
    return ", ".join(named)


def plan(found: "BuildPlan") -> Iterator[str]:
    """What a build would do."""
    yield f"Building {found.release} as of {found.as_of} would:"
    for number, stage in enumerate(found.stages, start=1):
        yield f"  {number}. {stage.what}"
    if found.obstacles:
        yield ""
        yield "It would be refused:"
        yield from (f"  {obstacle}" for obstacle in found.obstacles)


def built(found: "Built") -> Iterator[str]:
    """What a build made."""
    from fairhaven.harmonise import LEFT_OUT

    release = found.release
    if not found.is_new:
        yield f"Nothing has changed since {release.name} (as of {release.as_of}); it stays the current release."
        return
    flow = release.facts.row_flow
    received = sum(row.received for row in flow)
    yield f"{release.name}, as of {release.as_of}: {release.rows:,} rows in {sum(t.rows > 0 for t in release.tables.values())} tables."
    yield (
        f"  {received:,} rows received = {sum(row.landed for row in flow):,} landed "
        f"+ {sum(row.quarantined for row in flow):,} quarantined + {sum(row.opted_out for row in flow):,} opted out"
    )
    linkage = release.facts.linkage
    persons = release.rows_of("person")
    yield f"  {linkage.patients:,} patient records of {len(linkage.sources)} sources are {linkage.persons:,} persons; {persons:,} are in the release"
    aside = Counter[str]()
    for count in release.facts.rule_outcomes:
        if count.outcome in LEFT_OUT:
            aside[count.outcome] += count.rows
    if aside:
        reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in aside.most_common())
        yield f"  {sum(aside.values()):,} landed rows became no row of the release: {reasons}"
    yield f"  content {release.content}"


def erasure_plan(found: "ErasurePlan") -> Iterator[str]:
    """What an erasure would take away."""
    yield "This erasure would take away a person:"
    for number, stage in enumerate(found.stages, start=1):
        yield f"  {number}. {stage}"
    yield "Copies that left the store (exports, the inbox) are yours to remove."


def erased(found: "Erased") -> Iterator[str]:
    """What an erasure took away."""
    rows = sum(sum(tables.values()) for tables in found.releases.rows.values())
    yield f"Erased: {rows:,} rows of {len(found.releases.rows)} releases, {found.identities:,} identity records, and every landed and delivered row."
    yield f"Recorded as entry {found.entry} of the ledger, without the person. Exports, reports and files outside the store are yours to remove."


def trace(found: "Trace") -> Iterator[str]:
    """The way back from a row."""
    yield f"{found.table} {found.row_id} of {found.release}"
    yield f"  rule      {found.rule}" + (f"  ({found.rule_file})" if found.rule_file else "")
    if found.source is None:
        yield "  it was made from other rows of the release, not from a line of a delivery"
        return
    yield f"  source    {found.source} (controller: {found.controller or 'no longer described'})"
    yield f"  file      {found.file}, line {found.line}"
    yield f"  delivery  {found.delivery}, received {found.received_on}"
    yield f"  SHA-256   {found.sha256}"


def quality(report: "QualityReport") -> Iterator[str]:
    """A scorecard."""
    rows = sum(report.rows.values())
    yield f"{len(report.results):,} checks ({report.checked_against}) on {rows:,} rows of {len(report.rows)} tables"
    yield ""
    for rate in report.pass_rates():
        share = "" if rate.share is None else f"{rate.share:7.1%} passed"
        name = " ".join(part for part in (rate.category, f"({rate.context.lower()})" if rate.context else "") if part)
        yield (
            f"  {name:<32} {share}   {rate.passed:>5,} passed {rate.failed:>5,} failed "
            f"{rate.not_applicable:>5,} not applicable" + (f" {rate.errors:>3,} could not run" if rate.errors else "")
        )
    failed = report.failed()
    if not failed:
        yield ""
        yield "Every check passed."
        return
    yield ""
    levels = Counter(result.check.severity.value for result in failed)
    yield f"Not passed: {', '.join(f'{count} {level}' for level, count in levels.items())}. The gravest:"
    for result in failed[:_SHOWN]:
        place = f"{result.check.table}.{result.check.field}" if result.check.field else result.check.table
        concept = f" [{result.check.concept}]" if result.check.concept else ""
        much = (
            result.reason
            if result.violated is None
            else f"{result.violated:,} of {result.denominator or 0:,} rows ({result.share:.1%})"
        )
        yield f"  {result.check.severity:<16} {result.check.kind:<32} {place}{concept}: {much}"
    if len(failed) > _SHOWN:
        yield f"  ... and {len(failed) - _SHOWN:,} more (--json gives all)"


def new_hub(made: "NewHub") -> Iterator[str]:
    """What a new hub has, and what to do with it."""
    yield f"A new hub is in {made.hub}. Its files, in the order to read them:"
    yield from (f"  {path}" for path in made.files)
    yield ""
    yield "Next: describe a source (docs/tutorial/first-release.md walks through it), then"
    yield f"  fairhaven check {made.hub}"


def vocabulary(found: "LoadedVocabulary") -> Iterator[str | Table]:
    """What a vocabulary holds."""
    yield screen.table(f"Vocabulary {found.version}", ["table", "rows"], found.rows.items())
    yield from found.notes


def releases(found: "Sequence[ListedRelease]", folder: Path) -> Iterator[str | Table]:
    """Every release of a hub."""
    if not found:
        yield f"No release yet. Make one with `fairhaven build {folder}`."
        return
    yield screen.table(
        "",
        ["release", "as of", "persons", "rows", "content", ""],
        [
            (each.name, each.as_of, each.persons, each.rows, each.content[:12], "current" * each.current)
            for each in found
        ],
    )


def release(found: "ShownRelease") -> Iterator[str | Table]:
    """What a release holds."""
    yield f"{found.name}, as of {found.as_of}"
    yield f"content     {found.content}"
    yield f"manifest    {found.hash}"
    yield f"previous    {found.previous.strip('0') or 'none'}"
    yield f"vocabulary  {found.facts.vocabulary}"
    yield f"code        {found.facts.code_version}"
    yield ""
    yield screen.table(
        "",
        ["table", "rows", "files", "content"],
        [(name, each.rows, len(each.files), each.content[:12]) for name, each in found.tables.items() if each.rows],
    )
    yield ""
    columns = (
        "source",
        "table",
        "received",
        "landed",
        "quarantined",
        "opted_out",
        "superseded",
        "withdrawn",
        "current",
    )
    yield screen.table(
        "",
        [name.replace("_", " ") for name in columns],
        [[getattr(row, name) for name in columns] for row in found.facts.row_flow],
    )


def changes(found: "ComparedReleases") -> Iterator[str | Table]:
    """How two releases differ."""
    differing = [
        (name, each.added, each.changed, each.gone) for name, each in found.tables.items() if not each.is_empty
    ]
    yield screen.table(f"From {found.older} to {found.newer}", ["table", "added", "changed", "gone"], differing)
    if not differing:
        yield "No table differs."


def verified(found: "VerifiedReleases") -> Iterator[str]:
    """Whether every hash agrees."""
    if found.problems:
        yield "Something was altered or lost:"
        yield from (f"  {problem}" for problem in found.problems)
    elif not found.releases:
        yield "There is no release yet, so there is nothing to verify."
    else:
        yield f"Verified: {', '.join(found.releases)}. {found.files:,} files, every hash agrees."


def answering(done: "WorkerSummary") -> Iterator[str]:
    """What a run of the worker did."""
    came = f"{done.received:,} tasks came; {done.answered:,} answered, {done.failed:,} answered with an error"
    yield f"{came}, {done.posted:,} results handed in."
    if done.skipped:
        yield f"{done.skipped:,} could not be read and name no task."
    if done.declined:
        yield f"{done.declined:,} results were not wanted: the server has an answer or knows no such task."
    if done.unposted or done.unanswered:
        yield f"Kept for the next run: {done.unanswered:,} tasks and {done.unposted:,} results."
    if done.trouble:
        yield f"At the end the server could not be worked with: {done.trouble}."


def joined(made: "JoinedCollection") -> Iterator[str]:
    """A new member's secret."""
    yield f"{made.collection} is a member."
    yield f"  name    {made.username}"
    yield f"  secret  {made.password}"
    yield ""
    yield "The secret is shown only now; this hub keeps its hash."


def replies(found: "Sequence[QuestionReply]") -> Iterator[Table]:
    """What collections have said."""
    yield screen.table(
        "", ["collection", "", "persons"], [(each.collection, each.standing, each.count) for each in found]
    )


def demonstration(found: "Demonstration", page: Path) -> Iterator[str]:
    """What came of the demonstration."""
    yield f"The demonstration hub is in {found.folder}: {found.persons:,} invented persons, known to seven organisations."
    for made in found.releases:
        yield ""
        if made.is_new:
            yield from built(made)
        else:
            yield f"{made.release.name}, as of {made.release.as_of}, was there already."
    yield ""
    yield f"Look at {page} in a browser: what came in, what became of it, how good it is."
    yield "Try also:"
    yield f"  fairhaven release diff {found.folder}"
    yield f"  fairhaven quality {found.folder}"
    yield f"  fairhaven export {found.folder} --format duckdb --out omop.duckdb"
    yield f"  fairhaven cohort report {found.folder} {found.folder}/cohorts"
    yield f"({found.seconds:.0f} seconds)"


def _listed(numbers: tuple[int, ...]) -> str:
    more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    return ", ".join(str(number) for number in numbers[:10]) + more
