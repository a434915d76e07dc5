"""Days that a text may mean, as a DuckDB expression: a birth date is told by whatever spells it."""

_BEFORE = r"(?:\b|[a-z])"
_BETWEEN = "[^0-9a-z]{0,3}"
_MONTH = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY = "([0-9]{1,2})"
_YEAR = "([0-9]{4}|[0-9]{2})"
_ORDINAL = "(?:st|nd|rd|th)?(?:\\s+of)?"
_FORMS = (
    (rf"{_BEFORE}([0-9]{{4}})[^0-9a-z]{{1,3}}{_DAY}[^0-9a-z]{{1,3}}{_DAY}(?:t[0-9]|\b)", ((1, 2, 3), (1, 3, 2))),
    (rf"{_BEFORE}{_DAY}[^0-9a-z]{{1,3}}{_DAY}[^0-9a-z]{{1,3}}{_YEAR}\b", ((3, 2, 1), (3, 1, 2))),
    (rf"{_BEFORE}([0-9]{{4}})([0-9]{{2}})([0-9]{{2}})(?:t[0-9]|\b)", ((1, 2, 3),)),
    (rf"{_BEFORE}([0-9]{{2}})([0-9]{{2}})([0-9]{{4}})\b", ((3, 2, 1), (3, 1, 2))),
    (rf"{_BEFORE}([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})\b", ((3, 2, 1), (1, 2, 3))),
    (rf"{_BEFORE}{_DAY}{_ORDINAL}{_BETWEEN}{_MONTH}{_BETWEEN}{_YEAR}\b", ((3, 2, 1),)),
    (rf"\b{_MONTH}{_BETWEEN}{_DAY}{_ORDINAL}{_BETWEEN}{_YEAR}\b", ((3, 1, 2),)),
    (rf"{_BEFORE}([0-9]{{4}}){_BETWEEN}{_MONTH}{_BETWEEN}{_DAY}\b", ((1, 2, 3),)),
)
"""Regular expression -> which of its groups are year, month and day; several where either may be meant."""

LOOKS_DATED = r"[0-9]{4}|[0-9][^0-9a-z]{1,3}[0-9]{1,2}[^0-9a-z]{1,3}[0-9]|[0-9][^0-9]{0,3}(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
"""What a plain text matches that may spell a day; the others need not be looked through."""


def days_sql(plain: str) -> str:
    """The days that a plain text (`spellings.plain_sql`) may spell, as a list of dates, in every order that is usual.

    A year of two digits may be of this century or the last.
    """
    found = []
    for form, orders in _FORMS:
        for year, month, day in orders:
            parts = "||'-'||".join(_group(form, group, month=group == month) for group in (year, month, day))
            found.append(f"list_transform(regexp_extract_all({plain}, '{form}'), lambda one: {parts})")
    every = f"flatten([{', '.join(found)}])"
    of_century = "lambda one: CASE WHEN one[3] = '-' THEN ['19' || one, '20' || one] ELSE [one] END"
    days = f"list_transform(flatten(list_transform({every}, {of_century})), lambda one: try_strptime(one, '%Y-%m-%d')::DATE)"
    return f"list_filter({days}, lambda one: one IS NOT NULL)"


def _group(form: str, group: int, *, month: bool) -> str:
    text = f"regexp_extract(one, '{form}', {group})"
    if not month:
        return text
    number = f"((strpos('janfebmaraprmayjunjulaugsepoctnovdec', {text}) + 2) // 3)::VARCHAR"
    return f"CASE WHEN regexp_matches({text}, '[a-z]') THEN {number} ELSE {text} END"
