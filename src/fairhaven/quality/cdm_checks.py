"""Checks that follow from the CDM's own definition, for hubs without threshold files.

They bear DQD's names where DQD has the same check. Three kinds are further ones: `withinObservationPeriod` (a record in
none of its person's observation periods), `textLength` (longer than the CDM's varchar) and `identifierSize` (2^53 and
above, which R cannot hold). Of vocabulary tables only the presence is checked: their content is its publisher's matter.
"""

from collections.abc import Iterator
from functools import cache, partial

from fairhaven.omop.cdm import CDM, Field, Table
from fairhaven.quality.model import QualityCheck, Severity
from fairhaven.quality.row_checks import paired_source_value

NAME = "CDM 5.4"
_EARLIEST = "'18500101'"
_BIRTH_BOUNDS = {
    "year_of_birth": ("1850", "YEAR(GETDATE())+1"),
    "month_of_birth": ("1", "12"),
    "day_of_birth": ("1", "31"),
}
_TOMORROW = "DATEADD(dd,1,GETDATE())"
_FATAL, _CONVENTION, _CHARACTER = Severity.FATAL, Severity.CONVENTION, Severity.CHARACTERIZATION
_NO_LIFE = ("person", "death", "cdm_source", "metadata", "note_nlp")
_VISITED = (
    "condition_occurrence",
    "device_exposure",
    "drug_exposure",
    "measurement",
    "note",
    "observation",
    "procedure_occurrence",
    "visit_detail",
)


@cache
def defined_checks() -> tuple[QualityCheck, ...]:
    """Every check that the definition of CDM 5.4 gives rise to."""
    return tuple(check for table in CDM.values() if table.schema != "RESULTS" for check in _of_table(table))


def _of_table(table: Table) -> Iterator[QualityCheck]:
    yield _check(table, "cdmTable", _FATAL, "the table is there")
    if table.has_person and table.name != "person":
        needed = table.name == "observation_period"
        yield _check(
            table,
            "measurePersonCompleteness",
            _CONVENTION if needed else _CHARACTER,
            f"persons have a record in {table.name}",
            threshold=0 if needed else 100,
        )
    if table.name == "condition_era":
        yield _check(table, "measureConditionEraCompleteness", _CONVENTION, "persons with conditions have eras")
    if table.name == "observation_period":
        yield _check(table, "measureObservationPeriodOverlap", _FATAL, "observation periods of a person stand apart")
    for field in table.fields:
        yield from _of_field(table, field)


def _of_field(table: Table, field: Field) -> Iterator[QualityCheck]:
    check = partial(_check, table, field=field.name)
    yield check("cdmField", _FATAL, "the field is there")
    if table.schema == "VOCAB":
        return
    if field.is_required:
        yield check("isRequired", _FATAL, "the field is filled in every row")
    yield check("measureValueCompleteness", _CHARACTER, "the field is filled", threshold=100)
    if field.type == "integer":
        yield check("cdmDatatype", _FATAL, "values are whole numbers", cdmDatatype="integer")
    if field.is_primary_key:
        yield check("isPrimaryKey", _FATAL, "no two rows have the same key")
    if field.fk_table:
        key = CDM[field.fk_table].primary_key or f"{field.fk_table}_id"
        yield check(
            "isForeignKey", _FATAL, f"the {field.fk_table} is there", fkTableName=field.fk_table, fkFieldName=key
        )
    if field.is_concept and field.fk_domain:
        yield check("fkDomain", _CONVENTION, f"concepts are of the domain {field.fk_domain}", fkDomain=field.fk_domain)
    if field.is_concept and field.fk_class:
        yield check("fkClass", _CONVENTION, f"concepts are of the class {field.fk_class}", fkClass=field.fk_class)
    yield from _of_clinical_field(table, field)
    if (length := field.length) is not None:
        yield check("textLength", _CONVENTION, f"texts have at most {length} characters")
    if field.dtype == "int64":
        yield check("identifierSize", _FATAL, "identifiers are below 2^53")


