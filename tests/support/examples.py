"""How many examples a property is tried with: few and always the same in the suite, many and random in the trials."""

from typing import Any

from hypothesis import HealthCheck, settings

MANY = 20
"""Times as many in `make trials` (``--hypothesis-profile=trials``)."""

settings.register_profile(
    "suite", deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
settings.register_profile(
    "trials", max_examples=100 * MANY, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)


def is_trial() -> bool:
    """Whether these are the trials."""
    return settings.get_current_profile_name() == "trials"


def examples(count: int, **others: Any) -> settings:
    """The settings of a property that costs what *count* examples cost."""
    return settings(max_examples=count * MANY if is_trial() else count, **others)
