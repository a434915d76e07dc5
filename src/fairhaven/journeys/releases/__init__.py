"""Use cases about releases: build, describe, assess, compare, export, trace a row, report."""
