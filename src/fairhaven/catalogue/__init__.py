"""The describing half of the catalogue: each release says what it holds, to machines and to people."""

from fairhaven.catalogue.described_sets import described_sets
from fairhaven.catalogue.table_description import describe

__all__ = ["describe", "described_sets"]
