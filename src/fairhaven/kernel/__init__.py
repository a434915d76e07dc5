"""Ground floor: errors, identifiers, files, keys, progress. Knows nothing of health data."""
