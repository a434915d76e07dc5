"""Section: the way of the rows, from each source to each table of the release."""

from collections.abc import Sequence

from fairhaven.catalogue.report.facts import Flow, ReportFacts, Source
from fairhaven.catalogue.report.html import Html, join, tag
from fairhaven.catalogue.report.layout import Column, Section, folded, key, table
from fairhaven.catalogue.report.sankey import sankey
from fairhaven.catalogue.report.streams import NARROW, WIDE, Stream
from fairhaven.catalogue.report.words import counted, kind_class, kind_name, kind_order, share, whole


def flow_section(facts: ReportFacts) -> Section | None:
    """The flow picture with its figures, None where no flow is known."""
    if not facts.flows:
        return None
    sources = _in_order(facts)
    streams = [_stream(facts, source) for source in sources]
    unmapped: dict[str, int] = {}
    for link in facts.links:
        unmapped[link.cdm_table] = unmapped.get(link.cdm_table, 0) + link.unmapped
    kinds = sorted({source.kind for source in sources}, key=kind_order)
    return Section(
        id="flow",
        title="From extract to release",
        short="Flow",
        lead=_lead(facts, streams),
        body=join(
            tag(
                "figure",
                sankey(streams, unmapped, layout=WIDE),
                sankey(streams, unmapped, layout=NARROW),
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
            folded("The figures of this picture, table by table", _received(facts, sources), _written(facts, sources)),
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
        said.append(f"{whole(opted_out)} belong to people who have opted out")
    if replaced:
        said.append(f"{whole(replaced)} were taken back or replaced by a later delivery")
    made = sum(link.rows for link in facts.links)
    unmapped = sum(link.unmapped for link in facts.links)
    rest = f" The others became {counted(made, 'row')} of the release." if made else ""
    if made and unmapped:
        rest += f" Of these, {share(unmapped, made)} carry a code that has no standard concept yet."
    return "; ".join(said) + "." + rest


def _stream(facts: ReportFacts, source: Source) -> Stream:
    flows = [flow for flow in facts.flows if flow.source == source.name]
    written: dict[str, int] = {}
    for link in facts.links:
        if link.source == source.name:
            written[link.cdm_table] = written.get(link.cdm_table, 0) + link.rows
    return Stream(
        title=source.title,
        style=kind_class(source.kind),
        received=sum(flow.received for flow in flows),
        lost={
            "quarantined": sum(flow.quarantined for flow in flows),
            "opted-out": sum(flow.opted_out for flow in flows),
            "replaced": sum(flow.withdrawn + flow.superseded for flow in flows),
        },
        written=written,
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

    def cells(first: str, second: str, some: Sequence[Flow]) -> list[str]:
        return [
            first,
            second,
            whole(sum(flow.received for flow in some)),
            whole(sum(flow.quarantined for flow in some)),
            whole(sum(flow.opted_out for flow in some)),
            whole(sum(flow.landed for flow in some)),
            whole(sum(flow.withdrawn for flow in some)),
            whole(sum(flow.superseded for flow in some)),
            whole(sum(flow.current for flow in some)),
        ]

    columns = ["Received", "Quarantined", "Opted out", "Landed", "Withdrawn", "Replaced", "In use"]
    return table(
        "Rows received. Received is quarantined, opted out and landed together.",
        [Column(title="Source"), Column(title="Table"), *(Column(title=title, style="n") for title in columns)],
        [cells(titles[flow.source], flow.table, [flow]) for flow in flows],
        foot=cells("All", "", flows),
        is_caption_shown=True,
        class_="cards",
    )


def _written(facts: ReportFacts, sources: Sequence[Source]) -> Html | None:
    if not facts.links:
        return None
    titles = {source.name: source.title for source in (*facts.sources, *sources)}
    links = sorted(facts.links, key=lambda link: (link.cdm_table, titles.get(link.source, link.source)))
    rows = [
        [
            link.cdm_table,
            titles.get(link.source, link.source),
            whole(link.rows),
            whole(link.unmapped),
            share(link.unmapped, link.rows) if link.unmapped else "",
        ]
        for link in links
    ]
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
