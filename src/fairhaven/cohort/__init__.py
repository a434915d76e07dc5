"""Cohorts: a language for who belongs to one and when, and the passes that turn definitions into persons and dates."""

from fairhaven.cohort.attrition_counts import Attrition, Persons, StepCount
from fairhaven.cohort.definition_checks import check_definition
from fairhaven.cohort.definition_hash import definition_hash
from fairhaven.cohort.engines.bitmap_index import DiscoveryIndex
from fairhaven.cohort.english import Explanation, explain, sentence
from fairhaven.cohort.formats.format_detection import definition_id, read_definition
from fairhaven.cohort.model import CohortDefinition
from fairhaven.cohort.service import Batch, Cohorts

__all__ = [
    "Attrition",
    "Batch",
    "CohortDefinition",
    "Cohorts",
    "DiscoveryIndex",
    "Explanation",
    "Persons",
    "StepCount",
    "check_definition",
    "definition_hash",
    "definition_id",
    "explain",
    "read_definition",
    "sentence",
]
