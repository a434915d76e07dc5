"""The words that terms are said in: each is written in a controller's file as it stands here, and means what it says here."""

from fairhaven.kernel.word import Word


class DecidedBy(Word):
    """Who decides whether a request meets a term."""

    MACHINE = "machine", "a machine decides"
    PERSON = "person", "a person decides"
    TOLD = "told", "told, and nothing is decided by it"


class HubRole(Word):
    """What the hub is to the controller in the law's terms (UK GDPR, articles 4, 26 and 28)."""

    CONTROLLER = "controller", "a controller of its own for what it receives"
    JOINT = "joint", "a joint controller"
    PROCESSOR = "processor", "a processor on the controller's instructions"


class UsePurpose(Word):
    """What data are used for."""

    HEALTH_RESEARCH = "health-research", "research into health, disease and care"
    POPULATION_ORIGINS = "population-origins", "research into the origins or ancestry of populations"
    GENETIC_RESEARCH = "genetic-research", "research into genes, alone or with health"
    METHODS_DEVELOPMENT = "methods-development", "development of statistical methods, software or algorithms"
    ARTIFICIAL_INTELLIGENCE = "artificial-intelligence", "training or testing of artificial intelligence"
    OTHER_RESEARCH = "other-research", "research into anything else"
    CLINICAL_TRIALS = "clinical-trials", "finding whether a trial can be done, and its follow-up"
    SERVICE_EVALUATION = "service-evaluation", "evaluation of a service"
    CLINICAL_AUDIT = "clinical-audit", "audit of care against a standard"
    PLANNING = "planning", "planning and commissioning of health and care"
    PUBLIC_HEALTH = "public-health", "protection and surveillance of the public's health"
    EDUCATION = "education", "teaching and training"
    CLINICAL_CARE = "clinical-care", "care of the patients themselves"
    PRODUCT_DEVELOPMENT = "product-development", "development of a product or service to be sold"


class Level(Word):
    """How near to a patient's record what is read comes; each is nearer than those before it."""

    RESULT = "result", "protected results, never rows"
    SYNTHETIC = "synthetic", "synthetic rows"
    DE_IDENTIFIED = "de-identified", "de-identified rows"
    IDENTIFIABLE = "identifiable", "identifiable rows"


class DiscoveryBy(Word):
    """Who may ask for protected counts before there is any agreement; each has fewer than the one before it."""

    PUBLIC = "public", "anybody"
    SIGNED_IN = "signed-in", "whoever is signed in"
    ACCREDITED = "accredited", "accredited researchers"
    NONE = "none", "nobody"


class OptOuts(Word):
    """How the national data opt-out bears on a flow, as its operational policy guidance has it."""

    LEFT_OUT = "left-out", "people who opted out are left out"
    CONSENT = "consent", "not applied: the patients consented"
    LAW = "law", "not applied: the law requires the flow"
    PUBLIC_INTEREST = "public-interest", "not applied: an overriding public interest"
    COMMUNICABLE_DISEASE = "communicable-disease", "not applied: risks to public health (regulation 3)"
    ANONYMISED = "anonymised", "not applied: the data are anonymised before they flow"
    EXEMPT = "exempt", "not applied: the approval letter of the Confidentiality Advisory Group exempts the flow"
    NOT_CONFIDENTIAL = "not-confidential", "not applied: the data are no confidential patient information"
    CARE = "care", "not applied: the flow is for the patients' own care"


class AtEnd(Word):
    """What becomes of the data when the agreement has ended."""

    DESTROY = "destroy", "destroyed, with a certificate"
    RETURN = "return", "given back"
    ANONYMISE = "anonymise", "anonymised"


class Safeguard(Word):
    """On what ground data leave the United Kingdom (UK GDPR, chapter V)."""

    ADEQUACY = "adequacy", "adequacy regulations"
    IDTA = "idta", "the international data transfer agreement"
    ADDENDUM = "addendum", "the addendum to the European Union's standard clauses"
    BINDING_RULES = "binding-rules", "binding corporate rules"


class CommercialModel(Word):
    """What a commercial use pays."""

    NONE = "none", "nothing"
    COST_RECOVERY = "cost-recovery", "what it costs"
    PRICE_LIST = "price-list", "by a list of prices"
    MILESTONES = "milestones", "at milestones"
    REVENUE_SHARE = "share-of-revenue", "a share of the revenue"


