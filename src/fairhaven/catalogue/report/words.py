"""Figures and names as a reader says them."""

import datetime as dt
from collections.abc import Iterable, Mapping

from fairhaven.disclosure import Policy, protect

KINDS = {
    "gp": "General practice",
    "hospital": "Hospital",
    "social-care": "Social care",
    "registry": "Registry",
    "laboratory": "Laboratory",
    "genomics": "Genomics",
    "imaging": "Imaging",
    "cdm": "Other database",
}
"""Kinds of source, in the order in which they are always shown."""

STEPS = {
    "nhs_number": "Same NHS number",
    "name-birth-postcode": "Same name, date of birth and postcode",
    "name-birth-address": "Same name, date of birth and address",
    "given-birth-postcode": "Same given name, date of birth, postcode and sex",
    "swapped-name-birth-postcode": "Names or day and month swapped, same postcode",
    "splink": "Likely the same, by weight of evidence (Splink)",
    "alone": "No match: a person of one source",
}

"""Steps of linkage, the most certain first."""

CATEGORIES = {
    "conformance": "Conformance",
    "completeness": "Completeness",
    "plausibility": "Plausibility",
}
"""Kahn's categories of data quality, in his order."""


def kind_name(kind: str) -> str:
    """A kind of source in words."""
    return KINDS.get(kind, spoken(kind))


def kind_order(kind: str) -> tuple[int, str]:
    """Sorts kinds as `KINDS` lists them, unknown ones last."""
    known = list(KINDS)
    return (known.index(kind) if kind in KINDS else len(known), kind)


def kind_class(kind: str) -> str:
    """Style class that carries the kind's colour."""
    return f"k-{kind}" if kind in KINDS else "k-cdm"


def spoken(name: str) -> str:
    """``name-birth_postcode`` as ``Name birth postcode``."""
    text = name.replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]


def whole(count: int | float) -> str:
    """``12,345``"""
    return f"{round(count):,}"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``2,000 rows``"""
    return f"{whole(count)} {one if count == 1 else many or one + 's'}"


def persons(count: int, policy: Policy) -> str:
    """A count of persons, as the policy lets it be shown."""
    return protect(count, policy).text


def share(part: float, of: float) -> str:
    """A share in per cent; what is not all is never said to be 100%, and what is not nothing never 0%."""
    if not of:
        return "–"
    value = 100 * part / of
    if 0 < value < 0.1:
        return "<0.1%"
    if 99.9 < value < 100:
        return ">99.9%"
    return f"{value:.1f}%" if 0 < value < 10 or 99 <= value < 100 else f"{value:.0f}%"


def number(value: float) -> str:
    """A value of a variable, without false precision."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}" if abs(value) >= 10_000 else str(int(value))
    return f"{value:.4g}"


def day(date: dt.date) -> str:
    """``1 November 2026``"""
    return f"{date.day} {date:%B %Y}"


def step_order(name: str) -> tuple[int, str]:
    """Sorts steps as `STEPS` lists them, unknown ones before the last."""
    known = list(STEPS)
    return (known.index(name) if name in STEPS else len(known) - 2, name)


def telling_years(series: Iterable[Mapping[int, int]]) -> range:
    """The years from the first in which any series is more than a trace (a twentieth of its highest year) to the last."""
    told = [year for counts in series for year, rows in counts.items() if rows and rows * 20 >= max(counts.values())]
    return range(min(told), max(told) + 1) if told else range(0)


def split_title(title: str) -> tuple[str, str]:
    """``Riverside Surgery, GP record`` as its two halves; the second is empty where there is no comma."""
    first, _, second = title.partition(", ")
    return first, second


def short(text: str, most: int) -> str:
    """Text cut to *most* characters, with an ellipsis where cut."""
    return text if len(text) <= most else text[: most - 1].rstrip(" ,.") + "…"
