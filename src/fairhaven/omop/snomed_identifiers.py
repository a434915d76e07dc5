"""Identifiers of SNOMED CT, which those of dm+d are too: 6 to 18 digits, of which the last is a check digit (Verhoeff)."""

_TURNED: tuple[int, ...] = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""Verhoeff's permutation; its powers are applied to digits further left."""

_LENGTHS = range(6, 19)
_OF_CONCEPTS = ("00", "10")
"""Partition of a concept's identifier, the two digits before the check digit: of the core, and of an extension."""


def is_snomed_identifier(text: str) -> bool:
    """Whether a text can be the identifier of a SNOMED CT concept: its length, its partition and its check digit are right.

    Source: SNOMED CT Release File Specifications, 6.2 and 6.5 (the check digit: Verhoeff 1969, the dihedral group D5).
    """
    if not (text.isascii() and text.isdigit()) or len(text) not in _LENGTHS or text.startswith("0"):
        return False
    if text[-3:-1] not in _OF_CONCEPTS:
        return False
    return check_digit(text[:-1]) == text[-1]


def check_digit(digits: str) -> str:
    """The digit that makes an identifier of these."""
    product, power = 0, _TURNED
    for digit in reversed(digits):
        product = _product(product, power[int(digit)])
        power = tuple(_TURNED[turned] for turned in power)
    # The digit behind them has the power nought, and must give the inverse.
    return str(-product % 5 if product < 5 else product)


def _product(one: int, other: int) -> int:
    """The product of two elements of D5: 0 to 4 are rotations, 5 to 9 reflections."""
    if one < 5:
        return (one + other) % 5 + (5 if other >= 5 else 0)
    return (one - other) % 5 + (0 if other >= 5 else 5)
