"""From a source's current rows to the OMOP CDM: rules yield generic rows, assembly makes the tables."""

from fairhaven.harmonise.carrot import read_carrot
from fairhaven.harmonise.cdm_rows import CDM_READ, omop_rows
from fairhaven.harmonise.code_map_checks import contradictions, damaged_keys, missing_texts, target_warnings
from fairhaven.harmonise.code_mapping import VocabularyTables, vocabulary_tables
from fairhaven.harmonise.fhir import fhir_rows
from fairhaven.harmonise.generic_rows import ABOUT_NO_PERSON
from fairhaven.harmonise.local_maps import CodeMap, local_maps, read_code_map, single_words
from fairhaven.harmonise.mapping_file import MappingFile, MapRule, check_columns, read_mapping
from fairhaven.harmonise.mapping_rows import codes_read, mapped_rows, texts_read, withheld_texts, words_named
from fairhaven.harmonise.model import Harmonised, SourceTables
from fairhaven.harmonise.notes_and_payers import HubFacts
from fairhaven.harmonise.row_outcomes import JOINED, LEFT_OUT, NOT_TAKEN, SAID_OF_ROWS
from fairhaven.harmonise.service import harmonise

VERSION = 19
"""Raised when the same current rows could become other rows of the CDM than before."""

__all__ = [
    "ABOUT_NO_PERSON",
    "CDM_READ",
    "JOINED",
    "LEFT_OUT",
    "NOT_TAKEN",
    "SAID_OF_ROWS",
    "VERSION",
    "CodeMap",
    "Harmonised",
    "HubFacts",
    "MapRule",
    "MappingFile",
    "SourceTables",
    "VocabularyTables",
    "check_columns",
    "codes_read",
    "contradictions",
    "damaged_keys",
    "fhir_rows",
    "harmonise",
    "local_maps",
    "mapped_rows",
    "missing_texts",
    "omop_rows",
    "read_carrot",
    "read_code_map",
    "read_mapping",
    "single_words",
    "target_warnings",
    "texts_read",
    "vocabulary_tables",
    "withheld_texts",
    "words_named",
]
