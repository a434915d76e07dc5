"""What a command says of its result."""

import json

import pytest

from fairhaven.cli.screen import show_json


def test_a_number_that_json_does_not_have_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"share": float("nan"), "weights": [float("inf"), 0.5]})

    assert json.loads(capsys.readouterr().out) == {"share": None, "weights": [None, 0.5]}
