"""The people of the region: who they are, where they live, which records they have.

Everything is drawn by ``draw(who, what)``: the MD5 of seed, person and field. So a person is the same whatever else is made in
the same run, on every machine, and a run can be cut into blocks of persons.
"""

import duckdb

from fairhaven.region.imperfections import RATES
from fairhaven.region.model import FIRST, FIRST_EXTRACT, SECOND_EXTRACT

SHIFT_DAYS = 2849
"""Days from the material's calendar to the region's: 407 weeks, so that weekdays stay; its last visit becomes 28 October 2026."""
EARLIER_WEEKS = 104
"""Persons drawn from a material person once more live their lives up to so many weeks earlier."""

_NAMING = """
CASE WHEN race = 'asian' THEN CASE WHEN u_naming < 0.75 THEN 'south_asian' ELSE 'chinese' END
     WHEN race = 'black' THEN CASE WHEN u_naming < 0.6 THEN 'african' ELSE 'british' END
     WHEN u_naming < 0.07 THEN 'polish' WHEN u_naming < 0.11 THEN 'irish'
     WHEN u_naming < 0.15 THEN 'south_asian' ELSE 'british' END"""


def prepare(connection: duckdb.DuckDBPyConnection, *, persons: int, seed: int) -> None:
    """Make the drawing macros, the lists of names and everyone's NHS number."""
    connection.execute(_PREPARE.format(persons=persons, seed=seed))


def block(connection: duckdb.DuckDBPyConnection, *, first: int, last: int, templates: int) -> None:
    """Make table ``person`` for the persons from *first* (an odd number: twins are neighbours) to *last*."""
    connection.execute(
        _PERSON.format(
            first=first,
            last=last,
            templates=templates,
            shift=SHIFT_DAYS,
            weeks=EARLIER_WEEKS,
            naming=_NAMING,
            first_day=FIRST.isoformat(),
            first_extract=FIRST_EXTRACT.isoformat(),
            second_extract=SECOND_EXTRACT.isoformat(),
            **RATES,
        )
    )


_PREPARE = """
CREATE MACRO bits(who, what) AS md5_number_lower(concat_ws('|', {seed}, who, what));
CREATE MACRO draw(who, what) AS bits(who, what) / 18446744073709551616.0;
CREATE MACRO part(h, n) AS ((h >> (16 * n)) & 65535) / 65536.0;
CREATE MACRO pick(list, u) AS list[1 + floor(u * len(list))::INT];
-- Modulus 11: weights 10 to 2. 11 becomes 0, and 10 means that no number has these nine digits.
CREATE MACRO check_digit(nine) AS (11 - list_sum([(11 - i) * nine[i]::INT FOR i IN range(1, 10)]) % 11) % 11;

CREATE TABLE nhs AS
SELECT (row_number() OVER (ORDER BY i))::INT AS person, body || check_digit(body) AS nhs_number
FROM (SELECT i, CASE WHEN i < 1000000 THEN '999' ELSE '998' END
        || lpad(((i * 618033 + {seed} * 7919) % 1000000)::VARCHAR, 6, '0') AS body
      FROM range(({persons} * 1.12 + 200)::BIGINT) t(i))
WHERE check_digit(body) < 10;

CREATE TABLE template_end AS SELECT template, max(last_day) AS last_care FROM (
  SELECT template, end_date AS last_day FROM template_visit
  UNION ALL SELECT template, greatest(start_date, end_date) FROM template_fact) GROUP BY template;
CREATE TABLE given_list AS SELECT naming, sex, list(name ORDER BY rowid) AS names FROM given_names GROUP BY ALL;
CREATE TABLE family_list AS SELECT naming, list(name ORDER BY rowid) AS names FROM surnames GROUP BY ALL;
CREATE TABLE nickname_list AS SELECT name, list(nickname ORDER BY rowid) AS nicknames FROM nicknames GROUP BY ALL;
CREATE TABLE street_list AS SELECT list(street ORDER BY rowid) AS streets FROM streets;
CREATE TABLE place_list AS SELECT list(place ORDER BY district::INT) AS places FROM places;
CREATE MACRO postcode(who) AS 'FH' || (1 + floor(draw(who, 'district') * 14))::INT || ' '
  || floor(draw(who, 'sector') * 10)::INT || pick(string_split('ABDEFGHJLNPQRSTUWXYZ', ''), draw(who, 'unit 1'))
  || pick(string_split('ABDEFGHJLNPQRSTUWXYZ', ''), draw(who, 'unit 2'));
CREATE MACRO street(who) AS (1 + floor(draw(who, 'number') * 120))::INT || ' '
  || pick((SELECT streets FROM street_list), draw(who, 'street')) || ', '
  || (SELECT places FROM place_list)[1 + floor(draw(who, 'district') * 14)::INT]
"""

