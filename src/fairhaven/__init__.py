"""Fairhaven: the software that a health data research hub runs on."""
