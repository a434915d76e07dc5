"""The day and the time where something happened, of moments that name a zone.

A record's day is the day where the patient was. An offset that is written (2020-07-01T00:30:00+01:00) is of that place, so the
clock stands there as written. UTC (Z, +00:00, a Parquet timestamp that is adjusted to it) is nobody's place: it becomes the time
of the zone that its source declares.
"""

import zoneinfo
from functools import cache

from fairhaven.engine.sql import literal

USUAL = "Europe/London"
_PLAIN = 19
"""Characters of 2020-07-01 00:30:00."""


def is_zone(name: str) -> bool:
    """Whether it is a zone of the IANA database."""
    return name == USUAL or name in _zones()


@cache
def _zones() -> frozenset[str]:
    # Every file of the database is looked at for it, and most hubs name no zone but the usual one.
    return frozenset(zoneinfo.available_timezones())


def wall_clock(text: str, zone: str) -> str:
    """SQL of a TIMESTAMP: the clock on the wall of a text that is a day with a time, and perhaps an offset behind it; NULL of others.

    Args:
        text: SQL of a VARCHAR.
        zone: of the source.
    """
    # A cast passes over an offset, so that what it gives is the clock as written; but not over a blank before it (SQL Server).
    written = rf"try_cast(regexp_replace({text}, ' ([+-][0-9:]+)$', '\1') AS TIMESTAMP)"
    plain = f"try_cast({text} AS TIMESTAMP)"
    return (
        f"CASE WHEN length({text}) = {_PLAIN} THEN {plain} "
        f"WHEN {is_utc(text)} THEN {in_zone(written, zone)} ELSE {written} END"
    )


def is_utc(text: str) -> str:
    """SQL: whether a moment is said in UTC, as one of the databases says it."""
    return rf"regexp_matches({text}, '(Z|UTC|[0-9] ?[+-]00(:?00)?)$')"


def in_zone(utc: str, zone: str) -> str:
    """SQL of a TIMESTAMP: the clock of a zone at a TIMESTAMP of UTC."""
    return f"timezone({literal(zone)}, timezone('UTC', {utc}))"


def at_instant(instant: str, zone: str) -> str:
    """SQL of a TIMESTAMP: the clock of a zone at a TIMESTAMP WITH TIME ZONE."""
    return f"timezone({literal(zone)}, {instant})"
