"""What a data controller wants, once: who it is, and its terms for its datasets. Pure data.

What is not said is not allowed: every default is the closed one.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

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
    Text,
    Words,
    not_before,
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
    UsePurpose,
)
from fairhaven.kernel.months import months_after
from fairhaven.people.people_words import Sector, Standing

EVERYTHING = "*"


class Transfer(TermNoun):
    """A country outside the United Kingdom that the data may go to."""

    country: Annotated[Country, Field(description="Country. ISO 3166."), DecidedBy.MACHINE]
    safeguard: Annotated[Safeguard, Field(description="Ground on which data go there."), DecidedBy.MACHINE]


class Flow(TermNoun):
    """The flow of the data from the controller to the hub."""

    hub_role: Annotated[HubRole, Field(description="What the hub is in this flow."), DecidedBy.TOLD]
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
        Field(description="Purposes that the data may be used for. Without any they may be used for none."),
        DecidedBy.MACHINE,
    ]
    sectors: Annotated[
        tuple[Sector, ...],
        Distinct,
        Field(description="Kinds of organisation that may use them. Without any nobody may."),
        DecidedBy.MACHINE,
    ]
    countries: Annotated[
        tuple[Country, ...],
        Distinct,
        Field(
            description="Countries from which they may be used. Without any they may be used from none. ISO 3166; GB includes GB-ENG."
        ),
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

    what: Annotated[Words, Field(description="What is paid for."), DecidedBy.TOLD]
    pounds: Annotated[Pounds, Field(description="Pounds sterling."), DecidedBy.TOLD]


class Commercial(TermNoun):
    """Commercial use."""

    allowed: Annotated[bool, Field(description="Commercial use is allowed."), DecidedBy.MACHINE] = False
    model: Annotated[
        CommercialModel,
        Field(description="What a commercial use pays. A project accepts it before it reads anything."),
        DecidedBy.MACHINE,
    ] = CommercialModel.NONE
    prices: Annotated[tuple[Payment, ...], Field(description="List of prices. For price-list."), DecidedBy.TOLD] = ()
    milestones: Annotated[tuple[Payment, ...], Field(description="Milestones. For milestones."), DecidedBy.TOLD] = ()
    share_percent: Annotated[
        float | None,
        Field(gt=0, le=100, description="Share of revenue in per cent. For share-of-revenue."),
        DecidedBy.TOLD,
    ] = None
    background_property: Annotated[
        Ownership, Field(description="Intellectual property that was there before."), DecidedBy.PERSON
    ] = Ownership.EACH_OWN
    resulting_property: Annotated[
        Ownership, Field(description="Intellectual property that comes of a use."), DecidedBy.PERSON
    ] = Ownership.SHARED

    @field_validator("prices", "milestones", "share_percent")
    @classmethod
    def _check_model(cls, value: Any, info: ValidationInfo) -> Any:
        """What a model of payment needs is said, and nothing that it does not."""
        needed = {"prices": CommercialModel.PRICE_LIST, "milestones": CommercialModel.MILESTONES}
        model = needed.get(str(info.field_name), CommercialModel.REVENUE_SHARE)
        if "model" in info.data and (info.data["model"] is model) != (value not in ((), None)):
            raise refuse(f"is said where the model is {model}, and only there")
        return value


class Return(TermNoun):
    """Something that comes back of a project's results."""

    to: Annotated[ComesBackTo, Field(description="To whom it comes back."), DecidedBy.TOLD]
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

    reference: Annotated[Words, Field(description="Reference of the Confidentiality Advisory Group."), DecidedBy.TOLD]
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

    @field_validator("last_review_on", "ends")
    @classmethod
    def _check_days(cls, day: dt.date | None, info: ValidationInfo) -> dt.date | None:
        """They follow the letter."""
        return not_before("letter_on", "the letter", day, info)


class Referenced(TermNoun):
    """A document that somebody holds: its reference, and the day from which it no longer suffices."""

    reference: Annotated[Words, Field(description="Reference."), DecidedBy.TOLD]
    review_on: Annotated[dt.date, Field(description="Day by which it is reviewed or renewed."), DecidedBy.MACHINE]


