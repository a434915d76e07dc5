"""A made-up region that is as large and as uneven as a real one; nothing in it comes from a person."""

import datetime as dt
import math

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.pages.release import (
    Change,
    Check,
    Delivery,
    Flow,
    Kinds,
    Link,
    Linkage,
    OptOut,
    Quarantine,
    ReportFacts,
    Score,
    Scorecard,
    Source,
    Step,
    Unmapped,
    YearRows,
)

SOURCES = (
    Source(name="gp_riverside", title="Riverside Surgery, GP record", kind="gp", controller="riverside"),
    Source(name="gp_hillcrest", title="Hillcrest Practice, GP record", kind="gp", controller="hillcrest"),
    Source(name="gp_market", title="Market Street Surgery, GP record", kind="gp", controller="market"),
    Source(name="trust_north", title="North Trust, HES extracts", kind="hospital", controller="north"),
    Source(name="trust_south", title="South Trust, FHIR R4", kind="hospital", controller="south"),
    Source(name="council", title="Borough Council, adult social care", kind="social-care", controller="council"),
    Source(name="deaths", title="Civil registration of deaths", kind="registry", controller="registrar"),
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
        "drug_exposure": 11_207,
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
    "deaths": {"death": 198, "condition_occurrence": 402},
}
_UNMAPPED = {"measurement": 0.021, "condition_occurrence": 0.008, "observation": 0.094, "drug_exposure": 0.034}


def flows() -> tuple[Flow, ...]:
    """Rows received that always add up."""
    found = []
    for place, ((source, table), received) in enumerate(_ROWS.items()):
        quarantined = received * (3 + place % 5) // 1000
        opted_out = received * (11 + place % 3) // 1000 if source.startswith("gp") else received * 7 // 1000
        landed = received - quarantined - opted_out
        found.append(
            Flow(
                source=source,
                table=table,
                received=received,
                landed=landed,
                quarantined=quarantined,
                opted_out=opted_out,
                withdrawn=landed // 400,
                superseded=landed // (25 + place),
            )
        )
    return tuple(found)


def links() -> tuple[Link, ...]:
    """Rows written, with those that stay unmapped."""
    return tuple(
        Link(source=source, cdm_table=table, rows=rows, unmapped=round(rows * _UNMAPPED.get(table, 0)))
        for source, tables in _WRITTEN.items()
        for table, rows in tables.items()
    )


def _completeness() -> tuple[YearRows, ...]:
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


def _scores() -> tuple[Score, ...]:
    made = {
        "person": ((58, 0), (12, 0), (9, 1)),
        "observation_period": ((22, 0), (8, 0), (6, 0)),
        "visit_occurrence": ((71, 1), (20, 1), (14, 0)),
        "visit_detail": ((66, 0), (18, 3), (10, 0)),
        "condition_occurrence": ((64, 0), (19, 1), (152, 4)),
        "drug_exposure": ((77, 2), (22, 6), (131, 2)),
        "procedure_occurrence": ((60, 0), (18, 1), (88, 3)),
        "device_exposure": ((55, 0), (17, 0), (4, 0)),
        "measurement": ((82, 1), (24, 4), (410, 21)),
        "observation": ((69, 0), (21, 2), (12, 0)),
        "death": ((20, 0), (7, 0), (0, 0)),
    }
    return tuple(
        Score(category=category, table=table, passed=passed, failed=failed)
        for table, entries in made.items()
        for category, (passed, failed) in zip(("conformance", "completeness", "plausibility"), entries, strict=True)
    )


def _failing() -> tuple[Check, ...]:
    return (
        Check(
            name="plausibleStartBeforeEnd",
            table="drug_exposure",
            field="drug_exposure_end_date",
            category="plausibility",
            words="A drug exposure ends on or after the day it starts.",
            rows_failed=412,
            rows_checked=34_738,
            threshold=0.01,
        ),
        Check(
            name="plausibleValueLow",
            table="measurement",
            field="value_as_number",
            category="plausibility",
            words="Body height in centimetres is 30 or more.",
            rows_failed=96,
            rows_checked=4_118,
            level="warning",
        ),
        Check(
            name="measureValueCompleteness",
            table="drug_exposure",
            field="route_concept_id",
            category="completeness",
            words="The route of administration is given.",
            rows_failed=31_006,
            rows_checked=34_738,
            threshold=0.5,
            level="note",
        ),
        Check(
            name="isStandardValidConcept",
            table="visit_occurrence",
            field="visit_concept_id",
            category="conformance",
            words="Every visit has a standard concept of the Visit domain.",
            rows_failed=3,
            rows_checked=46_838,
        ),
        Check(
            name="plausibleBeforeDeath",
            table="condition_occurrence",
            field="condition_start_date",
            category="plausibility",
            words="No condition is recorded more than 60 days after death.",
            rows_failed=58,
            rows_checked=58_054,
            threshold=0.0005,
            level="warning",
        ),
        Check(
            name="withinVisitDates",
            table="procedure_occurrence",
            field="procedure_date",
            category="plausibility",
            words="A procedure falls within its visit, give or take seven days.",
            rows_failed=240,
            rows_checked=18_422,
            threshold=0.05,
            level="warning",
        ),
    )


