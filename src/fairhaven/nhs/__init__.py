"""Standards of the NHS, as code: so far the NHS number."""

from fairhaven.nhs.number import bare_digits_sql, check_digit, valid_nhs_number, valid_nhs_number_sql

VERSION = 2
"""Raised when the same text is judged otherwise than before."""

__all__ = ["VERSION", "bare_digits_sql", "check_digit", "valid_nhs_number", "valid_nhs_number_sql"]
