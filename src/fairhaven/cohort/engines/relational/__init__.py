"""A batch of definitions as one relational program: parts numbered, parameters as tables, each pass one set of joins."""

from fairhaven.cohort.engines.relational.shared_parts import Program, number_parts

__all__ = ["Program", "number_parts"]
