"""Cohort definitions as OHDSI's Circe JSON, as far as Circe can say them: for tests, so that its SQL can be a second oracle.

The tables here were read off the reference's SQL on their own, not off `fairhaven.cohort.formats.circe`, which they check.
"""

from collections.abc import Mapping
from typing import Any

from fairhaven.cohort.model import (
    Abnormal,
    CohortDefinition,
    Compare,
    ConceptSet,
    ConceptSetItem,
    Correlated,
    Criterion,
    DateField,
    DateOffset,
    Dates,
    Demographic,
    Domain,
    DrugEraExit,
    Edge,
    EndOfObservation,
    EntryEvents,
    Eras,
    Events,
    Filter,
    Group,
    InSet,
    Known,
    Match,
    Numbers,
    Occurrence,
    OccurrenceType,
    OneOf,
    Text,
    UserPeriod,
    Window,
)

Json = dict[str, Any]

ANY_DAY = 100_000
"""Days that no two dates of a CDM lie apart; Circe cannot leave a window open within an observation period."""


class Inexpressible(Exception):
    """Circe has no words for this."""


def says(part: Any) -> bool:
    """Whether Circe can say a definition, an entry, a criterion, a correlated criterion, a demographic or a group."""
    try:
        match part:
            case CohortDefinition():
                # Its parts were asked one by one; these are the definition's own.
                _ = {} if part.window is None else _period(part.window)
                return part.entry.observed
            case EntryEvents():
                return part.observed and all(says(each) for each in part.events)
            case Events() | Eras():
                _criterion(part, {})
            case Correlated():
                _correlated(part, {})
            case Demographic():
                _demographic(part, {})
            case Group():
                _group(part, {})
    except Inexpressible:
        return False
    return True


def write(definition: CohortDefinition) -> Json:
    """The definition as Circe JSON.

    Raises:
        Inexpressible: Circe cannot say it.
    """
    sets = {each.id: number for number, each in enumerate(definition.concept_sets)}
    entry = definition.entry
    if not entry.observed:
        raise Inexpressible("observed")
    written: Json = {
        "ConceptSets": [_concept_set(number, each) for number, each in enumerate(definition.concept_sets)],
        "PrimaryCriteria": {
            "CriteriaList": [_criterion(each, sets) for each in entry.events],
            "ObservationWindow": {"PriorDays": entry.prior_days, "PostDays": entry.post_days},
            "PrimaryCriteriaLimit": {"Type": entry.limit.capitalize()},
        },
        "QualifiedLimit": {"Type": definition.qualified_limit.capitalize()},
        "ExpressionLimit": {"Type": definition.limit.capitalize()},
        "InclusionRules": [
            {"name": rule.name, "description": rule.description, "expression": _group(rule.group, sets)}
            for rule in definition.rules
        ],
        "CensoringCriteria": [_criterion(each, sets) for each in definition.censoring],
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": definition.gap_days},
        "CensorWindow": {} if definition.window is None else _period(definition.window),
    }
    if definition.qualifying is not None:
        written["AdditionalCriteria"] = _group(definition.qualifying, sets)
    match definition.exit:
        case DateOffset(date=date, days=days):
            field = "StartDate" if date is DateField.START else "EndDate"
            written["EndStrategy"] = {"DateOffset": {"DateField": field, "Offset": days}}
        case DrugEraExit() as leave:
            body = {
                "DrugCodesetId": sets[leave.concepts],
                "GapDays": leave.gap_days,
                "Offset": leave.offset,
                "DaysSupplyOverride": leave.days_supply,
            }
            written["EndStrategy"] = {"CustomEra": body}
        case EndOfObservation():
            pass
    return written


def _concept_set(number: int, concept_set: ConceptSet) -> Json:
    items = [_item(item) for item in concept_set.items]
    return {"id": number, "name": concept_set.name, "expression": {"items": items}}


