"""When do two spellings agree? SQL conditions over a pair of versions named *left* and *right*.

The cascade asks them as yes or no, Splink's comparisons as levels: one rule, one home. Each is NULL or false where
a value is missing on either side.
"""

LEFT, RIGHT = "l", "r"


def given_equal() -> str:
    """The same forename."""
    return "l.given = r.given"


def given_related() -> str:
    """A nickname, an initial, a short form, or the other's second name."""
    return (
        "(list_has_any(l.given_forms, r.given_forms)"
        " OR l.given = r.given_second OR l.given_second = r.given"
        " OR (length(l.given) >= 3 AND starts_with(r.given, l.given))"
        " OR (length(r.given) >= 3 AND starts_with(l.given, r.given)))"
    )


def given_initial() -> str:
    """One side is a bare initial that fits."""
    return "(least(length(l.given), length(r.given)) = 1 AND left(l.given, 1) = left(r.given, 1))"


def names_swapped() -> str:
    """Forename and surname in each other's place."""
    return "(l.given = r.family AND l.family = r.given)"


def typed_alike(column: str) -> str:
    """One slip of the finger apart, or long and nearly the same."""
    left, right = f"l.{column}", f"r.{column}"
    return (
        f"(greatest(length({left}), length({right})) >= 4 AND (damerau_levenshtein({left}, {right}) <= 1"
        f" OR jaro_winkler_similarity({left}, {right}) >= 0.93))"
    )


def sounds_alike(column: str) -> str:
    """Alike enough that a slip or two could explain it."""
    return f"jaro_winkler_similarity(l.{column}, r.{column}) >= 0.85"


def family_shared() -> str:
    """One part of a double-barrelled surname is the other surname, or both share a part."""
    return (
        "(list_contains(l.family_parts, r.family) OR list_contains(r.family_parts, l.family)"
        " OR list_has_any(l.family_parts, r.family_parts))"
    )


def birth_turned() -> str:
    """Day and month swapped."""
    return "l.birth_turned = r.birth"


def birth_typed_alike() -> str:
    """One digit, or two neighbouring ones, apart."""
    return "damerau_levenshtein(l.birth, r.birth) = 1"


def given_agrees() -> str:
    """Forenames that one person may bear."""
    return (
        f"({given_equal()} OR {given_related()} OR {given_initial()} OR {names_swapped()} OR {sounds_alike('given')})"
    )


def family_agrees() -> str:
    """Surnames that one person may bear without having married."""
    return f"(l.family = r.family OR {family_shared()} OR {names_swapped()} OR {sounds_alike('family')})"


def birth_agrees() -> str:
    """The same date of birth, or one slip away."""
    return f"(l.birth = r.birth OR {birth_turned()} OR {birth_typed_alike()})"
