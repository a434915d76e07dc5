"""The tables and fields of the OMOP common data model 5.4.

`cdm_5_4.csv` holds the facts of OHDSI's field-level definition (github.com/OHDSI/CommonDataModel, Apache-2.0).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

import ibis
import ibis.expr.types as ir

LINEAGE = ("row_extract", "row_line", "row_rule")
"""Columns that Fairhaven adds behind the CDM's own: delivery (extract number), line or resource in it, mapping rule."""

_CLINICAL_DATE = {
    "visit_occurrence": "visit_start_date",
    "visit_detail": "visit_detail_start_date",
    "condition_occurrence": "condition_start_date",
    "drug_exposure": "drug_exposure_start_date",
    "procedure_occurrence": "procedure_date",
    "device_exposure": "device_exposure_start_date",
    "measurement": "measurement_date",
    "observation": "observation_date",
    "death": "death_date",
    "note": "note_date",
    "specimen": "specimen_date",
    "observation_period": "observation_period_start_date",
    "payer_plan_period": "payer_plan_period_start_date",
    "drug_era": "drug_era_start_date",
    "dose_era": "dose_era_start_date",
    "condition_era": "condition_era_start_date",
    "episode": "episode_start_date",
}
_PREFIX = {
    "visit_occurrence": "visit",
    "visit_detail": "visit_detail",
    "condition_occurrence": "condition",
    "drug_exposure": "drug",
    "procedure_occurrence": "procedure",
    "device_exposure": "device",
    "measurement": "measurement",
    "observation": "observation",
    "specimen": "specimen",
}

_TYPES = {"float": "float64", "date": "date", "datetime": "timestamp(6)"}

CDM_5_3_NAMES: Mapping[str, Mapping[str, str]] = {
    "visit_occurrence": {
        "admitted_from_concept_id": "admitting_source_concept_id",
        "admitted_from_source_value": "admitting_source_value",
        "discharged_to_concept_id": "discharge_to_concept_id",
        "discharged_to_source_value": "discharge_to_source_value",
    },
    "visit_detail": {
        "admitted_from_concept_id": "admitting_source_concept_id",
        "admitted_from_source_value": "admitting_source_value",
        "discharged_to_concept_id": "discharge_to_concept_id",
        "discharged_to_source_value": "discharge_to_source_value",
        "parent_visit_detail_id": "visit_detail_parent_id",
    },
}
"""Table -> field of CDM 5.4 -> what CDM 5.3 calls it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of a CDM table.

    Args:
        type: the CDM's word: ``integer``, ``float``, ``date``, ``datetime``, ``varchar(50)``.
        fk_table: table whose key this field refers to, empty for none.
        fk_domain: domain that a concept here must belong to, empty for any.
    """

    table: str
    name: str
    type: str
    is_required: bool
    is_primary_key: bool
    fk_table: str
    fk_domain: str
    fk_class: str

    @property
    def is_concept(self) -> bool:
        """True where the field refers to CONCEPT."""
        return self.fk_table == "concept"

    @property
    def dtype(self) -> str:
        """Ibis type: row identifiers are int64 (up to 2^53), concepts and other whole numbers int32."""
        if self.type != "integer":
            return _TYPES.get(self.type, "string")
        is_row_id = self.name.endswith(("_id", "_id_1", "_id_2")) and not self.is_concept and "concept" not in self.name
        return "int64" if is_row_id else "int32"

    @property
    def length(self) -> int | None:
        """Longest text in characters; None for no bound or no text."""
        inner = self.type.partition("(")[2].rstrip(")")
        return int(inner) if inner.isdigit() else None


@dataclass(frozen=True, kw_only=True)
class Table:
    """One CDM table.

    Args:
        schema: ``CDM`` for clinical and derived tables, ``VOCAB`` for the vocabulary, ``RESULTS`` for cohorts.
    """

    name: str
    schema: str
    fields: tuple[Field, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Field names in the CDM's order."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def primary_key(self) -> str:
        """The key's field, empty where the table has none (death, fact_relationship, ...)."""
        return next((field.name for field in self.fields if field.is_primary_key), "")

    @property
    def has_person(self) -> bool:
        """True where each row belongs to one person."""
        return "person_id" in self.names

    @property
    def date(self) -> str:
        """The field that says when the row happened or began, empty for none."""
        return _CLINICAL_DATE.get(self.name, "")

    @property
    def concept(self) -> str:
        """The field that says what the row is, for example ``condition_concept_id``; empty for none."""
        return f"{_PREFIX[self.name]}_concept_id" if self.name in _PREFIX else ""

    @property
    def source_value(self) -> str:
        """The field with the source's code, for example ``condition_source_value``; empty for none."""
        return f"{_PREFIX[self.name]}_source_value" if self.name in _PREFIX else ""

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def schema_of(self, *, lineage: bool = False) -> ibis.Schema:
        """The table's Ibis schema, with the lineage columns where asked."""
        columns = {field.name: field.dtype for field in self.fields}
        if lineage:
            columns |= {"row_extract": "int32", "row_line": "int64", "row_rule": "int32"}
        return ibis.schema(columns)


def _read() -> Mapping[str, Table]:
    fields: dict[str, list[Field]] = {}
    with files("fairhaven.omop").joinpath("cdm_5_4.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            fields.setdefault(row["table"], []).append(
                Field(
                    table=row["table"],
                    name=row["field"],
                    type=row["type"],
                    is_required=row["required"] == "yes",
                    is_primary_key=row["primary_key"] == "yes",
                    fk_table=row["fk_table"],
                    fk_domain=row["fk_domain"],
                    fk_class=row["fk_class"],
                )
            )
    return {name: Table(name=name, schema=_schema(name), fields=tuple(found)) for name, found in fields.items()}


VOCABULARY_TABLES = (
    "concept",
    "vocabulary",
    "domain",
    "concept_class",
    "concept_relationship",
    "relationship",
    "concept_synonym",
    "concept_ancestor",
    "source_to_concept_map",
    "drug_strength",
)


def _schema(table: str) -> str:
    if table in VOCABULARY_TABLES:
        return "VOCAB"
    return "RESULTS" if table.startswith("cohort") else "CDM"


CDM: Mapping[str, Table] = _read()
"""Every table of CDM 5.4 by name, in OHDSI's order."""


def to_cdm(expression: ir.Table, table: str) -> ir.Table:
    """Cast a table to the CDM's schema with lineage: columns in order, types right, missing ones NULL, concepts 0 where required.

    Every table boundary goes through this, because engines give other integer widths for the same expression.
    """
    columns = {}
    for name, dtype in CDM[table].schema_of(lineage=True).items():
        value = expression[name].cast(dtype) if name in expression.columns else ibis.null(dtype)
        is_needed = name in CDM[table].names and CDM[table][name].is_concept and CDM[table][name].is_required
        columns[name] = value.fill_null(ibis.literal(0, type=dtype)) if is_needed else value
    return expression.select(**columns)


def type_of(table: str, column: str) -> str:
    """Kind of type a column should have: int64, float64, date, timestamp, string; empty for a column nobody knows.

    Columns of CDM 5.3 that 5.4 no longer has are known by their names.
    """
    if table in CDM and column in CDM[table].names:
        dtype = CDM[table][column].dtype
        return "timestamp" if dtype.startswith("timestamp") else dtype.replace("int32", "int64")
    endings = {"_id": "int64", "_date": "date", "_datetime": "timestamp", "_source_value": "string"}
    return next((kind for ending, kind in endings.items() if column.endswith(ending)), "")
