"""What bitmaps stand for: the kinds of sets of persons in an index, by name."""

from fairhaven.cohort.domains import PERSON_COLUMNS
from fairhaven.cohort.model import Domain

EVERYBODY = "everybody"


def has_event(domain: Domain) -> str:
    """Persons with any event of a table (concept 0)."""
    return f"{domain} any"


def has_concept(domain: Domain) -> str:
    """Persons with a concept in a table."""
    return f"{domain} concept"


def has_descendant(domain: Domain) -> str:
    """Persons with any valid concept below one in a table, kept where putting them together takes time."""
    return f"{domain} below"


def has_source(domain: Domain) -> str:
    """Persons with a source concept in a table."""
    return f"{domain} source"


def has_attribute(field: str) -> str:
    """Persons by a column of PERSON."""
    return f"person {field}"


def number_keys(domains: list[Domain]) -> dict[str, int]:
    """A number for each kind."""
    names = [EVERYBODY, *(has_attribute(field) for field in PERSON_COLUMNS)]
    for domain in domains:
        names += [has_event(domain), has_concept(domain), has_descendant(domain), has_source(domain)]
    return {name: number for number, name in enumerate(names)}
