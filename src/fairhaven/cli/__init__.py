"""The `fairhaven` command: parses, calls one use case, presents what came of it."""

from fairhaven.cli.entry import main

__all__ = ["main"]
