"""One rule of an availability question: events of a person, or what the person is."""

import datetime as dt
import re
from dataclasses import dataclass
from functools import partial

from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.formats.json_object import JsonObject
from fairhaven.cohort.formats.rquest.bounds import read_bound, read_range
from fairhaven.cohort.model import (
    Compare,
    Correlated,
    Demographic,
    Domain,
    Events,
    Filter,
    Group,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
)

_TABLES = {
    "Condition": (Domain.CONDITION_OCCURRENCE,),
    "Death": (Domain.DEATH,),
    "Drug": (Domain.DRUG_EXPOSURE,),
    "Measurement": (Domain.MEASUREMENT,),
    "Observation": (Domain.OBSERVATION,),
    "Procedure": (Domain.PROCEDURE_OCCURRENCE,),
    "Specimen": (Domain.SPECIMEN,),
    # The reference has no table for this one and looks in all that it always reads.
    "Medication": (
        Domain.CONDITION_OCCURRENCE,
        Domain.DRUG_EXPOSURE,
        Domain.MEASUREMENT,
        Domain.OBSERVATION,
        Domain.PROCEDURE_OCCURRENCE,
    ),
}
_WITH_VALUES = ("Measurement", "Observation")
_GENDERS = (8507, 8521, 8532, 8551, 8570)
_ETHNICITIES = (38003563, 38003564)
_KNOWN_COLUMNS = dict.fromkeys(_GENDERS, ("gender_concept_id",)) | dict.fromkeys(
    _ETHNICITIES, ("ethnicity_concept_id",)
)
_PERSON_COLUMNS = ("gender_concept_id", "race_concept_id", "ethnicity_concept_id")
"""The columns of PERSON that another concept can stand in. Races are too many to be listed here, and grow."""
_CONCEPT = re.compile(r"[0-9]{1,18}")
_NO_PLACE = "asks where persons live, which a release does not hold; leave the rule out"


@dataclass(frozen=True, kw_only=True, slots=True)
class RQuestRule:
    """What a rule asks of a person.

    Args:
        excludes: whoever has such an event is kept out of the group; the member says that there is none.
    """

    member: Correlated | Demographic | Group
    excludes: bool = False


def read_rule(part: JsonObject, today: dt.date) -> RQuestRule | None:
    """A rule; None where it has a fault."""
    category, kind = part.text("varcat"), part.text("type") or "TEXT"
    operator = part.text("oper") or "="
    part.know(["varname", "value", "time", "secondary_modifier"])
    if operator not in ("=", "!="):
        part.fault("oper", "must be = or !=")
        return None
    if category == "Location" or kind == "GEO_RADIUS":
        part.fault("varcat" if category == "Location" else "type", _NO_PLACE)
        return None
    if kind not in ("TEXT", "NUM"):
        part.fault("type", "must be TEXT (a concept) or NUM (an age, or a concept with a range of values)")
        return None
    if category == "Person":
        return _person(part, kind, operator == "!=", today)
    if category in _TABLES:
        return _events(part, category, kind, operator == "!=", today)
    part.fault("varcat", f"must be one of Person, {', '.join(_TABLES)}")
    return None


def _person(part: JsonObject, kind: str, excludes: bool, today: dt.date) -> RQuestRule | None:
    if part.values.get("secondary_modifier"):
        part.fault("secondary_modifier", "has no effect on a person; leave it out")
    if part.text("varname") == "AGE":
        return _age(part, kind, excludes, today)
    if kind == "NUM":
        part.fault("type", "NUM asks a person's age, whose varname is AGE")
        return None
    concept = part.parsed("value", _concept)
    if concept is None:
        if not part.text("value"):
            part.fault("value", "is missing; give the concept of a sex, a race or an ethnicity")
        return None
    bound = part.parsed("time", partial(read_bound, today=today))
    if bound is not None and bound.field != "age":
        part.fault("time", "must be an age (as in 50|:AGE:Y) for a person, who has no date of their own")
        return None
    ages = () if bound is None else (bound.at_birth(today),)
    columns = _KNOWN_COLUMNS.get(concept, _PERSON_COLUMNS)
    if excludes and not ages and len(columns) == 1:
        test = OneOf(concepts=(concept,), excluded=True)
        return RQuestRule(member=Demographic(filters=(Filter(field=columns[0], test=test),)))
    found = tuple(
        Demographic(filters=(Filter(field=column, test=OneOf(concepts=(concept,))), *ages)) for column in columns
    )
    if excludes:
        return RQuestRule(member=Group(match=Match.AT_MOST, count=0, members=found))
    return RQuestRule(member=found[0] if len(found) == 1 else Group(match=Match.ANY, members=found))


