"""Words that anybody writes, and names that are made of nothing else.

A patient who is called "Diabetes Mellitus" is nobody: whoever delivers such a record would have the words withheld wherever they stand in
what others deliver. So names and addresses that are made of ordinary words are looked for in the texts of their own source alone.
"""

from functools import cache
from importlib.resources import files

import duckdb
import pyarrow as pa

from fairhaven.engine.sql import literal, literals

# Words that are codes of their own somewhere (answers, kinds, colours, days, parts of the body, peoples), and names of many people.
COMMON_WORDS = (
    "abnormal", "active", "adult", "african", "age", "agent", "all", "alliance", "alpha", "amber", "april", "arab", "arch",
    "area", "arm", "arrow", "art", "ash", "asian", "august", "autumn", "baby", "back", "balloon", "band", "base", "bass", "bath",
    "bean", "bed", "bell", "berry", "bile", "bird", "bishop", "black", "block", "blood", "blue", "body", "bond", "bone", "bones",
    "border", "born", "both", "boy", "brain", "branch", "breath", "britain", "british", "broad", "brown", "bruise", "burn",
    "burns", "bus", "bush", "butcher", "can", "cancer", "cane", "car", "care", "carter", "case", "center", "centre", "chain",
    "chair", "chamber", "chance", "check", "cheek", "child", "chinese", "church", "cigar", "class", "clay", "clear", "clinic",
    "close", "closed", "coach", "cold", "cole", "colon", "coma", "common", "conception", "cook", "cord", "cornea", "corpus",
    "cough", "cross", "current", "cutting", "czech", "daily", "daisy", "dates", "dawn", "day", "days", "december", "deep",
    "degree", "delay", "dense", "divorced", "done", "door", "dose", "double", "dove", "down", "drinker", "drug", "dry", "due",
    "during", "dust", "ear", "early", "east", "eight", "end", "england", "english", "europe", "eve", "eye", "face", "factor",
    "fail", "faith", "fall", "falls", "farm", "father", "fear", "february", "female", "fever", "field", "finger", "first", "fish",
    "five", "flint", "floor", "flow", "flower", "foot", "forest", "form", "former", "four", "fox", "frank", "free", "french",
    "friday", "from", "frost", "gall", "gene", "german", "girl", "given", "glass", "gold", "good", "gout", "grace", "grade",
    "graft", "graves", "gray", "greek", "green", "grey", "gum", "hall", "hand", "harm", "hay", "hazel", "head", "hearing",
    "heart", "heavy", "height", "high", "hill", "holly", "home", "hope", "hospital", "hot", "hour", "house", "human", "hunter",
    "husband", "ill", "inactive", "indian", "ireland", "irish", "ivy", "january", "joy", "july", "june", "kidney", "king", "knee",
    "knight", "labor", "labour", "lamb", "land", "lane", "large", "larger", "last", "late", "law", "leave", "left", "less",
    "level", "lie", "light", "like", "lily", "limb", "line", "list", "little", "live", "living", "lobe", "long", "lord", "loss",
    "love", "low", "lower", "lung", "main", "major", "male", "man", "mania", "manual", "march", "mark", "married", "marsh",
    "mass", "mast", "may", "mention", "mild", "miles", "miller", "mills", "minor", "mix", "model", "moderate", "monday", "month",
    "mood", "moon", "more", "moss", "most", "mother", "nail", "needle", "negative", "never", "new", "newborn", "night", "nine",
    "no", "noble", "none", "noon", "normal", "north", "nose", "november", "number", "nurse", "nursing", "october", "old", "olive",
    "one", "open", "oral", "orange", "organ", "other", "pack", "page", "pain", "paper", "parent", "park", "parks", "part",
    "partner", "pass", "patch", "patient", "penny", "person", "pica", "pick", "pike", "pill", "pink", "pipe", "place", "plan",
    "plate", "polish", "poor", "poppy", "portal", "positive", "post", "pouch", "power", "price", "prince", "public", "pulse",
    "purple", "race", "rash", "rate", "read", "reader", "ready", "reason", "red", "residential", "rice", "rich", "right", "ring",
    "risk", "rivers", "robin", "rod", "roma", "room", "root", "rose", "ruby", "sage", "salmon", "saturday", "scale", "school",
    "score", "scotland", "scottish", "screen", "second", "section", "seen", "self", "september", "service", "seven", "severe",
    "shaft", "sharp", "sheet", "shock", "short", "shoulder", "sick", "sickle", "side", "sign", "silver", "simple", "singh",
    "single", "site", "sites", "situ", "six", "slovak", "small", "smart", "smoke", "smoker", "snow", "sole", "solid", "son",
    "south", "space", "spanish", "speed", "spindle", "spine", "sports", "spring", "stable", "stage", "state", "states", "stay",
    "steel", "stem", "stent", "step", "stone", "storage", "street", "stroke", "strong", "study", "stump", "sugar", "summer",
    "sun", "sunday", "surface", "sweet", "swift", "tail", "tan", "taylor", "tear", "teen", "ten", "test", "than", "theatre",
    "three", "thursday", "tiller", "tobacco", "tongue", "tonsil", "train", "trip", "true", "trunk", "trust", "tuesday", "turner",
    "two", "unknown", "van", "vein", "vent", "vessel", "vessels", "vial", "violet", "wages", "wales", "walk", "wall", "want",
    "ward", "warm", "waters", "wave", "wednesday", "week", "weeks", "weight", "well", "wells", "welsh", "west", "wet", "white",
    "widow", "widowed", "wife", "will", "winter", "wise", "woman", "wood", "woods", "world", "year", "yellow", "yes", "young",
    "zone",
)  # fmt: skip

