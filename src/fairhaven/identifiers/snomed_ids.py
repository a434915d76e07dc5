"""Identifiers of SNOMED CT: 6 to 18 digits, a partition, the last digit Verhoeff's check digit (SNOMED CT Release File Specification, 6)."""

_PARTITIONS = frozenset({"00", "01", "02", "10", "11", "12"})
# The permutation that is applied once more at each place.
_PERMUTED = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _times(one: int, other: int) -> int:
    """The product in the dihedral group of ten elements: 0 to 4 are turns, 5 to 9 reflections."""
    turn, turned = one % 5, other % 5
    if one < 5:
        return (turn + turned) % 5 + (5 if other >= 5 else 0)
    return (turn - turned) % 5 + (0 if other >= 5 else 5)


def is_snomed_id(text: str) -> bool:
    """Whether a text is nothing but an identifier of SNOMED CT of more than ten digits.

    A shorter one could as well be an NHS number, of which one in some hundred has the form of an identifier.
    """
    bare = text.strip()
    if not (10 < len(bare) <= 18 and bare.isascii() and bare.isdigit() and bare[0] != "0"):
        return False
    if bare[-3:-1] not in _PARTITIONS:
        return False
    check = 0
    for place, digit in enumerate(reversed(bare)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTED[value]
        check = _times(check, value)
    return check == 0
