"""Days that a text may mean, as a DuckDB query: a birth date is told by whatever spells it."""

# Welsh months beside English ones, each by its first three letters.
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec" + "ionchwmawebrmaimehgorawsmedhydtacrha"
_NAMES = "|".join(_MONTHS[place : place + 3] for place in range(0, len(_MONTHS), 3))
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_BEFORE, _BEHIND = r"(?:\b|[a-z])", r"(?:[a-z]|\b)"
_BETWEEN = "[^0-9a-z]{0,3}"
_PARTED = "[^0-9a-z]{1,3}"
_MONTH = f"({_NAMES})[a-z]*"
_DAY = "([0-9]{1,2})"
_YEAR = "([0-9]{4}|[0-9]{2})"
_ORDINAL = "(?:st|nd|rd|th)?(?:\\s+day)?(?:\\s+of)?"
_WHOLE_YEAR, _WHOLE_MONTH, _WHOLE_DAY = "((?:1[89]|20)[0-9]{2})", "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])"
_FORMS = (
    (rf"{_BEFORE}([0-9]{{4}}){_PARTED}{_DAY}{_PARTED}{_DAY}{_BEHIND}", ((1, 2, 3), (1, 3, 2))),
    (rf"{_BEFORE}{_DAY}{_PARTED}{_DAY}{_PARTED}{_YEAR}{_BEHIND}", ((3, 2, 1), (3, 1, 2), (1, 2, 3))),
    # In a run of digits a time or a number may stand behind them, and before them.
    (f"{_WHOLE_YEAR}{_WHOLE_MONTH}{_WHOLE_DAY}", ((1, 2, 3),)),
    (f"{_WHOLE_DAY}{_WHOLE_MONTH}{_WHOLE_YEAR}", ((3, 2, 1),)),
    (f"{_WHOLE_MONTH}{_WHOLE_DAY}{_WHOLE_YEAR}", ((3, 1, 2),)),
    (rf"{_BEFORE}([0-9]{{2}})([0-9]{{2}})([0-9]{{2}}){_BEHIND}", ((3, 2, 1), (1, 2, 3), (3, 1, 2))),
    (rf"{_BEFORE}{_DAY}{_ORDINAL}{_BETWEEN}{_MONTH}{_BETWEEN}{_YEAR}{_BEHIND}", ((3, 2, 1),)),
    (rf"(?:\b|[0-9]){_MONTH}{_BETWEEN}(?:the\s+)?{_DAY}{_ORDINAL}{_BETWEEN}{_YEAR}{_BEHIND}", ((3, 1, 2),)),
    (rf"{_BEFORE}([0-9]{{4}}){_BETWEEN}{_MONTH}{_BETWEEN}{_DAY}{_BEHIND}", ((1, 2, 3),)),
    (rf"{_BEFORE}{_DAY}{_PARTED}([ivx]{{1,4}}){_PARTED}{_YEAR}{_BEHIND}", ((3, 2, 1),)),
)
"""Regular expression -> which of its groups are year, month and day; several where either may be meant."""
_OF_YEAR = rf"{_BEFORE}([0-9]{{4}})[^0-9a-z]?([0-3][0-9]{{2}}){_BEHIND}"
"""The year and the number of the day in it (ISO 8601)."""
_OF_WEEK = rf"{_BEFORE}([0-9]{{4}})[^0-9a-z]?w([0-5][0-9])[^0-9a-z]?([1-7]){_BEHIND}"
"""The year, its week and the day of that (ISO 8601)."""

LOOKS_DATED = (
    # Most digits without anything between them are codes: only a year of these centuries, or six digits alone, may be of a birth.
    f"(?:1[89]|20)[0-9]{{2}}|{_BEFORE}[0-9]{{6}}{_BEHIND}|[0-9]{_PARTED}[0-9]{{1,2}}{_PARTED}[0-9]|[0-9]{_ORDINAL}[^0-9]{{0,3}}(?:{_NAMES})|(?:{_NAMES})[^0-9]{{0,12}}[0-9]"
    f"|[0-9]{_PARTED}[ivx]{{1,4}}{_PARTED}[0-9]"
)
"""What a plain text matches that may spell a day; the others need not be looked through."""


def days_sql(texts: str) -> str:
    """Query of the days that texts may spell, in every order that is usual: ``number, day``.

    A year of two digits may be of this century or the last.

    Args:
        texts: relation with ``number``, of a text, and ``plain`` (`spellings.plain_sql`).
    """
    # Form by form, because hardly any text has many: a list of them all for each text costs more than looking for them.
    of_century = "CASE WHEN day[3] = '-' THEN ['19' || day, '20' || day] ELSE [day] END"
    parts = [
        f"SELECT number, try_strptime(unnest({of_century}), '%Y-%m-%d') AS day FROM "
        f"(SELECT number, unnest([{', '.join(_day(form, order) for order in orders)}]) AS day FROM {_places(texts, form)})"
        for form, orders in _FORMS
    ]
    for form, written in ((_OF_YEAR, "%Y-%j"), (_OF_WEEK, "%G-%V-%u")):
        day = "||'-'||".join(_group(form, group) for group in range(1, written.count("%") + 1))
        parts.append(f"SELECT number, try_strptime({day}, '{written}') FROM {_places(texts, form)}")
    return f"SELECT DISTINCT number, day::DATE AS day FROM ({' UNION ALL '.join(parts)}) WHERE day IS NOT NULL"


def _places(texts: str, form: str) -> str:
    return f"(SELECT number, unnest(regexp_extract_all(plain, '{form}')) AS one FROM {texts})"


def _day(form: str, order: tuple[int, int, int]) -> str:
    year, month, day = order
    return "||'-'||".join((_group(form, year), _group(form, month, month=True), _group(form, day)))


def _group(form: str, group: int, *, month: bool = False) -> str:
    text = f"regexp_extract(one, '{form}', {group})"
    if not month:
        return text
    roman = " ".join(f"WHEN '{name}' THEN '{number}'" for number, name in enumerate(_ROMAN, start=1))
    number = f"(((strpos('{_MONTHS}', {text}) + 2) // 3 - 1) % 12 + 1)::VARCHAR"
    return f"CASE WHEN regexp_matches({text}, '^[0-9]') THEN {text} ELSE CASE {text} {roman} ELSE {number} END END"
