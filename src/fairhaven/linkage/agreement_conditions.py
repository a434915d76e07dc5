"""When do two spellings agree? SQL conditions over a pair of versions named *left* and *right*.

The cascade asks them as yes or no, Splink's comparisons as levels: one rule, one home. Each is NULL or false where
a value is missing on either side.
"""

GENERATION = 13
"""Years between two dates of birth from which they may be a parent's and a child's."""


def typed_alike(column: str) -> str:
    """One slip of the finger apart, or long and nearly the same."""
    left, right = f"l.{column}", f"r.{column}"
    return (
        f"(greatest(length({left}), length({right})) >= 4 AND ((abs(length({left}) - length({right})) <= 1"
        f" AND damerau_levenshtein({left}, {right}) <= 1) OR jaro_winkler_similarity({left}, {right}) >= 0.93))"
    )


def sounds_alike(column: str) -> str:
    """Alike enough that a slip or two could explain it."""
    return f"jaro_winkler_similarity(l.{column}, r.{column}) >= 0.85"


GIVEN_EQUAL = "l.given = r.given"
"""The same forename."""

GIVEN_RELATED = (
    "(list_has_any(l.given_forms, r.given_forms)"
    " OR l.given = r.given_second OR l.given_second = r.given"
    " OR list_contains(r.family_parts, l.given) OR list_contains(l.family_parts, r.given)"
    " OR l.given = r.family OR l.family = r.given"
    " OR (length(l.given) >= 3 AND starts_with(r.given, l.given))"
    " OR (length(r.given) >= 3 AND starts_with(l.given, r.given)))"
)
"""A nickname, an initial, a short form, or the other's second name."""

GIVEN_INITIAL = "(least(length(l.given), length(r.given)) = 1 AND left(l.given, 1) = left(r.given, 1))"
"""One side is a bare initial that fits."""

NAMES_SWAPPED = (
    "(jaro_winkler_similarity(l.given, r.family) >= 0.85 AND jaro_winkler_similarity(l.family, r.given) >= 0.85"
    " AND l.given <> r.given)"
)
"""Forename and surname in each other's place, give or take a slip."""

FAMILY_SHARED = (
    "(list_contains(l.family_parts, r.family) OR list_contains(r.family_parts, l.family)"
    " OR list_has_any(l.family_parts, r.family_parts))"
)
"""One part of a double-barrelled surname is the other surname, or both share a part."""

BIRTH_TURNED = "l.birth_turned = r.birth"
"""Day and month swapped."""

BIRTH_TYPED_ALIKE = "damerau_levenshtein(l.birth, r.birth) = 1"
"""One digit, or two neighbouring ones, apart."""

_YEARS_APART = "abs(left(l.birth, 4)::INT - left(r.birth, 4)::INT)"
_SAME_DAY = "right(l.birth, 4) = right(r.birth, 4) AND right(l.birth, 4) <> '0101'"
BIRTHS_APART = (
    f"coalesce({_YEARS_APART} >= {GENERATION} AND NOT {BIRTH_TYPED_ALIKE} AND (damerau_levenshtein(l.birth, r.birth) > 2"
    f" OR ({_SAME_DAY} AND l.given_formal = r.given_formal AND l.family = r.family)), false)"
)
"""Dates of birth a generation apart that no one slip explains, nor a second one in another part of the date.

Of people of one name that are born on one day of different years, a father and son say, only one digit is a slip. (1 January is
no such day: it is written where the year is all that is known.)
"""

BIRTH_RELATED = (
    "(left(l.birth, 4) = left(r.birth, 4) OR right(l.birth, 4) = right(r.birth, 4)"
    " OR damerau_levenshtein(l.birth, r.birth) = 2)"
)
"""Half of the date is the same, or two digits differ."""

# The cheap ones first: DuckDB asks the next only of the rows that the one before left.
GIVEN_AGREES = f"({GIVEN_EQUAL} OR {GIVEN_INITIAL} OR {sounds_alike('given')} OR {GIVEN_RELATED} OR {NAMES_SWAPPED})"
"""Forenames that one person may bear."""

FAMILY_AGREES = f"(l.family = r.family OR {FAMILY_SHARED} OR {NAMES_SWAPPED} OR {sounds_alike('family')})"
"""Surnames that one person may bear without having married."""

