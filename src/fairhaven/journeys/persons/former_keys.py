"""Person keys that only earlier releases have: where two persons turn out to be one, one key lives on, and what was released before
keeps the other. An erasure must reach both.

Whose a former key is, is told by lineage: a release's row of ``person`` comes from a landed row, which bears a patient, whom the index
of persons knows.
"""

from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.sql import parquet
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.files import readers_scratch

_PERSON = "person"


def check_persons_of_releases(rooms: Rooms) -> None:
    """Refuse to read the persons of releases where files of them are not those of the manifests.

    Raises:
        Invalid: every file that was altered or is missing.
    """
    for release in rooms.archive.releases():
        rooms.archive.check_rows(release, _PERSON)


def former_keys(rooms: Rooms, index: pa.Table) -> Mapping[int, frozenset[int]]:
    """Each person key that releases have and the index has not -> keys of the persons to whom its patients belong now.

    Args:
        index: of persons; every patient who was received is in it.
    """
    files = sorted({file for release in rooms.archive.releases() for file in rooms.archive.files(release, _PERSON)})
    if not files:
        return {}
    with readers_scratch() as work, open_duckdb(spill=work, reaches=files) as connection:
        persons = connection.execute(
            f"SELECT DISTINCT person_id, row_extract, row_line FROM {parquet(*files)} WHERE row_line IS NOT NULL"
        ).fetch_arrow_table()
    former = persons.filter(pc.invert(pc.is_in(persons["person_id"], value_set=index["person_id"].combine_chunks())))
    places: defaultdict[int, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for row in former.to_pylist():
        places[row["row_extract"]][row["row_line"]].add(row["person_id"])
    found: defaultdict[int, set[int]] = defaultdict(set)
    for extract, keys_of in places.items():
        bearing = rooms.intake.patients_at(extract, keys_of, table=_PERSON)
        for row in index.join(bearing, ["source", "patient_ref"], join_type="inner").to_pylist():
            for key in keys_of[row["row_line"]]:
                found[key].add(row["person_id"])
    return {key: frozenset(heirs) for key, heirs in found.items()}
