"""How sensitive a dataset is: a short questionnaire that the controller's owner answers with yes or no."""

from typing import Annotated

from pydantic import Field

from fairhaven.access.terms.term_fields import TermNoun
from fairhaven.access.terms.term_words import DecidedBy
from fairhaven.kernel.word import Word


class Sensitive(Word):
    """What makes a dataset sensitive; tiers.toml says which tier each asks for."""

    IDENTIFIERS = "identifiers", "names, addresses or numbers of patients"
    FREE_TEXT = "free-text", "free text of records"
    STIGMA = "stigma", "sexual health, mental health, addiction, abuse or other matters that shame"
    GENOMIC = "genomic", "genomic data"
    IMAGES = "images", "images of patients"
    SMALL_AREAS = "small-areas", "places smaller than a local authority"
    EXACT_DATES = "exact-dates", "exact dates of events"
    RARE = "rare", "diseases or groups so rare that somebody may be recognised"
    VULNERABLE = "vulnerable", "children or adults who cannot consent"


class Sensitivity(TermNoun):
    """Answers to the questionnaire for one dataset. All are needed: what is not answered is not known to be harmless."""

    identifiers: Annotated[bool, Field(description="Holds names, addresses or numbers of patients."), DecidedBy.MACHINE]
    free_text: Annotated[bool, Field(description="Holds free text of records."), DecidedBy.MACHINE]
    stigma: Annotated[
        bool,
        Field(description="Holds sexual health, mental health, addiction, abuse or other matters that shame."),
        DecidedBy.MACHINE,
    ]
    genomic: Annotated[bool, Field(description="Holds genomic data."), DecidedBy.MACHINE]
    images: Annotated[bool, Field(description="Holds images of patients."), DecidedBy.MACHINE]
    small_areas: Annotated[bool, Field(description="Holds places smaller than a local authority."), DecidedBy.MACHINE]
    exact_dates: Annotated[bool, Field(description="Holds exact dates of events."), DecidedBy.MACHINE]
    rare: Annotated[
        bool, Field(description="Holds diseases or groups so rare that somebody may be recognised."), DecidedBy.MACHINE
    ]
    vulnerable: Annotated[bool, Field(description="Is about children or adults who cannot consent."), DecidedBy.MACHINE]

    def found(self) -> frozenset[Sensitive]:
        """What the answers found."""
        return frozenset(word for word in Sensitive if getattr(self, word.value.replace("-", "_")))
