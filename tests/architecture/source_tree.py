"""The program as parsed source: what the tests of its structure look through."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "fairhaven"


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A module of the program."""

    name: str
    """In full, as ``fairhaven.intake.reader``."""
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The package of the house that it is in: the first name after ``fairhaven``."""
        return self.name.split(".")[1] if "." in self.name else ""

    @property
    def imports(self) -> frozenset[str]:
        """What it imports anywhere in it, by full name: ``from a.b import c`` is ``a.b.c``."""
        return frozenset(
            name
            for node in ast.walk(self.tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [f"{node.module}.{alias.name}" for alias in node.names]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        )

    def calls(self) -> Iterator[tuple[str, ast.Call]]:
        """Every call with what is called as it is written: ``duckdb.connect``; a call on a result begins with a dot."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield dotted(node.func), node

    def line(self, node: ast.expr | ast.stmt) -> str:
        """Where a node is, for the message of a test: ``intake/reader.py:12``."""
        return f"{self.path.relative_to(SOURCE)}:{node.lineno}"


def dotted(node: ast.expr) -> str:
    """A name or an attribute as it is written; what stands before the first name that is none of these is left out."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


@cache
def modules() -> tuple[Module, ...]:
    """All modules of the program, parsed once, by name."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name=name, path=path, tree=ast.parse(path.read_text(encoding="utf-8"))))
    return tuple(found)
