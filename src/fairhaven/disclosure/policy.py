"""Rules for small counts as dated data: the published ones in `policies.toml`, or a hub's own."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from fairhaven.kernel.errors import Fault, Invalid, NotFound
from fairhaven.kernel.toml import Document, Section


class Small(StrEnum):
    """What takes the place of a count under the threshold."""

    HIDE = "hide"
    ZERO = "zero"


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """One rule for counts of persons and of values.

    Args:
        name: short name, for example ``ons``.
        threshold: the smallest count that may be shown; zero itself is always shown.
        small: what is shown in place of 1 to threshold - 1.
        round_to: shown counts are rounded to the nearest multiple, halves up; 1 leaves them as they are.
        secondary: hide a further cell where one hidden cell could be computed from the others. A rule whose rounding
            already blurs every total does without.
        since: the day from which the rule applies.
        source: where it is published.
    """

    name: str
    title: str
    threshold: int
    small: Small = Small.HIDE
    round_to: int = 1
    secondary: bool = True
    since: dt.date
    source: str

    def __post_init__(self) -> None:
        if self.threshold < 1 or self.round_to < 1:
            raise Invalid(f"policy {self.name}: threshold and round_to are whole numbers from 1")

    @property
    def mark(self) -> str:
        """What stands in place of a hidden count."""
        return f"under {self.threshold}"

    @property
    def words(self) -> str:
        """The rule in a sentence for readers."""
        small = "are not shown" if self.small is Small.HIDE else "are shown as 0"
        said = f"Counts from 1 to {self.threshold - 1} {small}" if self.threshold > 1 else "Every count is shown"
        if self.round_to > 1:
            said += f"; the others are rounded to the nearest {self.round_to}"
        return f"{said}."


@cache
def published_policies() -> Mapping[str, Policy]:
    """The rules that Fairhaven ships, by name."""
    with as_file(files("fairhaven.disclosure").joinpath("policies.toml")) as path:
        return _read(Document(path, "disclosure/policies.toml"))


def policy_named(name: str) -> Policy:
    """A published rule. Raises NotFound with the names that there are."""
    try:
        return published_policies()[name]
    except KeyError:
        known = ", ".join(sorted(published_policies()))
        raise NotFound(f"there is no disclosure policy {name!r}; use one of {known}, or a file of your own") from None


def read_policy(path: Path, *, shown: str = "") -> Policy:
    """A hub's own rule from a TOML file with one table in the form of `policies.toml`.

    Raises:
        Invalid: every fault of the file, with its line.
    """
    document = Document(path, shown or path.name)
    found = _read(document)
    if len(found) != 1:
        raise Invalid(Fault(message="must hold exactly one policy, as [name]", path=document.shown))
    return next(iter(found.values()))


def _read(document: Document) -> Mapping[str, Policy]:
    read = {name: _policy(name, section) for name, section in document.root.named()}
    if document.faults:
        raise Invalid(document.faults)
    return {name: policy for name, policy in read.items() if policy is not None}


def _policy(name: str, section: Section) -> Policy | None:
    threshold, round_to = section.whole("threshold"), section.whole("round_to", 1)
    for key, value in (("threshold", threshold), ("round_to", round_to)):
        if key in section and value < 1:
            section.fault(key, "must be 1 or more")
    title, source, since = section.text("title"), section.text("source"), section.day("since")
    small = section.text("small", Small.HIDE.value, choices=[small.value for small in Small])
    secondary = section.yes("secondary", True)
    section.finish()
    if section.document.faults:
        return None
    return Policy(
        name=name,
        title=title,
        threshold=threshold,
        small=Small(small),
        round_to=round_to,
        secondary=secondary,
        since=since,
        source=source,
    )
