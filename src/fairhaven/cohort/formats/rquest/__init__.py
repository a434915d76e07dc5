"""Questions of the national Cohort Discovery tool (RQuest JSON) read into the cohort language."""

from fairhaven.cohort.formats.rquest.query import read_rquest

__all__ = ["read_rquest"]
