"""The OMOP common data model 5.4 and its vocabulary, as typed data."""

from fairhaven.omop.cdm import CDM, Field, Table, to_cdm

__all__ = ["CDM", "Field", "Table", "to_cdm"]
