"""Terms in plain English, a line for each thing that is said, with who decides it: made from the descriptions of fields alone."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairhaven.access.terms.data_use import DataUse, Disease, DuoModifier, DuoPermission
from fairhaven.access.terms.model import Payment, Question, Return, Transfer
from fairhaven.access.terms.term_fields import TermNoun
from fairhaven.access.terms.term_words import AnswerKind, Article6, Article9, DecidedBy
from fairhaven.kernel.word import Word


@dataclass(frozen=True, kw_only=True, slots=True)
class TermLine:
    """One thing that terms say.

    Args:
        field: its place, as in the file: ``use.purposes``.
        heading: what it belongs to; empty at the top.
        words: it, in English.
        decided_by: who decides whether a request meets it.
    """

    field: str
    heading: str
    words: str
    decided_by: DecidedBy


def lines_of(noun: TermNoun, *, field: str = "", heading: str = "") -> Iterator[TermLine]:
    """What a noun says, in the order of its fields. What it leaves unsaid is told where that means something."""
    for name, info in type(noun).model_fields.items():
        place = f"{field}.{name}" if field else name
        value = getattr(noun, name)
        if isinstance(value, Mapping):
            continue  # sets of terms and questionnaires are shown one by one
        label, rest = _label(info.description or "")
        by = next((each for each in info.metadata if isinstance(each, DecidedBy)), DecidedBy.TOLD)
        if isinstance(value, TermNoun):
            yield from lines_of(value, field=place, heading=label)
        elif value in (None, (), ""):
            if rest.startswith("Without"):
                words = f"{label}: none. {rest.partition('. ')[0].removesuffix('.')}."
                yield TermLine(field=place, heading=heading, words=words, decided_by=by)
        elif isinstance(value, tuple) and isinstance(value[0], (DuoModifier, Question, Return)):
            for at, each in enumerate(value):
                who = _decides(each)
                yield TermLine(
                    field=f"{place}[{at}]", heading=heading, words=f"{label}: {in_words(each)}", decided_by=who
                )
        else:
            yield TermLine(field=place, heading=heading, words=f"{label}: {in_words(value)}", decided_by=by)


def label_of(noun: type[TermNoun], name: str) -> str:
    """What a field is called."""
    return _label(noun.model_fields[name].description or "")[0]


def in_words(value: Any) -> str:
    """A value of a field in words."""
    match value:
        case bool():
            return "yes" if value else "no"
        case DuoPermission() | DuoModifier():
            return f"{value.value}, {value.meaning}"
        case Article6() | Article9():
            return f"{value.value}, {value.meaning}"
        case Word():
            return value.meaning
        case dt.date():
            return value.isoformat()
        case float():
            return f"{value:g}"
        case Disease():
            return f"{value.name} ({value.concept_id})"
        case Transfer():
            return f"{value.country}, by {value.safeguard.meaning}"
        case Payment():
            return f"{value.what}, £{value.pounds:,}"
        case Return():
            return f"to {value.to.meaning}, within {value.within_months} months: {_one_line(value.what)}"
        case Question():
            answers = f"; accepted: {', '.join(value.accepted)}" if value.accepted else ""
            choices = f" ({', '.join(value.choices)})" if value.kind is AnswerKind.CHOICE else ""
            return f"{_one_line(value.ask)} Answered {value.kind.meaning}{choices}{answers}"
        case DataUse():
            return ", ".join([value.permission, *value.modifiers])
        case tuple():
            return "; ".join(map(in_words, value))
        case "*":
            return "all"
        case None:
            return "nothing"
        case _:
            return _one_line(str(value))


def _decides(each: DuoModifier | Question | Return) -> DecidedBy:
    match each:
        case DuoModifier():
            return each.decided_by
        case Question():
            return DecidedBy.MACHINE if each.accepted else DecidedBy.PERSON
        case Return():
            return DecidedBy.PERSON


def _label(description: str) -> tuple[str, str]:
    """The first sentence of a description without its full stop, and the rest."""
    first, _, rest = description.partition(". ")
    return first.removesuffix("."), rest


def _one_line(text: str) -> str:
    return " ".join(text.split())