# Forenames of many people among them: with an ordinary word for a surname (May Green, Will Young) it is a name still.
_FORENAMES = (
    "adem", "amber", "anca", "ani", "april", "ash", "august", "autumn", "benedikt", "bishop", "can", "carter", "crystal", "daisy",
    "dawn", "eve", "faith", "frank", "gene", "grace", "hazel", "holly", "hope", "hunter", "indiana", "iris", "ivy", "jet", "joy",
    "june", "king", "lily", "mark", "martial", "may", "miles", "miller", "noble", "olive", "penny", "poppy", "prince", "rich",
    "river", "robin", "rose", "ruby", "sage", "sky", "summer", "taylor", "turner", "violet", "will",
)  # fmt: skip

# Further words of records (function words, measures, things, administration) that somebody bears for a name.
_OF_RECORDS = (
    "able", "aid", "alert", "an", "angle", "any", "are", "areas", "arms", "as", "at", "aura", "bad", "bag", "bags", "ball",
    "bar", "bark", "barrier", "beat", "been", "bees", "begun", "below", "belt", "bent", "bite", "bites", "blind", "blunt",
    "board", "bodily", "book", "boots", "bottle", "bottom", "box", "brace", "breech", "bridge", "burned", "cable", "cage",
    "call", "canal", "cap", "carbon", "card", "carrier", "cart", "cast", "cava", "certain", "channel", "chin", "circle", "clip",
    "clips", "co", "code", "codes", "coffee", "coil", "coin", "college", "comp", "copper", "cords", "course", "crash", "crew",
    "crown", "cut", "cuts", "dam", "dark", "desire", "diab", "diamond", "diet", "distance", "do", "dock", "drain", "drains",
    "drink", "drinks", "drive", "driver", "drives", "drop", "drum", "duck", "duty", "dye", "each", "eastern", "eat", "eats",
    "egg", "eggs", "ended", "eng", "eth", "even", "exercise", "falling", "fat", "feed", "feeds", "feeling", "fell", "ferry",
    "few", "filter", "fire", "fit", "fits", "fitting", "flood", "flu", "fluke", "folds", "force", "found", "fountain",
    "fraction", "fresh", "full", "gain", "gamma", "garden", "general", "goods", "grain", "gram", "grams", "grief", "gross",
    "ground", "grounds", "gun", "gut", "had", "hair", "half", "hammer", "hands", "hang", "harbor", "hard", "harvest", "has",
    "heads", "held", "her", "hidden", "higher", "his", "history", "hockey", "hole", "hook", "horse", "hose", "host", "hybrid",
    "ice", "if", "in", "iris", "iron", "is", "island", "it", "iud", "job", "jump", "key", "kick", "kitchen", "knife", "labs",
    "lack", "lake", "landing", "laser", "later", "latin", "lawn", "layer", "leak", "levels", "life", "lightning", "lines",
    "link", "lips", "loop", "loose", "many", "map", "marrow", "mask", "matter", "means", "media", "medicine", "memory",
    "mercury", "met", "milk", "minus", "mode", "mole", "mountain", "mouse", "much", "must", "my", "nails", "narrow", "nd",
    "near", "needles", "next", "nickel", "nipple", "nodal", "northern", "null", "numbers", "nut", "nuts", "odor", "off",
    "older", "on", "original", "over", "packs", "pad", "pads", "pan", "partial", "party", "past", "patches", "peak", "pen",
    "picking", "pillow", "pin", "plant", "plants", "plates", "point", "pole", "pollen", "pop", "port", "previous", "proper",
    "puff", "pump", "push", "query", "raised", "ramp", "range", "rd", "reading", "reasons", "recent", "record", "records",
    "register", "relapse", "rider", "ridge", "riding", "rim", "river", "rolling", "roof", "route", "run", "running", "runs", "saliva",
    "salt", "salts", "sample", "scarlet", "schools", "screening", "screw", "screws", "sea", "seed", "senna", "serum", "setting",
    "shark", "shell", "ship", "shoe", "shows", "signs", "sit", "sits", "sleep", "slight", "smaller", "so", "solar", "some",
    "splint", "sport", "spray", "st", "stairs", "stand", "standing", "staple", "start", "station", "stick", "sting", "stings",
    "stock", "store", "stove", "straight", "strain", "stream", "strength", "stress", "strike", "string", "sub", "such", "swab",
    "sweat", "tag", "tall", "tank", "text", "th", "then", "threat", "thrush", "tick", "times", "tin", "tired", "to", "tone",
    "tonic", "too", "tools", "top", "torn", "total", "touch", "toy", "trench", "trial", "trucks", "tube", "tubes", "turtle",
    "twist", "type", "unable", "unavailable", "union", "unit", "units", "up", "us", "use", "used", "user", "uses", "using",
    "valve", "vena", "via", "visit", "vital", "voice", "walking", "walks", "war", "warning", "was", "washing", "water", "we",
    "weak", "wear", "weekly", "western", "wheat", "while", "wild", "wind", "wire", "word", "work", "worker", "worry",
    "wound", "wounds", "xl", "yard", "you", "younger",
)  # fmt: skip

