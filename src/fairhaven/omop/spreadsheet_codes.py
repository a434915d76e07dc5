"""Codes that a spreadsheet has been at: what they were, where that is certain, and whether they look damaged.

Spreadsheets keep 15 digits of a number, drop noughts before it, write long ones as 1.23E+17, read 1-3 as the first of March, part
thousands, and add a decimal place; whoever knows that wraps codes in ``="..."`` or sets an apostrophe before them. Nothing here asks a
vocabulary: what a code is taken for counts only where the vocabulary or a local map knows it, and not the code as it stands.

Source: opensafely-core/opencodelists issue 1565.
"""

import re
from enum import StrEnum

from fairhaven.omop.snomed_identifiers import check_digit, is_snomed_identifier

_KEPT = 15
"""Digits of a number that a spreadsheet keeps."""

_SNOMED = frozenset({"SNOMED", "dm+d"})
_DIGITS = _SNOMED | {"RxNorm", "RxNorm Extension", "CVX", "NDC", "LOINC"}
"""Vocabularies in whose codes a decimal point, groups of thousands and exponents mean nothing."""

_POINTED = ("ICD", "OPCS", "READ", "CTV3", "CIM", "KCD")
"""How the names of vocabularies begin in whose codes a point means something."""

PADDED = {"CVX": 2, "NDC": 11, "ICD9CM": 3, "ICD9Proc": 2}
"""Vocabularies whose codes may begin with noughts -> digits before the point."""

SUSPICIOUS = (
    r"[^!-~]|^[='\"]|[\"']$|^[0-9]+[.]0+$|^[0-9]+([.,][0-9]+)?[eE][+]?[0-9]+$|^[0-9]{1,3}(,[0-9]{3})+$|^[0-9]{16,18}$"
    r"|^[0-9]{1,2}[-/ ][A-Za-z]{3}|^[A-Za-z]{3}-[0-9]{2,4}$|^[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{2,4}"
)
"""Pattern of the codes of any vocabulary that are worth a look, for every engine."""

SHORT_NDC = "^[0-9]{10}$"
"""Pattern of those of NDC that are worth a look, too."""


class CodeDamage(StrEnum):
    """What a spreadsheet did to a code so that what it was is not certain, or only where a vocabulary has it."""

    ROUNDED = "rounded"
    """Written with an exponent, so that digits are lost."""
    CUT = "cut"
    """A long identifier of SNOMED CT without its last digits."""
    DATE = "date"
    """Taken for a date."""
    ZERO = "zero"
    """An NDC without a leading zero, which may belong before any of its parts."""


_ASCII_BLANKS = " \t\r\n"
# No-break and thin blanks; blanks without a width, which may stand anywhere.
_BLANK = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_WIDTHLESS = re.compile("[\u00ad\u180e\u200b-\u200f\u2060\ufeff]")
_WRAPPED = re.compile(r"""=?"([^"]*)"|=?'([^']*)'|'([^']*)""")
_EXPONENT = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,3})", re.ASCII)
_FLOAT = re.compile(r"^([0-9]+)[.]0$", re.ASCII)
_GROUPED = re.compile(r"[0-9]{1,3}(?:[, ][0-9]{3})+", re.ASCII)
_DATE = re.compile(
    r"[0-9]{1,2}[-/ ][A-Za-z]{3}(?:[-/ ][0-9]{2,4})?|[A-Za-z]{3}-[0-9]{2,4}"
    r"|[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].*)?",
    re.ASCII,
)

_SHORT_DATE = re.compile(
    r"[0-9]{1,2}-[0-9]{1,2}-[0-9]{2}|(?![0-9]{2}/[0-9]{2}/)[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}", re.ASCII
)
"""What may be a code of anybody's: spreadsheets write days of two-digit years as 01/02/34."""
_MOMENT = re.compile(
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]0{3,}",
    re.ASCII,
)
"""A second with nought milliseconds, yyyymmddHHMMSSmmm: a usual number of a laboratory's system. With others it may be one that was cut."""


