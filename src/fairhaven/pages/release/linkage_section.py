"""Section: how patient records became persons, and which kinds of data meet in one person."""

from collections.abc import Sequence

from fairhaven.disclosure import Policy, protect, protect_table
from fairhaven.pages.kit.charts import bar, ornament
from fairhaven.pages.kit.figures import counted, share, spoken, whole
from fairhaven.pages.kit.html import Html, join, tag
from fairhaven.pages.kit.layout import Column, Section, figures, table
from fairhaven.pages.release.facts import Kinds, Linkage, ReportFacts
from fairhaven.pages.release.labels import STEPS, kind_class, kind_name, kind_order, step_order

_MOST = 16
"""How many combinations of kinds are drawn."""


def people_section(facts: ReportFacts) -> Section | None:
    """Linkage; None where nothing is known of it."""
    if facts.linkage is None and not facts.kinds:
        return None
    return Section(
        id="people",
        title="One person, many records",
        short="Linkage",
        lead=_lead(facts),
        body=join(
            _steps(facts.linkage, facts.policy) if facts.linkage else None,
            _kinds(facts.kinds, facts.policy) if facts.kinds else None,
        ),
    )


def _lead(facts: ReportFacts) -> str:
    if facts.linkage is None:
        return "Which kinds of data meet in one person."
    linkage = facts.linkage
    said = (
        f"{counted(linkage.records, 'patient record')} of all sources belong to "
        f"{protect(linkage.persons, facts.policy).text} persons."
    )
    several = sum(persons for sources, persons in linkage.persons_by_sources.items() if sources > 1)
    if several >= facts.policy.threshold and linkage.persons - several >= facts.policy.threshold:
        said += f" {share(several, linkage.persons)} of them are known to more than one source."
    return (
        said + " Names, addresses and NHS numbers were used for this in the identity vault and are not in the release."
    )


def _steps(linkage: Linkage, policy: Policy) -> Html:
    ordered = sorted(linkage.steps, key=lambda step: step_order(step.name))
    steps = protect_table({step.name: step.records for step in ordered}, policy).cells
    by_sources = protect_table(dict(sorted(linkage.persons_by_sources.items())), policy).cells
    entries = [
        (protect(linkage.clerical, policy).text, "pairs for a person to decide"),
        (protect(linkage.merges, policy).text, "persons found to be one since the last release"),
        (protect(linkage.splits, policy).text, "persons found to be more than one"),
    ]
    return tag(
        "div",
        tag(
            "div",
            tag("h3", "What linked each record"),
            table(
                "Patient records by the step that linked them",
                [
                    Column(title="Step"),
                    Column(title="", style="w"),
                    Column(title="Records", style="n"),
                    Column(title="Share", style="n"),
                ],
                [
                    [
                        STEPS.get(name, spoken(name)),
                        _bar(cell.value, linkage.records, "tone-1"),
                        cell.text,
                        share(cell.value, linkage.records) if cell.value is not None else "",
                    ]
                    for name, cell in steps.items()
                ],
                class_="bars",
            ),
            figures(entries, class_="figures small"),
        ),
        tag(
            "div",
            tag("h3", "In how many sources a person is known"),
            table(
                "Persons by number of sources",
                [
                    Column(title="Sources"),
                    Column(title="", style="w"),
                    Column(title="Persons", style="n"),
                    Column(title="Share", style="n"),
                ],
                [
                    [
                        counted(sources, "source"),
                        _bar(cell.value, linkage.persons, "tone-2"),
                        cell.text,
                        share(cell.value, linkage.persons) if cell.value is not None else "",
                    ]
                    for sources, cell in by_sources.items()
                ],
                class_="bars",
            ),
        ),
        class_="pair",
    )


def _kinds(combinations: Sequence[Kinds], policy: Policy) -> Html:
    """Like an UpSet plot lying on its side: a row for each combination, a dot for each kind in it."""
    kinds = sorted({kind for combination in combinations for kind in combination.kinds}, key=kind_order)
    cells = protect_table({combination.kinds: combination.persons for combination in combinations}, policy).cells
    shown = sorted(
        ((cell.value, names) for names, cell in cells.items() if cell.value),
        key=lambda entry: (-entry[0], sorted(entry[1])),
    )
    most = shown[0][0] if shown else 1
    hidden = sum(cell.is_hidden for cell in cells.values()) + max(0, len(shown) - _MOST)
    rows = [
        [
            tag("span", _dots(kinds, names), _and([kind_name(k) for k in kinds if k in names]), class_="names"),
            bar(persons / most, "tone-1", ghost=False),
            whole(persons),
        ]
        for persons, names in shown[:_MOST]
    ]
    return tag(
        "div",
        tag("h3", "Which kinds of data meet in one person"),
        table(
            "Persons by the kinds of source that hold data about them",
            [Column(title="Kinds of data"), Column(title="", style="w"), Column(title="Persons", style="n")],
            rows,
            class_="bars meet",
        ),
        tag(
            "p",
            f"{counted(hidden, 'further combination')} of few persons {'is' if hidden == 1 else 'are'} not shown.",
            class_="aside",
        )
        if hidden
        else None,
    )


def _dots(kinds: Sequence[str], names: frozenset[str]) -> Html:
    inside = [place for place, kind in enumerate(kinds) if kind in names]
    line = tag("line", x1=inside[0] * 22 + 11, x2=inside[-1] * 22 + 11, y1=11, y2=11, class_="thread")
    dots = [
        tag("circle", cx=place * 22 + 11, cy=11, r=6 if place in inside else 3, class_=_dot(kind, place in inside))
        for place, kind in enumerate(kinds)
    ]
    return ornament(
        line if len(inside) > 1 else None, *dots, width=22 * len(kinds), height=22, class_=f"dots d{len(kinds)}"
    )


def _dot(kind: str, is_in: bool) -> str:
    return kind_class(kind) if is_in else "absent"


def _bar(value: int | None, of: int, style: str) -> Html:
    return bar(value / of if value and of else 0.0, style)


def _and(names: Sequence[str]) -> str:
    first, *others = names
    said = [first, *(name[:1].lower() + name[1:] for name in others)]
    return first if not others else f"{', '.join(said[:-1])} and {said[-1]}"
