"""From text as delivered to typed values, as DuckDB expressions, each with the reason why a value does not fit.

A row goes through three steps of one query: text (trimmed, the source's words for nothing made NULL; kept as
``row_text_0, row_text_1, ...``), value (NULL where the text does not fit), faults (a list of field and reason; NULL
for a good row). Faults are found from whether text and value are NULL, which costs next to nothing for good rows.
"""

import dataclasses
import datetime as dt
import re
from collections.abc import Mapping, Sequence

from fairhaven.engine.sql import identifier, literal, literals
from fairhaven.intake.model import ColumnDeclaration, Dialect, TableDeclaration
from fairhaven.intake.quarantine_reasons import LATEST, is_within, quarantine_reasons
from fairhaven.intake.time_zones import at_instant, in_zone, is_utc, wall_clock
from fairhaven.kernel.partial_days import WHOLE_DAY, WHOLE_MONTH, WHOLE_YEAR, known_part

TYPES = {
    "text": "VARCHAR",
    "number": "DOUBLE",
    "whole": "BIGINT",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "time": "TIME",
    "yes-no": "BOOLEAN",
}
"""The declaration's words for types, and DuckDB's."""

_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_EXACT = {"DOUBLE": 1 << 53, "FLOAT": 1 << 24}
"""Whole numbers below these are different numbers as floating point."""
_OUTWARD = "'^([A-Z]{1,2}[0-9][A-Z0-9]?)([0-9][A-Z]{2})?$'"
_TIME = r"'\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?'"
_LIKE = {"Y": "____", "y": "__", "m": "__", "d": "__", "H": "__", "M": "__", "S": "__", "b": "___", "j": "___"}


def text_of(raw: str, dialect: Dialect) -> str:
    """Trimmed text of a raw VARCHAR expression; the words that mean nothing become NULL."""
    trimmed = f"trim({raw}, ' \t\r\n\u00a0')"
    words = ", ".join(map(literal, sorted({"", *dialect.null})))
    # Trimming every value would cost as much as reading the file; its first and last byte say what needs it.
    needs_trim = " OR ".join(
        [
            f"{raw} < '!'",
            f"starts_with({raw}, '\u00a0')",
            *(f"ends_with({raw}, '{blank}')" for blank in (" ", "\t", "\u00a0")),
        ]
    )
    return f"CASE WHEN {needs_trim} THEN CASE WHEN {trimmed} NOT IN ({words}) THEN {trimmed} END ELSE {raw} END"


def outward_code_of(postcode: str) -> str:
    """The outward code (district) of an expression that is a UK postcode or an outward code; NULL where it is neither."""
    return f"nullif(regexp_extract(upper(replace({postcode}, ' ', '')), {_OUTWARD}, 1), '')"


def number_of(text: str, decimal: str = ".") -> str:
    """The DOUBLE that a text expression says: digits with a sign, a point and an exponent as they like; NULL of anything else.

    NULL too of what the cast takes beside: NaN, infinity and what is beyond a DOUBLE's range, digits in groups (1_000), and with
    another *decimal* sign a point, which then parts thousands. Minus nought is nought.
    """
    plain, foreign = _plain(text, decimal)
    return _finite(f"try_cast({plain} AS DOUBLE)", f" AND NOT ({foreign})")


def _plain(text: str, decimal: str) -> tuple[str, str]:
    """(a number's text with a point for the decimal sign, the condition that it has a sign that no number has)."""
    if decimal == ".":
        return text, f"contains({text}, '_')"
    return f"replace({text}, {literal(decimal)}, '.')", f"contains({text}, '_') OR contains({text}, '.')"


def _finite(number: str, also: str = "") -> str:
    return f"CASE WHEN isfinite({number}){also} THEN {number} + 0.0 END"


