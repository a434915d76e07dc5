"""The page of all components: what every page is made of, with figures that are made up."""

import datetime as dt
import re
from itertools import pairwise
from pathlib import Path

from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    DateOffset,
    Domain,
    EntryEvents,
    Events,
    Group,
    InclusionRule,
    Occurrence,
    OccurrenceType,
    Window,
)
from fairhaven.disclosure import Protected
from fairhaven.journeys.releases.release_report import CountAndShare, RowsShown, SourceFlow, TableFlow, WrittenTable
from fairhaven.pages.cohort.funnel import flow
from fairhaven.pages.cohort.timeline import timeline
from fairhaven.pages.kit.charts import columns, hatch
from fairhaven.pages.kit.look import look
from fairhaven.pages.kit.templates import environment
from fairhaven.pages.release.kind_combinations import kind_combinations
from fairhaven.pages.release.labels import KINDS, kind_class
from fairhaven.pages.release.sankey import sankey
from fairhaven.release.facts import SourceFacts

TEMPLATE = Path(__file__).with_suffix(".html.j2")
_HIDDEN = Protected(value=None, text="under 10")


def page() -> str:
    """The page as one HTML document."""
    counts = [_shown(400), _shown(301), _HIDDEN, _shown(120)]
    return (
        environment()
        .from_string(TEMPLATE.read_text(encoding="utf-8"))
        .render(
            contents=[
                ("words", "Words"),
                ("figures", "Figures"),
                ("tables", "Tables"),
                ("drawings", "Drawings"),
                ("colours", "Colours"),
            ],
            hatch=hatch("hatch", size=6, line=1.5, style="veil"),
            date=dt.date(2026, 11, 1),
            rows=_rows(),
            sankey=sankey,
            columns_drawn=columns([12, 40, None, 25, 31], "tone-1", css="columns tall"),
            steps=[(None, counts[0]), *pairwise(counts)],
            flow=flow,
            combinations=kind_combinations(
                {
                    frozenset({"gp"}): _shown(236),
                    frozenset({"gp", "hospital"}): _shown(487),
                    frozenset({"gp", "registry"}): _HIDDEN,
                }
            ),
            drawn=timeline(_definition()),
            swatches=[(kind_class(kind), words) for kind, words in KINDS.items()],
            tokens=_tokens(),
        )
    )


def _shown(count: int) -> Protected:
    return Protected(value=count, text=f"{count:,}")


def _rows() -> RowsShown:
    practice = SourceFacts(name="gp", title="Riverside Surgery, GP record", kind="gp", controller="")
    trust = SourceFacts(name="trust", title="North Trust, HES extracts", kind="hospital", controller="")
    total = TableFlow(
        source="",
        table="",
        received=_shown(1_400),
        quarantined=_shown(60),
        opted_out=_shown(90),
        landed=_shown(1_250),
        withdrawn=_shown(10),
        superseded=_shown(40),
        current=_shown(1_200),
    )
    return RowsShown(
        sources=(
            SourceFlow(
                source=practice,
                received=_shown(900),
                lost={"quarantined": _shown(20), "opted-out": _shown(90), "replaced": _shown(0)},
                in_use=_shown(790),
                written={"measurement": _shown(500), "observation": _shown(290)},
            ),
            SourceFlow(
                source=trust,
                received=_shown(500),
                lost={"quarantined": _shown(40), "opted-out": _HIDDEN, "replaced": _shown(50)},
                in_use=_HIDDEN,
                written={"visit_occurrence": _shown(600), "observation": _HIDDEN},
            ),
        ),
        by_table=(),
        total=total,
        lost={"quarantined": _shown(60), "opted-out": _shown(90), "replaced": _shown(50)},
        in_use=_shown(1_200),
        made=1_390,
        unmapped=0.1,
        tables=(
            WrittenTable(table="measurement", source="", rows=_shown(500), unmapped=_part(50, 500)),
            WrittenTable(table="observation", source="", rows=_shown(290), unmapped=_part(89, 290)),
            WrittenTable(table="visit_occurrence", source="", rows=_shown(600), unmapped=_part(0, 600)),
        ),
        written=(),
    )


def _part(count: int, whole: int) -> CountAndShare:
    return CountAndShare(count=_shown(count), share=count / whole)


def _definition() -> CohortDefinition:
    drug = ConceptSet(id="drug", name="Metformin", items=(ConceptSetItem(concept_id=1503297, name="metformin"),))
    before = Window(since=-365, until=-1)

    def rule(name: str, occurrence: Occurrence) -> InclusionRule:
        events = Events(domain=Domain.DRUG_EXPOSURE, concepts="drug")
        member = Correlated(events=events, occurrence=occurrence, start=before)
        return InclusionRule(name=name, group=Group(members=(member,)))

    return CohortDefinition(
        name="Made up",
        concept_sets=(drug,),
        entry=EntryEvents(events=(Events(domain=Domain.CONDITION_OCCURRENCE),), prior_days=365),
        rules=(
            rule("On the drug", Occurrence()),
            rule("Never on it", Occurrence(times=OccurrenceType.EXACTLY, count=0)),
            rule("At most twice", Occurrence(times=OccurrenceType.AT_MOST, count=2)),
        ),
        exit=DateOffset(days=30),
    )


def _tokens() -> list[tuple[str, str, str]]:
    """Custom properties of the sheet: name, value in the light, value in the dark where it is another."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): ([^;]+);", block))
        for block in re.findall(r":root \{(.*?)\}", look().sheet, flags=re.DOTALL)[:2]
    )
    return [(name, value, dark.get(name, "")) for name, value in light.items()]