def _item(item: ConceptSetItem) -> Json:
    return {
        "concept": {"CONCEPT_ID": item.concept_id, "CONCEPT_NAME": item.name},
        "isExcluded": item.excluded,
        "includeDescendants": item.descendants,
        "includeMapped": item.mapped,
    }


# -- criteria: what each table's fields are called. A name ending in CS takes a concept set, its twin a list of concepts.

_KINDS: Mapping[Domain, str] = {
    domain: "".join(word.capitalize() for word in domain.split("_")) for domain in Domain if domain is not Domain.PERSON
}
_SOURCES = {
    Domain.CONDITION_OCCURRENCE: "ConditionSourceConcept",
    Domain.DEATH: "DeathSourceConcept",
    Domain.DEVICE_EXPOSURE: "DeviceSourceConcept",
    Domain.DRUG_EXPOSURE: "DrugSourceConcept",
    Domain.MEASUREMENT: "MeasurementSourceConcept",
    Domain.OBSERVATION: "ObservationSourceConcept",
    Domain.PROCEDURE_OCCURRENCE: "ProcedureSourceConcept",
    Domain.VISIT_DETAIL: "VisitDetailSourceConcept",
    Domain.VISIT_OCCURRENCE: "VisitSourceConcept",
}
_PERSON = {"age": "Age", "gender_concept_id": "Gender"}
_SEEN = _PERSON | {"specialty_concept_id": "ProviderSpecialty", "visit_concept_id": "VisitType"}
_START = {"start_date": "OccurrenceStartDate"}
_START_END = _START | {"end_date": "OccurrenceEndDate"}
_ERA = {
    "start_date": "EraStartDate",
    "end_date": "EraEndDate",
    "days": "EraLength",
    "age": "AgeAtStart",
    "age_at_end": "AgeAtEnd",
    "gender_concept_id": "Gender",
}
_PERIOD = {
    "start_date": "PeriodStartDate",
    "end_date": "PeriodEndDate",
    "days": "PeriodLength",
    "age": "AgeAtStart",
    "age_at_end": "AgeAtEnd",
}
_UNIT = {"unit_concept_id": "Unit"}