_WHOLE_BIRTH_AGREES = f"(l.birth = r.birth OR {BIRTH_TURNED} OR {BIRTH_TYPED_ALIKE})"
_LEFT_BIRTH, _RIGHT_BIRTH = "coalesce(l.birth, l.birth_part)", "coalesce(r.birth, r.birth_part)"
_IS_PART = "(l.birth IS NULL OR r.birth IS NULL)"

BIRTHS_KNOWN = f"({_LEFT_BIRTH} IS NOT NULL AND {_RIGHT_BIRTH} IS NOT NULL)"
"""Something is known of both births. Never NULL."""


def _both_know(characters: int | str) -> str:
    """What both say of the birth, so far."""
    return f"left({_LEFT_BIRTH}, {characters}) = left({_RIGHT_BIRTH}, {characters})"


_SHORTER = f"least(length({_LEFT_BIRTH}), length({_RIGHT_BIRTH}))"
BIRTH_PART_AGREES = f"({_IS_PART} AND {_both_know(_SHORTER)})"
"""Of one birth at least the day is not known, and what both say is the same."""

BIRTH_MONTH_AGREES = f"({_both_know(6)} AND {_SHORTER} = 6)"
"""The same month, as all that both say."""

BIRTH_PARTS_APART = (
    f"coalesce({_IS_PART} AND NOT {_both_know(_SHORTER)} AND (abs(left({_LEFT_BIRTH}, 4)::INT - left({_RIGHT_BIRTH}, 4)::INT) >= {GENERATION}"
    f" OR damerau_levenshtein(left({_LEFT_BIRTH}, {_SHORTER}), left({_RIGHT_BIRTH}, {_SHORTER})) > 1), false)"
)
"""Of one birth at least the day is not known, and what both say is a generation or more than one slip apart.

Of a father and a son of one name the year is all that tells them apart then, so no slip spans a generation.
"""

BIRTH_AGREES = f"({_WHOLE_BIRTH_AGREES} OR {BIRTH_PART_AGREES})"
"""The same date of birth, or one slip away; or the same as far as it is known."""


NUMBERS_APART = (
    "coalesce((l.id IS NULL) <> (r.id IS NULL) AND length(l.id_text) = 10 AND length(r.id_text) = 10"
    " AND damerau_levenshtein(l.id_text, r.id_text) > 2, false)"
)
"""A valid NHS number, and ten digits that fail their check and are no slip or two of it. (Two valid ones are `numbers_held`'s.)"""

HELD_APART = "coalesce(list_has_any(l.held_by, r.held_by), false)"
"""A source that holds each person once holds a patient of either (`unduplicated_sources`)."""

_SHARES_NUMBER = "coalesce(l.id = r.id OR damerau_levenshtein(l.id_text, r.id_text) <= 1, false)"
_HAS_OTHER_GIVEN = f"(l.given IS NOT NULL AND r.given IS NOT NULL AND NOT coalesce({GIVEN_AGREES}, false))"
_HAS_OTHER_SEX = (
    f"coalesce(greatest(l.bearing, r.bearing) >= 0 AND l.sex <> r.sex"
    f" AND NOT ({GIVEN_EQUAL} OR {GIVEN_INITIAL} OR {NAMES_SWAPPED} OR list_has_any(l.given_forms, r.given_forms)), false)"
)

BARS = (
    f"CASE WHEN {NUMBERS_APART} OR {HELD_APART} THEN 1e12 WHEN coalesce({_WHOLE_BIRTH_AGREES}, false) OR {_SHARES_NUMBER} THEN -1e6"
    f" WHEN {BIRTHS_APART} OR {BIRTH_PARTS_APART} THEN 1.0 ELSE 0.0 END"
)
"""How much a pair bars the groups it is of from being one person: they are barred where the sum over their pairs is above 0. So they
are by one pair of numbers that contradict, by one source that holds both, and by births a generation apart if nobody's birth or number agrees."""

IS_SOMEONE_ELSE = f"(({_HAS_OTHER_GIVEN} OR {_HAS_OTHER_SEX}) AND NOT {_SHARES_NUMBER})"
"""Forenames that no one person bears, or unlike ones of another sex (Paul and Paula) where one holds a number, without a shared number.

Twins, siblings and a father and son of one name share surname, postcode and address, and often a date or a
forename; a sum of weights would forgive the one thing in which they differ.
"""
