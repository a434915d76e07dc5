"""Which codes of published lists the columns of FHIR's tables hold: such a code names nobody, whatever anybody is called."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from fairhaven.intake.fhir.code_systems import PREFERENCE
from fairhaven.intake.fhir.element_columns import ElementColumn
from fairhaven.intake.fhir.views import VIEWS
from fairhaven.omop.concepts import GENDER, UNIT, UNIT_SPELLING

_CATEGORIES = (
    "social-history vital-signs imaging laboratory procedure survey exam therapy activity problem-list-item encounter-diagnosis "
    "health-concern inpatient outpatient community discharge LAB RAD food medication environment biologic clinical-note"
)
_PUBLISHED: Mapping[str, str] = MappingProxyType(
    {
        "class_code": (
            "AMB EMER FLD HH IMP ACUTE NONAC OBSENC PRENC SS VR "
            # Words of FHIR before v3-ActCode, which Synthea and others still write.
            "inpatient daytime outpatient ambulatory wellness emergency urgentcare virtual home snf hospice field"
        ),
        "clinical_status_code": "active recurrence relapse inactive remission resolved",
        "category": _CATEGORIES,
        "absent_code": (
            "unknown asked-unknown temp-unknown not-asked asked-declined masked not-applicable unsupported as-text error not-a-number "
            "negative-infinity positive-infinity not-performed not-permitted"
        ),
        "interpretation_code": "POS NEG DET ND IND E N A AA H HH HU L LL LU R S I IE NR RR WR SDD SYN-R SYN-S EXP UNE NS",
        "admitted_from_code": "hosp-trans emd outp born gp mp nursing psych rehab other",
        "discharged_to_code": "home alt-home other-hcf hosp long aadvice exp psy rehab snf oth",
        "physical_type_code": "si bu wi wa lvl co ro bd ve ho ca rd area jdn vi",
        "type": "allergy intolerance",
        "criticality": "low high unable-to-assess",
        "gender": "male female other unknown",
        "payor_kind": "Organization Patient RelatedPerson",
        "sex": " ".join(("other unknown", *GENDER)),
    }
)
"""Landed column -> its codes: value sets of hl7.org/fhir/R4 and terminology.hl7.org, and of v3-ActCode those of encounters."""
_CODED = ("concept", "coding")
_UNITS = (
    *UNIT,
    *UNIT_SPELLING,
    *["s", "min", "h", "d", "day", "days", "wk", "week", "weeks", "mo", "month", "months", "a", "year", "years"],
)


def listed_codes() -> dict[str, dict[str, frozenset[str]]]:
    """Table -> landed column -> codes."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    for view in (view for views in VIEWS.values() for view in views):
        columns = found.setdefault(view.table, {})
        for column in view.columns:
            columns.update((name, frozenset(codes)) for name, codes in _of(column))
    return found


def code_columns() -> dict[str, tuple[str, ...]]:
    """Table -> landed columns of codes, of whatever system."""
    return {
        view.table: tuple(
            f"{'' if column.name == 'code' else f'{column.name}_'}code{'' if number == 1 else f'_{number}'}"
            for column in view.columns
            if column.kind in _CODED
            for number in range(1, column.codings + 1)
        )
        for views in VIEWS.values()
        for view in views
    }


def _of(column: ElementColumn) -> Iterator[tuple[str, tuple[str, ...]]]:
    name = cell = column.name
    if column.kind in _CODED:
        before = "" if name == "code" else f"{name}_"
        cell = f"{before}code"
        for number in range(1, column.codings + 1):
            yield f"{before}vocabulary_id{'' if number == 1 else f'_{number}'}", tuple(PREFERENCE)
    elif column.kind == "quantity" or name.endswith("_unit"):
        yield name if name.endswith("_unit") else f"{name}_unit", _UNITS
    if codes := column.codes or tuple(_PUBLISHED.get(cell, "").split()):
        yield cell, codes
