"""Codes by which organisations are known outside a hub: of the Organisation Data Service and of the Research Organization Registry.

Sources: NHS Data Dictionary, organisation code (3 to 12 capital letters and digits since 2021, as RTH, QMJ, N81001 or EE133832);
ROR, identifier structure: 0, six of Crockford's base 32, and two digits that check them (ISO/IEC 7064, MOD 97-10).
"""

import re

ROR = "https://ror.org/"
_ODS = re.compile(r"[A-Z0-9]{3,12}", re.ASCII)
_ROR = re.compile(r"0[0-9a-hjkmnp-tv-z]{6}[0-9]{2}", re.ASCII)
_BASE_32 = "0123456789abcdefghjkmnpqrstvwxyz"


def is_ods_code(text: str) -> bool:
    """Whether a text has the form of an ODS code. Which organisation has it, only the service knows."""
    return _ODS.fullmatch(text) is not None


def is_ror_id(text: str) -> bool:
    """Whether a text is the last part of a ROR identifier, ``03h2bxq36`` of ``https://ror.org/03h2bxq36``, and its digits check."""
    if _ROR.fullmatch(text) is None:
        return False
    number = 0
    for letter in text[1:7]:
        number = number * 32 + _BASE_32.index(letter)
    return int(text[7:]) == 98 - number * 100 % 97
