"""One page on cohorts: how large, what each step leaves, when the rules look, and the definition in words."""

from fairhaven.catalogue.cohort_page.facts import CohortFacts, CohortReport, Step
from fairhaven.catalogue.cohort_page.page import render

__all__ = ["CohortFacts", "CohortReport", "Step", "render"]
