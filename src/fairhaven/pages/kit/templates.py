"""The one environment in which every page is made: what is not markup is escaped, and a name that is not there is an error.

A hub's own words are only ever values, never templates, so nothing that a hub writes is run.
"""

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket
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


class Compiled(FileSystemBytecodeCache):
    """Templates as Python code, where Python keeps that of the modules beside them: compiling them takes as long as filling them in.

    Who can write there can change this program; nobody else is trusted by it.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            super().load_bytecode(bucket)
        except (OSError, EOFError, TypeError, ValueError, UnpicklingError):  # damaged: it is made again
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):  # an account that runs this code need not be the one that may write beside it
            super().dump_bytecode(bucket)


def _compiled() -> Compiled | None:
    folder = Path(__file__).with_name("__pycache__")
    if sys.dont_write_bytecode or not folder.is_dir():
        return None
    made_with = sha256(version("jinja2").encode() + Path(__file__).read_bytes()).hexdigest()[:8]
    return Compiled(str(folder), f"template-%s.{made_with}")


@cache
def environment() -> Environment:
    """Templates with the words of figures as filters, and the small drawings as functions."""
    made = Environment(
        loader=PackageLoader("fairhaven", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled(),
    )
    made.filters |= {word.__name__: word for word in _WORDS} | {"named": named}
    made.globals |= {drawing.__name__: drawing for drawing in _DRAWINGS} | {"look": look()}
    return made


def named(name: str) -> Markup:
    """A table's or a field's name, which may break after an underscore or a dot where room is short."""
    parts = [part for part in re.split(r"(?<=[_.])", name) if part]
    return Markup("<code>{}</code>").format(Markup("<wbr>").join(parts))
