"""The describing half of the catalogue: each release says what it holds, to machines and to people."""

from fairhaven.catalogue.table_description import describe

__all__ = ["describe"]
