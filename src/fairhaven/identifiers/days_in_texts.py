"""Days that a text may mean, as a DuckDB query: a birth date is told by whatever spells it."""

import re

# Welsh months beside English ones, each by its first three letters.
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec" + "ionchwmawebrmaimehgorawsmedhydtacrha"
_NAMES = "|".join(_MONTHS[place : place + 3] for place in range(0, len(_MONTHS), 3))
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_BEFORE, _BEHIND = r"(?:\b|[a-z])", r"(?:[a-z]|\b)"
_BETWEEN = "[^0-9a-z]{0,3}"
_PARTED = "[^0-9a-z]{1,5}"
_MONTH = f"({_NAMES})[a-z]*"
_DAY = "([0-9]{1,2})"
_YEAR = "([0-9]{4}|[0-9]{2})"
_ORDINAL = "(?:st|nd|rd|th)?(?:\\s+day)?(?:\\s+(?:of|de))?"
_OF = "(?:(?:in|of|de)\\s+)?"
_WHOLE_YEAR, _WHOLE_MONTH, _WHOLE_DAY = "((?:1[89]|20)[0-9]{2})", "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])"
_PARTS = ("year", "month", "day")
_APART = (
    (rf"{_BEFORE}([0-9]{{4}}){_PARTED}{_DAY}{_PARTED}{_DAY}{_BEHIND}", ("123", "132")),
    (rf"{_BEFORE}{_DAY}{_PARTED}{_DAY}{_PARTED}{_YEAR}{_BEHIND}", ("321", "312", "123")),
    (rf"{_BEFORE}{_DAY}{_ORDINAL}{_BETWEEN}{_MONTH}{_BETWEEN}{_OF}{_YEAR}{_BEHIND}", ("321",)),
    (rf"(?:\b|[0-9]){_MONTH}{_BETWEEN}(?:the\s+)?{_DAY}{_ORDINAL}{_BETWEEN}{_YEAR}{_BEHIND}", ("312",)),
    (rf"{_BEFORE}([0-9]{{4}}){_BETWEEN}{_MONTH}{_BETWEEN}{_DAY}{_BEHIND}", ("123",)),
    (rf"{_BEFORE}([0-9]{{4}}){_PARTED}{_DAY}{_ORDINAL}{_BETWEEN}{_MONTH}{_BEHIND}", ("132",)),
    # A time and its zone between the day and the year, as Java and C write a moment.
    (rf"\b{_MONTH}\s+{_DAY}\s[0-9:. a-z+-]{{1,24}}?\s{_WHOLE_YEAR}{_BEHIND}", ("312",)),
    (rf"{_BEFORE}{_DAY}{_BETWEEN}([ivx]{{1,4}}){_BETWEEN}{_YEAR}{_BEHIND}", ("321",)),
)
"""Regular expression -> which of its groups are year, month and day, in that order; several where either may be meant. Of days whose parts
stand apart, or have the month's name between them."""
_RUNS = (
    # A time or a number may stand behind them, and before them.
    (f"{_WHOLE_YEAR}{_WHOLE_MONTH}{_WHOLE_DAY}", ("123",)),
    (f"{_WHOLE_DAY}{_WHOLE_MONTH}{_WHOLE_YEAR}", ("321",)),
    (f"{_WHOLE_MONTH}{_WHOLE_DAY}{_WHOLE_YEAR}", ("312",)),
    (rf"{_BEFORE}([0-9]{{2}})([0-9]{{2}})([0-9]{{2}}){_BEHIND}", ("321", "123", "312")),
)
"""The same of days as digits in a row."""
_IS_APART = "[^0-9a-z]|[a-z]{3}"
"""What a text matches that one of `_APART` may match: most texts with digits are numbers of rows."""
_ISO = (
    (rf"{_BEFORE}([0-9]{{4}})[^0-9a-z]?([0-3][0-9]{{2}}){_BEHIND}", "%Y-%j"),
    (rf"{_BEFORE}([0-9]{{4}})[^0-9a-z]?w([0-5][0-9])[^0-9a-z]?([1-7]){_BEHIND}", "%G-%V-%u"),
)
"""The year with the number of the day in it, and with its week and the day of that (ISO 8601)."""

LOOKS_DATED = (
    # Most digits without anything between them are codes: only a year of these centuries, or six digits alone, may be of a birth.
    f"(?:1[89]|20)[0-9]{{2}}|{_BEFORE}[0-9]{{6}}{_BEHIND}|[0-9]{_PARTED}[0-9]{{1,2}}{_PARTED}[0-9]|[0-9]{_ORDINAL}[^0-9]{{0,3}}(?:{_NAMES})|(?:{_NAMES})[^0-9]{{0,12}}[0-9]"
    f"|[0-9]{_PARTED}[ivx]{{1,4}}{_PARTED}[0-9]"
)
"""What a plain text matches that may spell a day; the others need not be looked through."""


