"""Definitions in and out of their own form. What is written reads back as the same definition, to the last character."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairhaven.cohort.formats.fairhaven.definition_reader import read_definition
from fairhaven.cohort.formats.fairhaven.definition_writer import to_json
from fairhaven.cohort.formats.fairhaven.toml_layout import spell
from fairhaven.cohort.model import CohortDefinition
from fairhaven.kernel.json_document import json_object
from fairhaven.kernel.toml import Document


def to_toml(definition: CohortDefinition) -> str:
    """The definition as TOML text."""
    return spell(to_json(definition))


def read_json(value: Mapping[str, Any] | str | bytes, path: str = "") -> CohortDefinition:
    """A definition from JSON, as text or already parsed.

    Args:
        path: how the file is named in faults.

    Raises:
        Invalid: with every fault, each with its place (`rules[1].members[0].when`).
    """
    return read_definition(Document(Path(path), path, data=dict(json_object(value, path=path))))


def read_toml(path: Path, shown: str = "") -> CohortDefinition:
    """A definition from a TOML file.

    Args:
        shown: how the file is named in faults; its path without.

    Raises:
        Invalid: with every fault, each with its line and place.
    """
    return read_definition(Document(path, shown))
