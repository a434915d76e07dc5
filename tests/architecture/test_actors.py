"""Every use case that changes anything says by whom."""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

import fairhaven
from fairhaven.archive import Archive
from fairhaven.hub.demonstration import demonstrate
from fairhaven.hub.new_hub import make_hub
from fairhaven.intake import Intake
from fairhaven.journeys.deliveries.receive import receive, take_vocabulary
from fairhaven.journeys.network.serve import ask, join, leave, serve_network
from fairhaven.journeys.persons.erase import erase
from fairhaven.journeys.releases.build import build
from fairhaven.ledger import Actor, Ledger

CHANGING: tuple[Callable[..., object], ...] = (
    *(make_hub, demonstrate, receive, take_vocabulary, build, erase, join, leave, ask, serve_network),
    *(Ledger.append, Ledger.append_once, Ledger.append_change, Intake.receive),
    *(Archive.write, Archive.publish, Archive.erase, Archive.resume, Archive.roll_back),
)


@pytest.mark.parametrize("use_case", CHANGING, ids=lambda use_case: use_case.__qualname__)
def test_what_changes_a_hub_says_by_whom(use_case: Callable[..., object]) -> None:
    by = inspect.signature(use_case).parameters["by"]
    assert (by.kind, by.default, by.annotation) == (by.KEYWORD_ONLY, by.empty, Actor)


def test_only_a_door_says_who_somebody_is() -> None:
    root = Path(fairhaven.__file__).parent
    makers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Actor"
    }
    assert makers == {"cli/arguments.py"}
