"""A release for other catalogues: HDR UK, DCAT-AP, Croissant."""

from fairhaven.exchange.about import DatasetAbout
from fairhaven.exchange.croissant import croissant_dataset
from fairhaven.exchange.dcat import dcat_dataset
from fairhaven.exchange.hdruk import hdruk_dataset

__all__ = ["DatasetAbout", "croissant_dataset", "dcat_dataset", "hdruk_dataset"]
