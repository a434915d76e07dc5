"""What commands write with `--json`, held to the forms that are documented."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from docs.generators.commands import commands
from fairhaven.kernel.codec import schema_of

COMMANDS = {" ".join(path): command.callback for path, command in commands() if command.callback}
"""Every command by the words that call it."""


def read_strictly(text: str) -> Any:
    """One document of JSON, without what only some read."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def check_form(document: Any, form: Any) -> None:
    """Fails where a document has not the form of a type: every field, and no others."""
    validator = Draft202012Validator(schema_of(form))
    faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    assert not faults, faults