_FIELDS: Mapping[Domain, Mapping[str, str]] = {
    Domain.CONDITION_ERA: _ERA | {"condition_occurrence_count": "OccurrenceCount"},
    Domain.CONDITION_OCCURRENCE: _START_END
    | _SEEN
    | {
        "condition_type_concept_id": "ConditionType",
        "condition_status_concept_id": "ConditionStatus",
        "stop_reason": "StopReason",
    },
    Domain.DEATH: _START | _PERSON | {"death_type_concept_id": "DeathType"},
    Domain.DEVICE_EXPOSURE: _START_END
    | _SEEN
    | {"device_type_concept_id": "DeviceType", "unique_device_id": "UniqueDeviceId", "quantity": "Quantity"},
    Domain.DOSE_ERA: _ERA | _UNIT | {"dose_value": "DoseValue"},
    Domain.DRUG_ERA: _ERA | {"drug_exposure_count": "OccurrenceCount", "gap_days": "GapDays"},
    # Circe's OccurrenceEndDate of a drug exposure is held against its start date.
    Domain.DRUG_EXPOSURE: _START
    | _SEEN
    | {
        "drug_type_concept_id": "DrugType",
        "stop_reason": "StopReason",
        "refills": "Refills",
        "quantity": "Quantity",
        "days_supply": "DaysSupply",
        "route_concept_id": "RouteConcept",
        "lot_number": "LotNumber",
    },
    Domain.EPISODE: {
        "start_date": "EpisodeStartDate",
        "end_date": "EpisodeEndDate",
        "age": "Age",
        "gender_concept_id": "Gender",
        "episode_number": "EpisodeNumber",
        "episode_object_concept_id": "EpisodeObjectConcept",
        "episode_type_concept_id": "EpisodeType",
    },
    Domain.MEASUREMENT: _START
    | _SEEN
    | _UNIT
    | {
        "measurement_type_concept_id": "MeasurementType",
        "operator_concept_id": "Operator",
        "value_as_number": "ValueAsNumber",
        "value_as_concept_id": "ValueAsConcept",
        "range_low": "RangeLow",
        "range_high": "RangeHigh",
        "value_to_range_low": "RangeLowRatio",
        "value_to_range_high": "RangeHighRatio",
        "abnormal": "Abnormal",
    },
    Domain.OBSERVATION: _START
    | _SEEN
    | _UNIT
    | {
        "observation_type_concept_id": "ObservationType",
        "value_as_number": "ValueAsNumber",
        "value_as_string": "ValueAsString",
        "value_as_concept_id": "ValueAsConcept",
        "qualifier_concept_id": "Qualifier",
    },
    Domain.OBSERVATION_PERIOD: _PERIOD | {"period_type_concept_id": "PeriodType"},
    Domain.PAYER_PLAN_PERIOD: _PERIOD
    | {
        "gender_concept_id": "Gender",
        "payer_concept_id": "PayerConcept",
        "plan_concept_id": "PlanConcept",
        "sponsor_concept_id": "SponsorConcept",
        "stop_reason_concept_id": "StopReasonConcept",
        "payer_source_concept_id": "PayerSourceConcept",
        "plan_source_concept_id": "PlanSourceConcept",
        "sponsor_source_concept_id": "SponsorSourceConcept",
        "stop_reason_source_concept_id": "StopReasonSourceConcept",
    },
    Domain.PROCEDURE_OCCURRENCE: _START
    | _SEEN
    | {
        "procedure_type_concept_id": "ProcedureType",
        "modifier_concept_id": "Modifier",
        "quantity": "Quantity",
    },
    Domain.SPECIMEN: _START
    | _PERSON
    | _UNIT
    | {
        "specimen_type_concept_id": "SpecimenType",
        "quantity": "Quantity",
        "anatomic_site_concept_id": "AnatomicSite",
        "disease_status_concept_id": "DiseaseStatus",
        "specimen_source_id": "SourceId",
    },
    # Circe's Age of a visit detail is the age at its end.
    Domain.VISIT_DETAIL: {
        "start_date": "VisitDetailStartDate",
        "end_date": "VisitDetailEndDate",
        "days": "VisitDetailLength",
        "age_at_end": "Age",
        "gender_concept_id": "Gender",
        "specialty_concept_id": "ProviderSpecialty",
        "place_of_service_concept_id": "PlaceOfService",
        "visit_detail_type_concept_id": "VisitDetailType",
    },
    Domain.VISIT_OCCURRENCE: _START_END
    | _PERSON
    | {
        "days": "VisitLength",
        "specialty_concept_id": "ProviderSpecialty",
        "place_of_service_concept_id": "PlaceOfService",
        "visit_type_concept_id": "VisitType",
    },
}
_ERA_FIELDS = {
    "start_date": "StartDate",
    "end_date": "EndDate",
    "days": "Duration",
    "age": "AgeAtStart",
    "gender_concept_id": "Gender",
}
_DEMOGRAPHIC_FIELDS = _START_END | _PERSON | {"race_concept_id": "Race", "ethnicity_concept_id": "Ethnicity"}

_WITHOUT_LISTS = {
    (Domain.EPISODE, "gender_concept_id"),
    (Domain.EPISODE, "episode_object_concept_id"),
    (Domain.EPISODE, "episode_type_concept_id"),
    (Domain.VISIT_DETAIL, "gender_concept_id"),
    (Domain.VISIT_DETAIL, "specialty_concept_id"),
    (Domain.VISIT_DETAIL, "place_of_service_concept_id"),
    (Domain.VISIT_DETAIL, "visit_detail_type_concept_id"),
    (None, "gender_concept_id"),
}
"""Fields that take a concept set only; None is for eras."""

_EXCLUDES = {
    "ConditionType",
    "DeathType",
    "DeviceType",
    "DrugType",
    "MeasurementType",
    "ObservationType",
    "ProcedureType",
    "SpecimenType",
}
_JOINED = ("visit_concept_id", "specialty_concept_id", "place_of_service_concept_id", "gender_concept_id")