_PERSON = """
CREATE OR REPLACE TABLE person AS
WITH
numbered AS (
  SELECT p::INT AS person, ((p + 1) // 2)::INT AS pair,
    CASE WHEN p <= {templates} THEN p ELSE 1 + floor(draw(p, 'template') * {templates}) END::INT AS template,
    CASE WHEN p <= {templates} THEN 0 ELSE 7 * floor(draw(p, 'earlier') * {weeks}) END::INT AS earlier
  FROM range({first}, {last} + 2 - {last} % 2) r(p)),
born AS (
  SELECT n.*, t.sex, t.race, t.has_died, t.birth_date AS material_birth,
    t.birth_date + ({shift} - n.earlier) AS own_birth, draw(n.pair, 'twins') < {TWINS} AS is_twin
  FROM numbered n JOIN template t USING (template)),
housed AS (
  SELECT b.* REPLACE (
      CASE WHEN is_twin THEN first(race) OVER (PARTITION BY pair ORDER BY person) ELSE race END AS race),
    CASE WHEN is_twin THEN pair * 2 - 1 ELSE person END AS house,
    CASE WHEN is_twin THEN min(own_birth) OVER (PARTITION BY pair) ELSE own_birth END AS birth_date,
    is_twin AND person % 2 = 0 AND sex = first(sex) OVER (PARTITION BY pair ORDER BY person) AS is_second_of_alike
  FROM born b),
named AS (
  SELECT h.* EXCLUDE (own_birth), (birth_date - material_birth)::INT AS shift, draw(house, 'naming') AS u_naming,
    {naming} AS naming
  FROM housed h),
letters AS (
  SELECT n.*, g.names AS given_names, f.names AS family_names,
    floor(pow(draw(CASE WHEN is_second_of_alike THEN house ELSE person END, 'given'), 1.3) * len(g.names))::INT AS given_index
  FROM named n JOIN given_list g USING (naming, sex) JOIN family_list f USING (naming)),
lives AS (
  SELECT l.* EXCLUDE (given_names, family_names, given_index, u_naming, material_birth, earlier),
    given_names[1 + CASE WHEN is_second_of_alike
      THEN (given_index + 1 + floor(draw(person, 'given') * (len(given_names) - 1))::INT) % len(given_names)
      ELSE given_index END] AS given_name,
    family_names[1 + floor(pow(draw(house, 'family'), 1.3) * len(family_names))::INT] AS family_at_birth,
    family_names[1 + floor(draw(person, 'family by marriage') * len(family_names))::INT] AS family_by_marriage,
    sex = 'F' AND birth_date < DATE '{first_day}' - INTERVAL 20 YEAR
      AND draw(person, 'renamed') < {RENAMED_AT_MARRIAGE} AS is_renamed,
    (SELECT last_care FROM template_end e WHERE e.template = l.template) + (l.birth_date - l.material_birth)::INT AS last_visit
  FROM letters l)
SELECT l.* EXCLUDE (family_at_birth, family_by_marriage, has_died, last_visit),
  n.nhs_number, family_at_birth,
  CASE WHEN is_renamed THEN family_by_marriage ELSE family_at_birth END AS family_name,
  postcode(house) AS postcode, street(house) AS address,
  postcode(house || ' before') AS old_postcode, street(house || ' before') AS old_address,
  CASE naming WHEN 'south_asian' THEN pick(['H', 'J', 'J', 'K', 'L'], draw(house, 'ethnicity')) WHEN 'chinese' THEN 'R'
    WHEN 'african' THEN 'N' WHEN 'irish' THEN 'B' WHEN 'polish' THEN 'C'
    ELSE CASE WHEN race = 'black' THEN pick(['M', 'M', 'P'], draw(house, 'ethnicity'))
              WHEN race IN ('native', 'hispanic', 'other') THEN pick(['A', 'S', 'G', 'Z'], draw(house, 'ethnicity'))
              ELSE 'A' END END AS ethnicity,
  CASE WHEN has_died AND last_visit + floor(3 + draw(person, 'death') * 90)::INT <= DATE '{second_extract}'
    THEN last_visit + floor(3 + draw(person, 'death') * 90)::INT END AS death_date,
  draw(person, 'registered') < {REGISTERED_WITH_GP} AS has_gp,
  1 + floor(draw(house, 'practice') * 3)::INT AS practice,
  CASE WHEN draw(person, 'changed practice') < {CHANGED_PRACTICE}
    THEN 1 + (floor(draw(house, 'practice') * 3)::INT + 1 + floor(draw(person, 'old practice') * 2)::INT) % 3 END AS old_practice,
  birth_date + floor((0.3 + 0.65 * draw(person, 'changed')) * (DATE '{first_day}' - birth_date))::INT AS changed_practice_on,
  CASE WHEN draw(house, 'trust') < 0.55 THEN 1 ELSE 2 END AS trust,
  draw(person, 'newcomer') < {NEWCOMER} AS is_newcomer,
  CASE WHEN draw(person, 'type 1') < {TYPE_1_OPT_OUT} THEN 1
       WHEN draw(person, 'type 1') < {TYPE_1_OPT_OUT} + {TYPE_1_NEW} THEN 2 END AS type_1_delivery,
  draw(person, 'type 1 withdrawn') < {TYPE_1_WITHDRAWN} AS is_type_1_withdrawn,
  draw(person, 'national') < {NATIONAL_OPT_OUT} AS is_on_first_list,
  draw(person, 'national') >= {NATIONAL_LEFT} AND draw(person, 'national') < {NATIONAL_OPT_OUT} + {NATIONAL_JOINED} AS is_on_second_list,
  draw(person, 'social care') < CASE WHEN birth_date < DATE '{first_day}' - INTERVAL 65 YEAR THEN 0.15 ELSE 0.02 END AS has_social_care
FROM lives l JOIN nhs n USING (person)
WHERE person BETWEEN {first} AND {last}
ORDER BY person
"""
