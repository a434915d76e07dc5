"""The public CDMs of the shared test data, unpacked as they are and delivered in whatever form."""

import tarfile
import zipfile
from pathlib import Path

import duckdb

from fairhaven.omop import CDM
from tests.support.partner_cdm import vocabulary_files

PUBLIC_CDMS = ("omop_gibleed_5.3", "omop_synthea27nj_5.4", "etl_pair_synthea_tutorial")
FORMS = ("duckdb", "parquet", "csv")


def tables_of(originals: Path) -> list[str]:
    """Names of the tables in a DuckDB file."""
    with duckdb.connect(str(originals), read_only=True) as connection:
        return [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]


def originals_of(folder: Path, scratch: Path) -> Path:
    """The tables of a public CDM as a DuckDB file; what was delimited text is text."""
    unpacked = scratch / "unpacked"
    for path in folder.iterdir():
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(unpacked)
        elif path.suffix == ".gz":
            with tarfile.open(path) as tar:
                tar.extractall(unpacked, filter="data")
    where = unpacked if unpacked.exists() else folder
    files = [*where.glob("*.parquet"), *where.glob("*.csv"), *where.glob("syntheaCDM/*.csv")]
    with duckdb.connect(str(scratch / "originals.duckdb")) as connection:
        for file in files:
            name = file.stem.lower()
            reading = f"'{file}'" if file.suffix == ".parquet" else f"read_csv('{file}', header=true, all_varchar=true)"
            if name in CDM:
                connection.execute(f"CREATE TABLE {name} AS FROM {reading}")
                for column, *_ in connection.execute(f"DESCRIBE {name}").fetchall():
                    if column != column.lower():
                        connection.execute(f'ALTER TABLE {name} RENAME "{column}" TO {column.lower()}')
    return scratch / "originals.duckdb"


def vocabulary_of(originals: Path, folder: Path) -> Path:
    """The vocabulary that a CDM brings along, without links to concepts that it lacks; another where it brings none."""
    folder.mkdir()
    if "concept" not in tables_of(originals):
        return vocabulary_files(folder)
    with duckdb.connect(str(originals), read_only=True) as connection:
        connection.execute(f"COPY concept TO '{folder}/concept.csv' (HEADER)")
        known = "concept_id_1 IN (SELECT concept_id FROM concept) AND concept_id_2 IN (SELECT concept_id FROM concept)"
        links = f"(FROM concept_relationship WHERE {known})"
        connection.execute(f"COPY {links} TO '{folder}/concept_relationship.csv' (HEADER)")
    return folder


def delivered(originals: Path, target: Path, form: str) -> Path:
    """The tables in a form of `FORMS`, or the delimited ones zipped."""
    if form == "duckdb":
        return originals
    target.mkdir()
    if form == "zip":
        with zipfile.ZipFile(target / "cdm.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(delivered(originals, target / "csv", "csv").iterdir()):
                archive.write(path, path.name)
        return target / "cdm.zip"
    options = "FORMAT csv, HEADER" if form == "csv" else "FORMAT parquet"
    with duckdb.connect(str(originals), read_only=True) as connection:
        for table in tables_of(originals):
            connection.execute(f"COPY {table} TO '{target}/{table}.{form}' ({options})")
    return target
