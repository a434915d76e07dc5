"""Results about a hub's keys."""

from fairhaven.journeys.hub_keys import CheckedKeys, RotatedKeys

__all__ = ["CheckedKeys", "RotatedKeys"]
