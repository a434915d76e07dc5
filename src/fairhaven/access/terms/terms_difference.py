"""How two versions of a controller's terms differ, in English."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairhaven.access.terms.model import DataController
from fairhaven.access.terms.term_fields import TermNoun
from fairhaven.access.terms.term_words import DecidedBy
from fairhaven.access.terms.terms_english import in_words, label_of


@dataclass(frozen=True, kw_only=True, slots=True)
class TermChange:
    """One thing that is otherwise in the later version.

    Args:
        field: its place, as in the file: ``terms.gp.use.purposes``.
        words: what is otherwise, in English.
        decided_by: who decides whether a request meets it.
    """

    field: str
    words: str
    decided_by: DecidedBy


def changes(earlier: DataController, later: DataController) -> tuple[TermChange, ...]:
    """What is otherwise in the later of two versions, in the order of its fields; nothing where they say the same."""
    return tuple(_of_nouns(earlier, later, ""))


def _of_nouns(earlier: TermNoun, later: TermNoun, field: str) -> Iterator[TermChange]:
    for name, info in type(later).model_fields.items():
        place = f"{field}.{name}" if field else name
        before, now = getattr(earlier, name), getattr(later, name)
        if before == now:
            continue
        by = next((each for each in info.metadata if isinstance(each, DecidedBy)), DecidedBy.TOLD)
        label = label_of(type(later), name)
        if isinstance(before, TermNoun) and isinstance(now, TermNoun):
            yield from _of_nouns(before, now, place)
        elif isinstance(now, Mapping):
            yield from _of_mappings(before, now, place, label)
        else:
            yield TermChange(field=place, words=f"{label}: {_otherwise(before, now)}", decided_by=by)


def _of_mappings(before: Mapping[str, Any], now: Mapping[str, Any], field: str, label: str) -> Iterator[TermChange]:
    for key in dict.fromkeys((*before, *now)):
        place = f"{field}.{key}"
        if key not in now:
            yield TermChange(field=place, words=f"{label}: {key} is taken away", decided_by=DecidedBy.MACHINE)
        elif key not in before:
            yield TermChange(field=place, words=f"{label}: {key} is new", decided_by=DecidedBy.MACHINE)
        else:
            yield from _of_nouns(before[key], now[key], place)


def _otherwise(before: Any, now: Any) -> str:
    """How a value changed: of lists what came and what went, of others both."""
    if isinstance(before, tuple) and isinstance(now, tuple):
        came = [each for each in now if each not in before]
        went = [each for each in before if each not in now]
        said = [
            f"{word} {in_words(tuple(items))}" for word, items in (("now also", came), ("no longer", went)) if items
        ]
        return "; ".join(said) or "in another order"
    if isinstance(before, TermNoun) or isinstance(now, TermNoun):
        return "is said now" if before is None else "is no longer said"
    return f"{in_words(now) if now != '' else 'nothing'} (before: {in_words(before) if before != '' else 'nothing'})"
