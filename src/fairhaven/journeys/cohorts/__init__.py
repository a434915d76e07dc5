"""Use cases about cohorts: count, report attrition, write out who is in one, ask a release through the query audit."""
