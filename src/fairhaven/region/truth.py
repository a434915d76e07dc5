"""The truth: who is who, what happened, and what a release must make of it. Nothing but tests reads it.

Files (Parquet, one for each block of persons):

- ``people/``: `person, source, patient, nhs_number, true_nhs_number, given_name, family_name, birth_date, true_birth_date, sex, postcode,
  address, ethnicity, errors (list), delivery, is_second` - each record as its source sent it, with the names of its errors. `person` is who it is;
- ``facts/``: `person, source, table_name, row_id, field, kind, vocabulary_id, code, cdm_table, concept_id, date, end_date, value,
  unit, unit_concept_id, from_delivery, until_delivery, is_expected` - a row for each fact and expected concept. In release n are those with
  `from_delivery <= n < until_delivery`. `row_id` is the source's own key. `concept_id` is 0 for a code that nothing maps; `cdm_table` is then
  NULL, because where such a row goes is for the mapping to say. `is_expected` is false for what the source itself denies
  (entered in error, refuted, not attended);
- ``opt_outs/``: `person, kind (type_1, national), source, patient, nhs_number, delivery`: what holds when release `delivery` is built;
- ``rejects.csv``: `source, table_name, row_id, field`: the bad rows, all in the first delivery.
"""

from pathlib import Path

import duckdb

from fairhaven.engine.duckdb_connection import write_parquet
from fairhaven.region import fhir, hes, registers
from fairhaven.region.practices import PRACTICES

FIELDS_OF_FACTS = (
    "person",
    "source",
    "table_name",
    "row_id",
    "field",
    "kind",
    "vocabulary_id",
    "code",
    "cdm_table",
    "concept_id",
    "date",
    "end_date",
    "value",
    "unit",
    "unit_concept_id",
    "from_delivery",
    "until_delivery",
    "is_expected",
)
"""Columns of ``facts/``."""


def write(connection: duckdb.DuckDBPyConnection, folder: Path, *, number: int) -> None:
    """Write a block's truth; *number* names its files."""
    for name, query in (("people", _PEOPLE), ("facts", _FACTS), ("opt_outs", _OPT_OUTS)):
        path = folder / name / f"{number:04d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(connection, query, path)


def write_rejects(folder: Path, *, are_there: bool) -> None:
    """Write down the bad rows; a region of very few people has none, because they would be most of a file."""
    rows = [
        *(
            (f"gp_{practice.name}", "events", line.partition(",")[0], field)
            for practice in PRACTICES
            for line, field in practice.bad_events
        ),
        (hes.SOURCE, "apc", *hes.BAD_EPISODE),
        *((fhir.SOURCE, "condition", "", "") for _ in fhir.BAD_LINES),
        (registers.COUNCIL, "events", *registers.BAD_COUNCIL_ROW),
        (registers.REGISTRAR, "deaths", *registers.BAD_DEATH_ROW),
    ]
    lines = [",".join(row) for row in rows] if are_there else []
    text = "".join(f"{line}\n" for line in ("source,table_name,row_id,field", *lines))
    (folder / "rejects.csv").write_text(text, encoding="utf-8")


_PEOPLE = """
SELECT r.person, source, patient, r.nhs_number, p.nhs_number AS true_nhs_number, r.given_name, r.family_name, r.birth_date,
  p.birth_date AS true_birth_date, r.sex, r.postcode, r.address, r.ethnicity, errors, delivery, is_second
FROM record r JOIN person p USING (person) ORDER BY r.person, source, is_second"""

_MAPPED = """
-- Targets of the classifications' codes; an unmapped code has one row with concept 0.
SELECT c.*, coalesce(m.target_concept_id::INT, 0) AS target
FROM coded c
LEFT JOIN (
  SELECT 'diagnosis' AS part, source_code, target_concept_id FROM icd10
  UNION ALL SELECT 'operation', source_code, target_concept_id FROM opcs4) m
ON m.part = c.part AND m.source_code = c.code
WHERE c.route = 'hes'"""

