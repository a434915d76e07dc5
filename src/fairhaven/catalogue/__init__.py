"""The describing half of the catalogue: each release says what it holds, to machines and to people."""

from fairhaven.catalogue.about import About
from fairhaven.catalogue.croissant import croissant_dataset
from fairhaven.catalogue.dcat import dcat_dataset
from fairhaven.catalogue.describe import describe
from fairhaven.catalogue.description import Description, read_description
from fairhaven.catalogue.hdruk import hdruk_dataset

__all__ = [
    "About",
    "Description",
    "croissant_dataset",
    "dcat_dataset",
    "describe",
    "hdruk_dataset",
    "read_description",
]
