"""Section: the way of the rows, from each source to each table of the release."""

from collections.abc import Mapping, Sequence

from fairhaven.disclosure import Protected, protect, protect_table
from fairhaven.pages.kit.figures import counted, share, whole
from fairhaven.pages.kit.html import Html, join, tag
from fairhaven.pages.kit.layout import Column, Section, folded, key, table
from fairhaven.pages.release.facts import Flow, ReportFacts, Source
from fairhaven.pages.release.labels import kind_class, kind_name, kind_order
from fairhaven.pages.release.row_flow import NARROW, WIDE, Stream
from fairhaven.pages.release.sankey import sankey


def flow_section(facts: ReportFacts) -> Section | None:
    """The flow picture with its figures, None where no flow is known."""
    if not facts.flows:
        return None
    sources = _in_order(facts)
    told = _told(facts)
    streams = [_stream(facts, source, told) for source in sources]
    unmapped: dict[str, int] = {}
    for link in facts.links:
        unmapped[link.cdm_table] = unmapped.get(link.cdm_table, 0) + link.unmapped
    unmapped = {name: rows for name, rows in unmapped.items() if protect(rows, facts.policy).value}
    kinds = sorted({source.kind for source in sources}, key=kind_order)
    return Section(
        id="flow",
        title="From extract to release",
        short="Flow",
        lead=_lead(facts, streams),
        body=join(
            tag(
                "figure",
                sankey(streams, unmapped, policy=facts.policy, layout=WIDE),
                sankey(streams, unmapped, policy=facts.policy, layout=NARROW),
                tag(
                    "figcaption",
                    key(
                        [
                            *((kind_class(kind), kind_name(kind)) for kind in kinds),
                            ("quarantined", "Quarantined"),
                            ("opted-out", "Opted out"),
                            ("replaced", "Withdrawn or replaced"),
                            ("unmapped", "Unmapped"),
                        ]
                    ),
                ),
            ),
            folded(
                "The figures of this picture, table by table",
                _received(facts, sources),
                _written(facts, sources, told),
            ),
        ),
    )


def _lead(facts: ReportFacts, streams: Sequence[Stream]) -> str:
    received = sum(stream.received for stream in streams)
    quarantined = sum(flow.quarantined for flow in facts.flows)
    opted_out = sum(flow.opted_out for flow in facts.flows)
    replaced = sum(flow.withdrawn + flow.superseded for flow in facts.flows)
    said = [f"{counted(received, 'row')} came from {counted(len(streams), 'source')}"]
    if quarantined:
        said.append(f"{whole(quarantined)} did not fit what their source had declared and stand aside")
    if opted_out:
        said.append(f"{protect(opted_out, facts.policy).text} belong to people who have opted out")
    if replaced:
        said.append(f"{whole(replaced)} were taken back or replaced by a later delivery")
    made = sum(link.rows for link in facts.links)
    unmapped = sum(link.unmapped for link in facts.links)
    rest = f" The others became {counted(made, 'row')} of the release." if made else ""
    if made and unmapped:
        rest += f" Of these, {share(unmapped, made)} carry a code that has no standard concept yet."
    return "; ".join(said) + "." + rest


def _told(facts: ReportFacts) -> Mapping[tuple[str, str], Protected]:
    """(source, CDM table or ``opted-out``) -> rows as they may be told; a row may be all that there is of a person."""
    told: dict[tuple[str, str], Protected] = {}
    for name in dict.fromkeys(link.cdm_table for link in facts.links):
        rows = {link.source: link.rows for link in facts.links if link.cdm_table == name}
        told |= {(source, name): cell for source, cell in protect_table(rows, facts.policy).cells.items()}
    opted_out: dict[str, int] = {}
    for flow in facts.flows:
        opted_out[flow.source] = opted_out.get(flow.source, 0) + flow.opted_out
    cells = protect_table(opted_out, facts.policy).cells
    return told | {(source, "opted-out"): cell for source, cell in cells.items()}


