"""What the north trust sends: Hospital Episode Statistics' shape, with diagnoses and operations side by side in a row.

ICD-10 and OPCS-4 codes stand as in HES: four characters, no dot, X where ICD-10 has only three.
"""

from pathlib import Path

import duckdb

from fairhaven.region.extract_files import ExtractFiles
from fairhaven.region.imperfections import LATE, WITHDRAWN

SOURCE = "north_trust_hes"
DIAGNOSES = 20
OUTPATIENT_DIAGNOSES = 12
OPERATIONS = 24
EMERGENCY_CODES = 12
UNKNOWN_CAUSE = "R69X"
"""Unknown and unspecified causes of morbidity: how HES fills an episode that nobody has coded. It maps to nothing."""
LONG_TERM = (
    "I10X", "E785", "E781", "I251", "E119", "E112", "E113", "E114", "I489", "I500", "J459", "J439", "G309", "G409", "M819", "M179",
    "M169", "N181", "N182", "N183", "R522", "E039", "M069", "C189", "F102",
)  # fmt: skip
"""Conditions that HES coders add to every episode of a patient who has them."""
NOT_ATTENDED = 0.05
"""Appointments that were missed, as a share of those kept."""

BAD_EPISODE = ("-1", "EPISTART")
"""Key and field of the one bad row in admitted care: HES's placeholder date 1 January 1801."""


def block(connection: duckdb.DuckDBPyConnection) -> None:
    """Make tables ``episode``, ``appointment`` and ``attendance``, and ``coded``: each code's row, column and time of validity."""
    connection.execute(
        _BLOCK.format(
            source=SOURCE,
            late=LATE,
            long_term=str(LONG_TERM)[1:-1],
            withdrawn=LATE + 4 * WITHDRAWN,
            unknown=UNKNOWN_CAUSE,
            not_attended=NOT_ATTENDED,
        )
    )


def write(extracts: ExtractFiles, folder: Path, *, delivery: int, volume: int, is_first: bool) -> None:
    """Append the block's rows of a delivery."""
    for stem, table, key, own, codes in (
        (
            "apc",
            "episode",
            "EPIKEY",
            "PROVSPNOPS,ADMIDATE,DISDATE,EPISTART,EPIEND,EPIORDER,ADMIMETH,ADMISORC,DISDEST,CLASSPAT,MAINSPEF",
            (("DIAG", DIAGNOSES, "diagnosis"), ("OPERTN", OPERATIONS, "operation"), ("OPDATE", OPERATIONS, "day")),
        ),
        (
            "op",
            "appointment",
            "ATTENDKEY",
            "APPTDATE,ATTENDED,FIRSTATT,MAINSPEF",
            (("DIAG", OUTPATIENT_DIAGNOSES, "diagnosis"), ("OPERTN", OPERATIONS, "operation")),
        ),
        (
            "ec",
            "attendance",
            "EC_IDENT",
            "ARRIVALDATE,ARRIVALTIME,DEPDATE,DEPTIME",
            (("EC_DIAGNOSIS", EMERGENCY_CODES, "diagnosis"), ("EC_TREATMENT", EMERGENCY_CODES, "operation")),
        ),
    ):
        names = [f"{name}_{number:02d}" for name, many, _ in codes for number in range(1, many + 1)]
        listed = ", ".join(f"{part}s[{number}]" for _, many, part in codes for number in range(1, many + 1))
        columns = f"{key},PROCODE3,LOPATID,NEWNHSNO,DOB,SEX,ETHNOS,HOMEADD,{own},{','.join(names)}"
        values = ", ".join(f't."{column}"' for column in own.split(","))
        query = _ROWS.format(
            table=table, key=key, own=values, listed=listed, delivery=delivery, again=delivery == 2, source=SOURCE
        )
        path = folder / f"{stem}_{volume:02d}.csv"
        extracts.table(path, query, columns)
        if stem == "apc" and delivery == 1 and is_first:
            empty = "," * (len(columns.split(",")) - 17)
            extracts.text(path, f"{BAD_EPISODE[0]},RFH,N0000001,,,,,,S0,18010101,,18010101,,1,11,1,300{empty}\n")


