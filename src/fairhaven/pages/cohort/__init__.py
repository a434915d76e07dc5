"""One page on cohorts: how large, what each step leaves, when the rules look, and the definition in words."""

from fairhaven.pages.cohort.cohort_page import render

__all__ = ["render"]
