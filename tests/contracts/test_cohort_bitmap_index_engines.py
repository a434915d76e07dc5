"""Every engine makes the same discovery index, to the last person and event."""

from pathlib import Path
from random import Random

import numpy as np

from fairhaven.cohort.engines.bitmap_index import DiscoveryIndex
from fairhaven.cohort.engines.bitmap_index.storage import Arrays
from fairhaven.cohort.model import Domain
from fairhaven.engine import Engine
from tests.support.cohort_results import on
from tests.support.cohort_strategies import cdm


def test_an_engine_makes_the_index_that_duckdb_makes(spark: Engine, reference: Engine, tmp_path: Path) -> None:
    rows = cdm(Random(5), persons=40)
    # A table without rows, and one with a value in one row only.
    rows["episode"] = []
    rows["specimen"] = rows["specimen"][:1]
    mine = DiscoveryIndex.build(on(spark, rows), spark, tmp_path / "mine")
    theirs = DiscoveryIndex.build(on(reference, rows), reference, tmp_path / "theirs")

    assert mine.persons == theirs.persons == 40
    for domain in Domain:
        if domain is not Domain.PERSON:
            assert dict(mine.by_concept(domain)) == dict(theirs.by_concept(domain)), domain
    for column in ("gender_concept_id", "race_concept_id", "year_of_birth"):
        assert dict(mine.by_value(column)) == dict(theirs.by_value(column))

    left, right = Arrays(tmp_path / "mine"), Arrays(tmp_path / "theirs")
    assert left.facts["tables"] == right.facts["tables"]
    for file, described in right.facts["files"].items():
        for name in described["arrays"]:
            if (
                file in ("persons", "periods", "concepts", "bitmaps")
                or name in ("concepts", "first")
                or "values" in name
            ):
                assert np.array_equal(left.stream(file, name), right.stream(file, name)), (file, name)
        if file in rows:
            # Rows of one concept, person and day come in whatever order.
            assert events(left, file) == events(right, file), file


def events(arrays: Arrays, file: str) -> list[tuple[object, ...]]:
    names = [
        name
        for name in arrays.facts["files"][file]["arrays"]
        if name not in ("concepts", "first") and "values" not in name
    ]
    concept = np.repeat(arrays(file, "concepts"), np.diff(arrays(file, "first")))
    columns = [np.nan_to_num(arrays(file, name), nan=-1.0).tolist() for name in names]
    return sorted(zip(concept.tolist(), *columns, strict=True))
