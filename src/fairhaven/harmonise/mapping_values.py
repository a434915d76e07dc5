"""Right-hand sides of a mapping: where a value comes from and what is done to it on the way.

A value is a source (a column, a constant, the first of several, a join, a date with a time) and steps. Building gives
an Ibis expression over the columns of one table; nothing is run.

What was withheld because it tells who somebody is may be any value: whatever is done to it, it stays what it is where a text comes of it, by
which rows may be joined, and is NULL where something else does.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.types as ir

from fairhaven.identifiers.withheld import MARK

LONGEST_SHIFT = 36_525
"""Days that a delivered number may move a date, a century: one day beyond the calendar ends the whole build."""
_OLDEST = 130
_YEAR, _MONTH = "^([0-9]{4})(-00){0,2}$", "^([0-9]{4}-[0-9]{1,2})(-00)?$"
"""Text of a date of which only the year or the month is known, and in the first group what of it is."""
_FORMS = {
    "float64": "^([+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?)$",
    "int64": "^([+-]?[0-9]{1,19})([.]0*)?$",
    "int32": "^([+-]?[0-9]{1,10})([.]0*)?$",
    "date": "^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})([ T].*)?$",
}
"""What text must look like, and in the first group what of it is cast. Left to themselves engines also take NaN, 1_0, 1.5
as a whole number, epoch as a date, and not all the same ones."""


def number_of(value: ir.Value) -> ir.Value:
    """A column as a number; text that is none is NULL."""
    return as_type(value, "float64")


def as_type(value: ir.Value, dtype: str) -> ir.Value:
    """A column in another type; text that does not fit is NULL, on every engine alike."""
    if value.type().is_numeric() and dtype in ("int32", "int64"):
        return value.try_cast(dtype)  # a number that is too large is none
    if not value.type().is_string() or dtype == "string":
        return value.cast(dtype)
    text = value.strip()
    if dtype in _FORMS:
        text = text.re_extract(_FORMS[dtype], 1).nullif("")
    made = text.try_cast(dtype)
    if dtype == "float64":  # 1e999 is beyond its range, and -0 is 0
        return made.isinf().ifelse(ibis.null("float64"), made + 0.0)
    return made


def first_and_last(value: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The first and the last day that a date can be: of text that says a month (2026-11, 2026-11-00) or a year alone they are two."""
    day = as_type(value, "date")
    if not value.type().is_string():
        return day, day
    text = value.strip()
    year, month = (text.re_extract(form, 1).nullif("") for form in (_YEAR, _MONTH))
    begun = as_type(month + "-01", "date")
    first = ibis.coalesce(day, begun, as_type(year + "-01-01", "date"))
    last = ((begun + ibis.interval(months=1)) - ibis.interval(days=1)).cast("date")
    return first, ibis.coalesce(day, last, as_type(year + "-12-31", "date"))


def birth_columns(day: ir.Value, *, knows_month: ir.BooleanValue, knows_day: ir.BooleanValue) -> dict[str, ir.Value]:
    """Columns of a person: a date of birth of which all is known, and otherwise its year, and its month where that is known.

    Args:
        day: the first that it can be.
    """
    only_month = knows_month.fill_null(False) & ~knows_day.fill_null(False)
    return {
        "birth_date": knows_day.fill_null(False).ifelse(day, ibis.null("date")),
        "birth_year": day.year().cast("int32"),
        "birth_month": only_month.ifelse(day.month().cast("int32"), ibis.null("int32")),
    }


def text_of(value: ir.Value) -> ir.Value:
    """A column as text; whole numbers without a decimal point."""
    return value if value.type().is_string() else value.cast("string")


def is_withheld(value: ir.Value) -> ir.BooleanValue:
    """Whether a text was withheld; never NULL."""
    return value.startswith(MARK).fill_null(False)