def value_of(text: str, column: ColumnDeclaration, dialect: Dialect) -> str:
    """The typed value of a text expression; NULL where it does not fit."""
    match column.type:
        case "text":
            return text
        case "number":
            return number_of(text, dialect.decimal)
        case "whole":
            # A cast alone would round 1.5 to 2, and take digits in groups.
            plain, foreign = _plain(text, dialect.decimal)
            whole = f"try_cast({plain} AS BIGINT)"
            return f"CASE WHEN try_cast({plain} AS DOUBLE) = {whole} AND NOT ({foreign}) THEN {whole} END"
        case "date":
            return _moment(without_leap_second(text) if column.cuts_time else text, column, dialect, "DATE")
        case "datetime":
            return _moment(without_leap_second(text), column, dialect, "TIMESTAMP")
        case "time":
            # As text HH:MM:SS, because Spark has no time of day.
            text = without_leap_second(text)
            if column.formats:
                return f"try_cast({_moment(text, column, dialect, 'TIMESTAMP')} AS TIME)::VARCHAR"
            # The cast alone takes a time with anything behind it.
            return f"CASE WHEN regexp_full_match({text}, {_TIME}) THEN try_cast({text} AS TIME)::VARCHAR END"
        case _:
            lower = f"lower({text})"
            return (
                f"CASE WHEN {lower} IN ('y', 'yes', 'true', 't', '1') THEN true "
                f"WHEN {lower} IN ('n', 'no', 'false', 'f', '0') THEN false END"
            )


def without_words(value: str, words: Sequence[str], kind: str) -> str:
    """A value that is NULL where it is one of the words that mean nothing in its column.

    Args:
        kind: the value's DuckDB type; of other than texts a word means the value that it casts to, so that 9 means 9.0 as well.
    """
    if not words:
        return value
    if kind == "VARCHAR":
        listed = literals(*words)
    else:
        listed = ", ".join(f"try_cast({literal(word)} AS {kind})" for word in words)
    return f"CASE WHEN coalesce({value} IN ({listed}), false) THEN NULL ELSE {value} END"


def without_leap_second(text: str) -> str:
    """A text with the second before a leap second (23:59:60) in its place, for no clock here has one."""
    return f"replace({text}, ':59:60', ':59:59')"


def typed(declaration: TableDeclaration, values: Mapping[str, tuple[str, str]], dialect: Dialect, relation: str) -> str:
    """A query with ``row_line``, the declared columns typed, and ``row_faults``.

    Args:
        values: column name -> (expression over *relation*, its DuckDB type: VARCHAR for text as delivered); columns that
            are not there are NULL.
        relation: FROM clause that has ``row_line``.
    """
    held, landed, meant = [], [], []
    read, lengths = dict[str, str](), dict[str, str]()
    for number, column in enumerate(declaration.columns):
        if column.is_derived:
            held.append(f"NULL::VARCHAR AS row_text_{number}")
            derived = lengths[column.length_of] if column.length_of else read[column.last_day_of]
            landed.append(f"{derived} AS {identifier(column.name)}")
            continue
        expression, kind = values.get(column.name, ("NULL", "VARCHAR"))
        text = f"row_text_{number}"
        if column.type == "date" and (kind in _EXACT or kind.startswith("DECIMAL")):
            # As for a year in a column with gaps; one that says nothing is nothing, and one with a fraction is no day.
            expression, kind = _whole_text(expression, kind), "VARCHAR"
        if kind == "VARCHAR" or (column.type == "date" and kind in _WHOLE):
            expression, value = text_of(f"{expression}::VARCHAR", dialect), value_of(text, column, dialect)
            kind = "VARCHAR"
            if column.null and column.type in ("number", "whole", "date"):
                # A word means its value in whatever form, as in Parquet, which has no forms: 4000 means 4000.0 as well.
                words = ", ".join(value_of(literal(word), column, dialect) for word in column.null)
                meant.append(f"CASE WHEN NOT coalesce({value} IN ({words}), false) THEN {text} END AS {text}")
        else:
            value = _converted(text, kind, column.type)
            if kind in _EXACT and column.type == "text":
                # What table libraries write for nothing: as a text it would be one code, or one patient, of all who have none.
                expression = f"CASE WHEN isfinite({expression}) THEN {expression} END"
        if column.is_emptied and column.type in ("date", "datetime"):
            value = f"CASE WHEN {is_within(value, column)} THEN {value} END"
        if column.formats:
            is_text = kind == "VARCHAR"
            read[column.name] = last_day(value, text, column.formats) if is_text else f"{value}::DATE"
            lengths[column.name] = (
                f"CASE WHEN {value} IS NOT NULL THEN {_length(text, column.formats) if is_text else WHOLE_DAY} END"
            )
        held.append(f"{without_words(expression, column.null, kind)} AS {text}")
        landed.append(f"{value} AS {identifier(column.name)}")
    texts = ", ".join(f"row_text_{number}" for number in range(len(held)))
    rows = f"SELECT row_line, {', '.join(held)} FROM {relation}"
    if meant:
        rows = f"SELECT * REPLACE ({', '.join(meant)}) FROM ({rows})"
    return (
        f"SELECT *, {quarantine_reasons(declaration)} AS row_faults FROM ("
        f"SELECT row_line, {', '.join(landed)}, {texts} FROM ({rows}))"
    )