def _age(part: JsonObject, kind: str, excludes: bool, today: dt.date) -> RQuestRule | None:
    """The age that a person reaches in this calendar year."""
    if part.text("time"):
        part.fault("time", "has no effect on a person's age; give the range in value")
    if excludes:
        part.fault("oper", "!= has no effect on a person's age in the reference; ask for the ages that are wanted")
    if kind != "NUM":
        part.fault("type", "must be NUM for an age")
        return None
    ages = part.parsed("value", read_range)
    if ages is None:
        return None
    born = Numbers(compare=Compare.BETWEEN, value=today.year - ages[1], to=today.year - ages[0])
    return RQuestRule(member=Demographic(filters=(Filter(field="year_of_birth", test=born),)))


def _events(part: JsonObject, category: str, kind: str, excludes: bool, today: dt.date) -> RQuestRule | None:
    filters: list[Filter] = []
    if kind == "NUM":
        if category not in _WITH_VALUES:
            part.fault("type", f"NUM has no effect on {category} in the reference; only {' and '.join(_WITH_VALUES)}")
        values = part.parsed("value", read_range)
        if values is not None:
            between = Numbers(compare=Compare.BETWEEN, value=values[0], to=values[1])
            filters.append(Filter(field="value_as_number", test=between))
        concept = part.parsed("varname", _measured_concept)
    else:
        if part.text("varname") not in (None, "", "OMOP"):
            part.fault("varname", "must be OMOP for a concept that stands in value")
        concept = part.parsed("value", _concept)
    bound = part.parsed("time", partial(read_bound, today=today))
    if bound is not None:
        filters.append(bound.at_event())
    types = _types(part, category)
    found = tuple(
        Correlated(
            events=Events(domain=domain, filters=(*_concept_filter(domain, concept), *filters, *types)),
            occurrence=Occurrence(times=OccurrenceType.EXACTLY, count=0) if excludes else Occurrence(),
            within_observation=False,
        )
        for domain in _TABLES[category]
    )
    if len(found) == 1:
        return RQuestRule(member=found[0], excludes=excludes)
    return RQuestRule(member=Group(match=Match.ALL if excludes else Match.ANY, members=found), excludes=excludes)


def _concept_filter(domain: Domain, concept: int | None) -> tuple[Filter, ...]:
    column = DOMAINS[domain].concept
    return () if concept is None or column is None else (Filter(field=column, test=OneOf(concepts=(concept,))),)


def _types(part: JsonObject, category: str) -> tuple[Filter, ...]:
    """The provenance of a condition."""
    given = part.values.get("secondary_modifier")
    if not given:
        return ()
    if category != "Condition":
        part.fault(
            "secondary_modifier", f"has no effect on {category} in the reference, only on Condition; leave it out"
        )
        return ()
    texts = [str(one) for one in given if not isinstance(one, bool)] if isinstance(given, list) else []
    if not texts or not all(_CONCEPT.fullmatch(text) and int(text) for text in texts) or len(texts) < len(given):
        part.fault("secondary_modifier", "must be a list of concept ids")
        return ()
    concepts = tuple(sorted(set(map(int, texts))))
    return (Filter(field="condition_type_concept_id", test=OneOf(concepts=concepts)),)


def _measured_concept(text: str) -> int | None:
    _, _, concept = text.partition("=")
    if not concept:
        raise ValueError("must name the concept, as in OMOP=3004410")
    return _concept(concept)


def _concept(text: str) -> int | None:
    if text and not _CONCEPT.fullmatch(text):
        raise ValueError("names no concept; give its id in digits")
    return int(text) if text else None
