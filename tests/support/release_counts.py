"""A made-up region that is as large and as uneven as a real one; nothing in it comes from a person."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fairhaven.archive import Change, Release, TableVersion
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.journeys.descriptions.describe import DescribedRelease
from fairhaven.journeys.releases.protected_counts import protected
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.quality import CheckResult, CheckStatus, QualityCheck, QualityReport, Scorecard, Severity
from fairhaven.quality.scorecard import Linked
from fairhaven.release.description import Bar, Description, TableDescription, Variable
from fairhaven.release.facts import (
    ExtractFacts,
    LinkageSummary,
    OptOutFacts,
    QuarantinedRows,
    ReleaseFacts,
    RowFlow,
    SourceFacts,
)
from fairhaven.release.row_counts import RowCounts, SourceRows, UnmappedRows, YearRows
from tests.support.release_facts import release_facts

HASH = "5f1c0a7be1d34c6e9ab2f07d8843c1fe7704b2a96c15d0e8f3327a41bd90ce62"

SOURCES = (
    SourceFacts(name="gp_riverside", title="Riverside Surgery, GP record", kind="gp", controller="riverside"),
    SourceFacts(name="gp_hillcrest", title="Hillcrest Practice, GP record", kind="gp", controller="hillcrest"),
    SourceFacts(name="gp_market", title="Market Street Surgery, GP record", kind="gp", controller="market"),
    SourceFacts(name="trust_north", title="North Trust, HES extracts", kind="hospital", controller="north"),
    SourceFacts(name="trust_south", title="South Trust, FHIR R4", kind="hospital", controller="south"),
    SourceFacts(name="council", title="Borough Council, adult social care", kind="social-care", controller="council"),
    SourceFacts(name="deaths", title="Civil registration of deaths", kind="registry", controller="registrar"),
)

_ROWS = {
    ("gp_riverside", "events"): 61_204,
    ("gp_riverside", "medications"): 14_870,
    ("gp_hillcrest", "events"): 48_913,
    ("gp_hillcrest", "medications"): 11_402,
    ("gp_market", "events"): 37_015,
    ("gp_market", "medications"): 9_066,
    ("trust_north", "admitted_care"): 9_241,
    ("trust_north", "outpatients"): 17_377,
    ("trust_north", "emergency"): 6_108,
    ("trust_south", "observation"): 52_004,
    ("trust_south", "encounter"): 14_127,
    ("trust_south", "condition"): 8_730,
    ("council", "services"): 5_118,
    ("deaths", "deaths"): 204,
}
_WRITTEN = {
    "gp_riverside": {
        "measurement": 38_412,
        "condition_occurrence": 9_114,
        "observation": 9_903,
        "drug_exposure": 14_620,
    },
    "gp_hillcrest": {
        "measurement": 30_220,
        "condition_occurrence": 7_406,
        "observation": 8_011,
        "drug_exposure": 11_107,
    },
    "gp_market": {"measurement": 23_006, "condition_occurrence": 5_512, "observation": 6_031, "drug_exposure": 8_911},
    "trust_north": {
        "visit_occurrence": 31_733,
        "visit_detail": 9_004,
        "condition_occurrence": 27_160,
        "procedure_occurrence": 16_218,
    },
    "trust_south": {
        "measurement": 41_310,
        "observation": 9_822,
        "visit_occurrence": 13_901,
        "condition_occurrence": 8_460,
        "procedure_occurrence": 2_204,
        "device_exposure": 318,
    },
    "council": {"visit_occurrence": 1_204, "observation": 3_790},
    "deaths": {"death": 178, "condition_occurrence": 402},
}
_UNMAPPED = {"measurement": 0.021, "condition_occurrence": 0.008, "observation": 0.094, "drug_exposure": 0.034}


def flows() -> tuple[RowFlow, ...]:
    """Rows received that always add up."""
    found = []
    for place, ((source, table), received) in enumerate(_ROWS.items()):
        quarantined = received * (3 + place % 5) // 1000
        opted_out = received * (11 + place % 3) // 1000 if source.startswith("gp") else received * 7 // 1000
        landed = received - quarantined - opted_out
        found.append(
            row_flow(
                source,
                table,
                received=received,
                quarantined=quarantined,
                opted_out=opted_out,
                withdrawn=landed // 400,
                superseded=landed // (25 + place),
            )
        )
    return tuple(found)


def row_flow(
    source: str,
    table: str,
    *,
    received: int,
    quarantined: int = 0,
    opted_out: int = 0,
    withdrawn: int = 0,
    superseded: int = 0,
) -> RowFlow:
    """What became of the rows of a table; those that nothing kept back are current."""
    landed = received - quarantined - opted_out
    return RowFlow(
        source=source,
        table=table,
        received=received,
        landed=landed,
        quarantined=quarantined,
        opted_out=opted_out,
        withdrawn=withdrawn,
        superseded=superseded,
        current=landed - withdrawn - superseded,
    )


def written() -> tuple[SourceRows, ...]:
    """Rows of the release by source, with those that stay unmapped."""
    return tuple(
        SourceRows(source=source, cdm_table=table, rows=rows, unmapped=round(rows * _UNMAPPED.get(table, 0)))
        for source, tables in _WRITTEN.items()
        for table, rows in tables.items()
    )


def _years() -> tuple[YearRows, ...]:
    found = []
    for place, source in enumerate(SOURCES):
        first = 1998 + 3 * place
        for year in range(first, 2027):
            swell = 1 / (1 + math.exp(-(year - first - 6) / 2.5))
            dip = 0.35 if source.name == "gp_market" and year == 2019 else 0.4 if year == 2026 else 1.0
            rows = int((900 + 350 * math.sin(place + year / 2)) * swell * dip * (7 - place))
            if source.name == "gp_hillcrest" and year == first:
                found.append(YearRows(source=source.name, year=year, rows=rows, persons=4))
            elif rows:
                found.append(YearRows(source=source.name, year=year, rows=rows, persons=max(12, rows // 9)))
    return tuple(found)


def _passed() -> tuple[CheckResult, ...]:
    made = {
        "person": (58, 12, 9),
        "observation_period": (22, 8, 6),
        "visit_occurrence": (71, 20, 14),
        "visit_detail": (66, 18, 10),
        "condition_occurrence": (64, 19, 152),
        "drug_exposure": (77, 22, 131),
        "procedure_occurrence": (60, 18, 88),
        "device_exposure": (55, 17, 4),
        "measurement": (82, 24, 410),
        "observation": (69, 21, 12),
        "death": (20, 7, 0),
    }
    return tuple(
        CheckResult(
            check=QualityCheck(
                kind="plausibleValue",
                level="TABLE",
                table=table,
                severity=Severity.FATAL,
                category=category,
                context=str(number),
            ),
            violated=0,
            denominator=100,
            status=CheckStatus.PASSED,
        )
        for table, counts in made.items()
        for category, count in zip(("Conformance", "Completeness", "Plausibility"), counts, strict=True)
        for number in range(count)
    )


def _failing() -> tuple[CheckResult, ...]:
    return (
        _failed(
            "plausibleStartBeforeEnd",
            "drug_exposure",
            "drug_exposure_end_date",
            "plausibility",
            "A drug exposure ends on or after the day it starts.",
            violated=412,
            of=34_738,
            threshold=1,
            severity=Severity.FATAL,
        ),
        _failed(
            "plausibleValueLow",
            "measurement",
            "value_as_number",
            "plausibility",
            "Body height in centimetres is 30 or more.",
            violated=96,
            of=4_118,
            threshold=0,
            severity=Severity.CONVENTION,
        ),
        _failed(
            "measureValueCompleteness",
            "drug_exposure",
            "route_concept_id",
            "completeness",
            "The route of administration is given.",
            violated=31_006,
            of=34_738,
            threshold=50,
            severity=Severity.CHARACTERIZATION,
        ),
        _failed(
            "isStandardValidConcept",
            "visit_occurrence",
            "visit_concept_id",
            "conformance",
            "Every visit has a standard concept of the Visit domain.",
            violated=3,
            of=46_838,
            threshold=0,
            severity=Severity.FATAL,
        ),
        _failed(
            "plausibleBeforeDeath",
            "condition_occurrence",
            "condition_start_date",
            "plausibility",
            "No condition is recorded more than 60 days after death.",
            violated=58,
            of=58_054,
            threshold=0.05,
            severity=Severity.CONVENTION,
        ),
        _failed(
            "withinVisitDates",
            "procedure_occurrence",
            "procedure_date",
            "plausibility",
            "A procedure falls within its visit, give or take seven days.",
            violated=240,
            of=18_422,
            threshold=5,
            severity=Severity.CONVENTION,
        ),
    )


def _failed(
    kind: str,
    table: str,
    field: str,
    category: str,
    words: str,
    *,
    violated: int,
    of: int,
    threshold: float,
    severity: Severity,
) -> CheckResult:
    check = QualityCheck(
        kind=kind,
        level="FIELD",
        table=table,
        field=field,
        severity=severity,
        category=category,
        description=words,
        threshold=threshold,
    )
    return CheckResult(check=check, violated=violated, denominator=of, status=CheckStatus.FAILED)


def quality() -> QualityReport:
    """Many checks that passed and a few that failed."""
    results = (*_passed(), *_failing())
    return QualityReport(
        as_of=dt.date(2026, 11, 1),
        checked_against="CDM 5.4",
        rows={result.check.table: 1_000 for result in results},
        results=results,
    )


def description() -> Description:
    """A table with a concept, a date that hides one year, and a variable that is never filled."""
    name = Variable(
        name="condition_concept_id",
        kind="concept",
        type="integer",
        is_required=True,
        missing=0,
        missing_share=0.0,
        distinct=31,
        bars=(Bar(label="Essential hypertension", code="320128", rows=4_321, persons=512),),
        others=777,
    )
    year = Variable(
        name="condition_start_date",
        kind="date",
        type="date",
        is_required=True,
        missing=None,
        missing_share=0.0,
        lowest=1999,
        highest=2001,
        bars=(
            Bar(label="1999", code="", rows=1_500, persons=300),
            Bar(label="2000", code="", rows=None, persons=None),
            Bar(label="2001", code="", rows=3_600, persons=400),
        ),
    )
    never = replace(name, name="stop_reason", kind="category", missing=5_100, missing_share=1.0, bars=(), others=None)
    table = TableDescription(
        name="condition_occurrence",
        rows=5_100,
        persons=640,
        first_year=1999,
        last_year=2001,
        variables=(name, year, never),
    )
    return Description(policy="ons", persons=1_094, first_year=1999, last_year=2001, tables=(table,))


def manifest(**changes: Any) -> ReleaseFacts:
    """What the manifest of the whole region's release says, with *changes*."""
    made = {
        "vocabulary": "v5.0 29-AUG-26",
        "code_version": "fairhaven 0.1.0",
        "sources": SOURCES,
        "row_flow": flows(),
        "linkage": linkage(
            patients=3_642,
            persons=1_094,
            steps={"nhs_number": 2_931, "name-birth-postcode": 388, "splink": 214, "alone": 109},
            persons_by_sources={1: 148, 2: 287, 3: 341, 4: 243, 5: 68, 6: 7},
            clerical=23,
            merges=12,
            splits=3,
        ),
        "opt_outs": (
            OptOutFacts(source="gp_riverside", kind="type-1", patients=19),
            OptOutFacts(source="gp_hillcrest", kind="type-1", patients=6),
            OptOutFacts(source="trust_north", kind="national", patients=37, list_date=dt.date(2026, 10, 20)),
            OptOutFacts(source="trust_south", kind="national", patients=44, list_date=dt.date(2026, 10, 20)),
        ),
        "extracts": tuple(
            ExtractFacts(
                number=number,
                source=source.name,
                file=f"{source.name}_{month}.csv",
                delivery=month,
                received_on=dt.date(2026, 9 + month, 3 + number % 5),
                rows=4_000 * number + 311 * month,
                sha256=f"{number * 7919 + month:064x}"[::-1],
                dropped=("home_phone", "next_of_kin") if source.kind == "gp" and month == 1 else (),
            )
            for month in (1, 2)
            for number, source in enumerate(SOURCES, start=1 if month == 1 else 8)
        ),
    }
    return release_facts(**{**made, **changes})


