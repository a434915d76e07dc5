"""A population to count: persons, conditions, measurements and drugs in the shape of OMOP, the same for the same seed.

Of a person there are about 30 conditions, 50 measurements and 20 drugs. Concepts are as unequal as in life (the cube of a
uniform number picks the rank: the commonest of 2,000 is in most records, the rarest in few), ranks are scattered over ids
and over a tree of five levels in which each concept has six below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

BRANCHES = 6
SEX = (8507, 8532)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table of events: how many concepts, ids from where on, and rows a person."""

    name: str
    concept: str
    first_id: int
    concepts: int
    rows: float


TABLES = (
    Table(name="condition_occurrence", concept="condition_concept_id", first_id=1_000_000, concepts=2000, rows=30.5),
    Table(name="measurement", concept="measurement_concept_id", first_id=2_000_000, concepts=1500, rows=50.6),
    Table(name="drug_exposure", concept="drug_concept_id", first_id=3_000_000, concepts=1500, rows=20.5),
)

_OWN: Mapping[str, str] = {
    "condition_occurrence": """condition_occurrence_id, person_id, concept_id AS condition_concept_id,
        day AS condition_start_date, day + (h2 % 30)::INTEGER AS condition_end_date, 32817 AS condition_type_concept_id,
        visit AS visit_occurrence_id, 'c' || concept_id AS condition_source_value, 0 AS condition_source_concept_id,
        32902 + (h2 % 3)::INTEGER AS condition_status_concept_id""",
    "measurement": """measurement_id, person_id, concept_id AS measurement_concept_id, day AS measurement_date,
        32817 AS measurement_type_concept_id, round((h2 % 20000) / 100.0, 2)::DOUBLE AS value_as_number,
        NULL::INTEGER AS value_as_concept_id, 8840 + (concept_id % 5)::INTEGER AS unit_concept_id,
        visit AS visit_occurrence_id, 'm' || concept_id AS measurement_source_value, 0 AS measurement_source_concept_id""",
    "drug_exposure": """drug_exposure_id, person_id, concept_id AS drug_concept_id, day AS drug_exposure_start_date,
        day + (h2 % 90)::INTEGER AS drug_exposure_end_date, 32838 AS drug_type_concept_id,
        (h2 % 90)::INTEGER AS days_supply, visit AS visit_occurrence_id, 'd' || concept_id AS drug_source_value,
        0 AS drug_source_concept_id""",
}


def make(folder: Path, persons: int, seed: int) -> None:
    """Write a population as one Parquet file for each table, in the order of persons."""
    folder.mkdir(parents=True)
    with duckdb.connect(config={"memory_limit": "2GB", "temp_directory": str(folder / "spill")}) as connection:
        connection.execute("SET preserve_insertion_order = true")

        def write(name: str, query: str) -> None:
            file = str(folder / f"{name}.parquet").replace("'", "''")
            connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")

        # Identifiers spread like those of a hub, in the order of i.
        connection.execute(f"CREATE MACRO person(i) AS (i * 4294967296 + hash(i + {seed}) % 4294967296)::BIGINT")
        connection.execute(f"CREATE MACRO mixed(i, salt) AS hash(i * 31 + salt + {seed})")
        write(
            "person",
            f"""SELECT person(i) AS person_id, {SEX[0]} + 25 * (mixed(i, 1) % 2)::INTEGER AS gender_concept_id,
                1930 + (mixed(i, 2) % 90)::INTEGER AS year_of_birth, 8527 AS race_concept_id,
                38003564 AS ethnicity_concept_id FROM range({persons}) AS r(i)""",
        )
        write(
            "observation_period",
            f"""SELECT i AS observation_period_id, person(i) AS person_id, DATE '2008-01-01' AS
                observation_period_start_date, DATE '2025-06-30' AS observation_period_end_date,
                32817 AS period_type_concept_id FROM range({persons}) AS r(i)""",
        )
        for number, table in enumerate(TABLES):
            rows = int(table.rows * persons)
            key = (
                f"{table.name.split('_')[0]}_{table.name.split('_')[1]}_id" if "_" in table.name else f"{table.name}_id"
            )
            # Some have more events than others: the place among persons is a power of the place among events.
            events = f"""SELECT i AS {key}, person((pow(i / {rows}.0, 1.2) * {persons})::BIGINT % {persons}) AS person_id,
                {table.first_id} + ((pow((mixed(i, {number * 7 + 3}) % 1000003) / 1000003.0, 3) * {table.concepts})::INTEGER
                    % {table.concepts} * 769 % {table.concepts}) AS concept_id,
                DATE '2008-01-01' + (mixed(i, {number * 7 + 4}) % 6200)::INTEGER AS day,
                mixed(i, {number * 7 + 5}) AS h2, i // 4 AS visit FROM range({rows}) AS r(i)"""
            write(table.name, f"SELECT {_OWN[table.name]} FROM ({events})")
        ids = " UNION ALL ".join(f"SELECT {t.first_id} + i AS id FROM range({t.concepts}) AS r(i)" for t in TABLES)
        write(
            "concept",
            f"SELECT id::INTEGER AS concept_id, NULL::VARCHAR AS invalid_reason, 'c' || id AS concept_name FROM ({ids})",
        )
        # The concept of place i in a table's tree is below that of place (i - 1) // 6; everything is below itself.
        tree = " UNION ALL ".join(
            f"""SELECT {t.first_id} + above AS ancestor, {t.first_id} + i AS descendant, levels FROM (
                WITH RECURSIVE up(i, above, levels) AS (
                    SELECT i, i, 0 FROM range({t.concepts}) AS r(i)
                    UNION ALL SELECT i, (above - 1) // {BRANCHES}, levels + 1 FROM up WHERE above > 0)
                SELECT * FROM up)"""
            for t in TABLES
        )
        write(
            "concept_ancestor",
            f"""SELECT ancestor::INTEGER AS ancestor_concept_id, descendant::INTEGER AS descendant_concept_id,
                levels AS min_levels_of_separation, levels AS max_levels_of_separation FROM ({tree})""",
        )
        write(
            "concept_relationship",
            """SELECT 0 AS concept_id_1, 0 AS concept_id_2, 'Maps to' AS relationship_id,
                NULL::VARCHAR AS invalid_reason WHERE false""",
        )
