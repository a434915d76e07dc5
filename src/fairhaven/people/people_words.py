"""The words in which organisations, accounts and roles are said."""

from fairhaven.kernel.word import Word


class Sector(Word):
    """What kind of organisation asks."""

    NHS = "nhs", "NHS organisations"
    ACADEMIA = "academia", "universities and research institutes"
    CHARITY = "charity", "charities"
    INDUSTRY = "industry", "companies"
    LOCAL_AUTHORITY = "local-authority", "local authorities"
    REGULATOR = "regulator", "regulators"


class Standing(Word):
    """What an organisation must have in force."""

    DSPT = "dspt", "the Data Security and Protection Toolkit, standards met"
    CYBER_ESSENTIALS = "cyber-essentials", "Cyber Essentials"
    ICO = "ico", "registration with the Information Commissioner"


class DsptStatus(Word):
    """What an organisation published of itself in the Data Security and Protection Toolkit, as the toolkit calls it."""

    EXCEEDED = "standards-exceeded", "standards exceeded"
    MET = "standards-met", "standards met"
    APPROACHING = "approaching-standards", "approaching standards: an improvement plan is agreed"
    NOT_MET = "standards-not-met", "standards not met"


class AccountKind(Word):
    """Whether somebody or something acts."""

    PERSON = "person", "a person"
    SERVICE = "service", "a program that asks or answers by itself, as a collection of Cohort Discovery"


class ScopeKind(Word):
    """For what a role is held."""

    HUB = "hub", "the hub itself"
    ORGANISATION = "organisation", "an organisation"
    CONTROLLER = "controller", "a data controller"


class Role(Word):
    """What an account may be asked to do. It permits nothing by itself: rules ask who holds which."""

    RESEARCHER = "researcher", "asks for data and works with them"
    REVIEWER = "reviewer", "reviews requests for a controller"
    SIGNATORY = "signatory", "signs agreements for a controller"
    COMMITTEE_MEMBER = "committee-member", "sits on a data access committee"
    PUBLIC_MEMBER = "public-member", "speaks for patients and the public on a data access committee"
    BROKER = "broker", "brings requests of others to the controllers that they concern"
    EXPERT = "expert", "is asked for advice"
    OUTPUT_CHECKER = "output-checker", "decides which outputs leave a workspace"
    DATA_ENGINEER = "data-engineer", "receives deliveries and builds releases"
    SECURITY_OFFICER = "security-officer", "answers for keys, incidents and who may enter"
    ADMINISTRATOR = "administrator", "gives accounts and roles"


class RoleState(Word):
    """What a role is on a day."""

    NOT_YET = "not-yet", "is given, and not yet begun"
    HELD = "held", "is held"
    LAPSED = "lapsed", "was not confirmed in time, so that nobody holds it until it is given anew"
    ENDED = "ended", "was ended"
