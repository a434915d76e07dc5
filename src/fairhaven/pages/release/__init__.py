"""One page on a release that one would rather look at than read."""

from fairhaven.pages.release.release_page import render

__all__ = ["render"]
