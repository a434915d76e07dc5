"""Names are the field's words, one for each idea, and none is given twice."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.architecture.source_tree import ROOT, SOURCE, modules

GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"
_PLAIN = "## Plain words in names"
_SUFFIXES = frozenset({"csv", "css", "html", "json", "jsonld", "key", "md", "parquet", "pub", "sealed", "toml"})
_CODE = ("bench", "docs", "src", "tests")
_SHELVES = frozenset({"model", "ports", "rules", "service", "sqlite"})
"""The same shelf in every room may have the same name."""


def test_every_module_is_named_by_terms_of_the_glossary() -> None:
    text = GLOSSARY.read_text(encoding="utf-8")
    terms, plain = text.split(_PLAIN)
    known = {word for term in _first_column(terms) for word in _words(term)} | set(_words(plain))
    names = {module.path.stem if module.path.name != "__init__.py" else module.path.parent.name for module in modules()}
    unknown = {
        name: missing
        for name in sorted(names)
        if (missing := {word for word in _words(name) if not word.isdigit()} - known)
    }
    assert not unknown, f"use a term of {GLOSSARY.name}, or add the term with its source: {unknown}"


def test_every_table_of_terms_is_one() -> None:
    """A row of dashes stands under each heading, so that a page shows a table."""
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    below = {lines[place + 1] for place, line in enumerate(lines) if line.startswith("| term |")}
    assert below == {"|---|---|---|"}


def test_every_term_has_a_meaning_and_a_source() -> None:
    for line in _rows(GLOSSARY.read_text(encoding="utf-8")):
        assert all(cell.strip() for cell in line.strip("|").split("|")), line
        assert line.count("|") == 4, line


def test_no_two_modules_have_one_name() -> None:
    places = defaultdict(list)
    for module in modules():
        if not module.path.name.startswith("__") and module.path.stem not in _SHELVES:
            places[module.path.stem].append(str(module.path.relative_to(SOURCE)))
    assert not _several(places)


def test_no_two_public_classes_have_one_name() -> None:
    places = defaultdict(list)
    for module in modules():
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module.name)
    assert not _several(places)


def test_what_a_docstring_or_comment_refers_to_is_there() -> None:
    """A dotted name in backquotes, as `model.Group`, names a module or something in one; a path, as `cohort/model.py`, a file."""
    _check_references(module.path for module in modules())


def test_what_a_document_refers_to_is_there() -> None:
    """Pages of reference are not looked at: they are made from the code, and name elements of FHIR and fields of JSON."""
    pages = [path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "reference"]
    assert pages
    _check_references([*pages, *ROOT.glob("*.md")])


def _check_references(paths: Iterable[Path]) -> None:
    known = _known_names()
    files = {f"/{path.relative_to(ROOT)}" for top in _CODE for path in (ROOT / top).rglob("*.py")}
    missing = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for name in re.findall(r"(?<!`)`([a-z_]+(?:\.[A-Za-z_]+)+|[a-z_/]+/[a-z_]+\.py)`(?!`)", line)
        if not (_is_file(name, files) or _is_known(name, known))
    ]
    assert not missing, "\n".join(missing)


def _is_file(name: str, files: Iterable[str]) -> bool:
    """True for a path of the code, ``bench.intake``, and what the standard library has."""
    top = name.split(".")[0]
    path = name if name.endswith(".py") else f"{name.replace('.', '/')}.py"
    return top in sys.stdlib_module_names or any(file.endswith(f"/{path}") for file in files)


def _several(places: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: found for name, found in places.items() if len(found) > 1}


def _rows(text: str) -> Iterable[str]:
    return (line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| term |"))


def _first_column(text: str) -> Iterable[str]:
    return (row.split("|")[1] for row in _rows(text))


def _words(text: str) -> list[str]:
    return [_singular(word) for word in re.findall(r"[a-z0-9]+", text.lower())]


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "is")) else word


def _known_names() -> frozenset[str]:
    """Every module, and everything that a module or one of its classes defines or hands on, by full name."""
    names = set()
    for module in modules():
        names.add(module.name)
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                names.add(f"{module.name}.{node.name}")
                if isinstance(node, ast.ClassDef):
                    names |= {f"{module.name}.{node.name}.{inner}" for each in node.body for inner in _defined(each)}
            names |= {f"{module.name}.{name}" for name in _defined(node)}
            if isinstance(node, ast.ImportFrom):
                names |= {f"{module.name}.{alias.asname or alias.name}" for alias in node.names}
    return frozenset(names)


def _defined(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _is_known(name: str, known: frozenset[str]) -> bool:
    return name.rsplit(".", 1)[1] in _SUFFIXES or name in known or any(each.endswith(f".{name}") for each in known)