class LegalBasis(TermNoun):
    """The law by which the data may be used."""

    article_6: Annotated[Article6, Field(description="Lawful basis. UK GDPR, article 6."), DecidedBy.TOLD]
    article_9: Annotated[
        Article9 | None,
        Field(
            description="Condition for data on health. UK GDPR, article 9; without it the data are of no special category."
        ),
        DecidedBy.TOLD,
    ] = None
    confidentiality: Annotated[
        Confidentiality, Field(description="Duty of confidence. How the common law's duty is met."), DecidedBy.MACHINE
    ]
    statute: Annotated[
        Words | None, Field(description="Statute that requires or permits the flow."), DecidedBy.TOLD
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

    @field_validator("section_251", "consent")
    @classmethod
    def _check_evidence(cls, value: Any, info: ValidationInfo) -> Any:
        """Support and consent are named where confidence rests on them."""
        reason = Confidentiality.CONSENT if info.field_name == "consent" else Confidentiality.SECTION_251
        if value is None and info.data.get("confidentiality") is reason:
            raise refuse(f"is missing; the duty of confidence is met by {reason}")
        return value


class Setting(TermNoun):
    """Where the data are read, and what leaves."""

    levels: Annotated[
        tuple[Level, ...], Distinct, Field(description="What may be read. Without any nothing is."), DecidedBy.MACHINE
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

    name: Annotated[Name, Field(description="Name, by which its answer is known."), DecidedBy.TOLD]
    ask: Annotated[Words, Field(description="The question."), DecidedBy.PERSON]
    kind: Annotated[AnswerKind, Field(description="How it is answered."), DecidedBy.TOLD] = AnswerKind.TEXT
    choices: Annotated[tuple[Words, ...], Distinct, Field(description="Its choices. For choice."), DecidedBy.TOLD] = ()
    accepted: Annotated[
        tuple[Words, ...],
        Distinct,
        Field(
            description="Answers that a machine accepts, and no others. Without them a person judges; yes or no for yes-no."
        ),
        DecidedBy.MACHINE,
    ] = ()

    @field_validator("choices", "accepted")
    @classmethod
    def _check_answers(cls, answers: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """Choices are given for a choice, and what is accepted can be answered."""
        kind = info.data.get("kind")
        if info.field_name == "choices":
            if kind is not None and (kind is AnswerKind.CHOICE) != bool(answers):
                raise refuse("are given where the kind is choice, and only there")
        elif kind is not None and "choices" in info.data:
            possible = {AnswerKind.YES_NO: ("yes", "no"), AnswerKind.CHOICE: info.data["choices"]}.get(kind, ())
            if not set(answers) <= set(possible):
                raise refuse(f"holds what nobody can answer (possible: {', '.join(possible) or 'none, for words'})")
        return answers


class Terms(TermNoun):
    """Terms of one controller for some of its datasets: as a rule, one data sharing agreement."""

    title: Annotated[Words, Field(description="What the agreement is called."), DecidedBy.TOLD]
    reference: Annotated[Words | None, Field(description="Reference of the agreement."), DecidedBy.TOLD] = None
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
            description="Tables and columns that may be read. Without any none may. As a release has them: table.column, table.* or * for all.",
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
    notice_days: Annotated[
        int,
        Field(
            ge=0, le=3650, description="Days of notice before a change of the terms ends a project that reads the data."
        ),
        DecidedBy.MACHINE,
    ] = 0
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

    @field_validator("ends")
    @classmethod
    def _check_days(cls, day: dt.date | None, info: ValidationInfo) -> dt.date | None:
        """An agreement ends after it starts."""
        return not_before("starts", "the agreement starts", day, info)

    @field_validator("questions")
    @classmethod
    def _check_questions(cls, questions: tuple[Question, ...]) -> tuple[Question, ...]:
        """Each has a name of its own."""
        if len({question.name for question in questions}) < len(questions):
            raise refuse("have one name twice")
        return questions

    def allows_column(self, table: str, column: str) -> bool:
        """True where a column of a release may be read."""
        places = {EVERYTHING, f"{table}.{EVERYTHING}", f"{table}.{column}"}
        return not places.isdisjoint(self.columns) and places.isdisjoint(self.columns_never)


class Officer(TermNoun):
    """Who answers for the data at the controller."""

    role: Annotated[
        Words, Field(description="Role, as Caldicott Guardian or senior information risk owner."), DecidedBy.TOLD
    ]
    name: Annotated[Words | None, Field(description="Name."), DecidedBy.TOLD] = None
    contact: Annotated[Words, Field(description="How they are reached."), DecidedBy.TOLD]


class DataController(TermNoun):
    """A data controller: who decides over sources' data, and on what terms."""

    title: Annotated[Words, Field(description="Name of the organisation."), DecidedBy.TOLD]
    ods_code: Annotated[Text, Field(description="Code of the Organisation Data Service."), DecidedBy.TOLD] = ""
    contact: Annotated[Text, Field(description="Address for requests."), DecidedBy.TOLD] = ""
    summary: Annotated[
        str,
        Field(max_length=10_000, description="What was agreed, in a few words. Nothing is decided by it."),
        DecidedBy.TOLD,
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

    @field_validator("terms")
    @classmethod
    def _check_datasets(cls, terms: Mapping[str, Terms]) -> Mapping[str, Terms]:
        """No dataset has two sets of terms."""
        seen: dict[str, str] = {}
        for name, each in terms.items():
            for dataset in each.datasets:
                if dataset in seen:
                    what = "every other dataset (*)" if dataset == EVERYTHING else dataset
                    raise refuse(f"{what} has the terms {seen[dataset]} and {name}; it can have one")
                seen[dataset] = name
        return terms

    def terms_for(self, dataset: str) -> Terms | None:
        """The terms that hold for a dataset; None where there are none, and nobody but the hub reads it."""
        for wanted in (dataset, EVERYTHING):
            for terms in self.terms.values():
                if wanted in terms.datasets:
                    return terms
        return None
