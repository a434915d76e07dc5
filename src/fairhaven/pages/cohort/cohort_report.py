"""The facts that the page shows. Its counts come protected: whoever fills them in has decided what may be shown."""

import datetime as dt
from dataclasses import dataclass

from fairhaven.cohort.english import Explanation
from fairhaven.cohort.model import CohortDefinition
from fairhaven.disclosure import Policy, Protected


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step of a definition leaves of what the one before left.

    Args:
        words: what the step is, for example the rule's name.
        rule: the rule's number, from 1; None for a step that is no rule.
        alone: persons that the rule would leave if it were the only one; None where that is not told of any rule.
    """

    words: str
    persons: Protected
    events: Protected
    rule: int | None = None
    alone: Protected | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortFacts:
    """One cohort.

    Args:
        number: its cohort definition id, different from that of every other on the page.
        hash: of the definition.
        explanation: the definition in words.
        persons, rows: of the cohort itself.
        steps: from the entry events on, in their order.
    """

    number: int
    name: str
    hash: str
    definition: CohortDefinition
    explanation: Explanation
    persons: Protected
    rows: Protected
    steps: tuple[Step, ...]

    @property
    def title(self) -> str:
        """Its name; where that is but its number, that with a word before it."""
        return f"Cohort {self.number}" if self.name == str(self.number) else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class CohortReport:
    """Everything on the page.

    Args:
        place: the hub's name, or that of the CDM's file or folder.
        release: name of the hub's release; empty for a CDM.
        as_of: the day up to which the data goes, where it is known.
        vocabulary: its version, where it is known.
        policy: the rule by which the counts are protected; None where they are exact.
    """

    place: str
    release: str = ""
    as_of: dt.date | None = None
    vocabulary: str = ""
    code_version: str = ""
    policy: Policy | None = None
    cohorts: tuple[CohortFacts, ...]
