"""Definitions from files, in whichever form they are written."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.fairhaven import read_json, read_toml
from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.cohort.model import CohortDefinition
from fairhaven.kernel.foreign_files import content_of
from fairhaven.kernel.json_document import json_object

_CIRCE = frozenset({"PrimaryCriteria", "ConceptSets", "expression"})
_ID = re.compile(r"[0-9]{1,18}")
_LARGEST = 100_000_000
"""Bytes. The largest published definition has half a million."""


def read_definition(path: Path, *, today: dt.date) -> CohortDefinition:
    """The definition in a file: Circe JSON, RQuest JSON, or the language's own TOML or JSON, recognised by content.

    Args:
        today: the day that RQuest's ages and times are counted back from.

    Returns:
        The definition; one without a name has the file's.

    Raises:
        NotFound: there is no such file.
        Invalid: the file cannot be read or holds no definition, with every fault.
    """
    definition = _read(path, today)
    return definition if definition.name else replace(definition, name=path.stem)


def definition_id(path: Path) -> int | None:
    """The definition's id: its file's name, where that is a number."""
    return int(path.stem) if _ID.fullmatch(path.stem) else None


def _read(path: Path, today: dt.date) -> CohortDefinition:
    content = content_of(path, shown=str(path), largest=_LARGEST)
    if path.suffix.lower() != ".json" and not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return read_toml(path)
    value = json_object(content, path=str(path))
    if _CIRCE & value.keys():
        return read_circe(value, path=str(path))
    if "cohort" in value or "analysis" in value:
        return read_rquest(value, today=today, path=str(path))
    return read_json(value, str(path))