def mended_code(code: str, vocabulary: str) -> str:
    """What a damaged code was; empty where it is as it should be, or where that is not certain.

    Args:
        vocabulary: as OMOP spells it.
    """
    found = _unwrapped(code)
    if vocabulary in _DIGITS:
        found = _as_digits(found)
    elif not vocabulary.upper().startswith(_POINTED):
        # A table library makes 12.0 of 12 where a column has gaps. Of a code that has a 12.0 of its own nothing changes: that is known.
        found = _FLOAT.sub(r"\1", found)
    if vocabulary in _SNOMED:
        found = _restored(found)
    if vocabulary in PADDED and not _is_short_ndc(found, vocabulary):
        found = filled_up(found, PADDED[vocabulary])
    return "" if found == code.strip(_ASCII_BLANKS) else found


def filled_up(code: str, digits: int) -> str:
    """A code whose part before the point has at least so many digits, where that is a number."""
    whole, point, rest = code.partition(".")
    return whole.zfill(digits) + point + rest if whole.isascii() and whole.isdigit() else code


def looks_damaged(code: str, vocabulary: str) -> bool:
    """Whether a code that nobody knows looks as if a spreadsheet had changed it."""
    plain = _unwrapped(code)
    is_wrapped = plain != code.strip(_ASCII_BLANKS)
    return (
        is_wrapped or (vocabulary in _DIGITS and _as_digits(plain) != plain) or damage_of(code, vocabulary) is not None
    )


def damage_of(code: str, vocabulary: str) -> CodeDamage | None:
    """What a spreadsheet seems to have done to a code that cannot be undone by looking at the code alone; None where it did nothing of the kind.

    Args:
        vocabulary: as OMOP spells it; empty where it is not known.
    """
    plain = _unwrapped(code)
    if not vocabulary and (_MOMENT.fullmatch(plain) or _SHORT_DATE.fullmatch(plain)):
        return None
    if _DATE.fullmatch(plain):
        return CodeDamage.DATE
    if vocabulary in _DIGITS:
        plain = _as_digits(plain)
    if _EXPONENT.fullmatch(plain) and (vocabulary in _DIGITS or not plain.isalnum()):  # 1E10 is a Read code
        return CodeDamage.ROUNDED
    if _is_short_ndc(plain, vocabulary):
        return CodeDamage.ZERO
    if not (plain.isascii() and plain.isdigit() and len(plain) > _KEPT) or is_snomed_identifier(plain):
        return None
    beyond = plain[_KEPT:]
    # Of which vocabulary it is may not be known: then one zero at its end is nothing yet.
    is_cut = vocabulary in _SNOMED or (not vocabulary and len(beyond) > 1 and not beyond.strip("0"))
    return CodeDamage.CUT if is_cut else None


def _is_short_ndc(text: str, vocabulary: str) -> bool:
    """Whether this is an NDC of ten digits: its nought may belong before any of its three parts, each time another product's code."""
    return vocabulary == "NDC" and len(text) == _NDC_WITHOUT_PARTS and text.isascii() and text.isdigit()


_NDC_WITHOUT_PARTS = 10


def _unwrapped(code: str) -> str:
    text = _BLANK.sub(" ", _WIDTHLESS.sub("", code)).strip()
    if wrapped := _WRAPPED.fullmatch(text):
        text = next(part for part in wrapped.groups() if part is not None).strip()
    return text


def _as_digits(text: str) -> str:
    """A number as its digits, where none was lost on the way."""
    if _GROUPED.fullmatch(text):
        return re.sub("[, ]", "", text)
    if exponent := _EXPONENT.fullmatch(text):
        first, further, places = exponent[1], exponent[2] or "", int(exponent[3])
        # With fewer digits than places the rest was rounded away.
        return first + further if len(further) == places else text
    return re.sub(r"(?a)^([0-9]+)\.0+$", r"\1", text)


def _restored(text: str) -> str:
    """A long identifier of a concept whose last digits were rounded away.

    Of an identifier of an extension the last three digits are its partition, 10 for a concept, and its check digit, so that nothing is
    guessed: the identifier that has the digits kept must give the damaged one when it is rounded.
    """
    if not (text.isascii() and text.isdigit() and _KEPT < len(text) <= 18) or is_snomed_identifier(text):
        return text
    stem = text[:-3] + "10"
    found = stem + check_digit(stem)
    rounded = (found[:_KEPT] + "0" * (len(found) - _KEPT), str(int(float(found))))
    return found if text in rounded else text
