"""Columns that are numbered, written as one: ``DIAG_{01..20}``."""

import re

_RANGE = re.compile(r"\{([0-9]{1,9})\.\.([0-9]{1,9})\}")
_MOST_COLUMNS = 999
WRONG_RANGE = "the range must rise, and be below a thousand columns"


def numbered_columns(written: str) -> list[str]:
    """The names, each with as many digits as the first number is written with; the name itself where it has no range.

    Returns:
        nothing where the range does not rise or is too long (`WRONG_RANGE`).
    """
    found = _RANGE.search(written)
    if not found:
        return [written]
    first, last = int(found[1]), int(found[2])
    if not first <= last <= first + _MOST_COLUMNS:
        return []
    return [f"{written[: found.start()]}{n:0{len(found[1])}d}{written[found.end() :]}" for n in range(first, last + 1)]
