"""One page on cohorts: how large, what each step leaves, when the rules look, and the definition in words."""

from fairhaven.pages.cohort.cohort_report import CohortFacts, CohortReport, Step
from fairhaven.pages.cohort.page import render

__all__ = ["CohortFacts", "CohortReport", "Step", "render"]