def linkage(**found: Any) -> LinkageSummary:
    """What came of a linkage: counts given, the others 0."""
    return replace(release_facts().linkage, **found)


_NOT_DESCRIBED = Description(policy="ons", persons=None, first_year=None, last_year=None, tables=())
# Of a source and table not more rows than `written` says are unmapped.
_CODES = tuple(
    UnmappedRows(source=source, cdm_table=table, code=code, rows=rows, persons=n)
    for source, table, code, rows, n in (
        ("gp_riverside", "observation", "RIV_SMK_2", 804, 388),
        ("trust_south", "measurement", "K+_POC", 412, 214),
        ("gp_hillcrest", "observation", "9Nu5.", 611, 240),
        ("gp_market", "drug_exposure", "39113711000001105", 209, 61),
        ("gp_market", "observation", "MKT_FRAIL", 240, 44),
        ("council", "observation", "ST_REABLE_2", 118, 37),
        ("trust_north", "condition_occurrence", "U99.X", 46, 31),
        ("trust_south", "measurement", "RARE_ASSAY_7", 400, 2),
    )
)
_KINDS = {
    frozenset({"gp", "hospital"}): 487,
    frozenset({"gp"}): 236,
    frozenset({"gp", "hospital", "social-care"}): 142,
    frozenset({"gp", "hospital", "registry"}): 91,
    frozenset({"gp", "social-care"}): 52,
    frozenset({"hospital"}): 41,
    frozenset({"gp", "hospital", "social-care", "registry"}): 27,
    frozenset({"gp", "registry"}): 14,
    frozenset({"social-care"}): 4,
}
_QUARANTINE = (
    QuarantinedRows(
        source="trust_north",
        table="admitted_care",
        field="epistart",
        reason="the date does not exist",
        rows=31,
    ),
    QuarantinedRows(
        source="gp_riverside",
        table="events",
        field="event_date",
        reason="the date is later than the delivery",
        rows=164,
    ),
    QuarantinedRows(source="gp_market", table="events", field="value", reason="the value is not a number", rows=207),
    QuarantinedRows(
        source="trust_south",
        table="observation",
        field="",
        reason="the line is not valid JSON",
        rows=9,
    ),
)
_CHANGES = {
    "person": (Change(added=21, changed=112, gone=28), 1_094),
    "visit_occurrence": (Change(added=5_120, changed=641, gone=286), 46_838),
    "condition_occurrence": (Change(added=7_301, changed=1_022, gone=365), 58_054),
    "drug_exposure": (Change(added=3_011, changed=94, gone=177), 34_738),
    "measurement": (Change(added=15_410, changed=2_212, gone=682), 132_948),
    "observation": (Change(added=2_870, changed=401, gone=314), 37_557),
    "procedure_occurrence": (Change(added=2_101, changed=12, gone=83), 18_422),
    "death": (Change(added=11, changed=0, gone=3), 178),
    "device_exposure": (Change(added=0, changed=0, gone=0), 318),
}