def facts(**changes: object) -> ReportFacts:
    """The whole region, with *changes*."""
    made = {
        "hub": "Thames Valley demonstration hub",
        "release": "r0002",
        "as_of": dt.date(2026, 11, 1),
        "hash": "5f1c0a7be1d34c6e9ab2f07d8843c1fe7704b2a96c15d0e8f3327a41bd90ce62",
        "previous": "r0001",
        "persons": 1_094,
        "vocabulary": "v5.0 29-AUG-26",
        "code_version": "fairhaven 0.1.0",
        "sources": SOURCES,
        "flows": flows(),
        "links": links(),
        "linkage": Linkage(
            records=3_642,
            persons=1_094,
            steps=(
                Step(name="nhs_number", records=2_931),
                Step(name="name-birth-postcode", records=388),
                Step(name="splink", records=214),
                Step(name="alone", records=109),
            ),
            persons_by_sources={1: 148, 2: 287, 3: 341, 4: 243, 5: 68, 6: 7},
            clerical=23,
            merges=12,
            splits=3,
        ),
        "kinds": (
            Kinds(kinds=frozenset({"gp", "hospital"}), persons=487),
            Kinds(kinds=frozenset({"gp"}), persons=236),
            Kinds(kinds=frozenset({"gp", "hospital", "social-care"}), persons=142),
            Kinds(kinds=frozenset({"gp", "hospital", "registry"}), persons=91),
            Kinds(kinds=frozenset({"gp", "social-care"}), persons=52),
            Kinds(kinds=frozenset({"hospital"}), persons=41),
            Kinds(kinds=frozenset({"gp", "hospital", "social-care", "registry"}), persons=27),
            Kinds(kinds=frozenset({"gp", "registry"}), persons=14),
            Kinds(kinds=frozenset({"social-care"}), persons=4),
        ),
        "completeness": _completeness(),
        "scorecard": Scorecard(scores=_scores(), failing=_failing()),
        "unmapped": tuple(
            Unmapped(source=source, cdm_table=table, vocabulary=vocabulary, code=code, name=name, rows=rows, persons=n)
            for source, table, vocabulary, code, name, rows, n in (
                ("gp_riverside", "observation", "Local", "RIV_SMK_2", "Smoking status, practice template", 1_204, 388),
                ("trust_south", "measurement", "Local", "K+_POC", "Potassium, point of care", 962, 214),
                ("gp_hillcrest", "observation", "Read v2", "9Nu5.", "Consent given for call", 611, 240),
                ("gp_market", "drug_exposure", "dm+d", "39113711000001105", "", 309, 61),
                ("gp_market", "observation", "Local", "MKT_FRAIL", "Frailty template, item 3", 240, 44),
                ("council", "observation", "CLD", "ST_REABLE_2", "Reablement, second episode", 118, 37),
                ("trust_north", "condition_occurrence", "ICD-10", "U99.X", "", 46, 31),
                ("trust_south", "measurement", "Local", "RARE_ASSAY_7", "Rare assay", 400, 2),
            )
        ),
        "quarantine": (
            Quarantine(
                source="trust_north",
                table="admitted_care",
                field="epistart",
                reason="the date does not exist",
                rows=31,
            ),
            Quarantine(
                source="gp_riverside",
                table="events",
                field="event_date",
                reason="the date is later than the delivery",
                rows=164,
            ),
            Quarantine(source="gp_market", table="events", field="value", reason="the value is not a number", rows=207),
            Quarantine(
                source="trust_south",
                table="observation",
                field="",
                reason="the line is not valid JSON",
                rows=9,
            ),
        ),
        "opt_outs": (
            OptOut(source="gp_riverside", kind="type-1", persons=19, rows=833),
            OptOut(source="gp_hillcrest", kind="type-1", persons=6, rows=311),
            OptOut(source="trust_north", kind="national", persons=37, rows=229, list_date=dt.date(2026, 10, 20)),
            OptOut(source="trust_south", kind="national", persons=44, rows=524, list_date=dt.date(2026, 10, 20)),
        ),
        "changes": (
            Change(table="person", before=1_101, after=1_094, added=21, changed=112, gone=28),
            Change(table="visit_occurrence", before=42_004, after=46_838, added=5_120, changed=641, gone=286),
            Change(table="condition_occurrence", before=51_118, after=58_054, added=7_301, changed=1_022, gone=365),
            Change(table="drug_exposure", before=31_904, after=34_738, added=3_011, changed=94, gone=177),
            Change(table="measurement", before=118_220, after=132_948, added=15_410, changed=2_212, gone=682),
            Change(table="observation", before=35_001, after=37_557, added=2_870, changed=401, gone=314),
            Change(table="procedure_occurrence", before=16_404, after=18_422, added=2_101, changed=12, gone=83),
            Change(table="death", before=190, after=198, added=11, changed=0, gone=3),
            Change(table="device_exposure", before=318, after=318, added=0, changed=0, gone=0),
        ),
        "deliveries": tuple(
            Delivery(
                extract=number,
                source=source.name,
                file=f"{source.name}_{month}.csv",
                received_on=dt.date(2026, 9 + month, 3 + number % 5),
                rows=4_000 * number + 311 * month,
                sha256=f"{number * 7919 + month:064x}"[::-1],
                dropped=("home_phone", "next_of_kin") if source.kind == "gp" and month == 1 else (),
            )
            for month in (1, 2)
            for number, source in enumerate(SOURCES, start=1 if month == 1 else 8)
        ),
        "notes_withheld": 2_417,
        "policy": policy_named("ons"),
    }
    return ReportFacts(**{**made, **changes})  # type: ignore[arg-type]