_FACTS = f"""
WITH mapped AS ({_MAPPED}),
gp AS (
  SELECT person, ['gp_riverside', 'gp_parkview', 'gp_stmarys'][practice] AS source, route AS table_name, fact::VARCHAR AS row_id,
    'code' AS field, * EXCLUDE (person, fact, route) REPLACE (CASE concept_id WHEN 0 THEN NULL ELSE cdm_table END AS cdm_table)
  FROM fact WHERE route IN ('events', 'medications')),
south AS (
  SELECT person, 'south_trust_fhir' AS source,
    CASE kind WHEN 'condition' THEN 'condition' WHEN 'drug' THEN 'medication_request' WHEN 'procedure' THEN 'procedure'
      ELSE 'observation' END AS table_name,
    CASE WHEN kind = 'condition' THEN 'c' || fact WHEN kind = 'drug' THEN 'm' || fact WHEN kind = 'procedure' THEN 'r' || fact
      ELSE 'o' || coalesce(b.systolic, fact) END AS row_id,
    'code' AS field, fact.* EXCLUDE (person, fact, route)
      REPLACE (CASE concept_id WHEN 0 THEN NULL ELSE cdm_table END AS cdm_table)
  FROM fact LEFT JOIN panel b ON b.diastolic = fact.fact WHERE route = 'fhir'),
coded_once AS (SELECT * FROM gp UNION ALL BY NAME SELECT * FROM south)
SELECT person, source, table_name, row_id, field, kind, vocabulary_id, code, cdm_table, concept_id, date, end_date, value, unit,
  unit_concept_id, delivery::TINYINT AS from_delivery,
  CASE WHEN delivery = 1 AND (is_withdrawn OR (amended_value IS NOT NULL AND denied IS NULL)) THEN 2 END::TINYINT AS until_delivery,
  denied IS NULL AS is_expected
FROM coded_once
UNION ALL
SELECT person, source, table_name, row_id, field, kind, vocabulary_id, code, cdm_table, concept_id, date, end_date, amended_value,
  unit, unit_concept_id, 2, NULL, true
FROM coded_once WHERE delivery = 1 AND amended_value IS NOT NULL AND NOT is_withdrawn AND denied IS NULL
UNION ALL
SELECT person, '{hes.SOURCE}', CASE WHEN class = 'outpatient' THEN 'op' ELSE 'apc' END, key::VARCHAR,
  CASE part WHEN 'diagnosis' THEN 'DIAG_' ELSE 'OPERTN_' END || lpad(position::VARCHAR, 2, '0'), kind,
  CASE part WHEN 'diagnosis' THEN 'ICD10' ELSE 'OPCS4' END, code,
  CASE WHEN target = 0 THEN NULL WHEN part = 'diagnosis' THEN 'condition_occurrence' ELSE 'procedure_occurrence' END,
  target, date, NULL, NULL, NULL, 0, delivery, until_delivery, true
FROM mapped
UNION ALL
SELECT person, '{hes.SOURCE}', 'ec', key::VARCHAR,
  CASE part WHEN 'diagnosis' THEN 'EC_DIAGNOSIS_' ELSE 'EC_TREATMENT_' END || lpad(position::VARCHAR, 2, '0'), kind, 'SNOMED', code,
  CASE concept_id WHEN 0 THEN NULL ELSE cdm_table END, concept_id, date, NULL, NULL, NULL, 0, delivery, until_delivery, true
FROM coded WHERE route = 'emergency'
UNION ALL
SELECT person, CASE site WHEN 1 THEN '{hes.SOURCE}' ELSE '{fhir.SOURCE}' END,
  CASE site WHEN 2 THEN 'encounter' ELSE CASE class WHEN 'outpatient' THEN 'op' WHEN 'emergency' THEN 'ec' ELSE 'apc' END END,
  CASE WHEN site = 2 THEN encounter_id(person, visit)
    WHEN class IN ('ordinary', 'day case') THEN 'S' || (person::BIGINT * 65536 + visit)
    ELSE ((person::BIGINT * 65536 + visit) * 4)::VARCHAR END,
  '', 'visit', 'Visit', class, 'visit_occurrence',
  CASE WHEN class = 'ordinary' OR (class = 'day case' AND site = 1) THEN 9201 WHEN class = 'emergency' THEN 9203 ELSE 9202 END,
  start_date, end_date, NULL, NULL, 0, delivery, NULL, true
FROM visit WHERE site > 0
UNION ALL
SELECT person, '{hes.SOURCE}', 'apc', key::VARCHAR, '', 'episode', 'Visit', 'episode', 'visit_detail', 9201, start_date, end_date,
  NULL, NULL, 0, delivery, NULL, true
FROM episode
UNION ALL
SELECT person, '{hes.SOURCE}', 'op', key::VARCHAR, '', 'visit', 'Visit', 'not attended', 'visit_occurrence', 9202, start_date - 7,
  start_date - 7, NULL, NULL, 0, delivery, NULL, false
FROM appointment WHERE is_missed
UNION ALL
SELECT person, '{registers.COUNCIL}', 'events', reference::VARCHAR, 'event_type', 'social care', 'CLD',
  coalesce(service_type, event_type), NULL, 0, start_date, NULL, NULL, NULL, 0, delivery, until_delivery, true
FROM care_event
UNION ALL
SELECT person, '{registers.REGISTRAR}', 'deaths', patient_number('{registers.REGISTRAR}', person), 'underlying_cause', 'death', 'ICD10', icd10,
  'death', (SELECT min(target_concept_id::INT) FROM icd10 WHERE source_code = death.icd10), date, NULL, NULL, NULL, 0, delivery, NULL, true
FROM death
ORDER BY person, source, table_name, row_id, field, code, concept_id, from_delivery"""

_OPT_OUTS = """
SELECT person, 'national' AS kind, NULL AS source, NULL AS patient, nhs_number, n::TINYINT AS delivery
FROM person, range(1, 3) r(n) WHERE CASE n WHEN 1 THEN is_on_first_list ELSE is_on_second_list END
UNION ALL
SELECT f.person, 'type_1', k.source, k.patient, NULL, n::TINYINT
FROM range(1, 3) r(n), fact f
JOIN known_2 k ON k.person = f.person AND k.source = ['gp_riverside', 'gp_parkview', 'gp_stmarys'][f.practice]
WHERE f.code IN ('827241000000103', '827261000000102') AND f.delivery <= n
GROUP BY ALL HAVING arg_max(f.code, f.date) = '827241000000103'
ORDER BY ALL"""
