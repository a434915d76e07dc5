"""Records of people: a person as each source knows them, with the errors that records have.

The errors of a record are listed by name beside it, for the truth.
"""

import duckdb

from fairhaven.region.imperfections import NHS_NUMBER_MISSING, RATES
from fairhaven.region.model import FIRST_EXTRACT, SECOND

RESENT = 0.012
"""Share of records that the second delivery sends again: the person has moved, and a missing NHS number has been found."""


def block(connection: duckdb.DuckDBPyConnection, *, persons: int) -> None:
    """Make table ``record`` for the persons of table ``person``: one row for each source that knows them and version.

    Versions of a record differ in ``delivery``; only in the first does `errors` count for the second.
    """
    missing = " ".join(f"WHEN '{source}' THEN {rate}" for source, rate in NHS_NUMBER_MISSING.items())
    connection.execute(
        _RECORD.format(
            **RATES,
            missing=missing,
            persons=persons,
            RESENT=RESENT,
            first_extract=FIRST_EXTRACT.isoformat(),
            second_day=SECOND.isoformat(),
        )
    )


PREPARE = """
-- Swaps two letters, drops one or doubles one, never the first, and never without effect.
CREATE MACRO mistyped(name, u, v) AS
  CASE WHEN length(name) < 3 THEN name || name[length(name)]
  ELSE (SELECT CASE
      WHEN v < 0.4 AND name[spot] <> name[spot + 1] THEN name[:spot - 1] || name[spot + 1] || name[spot] || name[spot + 2:]
      WHEN v < 0.7 THEN name[:spot - 1] || name[spot + 1:]
      ELSE name[:spot] || name[spot:] END
    FROM (SELECT 2 + floor(u * (length(name) - 2))::INT AS spot)) END;
CREATE MACRO mistyped_number(number, u, v) AS (
  SELECT number[:spot - 1] || ((number[spot]::INT + 1 + floor(v * 9)::INT) % 10) || number[spot + 1:]
  FROM (SELECT 4 + floor(u * 6)::INT AS spot));
CREATE MACRO scattered(person, factor, offset_) AS
  lpad(((person::BIGINT * factor + offset_) % 10000000)::VARCHAR, 7, '0');
-- Every source numbers its patients its own way; the factors share no divisor with ten million, so no number comes twice.
CREATE MACRO patient_number(source, person) AS CASE source
  WHEN 'gp_riverside' THEN scattered(person, 7919, 1234567)
  WHEN 'gp_parkview' THEN 'P' || scattered(person, 104729, 7654321)
  WHEN 'gp_stmarys' THEN scattered(person, 15485863, 222222) || '/1'
  WHEN 'north_trust_hes' THEN 'N' || scattered(person, 32452843, 333333)
  WHEN 'south_trust_fhir' THEN substr(md5('south ' || person), 1, 8) || '-' || scattered(person, 49979687, 0)
  WHEN 'council_asc' THEN 'C' || scattered(person, 67867967, 444444)
  WHEN 'registrar_deaths' THEN 'D26' || scattered(person, 86028121, 555555) END
"""

