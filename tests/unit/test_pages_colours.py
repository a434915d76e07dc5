"""The page's colours can be told apart, in the light and in the dark (WCAG 2.2: text 4.5 to 1, graphics 3 to 1)."""

import re
from importlib.resources import files

import pytest

_STYLE = files("fairhaven.pages.kit").joinpath("look.css").read_text(encoding="utf-8")
_TEXT = [
    ("ink", "paper"),
    ("soft", "paper"),
    ("link", "paper"),
    ("full-ink", "full"),
    ("good-ink", "good"),
    ("fair-ink", "fair"),
    ("poor-ink", "poor"),
    ("soft", "track"),
    ("ink", "track"),
]
_GRAPHICS = [
    "tone-1",
    "tone-2",
    "tone-3",
    "gp",
    "hospital",
    "social-care",
    "registry",
    "laboratory",
    "genomics",
    "imaging",
    "cdm",
    "quarantined",
    "opted-out",
    "replaced",
    "table-node",
    "unmapped",
    "added",
    "changed",
    "gone",
    "focus",
]


def _colours(theme: str) -> dict[str, str]:
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in _blocks())
    return light if theme == "light" else light | dark


def _blocks() -> list[str]:
    return re.findall(r":root \{(.*?)\}", _STYLE, flags=re.DOTALL)[:2]


def _contrast(first: str, second: str) -> float:
    bright, dim = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_what_it_stands_on(theme: str) -> None:
    colours = _colours(theme)
    weak = {pair: _contrast(colours[pair[0]], colours[pair[1]]) for pair in _TEXT}
    assert not {pair: ratio for pair, ratio in weak.items() if ratio < 4.5}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_drawings_stand_out_from_the_page(theme: str) -> None:
    colours = _colours(theme)
    weak = {name: _contrast(colours[name], colours["paper"]) for name in _GRAPHICS}
    assert not {name: ratio for name, ratio in weak.items() if ratio < 3}
