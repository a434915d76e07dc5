"""What happened to the people: visits and clinical facts of a block of persons, and who holds which.

A visit takes place in general practice or in one of two trusts; a fact goes to the one system that would record it:
vaccinations, and what a trust's extract has no field for, to the GP record; the rest of a hospital visit to the trust.
"""

import duckdb

from fairhaven.region.imperfections import RATES
from fairhaven.region.model import FIRST_EXTRACT

FACTS_A_PERSON = 8192
"""A fact's number is person * 8192 + its number within the person; the material has 2,607 at most for one."""

HOSPITAL_OUTPATIENT = 0.25
"""Share of the material's outpatient visits without an operation that take place in a hospital."""
OPTED_OUT = "827241000000103"
OPTED_IN = "827261000000102"


def block(connection: duckdb.DuckDBPyConnection) -> None:
    """Make tables ``visit`` and ``fact`` for the persons of table ``person``."""
    settings = {
        **RATES,
        "first_extract": FIRST_EXTRACT.isoformat(),
        "HOSPITAL_OUTPATIENT": HOSPITAL_OUTPATIENT,
        "FACTS": FACTS_A_PERSON,
        "OPTED_OUT": OPTED_OUT,
        "OPTED_IN": OPTED_IN,
    }
    connection.execute(_VISIT.format(**settings))
    connection.execute(_FACT.format(**settings))


PREPARE = """
CREATE TABLE operated AS SELECT DISTINCT template, visit FROM template_fact WHERE opcs4 IS NOT NULL;
CREATE TABLE measure AS SELECT code, unit, gp_unit, unit_concept_id::INT AS unit_concept_id, mean_female::DOUBLE AS mean_female,
  mean_male::DOUBLE AS mean_male, sd::DOUBLE AS sd, low::DOUBLE AS low, decimals::INT AS decimals, growth::INT AS growth
FROM measures;
-- What Parkview's system codes its own way (mapped by vocabulary/parkview_local.csv), and St Mary's (mapped by nobody).
CREATE TABLE local_code AS FROM (VALUES
  (2, '8480-6', 'PV', 'BPS', 'Blood pressure systolic'), (2, '8462-4', 'PV', 'BPD', 'Blood pressure diastolic'),
  (2, '29463-7', 'PV', 'WT', 'Weight'), (2, '8302-2', 'PV', 'HT', 'Height'), (2, '39156-5', 'PV', 'BMI', 'Body mass index'),
  (3, '428191000124101', 'STM', 'STM07', 'Repeat medication looked through'),
  (3, '5880005', 'STM', 'STM12', 'Examined – naïve to treatment')) t(practice, code, system, local, term)
"""
"""What does not depend on persons: which visits of the material had an operation, and the local codes."""

_VISIT = """
CREATE OR REPLACE TABLE visit AS
WITH placed AS (
  SELECT p.person, v.visit, v.visit_concept_id, v.start_date + p.shift AS start_date, v.end_date + p.shift AS end_date,
    bits(p.person, 'visit ' || v.visit) AS h, p.trust, o.visit IS NOT NULL AS is_operated
  FROM person p JOIN template_visit v USING (template) LEFT JOIN operated o USING (template, visit)
  WHERE v.start_date + p.shift >= p.birth_date)
SELECT person, visit, h, start_date, end_date,
  CASE WHEN visit_concept_id = 9202 AND NOT is_operated AND part(h, 0) >= {HOSPITAL_OUTPATIENT} THEN 0
       WHEN part(h, 1) < {OTHER_TRUST} THEN 3 - trust ELSE trust END AS site,
  CASE visit_concept_id WHEN 9201 THEN 'ordinary' WHEN 9203 THEN 'emergency'
    ELSE CASE WHEN is_operated THEN 'day case' ELSE 'outpatient' END END AS class,
  CASE WHEN start_date > DATE '{first_extract}' OR end_date > DATE '{first_extract}' OR part(h, 2) < {LATE} THEN 2 ELSE 1
  END AS delivery,
  1 + CASE WHEN visit_concept_id = 9201 THEN (part(h, 3) < 0.3)::INT + (part(h, 3) < 0.06)::INT ELSE 0 END AS episodes
FROM placed
"""