_COUNTED = {"days": "DURATION", "concept_id": "DOMAIN_CONCEPT"}
_VISIT = {"visit_occurrence_id": "VISIT_ID"}
_ANY = {"start_date": "START_DATE", "end_date": "END_DATE"}
_COUNTS: Mapping[Domain, Mapping[str, str]] = {
    Domain.CONDITION_ERA: _COUNTED | {"condition_occurrence_count": "ERA_OCCURRENCES"},
    Domain.CONDITION_OCCURRENCE: _COUNTED | _VISIT,
    Domain.DEATH: _COUNTED,
    Domain.DEVICE_EXPOSURE: _COUNTED | _VISIT | {"quantity": "QUANTITY"},
    Domain.DOSE_ERA: _COUNTED | {"unit_concept_id": "UNIT", "dose_value": "VALUE_AS_NUMBER"},
    Domain.DRUG_ERA: _COUNTED | {"drug_exposure_count": "ERA_OCCURRENCES", "gap_days": "GAP_DAYS"},
    Domain.DRUG_EXPOSURE: _COUNTED
    | _VISIT
    | {"days_supply": "DAYS_SUPPLY", "quantity": "QUANTITY", "refills": "REFILLS"},
    # The reference's SQL for these breaks when anything but the dates is counted.
    Domain.EPISODE: {},
    Domain.PAYER_PLAN_PERIOD: {},
    Domain.MEASUREMENT: _COUNTED
    | _VISIT
    | {"value_as_number": "VALUE_AS_NUMBER", "range_low": "RANGE_LOW", "range_high": "RANGE_HIGH"},
    Domain.OBSERVATION: _COUNTED | _VISIT | {"value_as_number": "VALUE_AS_NUMBER"},
    Domain.OBSERVATION_PERIOD: _COUNTED,
    Domain.PROCEDURE_OCCURRENCE: _COUNTED | _VISIT | {"quantity": "QUANTITY"},
    Domain.SPECIMEN: _COUNTED,
    Domain.VISIT_DETAIL: _COUNTED,
    Domain.VISIT_OCCURRENCE: _COUNTED | _VISIT,
}


def _criterion(criterion: Criterion, sets: Mapping[str, int]) -> Json:
    return _events(criterion, sets) if isinstance(criterion, Events) else _eras(criterion, sets)


def _eras(eras: Eras, sets: Mapping[str, int]) -> Json:
    if eras.gap_days:
        # The reference takes the gap off the end again, but has not looked across it.
        raise Inexpressible("gap_days")
    written: Json = {"CriteriaList": [_criterion(each, sets) for each in eras.of], "GapDays": 0, "First": eras.first}
    written |= _adjustment(eras)
    for each in eras.of:
        _refuse_episode(each)
    for asked in eras.filters:
        _add(written, _filter(None, _ERA_FIELDS, asked, sets))
    return {"CustomEra": written}


def _events(events: Events, sets: Mapping[str, int]) -> Json:
    domain = events.domain
    if domain is Domain.PERSON:
        raise Inexpressible("person")
    written: Json = {}
    if events.concepts is not None:
        if domain in (Domain.OBSERVATION_PERIOD, Domain.PAYER_PLAN_PERIOD):
            raise Inexpressible("concepts of a period")
        written["CodesetId"] = sets.get(events.concepts, 0)
    if events.source_concepts is not None:
        if domain not in _SOURCES:
            raise Inexpressible("source_concepts")
        written[_SOURCES[domain]] = sets.get(events.source_concepts, 0)
    if events.first:
        if domain is Domain.DEATH:
            raise Inexpressible("first of deaths")
        written["First"] = True
    written |= _adjustment(events)
    if events.period is not None:
        written["UserDefinedPeriod"] = _period(events.period)
    for each in events.filters:
        _add(written, _filter(domain, _FIELDS[domain], each, sets))
    if "Abnormal" in written and not {"ValueAsConcept", "ValueAsConceptCS"} & written.keys():
        # The reference's SQL asks for a column that it has not selected.
        raise Inexpressible("abnormal")
    if events.nested is not None:
        _refuse_episode(events)
        written["CorrelatedCriteria"] = _group(events.nested, sets)
    return {_KINDS[domain]: written}


