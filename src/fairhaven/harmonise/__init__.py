"""From a source's current rows to the OMOP CDM: rules yield generic rows, assembly makes the tables."""

from fairhaven.harmonise.assemble import harmonise
from fairhaven.harmonise.carrot import read_carrot
from fairhaven.harmonise.codes import VocabularyTables
from fairhaven.harmonise.counting import LEFT_OUT
from fairhaven.harmonise.documents import HubFacts
from fairhaven.harmonise.fhir import fhir_rows
from fairhaven.harmonise.local_maps import CodeMap, local_maps, read_code_map
from fairhaven.harmonise.mapping_file import MappingFile, check_columns, read_mapping
from fairhaven.harmonise.model import Count, Harmonised, Rows, Rule, SourceTables
from fairhaven.harmonise.omop import omop_rows

__all__ = [
    "LEFT_OUT",
    "CodeMap",
    "Count",
    "Harmonised",
    "HubFacts",
    "MappingFile",
    "Rows",
    "Rule",
    "SourceTables",
    "VocabularyTables",
    "check_columns",
    "fhir_rows",
    "harmonise",
    "local_maps",
    "omop_rows",
    "read_carrot",
    "read_code_map",
    "read_mapping",
]
