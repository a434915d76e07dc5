"""What turns on something that an index does not keep, and is therefore beyond it."""

from fairhaven.cohort.domains import DEMOGRAPHIC_FIELDS
from fairhaven.cohort.engines.bitmap_index.plan import EventRows, IndexCannotAnswer
from fairhaven.cohort.engines.bitmap_index.window_bounds import is_open
from fairhaven.cohort.model import (
    CohortDefinition,
    Correlated,
    DateField,
    DateOffset,
    Demographic,
    EndOfObservation,
    Events,
    Group,
    Occurrence,
)

_OF_START = frozenset({"start_date", "age", *DEMOGRAPHIC_FIELDS} - {"end_date"})
"""Fields that are the same for all events of a person that start on one day."""


def check_exit(definition: CohortDefinition, *, are_persons: bool) -> None:
    """A stay may end as it likes, as long as it cannot come to nothing.

    Args:
        are_persons: the entry is of persons as such, which end on the day they start.

    Raises:
        IndexCannotAnswer: it can.
    """
    window = definition.window
    if window is not None and (window.start is not None or window.end is not None):
        raise IndexCannotAnswer("stays cut to calendar dates")
    match definition.exit:
        case EndOfObservation():
            pass
        case DateOffset(date=date, days=days) if days >= 0 and (are_persons or date is DateField.START):
            pass
        case _:
            raise IndexCannotAnswer("an exit that might fall before the entry")


def check_occurrence(rows: EventRows, occurrence: Occurrence, of: DateField) -> None:
    """Raise IndexCannotAnswer where counting the rows takes more than their persons and days."""
    if rows.first and of is DateField.END:
        raise IndexCannotAnswer("the end of a first event")
    if occurrence.distinct is None:
        return
    if occurrence.distinct != "start_date":
        raise IndexCannotAnswer(f"different values of {occurrence.distinct}")
    if of is not DateField.START:
        raise IndexCannotAnswer("different start dates of events in a window on their end")


def check_first_event(criterion: Events) -> None:
    """Raise IndexCannotAnswer where it matters which of the events on one day is first: an index does not keep their ids."""
    if any(each.field not in _OF_START for each in criterion.filters):
        raise IndexCannotAnswer("a test of a first event on more than its date")
    check_start_only(criterion.nested)


def check_start_only(group: Group | None) -> None:
    """Raise IndexCannotAnswer where a condition looks at the end of the index event."""
    for member in group.members if group else ():
        match member:
            case Group():
                check_start_only(member)
            case Demographic():
                if any(each.field == "end_date" for each in member.filters):
                    raise IndexCannotAnswer("the end of a first or last event")
            case Correlated():
                for window in (member.start, member.end):
                    if window is not None and window.index is DateField.END and not is_open(window, observed=True):
                        raise IndexCannotAnswer("the end of a first or last event")