def _refuse_episode(criterion: Criterion) -> None:
    """The reference's SQL for episodes ends in a comment that swallows what follows on the line."""
    if isinstance(criterion, Events) and criterion.domain is Domain.EPISODE:
        raise Inexpressible("episode")


def _adjustment(criterion: Criterion) -> Json:
    dates = criterion.dates
    if dates is None:
        return {}
    if isinstance(criterion, Events) and criterion.domain is Domain.SPECIMEN:
        raise Inexpressible("dates of a specimen")
    start, start_days, end, end_days = dates.start, dates.start_days, dates.end, dates.end_days
    if isinstance(criterion, Events) and criterion.domain is Domain.DEATH:
        # A death's adjustment always starts from its start and ends from its end, which is the day after.
        start_days += start is DateField.END
        end_days -= end is DateField.START
        start, end = DateField.START, DateField.END
    return {
        "DateAdjustment": {
            "StartWith": start.upper(),
            "StartOffset": start_days,
            "EndWith": end.upper(),
            "EndOffset": end_days,
        }
    }


def _period(period: UserPeriod) -> Json:
    days = {"StartDate": period.start, "EndDate": period.end}
    return {name: day.isoformat() for name, day in days.items() if day is not None}


# -- filters

_OPERATORS = {
    Compare.LESS: "lt",
    Compare.AT_MOST: "lte",
    Compare.EQUAL: "eq",
    Compare.NOT_EQUAL: "!eq",
    Compare.AT_LEAST: "gte",
    Compare.MORE: "gt",
    Compare.BETWEEN: "bt",
    Compare.OUTSIDE: "!bt",
}


def _add(written: Json, more: Json) -> None:
    if written.keys() & more.keys():
        raise Inexpressible("the same twice")
    written |= more


def _filter(domain: Domain | None, names: Mapping[str, str], asked: Filter, sets: Mapping[str, int]) -> Json:
    if asked.field not in names:
        raise Inexpressible(asked.field)
    name = names[asked.field]
    match asked.test:
        case Numbers() as test:
            return {name: {"Op": _OPERATORS[test.compare], "Value": test.value, "Extent": test.to}}
        case Dates() as test:
            to = None if test.to is None else test.to.isoformat()
            return {name: {"Op": _OPERATORS[test.compare], "Value": test.value.isoformat(), "Extent": to}}
        case Text(pattern=pattern, negated=negated):
            return {name: _text(pattern, negated)}
        case Abnormal():
            return {name: True}
        case OneOf(concepts=concepts, excluded=excluded):
            return _list(domain, name, asked.field, concepts, excluded)
        case InSet(concept_set=concept_set, excluded=excluded):
            if domain is Domain.PAYER_PLAN_PERIOD and name != "Gender":
                if excluded:
                    raise Inexpressible("not in a set")
                return {name: sets.get(concept_set, 0)}
            return {f"{name}CS": {"CodesetId": sets.get(concept_set, 0), "IsExclusion": excluded}}
        case Known(yes=yes):
            if not asked.field.endswith("_concept_id") or asked.field in _JOINED or domain is Domain.PAYER_PLAN_PERIOD:
                raise Inexpressible("known")
            return {f"{name}CS": {"CodesetId": None, "IsExclusion": not yes}}


def _list(domain: Domain | None, name: str, field: str, concepts: tuple[int, ...], excluded: bool) -> Json:
    if (domain, field) in _WITHOUT_LISTS or (domain is Domain.PAYER_PLAN_PERIOD and name != "Gender"):
        raise Inexpressible("a list of concepts")
    written: Json = {name: [{"CONCEPT_ID": concept} for concept in concepts]}
    if not excluded:
        return written
    if name not in _EXCLUDES and (domain, name) != (Domain.VISIT_OCCURRENCE, "VisitType"):
        raise Inexpressible("not in a list")
    return written | {f"{name}Exclude": True}


