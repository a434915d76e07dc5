"""The describing half of the catalogue: each release says what it holds, to machines and to people."""

from fairhaven.catalogue.table_description import describe
from fairhaven.exchange.about import DatasetAbout
from fairhaven.exchange.croissant import croissant_dataset
from fairhaven.exchange.dcat import dcat_dataset
from fairhaven.exchange.hdruk import hdruk_dataset
from fairhaven.release.description import Description

__all__ = [
    "DatasetAbout",
    "Description",
    "croissant_dataset",
    "dcat_dataset",
    "describe",
    "hdruk_dataset",
]
