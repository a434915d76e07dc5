"""Equal meaning, equal hash; every change of meaning changes it."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

import pytest

from fairhaven.cohort.definition_hash import definition_hash
from fairhaven.cohort.formats.fairhaven import read_json
from fairhaven.cohort.model import CohortDefinition, ConceptSet, ConceptSetItem, DateOffset, EndOfObservation, Limit

RICH = read_json(
    {
        "name": "Rich",
        "description": "has one of everything",
        "limit": "first",
        "qualified_limit": "last",
        "exit": {"drug_era": "drug", "gap_days": 30, "offset": 1, "days_supply": 28},
        "gap_days": 7,
        "window": "2010-01-01 to 2020-12-31",
        "concept_sets": {
            "dx": {"name": "Disease", "concepts": ["1 descendants | a", "exclude 2 mapped | b"]},
            "drug": {"name": "Drug", "concepts": ["3 | c"]},
        },
        "entry": {
            "prior_days": 365,
            "post_days": 30,
            "limit": "first",
            "events": [
                {
                    "condition_occurrence": "dx",
                    "source_concepts": "drug",
                    "first": True,
                    "dates": ["start_date - 7 days", "end_date + 7 days"],
                    "where": ["age between 18 and 64", "start_date >= 2011-01-01", "gender_concept_id in 8507, 8532"],
                    "nested": {"match": "any", "members": [{"visit_occurrence": "*"}, {"death": "*"}]},
                },
                {"observation_period": "*", "period": "2012-01-01 to 2013-01-01"},
                {
                    "eras_of": [{"drug_exposure": "drug"}, {"drug_exposure": "dx"}],
                    "gap_days": 30,
                    "where": ["days > 10"],
                },
            ],
        },
        "qualifying": {"members": [{"demographic": ["age >= 18", "race_concept_id is known"]}]},
        "rules": [
            {
                "name": "one",
                "description": "about one",
                "match": "at least 2",
                "members": [
                    {
                        "times": "at least 2 different start_date",
                        "measurement": "dx",
                        "where": [
                            "value_as_number > 7.5",
                            "unit_concept_id in set dx",
                            "abnormal is abnormal",
                        ],
                        "when": "-90 days to 0 days",
                        "and_when": "end_date 0 days to observation end from index end_date",
                        "same_visit": True,
                        "within_observation": False,
                    },
                    {"match": "at most 1", "members": [{"drug_exposure": "drug", "where": ['stop_reason like "%x%"']}]},
                    {"condition_era": "dx", "where": ["age is known"]},
                ],
            },
            {"name": "two", "members": [{"times": "exactly 0", "observation": "dx"}]},
        ],
        "censoring": [{"death": "*"}, {"procedure_occurrence": "dx"}],
    }
)

_FOR_READERS = {"name", "description"}


def _changed(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Every way to change one thing within a value, each with its place."""
    match value:
        case bool():
            yield "", not value
        case StrEnum():
            for other in type(value):
                if other != value:
                    yield f"={other}", other
                    return
        case int() | float():
            yield "+1", value + 1
        case dt.date():
            yield "+1", value + dt.timedelta(days=1)
        case str() if name in ("concepts", "source_concepts", "concept_set"):
            yield "other", "dx" if value == "drug" else "drug"
        case str() if name == "distinct":
            yield "other", "end_date"
        case str() if name == "field":
            yield "other", "age" if value != "age" else "days"
        case str():
            yield "other", value + "x"
        case tuple():
            for index, item in enumerate(value):
                yield f"[{index}] gone", value[:index] + value[index + 1 :]
                for place, changed in _changed(item, name):
                    yield f"[{index}]{place}", (*value[:index], changed, *value[index + 1 :])
        case _ if is_dataclass(value) and not isinstance(value, type):
            for field in fields(value):
                if field.name in _FOR_READERS or (isinstance(value, ConceptSet) and field.name == "id"):
                    continue
                for place, changed in _changed(getattr(value, field.name), field.name):
                    yield f".{field.name}{place}", replace(value, **{field.name: changed})


def _without_effect(place: str) -> bool:
    """A concept set that is not there keeps its name in the hash; the sets themselves are changed below."""
    return place.startswith(".concept_sets[") and place.endswith("gone")


