"""The discovery index of a release: who has which concept, and when, ready to be counted in milliseconds."""

from fairhaven.cohort.engines.bitmap_index.index import DiscoveryIndex

__all__ = ["DiscoveryIndex"]
