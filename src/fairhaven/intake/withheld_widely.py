"""Texts that are withheld at the rows of many patients, and by whose records: somebody may have made these up.

A name that stands at many patients' rows may be that of a member of staff who is a patient, too. Or it is none: then the records of its source
have a display withheld that tells nothing of anybody, and only people can know it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.identifiers.known_identifiers import KnownIdentifiers
from fairhaven.identifiers.texts_with_identifiers import find_texts
from fairhaven.intake.model import WidelyWithheld

MANY = 20
"""Patients; a family's name stands at the rows of fewer."""


def widely_withheld(connection: duckdb.DuckDBPyConnection, queries: Mapping[int, str]) -> dict[str, int]:
    """Text -> at how many patients' rows it is withheld, where these are many.

    Args:
        connection: with ``texts_with_identifiers`` and ``texts (text, place)``.
        queries: place -> query of ``patient_ref, text``.
    """
    having = connection.execute("SELECT DISTINCT place FROM texts SEMI JOIN texts_with_identifiers USING (text)")
    parts = [queries[place] for (place,) in having.fetchall()]
    if not parts:
        return {}
    found = connection.execute(
        f"SELECT text, count(DISTINCT patient_ref) AS patients FROM ({' UNION ALL '.join(parts)}) "
        f"SEMI JOIN texts_with_identifiers USING (text) GROUP BY text HAVING patients >= {MANY}"
    )
    return dict(found.fetchall())


def by_whose_records(
    texts: Mapping[str, int], known: Iterable[tuple[str, KnownIdentifiers]], *, key: bytes, work: Path
) -> tuple[WidelyWithheld, ...]:
    """The sources by whose records such texts are withheld.

    Args:
        texts: as of `widely_withheld`.
        known: source -> what is believed of its records in these texts.
        key: of the tokens.
        work: private folder for spill.
    """
    found = list[WidelyWithheld]()
    with open_duckdb(spill=work, reaches=[work]) as connection:
        connection.register("wide_texts", pa.table({"text": pa.array(texts, pa.string())}))
        for source, records in known:
            find_texts(connection, "wide_texts", records, key=key)
            patients = [texts[text] for (text,) in connection.execute("FROM texts_with_identifiers").fetchall()]
            if patients:
                found.append(WidelyWithheld(source=source, texts=len(patients), patients=max(patients)))
    return tuple(found)
