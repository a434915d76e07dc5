"""FHIR files: NDJSON lines read into one table for each resource type."""
