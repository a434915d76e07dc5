"""Cohorts: a language for who belongs to one and when, and the passes that turn definitions into persons and dates."""
