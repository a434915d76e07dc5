"""What a data controller wants, once: who it is, and its terms for its datasets. Pure data.

What is not said is not allowed: every default is the closed one.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from fairhaven.access.terms.data_use import DataUse
from fairhaven.access.terms.sensitivity import Sensitivity
from fairhaven.access.terms.term_fields import (
    Column,
    Country,
    Dataset,
    Distinct,
    Months,
    Name,
    Pounds,
    TermNoun,
    Words,
    months_after,
    refuse,
)
from fairhaven.access.terms.term_words import (
    Accreditation,
    AnswerKind,
    Article6,
    Article9,
    AtEnd,
    ComesBackTo,
    CommercialModel,
    Confidentiality,
    DecidedBy,
    DiscoveryBy,
    HubRole,
    Level,
    OptOuts,
    OutputsBy,
    Ownership,
    Safeguard,
    Sector,
    Standing,
    UsePurpose,
)

EVERYTHING = "*"


class Transfer(TermNoun):
    """A country outside the United Kingdom that the data may go to."""

    country: Annotated[Country, Field(description="Country. ISO 3166."), DecidedBy.MACHINE]
    safeguard: Annotated[Safeguard, Field(description="Ground on which data go there."), DecidedBy.MACHINE]


class Flow(TermNoun):
    """The flow of the data from the controller to the hub."""

    hub_role: Annotated[HubRole, Field(description="What the hub is in this flow."), DecidedBy.NOBODY]
    opt_outs: Annotated[
        OptOuts, Field(description="National data opt-out. Whether it is applied, or why not."), DecidedBy.MACHINE
    ]
    retention_months: Annotated[
        Months | None,
        Field(description="Months for which the data are kept after the agreement ends. Without it they are not kept."),
        DecidedBy.MACHINE,
    ] = None
    at_end: Annotated[AtEnd, Field(description="What becomes of the data then."), DecidedBy.PERSON] = AtEnd.DESTROY
    transfers: Annotated[
        tuple[Transfer, ...],
        Distinct,
        Field(description="Countries outside the United Kingdom that the data may go to. Without any they stay."),
        DecidedBy.MACHINE,
    ] = ()
    sublicensing: Annotated[
        bool,
        Field(description="Whether a project may hand data on to others under its own agreement."),
        DecidedBy.MACHINE,
    ] = False


class Use(TermNoun):
    """Who may use the data for what."""

    purposes: Annotated[
        tuple[UsePurpose, ...],
        Distinct,
        Field(min_length=1, description="Purposes that the data may be used for."),
        DecidedBy.MACHINE,
    ]
    sectors: Annotated[
        tuple[Sector, ...],
        Distinct,
        Field(min_length=1, description="Kinds of organisation that may use them."),
        DecidedBy.MACHINE,
    ]
    countries: Annotated[
        tuple[Country, ...],
        Distinct,
        Field(min_length=1, description="Countries from which they may be used. ISO 3166; GB includes GB-ENG."),
        DecidedBy.MACHINE,
    ]
    data_use: Annotated[
        DataUse | None, Field(description="Data use in the terms of GA4GH. It limits further, and never widens.")
    ] = None
    benefit: Annotated[
        Words | None, Field(description="Public benefit that a use must have. In words."), DecidedBy.PERSON
    ] = None


class Payment(TermNoun):
    """Something that is paid for, and what it costs."""

    what: Annotated[Words, Field(description="What is paid for."), DecidedBy.NOBODY]
    pounds: Annotated[Pounds, Field(description="Pounds sterling."), DecidedBy.NOBODY]


class Commercial(TermNoun):
    """Commercial use."""

    allowed: Annotated[bool, Field(description="Commercial use is allowed."), DecidedBy.MACHINE] = False
    model: Annotated[
        CommercialModel,
        Field(description="What a commercial use pays. A project accepts it before it reads anything."),
        DecidedBy.MACHINE,
    ] = CommercialModel.NONE
    prices: Annotated[tuple[Payment, ...], Field(description="List of prices. For price-list."), DecidedBy.NOBODY] = ()
    milestones: Annotated[tuple[Payment, ...], Field(description="Milestones. For milestones."), DecidedBy.NOBODY] = ()
    share_percent: Annotated[
        float | None,
        Field(gt=0, le=100, description="Share of revenue in per cent. For share-of-revenue."),
        DecidedBy.NOBODY,
    ] = None
    background_property: Annotated[
        Ownership, Field(description="Intellectual property that was there before."), DecidedBy.PERSON
    ] = Ownership.EACH_OWN
    resulting_property: Annotated[
        Ownership, Field(description="Intellectual property that comes of a use."), DecidedBy.PERSON
    ] = Ownership.SHARED

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        """What a model of payment needs is said, and nothing that it does not."""
        for model, field in (
            (CommercialModel.PRICE_LIST, "prices"),
            (CommercialModel.MILESTONES, "milestones"),
            (CommercialModel.REVENUE_SHARE, "share_percent"),
        ):
            has = getattr(self, field) not in ((), None)
            if self.model is model and not has:
                raise refuse(f"is missing; the model {model} needs it", field=field)
            if has and self.model is not model:
                raise refuse(f"is said, but the model is {self.model}", field=field)
        return self


class Return(TermNoun):
    """Something that comes back of a project's results."""

    to: Annotated[ComesBackTo, Field(description="To whom it comes back."), DecidedBy.NOBODY]
    what: Annotated[Words, Field(description="What comes back."), DecidedBy.PERSON]
    within_months: Annotated[
        Months,
        Field(description="Months from a project's end within which it does. A duty that is overdue stops reads."),
        DecidedBy.MACHINE,
    ]


