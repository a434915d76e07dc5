"""The demonstration region: what several controllers would send about the same invented people, and the truth about it."""

from fairhaven.region.model import SOURCES, Delivery, Region
from fairhaven.region.region_files import write
from fairhaven.region.region_vocabulary import material_vocabulary

__all__ = ["SOURCES", "Delivery", "Region", "material_vocabulary", "write"]
