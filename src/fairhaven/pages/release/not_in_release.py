"""Sections: codes without a concept, and what is not in the release and why."""

from fairhaven.disclosure import Cell, protect, protect_table
from fairhaven.pages.kit.charts import bar
from fairhaven.pages.kit.figures import counted, day, share, spoken, whole
from fairhaven.pages.kit.html import Child, Html, join, tag
from fairhaven.pages.kit.layout import Column, Section, named, table
from fairhaven.pages.release.facts import OptOut, ReportFacts, SetAside, Unmapped

_MOST_CODES = 25
_MOST_REASONS = 20
_REASONS = {
    "no person": "Names no patient",
    "no birth year": "Of a patient whose year of birth nobody knows",
    "no date": "Has no date",
    "after the release": "Dated after the day of the release",
    "before birth": "Dated before its patient was born",
    "no visit": "Part of a visit that was not delivered",
    "not taken": "Says of itself that it does not hold, or no mapping rule reads it",
}
_OPT_OUTS = {"type-1": "Type 1 opt-out, at the practice", "national": "National data opt-out"}


def unmapped_section(facts: ReportFacts) -> Section | None:
    """Codes with concept 0, the most frequent first; None where there are none."""
    if not facts.unmapped:
        return None
    cells = {
        place: Cell(rows=entry.rows, persons=entry.rows if entry.persons is None else entry.persons)
        for place, entry in enumerate(facts.unmapped)
    }
    protected = protect_table(cells, facts.policy)
    shown = [(entry, protected.cells[place].value) for place, entry in enumerate(facts.unmapped)]
    listed = sorted(
        ((entry, rows) for entry, rows in shown if rows), key=lambda pair: (-pair[1], pair[0].vocabulary, pair[0].code)
    )
    rest = len(shown) - len(listed[:_MOST_CODES])
    most = listed[0][1] if listed else 1
    rows_unmapped = sum(link.unmapped for link in facts.links) or protected.total.value or 0
    titles = {source.name: source.title for source in facts.sources}
    return Section(
        id="unmapped",
        title="Codes that wait for a concept",
        short="Unmapped",
        lead=(
            f"{counted(rows_unmapped, 'row')} have a source code without a standard concept. "
            "They are in the release under concept 0 and keep the source's code, so nothing is lost; a local map would "
            "bring them in. The most frequent codes come first, because they repay the work soonest."
        ),
        body=join(
            table(
                "Unmapped codes by number of rows",
                [
                    Column(title="Code"),
                    Column(title="", style="w"),
                    Column(title="Rows", style="n"),
                    Column(title="From, and where it would go"),
                ],
                [
                    [
                        _code(entry),
                        bar(rows / most, "veiled", ghost=False),
                        whole(rows),
                        join(titles.get(entry.source, entry.source), tag("small", named(entry.cdm_table))),
                    ]
                    for entry, rows in listed[:_MOST_CODES]
                ],
                class_="bars codes",
            )
            if listed
            else None,
            tag("p", f"{counted(rest, 'further code')} in fewer rows, or of few persons, not listed.", class_="aside")
            if rest
            else None,
        ),
    )


def _code(entry: Unmapped) -> Html:
    return join(
        tag("code", entry.code),
        tag(
            "small",
            " ".join(part for part in (entry.name, f"({entry.vocabulary})" if entry.vocabulary else "") if part),
        ),
    )


def left_out_section(facts: ReportFacts) -> Section | None:
    """Opt-outs, quarantine and notes; None where nothing is known of any."""
    parts = [_opt_outs(facts), _quarantine(facts), _set_aside(facts), _notes(facts)]
    if not any(parts):
        return None
    return Section(
        id="left-out",
        title="What is not in it, and why",
        short="Left out",
        lead="Every row that was received and is not here has a reason.",
        body=tag("div", parts, class_="reasons"),
    )


