"""The describing half of the catalogue: each release says what it holds, to machines and to people."""

from fairhaven.catalogue.describe import describe
from fairhaven.catalogue.description import Description, read_description

__all__ = ["Description", "describe", "read_description"]
