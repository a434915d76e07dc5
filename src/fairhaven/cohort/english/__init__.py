"""Cohort definitions in plain English: one sentence, or every step."""

from fairhaven.cohort.english.explanation import explain, sentence
from fairhaven.cohort.english.text_layout import Explanation, ExplanationLine, ExplanationPart

__all__ = ["Explanation", "ExplanationLine", "ExplanationPart", "explain", "sentence"]
