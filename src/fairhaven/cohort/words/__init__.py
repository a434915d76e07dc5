"""Cohort definitions in plain English: one sentence, or every step."""

from fairhaven.cohort.words.explaining import explain, sentence
from fairhaven.cohort.words.layout import Explanation, Line, Part

__all__ = ["Explanation", "Line", "Part", "explain", "sentence"]
