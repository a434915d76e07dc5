"""Criteria groups: events around an index event in time windows, how many of them, and what the person is."""

from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.formats.circe.criteria import countable, filters, read_criterion
from fairhaven.cohort.formats.circe.criteria_properties import COUNT_COLUMNS, DEMOGRAPHIC_PROPERTIES
from fairhaven.cohort.formats.json_object import JsonObject
from fairhaven.cohort.model import (
    Correlated,
    DateField,
    Demographic,
    Edge,
    Events,
    Group,
    Match,
    Occurrence,
    OccurrenceType,
    Window,
)

_MATCHES = {"ALL": Match.ALL, "ANY": Match.ANY, "AT_LEAST": Match.AT_LEAST, "AT_MOST": Match.AT_MOST}
_TIMES = (OccurrenceType.EXACTLY, OccurrenceType.AT_MOST, OccurrenceType.AT_LEAST)
_NO_VISIT_DETAIL = "has no meaning in the reference, which cannot run it; use VISIT_ID"


def read_group(part: JsonObject) -> Group:
    """A group; one without members holds, whatever its type."""
    members: list[Correlated | Demographic | Group] = [
        *filter(None, map(_correlated, part.parts("CriteriaList"))),
        *map(_demographic, part.parts("DemographicCriteriaList")),
        *map(read_group, part.parts("Groups")),
    ]
    kind = (part.text("Type") or "").upper()
    count = part.whole("Count")
    if not members:
        return Group()
    match = _MATCHES.get(kind)
    is_counted = match in (Match.AT_LEAST, Match.AT_MOST)
    if match is None:
        part.fault("Type", "must be ALL, ANY, AT_LEAST or AT_MOST")
    elif is_counted and (part.lacks("Count") or (count is not None and count < 0)):
        part.fault("Count", f"must say how many members {kind} means, 0 or more")
    return Group(match=match or Match.ALL, count=count if is_counted else None, members=tuple(members))


def _demographic(part: JsonObject) -> Demographic:
    return Demographic(filters=filters(part, DEMOGRAPHIC_PROPERTIES))


def _correlated(part: JsonObject) -> Correlated | None:
    ignores_period = bool(part.flag("IgnoreObservationPeriod"))
    wrapper = part.part("Criteria", needed="the criterion that is looked for")
    events = None if wrapper is None else read_criterion(wrapper, read_group)
    kind = next(iter(wrapper.values), "") if wrapper is not None else ""
    occurrence = _occurrence(part, kind)
    start = part.part("StartWindow", needed="the window that the event lies in")
    end = part.part("EndWindow")
    first = None if start is None else _window(start, ignores_period, event_end=False)
    second = None if end is None else _window(end, ignores_period, event_end=True)
    same_visit = bool(part.flag("RestrictVisit"))
    if events is None or first is None:
        return None
    if same_visit and not (isinstance(events, Events) and DOMAINS[events.domain].visit):
        part.fault("RestrictVisit", f"has no meaning for {kind}, whose events name no visit; leave it out")
    is_open = second is not None and second.since is Edge.OPEN and second.until is Edge.OPEN
    return Correlated(
        events=events,
        occurrence=occurrence,
        start=first,
        end=None if is_open else second,
        within_observation=not ignores_period,
        same_visit=same_visit,
    )


def _window(part: JsonObject, ignores_period: bool, *, event_end: bool) -> Window:
    """A window.

    Args:
        event_end: whether the event's end is looked at where the window does not say.
    """
    asks_end = part.flag("UseEventEnd")
    return Window(
        since=_edge(part, "Start", ignores_period),
        until=_edge(part, "End", ignores_period),
        of=DateField.END if (event_end if asks_end is None else asks_end) else DateField.START,
        index=DateField.END if part.flag("UseIndexEnd") else DateField.START,
    )


def _edge(window: JsonObject, key: str, ignores_period: bool) -> int | Edge:
    """An end of a window: days before (``Coeff`` -1) or after (1) the index date; without days as far as is observed."""
    part = window.part(key, needed="an end of the window, written {Days, Coeff}")
    if part is None:
        return Edge.OPEN
    days, sign = part.days("Days", negative=True), part.whole("Coeff") or 0
    if sign not in (-1, 0, 1):
        part.fault("Coeff", "must be -1 (before) or 1 (after)")
    if days is not None:
        return days * sign
    if ignores_period:
        return Edge.OPEN
    return Edge.PERIOD_START if sign == -1 else Edge.PERIOD_END


def _occurrence(correlated: JsonObject, kind: str) -> Occurrence:
    part = correlated.part("Occurrence", needed="how many events there must be")
    if part is None:
        return Occurrence()
    times, count = part.whole("Type") or 0, part.whole("Count") or 0
    is_distinct = bool(part.flag("IsDistinct"))
    column = part.choice("CountColumn", COUNT_COLUMNS)
    if not 0 <= times < len(_TIMES):
        part.fault("Type", "must be 0 (exactly), 1 (at most) or 2 (at least)")
        times = 0
    if count < 0:
        part.fault("Count", "must be 0 or more")
    distinct = _distinct(part, kind, column or "DOMAIN_CONCEPT") if is_distinct else None
    return Occurrence(times=_TIMES[times], count=count, distinct=distinct)


def _distinct(part: JsonObject, kind: str, column: str) -> str | None:
    offered = countable(kind)
    if column in offered:
        return offered[column]
    why = _NO_VISIT_DETAIL if column == "VISIT_DETAIL_ID" else f"is nothing that {kind} can be counted by"
    part.fault("CountColumn", f"{column} {why} (known: {', '.join(sorted(offered))})")
    return None
