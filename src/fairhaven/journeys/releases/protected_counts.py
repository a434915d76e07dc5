"""Every count of the report on a release as the hub's policy lets it be shown: the one place where that is decided.

Rows on their way and rows by source are protected in `protected_rows`; here persons, and what would give one of them away by difference. The persons of the
release are shown first; a count that lies so close to theirs that it tells of few is not shown in any section.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

from fairhaven.archive import Change, Release
from fairhaven.disclosure import Cell, Policy, Protected, as_rounded, hidden, lacks_few, protect, protect_table, shown
from fairhaven.journeys.descriptions.describe import DescribedRelease
from fairhaven.journeys.releases.protected_lines import ProtectedLines
from fairhaven.journeys.releases.protected_rows import (
    ProtectedFates,
    beside,
    protected_quarantine,
    protected_rows,
    protected_written,
    protected_years,
)
from fairhaven.journeys.releases.release_report import (
    Changes,
    CountAndShare,
    FailedCheck,
    FileShown,
    LinkageShown,
    OptOutShown,
    PartnerCdmShown,
    QualityShown,
    ReleaseReport,
    RowsShown,
    Score,
    SetAside,
    TableChange,
    UnmappedCode,
    WrittenTable,
)
from fairhaven.omop import CDM
from fairhaven.quality import CheckResult, CheckStatus, Scorecard, Severity
from fairhaven.release import partner_cdms
from fairhaven.release.description import Description
from fairhaven.release.facts import LinkageSummary, QuarantinedRows, ReleaseFacts
from fairhaven.release.row_counts import RowCounts


def protected(
    release: Release,
    described: DescribedRelease,
    policy: Policy,
    *,
    hub: str,
    quarantine: tuple[QuarantinedRows, ...] = (),
    previous: str = "",
    changes: Mapping[str, tuple[Change, int]],
) -> ReleaseReport:
    """The report's counts as they may be shown.

    Args:
        described: what was counted in the release's tables.
        hub: its name.
        quarantine: of the extracts that the release is made of.
        previous: name of the release before; empty for the first.
        changes: table -> difference to the release before, and its rows now.
    """
    facts, row_counts = release.facts, described.row_counts
    persons = release.rows_of("person")
    flows = facts.row_flow
    written = protected_written(row_counts.links, persons, policy)
    lines = ProtectedLines(
        facts,
        row_counts.links,
        policy,
        unsaid={(row.source, row.table) for each in written.values() for row in each.values() if row.rows.is_hidden},
        persons=_persons_beside(facts, described.scorecard, persons),
    )
    fates = ProtectedFates(lines.told, policy, is_in_use_known=lines.is_in_use_known) if flows else None
    rows = protected_rows(fates, flows, written, facts.sources, policy) if fates else None
    tables = rows.tables if rows else ()
    codes = _codes(row_counts, rows, policy)
    return ReleaseReport(
        hub=hub,
        release=release.name,
        previous=previous,
        as_of=release.as_of,
        hash=release.hash,
        policy=policy,
        vocabulary=facts.vocabulary,
        code_version=facts.code_version,
        sources=facts.sources,
        persons=protect(persons, policy) if persons else None,
        rows=rows,
        linkage=_linkage(facts.linkage, persons, policy) if facts.linkage.patients else None,
        kinds=_kinds(described.scorecard, persons, policy),
        years=protected_years(row_counts.years, policy),
        quality=_quality(described, tables, persons, policy) if described.quality.results else None,
        description=described.description if described.description.tables else None,
        unmapped=sum(table.unmapped.count.value or 0 for table in tables)
        or sum(code.rows.value or 0 for code in codes),
        codes=codes,
        changes=_changes(changes, persons, policy) if previous and changes else None,
        opt_outs=tuple(
            OptOutShown(
                source=row.source, kind=row.kind, persons=protect(row.patients, policy), list_date=row.list_date
            )
            for row in facts.opt_outs
        ),
        quarantine=protected_quarantine(fates, quarantine, flows, policy),
        set_aside=_set_aside(lines),
        notes=_notes(row_counts.notes, described.description, policy),
        extracts=tuple(
            FileShown(
                number=each.number,
                source=each.source,
                received_on=each.received_on,
                dropped=each.dropped,
                sha256=each.sha256,
            )
            for each in facts.extracts
        ),
        partner_cdms=tuple(
            PartnerCdmShown(
                source=source,
                said=partner_cdms.said(replace(cdm, etl_references=())),
                # How many rows contradict each other is a count of rows, and exact.
                doubts=tuple(
                    partner_cdms.contradictions(
                        replace(cdm, shared_keys={}, other_births=0), vocabulary=facts.vocabulary
                    )
                ),
            )
            for source, cdm in facts.partner_cdms.items()
        ),
    )


def _notes(rows: int, description: Description, policy: Policy) -> Protected:
    """Free-text notes, as the description of their table says."""
    table = description.table("note")
    return hidden(policy) if table is not None and table.rows is None else protect(rows, policy)


def _of_whole(count: Protected, whole: int, policy: Policy) -> CountAndShare:
    """A count and its share of the whole as both are shown: a share of the true whole would tell it beside a rounded one."""
    whole = policy.rounded(whole)
    return CountAndShare(
        count=count, share=None if count.value is None else min(count.value / whole, 1.0) if whole else 0.0
    )


def _kinds(card: Scorecard, everybody: int, policy: Policy) -> Mapping[frozenset[str], Protected]:
    """Persons by the kinds of source that hold data about them, and unsaid the persons of whom none does."""
    cells = {frozenset(linked.kinds): linked.persons for linked in card.linked}
    of_none = max(everybody - sum(cells.values()), 0)
    known = protect_table({None: of_none, **cells} if of_none else cells, policy).cells
    return {kinds: known[kinds] for kinds in cells}


def _linkage(linkage: LinkageSummary, everybody: int, policy: Policy) -> LinkageShown:
    by_sources = protect_table(dict(sorted(linkage.persons_by_sources.items())), policy).cells
    steps = protect_table(linkage.steps, policy).cells
    persons, records = protect(linkage.persons, policy), shown(policy.rounded(linkage.patients))
    unknown = hidden(policy, is_one_of_several=True)
    is_few = any(map(policy.is_small, linkage.persons_by_sources.values())) or any(
        cell.is_hidden for cell in by_sources.values()
    )
    if is_few:
        # Records are persons by number of sources, each so many times, and those that nothing linked are the persons of one source.
        if policy.secondary:
            by_sources, is_told = dict.fromkeys(by_sources, unknown), _are_told_by_records(linkage, policy)
        else:
            is_told = _are_told_by_rounded_records(linkage, by_sources, policy)
        if is_told:
            records = unknown
        if is_told or abs(linkage.persons_by_sources.get(1, 0) - linkage.steps.get(_ALONE, 0)) < policy.threshold:
            # Records that the other steps leave would say how many persons of one source there are at most.
            steps = dict.fromkeys(steps, unknown)
    elif linkage.steps.get(_ALONE, 0) >= policy.threshold:
        others = {step: count for step, count in linkage.steps.items() if step != _ALONE}
        is_told = not policy.secondary and any(map(policy.is_small, others.values()))
        cells = dict.fromkeys(others, unknown) if is_told else protect_table(others, policy).cells
        steps = {**steps, _ALONE: protect(linkage.steps[_ALONE], policy), **cells}
    if lacks_few(everybody, linkage.persons, policy):  # the difference is those who opted out
        persons = unknown
        by_sources = dict.fromkeys(by_sources, persons)
    # A share beside the shown parts says how many the hidden ones are together, so it is one of these as they are shown.
    parts = {sources: cell.value or 0 for sources, cell in by_sources.items()}
    several, of = sum(count for sources, count in parts.items() if sources > 1), sum(parts.values())
    is_shown = (
        not any(cell.is_hidden for cell in by_sources.values()) and min(several, of - several) >= policy.threshold
    )
    return LinkageShown(
        records=records,
        persons=persons,
        several=several / of if is_shown else None,
        steps={step: _of_whole(cell, linkage.patients, policy) for step, cell in steps.items()},
        by_sources={sources: _of_whole(cell, linkage.persons, policy) for sources, cell in by_sources.items()},
        clerical=protect(linkage.clerical, policy),
        merges=protect(linkage.merges, policy),
        splits=protect(linkage.splits, policy),
    )


_ALONE = "alone"
"""The step of records that nothing linked."""


def _are_told_by_records(linkage: LinkageSummary, policy: Policy) -> bool:
    """True where patient records and persons leave a few persons of one number of sources less than everything from 1 to the threshold.

    The parts are hidden. The others have to make up the rest of the persons, and of the records that these have beyond their first;
    a source may know a person by several records, and then its records are more than that.
    """
    found = {sources: persons for sources, persons in linkage.persons_by_sources.items() if persons}
    further = linkage.patients - linkage.persons
    is_exact = sum((sources - 1) * persons for sources, persons in found.items()) == further
    for sources, persons in found.items():
        others = [other - 1 for other in found if other != sources]
        for few in (1, policy.threshold - 1) if policy.is_small(persons) else ():
            left, rest = linkage.persons - few, further - (sources - 1) * few
            if not others or left * min(others) > rest or (is_exact and left * max(others) < rest):
                return True
    return False


def _are_told_by_rounded_records(linkage: LinkageSummary, by_sources: Mapping[int, Protected], policy: Policy) -> bool:
    """The same where all is rounded: whether patient records, less persons any number of times, leave a few persons less room than that."""
    found = {sources: persons for sources, persons in linkage.persons_by_sources.items() if persons}
    few = [sources for sources, persons in found.items() if policy.is_small(persons)]
    between: dict[int, tuple[float, float]] = {
        sources: (1, policy.threshold - 1 if sources in few else math.inf)
        if sources in few or by_sources[sources].is_hidden
        else as_rounded(persons, policy)
        for sources, persons in found.items()
    }
    records, everybody = as_rounded(linkage.patients, policy), as_rounded(linkage.persons, policy)
    is_exact = sum(sources * persons for sources, persons in found.items()) == linkage.patients
    for sources, times in product(few, range(max(found, default=0) + 1)):
        if sources == times:
            continue
        # Each number of sources, less so many times, times its persons.
        low = records[0] - times * everybody[1] if is_exact else -math.inf
        high: float = records[1] - times * everybody[0]
        for other in found.keys() - {sources, times}:
            ends = sorted((other - times) * end for end in between[other])
            low, high = low - ends[1], high - ends[0]
        least, most = sorted(end / (sources - times) for end in (low, high))
        if least > 1 or most < policy.threshold - 1:
            return True
    return False


def _quality(
    described: DescribedRelease, written: Sequence[WrittenTable], everybody: int, policy: Policy
) -> QualityShown:
    report = described.quality
    results = [result for result in report.results if result.check.table in report.rows]
    tallies: dict[tuple[str, str], Counter[CheckStatus]] = {}
    for result in results:
        place = (result.check.category.lower(), result.check.table)
        tallies.setdefault(place, Counter())[result.status] += 1
    scores = tuple(
        Score(
            category=category,
            table=table,
            passed=tally[CheckStatus.PASSED],
            failed=tally[CheckStatus.FAILED] + tally[CheckStatus.ERROR],
        )
        for (category, table), tally in sorted(tallies.items())
    )
    unsaid = _fields_unsaid(described.description, written)
    failed = [
        _failed(result, everybody, policy, unsaid)
        for result in results
        if result.status in (CheckStatus.FAILED, CheckStatus.ERROR)
    ]
    return QualityShown(scores=scores, failed=tuple(sorted(failed, key=_how_bad)))


def _fields_unsaid(description: Description, written: Sequence[WrittenTable]) -> Mapping[tuple[str, str], int | None]:
    """Fields of which the page does not say how many rows have no value, or no concept, with the rows of their table that it says.

    What a check counts must not say it either.
    """
    unmapped = {(table.table, CDM[table.table].concept) for table in written if table.unmapped.count.is_hidden}
    return {
        (table.name, variable.name): table.rows
        for table in description.tables
        for variable in table.variables
        if variable.missing is None
        or (table.name, variable.name) in unmapped
        or (variable.kind == "concept" and variable.others != 0 and "0" not in {bar.code for bar in variable.bars})
    }


def _how_bad(failed: FailedCheck) -> tuple[int, float, str, str, str]:
    """By what is shown alone: between two others the place of a hidden number would narrow it."""
    check, share = failed.check, failed.failed.share or 0.0
    order = list(Severity).index(check.severity)
    return order, -(1.0 if failed.checked is None else share), check.table, check.field, check.kind


_OF_MISSING = (
    "isRequired",
    "measureValueCompleteness",
    "standardConceptRecordCompleteness",
    "sourceConceptRecordCompleteness",
)
"""Kinds of check whose failing rows are those without a value, or without a concept."""
_OF_CODES = ("sourceValueCompleteness",)
"""Kinds of check that look at different values and not at rows."""


def _failed(
    result: CheckResult, everybody: int, policy: Policy, unsaid: Mapping[tuple[str, str], int | None]
) -> FailedCheck:
    """A failed check as it may be shown.

    Args:
        unsaid: fields of which the page does not say how many rows have no value or concept, with the rows of their table.
    """
    checked, violated = result.denominator or 0, result.violated or 0
    kind, field = result.check.kind, (result.check.table, result.check.field)
    few = beside(checked, protect(checked, policy), everybody, policy)
    failed = protect(violated, policy)
    if field in unsaid and kind not in (*_OF_MISSING, *_OF_CODES) and checked != unsaid[field]:
        few = hidden(policy, is_one_of_several=True)  # some kinds of check look at the rows that have one
    is_left = few.is_hidden or (field in unsaid and kind in _OF_MISSING)
    if violated and (is_left or (policy.secondary and lacks_few(violated, checked, policy))):
        failed = hidden(policy, is_one_of_several=True)
    return FailedCheck(
        check=result.check,
        failed=_of_whole(failed, checked, policy),
        checked=None if not checked else few if few.is_hidden else shown(policy.rounded(checked)),
    )


def _codes(counts: RowCounts, rows: RowsShown | None, policy: Policy) -> tuple[UnmappedCode, ...]:
    """Codes of each source and table. They add up to its unmapped rows, and are hidden where these are."""
    unsaid = {(row.source, row.table) for row in (rows.written if rows else ()) if row.unmapped.count.is_hidden}
    without = {(link.source, link.cdm_table): link.unmapped for link in counts.links}
    unknown = hidden(policy, is_one_of_several=True)
    codes: list[UnmappedCode] = []
    for place in dict.fromkeys((row.source, row.cdm_table) for row in counts.unmapped):
        mine = [row for row in counts.unmapped if (row.source, row.cdm_table) == place]
        cells = {row.code: Cell(rows=row.rows, persons=row.persons) for row in mine}
        if (left := without.get(place, 0) - sum(row.rows for row in mine)) > 0:  # counts of before had no cell for it
            cells[None] = Cell(rows=left, persons=left)
        known = dict.fromkeys(cells, unknown) if place in unsaid else protect_table(cells, policy).cells
        codes += [
            UnmappedCode(source=place[0], cdm_table=place[1], code=code, rows=known[code])
            for code in cells
            if code is not None
        ]
    return tuple(sorted(codes, key=lambda code: (-(code.rows.value or 0), code.code, code.source, code.cdm_table)))


def _changes(changes: Mapping[str, tuple[Change, int]], everybody: int, policy: Policy) -> Changes:
    moved = {table: (change, now) for table, (change, now) in changes.items() if not change.is_empty}
    show = partial(protect, policy=policy)
    tables = []
    for table, (change, now) in moved.items():
        # Rows before and now are known, so added and gone give each other away: they are hidden together.
        moves = protect_table({"added": change.added, "gone": change.gone}, policy).cells
        tables.append(
            TableChange(
                table=table,
                added=moves["added"],
                changed=show(change.changed),
                gone=moves["gone"],
                now=beside(now, show(now), everybody, policy),
            )
        )
    return Changes(moved=tuple(tables), same=len(changes) - len(moved))


def _set_aside(lines: ProtectedLines) -> tuple[SetAside, ...]:
    """Landed rows that became no row, by source and reason."""
    found = [SetAside(source=source, reason=reason, rows=rows) for (source, reason), rows in lines.left_out().items()]
    return tuple(sorted(found, key=lambda each: (-(each.rows.value or 0), each.source, each.reason)))


def _persons_beside(facts: ReleaseFacts, card: Scorecard, everybody: int) -> Mapping[str, tuple[int, ...]]:
    """Persons and patient records that the page tells: of everybody under an empty name, and of a source that is alone of its kind."""
    alone = Counter(source.kind for source in facts.sources)
    known = {
        source.name: (sum(linked.persons for linked in card.linked if source.kind in linked.kinds),)
        for source in facts.sources
        if alone[source.kind] == 1
    }
    return {"": (everybody, facts.linkage.persons, facts.linkage.patients), **known}
