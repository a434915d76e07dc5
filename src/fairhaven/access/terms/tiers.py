"""Tiers: what a project may have of data of one sensitivity, and how its workspace and outputs are guarded."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from fairhaven.access.terms.sensitivity import Sensitive, Sensitivity
from fairhaven.access.terms.term_fields import Distinct, Name, TermNoun, Words, refuse
from fairhaven.access.terms.term_words import DecidedBy, Level, Network, ScreenKind, UsePurpose


class Tier(TermNoun):
    """One tier. Tiers stand in order, the least guarded first; each asks for at least what the one before it asks."""

    name: Annotated[Name, Field(description="Name."), DecidedBy.NOBODY]
    title: Annotated[Words, Field(description="What it is for."), DecidedBy.NOBODY]
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

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        """Names differ, nothing asks for two tiers, and no tier is watched less than one before it."""
        names = [each.name for each in self.tier]
        if len(set(names)) < len(names):
            raise refuse("have one name twice", field="tier")
        for what in ("data", "purposes"):
            asked = [item for each in self.tier for item in getattr(each, what)]
            if twice := next((item for item in asked if asked.count(item) > 1), None):
                raise refuse(f"{twice} asks for two tiers", field="tier")
        for place, (lesser, greater) in enumerate(zip(self.tier, self.tier[1:], strict=False), start=1):
            if greater.reviewers < lesser.reviewers:
                raise refuse("is less than in the tier before", field=f"tier.{place}.reviewers")
        return self

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
