"""The language's own form, for people as TOML and for programs as JSON: one structure, two spellings."""

from fairhaven.cohort.formats.fairhaven.definition_codec import read_json, read_toml, to_toml
from fairhaven.cohort.formats.fairhaven.definition_writer import to_json

__all__ = ["read_json", "read_toml", "to_json", "to_toml"]