def _opt_outs(facts: ReportFacts) -> Html | None:
    if not facts.opt_outs:
        return None
    titles = {source.name: source.title for source in facts.sources}

    def row(entry: OptOut) -> list[Child]:
        return [
            _OPT_OUTS.get(entry.kind, spoken(entry.kind)),
            titles.get(entry.source, entry.source),
            protect(entry.persons, facts.policy).text,
            "" if entry.rows is None else protect(entry.rows, facts.policy, persons=entry.persons).text,
            day(entry.list_date) if entry.list_date else "",
        ]

    return tag(
        "div",
        tag("h3", "People who said no"),
        tag("p", "Their records are kept out of the release before anything else is done with them."),
        table(
            "Opt-outs by source",
            [
                Column(title="Opt-out"),
                Column(title="Source"),
                Column(title="Persons", style="n"),
                Column(title="Rows", style="n"),
                Column(title="List of"),
            ],
            [row(entry) for entry in facts.opt_outs],
            class_="cards",
        ),
    )


def _quarantine(facts: ReportFacts) -> Html | None:
    if not facts.quarantine:
        return None
    titles = {source.name: source.title for source in facts.sources}
    received = dict.fromkeys(titles, 0)
    for flow in facts.flows:
        received[flow.source] = received.get(flow.source, 0) + flow.received
    ranked = sorted(facts.quarantine, key=lambda q: (-q.rows, q.source, q.table, q.field, q.reason))
    rest = ranked[_MOST_REASONS:]
    others = sum(entry.rows for entry in rest)
    return tag(
        "div",
        tag("h3", "Rows that did not fit"),
        tag("p", "They stand in quarantine with file and line, and come in when the source corrects them."),
        table(
            "Quarantined rows by reason",
            [
                Column(title="Reason"),
                Column(title="Rows", style="n"),
                Column(title="Of the source's", style="n"),
                Column(title="Source"),
                Column(title="Field"),
            ],
            [
                [
                    spoken_reason(entry.reason),
                    whole(entry.rows),
                    share(entry.rows, received.get(entry.source, 0)),
                    titles.get(entry.source, entry.source),
                    named(".".join(part for part in (entry.table, entry.field) if part)),
                ]
                for entry in ranked[:_MOST_REASONS]
            ],
            class_="cards",
        ),
        tag("p", f"{counted(len(rest), 'further reason')} in {counted(others, 'row')}.", class_="aside")
        if rest
        else None,
    )


def _set_aside(facts: ReportFacts) -> Html | None:
    if not facts.set_aside:
        return None
    titles = {source.name: source.title for source in facts.sources}

    def row(entry: SetAside) -> list[Child]:
        return [
            _REASONS.get(entry.reason, spoken(entry.reason)),
            protect(entry.rows, facts.policy).text,
            titles.get(entry.source, entry.source),
        ]

    return tag(
        "div",
        tag("h3", "Rows that became no row of the release"),
        tag(
            "p",
            "They are sound as rows, but what they say cannot be placed in a life, or is denied by the source itself.",
        ),
        table(
            "Landed rows without a row in the release, by reason",
            [Column(title="Reason"), Column(title="Rows", style="n"), Column(title="Source")],
            [
                row(entry)
                for entry in sorted(facts.set_aside, key=lambda entry: (-entry.rows, entry.source, entry.reason))
            ],
            class_="cards",
        ),
    )


def spoken_reason(reason: str) -> str:
    """A reason as a sentence begins, otherwise as the source's check wrote it."""
    return reason[:1].upper() + reason[1:]


def _notes(facts: ReportFacts) -> Html | None:
    if facts.notes_withheld is None:
        return None
    return tag(
        "div",
        tag("h3", "Notes"),
        tag(
            "p",
            f"{counted(facts.notes_withheld, 'free-text note')} were received. Notes stay out of every release until "
            "they have been de-identified; this release has none of their text.",
        ),
    )
