"""The OMOP common data model 5.4 and its vocabulary, as typed data."""

from fairhaven.omop.cdm import CDM, Field, Table, to_cdm

VERSION = 2
"""Raised when the same source gives other rows by it than before."""

__all__ = ["CDM", "VERSION", "Field", "Table", "to_cdm"]