def has_value(value: ir.Value) -> ir.BooleanValue:
    """Whether there is a value; an empty text is none. Never NULL."""
    has = value.notnull() & (value != "") if value.type().is_string() else value.notnull()
    return has.fill_null(False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnValue:
    """A column of the table, or one that unpivoting made."""

    name: str

    def build(self, rows: ir.Table) -> ir.Value:
        """The expression."""
        return rows[self.name]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstantValue:
    """The same for every row."""

    value: Any

    def build(self, rows: ir.Table) -> ir.Value:  # noqa: ARG002
        """The literal."""
        return ibis.literal(self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstValue:
    """The first of several values that is not NULL."""

    items: tuple["MappingValue", ...]

    def build(self, rows: ir.Table) -> ir.Value:
        """Coalesce; as text where the types differ."""
        built = [item.build(rows) for item in self.items]
        kinds = {str(value.type()) for value in built}
        if len(kinds) > 1 and any(value.type().is_string() for value in built):
            built = [text_of(value) for value in built]
        return ibis.coalesce(*built)


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinedText:
    """Texts joined; NULL where one of them is."""

    items: tuple["MappingValue", ...]
    between: str

    def build(self, rows: ir.Table) -> ir.Value:
        """Concatenation."""
        parts = [item.build(rows) for item in self.items]
        joined = text_of(parts[0])
        for part in parts[1:]:
            joined = joined + ibis.literal(self.between) + text_of(part)
        # Of what one part was withheld, the whole is.
        withheld = [is_withheld(part) for part in parts if part.type().is_string()]
        return ibis.or_(*withheld).ifelse(ibis.literal(MARK) + joined, joined) if withheld else joined


@dataclass(frozen=True, kw_only=True, slots=True)
class DatetimeValue:
    """A date with a time of day; midnight where the time is missing or no time. Without a time at all, the date."""

    date: "MappingValue"
    time: "MappingValue | None" = None

    def build(self, rows: ir.Table) -> ir.Value:
        """A timestamp, or a date."""
        date = as_type(self.date.build(rows), "date")
        if self.time is None:
            return date
        text = date.cast("string") + " " + text_of(self.time.build(rows))
        return ibis.coalesce(text.try_cast("timestamp(6)"), date.cast("timestamp(6)"))


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanedText:
    """Text without blanks around it, in upper case, without some characters, cut out."""

    upper: bool = False
    strip: str = ""
    from_character: int = 1
    cut: int | None = None

    def build(self, value: ir.Value, rows: ir.Table) -> ir.Value:  # noqa: ARG002
        """The cleaned text."""
        text = text_of(value).strip()
        for character in self.strip:
            text = text.replace(character, "")
        if self.upper:
            text = text.upper()
        if self.from_character > 1 or self.cut is not None:
            text = text.substr(self.from_character - 1, self.cut)
        return text


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPattern:
    """The first group of a regular expression; NULL where it does not match."""

    expression: str

    def build(self, value: ir.Value, rows: ir.Table) -> ir.Value:  # noqa: ARG002
        """The group's text."""
        return text_of(value).re_extract(self.expression, 1).nullif("")


@dataclass(frozen=True, kw_only=True, slots=True)
class MappedValue:
    """One value for another.

    Args:
        pairs: source text -> text or whole number.
        default: where the text is not in the pairs; None: NULL.
        is_kept: a text that is not in the pairs is kept.
    """

    pairs: tuple[tuple[str, Any], ...]
    default: Any = None
    is_kept: bool = False

    def build(self, value: ir.Value, rows: ir.Table) -> ir.Value:  # noqa: ARG002
        """A CASE over the pairs; NULL is NULL unless there is a default."""
        pairs, default = self.pairs, self.default
        given = [to for _, to in pairs] + ([] if default is None else [default])
        if self.is_kept or (any(isinstance(to, str) for to in given) and not all(isinstance(to, str) for to in given)):
            # One column has one type: beside a text a number is the text that it is written as.
            pairs = tuple((text, str(to)) for text, to in pairs)
            default = None if default is None else str(default)
        otherwise = text_of(value) if self.is_kept else ibis.literal(default)
        return text_of(value).cases(*pairs, else_=otherwise) if pairs else otherwise


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledValue:
    """A number times a scale, plus an offset.

    Args:
        unit: column with the row's unit, where the scale depends on it.
        scales: unit -> scale; a unit that is not named leaves the number as it is.
    """

    scale: float = 1
    offset: float = 0
    unit: str = ""
    scales: tuple[tuple[str, float], ...] = ()

    def build(self, value: ir.Value, rows: ir.Table) -> ir.Value:
        """The number in the new unit."""
        number = number_of(value)
        if self.scales:
            unit = text_of(rows[self.unit])
            number = number * is_withheld(unit).ifelse(ibis.null("float64"), unit.cases(*self.scales, else_=1.0))
        if self.scale != 1:
            number = number * self.scale
        return number + self.offset if self.offset else number


@dataclass(frozen=True, kw_only=True, slots=True)
class ShiftedDate:
    """A date some days later (earlier where *sign* is -1).

    Args:
        days: a number of days, or the column that holds it (no number there, or one of more than a century: none).
    """

    days: int | str
    sign: int = 1

    def build(self, value: ir.Value, rows: ir.Table) -> ir.Value:
        """The date."""
        date = as_type(value, "date")
        if isinstance(self.days, int):
            return _whole_day(date + ibis.interval(days=self.days * self.sign))
        days = number_of(rows[self.days])
        is_near = days.between(-LONGEST_SHIFT, LONGEST_SHIFT).fill_null(False)
        shift = is_near.ifelse(days, 0).cast("int32") * self.sign
        return _whole_day(date + shift.as_interval("D"))


def _whole_day(date: ir.DateValue) -> ir.DateValue:
    """A day as a date: DuckDB's sum of a date and days is a timestamp, which Ibis takes for a date, and its text has a time."""
    return date.cast("timestamp(6)").cast("date")


@dataclass(frozen=True, kw_only=True, slots=True)
class DatePart:
    """The year, month or day of a date as a number.

    Args:
        part: ``year``, ``month``, ``day``.
        minus_years: what is taken from the year; NULL where it is no age that a person can have.
    """

    part: str
    minus_years: "MappingValue | None" = None

    def build(self, value: ir.Value, rows: ir.Table) -> ir.Value:
        """The number."""
        date = as_type(value, "date")
        number = {"year": date.year, "month": date.month, "day": date.day}[self.part]().cast("int32")
        if self.minus_years is None:
            return number
        age = number_of(self.minus_years.build(rows)).floor()
        is_age = ((age >= 0) & (age <= _OLDEST)).fill_null(False)
        return is_age.ifelse(number - is_age.ifelse(age, 0).cast("int32"), ibis.null("int32"))


Source = ColumnValue | ConstantValue | FirstValue | JoinedText | DatetimeValue
Step = CleanedText | TextPattern | MappedValue | ScaledValue | ShiftedDate | DatePart


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingValue:
    """Where a value comes from, and the steps it takes."""

    source: Source
    steps: tuple[Step, ...] = ()

    def build(self, rows: ir.Table) -> ir.Value:
        """The expression over a table that has these columns."""
        value = self.source.build(rows)
        for step in self.steps:
            made = step.build(value, rows)
            if value.type().is_string() and isinstance(step, CleanedText | TextPattern | MappedValue):
                stays = not isinstance(step, MappedValue) or step.is_kept
                made = is_withheld(value).ifelse(value if stays else ibis.null(made.type()), made)
            value = made
        return value


def columns_of(value: MappingValue | Source | Step) -> Iterator[str]:
    """Names of the columns that a value, or a part of one, reads."""
    match value:
        case MappingValue():
            for part in (value.source, *value.steps):
                yield from columns_of(part)
        case FirstValue() | JoinedText():
            for item in value.items:
                yield from columns_of(item)
        case DatetimeValue():
            yield from columns_of(value.date)
            if value.time is not None:
                yield from columns_of(value.time)
        case DatePart(minus_years=MappingValue() as years):
            yield from columns_of(years)
        case ColumnValue(name=name) | ShiftedDate(days=str(name)):
            yield name
        case ScaledValue(scales=(_, *_)):
            yield value.unit


def renamed(value: MappingValue, names: Mapping[str, str]) -> MappingValue:
    """A value that comes from other columns; its steps are the same."""
    return replace(value, source=_renamed(value.source, names))


def _renamed(source: Source, names: Mapping[str, str]) -> Source:
    match source:
        case ColumnValue(name=name):
            return ColumnValue(name=names.get(name, name))
        case FirstValue() | JoinedText():
            return replace(source, items=tuple(renamed(item, names) for item in source.items))
        case DatetimeValue():
            return replace(source, date=renamed(source.date, names))
        case _:
            return source


def free_texts(value: MappingValue, texts: Set[str]) -> list[str]:
    """Those of *texts*, columns with texts that are of no list as far as anybody said, that a value passes on."""
    if any(isinstance(step, MappedValue) and not step.is_kept for step in value.steps):
        return []
    return sorted(texts & set(columns_of(value)))


def column(name: str) -> MappingValue:
    """A plain column."""
    return MappingValue(source=ColumnValue(name=name))


def constant(value: Any) -> MappingValue:
    """A constant."""
    return MappingValue(source=ConstantValue(value=value))
