"""The demonstration region: what several controllers would send about the same invented people, and the truth about it."""

from fairhaven.region.model import SOURCES, Delivery, Region
from fairhaven.region.vocabulary import material_vocabulary
from fairhaven.region.writing import write

__all__ = ["SOURCES", "Delivery", "Region", "material_vocabulary", "write"]
