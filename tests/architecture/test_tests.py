"""What holds of the tests themselves."""

import ast

import pytest

from tests.architecture.source_tree import ROOT, dotted, modules
from tests.support.cpu_seconds import JOURNEYS

TESTS = sorted((ROOT / "tests").rglob("*.py"))


def test_every_module_of_the_program_is_parsed_once() -> None:
    names = [module.name for module in modules()]
    assert len(names) == len(set(names))
    assert {"fairhaven", "fairhaven.kernel.ids"} <= set(names)
    (ids,) = [module for module in modules() if module.name == "fairhaven.kernel.ids"]
    assert ids.room == "kernel"
    assert any(name.startswith(("hashlib", "hmac")) for name in ids.imports)


def test_no_test_replaces_our_own_code_by_a_mock() -> None:
    mocks = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name.startswith("unittest") for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"))
    ]
    assert mocks == []


@pytest.mark.parametrize(
    ("written", "name"),
    [("duckdb.connect()", "duckdb.connect"), ("connect()", "connect"), ("a().connect()", ".connect")],
)
def test_a_call_is_named_as_it_is_written(written: str, name: str) -> None:
    call = ast.parse(written, mode="eval").body
    assert isinstance(call, ast.Call)
    assert dotted(call.func) == name


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_test_that_may_take_long_is_there(journey: str) -> None:
    path, _, name = journey.partition("::")
    functions = (node for node in ast.parse((ROOT / path).read_text()).body if isinstance(node, ast.FunctionDef))
    assert name.partition("[")[0] in {function.name for function in functions}
