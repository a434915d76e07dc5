"""Tiers: what a project may have of data of one sensitivity, and how its workspace and outputs are guarded."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field, field_validator

from fairhaven.access.terms.sensitivity import Sensitive, Sensitivity
from fairhaven.access.terms.term_fields import Distinct, Name, TermNoun, Words, refuse
from fairhaven.access.terms.term_words import DecidedBy, Level, Network, ScreenKind, UsePurpose


class Tier(TermNoun):
    """One tier. Tiers stand in order, the least guarded first; each asks for at least what the one before it asks."""

    name: Annotated[Name, Field(description="Name."), DecidedBy.TOLD]
    title: Annotated[Words, Field(description="What it is for."), DecidedBy.TOLD]
    levels: Annotated[
        tuple[Level, ...], Distinct, Field(min_length=1, description="What may be read in it."), DecidedBy.MACHINE
    ]
    screen: Annotated[ScreenKind, Field(description="What is seen of its workspaces."), DecidedBy.MACHINE]
    networks: Annotated[
        tuple[Network, ...], Distinct, Field(description="From where its workspaces are entered."), DecidedBy.MACHINE
    ]
    reviewers: Annotated[
        int, Field(ge=0, le=10, description="People who look at an output before it leaves."), DecidedBy.PERSON
    ]
    budget: Annotated[
        int,
        Field(
            ge=0, description="Counts that a project may ask for in all. The query audit's own limits hold beside it."
        ),
        DecidedBy.MACHINE,
    ]
    data: Annotated[
        tuple[Sensitive, ...], Distinct, Field(description="Data that need this tier at least."), DecidedBy.MACHINE
    ] = ()
    purposes: Annotated[
        tuple[UsePurpose, ...], Distinct, Field(description="Purposes that need this tier at least."), DecidedBy.MACHINE
    ] = ()


class Tiers(TermNoun):
    """All tiers, the least guarded first."""

    tier: Annotated[tuple[Tier, ...], Field(min_length=1, description="Tiers, the least guarded first.")]

    @field_validator("tier")
    @classmethod
    def _check_order(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        """Names differ, nothing asks for two tiers, and no tier's outputs are looked at by fewer people than those of one before it."""
        names = [each.name for each in tiers]
        asked = [item for each in tiers for item in (*each.data, *each.purposes)]
        if twice := next((item for item in (*names, *asked) if (names + asked).count(item) > 1), None):
            raise refuse(f"has {twice} twice")
        for lesser, greater in pairwise(tiers):
            if greater.reviewers < lesser.reviewers:
                raise refuse(f"{greater.name} has fewer reviewers than {lesser.name}, which stands before it")
        return tiers

    def named(self, name: str) -> Tier | None:
        """The tier of a name."""
        return next((each for each in self.tier if each.name == name), None)

    def needed(self, datasets: Iterable[Sensitivity | None], purposes: Sequence[UsePurpose]) -> Tier:
        """The highest tier that a project's data and purposes need; of a dataset whose questionnaire is not answered, the highest."""
        place = 0
        for answers in datasets:
            if answers is None:
                return self.tier[-1]
            found = answers.found()
            place = max([place, *(at for at, each in enumerate(self.tier) if not found.isdisjoint(each.data))])
        wanted = set(purposes)
        place = max([place, *(at for at, each in enumerate(self.tier) if not wanted.isdisjoint(each.purposes))])
        return self.tier[place]
