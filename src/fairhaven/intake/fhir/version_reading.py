"""Resources of another version of FHIR in the form of R4, line by line."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from fairhaven.intake.fhir.element_changes import ElementChange, NotUnderstood
from fairhaven.intake.fhir.ndjson_lines import parsed
from fairhaven.intake.fhir.version_changes import CHANGES, RENAMED_TYPES
from fairhaven.intake.model import FhirVersion


def as_r4(rows: pa.Table, version: FhirVersion) -> pa.Table:
    """Lines (``row_line, text``) with ``shaped``, what they say in R4's form, and ``strange``: the element that may negate and is not
    understood, empty for none."""
    shaped, strange = [], []
    for text in rows["text"].to_pylist():
        said, element = _shaped(text, version)
        shaped.append(said)
        strange.append(element)
    columns = {"shaped": pa.array(shaped, pa.large_string()), "strange": pa.array(strange, pa.large_string())}
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    return rows


def change(resource: dict[str, Any], version: FhirVersion) -> None:
    """Change a resource of a version to the form of R4.

    Raises:
        NotUnderstood: an element may negate, and what it says is not known.
    """
    kind = resource.get("resourceType")
    if isinstance(kind, str):
        resource["resourceType"] = RENAMED_TYPES.get(kind, kind)
        for each in _changes(resource["resourceType"], version):
            each.change(resource)
    contained = resource.get("contained")
    for inner in contained if isinstance(contained, list) else ():
        if isinstance(inner, dict):
            change(inner, version)


def _shaped(text: str, version: FhirVersion) -> tuple[str, str]:
    resource = parsed(text)
    if not isinstance(resource, dict) or resource.get("resourceType") == "Bundle":
        return text, ""
    try:
        change(resource, version)
    except NotUnderstood as element:
        return text, str(element)
    except RecursionError:
        return text, ""
    return json.dumps(resource), ""


def _changes(resource: str, version: FhirVersion) -> Sequence[ElementChange]:
    return CHANGES[version].get(resource, ())