def test_every_change_of_meaning_changes_the_hash() -> None:
    plain = definition_hash(RICH)
    changes = [(place, changed) for place, changed in _changed(RICH, "") if not _without_effect(place)]
    assert len(changes) > 110
    assert [place for place, changed in changes if definition_hash(changed) == plain] == []
    hashes = [definition_hash(changed) for _, changed in changes]
    assert len(set(hashes)) > len(hashes) * 0.95, "different changes have different hashes"


@pytest.mark.parametrize("other_exit", [EndOfObservation(), DateOffset(), DateOffset(days=1)])
def test_another_exit_is_another_cohort(other_exit: Any) -> None:
    assert definition_hash(replace(RICH, exit=other_exit)) != definition_hash(RICH)


def _renamed(definition: CohortDefinition) -> CohortDefinition:
    """The same definition with other names for all that readers read."""
    return replace(
        definition,
        name="Other",
        description="",
        concept_sets=tuple(
            replace(each, name="", items=tuple(replace(item, name="z") for item in each.items))
            for each in definition.concept_sets
        ),
        rules=tuple(replace(rule, name="r", description="") for rule in definition.rules),
    )


def test_names_ids_orders_and_unused_sets_do_not_matter() -> None:
    plain = definition_hash(RICH)
    assert definition_hash(_renamed(RICH)) == plain
    turned = replace(
        RICH,
        concept_sets=tuple(replace(each, items=each.items[::-1]) for each in RICH.concept_sets[::-1]),
        censoring=RICH.censoring[::-1],
        rules=tuple(replace(rule, group=replace(rule.group, members=rule.group.members[::-1])) for rule in RICH.rules),
    )
    assert definition_hash(turned) == plain
    unused = ConceptSet(id="unused", items=(ConceptSetItem(concept_id=9),))
    assert definition_hash(replace(RICH, concept_sets=(*RICH.concept_sets, unused))) == plain
    twice = replace(RICH.concept_sets[0], items=RICH.concept_sets[0].items * 2)
    assert definition_hash(replace(RICH, concept_sets=(twice, RICH.concept_sets[1]))) == plain


def test_ids_of_concept_sets_are_only_names() -> None:
    def one(name: str) -> CohortDefinition:
        return read_json(
            {
                "concept_sets": {name: {"concepts": ["1"]}, "other": {"concepts": ["2"]}},
                "entry": {
                    "events": [{"condition_occurrence": name, "where": [f"condition_type_concept_id in set {name}"]}]
                },
                "exit": {"drug_era": name},
            }
        )

    assert definition_hash(one("a")) == definition_hash(one("b"))
    swapped = read_json(
        {
            "concept_sets": {"a": {"concepts": ["2"]}, "other": {"concepts": ["1"]}},
            "entry": {"events": [{"condition_occurrence": "a", "where": ["condition_type_concept_id in set a"]}]},
            "exit": {"drug_era": "a"},
        }
    )
    assert definition_hash(swapped) != definition_hash(one("a"))


def test_the_order_of_rules_and_of_entry_events_is_told_by_attrition_and_ties_so_it_counts() -> None:
    assert definition_hash(replace(RICH, rules=RICH.rules[::-1])) != definition_hash(RICH)
    turned = replace(RICH.entry, events=RICH.entry.events[::-1])
    assert definition_hash(replace(RICH, entry=turned)) != definition_hash(RICH)


def test_a_number_is_the_same_whole_or_as_a_fraction_and_a_limit_without_a_group_is_none() -> None:
    text = {"entry": {"events": [{"condition_occurrence": "*", "where": ["age >= 18"]}]}, "concept_sets": {}}
    whole = read_json(text)
    item = whole.entry.events[0].filters[0]
    as_float = replace(item, test=replace(item.test, value=18.0))  # type: ignore[arg-type]
    event = replace(whole.entry.events[0], filters=(as_float, as_float))
    assert definition_hash(replace(whole, entry=replace(whole.entry, events=(event,)))) == definition_hash(whole)
    assert definition_hash(replace(whole, qualified_limit=Limit.FIRST)) == definition_hash(whole)


def test_the_hash_is_written_down_so_that_a_change_of_it_is_a_decision() -> None:
    plain = read_json({"entry": {"events": [{"condition_occurrence": "*"}]}})
    assert definition_hash(plain) == "f362b08c1d8e1e32f0ea485f032c607b2115ee7f5daed0c1cedfa838297d27a8"
