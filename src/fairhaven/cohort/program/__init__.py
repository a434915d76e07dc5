"""A batch of definitions as one relational program: parts numbered, parameters as tables, each pass one set of joins."""

from fairhaven.cohort.program.numbering import Program, number

__all__ = ["Program", "number"]
