"""The code that makes rows, and its versions: by them a hub knows that its next release can have other rows.

Run as a module it writes down the code as it is now: ``python -m tests.architecture.row_making_code``. Each module has lines of
its own, its digest between its name and the next, so that changes of two modules are merged without a conflict.
"""

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fairhaven import engine, harmonise, linkage, nhs, omop
from fairhaven.intake import delivery_receipt
from fairhaven.intake.cdm_reader import OmopReader
from fairhaven.intake.delimited_reader import DelimitedReader
from fairhaven.intake.fhir.fhir_reader import FhirReader
from fairhaven.intake.opt_out_lists import OptOutReader
from fairhaven.intake.parquet_reader import ParquetReader
from fairhaven.journeys.releases import inputs
from fairhaven.kernel import ids
from tests.architecture.source_tree import SOURCE, modules

WRITTEN = Path(__file__).with_suffix(".txt")
READERS = (DelimitedReader, FhirReader, OmopReader, OptOutReader, ParquetReader)

CODE = {
    "engine": ("engine",),
    "harmonise": ("harmonise",),
    "ids": ("kernel.ids", "kernel.keyring.DerivationKey"),
    "intake": ("intake", "kernel.file_kinds", "identifiers"),
    "journey": (
        "journeys.releases.build",
        "journeys.releases.build_plan.fed_sources",
        "journeys.releases.build_stages.stages_of",
        "journeys.releases.inputs",
        "journeys.persons.opt_out_patients",
    ),
    "linkage": ("linkage",),
    "nhs": ("nhs",),
    "omop": ("omop",),
}
"""Name of the code in a release's inputs -> its packages and modules, or what of a module makes rows: a function or a class."""


def versions() -> Mapping[str, str]:
    """What the code says of itself now; of intake, landing and each reader have a version."""
    readers = " ".join(f"{reader.__name__} {reader.version}" for reader in READERS)
    return {
        "engine": str(engine.VERSION),
        "harmonise": str(harmonise.VERSION),
        "ids": str(ids.VERSION),
        "intake": f"landing {delivery_receipt.VERSION} {readers}",
        "journey": str(inputs.VERSION),
        "linkage": str(linkage.VERSION),
        "nhs": str(nhs.VERSION),
        "omop": str(omop.VERSION),
    }


def digests() -> Mapping[str, Mapping[str, str]]:
    """Digest of each module and file of data as it is now, by the names of `CODE`."""
    return {name: digests_of(name) for name in CODE}


def digests_of(name: str) -> Mapping[str, str]:
    """Those of one name."""
    return dict(pair for place in CODE[name] for pair in _digests(place))


def code_of(source: str) -> Any:
    """What a module's text does: its syntax tree as plain values, without comments, docstrings and places.

    Fields without a value are left out, because each Python has some more of them.
    """
    return _plain(ast.parse(source))


def written_down() -> tuple[Mapping[str, str], Mapping[str, Mapping[str, str]]]:
    """Versions and digests as they were when somebody last thought of them."""
    said: dict[str, str] = {}
    made: dict[str, dict[str, str]] = {}
    lines = WRITTEN.read_text(encoding="utf-8").splitlines()
    for key, value in zip(lines[::2], lines[1::2], strict=True):
        name, _, place = key.partition(" ")
        if place:
            made.setdefault(name, {})[place] = value.strip()
        else:
            said[name] = value.strip().removeprefix("version ")
    return said, made


def write_down() -> None:
    """Write versions and digests as they are now."""
    said = versions()
    lines = []
    for name, made in digests().items():
        lines += [name, f"  version {said[name]}"]
        for place, digest in sorted(made.items()):
            lines += [f"{name} {place}", f"  {digest}"]
    WRITTEN.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _digests(place: str) -> Iterator[tuple[str, str]]:
    for name, source in sources_in(f"fairhaven.{place}"):
        yield name, _digest(json.dumps(code_of(source)).encode())
    for path in data_in(SOURCE / place.replace(".", "/")):
        yield path.relative_to(SOURCE).as_posix(), _digest(path.read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def sources_in(place: str) -> Iterator[tuple[str, str]]:
    """The text of a package's modules, of one module, or of one function or class in it, by name.

    Raises:
        LookupError: there is no such place.
    """
    inside = [module for module in modules() if module.name == place or module.name.startswith(f"{place}.")]
    for module in inside:
        yield module.name, module.path.read_text(encoding="utf-8")
    if not inside:
        home, _, name = place.rpartition(".")
        nodes = [
            node
            for module in modules()
            if module.name == home
            for node in module.tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
        ]
        if not nodes:
            raise LookupError(place)
        yield place, ast.unparse(nodes[0])


def data_in(folder: Path) -> list[Path]:
    """The files below a folder that are no code: tables, settings, whatever else the code reads."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if path.suffix != ".py" and "__pycache__" not in path.parts]


def _plain(value: Any) -> Any:
    match value:
        case ast.AST():
            fields = {name: _plain(each) for name, each in ast.iter_fields(value)}
            return [type(value).__name__, {name: each for name, each in fields.items() if each not in (None, [])}]
        case list():
            return [_plain(each) for each in value if not _is_docstring(each)]
        case str() | int() | float() | None:
            return value
        case _:  # bytes, complex numbers, the ellipsis
            return repr(value)


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


if __name__ == "__main__":
    write_down()
