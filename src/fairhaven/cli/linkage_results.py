"""Results about linkage."""

from fairhaven.linkage import Trial

__all__ = ["Trial"]