_ROWS = """
SELECT t.key, 'RFH', k.patient, k.nhs_number, strftime(k.birth_date, '%Y%m%d'), CASE k.sex WHEN 'F' THEN 2 ELSE 1 END,
  k.ethnicity, k.postcode, {own}, {listed}
FROM {table} t JOIN known_{delivery} k ON k.person = t.person AND k.source = '{source}'
LEFT JOIN (
  SELECT key, list(code ORDER BY position) FILTER (part = 'diagnosis') AS diagnosiss,
    list(code ORDER BY position) FILTER (part = 'operation') AS operations,
    list(strftime(date, '%Y%m%d') ORDER BY position) FILTER (part = 'operation') AS days
  FROM coded WHERE delivery <= {delivery} AND (until_delivery IS NULL OR until_delivery > {delivery}) GROUP BY key) c USING (key)
WHERE t.delivery = {delivery} OR ({again} AND t.key IN (SELECT key FROM coded WHERE until_delivery = 2))
ORDER BY t.key"""

_BLOCK = """
CREATE OR REPLACE TABLE episode AS
SELECT v.person, v.visit, v.delivery, e AS episode, ((v.person::BIGINT * 65536 + v.visit) * 4 + e) AS key, v.h,
  'S' || (v.person::BIGINT * 65536 + v.visit) AS "PROVSPNOPS",
  strftime(v.start_date, '%Y%m%d') AS "ADMIDATE", strftime(v.end_date, '%Y%m%d') AS "DISDATE",
  v.start_date + ((v.end_date - v.start_date) * (e - 1) // v.episodes)::INT AS start_date,
  v.start_date + ((v.end_date - v.start_date) * e // v.episodes)::INT AS end_date,
  strftime(v.start_date + ((v.end_date - v.start_date) * (e - 1) // v.episodes)::INT, '%Y%m%d') AS "EPISTART",
  strftime(v.start_date + ((v.end_date - v.start_date) * e // v.episodes)::INT, '%Y%m%d') AS "EPIEND",
  e AS "EPIORDER", CASE WHEN v.class = 'day case' THEN '11' ELSE pick(['11', '12', '21', '22', '31'], part(v.h, 0)) END AS "ADMIMETH",
  -- Almost everybody comes from home and goes there; the rest from and to other hospitals, care homes and hospices.
  CASE WHEN part(v.h, 2) < 0.9 THEN '19' ELSE pick(['51', '54', '65', '87'], part(v.h, 2) * 10 - 9) END AS "ADMISORC",
  CASE WHEN part(v.h, 3) < 0.9 THEN '19' ELSE pick(['51', '54', '65', '88'], part(v.h, 3) * 10 - 9) END AS "DISDEST",
  CASE v.class WHEN 'day case' THEN '2' ELSE '1' END AS "CLASSPAT", pick(['100', '110', '300', '320', '501'], part(v.h, 1)) AS "MAINSPEF"
FROM visit v, range(1, 4) r(e) WHERE v.site = 1 AND v.class IN ('ordinary', 'day case') AND e <= v.episodes;

CREATE OR REPLACE TABLE appointment AS
SELECT person, visit, delivery, start_date, (person::BIGINT * 65536 + visit) * 4 + missed AS key, missed = 1 AS is_missed,
  strftime(start_date - (missed * 7)::INT, '%Y%m%d') AS "APPTDATE", CASE missed WHEN 1 THEN '3' ELSE '5' END AS "ATTENDED",
  CASE WHEN part(h, 0) < 0.3 THEN '1' ELSE '2' END AS "FIRSTATT", pick(['100', '110', '300', '320', '501'], part(h, 1)) AS "MAINSPEF"
FROM visit, range(2) m(missed)
WHERE site = 1 AND class = 'outpatient' AND (missed = 0 OR part(h, 3) < {not_attended});

CREATE OR REPLACE TABLE attendance AS
SELECT person, visit, delivery, start_date, (person::BIGINT * 65536 + visit) * 4 AS key,
  strftime(start_date, '%Y%m%d') AS "ARRIVALDATE", lpad((8 + h % 10)::VARCHAR, 2, '0') || lpad((h % 60)::VARCHAR, 2, '0') AS "ARRIVALTIME",
  strftime(start_date, '%Y%m%d') AS "DEPDATE", lpad((9 + h % 10 + (h >> 8) % 5)::VARCHAR, 2, '0') || lpad((h % 60)::VARCHAR, 2, '0') AS "DEPTIME"
FROM visit WHERE site = 1 AND class = 'emergency';

CREATE OR REPLACE TABLE coded AS
WITH placed AS (
  SELECT f.person, f.fact, f.kind, CASE WHEN f.kind = 'condition' THEN 'diagnosis' ELSE 'operation' END AS part,
    (f.person::BIGINT * 65536 + f.visit) * 4
      + CASE WHEN f.class IN ('ordinary', 'day case') THEN f.episode ELSE 0 END AS key, f.class,
    CASE WHEN f.route = 'emergency' THEN f.code ELSE coalesce(f.icd10, f.opcs4) END AS code, f.route,
    f.concept_id, f.cdm_table, v.delivery, v.h,
    CASE WHEN f.kind = 'procedure' AND f.class IN ('ordinary', 'day case') THEN f.date
      ELSE coalesce(e.start_date, v.start_date) END AS date
  FROM fact f JOIN visit v USING (person, visit)
  LEFT JOIN episode e ON e.person = f.person AND e.visit = f.visit AND e.episode = f.episode
  WHERE f.route IN ('hes', 'emergency')),
-- Coders add the long-term conditions a patient came with, whoever first recorded them.
long_term AS (
  SELECT DISTINCT e.person, NULL::BIGINT AS fact, 'condition' AS kind, 'diagnosis' AS part, e.key, 'comorbidity' AS class,
    f.icd10 AS code, 'hes' AS route, 0 AS concept_id, '' AS cdm_table, e.delivery, e.h, e.start_date AS date
  FROM episode e JOIN person p USING (person) JOIN template_fact f ON f.template = p.template
  WHERE f.icd10 IN ({long_term}) AND f.start_date + p.shift < e.start_date
    AND NOT EXISTS (FROM placed o WHERE o.key = e.key AND o.code = f.icd10)),
numbered AS (
  SELECT *, (row_number() OVER (PARTITION BY key, part ORDER BY fact NULLS LAST, code))::INT AS position, count(*) OVER (PARTITION BY key, part) AS many
  FROM (FROM placed UNION ALL FROM long_term))
SELECT person, fact, kind, part, key, class, code, route, concept_id, cdm_table, delivery, date, position,
  -- A diagnosis that the trust thought better of: the episode is sent again without its last.
  CASE WHEN delivery = 1 AND part = 'diagnosis' AND position > 1 AND position = many
    AND part(h, 2) BETWEEN {late} AND {withdrawn} THEN 2 END AS until_delivery
FROM numbered
WHERE position <= CASE WHEN route = 'emergency' OR (part = 'diagnosis' AND class = 'outpatient') THEN 12
  WHEN part = 'diagnosis' THEN 20 ELSE 24 END;

INSERT INTO coded
SELECT person, NULL, 'condition', 'diagnosis', key, 'uncoded', '{unknown}', 'hes', 0, 'observation', delivery, start_date, 1, NULL
FROM episode WHERE key NOT IN (SELECT key FROM coded WHERE part = 'diagnosis')
"""
