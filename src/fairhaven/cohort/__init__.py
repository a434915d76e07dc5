"""Cohorts: a language for who belongs to one and when, and the passes that turn definitions into persons and dates."""

from fairhaven.cohort.attrition import Attrition, Tally
from fairhaven.cohort.checking import check
from fairhaven.cohort.discovery import DiscoveryIndex
from fairhaven.cohort.identity import definition_hash
from fairhaven.cohort.model import CohortDefinition
from fairhaven.cohort.reading import definition_id, read_definition
from fairhaven.cohort.service import Batch, Cohorts
from fairhaven.cohort.words import Explanation, explain, sentence

__all__ = [
    "Attrition",
    "Batch",
    "CohortDefinition",
    "Cohorts",
    "DiscoveryIndex",
    "Explanation",
    "Tally",
    "check",
    "definition_hash",
    "definition_id",
    "explain",
    "read_definition",
    "sentence",
]
