"""The nouns of the query audit: who asks, what is decided, what is left to ask."""

import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.primary_suppression import Protected

_UNSEEN = tuple(
    range(first, last + 1)
    for first, last in (
        (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
        (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
        (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
        (0x2800, 0x2800),
    )
)  # fmt: skip
"""Characters that nobody sees: Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt (16.0), and the Braille pattern without a dot."""
_ALIKE = frozenset({"CYRILLIC", "GREEK", "LATIN"})
"""Scripts with letters that look like another's, as the names of their characters begin."""


def folded(name: str) -> str:
    """A name as the audit knows it: what people take for one name is one, whatever its capitals, widths, blanks and what cannot be seen.

    Source: Unicode TR31, identifiers compared by NFKC_Casefold.
    """
    # Unseen ones first: between a letter and its accent one would keep them two.
    plain = unicodedata.normalize("NFKC", "".join(letter for letter in name if not _is_unseen(letter)))
    return " ".join(unicodedata.normalize("NFKC", plain.casefold()).split())


def why_mistaken(name: str) -> str:
    """Why people could take a name for another that the audit tells from it; empty where nothing says so.

    Letters of one script only are not compared with another's: a name that is Cyrillic throughout may look like a Latin one.
    """
    if unseen := sorted({f"U+{ord(letter):04X}" for letter in name if _is_unseen(letter)}):
        return f"holds characters that nobody sees ({', '.join(unseen)})"
    letters = (unicodedata.name(letter, "").partition(" ")[0] for letter in folded(name))
    scripts = sorted(_ALIKE.intersection(letters))
    return f"mixes letters that look alike ({' and '.join(map(str.title, scripts))})" if len(scripts) > 1 else ""


def _is_unseen(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" or any(ord(letter) in unseen for unseen in _UNSEEN)


class Outcome(StrEnum):
    """All that the one who asks may see of a decision."""

    ANSWERED = "answered"
    REFUSED = "refused"
    SPENT = "spent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """On whose behalf a question is put; its names are folded, so that no spelling brings a budget of its own.

    Args:
        project: the project's name.
        organisation: the organisation that the project belongs to; empty for one of its own.
        is_federated: true where the question comes over a network of hubs.
    """

    project: str
    organisation: str = ""
    is_federated: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "project", folded(self.project))
        object.__setattr__(self, "organisation", folded(self.organisation))
        if not self.project:
            raise ValueError("a question is asked on behalf of a project")


THE_HUB = Asker(project="the hub itself")
"""For whom a count is when it is for no project: a coalition without a budget (but for differential privacy, whose total holds for everybody),
and nothing of it is for handing out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What a project has asked and may still ask; shown to the project itself.

    Args:
        allowed: questions that the rules allow. Each question costs one, whatever comes of it: if a repetition or a
            refusal were cheaper, the budget would reveal what the refusal does not.
        spent: questions put so far.
        refused: those of them that were refused.
    """

    allowed: int
    spent: int
    refused: int

    @property
    def left(self) -> int:
        """Questions that may still be put."""
        return max(self.allowed - self.spent, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What the one who asks gets.

    Args:
        outcome: whether there is an answer.
        count: the count as the policy shows it; None where there is no answer.
        budget: after this question.
        is_own: True where the hub itself asked, whose counts only differential privacy ends.
    """

    outcome: Outcome
    count: Protected | None
    budget: Budget
    is_own: bool = False

    @property
    def text(self) -> str:
        """What a reader sees. One sentence for every refusal: why it was refused would be an answer."""
        match self.outcome:
            case Outcome.ANSWERED if self.count is not None:
                return self.count.text
            case Outcome.SPENT if self.is_own:
                return "not answered: the privacy loss that the rules allow the hub's own counts is spent, for good"
            case Outcome.SPENT:
                return "not answered: the project's budget of questions is spent"
            case _:
                return "not answered: with the answers already given it could point at few persons"


class VerdictKind(StrEnum):
    """How a question is met."""

    FRESH = "fresh"
    SMALL = "small"
    EARLIER = "earlier"
    TOLD = "told"
    """Nobody asked: the release tells it of itself."""
    COMBINED = "combined"
    """With the sum and difference of more than two earlier answers."""
    REFUSED = "refused"
    WITHHELD = "withheld"
    """Refused to a table only; a question of its own may be answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How one coalition's memory would have a question met.

    Args:
        kind: how the question is to be met.
        value: the count to show; None where it is suppressed or refused.
        differing: the persons of whom it shows that they are few, or not.
        weights: what each person's exposure rises by.
    """

    kind: VerdictKind
    value: int | None = None
    differing: BitMap | None = None
    weights: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def is_refused(self) -> bool:
        """True where nothing is shown."""
        return self.kind in (VerdictKind.REFUSED, VerdictKind.WITHHELD)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedVerdict:
    """How a coalition was met, as recorded.

    Args:
        seq: its place in the sequence of all verdicts.
        question: the question's key; that of a release's whole population is minus the release's.
        keyed_sum: the set's other digest (`set_digests`); None where it was refused before there was one.
        size, sketch: of the question's set; no sketch where it was refused.
    """

    seq: int
    question: int
    kind: VerdictKind
    differing: BitMap | None
    shown: int | None
    digest: bytes
    keyed_sum: bytes | None
    size: int
    sketch: NDArray[np.float32] | None