_RECORD = """
CREATE OR REPLACE TABLE record AS
WITH holding AS (
  SELECT person, ['gp_riverside', 'gp_parkview', 'gp_stmarys'][practice] AS source,
    CASE WHEN is_newcomer THEN 2 ELSE 1 END AS delivery,
    CASE WHEN old_practice IS NULL THEN birth_date ELSE changed_practice_on END AS since, NULL::DATE AS until,
    false AS is_former
  FROM person WHERE has_gp
  UNION ALL
  SELECT person, ['gp_riverside', 'gp_parkview', 'gp_stmarys'][old_practice], CASE WHEN is_newcomer THEN 2 ELSE 1 END,
    birth_date, changed_practice_on, true
  FROM person WHERE has_gp AND old_practice IS NOT NULL
  UNION ALL
  SELECT person, CASE site WHEN 1 THEN 'north_trust_hes' ELSE 'south_trust_fhir' END, min(delivery), min(start_date), NULL, false
  FROM visit WHERE site > 0 GROUP BY person, site
  UNION ALL
  SELECT person, 'council_asc', 1, NULL, NULL, false FROM person WHERE has_social_care
  UNION ALL
  SELECT person, 'registrar_deaths', CASE WHEN death_date <= DATE '{first_extract}' THEN 1 ELSE 2 END, death_date, NULL, false
  FROM person WHERE death_date IS NOT NULL),
drawn AS (
  SELECT h.*, p.* EXCLUDE (person), h.person || ' ' || h.source AS who, source LIKE 'gp_%' AS is_gp,
    patient_number(source, h.person) AS patient
  FROM holding h JOIN person p USING (person)),
wrong AS (
  SELECT d.*, k.nicknames,
    draw(who, 'nhs missing') < CASE source {missing} END AS has_no_number,
    draw(who, 'nhs') < {NHS_NUMBER_MISTYPED} AS has_mistyped_number,
    draw(who, 'nhs') > 1 - {NHS_NUMBER_OF_ANOTHER} AS has_number_of_another,
    draw(who, 'given typo') < {NAME_MISTYPED} AS has_given_typo,
    draw(who, 'family typo') < {NAME_MISTYPED} AS has_family_typo,
    k.nicknames IS NOT NULL AND draw(who, 'nickname') < {NICKNAME} AS has_nickname,
    draw(who, 'old address') < {OLD_ADDRESS} OR is_former AS has_old_address,
    is_renamed AND NOT is_gp AND draw(who, 'maiden') < {NAME_BEFORE_MARRIAGE} AS has_name_before_marriage,
    day(birth_date) <= 12 AND day(birth_date) <> month(birth_date)
      AND draw(who, 'swapped') < {DAY_AND_MONTH_SWAPPED} AS has_swapped_date,
    draw(who, 'no postcode') < {POSTCODE_MISSING} AS has_no_postcode,
    source IN ('gp_riverside', 'gp_parkview', 'gp_stmarys', 'south_trust_fhir') AND delivery = 1 AND until IS NULL
      AND draw(person, 'moves') < {RESENT} AS is_resent
  FROM drawn d LEFT JOIN nickname_list k ON k.name = d.given_name),
written AS (
  SELECT w.person, source, patient, delivery, since, until, sex, ethnicity, is_resent, who,
    CASE WHEN has_no_number THEN NULL
      WHEN has_mistyped_number THEN mistyped_number(w.nhs_number, draw(who, 'digit'), draw(who, 'digit for'))
      WHEN has_number_of_another THEN o.nhs_number ELSE w.nhs_number END AS nhs_number,
    w.nhs_number AS true_number,
    CASE WHEN has_given_typo THEN mistyped(given_name, draw(who, 'letter'), draw(who, 'typo'))
      WHEN has_nickname THEN pick(nicknames, draw(who, 'short form')) ELSE given_name END AS given_name,
    CASE WHEN has_family_typo THEN mistyped(family, draw(who, 'family letter'), draw(who, 'family error')) ELSE family
    END AS family_name,
    CASE WHEN has_swapped_date THEN make_date(year(birth_date), day(birth_date), month(birth_date)) ELSE birth_date
    END AS birth_date,
    CASE WHEN has_no_postcode THEN NULL WHEN has_old_address THEN old_postcode ELSE postcode END AS postcode,
    CASE WHEN has_old_address THEN old_address ELSE address END AS address,
    list_filter([
      CASE WHEN has_no_number THEN 'nhs_number_missing' END,
      CASE WHEN has_mistyped_number AND NOT has_no_number THEN 'nhs_number_mistyped' END,
      CASE WHEN has_number_of_another AND NOT has_no_number THEN 'nhs_number_of_another' END,
      CASE WHEN has_given_typo THEN 'given_name_mistyped' END, CASE WHEN has_family_typo THEN 'family_name_mistyped' END,
      CASE WHEN has_nickname AND NOT has_given_typo THEN 'nickname' END, CASE WHEN has_old_address THEN 'old_address' END,
      CASE WHEN has_name_before_marriage THEN 'name_before_marriage' END,
      CASE WHEN has_swapped_date THEN 'day_and_month_swapped' END,
      CASE WHEN has_no_postcode THEN 'postcode_missing' END], lambda e: e IS NOT NULL) AS errors
  FROM (SELECT *, CASE WHEN has_name_before_marriage THEN family_at_birth ELSE family_name END AS family FROM wrong) w
  JOIN nhs o ON o.person = 1 + (w.person + floor(draw(who, 'another') * ({persons} - 1))::INT) % {persons})
SELECT * EXCLUDE (is_resent, who, true_number), false AS is_second FROM written
UNION ALL
SELECT * EXCLUDE (is_resent, who, true_number) REPLACE (2 AS delivery, coalesce(nhs_number, true_number) AS nhs_number,
    postcode(person || ' after') AS postcode, street(person || ' after') AS address,
    list_filter(errors, lambda e: e NOT IN ('nhs_number_missing', 'old_address', 'postcode_missing')) AS errors), true
FROM written WHERE is_resent
"""
