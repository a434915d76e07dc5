"""The one environment in which every page is made: what is not markup is escaped, and a name that is not there is an error.

A hub's own words are only ever values, never templates, so nothing that a hub writes is run.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fairhaven.kernel.foreign_names import harmless
from fairhaven.pages.kit import charts, figures
from fairhaven.pages.kit.look import look

_WORDS: tuple[Callable[..., str], ...] = (
    figures.counted,
    figures.day,
    figures.number,
    figures.share,
    figures.short,
    figures.spoken,
    figures.whole,
)
_DRAWINGS: tuple[Callable[..., Markup], ...] = (charts.bar, charts.columns, charts.hatched, charts.stacked)


def rendered(template: str, **facts: Any) -> str:
    """A template of this package, for example ``release/report.html.j2``, with its facts.

    Names in them may be somebody else's: what would turn the direction of writing, say, is not in the page.
    """
    return harmless(environment().get_template(template).render(facts))


@cache
def environment() -> Environment:
    """Templates with the words of figures as filters, and the small drawings as functions."""
    made = Environment(
        loader=PackageLoader("fairhaven", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {word.__name__: word for word in _WORDS} | {"named": named}
    made.globals |= {drawing.__name__: drawing for drawing in _DRAWINGS} | {"look": look()}
    return made


def named(name: str) -> Markup:
    """A table's or a field's name, which may break after an underscore or a dot where room is short."""
    parts = [part for part in re.split(r"(?<=[_.])", name) if part]
    return Markup("<code>{}</code>").format(Markup("<wbr>").join(parts))
