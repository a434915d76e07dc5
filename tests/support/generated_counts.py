"""Made-up counts of a release that agree with each other: lines and what became of them, rows by source, codes, linkage, kinds; many of them few."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import Any

from fairhaven.pages.release.labels import STEPS
from fairhaven.release.facts import LinkageSummary, MappingRule, QuarantinedRows, ReleaseFacts, RowFlow, RuleOutcome
from fairhaven.release.row_counts import SourceRows, UnmappedRows
from tests.support.release_counts import SOURCES, linkage, manifest, row_flow
from tests.support.release_page_figures import FATES

_MADE = ("death", "measurement", "observation", "visit_occurrence")
_REASONS = ("no date", "another death of the person", "no person", "not taken")
_JOINED = "one with another row"
_TITLES = {source.name: source.title for source in SOURCES}


@dataclass(frozen=True, kw_only=True)
class GeneratedCounts:
    """Facts of a release and what is counted in it, as `release_counts.report` takes them."""

    facts: ReleaseFacts
    links: tuple[SourceRows, ...]
    unmapped: tuple[UnmappedRows, ...]
    quarantine: tuple[QuarantinedRows, ...]
    kinds: Mapping[frozenset[str], int]
    persons: int

    def given(self) -> dict[str, Any]:
        """Arguments of `report`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def truth(self) -> dict[Hashable, int]:
        """Figures by the names of `ReleasePageFigures`, as far as these are known."""
        found: dict[Hashable, int] = {("persons",): self.persons, ("linked persons",): self.persons}
        sums: dict[Hashable, int] = {}
        for flow in self.facts.row_flow:
            source = _TITLES[flow.source]
            of = {words: getattr(flow, fate) for fate, words in FATES.items()}
            found |= {(source, flow.table, words): rows for words, rows in of.items()}
            found |= {(source, flow.table, "landed"): flow.landed, (source, flow.table, "received"): flow.received}
            for words, rows in of.items():
                together = ("withdrawn", "replaced") if words in ("withdrawn", "replaced") else (words,)
                for name in ((source, *together), ("all", words)):
                    sums[name] = sums.get(name, 0) + rows
        found |= sums
        known = self.facts.linkage
        found |= {("step", STEPS[step]): records for step, records in known.steps.items()}
        found |= {
            ("known to", f"{number} source" + "s" * (number > 1)): persons
            for number, persons in known.persons_by_sources.items()
        }
        found["records",] = known.patients
        for link in self.links:
            place = (link.cdm_table, _TITLES[link.source])
            found |= {(*place, "rows"): link.rows, (*place, "unmapped"): link.unmapped}
        for row in self.quarantine:
            found[_TITLES[row.source], f"{row.table}.{row.field}", row.reason.capitalize()] = row.rows
        return found


def generated_counts(random: Random) -> GeneratedCounts:
    """A release of one to four sources, with tables of some lines to some thousand."""
    scale = random.choice([30, 200, 2_000])

    def some() -> int:
        return random.choice([0, 0, 0, random.randint(1, 9), random.randint(10, 30), random.randint(1, scale)])

    flows: list[RowFlow] = []
    rules: list[MappingRule] = []
    outcomes: list[RuleOutcome] = []
    made: dict[tuple[str, str], int] = {}
    for source in random.sample(SOURCES, random.randint(1, 4)):
        for table in random.sample("abc", random.randint(1, 3)):
            came = {cdm: random.randint(1, scale) for cdm in random.sample(_MADE, random.randint(1, 2))}
            for cdm, rows in came.items():
                made[source.name, cdm] = made.get((source.name, cdm), 0) + rows
            came |= {why: rows for why in random.sample(_REASONS, random.randint(0, 2)) if (rows := some())}
            if random.random() < 0.3:
                came[_JOINED] = some()
            rule = MappingRule(
                number=len(rules) + 1, name="rule", source=source.name, table=table, file="m.toml:1", target="event"
            )
            rules.append(rule)
            outcomes += [
                RuleOutcome(rule=rule.number, source=source.name, table=table, outcome=outcome, rows=rows)
                for outcome, rows in came.items()
            ]
            in_use = sum(came.values()) + (some() if random.random() < 0.2 else 0)
            lost = [some() for _ in range(4)]
            flows.append(
                row_flow(
                    source.name,
                    table,
                    received=in_use + sum(lost),
                    quarantined=lost[0],
                    opted_out=lost[1],
                    withdrawn=lost[2],
                    superseded=lost[3],
                )
            )
    found = _linkage(random, some)
    links = tuple(
        SourceRows(source=source, cdm_table=cdm, rows=rows, unmapped=min(rows, some()))
        for (source, cdm), rows in made.items()
    )
    return GeneratedCounts(
        facts=manifest(
            row_flow=tuple(flows), rules=tuple(rules), rule_outcomes=tuple(outcomes), linkage=found, opt_outs=()
        ),
        links=links,
        unmapped=tuple(row for link in links for row in _codes(random, link)),
        quarantine=tuple(row for flow in flows for row in _reasons(random, flow)),
        kinds=_kinds(some, found.persons),
        persons=found.persons,
    )


def _linkage(random: Random, some: Any) -> LinkageSummary:
    """Persons of whom no source has two records."""
    by_sources = {number: max(1, some()) for number in range(1, random.randint(2, 5))}
    patients = sum(number * persons for number, persons in by_sources.items())
    steps, left = {"alone": by_sources[1]}, patients - by_sources[1]
    for step in ("nhs_number", "splink"):
        if records := min(left, some()):
            steps[step], left = records, left - records
    return linkage(
        patients=patients,
        persons=sum(by_sources.values()),
        steps=steps | ({"name-birth-postcode": left} if left else {}),
        persons_by_sources=by_sources,
        sources={source.name: 30 for source in SOURCES},
    )


def _codes(random: Random, link: SourceRows) -> list[UnmappedRows]:
    listed = random.randint(0, link.unmapped)
    return [
        UnmappedRows(source=link.source, cdm_table=link.cdm_table, code=code, rows=rows, persons=rows)
        for code, rows in (("CODE", listed), (None, link.unmapped - listed))
        if rows and listed
    ]


def _reasons(random: Random, flow: RowFlow) -> list[QuarantinedRows]:
    first = random.randint(0, flow.quarantined)
    return [
        QuarantinedRows(source=flow.source, table=flow.table, field="x", reason=reason, rows=rows)
        for reason, rows in (("bad date", first), ("bad code", flow.quarantined - first))
        if rows
    ]


def _kinds(some: Any, persons: int) -> Mapping[frozenset[str], int]:
    found: dict[frozenset[str], int] = {}
    for kinds in (["gp"], ["hospital"], ["gp", "hospital"]):
        if count := min(some(), persons - sum(found.values())):
            found[frozenset(kinds)] = count
    return found
