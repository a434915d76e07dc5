"""Classes of request: what people approved once, with reasons and an end, so that what lies wholly inside it need not wait."""

import datetime as dt
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from fairhaven.access.terms.term_fields import Column, Country, Distinct, Months, Name, TermNoun, Words, not_before
from fairhaven.access.terms.term_words import DecidedBy, Level, OutputKind, UsePurpose
from fairhaven.people.people_words import Sector


class RequestClass(TermNoun):
    """A class of requests. A machine decides whether a request lies in it, and never whether it is of benefit."""

    title: Annotated[Words, Field(description="What the class is called."), DecidedBy.TOLD]
    reasons: Annotated[Words, Field(description="Why requests of this class may pass."), DecidedBy.PERSON]
    benefit: Annotated[Words, Field(description="Public benefit of requests of this class."), DecidedBy.PERSON]
    controllers: Annotated[
        tuple[Name, ...], Distinct, Field(min_length=1, description="Controllers whose class it is."), DecidedBy.MACHINE
    ]
    starts: Annotated[dt.date, Field(description="First day of the class."), DecidedBy.MACHINE]
    ends: Annotated[dt.date, Field(description="Last day of the class. It must have one."), DecidedBy.MACHINE]
    purposes: Annotated[
        tuple[UsePurpose, ...], Distinct, Field(min_length=1, description="Purposes."), DecidedBy.MACHINE
    ]
    sectors: Annotated[
        tuple[Sector, ...], Distinct, Field(min_length=1, description="Kinds of organisation."), DecidedBy.MACHINE
    ]
    countries: Annotated[
        tuple[Country, ...], Distinct, Field(min_length=1, description="Countries."), DecidedBy.MACHINE
    ]
    datasets: Annotated[
        tuple[Name, ...],
        Distinct,
        Field(min_length=1, description="Datasets. Names of sources; all of them are named."),
        DecidedBy.MACHINE,
    ]
    columns: Annotated[
        tuple[Column, ...],
        Distinct,
        Field(min_length=1, description="Tables and columns. As a release has them: table.column, table.* or *."),
        DecidedBy.MACHINE,
    ]
    levels: Annotated[
        tuple[Level, ...], Distinct, Field(min_length=1, description="What may be read."), DecidedBy.MACHINE
    ]
    outputs: Annotated[tuple[OutputKind, ...], Distinct, Field(min_length=1, description="Outputs."), DecidedBy.MACHINE]
    commercial: Annotated[bool, Field(description="Commercial uses lie in the class."), DecidedBy.MACHINE] = False
    longest_months: Annotated[Months, Field(description="Months that a project lasts at longest."), DecidedBy.MACHINE]
    one_looked_at_in: Annotated[
        int,
        Field(ge=1, le=10, description="Of so many requests that passed, one is looked at afterwards by a person."),
        DecidedBy.PERSON,
    ] = 10

    @field_validator("ends")
    @classmethod
    def _check_days(cls, day: dt.date, info: ValidationInfo) -> dt.date | None:
        """A class ends after it starts."""
        return not_before("starts", "the class starts", day, info)
