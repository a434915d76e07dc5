"""Releases in words: builds, what a release holds, the way back from a row, erasures."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from fairhaven.cli import screen

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.cli.release_results import ComparedReleases, ListedRelease, ShownRelease, VerifiedReleases
    from fairhaven.journeys.persons.erase import ErasurePlan
    from fairhaven.journeys.persons.recovery import Erased
    from fairhaven.journeys.releases.build import Built
    from fairhaven.journeys.releases.build_plan import BuildPlan
    from fairhaven.journeys.releases.trace_row import Trace
    from fairhaven.release.facts import ReleaseFacts

_FATES = ("current", "quarantined", "opted_out", "superseded", "withdrawn")
"""What becomes of rows that are received; each is one of these."""
_FLOW = ("received", "landed", "quarantined", "opted_out", "superseded", "withdrawn", "current")
"""What became of rows, in the order in which it is shown."""
_REFERRED = ("care_site", "location", "provider", "visit_detail", "visit_occurrence")
"""Tables that a source may refer to without filling them."""
_EMPTIED = 12
"""How many columns with emptied values a build on a screen lists."""


def plan(found: "BuildPlan") -> Iterator[str]:
    """What a build would do."""
    new = f"Building {found.release} as of {found.as_of} would:"
    yield new if found.is_new else f"Building as of {found.as_of} would make no new release:"
    for number, stage in enumerate(found.stages, start=1):
        yield f"  {number}. {stage.what}"
    if found.obstacles:
        yield ""
        yield "It would be refused:"
        yield from (f"  {obstacle}" for obstacle in found.obstacles)


def built(found: "Built") -> Iterator[str]:
    """What a build made."""
    release = found.release
    if not found.is_new:
        yield f"Nothing has changed since {release.name} (as of {release.as_of}); it stays the current release."
        return
    flow = release.facts.row_flow
    received = sum(row.received for row in flow)
    yield f"{release.name}, as of {release.as_of}: {release.rows:,} rows in {sum(t.rows > 0 for t in release.tables.values())} tables."
    fates = {name.replace("_", " "): sum(getattr(row, name) for row in flow) for name in _FATES}
    yield f"  {received:,} rows received = " + " + ".join(f"{rows:,} {fate}" for fate, rows in fates.items())
    repeated = {f"{row.source}, {row.table}": row.repeated for row in flow if row.repeated}
    if repeated:
        named = "; ".join(f"{name} {rows:,}" for name, rows in repeated.items())
        yield f"  {sum(repeated.values()):,} of the superseded gave way to rows of their key in the same delivery: {named}"
    outdated = {f"{row.source}, {row.table}": row.outdated for row in flow if row.outdated}
    if outdated:
        named = "; ".join(f"{name} {rows:,}" for name, rows in outdated.items())
        yield (
            f"  {sum(outdated.values()):,} of the superseded gave way to a row in quarantine, and nothing of their key is in the release until it is "
            f"mended: {named}"
        )
    linkage = release.facts.linkage
    persons = release.rows_of("person")
    yield f"  {linkage.patients:,} patient records of {len(linkage.sources)} sources are {linkage.persons:,} persons; {persons:,} are in the release"
    yield from (f"  {note}" for note in linkage.notes)
    yield from _outcomes(release.facts)
    yield from emptied(release.facts)
    yield from _partner_cdms(release.facts)
    yield f"  content {release.content}"


def _partner_cdms(facts: "ReleaseFacts") -> Iterator[str]:
    """Partners' CDMs beside this hub's vocabulary."""
    from fairhaven.release import partner_cdms

    for source, cdm in facts.partner_cdms.items():
        yield f"  {source} {partner_cdms.said(cdm)}"
        yield from (f"  {source} {each}" for each in partner_cdms.contradictions(cdm, vocabulary=facts.vocabulary))
    for each in facts.partner_concepts:
        what = [
            f"{concepts:,} in {rows:,} rows {why}"
            for concepts, rows, why in (
                (each.unknown, each.unknown_rows, "are not in this hub's vocabulary"),
                (each.not_standard, each.not_standard_rows, "are not standard there"),
            )
            if concepts
        ]
        if what:
            yield f"  {each.source} {each.table}: of {each.concepts:,} concepts {', '.join(what)}"


def _outcomes(facts: "ReleaseFacts") -> Iterator[str]:
    """Landed rows that are no row of the release, or not one of their own."""
    from fairhaven.harmonise import JOINED, LEFT_OUT, NOT_TAKEN, SAID_OF_ROWS

    aside, joined, tables, said = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    # That many records are one person, and many rows name one place, is what they are for.
    are_meant = {rule.number for rule in facts.rules if rule.target in ("person", "provider", "care_site", "location")}
    for count in facts.rule_outcomes:
        if count.outcome in LEFT_OUT:
            aside[count.outcome] += count.rows
        if count.outcome == NOT_TAKEN:
            tables[f"{count.source} {count.table}"] += count.rows
        if count.outcome == JOINED and count.rule not in are_meant:
            joined[f"{count.source} {count.table}"] += count.rows
        if count.outcome in SAID_OF_ROWS:
            said[count.outcome] += count.rows
    if aside:
        yield f"  {aside.total():,} landed rows became no row of the release: {_most(aside)}"
    if tables:
        yield f"  not taken are {_most(tables)}"
    if joined:
        yield f"  {joined.total():,} landed rows describe what another row does, and are in its row: {_most(joined)}"
    yield from (f"  {rows:,} rows have a {what}" for what, rows in said.items())


def emptied(facts: "ReleaseFacts") -> Iterator[str]:
    """Values that the sources gave and the release does not have; references to a table that a source never fills in one sentence."""
    targets = {rule.number: rule.target for rule in facts.rules}
    filled = {(count.source, targets.get(count.rule, "")) for count in facts.rule_outcomes if count.rows}
    rows, given = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    never: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in facts.emptied or ():
        table = each.column.removesuffix("_id")
        if table in _REFERRED and (each.source, table) not in filled and each.rows == each.given:
            never[each.source][table] += each.rows
            continue
        what = (each.source, f"{each.cdm_table}.{each.column}", each.reason)
        rows[what] += each.rows
        given[what] += each.given
    for what, number in rows.most_common(_EMPTIED):
        source, column, reason = what
        yield f"  emptied: {column} of {source} {reason} in {number:,} of {given[what]:,} rows"
    if (rest := len(rows) - _EMPTIED) > 0:
        yield f"  emptied: {rest} more columns (`release show --json` has all)"
    for source, tables in never.items():
        named = ", ".join(f"{table}_id in {number:,} rows" for table, number in sorted(tables.items()))
        yield f"  {source} gives no row of {' or '.join(sorted(tables))}, so what it says of these is empty: {named}"


def _most(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {rows:,}" for what, rows in counts.most_common())


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


def release(found: "ShownRelease") -> list[str | Table]:
    """What a release holds."""
    columns = ["source", "table", *_FLOW]
    return [
        f"{found.name}, as of {found.as_of}",
        f"content     {found.content}",
        f"manifest    {found.hash}",
        f"previous    {found.previous.strip('0') or 'none'}",
        f"vocabulary  {found.facts.vocabulary}",
        f"code        {found.facts.code_version}",
        "",
        screen.table(
            "",
            ["table", "rows", "files", "content"],
            [(name, each.rows, len(each.files), each.content[:12]) for name, each in found.tables.items() if each.rows],
        ),
        "",
        screen.table(
            "",
            [name.replace("_", " ") for name in columns],
            [[getattr(row, name) for name in columns] for row in found.facts.row_flow],
        ),
    ]


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
    if found.head:
        yield f"Head of the ledger: entry {found.head.size:,}, {found.head.hash}"
    if found.checkpoint and not found.problems:
        yield "It is signed in store/checkpoint. Keep copies of that file elsewhere; `--checkpoint FILE` compares with one."


def trace(found: "Trace") -> Iterator[str]:
    """The way back from a row."""
    yield f"{found.table} {found.row_id} of {found.release}"
    yield f"  rule      {found.rule}" + (f"  ({found.rule_file})" if found.rule_file else "")
    if found.source is None:
        yield "  it was made from other rows of the release, not from a line of a delivery"
        return
    yield from (
        f"  source    {found.source} (controller: {found.controller or 'no longer described'})",
        f"  file      {found.file}, line {found.line}",
        f"  delivery  {found.delivery}, received {found.received_on}",
        f"  SHA-256   {found.sha256}",
    )


def erasure_plan(found: "ErasurePlan") -> Iterator[str]:
    """What an erasure would take away."""
    yield "This erasure would take away a person:"
    for number, stage in enumerate(found.stages, start=1):
        yield f"  {number}. {stage.what}"
    yield "Copies that left the store (exports, the inbox) are yours to remove."


def erased(found: "Erased") -> Iterator[str]:
    """What an erasure took away."""
    if found.was_done:
        yield f"This person was erased before, as entry {found.entry} of the ledger says; nothing was left to take away."
        return
    rows = sum(sum(tables.values()) for tables in found.releases.rows.values())
    yield (
        f"Erased: {rows:,} rows of {len(found.releases.rows)} releases, {found.identities:,} identity records, and every landed and "
        "delivered row that names the person or belongs to one that does; of FHIR, every resource that names the patient, also through others."
    )
    for source, tables in found.deliveries.unknown_owners.items():
        what = ", ".join(f"{rows:,} of {table}" for table, rows in tables.items())
        yield f"Not known to be anybody's, and left: rows of {source} that refer to rows which were not delivered ({what})."
    yield f"Recorded as entry {found.entry} of the ledger, without the person. Exports, reports and files outside the store are yours to remove."
