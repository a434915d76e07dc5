"""What the council, the registrar and NHS England send: adult social care, deaths, and the national data opt-out."""

from pathlib import Path

import duckdb

from fairhaven.region.extract_files import ExtractFiles
from fairhaven.region.model import FIRST, FIRST_EXTRACT, SECOND_EXTRACT

COUNCIL = "council_asc"
REGISTRAR = "registrar_deaths"
OPT_OUT = "national_opt_out"
ELSEWHERE = "9989999996"
"""NHS number of nobody in the region."""
COUNCIL_COLUMNS = (
    "client_id,nhs_number,first_name,last_name,date_of_birth,gender,ethnicity,postcode,event_reference,event_type,service_type,"
    "primary_support_reason,event_start_date,event_end_date"
)
DEATH_COLUMNS = "registration_id,nhs_number,forenames,surname,date_of_birth,sex,usual_postcode,date_of_death,underlying_cause,place_of_death"
BAD_COUNCIL_ROW = ("-1", "event_start_date")
BAD_DEATH_ROW = ("D26-1", "date_of_death")
"""Key and field of the bad row of each."""


def block(connection: duckdb.DuckDBPyConnection) -> None:
    """Make tables ``care_event`` (with the delivery that first has it) and ``death``."""
    connection.execute(
        _BLOCK.format(
            first=FIRST.isoformat(), first_extract=FIRST_EXTRACT, second_extract=SECOND_EXTRACT, registrar=REGISTRAR
        )
    )


def write(extracts: ExtractFiles, inbox: Path, *, delivery: int, volume: int, is_first: bool, has_head: bool) -> None:
    """Append the block's rows of a delivery for all three; *has_head*: the first block of a list."""
    form = {"delivery": delivery, "council": COUNCIL, "registrar": REGISTRAR}
    path = inbox / COUNCIL / f"CLD_{volume:02d}.csv"
    extracts.table(path, _COUNCIL.format(**form), COUNCIL_COLUMNS)
    if is_first and delivery == 1:
        extracts.text(path, "C0000001,,Not,Known,1950-01-01,F,A,,-1,Assessment,,,next Tuesday,\n")
    path = inbox / REGISTRAR / f"deaths_{volume:02d}.csv"
    extracts.table(path, _DEATHS.format(**form), DEATH_COLUMNS)
    if is_first and delivery == 1:
        extracts.text(path, "D26-1,,Not,Known,1950-01-01,F,,3026-01-01,I219,Hospital\n")
    path = inbox / OPT_OUT / "nhs_england_national_data_opt_out.csv"
    # A real list is the nation's, so it also names people who live elsewhere, and is never empty.
    extracts.text(path, f"{ELSEWHERE},\n" if has_head else "")
    extracts.lines(path, _OPT_OUT.format(list="first" if delivery == 1 else "second"))


_COUNCIL = """
SELECT k.patient, k.nhs_number, k.given_name, k.family_name, k.birth_date, k.sex, k.ethnicity, k.postcode, c.reference,
  c.event_type, c.service_type, c.reason, c.start_date,
  CASE WHEN c.event_type <> 'Service' OR c.end_date <= CASE {delivery} WHEN 1 THEN DATE '2026-09-27' ELSE DATE '2026-10-28' END
    THEN c.end_date END
FROM care_event c JOIN known_{delivery} k ON k.person = c.person AND k.source = '{council}'
WHERE c.delivery <= {delivery} AND (c.until_delivery IS NULL OR c.until_delivery > {delivery}) ORDER BY c.reference"""

_DEATHS = """
SELECT k.patient, k.nhs_number, k.given_name, k.family_name, k.birth_date, CASE k.sex WHEN 'F' THEN 2 ELSE 1 END, k.postcode,
  d.date, d.icd10, d.place
FROM death d JOIN known_{delivery} k ON k.person = d.person AND k.source = '{registrar}'
WHERE d.delivery = {delivery} ORDER BY d.person"""

_OPT_OUT = "SELECT nhs_number || ',' FROM person WHERE is_on_{list}_list ORDER BY nhs_number"

_BLOCK = """
CREATE OR REPLACE TABLE care_event AS
WITH begun AS (
  SELECT person, floor(60 + draw(person, 'first contact') * 2000)::INT AS days_ago, 3 + floor(draw(person, 'contacts') * 4)::INT AS many
  FROM person WHERE has_social_care),
events AS (
  SELECT person, n, DATE '{first_extract}' - days_ago + floor((days_ago + 28) * n / many)::INT AS start_date,
    CASE n WHEN 0 THEN 'Request' WHEN 1 THEN 'Assessment'
      ELSE CASE WHEN draw(person, 'event ' || n) < 0.6 THEN 'Service' ELSE 'Review' END END AS event_type
  FROM begun, range(7) r(n) WHERE n < many)
SELECT e.person, e.n, (e.person::BIGINT * 8 + n) AS reference, event_type,
  CASE event_type WHEN 'Service' THEN pick(['Long Term Support: Home Support', 'Long Term Support: Residential Care',
      'Long Term Support: Nursing Care', 'Short Term Support: ST-Max', 'Equipment'], draw(e.person, 'service ' || n)) END AS service_type,
  pick(['Physical Support: Personal Care Support', 'Physical Support: Access & Mobility Only', 'Support with Memory & Cognition',
    'Mental Health Support'], draw(e.person, 'reason')) AS reason,
  e.start_date, e.start_date + CASE WHEN event_type = 'Service' THEN floor(20 + draw(e.person, 'length ' || n) * 300)::INT ELSE 0 END AS end_date,
  CASE WHEN e.start_date > DATE '{first_extract}' THEN 2 ELSE 1 END AS delivery,
  CASE WHEN e.start_date <= DATE '{first_extract}' AND n > 1 AND draw(e.person, 'struck ' || n) < 0.01 THEN 2 END AS until_delivery
FROM events e JOIN person p USING (person)
WHERE e.start_date <= coalesce(p.death_date, DATE '{second_extract}') AND e.start_date >= p.birth_date;

CREATE OR REPLACE TABLE death AS
SELECT p.person, p.death_date AS date, CASE WHEN p.death_date <= DATE '{first_extract}' THEN 1 ELSE 2 END AS delivery,
  coalesce(c.icd10, pick(['I219', 'J189', 'I64X', 'I500', 'G309'], draw(p.person, 'cause'))) AS icd10,
  pick(['Hospital', 'Hospital', 'Home', 'Care home', 'Hospice'], draw(p.person, 'place of death')) AS place
FROM person p
LEFT JOIN (
  SELECT person, arg_max(icd10, (date, fact)) AS icd10 FROM fact
  WHERE icd10 IN ('I219', 'I251', 'I64X', 'I500', 'J189', 'J439', 'C189', 'C188', 'G309', 'G300', 'I469') GROUP BY person) c USING (person)
WHERE p.death_date IS NOT NULL
"""
