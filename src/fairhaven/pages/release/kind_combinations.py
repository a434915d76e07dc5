"""Which kinds of data meet in one person: like an UpSet plot lying on its side, a dot for each kind in a combination."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fairhaven.disclosure import Protected
from fairhaven.pages.kit.charts import ornament
from fairhaven.pages.kit.svg import element
from fairhaven.pages.release.labels import kind_class, kind_name, kind_order

_MOST = 16
"""How many combinations are drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindCombination:
    """One combination: its kinds as dots and in words, and the persons who have exactly these."""

    dots: Markup
    words: str
    persons: int


@dataclass(frozen=True, kw_only=True, slots=True)
class KindCombinations:
    """The combinations that are drawn, the most frequent first, and how many are not."""

    shown: Sequence[KindCombination]
    hidden: int


def kind_combinations(persons: Mapping[frozenset[str], Protected]) -> KindCombinations:
    """Combinations of kinds of source with their persons."""
    kinds = sorted({kind for combination in persons for kind in combination}, key=kind_order)
    seen = [(count.value, combination) for combination, count in persons.items() if count.value]
    seen.sort(key=lambda entry: (-entry[0], sorted(entry[1])))
    shown = [
        KindCombination(
            dots=_dots(kinds, combination),
            words=_listed([kind_name(kind) for kind in kinds if kind in combination]),
            persons=count,
        )
        for count, combination in seen[:_MOST]
    ]
    return KindCombinations(
        shown=shown, hidden=sum(count.is_hidden for count in persons.values()) + max(0, len(seen) - _MOST)
    )


def _dots(kinds: Sequence[str], combination: frozenset[str]) -> Markup:
    inside = [place for place, kind in enumerate(kinds) if kind in combination]
    thread = element("line", x1=inside[0] * 22 + 11, x2=inside[-1] * 22 + 11, y1=11, y2=11, class_="thread")
    dots = [
        element("circle", cx=place * 22 + 11, cy=11, r=6, class_=kind_class(kind))
        if kind in combination
        else element("circle", cx=place * 22 + 11, cy=11, r=3, class_="absent")
        for place, kind in enumerate(kinds)
    ]
    return ornament(
        thread if len(inside) > 1 else None, dots, width=22 * len(kinds), height=22, class_=f"dots d{len(kinds)}"
    )


def _listed(names: Sequence[str]) -> str:
    first, *others = names
    said = [first, *(name[:1].lower() + name[1:] for name in others)]
    return first if not others else f"{', '.join(said[:-1])} and {said[-1]}"
