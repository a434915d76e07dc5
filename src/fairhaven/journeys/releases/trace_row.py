"""The way back from a row of a release to the line it came from."""

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import check_read
from fairhaven.kernel.errors import Invalid, NotFound
from fairhaven.kernel.files import readers_scratch
from fairhaven.omop import CDM


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Where a row came from.

    Args:
        rule: name of the mapping rule; ``rule_file`` is where it is written.
        source, file, line, sha256, delivery, received_on: the place in what was delivered; None where the row was derived
            from other rows of the release (eras, periods).
    """

    release: str
    table: str
    row_id: int
    rule: str
    rule_file: str
    source: str | None = None
    controller: str | None = None
    file: str | None = None
    line: int | None = None
    sha256: str | None = None
    delivery: int | None = None
    received_on: str | None = None


def trace(rooms: Rooms, *, table: str, row_id: int, release: str | None = None) -> Trace:
    """Find a row's origin.

    Raises:
        Invalid: the table is none of the CDM's, or has no key to find a row by.
        NotFound: the release has no such row.
    """
    if table not in CDM:
        raise Invalid(
            f"{table} is not a table of the OMOP CDM 5.4; the event tables are condition_occurrence and so on"
        )
    key = CDM[table].primary_key or ("person_id" if CDM[table].has_person else "")
    if not key:
        raise Invalid(f"{table} has no key by which a row could be found")
    found = rooms.archive.release(release)
    rooms.archive.check_rows(found, table)
    files = rooms.archive.files(found, table)
    rows: list[dict[str, Any]] = []
    if files:
        with readers_scratch() as work, closing(rooms.new_engine(work)) as engine:
            stored = engine.parquet(files)
            wanted = stored.filter(stored[key] == row_id).select("row_extract", "row_line", "row_rule")
            rows = engine.fetch(wanted).to_pylist()
    if not rows:
        raise NotFound(f"{found.name} has no row {row_id} in {table}")
    row = rows[0]
    rule = next((rule for rule in found.facts.rules if rule.number == row["row_rule"]), None)
    origin = Trace(
        release=found.name,
        table=table,
        row_id=row_id,
        rule=rule.name if rule else "made by Fairhaven itself",
        rule_file=rule.file if rule else "",
    )
    if row["row_extract"] is None or row["row_line"] is None:
        return origin
    check_read(rooms, rooms.intake.places_told([row["row_extract"]]))
    place = rooms.intake.where(row["row_extract"], row["row_line"])
    source = rooms.sources.get(place.source)
    return replace(
        origin,
        source=place.source,
        controller=source.controller if source else None,
        file=place.file,
        line=place.line,
        sha256=place.sha256,
        delivery=place.delivery,
        received_on=place.received_on.isoformat(),
    )
