"""OHDSI cohort definitions (Circe JSON, as ATLAS exports them) read into the cohort language."""

from fairhaven.cohort.formats.circe.definition import read_circe

__all__ = ["read_circe"]