def _converted(value: str, kind: str, wanted: str) -> str:
    """A typed value as another type, NULL where that would change it."""
    cast = f"try_cast({value} AS {TYPES[wanted]})"
    match wanted, kind:
        case "time", _:
            return f"{cast}::VARCHAR"
        case "text", "DOUBLE" | "FLOAT":
            return _whole_text(value)
        case "whole" | "number", "BOOLEAN":
            return f"NULL::{TYPES[wanted]}"
        case "whole", "DOUBLE" | "FLOAT":
            # From there on a number stands for its neighbours, too: two persons' numbers would be one.
            return f"CASE WHEN {cast} = {value} AND abs({value}) < {_EXACT[kind]} THEN {cast} END"
        case "whole", _ if kind.startswith("DECIMAL"):
            return f"CASE WHEN {cast} = {value} THEN {cast} END"
        case "number", "DOUBLE" | "FLOAT":
            return _finite(cast)
        case _:
            return cast


def _whole_text(value: str, kind: str = "") -> str:
    """The text of a number with a fraction, in which a whole one has none; NULL, where the *kind* is given, of what is no number."""
    # Table libraries make floats of whole numbers with gaps; a code 42 must not become 42.0.
    whole = f"try_cast({value} AS HUGEINT)"
    nothing = f"WHEN NOT isfinite({value}) THEN NULL " if kind in _EXACT else ""
    return f"CASE {nothing}WHEN {value} = {whole} THEN {whole}::VARCHAR ELSE {value}::VARCHAR END"