class Ownership(Word):
    """Whose intellectual property something is."""

    CONTROLLER = "controller", "the controller's"
    HUB = "hub", "the hub's"
    PROJECT = "project", "the project's"
    PROJECT_LICENSED = "project-licensed", "the project's, with a free licence to the NHS"
    SHARED = "shared", "shared, as each agreement says"
    EACH_OWN = "each-own", "of whoever brings it"


class Accreditation(Word):
    """A scheme by which a researcher is known to be fit to see data."""

    DEA_FULL = "dea-full", "accredited under the Digital Economy Act"
    DEA_PROVISIONAL = "dea-provisional", "provisionally accredited under the Digital Economy Act, with a supervisor"
    HUB = "hub", "accredited by the hub"


class Article6(Word):
    """The lawful basis (UK GDPR, article 6(1))."""

    CONSENT = "6(1)(a)", "consent"
    CONTRACT = "6(1)(b)", "a contract"
    LEGAL_OBLIGATION = "6(1)(c)", "a legal obligation"
    VITAL_INTERESTS = "6(1)(d)", "vital interests"
    PUBLIC_TASK = "6(1)(e)", "a task in the public interest"
    LEGITIMATE_INTERESTS = "6(1)(f)", "legitimate interests"


class Article9(Word):
    """The condition for special categories of data (UK GDPR, article 9(2))."""

    CONSENT = "9(2)(a)", "explicit consent"
    EMPLOYMENT = "9(2)(b)", "employment and social protection"
    VITAL_INTERESTS = "9(2)(c)", "vital interests"
    NOT_FOR_PROFIT = "9(2)(d)", "members of a body that does not seek profit"
    MADE_PUBLIC = "9(2)(e)", "made public by the person"
    LEGAL_CLAIMS = "9(2)(f)", "legal claims"
    PUBLIC_INTEREST = "9(2)(g)", "substantial public interest"
    HEALTH_CARE = "9(2)(h)", "health and social care"
    PUBLIC_HEALTH = "9(2)(i)", "public health"
    RESEARCH = "9(2)(j)", "research and statistics"


class Confidentiality(Word):
    """How the common law's duty of confidence is met."""

    CONSENT = "consent", "the patients consented"
    SECTION_251 = "section-251", "support under section 251 of the NHS Act 2006"
    LAW = "law", "the law requires it or permits it"
    PUBLIC_INTEREST = "public-interest", "an overriding public interest"
    IMPLIED = "implied", "implied consent, for the patients' own care"
    NOT_CONFIDENTIAL = "not-confidential", "it does not arise: the data are no confidential patient information"


class OutputsBy(Word):
    """Who lets outputs out."""

    HUB = "hub", "output checkers of the hub"
    CONTROLLER = "controller", "the controller"
    BOTH = "both", "output checkers of the hub and then the controller"


class ComesBackTo(Word):
    """Who is to have something of a project's results."""

    PATIENTS = "patients", "patients and the public"
    NHS = "nhs", "the NHS"
    CONTROLLER = "controller", "the controller"


class AnswerKind(Word):
    """How a controller's own question is answered."""

    TEXT = "text", "in words"
    YES_NO = "yes-no", "yes or no"
    CHOICE = "choice", "one of its choices"


class ScreenKind(Word):
    """What a researcher sees of a workspace."""

    NONE = "none", "there is no workspace"
    BROWSER = "browser", "pages in a browser"
    PIXELS = "pixels", "pixels only: nothing can be copied out"


class Network(Word):
    """From where a workspace is entered."""

    HUB = "hub", "the hub's own network and managed devices"
    NHS = "nhs", "the NHS network"
    ORGANISATION = "organisation", "the network of the researcher's organisation"
    INTERNET = "internet", "anywhere"


class OutputKind(Word):
    """What a project may take out."""

    COUNTS = "counts", "tables of counts"
    MAGNITUDES = "magnitudes", "tables of sums and means"
    MODELS = "models", "coefficients of statistical models"
    FIGURES = "figures", "drawings"
    CODE = "code", "program code"
    TRAINED_MODELS = "trained-models", "trained machine learning models"
