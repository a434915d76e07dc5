"""Definitions from files, in whichever form they are written."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.fairhaven import read_json, read_toml
from fairhaven.cohort.formats.json_document import json_object
from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.cohort.model import CohortDefinition
from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.kernel.foreign_files import kind_fault

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


def _content(path: Path) -> bytes:
    try:
        status = path.stat()
        if message := kind_fault(status.st_mode):
            # A pipe in a folder of definitions would be waited for without end.
            raise Invalid(Fault(message=message, path=str(path)))
        if status.st_size > _LARGEST:
            raise Invalid(Fault(message="is too large for a cohort definition", path=str(path)))
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file") from None
    except OSError as error:
        raise Invalid(Fault(message=f"cannot be read ({type(error).__name__})", path=str(path))) from None


def _read(path: Path, today: dt.date) -> CohortDefinition:
    content = _content(path)
    if path.suffix.lower() != ".json" and not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return read_toml(path)
    value = json_object(content, path=str(path))
    if _CIRCE & value.keys():
        return read_circe(value, path=str(path))
    if "cohort" in value or "analysis" in value:
        return read_rquest(value, today=today, path=str(path))
    return read_json(value, str(path))