class Publication(TermNoun):
    """Publication, and what comes back."""

    review_days: Annotated[
        int, Field(ge=0, le=365, description="Days that the controller has to review a publication."), DecidedBy.MACHINE
    ] = 0
    returns: Annotated[
        tuple[Return, ...],
        Field(description="What comes back to patients, the NHS and the controller."),
        DecidedBy.MACHINE,
    ] = ()
    acknowledgement: Annotated[Words | None, Field(description="How the data are acknowledged."), DecidedBy.PERSON] = (
        None
    )


class Users(TermNoun):
    """The people who may see the data, and their organisations."""

    accreditation: Annotated[
        tuple[Accreditation, ...],
        Distinct,
        Field(min_length=1, description="Accreditation that a person must have, one of these."),
        DecidedBy.MACHINE,
    ]
    training: Annotated[
        tuple[Words, ...],
        Distinct,
        Field(description="Training that a person must have, all of it."),
        DecidedBy.MACHINE,
    ] = ()
    standing: Annotated[
        tuple[Standing, ...],
        Distinct,
        Field(description="What their organisation must have in force, all of it."),
        DecidedBy.MACHINE,
    ] = ()


class Section251(TermNoun):
    """Support under section 251 of the NHS Act 2006 and the Health Service (Control of Patient Information) Regulations 2002."""

    reference: Annotated[Words, Field(description="Reference of the Confidentiality Advisory Group."), DecidedBy.NOBODY]
    letter_on: Annotated[
        dt.date,
        Field(description="Day of the final letter of support. An annual review is due each 12 months from it."),
        DecidedBy.MACHINE,
    ]
    last_review_on: Annotated[
        dt.date | None, Field(description="Day of the last annual review that was accepted."), DecidedBy.MACHINE
    ] = None
    ends: Annotated[
        dt.date | None,
        Field(description="Day on which support ends. Without it, when it is withdrawn."),
        DecidedBy.MACHINE,
    ] = None

    @property
    def review_due(self) -> dt.date:
        """The day by which the next annual review must be accepted: an anniversary of the letter.

        A review is for the anniversary that it is nearest to, whether it came somewhat early or late.
        """
        due = months_after(self.letter_on, 12)
        years = 1
        while self.last_review_on is not None and months_after(self.last_review_on, 6) > due:
            years += 1
            due = months_after(self.letter_on, 12 * years)
        return due

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        """A review follows the letter."""
        if self.last_review_on is not None and self.last_review_on < self.letter_on:
            raise refuse("is before the letter", field="last_review_on")
        if self.ends is not None and self.ends < self.letter_on:
            raise refuse("is before the letter", field="ends")
        return self


class Referenced(TermNoun):
    """A document that somebody holds: its reference, and the day from which it no longer suffices."""

    reference: Annotated[Words, Field(description="Reference."), DecidedBy.NOBODY]
    review_on: Annotated[dt.date, Field(description="Day by which it is reviewed or renewed."), DecidedBy.MACHINE]