def _text(pattern: str, negated: bool) -> Json:
    inner = pattern.strip("%")
    for operator, form in (("contains", f"%{inner}%"), ("startsWith", f"{inner}%"), ("endsWith", f"%{inner}")):
        # A backslash goes the way of each engine's own LIKE, and an empty text finds other things than it says.
        if pattern == form and inner and "\\" not in pattern:
            return {"Op": f"!{operator}" if negated else operator, "Text": inner}
    raise Inexpressible("pattern")


# -- groups


def _group(group: Group, sets: Mapping[str, int]) -> Json:
    written: Json = {
        "Type": {
            Match.ALL: "ALL",
            Match.ANY: "ANY",
            Match.AT_LEAST: "AT_LEAST",
            Match.AT_MOST: "AT_MOST",
        }[group.match],
        "CriteriaList": [_correlated(each, sets) for each in group.members if isinstance(each, Correlated)],
        "DemographicCriteriaList": [
            _demographic(each, sets) for each in group.members if isinstance(each, Demographic)
        ],
        "Groups": [_group(each, sets) for each in group.members if isinstance(each, Group)],
    }
    if group.count is not None:
        written["Count"] = group.count
    return written


def _demographic(demographic: Demographic, sets: Mapping[str, int]) -> Json:
    written: Json = {}
    for each in demographic.filters:
        if isinstance(each.test, Known):
            raise Inexpressible("known")
        _add(written, _filter(Domain.PERSON, _DEMOGRAPHIC_FIELDS, each, sets))
    return written


def _correlated(correlated: Correlated, sets: Mapping[str, int]) -> Json:
    within = correlated.within_observation
    written: Json = {
        "Criteria": _criterion(correlated.events, sets),
        "StartWindow": _window(correlated.start, within),
        "Occurrence": _occurrence(correlated.occurrence, correlated.events),
        "RestrictVisit": correlated.same_visit,
        "IgnoreObservationPeriod": not within,
    }
    if correlated.end is not None:
        written["EndWindow"] = _window(correlated.end, within)
    return written


def _window(window: Window, within: bool) -> Json:
    return {
        "Start": _edge(window.since, within, -1),
        "End": _edge(window.until, within, 1),
        "UseIndexEnd": window.index is DateField.END,
        "UseEventEnd": window.of is DateField.END,
    }


def _edge(edge: int | Edge, within: bool, side: int) -> Json:
    if isinstance(edge, int) and not isinstance(edge, Edge):
        return {"Days": abs(edge), "Coeff": -1 if edge < 0 else 1}
    if edge is Edge.OPEN:
        return {"Days": ANY_DAY, "Coeff": side} if within else {"Days": None, "Coeff": side}
    if not within:
        raise Inexpressible("an edge of an observation period that does not matter")
    return {"Days": None, "Coeff": -1 if edge is Edge.PERIOD_START else 1}


def _occurrence(occurrence: Occurrence, events: Criterion) -> Json:
    written: Json = {
        "Type": {OccurrenceType.EXACTLY: 0, OccurrenceType.AT_MOST: 1, OccurrenceType.AT_LEAST: 2}[occurrence.times],
        "Count": occurrence.count,
        "IsDistinct": occurrence.distinct is not None,
    }
    if occurrence.distinct is None:
        return written
    names: Mapping[str, str] = _ANY
    # The reference loses all other columns on the way through a nested group.
    is_plain = isinstance(events, Events) and (events.nested is None or not events.nested.members)
    if isinstance(events, Events) and is_plain:
        names = {**_ANY, **_COUNTS[events.domain]}
    if occurrence.distinct not in names:
        raise Inexpressible(occurrence.distinct)
    return written | {"CountColumn": names[occurrence.distinct]}