_OF_NOBODY = (
    "of", "from", "by", "or", "and", "the", "for", "with", "not", "but", "mg", "ml", "kg", "cm", "mm", "dl", "iu", "uk",
    "nos", "nec", "mmol", "ms",
)  # fmt: skip
"""What nobody is called, though it is too short to be told by its form."""

# Names of people of other countries, and of those after whom diseases are called: beside a word of medicine they are none, alone they are.
_NAMES_TOO = (
    "addison", "adem", "alfa", "anca", "ani", "ants", "ars", "bag", "barrett", "basic", "bat", "behcet", "benedikt", "beta",
    "bite", "bitten", "bore", "bowen", "cases", "chip", "colic", "company", "cov", "crohn", "cushing", "date", "doppler",
    "dupuytren", "each", "egg", "ein", "ether", "far", "gilbert", "gumma", "hashimoto", "hemi", "hodgkin", "huet",
    "huntington", "ige", "igne", "indiana", "infant", "jet", "lac", "lad", "laron", "luts", "made", "magna", "mal",
    "marfan", "martial", "meniere", "menieres", "mid", "mol", "morgagni", "morvan", "nile", "nor", "paget", "palmar",
    "parkinson", "parts", "per", "perthes", "plch", "puck", "rails", "rat", "raynaud", "run", "sac", "scan", "sirs",
    "sister", "ski", "sky", "still", "tab", "tourette", "vain", "valves", "vasa", "vernal", "vin", "wegener", "yoga",
)  # fmt: skip

ORDINARY_WORDS = (*COMMON_WORDS, *_OF_RECORDS)
"""Those that are somebody's name, too."""

# How words of medicine end and names of people do not: of 92,000 names of the United States' census of 1990 none does.
_ENDINGS = (
    "aemia", "aemic", "phaemia", "tomy", "tomies", "plasty", "scopy", "scope", "graphy", "algia", "pathy",
    "pathic", "plegia", "penia", "lysis", "lytic", "rrho?ea", "rrhage", "phobia", "troph(?:y|ic)", "genic", "genesis", "pril",
    "sartan", "olol", "vastatin", "prazole", "cillin", "mycin", "cycline", "floxacin", "dipine", "azole", "triptan", "gliptin",
    "gliflozin", "glitazone", "tidine", "setron", "[uxz]umab", "tinib", "azepam", "barbital", "profen", "semide", "formin",
    "phylline", "terone", "solone", "terol", "tamol", "oxetine", "ipramine", "triptyline", "azepine", "codone",
    "morphine", "icular", "ically", "ectomised", "i[sz]ed", "i[sz]ation", "ility", "[at]tive", "itive", "olog(?:y|ist|ic|ical)",
    "ated", "iasis", "iatric", "aneous", "ectasis", "stenosis", "cephaly", "cardia", "rhexis", "r?rhaphy", "coele", "cytes?",
    "cytic", "philia", "static", "phagia", "phasia", "pnoe?a", "opsia", "osed", "iform", "oidal",
    "vascular", "cardial", "hydrate", "chloride", "sul(?:ph|f)ate", "phosphate", "acetate", "oxide", "citrate", "fumarate",
    "maleate", "tartrate", "tional", "thritis", "tablets?", "capsules?",
)  # fmt: skip
_MEDICAL = f"^[a-z]{{2,}}(?:{'|'.join(_ENDINGS)})$"
# Baltrusaitis, Vukotić, Adžemić, Theodosis, Demetry and Konstatin are people: by these alone no word is medicine's.
_POSSIBLY_MEDICAL = "^[a-z]{2,}(?:os[ei]s|emic|statin|a[mz]ide|metry|stasis|otic)$|^[a-z]{7,}itis$"