class LegalBasis(TermNoun):
    """The law by which the data may be used."""

    article_6: Annotated[Article6, Field(description="Lawful basis. UK GDPR, article 6."), DecidedBy.NOBODY]
    article_9: Annotated[
        Article9 | None,
        Field(
            description="Condition for data on health. UK GDPR, article 9; without it the data are of no special category."
        ),
        DecidedBy.NOBODY,
    ] = None
    confidentiality: Annotated[
        Confidentiality, Field(description="Duty of confidence. How the common law's duty is met."), DecidedBy.MACHINE
    ]
    statute: Annotated[
        Words | None, Field(description="Statute that requires or permits the flow."), DecidedBy.NOBODY
    ] = None
    section_251: Annotated[Section251 | None, Field(description="Support under section 251.")] = None
    consent: Annotated[
        Words | None, Field(description="Form of consent, by name and version. For consent."), DecidedBy.PERSON
    ] = None
    dpia: Annotated[Referenced | None, Field(description="Data protection impact assessment of the flow.")] = None
    ethics: Annotated[Referenced | None, Field(description="Approval by a research ethics committee.")] = None
    project_dpia: Annotated[
        bool, Field(description="A project needs a data protection impact assessment of its own."), DecidedBy.MACHINE
    ] = True
    project_ethics: Annotated[
        bool, Field(description="A project needs an ethics committee's approval of its own."), DecidedBy.MACHINE
    ] = False

    @model_validator(mode="after")
    def _check_evidence(self) -> Self:
        """Support and consent are named where confidence rests on them, and only there."""
        for reason, field in ((Confidentiality.SECTION_251, "section_251"), (Confidentiality.CONSENT, "consent")):
            if self.confidentiality is reason and getattr(self, field) is None:
                raise refuse(f"is missing; the duty of confidence is met by {reason}", field=field)
        return self


class Setting(TermNoun):
    """Where the data are read, and what leaves."""

    levels: Annotated[
        tuple[Level, ...], Distinct, Field(min_length=1, description="What may be read."), DecidedBy.MACHINE
    ]
    safe_setting_only: Annotated[
        bool,
        Field(description="The data are read in the hub's safe setting only. No rows leave it."),
        DecidedBy.MACHINE,
    ] = True
    output_policy: Annotated[
        Words | None,
        Field(description="Disclosure policy that outputs are checked by. Without it the hub's own."),
        DecidedBy.MACHINE,
    ] = None
    outputs_by: Annotated[OutputsBy, Field(description="Who lets outputs out."), DecidedBy.PERSON] = OutputsBy.BOTH
    longest_months: Annotated[Months, Field(description="Months that a project lasts at longest."), DecidedBy.MACHINE]


class Question(TermNoun):
    """A question of the controller's own, beside those that every applicant answers."""

    name: Annotated[Name, Field(description="Name, by which its answer is known."), DecidedBy.NOBODY]
    ask: Annotated[Words, Field(description="The question."), DecidedBy.PERSON]
    kind: Annotated[AnswerKind, Field(description="How it is answered."), DecidedBy.NOBODY] = AnswerKind.TEXT
    choices: Annotated[
        tuple[Words, ...], Distinct, Field(description="Its choices. For choice."), DecidedBy.NOBODY
    ] = ()
    accepted: Annotated[
        tuple[Words, ...],
        Distinct,
        Field(
            description="Answers that a machine accepts, and no others. Without them a person judges; yes or no for yes-no."
        ),
        DecidedBy.MACHINE,
    ] = ()

    @model_validator(mode="after")
    def _check_answers(self) -> Self:
        """Choices are given for a choice, and what is accepted can be answered."""
        if (self.kind is AnswerKind.CHOICE) != bool(self.choices):
            raise refuse("are given where the kind is choice, and only there", field="choices")
        possible = {AnswerKind.TEXT: (), AnswerKind.YES_NO: ("yes", "no"), AnswerKind.CHOICE: self.choices}[self.kind]
        if not set(self.accepted) <= set(possible):
            raise refuse("holds what nobody can answer", field="accepted")
        return self


