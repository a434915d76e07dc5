"""A few rows through harmonise: what the tests of that room share."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise import (
    CodeMap,
    Harmonised,
    HubFacts,
    MappingFile,
    SourceTables,
    VocabularyTables,
    harmonise,
    local_maps,
    read_mapping,
)
from fairhaven.kernel.errors import Fault, Invalid
from fairhaven.kernel.ids import digest52
from fairhaven.kernel.toml import Document

AS_OF = dt.date(2026, 11, 21)

CONCEPTS = [
    # concept_id, name, domain, vocabulary, class, standard, code
    (317009, "Asthma", "Condition", "SNOMED", "Disorder", "S", "195967001"),
    (201826, "Type 2 diabetes mellitus", "Condition", "SNOMED", "Disorder", "S", "44054006"),
    (4193704, "Diabetes without complication", "Condition", "SNOMED", "Disorder", "S", "111552007"),
    (3004249, "Systolic blood pressure", "Measurement", "LOINC", "Clinical Observation", "S", "8480-6"),
    (4181583, "Upper gastrointestinal endoscopy", "Procedure", "SNOMED", "Procedure", "S", "76009000"),
    (1503297, "metformin", "Drug", "RxNorm", "Ingredient", "S", "6809"),
    (40163924, "metformin 500 MG Oral Tablet", "Drug", "RxNorm", "Clinical Drug", "S", "861007"),
    (4275495, "Tobacco smoking status", "Observation", "SNOMED", "Observable", "S", "229819007"),
    (4184633, "Positive", "Meas Value", "SNOMED", "Qualifier Value", "S", "10828004"),
    (4167217, "Family history of clinical finding", "Observation", "SNOMED", "Context-dependent", "S", "416471007"),
    (45548118, "Asthma, unspecified", "Condition", "ICD10", "ICD10 code", None, "J45.9"),
    (45591560, "Type 2 diabetes, ICD", "Condition", "ICD10", "ICD10 hierarchy", None, "E11"),
    (45600000, "Diabetes and asthma", "Condition", "ICD10", "ICD10 code", None, "E14.9"),
    (45600001, "Family history of diabetes", "Observation", "ICD10", "ICD10 code", None, "Z83.3"),
    (45600002, "Nothing maps from this", "Condition", "ICD10", "ICD10 code", None, "R69"),
    (8876, "millimeter mercury column", "Unit", "UCUM", "Unit", "S", "mm[Hg]"),
    (4171373, "Blood specimen", "Specimen", "SNOMED", "Specimen", "S", "119297000"),
    (4217646, "Peritoneal dialyser", "Device", "SNOMED", "Physical Object", "S", "69805005"),
]
RELATIONSHIPS = [
    (45548118, 317009, "Maps to"),
    (45591560, 201826, "Maps to"),
    (45600000, 201826, "Maps to"),
    (45600000, 317009, "Maps to"),
    (45600001, 4167217, "Maps to"),
    (45600001, 201826, "Maps to value"),
]
ANCESTORS = [(1503297, 40163924), (1503297, 1503297)]


def vocabulary_tables(engine: Engine, *, with_relationships: bool = True) -> VocabularyTables:
    """A vocabulary of a few concepts."""
    names = (
        "concept_id",
        "concept_name",
        "domain_id",
        "vocabulary_id",
        "concept_class_id",
        "standard_concept",
        "concept_code",
    )
    columns = dict(zip(names, zip(*CONCEPTS, strict=True), strict=True))
    concept = pa.table(
        {
            name: pa.array(values, pa.int32() if name == "concept_id" else pa.string())
            for name, values in columns.items()
        }
    ).append_column("invalid_reason", pa.nulls(len(CONCEPTS), pa.string()))
    if not with_relationships:
        return VocabularyTables(concept=engine.arrow(concept))
    one, two, kind = zip(*RELATIONSHIPS, strict=True)
    relationship = pa.table(
        {
            "concept_id_1": pa.array(one, pa.int32()),
            "concept_id_2": pa.array(two, pa.int32()),
            "relationship_id": list(kind),
            "invalid_reason": pa.nulls(len(kind), pa.string()),
        }
    )
    ancestors, descendants = zip(*ANCESTORS, strict=True)
    ancestor = pa.table(
        {
            "ancestor_concept_id": pa.array(ancestors, pa.int32()),
            "descendant_concept_id": pa.array(descendants, pa.int32()),
        }
    )
    return VocabularyTables(
        concept=engine.arrow(concept),
        concept_relationship=engine.arrow(relationship),
        concept_ancestor=engine.arrow(ancestor),
        version="v-test",
    )


def mapping(folder: Path, text: str, name: str = "test") -> MappingFile:
    """A mapping file from its text.

    Raises:
        Invalid: with its faults.
    """
    found, faults = mapping_and_faults(folder, text, name)
    if faults or found is None:
        raise Invalid(faults)
    return found


def mapping_and_faults(folder: Path, text: str, name: str = "test") -> tuple[MappingFile | None, list[Fault]]:
    """A mapping file and what is wrong with it."""
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    document = Document(path, f"mappings/{name}.toml")
    return read_mapping(document), document.faults


def landed(table: str, rows: Sequence[Mapping[str, Any]], *, extract: int = 1, schema: Any = None) -> pa.Table:
    """Rows as they land: with key, extract and line in front."""
    return landed_columns(table, pa.Table.from_pylist([dict(row) for row in rows], schema=schema), extract=extract)


def landed_columns(table: str, columns: pa.Table, *, extract: int = 1) -> pa.Table:
    """A table as it lands."""
    count = columns.num_rows
    lineage = {
        "row_key": pa.array([digest52(table, str(line)) for line in range(count)], pa.int64()),
        "row_extract": pa.array([extract] * count, pa.int32()),
        "row_line": pa.array([line + 2 for line in range(count)], pa.int64()),
        "row_withdrawn": pa.array([False] * count),
    }
    return pa.table(lineage | dict(zip(columns.column_names, columns.columns, strict=True)))


PEOPLE = """
[[map]]
name = "people"
from = "people"
to = "person"
[map.set]
birth_date = "birth_date"
gender = "sex"
race = "ethnicity"
postcode_district = "district"
"""
TWO_PEOPLE = [
    {"patient_ref": "p1", "birth_date": dt.date(1960, 5, 1), "sex": "2", "ethnicity": "A", "district": "CB1"},
    {"patient_ref": "p2", "birth_date": dt.date(1985, 1, 1), "sex": "1", "ethnicity": "Z", "district": "CB2"},
]


def index_of(people: Mapping[tuple[str, str], int]) -> pa.Table:
    """An index of persons from (source, patient_ref) -> person_id."""
    sources, refs = zip(*people, strict=True) if people else ((), ())
    return pa.table(
        {
            "source": pa.array(sources, pa.string()),
            "patient_ref": pa.array(refs, pa.string()),
            "person_id": pa.array(list(people.values()), pa.int64()),
        }
    )


def made(
    engine: Engine,
    rules: MappingFile | Sequence[MappingFile],
    tables: Mapping[str, pa.Table],
    *,
    people: Mapping[tuple[str, str], int] | None = None,
    vocabulary: VocabularyTables | None = None,
    local: Sequence[CodeMap] = (),
    as_of: dt.date = AS_OF,
    birth_date: str = "month",
    kind: str = "gp",
    name: str = "gp",
) -> Harmonised:
    """Harmonise the tables of one source."""
    source = SourceTables(
        name=name,
        kind=kind,
        format="delimited",
        tables={table: engine.arrow(rows) for table, rows in tables.items()},
        mapping=[rules] if isinstance(rules, MappingFile) else list(rules),
    )
    return harmonise(
        engine,
        [source],
        persons=engine.arrow(index_of(people or {(name, "p1"): 11, (name, "p2"): 12})),
        vocabulary=vocabulary or vocabulary_tables(engine),
        local=local_maps({"local.csv": local}, on=as_of),
        hub=HubFacts(name="Test hub", abbreviation="test", birth_date=birth_date),
        as_of=as_of,
    )


def rows_of(engine: Engine, found: Harmonised, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Rows of a CDM table as sorted tuples of the named columns."""
    if table not in found.tables:
        return []
    fetched = engine.fetch(found.tables[table].select(*columns)).to_pylist()
    return sorted((tuple(row[column] for column in columns) for row in fetched), key=repr)