_SERIAL = r"\b[1-9][0-9]{4,12}\b"
_SERIAL_ZEROS = ("1899-12-30", "1904-01-01")
"""The days that spreadsheets count from (ECMA-376, 18.17.4.1). The serials looked for are of five digits: from May 1927, or of 1931, on."""
_UNIX_HOURS = (0, -1)
"""Midnight of a birth, in hours of UTC: by UTC itself, and by British summer time."""
_UNIX_SMALLEST = 1_000_000
"""Seconds; fewer are of a birth within twelve days of 1970, and could be many other numbers."""


def serials_sql(births: str) -> str:
    """Query of the whole numbers, without their sign, by which computers write the days of a relation: its columns, and ``serial``.

    As spreadsheets count days, and as Unix counts seconds, or thousandths, to midnight.
    """
    serials = [f"birth_date - DATE '{zero}'" for zero in _SERIAL_ZEROS]
    seconds = [f"abs((birth_date - DATE '1970-01-01') * 86400 + {hour * 3600})" for hour in _UNIX_HOURS]
    numbers = ", ".join([*serials, *seconds, *(f"{second} * 1000" for second in seconds)])
    return (
        f"SELECT * FROM (SELECT *, unnest([{numbers}]) AS serial FROM {births}) "
        f"WHERE serial BETWEEN 10000 AND 59999 OR serial >= {_UNIX_SMALLEST}"
    )


def days_of_serials_sql(texts: str, births: str) -> str:
    """Query of the days of *births* that texts hold as such numbers (`serials_sql`): ``number, day``.

    Args:
        texts: as of `days_sql`.
        births: relation with ``birth_date``.
    """
    found = f"SELECT number, unnest(regexp_extract_all(plain, '{_SERIAL}'))::BIGINT AS serial FROM {texts}"
    return f"SELECT DISTINCT number, birth_date AS day FROM ({found}) JOIN ({serials_sql(f'(SELECT DISTINCT birth_date FROM {births})')}) USING (serial)"


def days_sql(texts: str) -> str:
    """Query of the days that texts may spell, in every order that is usual: ``number, day``.

    A year of two digits may be of this century or the last.

    Args:
        texts: relation with ``number``, of a text, and ``plain`` (`spellings.plain_sql`).
    """
    # Form by form, because hardly any text has many: a list of them all for each text costs more than looking for them. What a form has
    # found is read in one place for all of them, because planning costs by the expression.
    apart = f"(FROM {texts} WHERE regexp_matches(plain, '{_IS_APART}'))"
    found = [
        f"SELECT number, {_groups(form)} AS part, {list(orders)} AS orders FROM {_places(place, form)}"
        for place, forms in ((apart, _APART), (texts, _RUNS))
        for form, orders in forms
    ]
    romans = " ".join(f"WHEN '{name}' THEN '{number}'" for number, name in enumerate(_ROMAN, start=1))
    named = f"(((strpos('{_MONTHS}', month) + 2) // 3 - 1) % 12 + 1)::VARCHAR"
    number = f"CASE WHEN regexp_matches(month, '^[0-9]') THEN month ELSE CASE month {romans} ELSE {named} END END"
    of_century = "unnest(CASE WHEN length(year) = 2 THEN ['19' || year, '20' || year] ELSE [year] END)"
    taken = ", ".join(f"part[taken[{place}]::INTEGER] AS {name}" for place, name in enumerate(_PARTS, start=1))
    told = (
        f"SELECT number, {taken} FROM (SELECT number, part, unnest(orders) AS taken FROM ({' UNION ALL '.join(found)}))"
    )
    day = f"{of_century} || '-' || {number} || '-' || day"
    parts = [f"SELECT number, try_strptime({day}, '%Y-%m-%d') AS day FROM ({told})"]
    for form, written in _ISO:
        day = f"array_to_string({_groups(form)}, '-')"
        parts.append(f"SELECT number, try_strptime({day}, '{written}') FROM {_places(texts, form)}")
    return f"SELECT DISTINCT number, day::DATE AS day FROM ({' UNION ALL '.join(parts)}) WHERE day IS NOT NULL"


def _places(texts: str, form: str) -> str:
    return f"(SELECT number, unnest(regexp_extract_all(plain, '{form}')) AS one FROM {texts})"


def _groups(form: str) -> str:
    """SQL: the groups of a place where a form was found, as a list."""
    groups = range(1, re.compile(form).groups + 1)
    taken = ", ".join(f"regexp_extract(one, '{form}', {group})" for group in groups)
    return f"[{taken}]"