class Terms(TermNoun):
    """Terms of one controller for some of its datasets: as a rule, one data sharing agreement."""

    title: Annotated[Words, Field(description="What the agreement is called."), DecidedBy.NOBODY]
    reference: Annotated[Words | None, Field(description="Reference of the agreement."), DecidedBy.NOBODY] = None
    datasets: Annotated[
        tuple[Dataset, ...],
        Distinct,
        Field(
            min_length=1,
            description="Datasets that the terms hold for. Names of sources; * is every dataset of the controller that no other of its terms names.",
        ),
        DecidedBy.MACHINE,
    ]
    columns: Annotated[
        tuple[Column, ...],
        Distinct,
        Field(
            min_length=1,
            description="Tables and columns that may be read. As a release has them: table.column, table.* or * for all.",
        ),
        DecidedBy.MACHINE,
    ]
    columns_never: Annotated[
        tuple[Column, ...],
        Distinct,
        Field(description="Tables and columns that may never be read. Whatever columns says."),
        DecidedBy.MACHINE,
    ] = ()
    starts: Annotated[dt.date, Field(description="First day of the agreement."), DecidedBy.MACHINE]
    ends: Annotated[
        dt.date | None,
        Field(description="Last day of the agreement. Without it the terms hold until they are withdrawn."),
        DecidedBy.MACHINE,
    ] = None
    review_on: Annotated[
        dt.date | None, Field(description="Day by which the agreement is reviewed."), DecidedBy.PERSON
    ] = None
    flow: Annotated[Flow, Field(description="The flow to the hub.")]
    use: Annotated[Use, Field(description="Who may use the data for what.")]
    commercial: Annotated[Commercial, Field(description="Commercial use.")] = Commercial()
    users: Annotated[Users, Field(description="People and organisations.")]
    legal: Annotated[LegalBasis, Field(description="Legal basis.")]
    setting: Annotated[Setting, Field(description="Where the data are read, and what leaves.")]
    publication: Annotated[Publication, Field(description="Publication, and what comes back.")] = Publication()
    discovery: Annotated[
        DiscoveryBy, Field(description="Who may ask for protected counts before any agreement."), DecidedBy.MACHINE
    ] = DiscoveryBy.NONE
    opt_out_days: Annotated[
        int,
        Field(
            ge=0,
            le=30,
            description="Days within which an opt-out reaches data already given. 30 unless less; 0 closes at once.",
        ),
        DecidedBy.MACHINE,
    ] = 30
    questions: Annotated[tuple[Question, ...], Field(description="The controller's own questions.")] = ()
    conditions: Annotated[
        tuple[Words, ...], Field(description="Further conditions, in the controller's words."), DecidedBy.PERSON
    ] = ()

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        """An agreement ends after it starts, and its questions have names of their own."""
        if self.ends is not None and self.ends < self.starts:
            raise refuse("is before the agreement starts", field="ends")
        names = [question.name for question in self.questions]
        if len(set(names)) < len(names):
            raise refuse("have one name twice", field="questions")
        return self

    def allows_column(self, table: str, column: str) -> bool:
        """True where a column of a release may be read."""
        places = {EVERYTHING, f"{table}.{EVERYTHING}", f"{table}.{column}"}
        return not places.isdisjoint(self.columns) and places.isdisjoint(self.columns_never)


class Officer(TermNoun):
    """Who answers for the data at the controller."""

    role: Annotated[
        Words, Field(description="Role, as Caldicott Guardian or senior information risk owner."), DecidedBy.NOBODY
    ]
    name: Annotated[Words | None, Field(description="Name."), DecidedBy.NOBODY] = None
    contact: Annotated[Words, Field(description="How they are reached."), DecidedBy.NOBODY]


class DataController(TermNoun):
    """A data controller: who decides over sources' data, and on what terms."""

    title: Annotated[Words, Field(description="Name of the organisation."), DecidedBy.NOBODY]
    ods_code: Annotated[
        str, Field(max_length=20, description="Code of the Organisation Data Service."), DecidedBy.NOBODY
    ] = ""
    contact: Annotated[str, Field(max_length=500, description="Address for requests."), DecidedBy.NOBODY] = ""
    summary: Annotated[
        str,
        Field(max_length=10_000, description="What was agreed, in a few words. Nothing is decided by it."),
        DecidedBy.NOBODY,
    ] = ""
    officer: Annotated[Officer | None, Field(description="Responsible officer.")] = None
    terms: Annotated[
        Mapping[Name, Terms],
        Field(
            description="Terms by name, each for some datasets. Without any the hub may read the controller's data for itself, and nobody else."
        ),
    ] = {}
    sensitivity: Annotated[
        Mapping[Name, Sensitivity], Field(description="How sensitive each dataset is. Answers by the dataset's name.")
    ] = {}

    @model_validator(mode="after")
    def _check_datasets(self) -> Self:
        """No dataset has two sets of terms."""
        seen: dict[str, str] = {}
        for name, terms in self.terms.items():
            for dataset in terms.datasets:
                if dataset in seen:
                    what = "every other dataset (*)" if dataset == EVERYTHING else dataset
                    raise refuse(f"{what} has the terms of {seen[dataset]} already", field=f"terms.{name}.datasets")
                seen[dataset] = name
        return self

    def terms_for(self, dataset: str) -> Terms | None:
        """The terms that hold for a dataset; None where there are none, and nobody but the hub reads it."""
        for wanted in (dataset, EVERYTHING):
            for terms in self.terms.values():
                if wanted in terms.datasets:
                    return terms
        return None
