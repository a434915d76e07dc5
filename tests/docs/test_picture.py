"""The picture in the README is drawn from the list of rooms, and the rooms are those of the code."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_picture_is_drawn_anew_when_the_rooms_change() -> None:
    drawing = runpy.run_path(str(ROOT / "docs" / "draw_way.py"))
    assert (ROOT / "docs" / "way-of-the-data.svg").read_text(encoding="utf-8") == drawing["picture"](), (
        "run docs/draw_way.py"
    )
    for room, _ in drawing["ROOMS"]:
        assert (ROOT / "src" / "fairhaven" / room / "__init__.py").exists()