def _of_clinical_field(table: Table, field: Field) -> Iterator[QualityCheck]:
    check = partial(_check, table, field=field.name)
    if field.is_concept and "source_concept" not in field.name:
        yield check("isStandardValidConcept", _CONVENTION, "concepts are standard and valid")
        yield check(
            "standardConceptRecordCompleteness", _CONVENTION, "rows have a concept", threshold=_unmapped(table, field)
        )
    elif field.is_concept:
        yield check("sourceConceptRecordCompleteness", _CHARACTER, "rows have a source concept", threshold=100)
    if concept := _concept_of(table, field):
        yield check(
            "sourceValueCompleteness",
            _CONVENTION,
            "source values have a concept",
            threshold=10 if field.name == table.source_value else 100,
            standardConceptFieldName=concept,
        )
    if field.type in ("date", "datetime"):
        yield from _of_date(table, field)
    if table.has_person and field.name == table.date and table.name in _VISITED:
        yield check("withinVisitDates", _CHARACTER, "records lie within a week of their visit", threshold=5)
    if (
        table.has_person
        and field.name == table.date
        and table.date
        and table.name not in (*_NO_LIFE, "observation_period")
    ):
        yield check("withinObservationPeriod", _CHARACTER, "records lie in an observation period", threshold=1)
    if field.name in _BIRTH_BOUNDS:
        low, high = _BIRTH_BOUNDS[field.name]
        yield check("plausibleValueLow", _CHARACTER, f"values are {low} or more", plausibleValueLow=low)
        yield check("plausibleValueHigh", _CHARACTER, f"values are {high} or less", plausibleValueHigh=high)


def _of_date(table: Table, field: Field) -> Iterator[QualityCheck]:
    check = partial(_check, table, severity=_CHARACTER, field=field.name, threshold=1)
    kind = field.type
    yield check("plausibleValueLow", words="dates are not before 1850", plausibleValueLow=_EARLIEST, cdmDatatype=kind)
    yield check(
        "plausibleValueHigh", words="dates are not in the future", plausibleValueHigh=_TOMORROW, cdmDatatype=kind
    )
    end = field.name.replace("_start_", "_end_")
    if end != field.name and end in table.names:
        yield check("plausibleStartBeforeEnd", words="starts are not after ends", plausibleStartBeforeEndFieldName=end)
    if table.has_person and table.name not in ("person",) and field.name != "birth_datetime":
        yield check("plausibleAfterBirth", words="dates are not before birth")
        if table.name not in _NO_LIFE:
            yield check("plausibleBeforeDeath", words="dates are at most 60 days after death")


def _unmapped(table: Table, field: Field) -> float:
    """Greatest share of rows without a concept: none for types, 5 % for what a row is, any for the rest."""
    if field.name.endswith("_type_concept_id"):
        return 0
    return 5 if field.name == table.concept else 100


def _concept_of(table: Table, field: Field) -> str:
    """The standard concept that a source value belongs to; empty for none."""
    if not field.name.endswith("_source_value"):
        return ""
    name = field.name.replace("_source_value", "_concept_id")
    if name in table.names:
        return name
    return next((concept for concept in table.names if paired_source_value(table.name, concept) == field.name), "")


_KAHN = {
    "measurePersonCompleteness": ("Validation", "Completeness", ""),
    "measureConditionEraCompleteness": ("Validation", "Completeness", ""),
    "measureObservationPeriodOverlap": ("Verification", "Plausibility", "Temporal"),
    "isRequired": ("Validation", "Conformance", "Relational"),
    "cdmDatatype": ("Verification", "Conformance", "Value"),
    "fkDomain": ("Verification", "Conformance", "Value"),
    "fkClass": ("Verification", "Conformance", "Computational"),
    "isStandardValidConcept": ("Verification", "Conformance", "Value"),
    "textLength": ("Verification", "Conformance", "Value"),
    "identifierSize": ("Verification", "Conformance", "Value"),
    "measureValueCompleteness": ("Verification", "Completeness", ""),
    "standardConceptRecordCompleteness": ("Verification", "Completeness", ""),
    "sourceConceptRecordCompleteness": ("Verification", "Completeness", ""),
    "sourceValueCompleteness": ("Verification", "Completeness", ""),
    "plausibleValueLow": ("Verification", "Plausibility", "Atemporal"),
    "plausibleValueHigh": ("Verification", "Plausibility", "Atemporal"),
    "plausibleStartBeforeEnd": ("Verification", "Plausibility", "Temporal"),
    "plausibleAfterBirth": ("Verification", "Plausibility", "Temporal"),
    "plausibleBeforeDeath": ("Verification", "Plausibility", "Temporal"),
    "withinVisitDates": ("Verification", "Plausibility", "Temporal"),
    "withinObservationPeriod": ("Verification", "Plausibility", "Temporal"),
}


def _check(
    table: Table,
    kind: str,
    severity: Severity,
    words: str,
    *,
    field: str = "",
    threshold: float = 0,
    **settings: str,
) -> QualityCheck:
    context, category, subcategory = _KAHN.get(kind, ("Verification", "Conformance", "Relational"))
    place = f"{table.name}.{field}" if field else table.name
    return QualityCheck(
        kind=kind,
        level="FIELD" if field else "TABLE",
        table=table.name,
        field=field,
        severity=severity,
        threshold=threshold,
        context=context,
        category=category,
        subcategory=subcategory,
        description=f"{place}: {words}",
        settings=settings,
    )