def _moment(text: str, column: ColumnDeclaration, dialect: Dialect, sql_type: str) -> str:
    """A date or timestamp of a text in one of the column's forms."""
    zone = dialect.time_zone
    if column.cuts_time and sql_type == "DATE":
        plain = _moment(text, dataclasses.replace(column, cuts_time=False), dialect, sql_type)
        return f"CASE WHEN length({text}) > 10 THEN coalesce({wall_clock(text, zone)}::DATE, {plain}) ELSE {plain} END"
    if not column.formats or (sql_type == "DATE" and column.formats == ("%Y-%m-%d",)):
        # Twice as fast as strptime. As TIMESTAMP, because a cast to DATE takes any text behind the date.
        if sql_type == "DATE":
            return f"CASE WHEN length({text}) = 10 THEN try_cast(try_cast({text} AS TIMESTAMP) AS DATE) END"
        return f"CASE WHEN length({text}) >= 10 THEN {wall_clock(text, zone)} END"
    if any("%y" in form or _names_zone(form) for form in column.formats):
        # Years of two digits first: strptime's %Y would take 61 for the year 61.
        forms = sorted(column.formats, key=lambda form: "%y" not in form)
        moments = (_where_it_was(text, form, column, zone) for form in forms)
        return f"try_cast(coalesce({', '.join(moments)}) AS {sql_type})"
    if len(column.formats) == 1:
        return f"try_cast(try_strptime({text}, {literal(column.formats[0])}) AS {sql_type})"
    # A form that does not match costs ten times one that does: the look of the text picks the one to try first.
    every = f"try_strptime({text}, [{', '.join(map(literal, column.formats))}])"
    looks = " ".join(
        f"WHEN {text} LIKE {literal(look)} THEN coalesce(try_strptime({text}, {literal(form)}), {every})"
        for form in column.formats
        if (look := _look_of(form))
    )
    moment = f"CASE {looks} ELSE {every} END" if looks else every
    return f"try_cast({moment} AS {sql_type})"


def last_day(value: str, text: str, forms: Sequence[str]) -> str:
    """The last day of what a text says of a date: of the month or the year, where the form that it is in says no more (`partial_days`).

    Args:
        value: the moment that it was read as, which is the first.
    """
    year = f"make_date(year({value}), 12, 31)"
    return _by_known_part(text, forms, day=f"{value}::DATE", month=f"last_day({value}::DATE)", year=year)


def _length(text: str, forms: Sequence[str]) -> str:
    """How much of a date a text says, as the length of its ISO text."""
    return _by_known_part(text, forms, day=str(WHOLE_DAY), month=str(WHOLE_MONTH), year=str(WHOLE_YEAR))


def _by_known_part(text: str, forms: Sequence[str], **results: str) -> str:
    """SQL: the result for ``day``, ``month`` or ``year``, whichever part of a date the form says that a text is in."""
    known = {part: [form for form in forms if known_part(form) == part] for part in ("day", "month")}
    tests = " ".join(
        f"WHEN try_strptime({without_leap_second(text)}, [{literals(*found)}]) IS NOT NULL THEN {results[part]}"
        for part, found in known.items()
        if found
    )
    return f"CASE {tests} ELSE {results['year']} END" if tests else results["year"]


def _of_its_century(text: str, form: str, column: ColumnDeclaration) -> str:
    """A moment whose year, where it has two digits, is the last such year that is not after the column's latest day."""
    moment = f"try_strptime({text}, {literal(form)})"
    if "%y" not in form:
        return moment
    after = (column.latest or LATEST) + dt.timedelta(days=1)
    # strptime says 1969 to 2068.
    return f"CASE WHEN {moment} >= DATE '{after}' THEN {moment} - INTERVAL 100 YEAR ELSE {moment} END"


def _names_zone(form: str) -> bool:
    return "%z" in form or "%Z" in form or form.endswith("Z")


def _where_it_was(text: str, form: str, column: ColumnDeclaration, zone: str) -> str:
    """A moment read in a form, on the clock where it was."""
    if form.endswith("%z"):  # an offset that is written is of the place itself
        plain = rf"regexp_replace({text}, ' ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$', '')"
        moment = _of_its_century(plain, form.removesuffix("%z").rstrip(), column)
        return f"CASE WHEN {is_utc(text)} THEN {in_zone(moment, zone)} ELSE {moment} END"
    moment = _of_its_century(text, form, column)
    if "%z" in form.lower():
        return at_instant(moment, zone)
    return in_zone(moment, zone) if _names_zone(form) else moment


def _look_of(form: str) -> str:
    """LIKE pattern of texts in a strptime form written with full widths; empty where the width is not fixed."""
    parts = [_LIKE.get(part[1:], "") if part.startswith("%") else part for part in re.findall("(?s)%.?|.", form)]
    return "".join(parts) if all(parts) and "_" not in form else ""
