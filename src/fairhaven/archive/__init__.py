"""Releases: immutable versions of the record, each sealed, comparable with the others, and without the erased."""

from fairhaven.archive.model import Change, Erasure, Problem, SplitRow, touched_by
from fairhaven.archive.service import Archive
from fairhaven.release.manifest import Release, StoredFile, TableVersion

__all__ = ["Archive", "Change", "Erasure", "Problem", "Release", "SplitRow", "StoredFile", "TableVersion", "touched_by"]
