"""Sections: what changed since the release before, and what was delivered."""

from fairhaven.disclosure import Policy, protect, protect_table
from fairhaven.pages.kit.charts import stacked
from fairhaven.pages.kit.figures import counted, day, whole
from fairhaven.pages.kit.html import Child, join, tag
from fairhaven.pages.kit.layout import Column, Section, folded, key, named, table
from fairhaven.pages.release.facts import Change, ReportFacts


def changes_section(facts: ReportFacts) -> Section | None:
    """The difference to the release before; None for the first release."""
    if not facts.previous or not facts.changes:
        return None
    moved = [c for c in facts.changes if c.added or c.changed or c.gone]
    same = len(facts.changes) - len(moved)
    most = max((c.added + c.changed + c.gone for c in moved), default=1)
    lead = f"Compared with release {facts.previous}, row by row."
    if same:
        lead += f" {counted(same, 'table')} of {len(facts.changes)} {'is' if same == 1 else 'are'} the same."
    return Section(
        id="changes",
        title="What changed",
        short="Changes",
        lead=lead,
        body=join(
            table(
                f"Rows added, changed and gone since {facts.previous}",
                [
                    Column(title="Table"),
                    Column(title="", style="w"),
                    Column(title="Added", style="n"),
                    Column(title="Changed", style="n"),
                    Column(title="Gone", style="n"),
                    Column(title="Rows now", style="n"),
                ],
                [_row(change, most, facts.policy) for change in moved],
                class_="bars",
            )
            if moved
            else None,
            key([("added", "Added"), ("changed", "Changed"), ("gone", "Gone")]) if moved else None,
        ),
    )


def _row(change: Change, most: int, policy: Policy) -> list[Child]:
    # Rows before and now are known, so added and gone give each other away: they are hidden together.
    moves = protect_table({"added": change.added, "gone": change.gone}, policy).cells
    added, gone = moves["added"], moves["gone"]
    changed, now = protect(change.changed, policy), protect(change.after, policy)
    parts = [(added.value or 0, "added"), (changed.value or 0, "changed"), (gone.value or 0, "gone")]
    return [
        named(change.table),
        stacked([(float(size), style) for size, style in parts], most),
        f"+{added.text}" if added.value else added.text,
        changed.text,
        f"−{gone.text}" if gone.value else gone.text,
        now.text,
    ]


def deliveries_section(facts: ReportFacts) -> Section | None:
    """What was delivered; None where that is not known."""
    if not facts.deliveries:
        return None
    titles = {source.name: source.title for source in facts.sources}
    sources = len({delivery.source for delivery in facts.deliveries})
    dropped = sum(len(delivery.dropped) for delivery in facts.deliveries)
    lead = f"{counted(len(facts.deliveries), 'file')} from {counted(sources, 'source')}, each kept as it was delivered."
    if dropped:
        lead += (
            f" {counted(dropped, 'column')} outside the agreements {'was' if dropped == 1 else 'were'} dropped unread."
        )
    return Section(
        id="deliveries",
        title="What was delivered",
        short="Deliveries",
        lead=lead,
        body=folded(
            "The files",
            table(
                "Files delivered",
                [
                    Column(title="Extract", style="n"),
                    Column(title="Source"),
                    Column(title="Received on"),
                    Column(title="Rows", style="n"),
                    Column(title="Dropped columns"),
                    Column(title="Fingerprint"),
                ],
                [
                    [
                        str(delivery.extract),
                        titles.get(delivery.source, delivery.source),
                        day(delivery.received_on) if delivery.received_on else "",
                        whole(delivery.rows),
                        ", ".join(delivery.dropped),
                        tag("code", delivery.sha256[:12]) if delivery.sha256 else "",
                    ]
                    for delivery in facts.deliveries
                ],
                class_="cards",
            ),
        ),
    )
