"""Manifests of format 1, which had no number of their format: facts lay beside the release's own fields.

They are read, and verified as the bytes they are; none is written.
"""

from collections.abc import Mapping
from typing import Any

_FACTS = {
    "inputs": "inputs",
    "code_version": "code_version",
    "vocabulary": "vocabulary",
    "sources": "sources",
    "extracts": "extracts",
    "flow": "row_flow",
    "linkage": "linkage",
    "opt_outs": "opt_outs",
    "rules": "rules",
    "counts": "rule_outcomes",
}
"""Name of a fact in format 1 -> in format 2."""


def of_format_1(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest of format 1 in the form of format 2; its hash stays that of the bytes it was sealed as.

    Raises:
        KeyError: a fact is missing, so it is no manifest of format 1.
    """
    others = {name: value for name, value in manifest.items() if name not in _FACTS}
    return others | {
        "tables": tables_of_format_1(manifest["tables"]),
        "facts": {new: manifest[old] for old, new in _FACTS.items()},
    }


def tables_of_format_1(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Tables by name, which did not have their name themselves."""
    return {name: {"name": name, **table} for name, table in tables.items()}
