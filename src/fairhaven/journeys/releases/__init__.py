"""Use cases about releases: build, assess, compare, export, trace a row, report."""