def _stream(facts: ReportFacts, source: Source, told: Mapping[tuple[str, str], Protected]) -> Stream:
    flows = [flow for flow in facts.flows if flow.source == source.name]
    written: dict[str, int] = {}
    for link in facts.links:
        if link.source == source.name:
            written[link.cdm_table] = written.get(link.cdm_table, 0) + link.rows
    lost = {
        "quarantined": sum(flow.quarantined for flow in flows),
        "opted-out": sum(flow.opted_out for flow in flows),
        "replaced": sum(flow.withdrawn + flow.superseded for flow in flows),
    }
    return Stream(
        title=source.title,
        style=kind_class(source.kind),
        received=sum(flow.received for flow in flows),
        lost=lost,
        written=written,
        told={reason: whole(rows) for reason, rows in lost.items()}
        | {
            name: "a hidden number of" if cell.is_hidden else cell.text
            for (of, name), cell in told.items()
            if of == source.name
        },
    )


def _in_order(facts: ReportFacts) -> list[Source]:
    """Sources that have rows, by kind and then as the hub lists them; one that only a flow names counts too."""
    known = {source.name: source for source in facts.sources}
    named = dict.fromkeys([*known, *(flow.source for flow in facts.flows)])
    delivered = {flow.source for flow in facts.flows}
    found = [known.get(name, Source(name=name, title=name, kind="cdm")) for name in named if name in delivered]
    return sorted(found, key=lambda source: kind_order(source.kind))


def _received(facts: ReportFacts, sources: Sequence[Source]) -> Html:
    rank = {source.name: place for place, source in enumerate(sources)}
    flows = sorted(facts.flows, key=lambda flow: (rank[flow.source], flow.table))
    titles = {source.name: source.title for source in sources}

    opted_out = protect_table({place: flow.opted_out for place, flow in enumerate(flows)}, facts.policy).cells

    def cells(first: str, second: str, some: Sequence[Flow], opted_out: Protected) -> list[str]:
        # Landed and in use would tell by difference how many rows the opt-outs took.
        secret = "not shown" if opted_out.is_hidden else ""
        return [
            first,
            second,
            whole(sum(flow.received for flow in some)),
            whole(sum(flow.quarantined for flow in some)),
            opted_out.text,
            secret or whole(sum(flow.landed for flow in some)),
            whole(sum(flow.withdrawn for flow in some)),
            whole(sum(flow.superseded for flow in some)),
            secret or whole(sum(flow.current for flow in some)),
        ]

    columns = ["Received", "Quarantined", "Opted out", "Landed", "Withdrawn", "Replaced", "In use"]
    return table(
        "Rows received. Received is quarantined, opted out and landed together.",
        [Column(title="Source"), Column(title="Table"), *(Column(title=title, style="n") for title in columns)],
        [cells(titles[flow.source], flow.table, [flow], opted_out[place]) for place, flow in enumerate(flows)],
        foot=cells("All", "", flows, protect(sum(flow.opted_out for flow in flows), facts.policy)),
        is_caption_shown=True,
        class_="cards",
    )


def _written(facts: ReportFacts, sources: Sequence[Source], told: Mapping[tuple[str, str], Protected]) -> Html | None:
    if not facts.links:
        return None
    titles = {source.name: source.title for source in (*facts.sources, *sources)}
    links = sorted(facts.links, key=lambda link: (link.cdm_table, titles.get(link.source, link.source)))
    rows = []
    for link in links:
        written = told[link.source, link.cdm_table]
        unmapped = protect_table({"unmapped": link.unmapped, "mapped": link.rows - link.unmapped}, facts.policy).cells
        told_unmapped = written if written.is_hidden and link.unmapped else unmapped["unmapped"]
        rows.append(
            [
                link.cdm_table,
                titles.get(link.source, link.source),
                written.text,
                told_unmapped.text,
                share(told_unmapped.value, link.rows) if told_unmapped.value else "",
            ]
        )
    return table(
        "Rows written to the release.",
        [
            Column(title="Table of the release"),
            Column(title="Source"),
            Column(title="Rows", style="n"),
            Column(title="Unmapped", style="n"),
            Column(title="Share", style="n"),
        ],
        rows,
        is_caption_shown=True,
        class_="cards",
    )