def report(
    policy: str = "ons",
    *,
    hub: str = "Thames Valley demonstration hub",
    seal: str = HASH,
    facts: ReleaseFacts | None = None,
    kinds: Mapping[frozenset[str], int] = _KINDS,
    described: Description = _NOT_DESCRIBED,
    checked: QualityReport | None = None,
    changes: Mapping[str, tuple[Change, int]] = _CHANGES,
    quarantine: tuple[QuarantinedRows, ...] = _QUARANTINE,
    persons: int = 1_094,
    **rows: Any,
) -> ReleaseReport:
    """The whole region's release as it may be shown, with what is given instead; *rows* are those of its `RowCounts`."""
    release = _release(number=2, seal=seal, facts=facts or manifest(), persons=persons)
    counted = RowCounts(content=release.content, links=written(), years=_years(), unmapped=_CODES, notes=2_417)
    return protected(
        release,
        _described(checked or quality(), described, replace(counted, **rows), kinds),
        policy_named(policy),
        hub=hub,
        previous="r0001",
        quarantine=quarantine,
        changes=changes,
    )


def bare_report() -> ReleaseReport:
    """A release of which nothing is known but that it is there."""
    release = _release(number=1, seal="00", facts=release_facts(), persons=0)
    unchecked = replace(quality(), rows={}, results=())
    described = _described(unchecked, _NOT_DESCRIBED, RowCounts(content=release.content), {})
    return protected(release, described, policy_named("ons"), hub="Hub", changes={})


def _release(*, number: int, seal: str, facts: ReleaseFacts, persons: int) -> Release:
    table = TableVersion(name="person", rows=persons, version=1, content="", buckets=1, files=())
    return Release(
        number=number,
        as_of=dt.date(2026, 11, 1),
        tables={"person": table},
        facts=facts,
        previous="",
        salt="",
        hash=seal,
    )


def _described(
    checked: QualityReport, variables: Description, rows: RowCounts, kinds: Mapping[frozenset[str], int]
) -> DescribedRelease:
    linked = tuple(Linked(kinds=tuple(sorted(kind)), persons=persons) for kind, persons in kinds.items())
    card = Scorecard(persons=0, completeness=(), reach=(), linked=linked, records=(), pass_rates=())
    return DescribedRelease(quality=checked, scorecard=card, description=variables, row_counts=rows)