_FACT = """
CREATE OR REPLACE TABLE fact AS
WITH dealt AS (
  SELECT p.person, p.sex, p.birth_date, p.has_gp, p.is_newcomer, f.*, f.start_date + p.shift AS date,
    CASE WHEN p.old_practice IS NOT NULL AND f.start_date + p.shift < p.changed_practice_on THEN p.old_practice ELSE p.practice
    END AS practice,
    coalesce(v.site, 0) AS site, v.class, v.delivery AS visit_delivery, v.episodes,
    bits(p.person, f.fact) AS h
  FROM person p JOIN template_fact f USING (template)
  LEFT JOIN visit v ON v.person = p.person AND v.visit = f.visit
  WHERE f.start_date + p.shift >= p.birth_date),
routed AS (
  SELECT *,
    CASE WHEN site = 2 AND vocabulary_id <> 'CVX' THEN 'fhir'
      WHEN site = 1 AND class = 'emergency' AND kind IN ('condition', 'procedure') THEN 'emergency'
      WHEN site = 1 AND class <> 'emergency' AND (icd10 IS NOT NULL OR opcs4 IS NOT NULL) THEN 'hes'
      WHEN NOT has_gp THEN NULL
      WHEN vocabulary_id = 'RxNorm' THEN 'medications' ELSE 'events' END AS route
  FROM dealt),
valued AS (
  SELECT r.*, m.unit, m.gp_unit, m.unit_concept_id, m.decimals,
    CASE WHEN m.code IS NOT NULL THEN greatest(m.low, round(
      (CASE sex WHEN 'F' THEN m.mean_female ELSE m.mean_male END
        + m.sd * (CASE m.growth WHEN 0 THEN 1.6 ELSE 0.3 END * (part(h, 0) + part(h, 1) + part(h, 2) - 1.5)
          + CASE m.growth WHEN 0 THEN 2 ELSE 3.3 END * (draw(r.person, r.code) - 0.5)))
      * pow(0.32 + 0.68 * least(1, greatest(0, date - birth_date) / 6574.0), m.growth), m.decimals)) END AS value
  FROM routed r LEFT JOIN measure m ON r.kind = 'measurement' AND m.code = r.code
  WHERE route IS NOT NULL)
SELECT v.person, v.person::BIGINT * {FACTS} + v.fact AS fact, v.visit, v.kind, v.route, v.site, v.class, v.h,
  CASE WHEN route IN ('events', 'medications') THEN v.practice END AS practice,
  coalesce(l.system, v.vocabulary_id) AS vocabulary_id, coalesce(l.local, v.code) AS code, coalesce(l.term, v.term) AS term,
  CASE WHEN l.system = 'STM' THEN 0 ELSE v.concept_id END AS concept_id,
  CASE WHEN l.system = 'STM' THEN 'observation' ELSE v.cdm_table END AS cdm_table,
  v.date, CASE WHEN v.end_date IS NOT NULL THEN v.date + (v.end_date - v.start_date)::INT END AS end_date, v.days_supply,
  v.icd10, v.opcs4, 1 + (v.h >> 50)::INT % coalesce(v.episodes, 1) AS episode,
  value, unit, gp_unit, coalesce(unit_concept_id, 0) AS unit_concept_id,
  CASE WHEN route IN ('events', 'medications')
    THEN CASE WHEN is_newcomer OR v.date > DATE '{first_extract}' OR part(h, 3) < {LATE} THEN 2 ELSE 1 END
    ELSE visit_delivery END AS delivery,
  part(h, 3) BETWEEN {LATE} AND {LATE} + {WITHDRAWN} AND route IN ('events', 'medications', 'fhir') AS is_withdrawn,
  CASE WHEN part(h, 3) BETWEEN {LATE} + {WITHDRAWN} AND {LATE} + {WITHDRAWN} + {AMENDED}
      AND route IN ('events', 'fhir') AND value IS NOT NULL
    THEN round(value * 1.1 + pow(0.1, decimals), decimals) END AS amended_value,
  CASE WHEN route = 'fhir' AND part(h, 3) > 1 - {ENTERED_IN_ERROR} THEN 'entered-in-error'
       WHEN route = 'fhir' AND v.kind = 'condition' AND part(h, 3) > 1 - {ENTERED_IN_ERROR} - {REFUTED} THEN 'refuted' END AS denied
FROM valued v
LEFT JOIN local_code l ON l.practice = v.practice AND l.code = v.code AND v.route = 'events';

INSERT INTO fact (person, fact, kind, route, site, h, practice, vocabulary_id, code, term, concept_id, cdm_table, date,
  unit_concept_id, delivery, is_withdrawn)
SELECT person, person::BIGINT * {FACTS} + 8000 + n, 'observation', 'events', 0, 0, holder, 'SNOMED', code, term, 0, 'observation',
  date, 0, CASE WHEN is_newcomer OR date > DATE '{first_extract}' THEN 2 ELSE 1 END, false
FROM (
  SELECT person, birth_date, death_date, is_newcomer, CASE n // 2 WHEN 0 THEN practice ELSE old_practice END AS holder, n,
    CASE n % 2 WHEN 0 THEN '{OPTED_OUT}' ELSE '{OPTED_IN}' END AS code,
    CASE n % 2 WHEN 0 THEN 'Dissent from secondary use of general practitioner patient identifiable data'
      ELSE 'Dissent withdrawn for secondary use of general practitioner patient identifiable data' END AS term,
    CASE WHEN type_1_delivery = 2 THEN DATE '{first_extract}' + 9 ELSE DATE '{first_extract}' - floor(
      CASE n % 2 WHEN 0 THEN 500 + draw(person, 'dissent') * 1500 ELSE 30 + draw(person, 'assent') * 400 END)::INT END AS date
  FROM person, range(4) r(n)
  WHERE has_gp AND type_1_delivery IS NOT NULL AND (n % 2 = 0 OR (is_type_1_withdrawn AND type_1_delivery = 1))
    AND (n < 2 OR old_practice IS NOT NULL))
WHERE date >= birth_date AND (death_date IS NULL OR date < death_date);

-- The two pressures of one reading are components of one FHIR resource, named after the systolic.
CREATE OR REPLACE TABLE panel AS
SELECT d.fact AS diastolic, s.fact AS systolic, s.delivery, s.is_withdrawn, s.denied
FROM (SELECT *, row_number() OVER (PARTITION BY person, visit, date ORDER BY fact) AS reading
      FROM fact WHERE route = 'fhir' AND code = '8462-4') d
JOIN (SELECT *, row_number() OVER (PARTITION BY person, visit, date ORDER BY fact) AS reading
      FROM fact WHERE route = 'fhir' AND code = '8480-6') s USING (person, visit, date, reading);
UPDATE fact SET delivery = p.delivery, is_withdrawn = p.is_withdrawn, denied = p.denied FROM panel p WHERE fact.fact = p.diastolic
"""
