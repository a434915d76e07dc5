"""Names of sources, steps and checks as a reader says them."""

from collections.abc import Iterable, Mapping

from fairhaven.pages.kit.figures import spoken

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
    "source-link": "Called one person by their source",
    "nhs_number": "Same NHS number",
    "name-birth-postcode": "Same name, date of birth and postcode",
    "name-birth-address": "Same name, date of birth and address",
    "given-birth-postcode": "Same given name, date of birth, postcode and sex",
    "name-birth-part-postcode": "Same name, year or month of birth, and postcode",
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

LEVELS = {"fatal": "error", "convention": "warning", "characterization": "note"}
"""How grave a failed check is."""

VARIABLES = {"text": "free text"}
"""Kinds of variable whose name is not their own word."""

OPT_OUTS = {"type-1": "Type 1 opt-out, at the practice", "national": "National data opt-out"}

REASONS = {
    "no person": "Names no patient",
    "no birth year": "Of a patient whose year of birth nobody knows",
    "no date": "Has no date",
    "after the release": "Dated after the day of the release",
    "before birth": "Dated before its patient was born",
    "no visit": "Part of a visit that was not delivered",
    "ends before it starts": "A time under observation that ends before it starts",
    "after death": "A time under observation that begins after death",
    "says nothing": "A place that says nothing which may be released",
    "another death of the person": "A death of somebody whose earlier death, or another source's, counts",
    "not taken": "Says of itself that it does not hold, or no mapping rule reads it",
}
"""Why a landed row became no row of the release."""


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


def step_order(name: str) -> tuple[int, str]:
    """Sorts steps as `STEPS` lists them, unknown ones before the last."""
    known = list(STEPS)
    return (known.index(name) if name in STEPS else len(known) - 2, name)


def telling_years(series: Iterable[Mapping[int, int]]) -> range:
    """The years from the first in which any series is more than a trace (a twentieth of its highest year) to the last."""
    years = [year for counts in series for year, rows in counts.items() if rows and rows * 20 >= max(counts.values())]
    return range(min(years), max(years) + 1) if years else range(0)


def split_title(title: str) -> tuple[str, str]:
    """``Riverside Surgery, GP record`` as its two halves; the second is empty where there is no comma."""
    first, _, second = title.partition(", ")
    return first, second
