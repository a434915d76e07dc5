"""Results that sources write as text: ``<5``, ``≥ 1,234.5``, ``5.2 mmol/L``, ``POS``. A number is taken only where all of the text is understood."""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.mapping_values import MappingValue, number_of, text_of
from fairhaven.omop import concepts

GIVES = ("operator", "value_number", "unit", "value_code", "value_vocabulary_id", "value_text", "value_source_value")
"""Columns of an event that a result gives; of them a rule may give ``unit`` beside it, for texts that name none."""

_OPERATORS = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">=", **{each: each for each in concepts.OPERATOR}}
_FLAGS = ("L", "l", "a", "1")
"""Spellings of units that behind a number are more often marks: low, abnormal, a part of the number."""
_UNITS = [unit for unit in concepts.UNIT if unit not in _FLAGS]
_SPELLINGS = [spelling for spelling in concepts.UNIT_SPELLING if spelling not in _FLAGS]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextResult:
    """A column with results as text (``[map.result]``).

    Args:
        column: the text.
        decimal: ``.`` or ``,``; the other one parts thousands.
    """

    column: MappingValue
    decimal: str = "."

    def build(self, rows: ir.Table) -> dict[str, ir.Value]:
        """The columns of `GIVES`. What is not understood is ``value_text``, as it may be free text."""
        text = text_of(self.column.build(rows)).strip().nullif("")
        operator, number, unit = (text.re_extract(self._form, group) for group in (1, 2, 3))
        is_number = (number != "") & ((unit == "") | unit.isin(_UNITS) | unit.lower().isin(_SPELLINGS))
        is_number = is_number.fill_null(False)
        word = text.lower().cases(*concepts.RESULT_WORD.items(), else_=ibis.null("string"))
        is_understood = is_number | word.notnull()
        nothing = ibis.null("string")
        return {
            "operator": is_number.ifelse(operator.cases(*_OPERATORS.items(), else_=nothing), nothing),
            "value_number": number_of(is_number.ifelse(self._plain(number), nothing)),
            "unit": is_number.ifelse(unit.nullif(""), nothing),
            "value_code": word,
            "value_vocabulary_id": word.notnull().ifelse(ibis.literal("SNOMED"), nothing),
            "value_text": is_understood.ifelse(nothing, text),
            "value_source_value": is_understood.ifelse(text, nothing),
        }

    @property
    def _form(self) -> str:
        point, comma = ("[.]", ",") if self.decimal == "." else (",", "[.]")
        # No group of thousands begins with nought: 0,125 is a number with the other point, and what it is nobody said.
        number = f"[+-]?(?:[1-9][0-9]{{0,2}}(?:{comma}[0-9]{{3}})+|[0-9]+)(?:{point}[0-9]*)?|[+-]?{point}[0-9]+"
        return f"^(<=|>=|=<|=>|[<>=≤≥])? *((?:{number})(?:[eE][+-]?[0-9]{{1,2}})?) *(.*)$"

    def _plain(self, number: ir.Value) -> ir.Value:
        """A number as every engine reads it."""
        if self.decimal == ".":
            return number.replace(",", "")
        return number.replace(".", "").replace(",", ".")
