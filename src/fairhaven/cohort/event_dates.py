"""How a row of a table becomes an event: the days it starts and ends on, whoever reads it."""

import ibis
import ibis.expr.types as ir

from fairhaven.cohort.day_numbers import days, first_of_year
from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.model import Domain


def date_columns(domain: Domain) -> frozenset[str]:
    """The columns of a table that its events' dates come from."""
    facts = DOMAINS[domain]
    return frozenset(name for name in (facts.start, facts.end, facts.end_after) if isinstance(name, str))


def start_day(domain: Domain, table: ir.Table) -> ir.IntegerValue:
    """The day an event starts on, as a number."""
    column = table[DOMAINS[domain].start]
    return first_of_year(column) if domain is Domain.PERSON else days(column)


def end_day(domain: Domain, table: ir.Table) -> ir.IntegerValue:
    """The day an event ends on, as a number; what stands for an end that is missing is in `DomainFacts.end_after`."""
    facts = DOMAINS[domain]
    start = start_day(domain, table)
    if domain is Domain.PERSON:
        return start
    known = [days(table[facts.end])] if facts.end else []
    if isinstance(facts.end_after, str):
        known.append(start + table[facts.end_after].cast("int64"))
    if facts.end_after is not None:
        known.append(start + 1)
    return ibis.coalesce(*known)


def ends_on_next_day(domain: Domain) -> bool:
    """Whether every event of a table ends on the day after it starts."""
    return DOMAINS[domain].end is None and DOMAINS[domain].end_after == 1