@cache
def medical_words() -> tuple[str, ...]:
    """Words of diseases, drugs and examinations that are nobody's name.

    Source: the descriptions of ICD-10-CM and MedlinePlus' names of drugs, both in the public domain, in American and British spelling,
    and words of forms of drugs and of general practice, without the surnames and forenames of the United States' census of 1990, and
    without those of many countries that Faker has.
    """
    text = files("fairhaven.identifiers").joinpath("medical_words.txt").read_text(encoding="ascii")
    return (*text.split(), *_OF_NOBODY)


@cache
def _lists() -> dict[str, pa.Table]:
    lists = {
        "medical_words": medical_words(),
        "anybodys_words": ORDINARY_WORDS,
        "names_too": _NAMES_TOO,
    }
    return {name: pa.table({"word": pa.array(words, pa.string())}) for name, words in lists.items()}


def define_ordinary_words(connection: duckdb.DuckDBPyConnection, words: str) -> None:
    """Define the macros ``is_medical(word)``, ``is_ordinary(word)`` and ``is_ordinary_name(given, family)`` on a connection, of plain words.

    A name is ordinary where one of its words is medicine's and the other one is, too, or may be, or is anybody's; where both are anybody's and the
    first is no forename; or where both together are a word ("Para Cetamol"). One word of medicine beside one that is on no list may be
    somebody: what has one of the endings alone, and is called so in another country, is to be found.

    Args:
        words: query of all words, ``word``, of which it may be asked, also of two together; each is looked at once, whatever the macros
            are asked for how often. What is no word of it is not ordinary.
    """
    for name, listed in _lists().items():
        connection.register("given_words", listed)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM given_words")
        connection.unregister("given_words")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE asked_words AS SELECT DISTINCT word FROM ({words})")
    connection.execute(_DEFINED)


def drop_ordinary_words(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop the tables of `define_ordinary_words`."""
    for name in (
        "medical_words",
        "anybodys_words",
        "names_too",
        "asked_words",
        "medical_asked",
        "ordinary_asked",
        "possible_asked",
    ):
        connection.execute(f"DROP TABLE {name}")


_DEFINED = f"""
CREATE OR REPLACE TEMP TABLE medical_asked AS
FROM asked_words WHERE regexp_matches(word, {literal(_MEDICAL)}) OR word IN (FROM medical_words);
CREATE OR REPLACE TEMP TABLE ordinary_asked AS FROM medical_asked UNION FROM asked_words SEMI JOIN anybodys_words USING (word);
CREATE OR REPLACE TEMP TABLE possible_asked AS FROM ordinary_asked
UNION FROM asked_words WHERE regexp_matches(word, {literal(_POSSIBLY_MEDICAL)}) OR word IN (FROM names_too);
CREATE OR REPLACE MACRO is_medical(word) AS (word IN (FROM medical_asked));
CREATE OR REPLACE MACRO is_ordinary(word) AS (word IN (FROM ordinary_asked));
CREATE OR REPLACE MACRO is_possible(word) AS (word IN (FROM possible_asked));
CREATE OR REPLACE MACRO is_ordinary_name(given, family) AS ((is_medical(given) AND is_possible(family))
    OR (is_medical(family) AND is_possible(given)) OR is_ordinary(given || family) OR is_ordinary(family || given)
    OR (is_possible(family) AND is_possible(given) AND given NOT IN ({literals(*_FORENAMES)})))
"""


def code_of_words() -> str:
    """What makes a word ordinary, as a text."""
    return "".join((_DEFINED, *medical_words(), *ORDINARY_WORDS, *_NAMES_TOO))
