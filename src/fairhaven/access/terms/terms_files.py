"""Terms as files of a hub's folder: controllers/NAME.toml, tiers.toml, classes/NAME.toml. Every fault at once, with path and line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeVar

from fairhaven.access.terms.contradictions import Contradiction
from fairhaven.access.terms.model import DataController
from fairhaven.access.terms.request_class import RequestClass
from fairhaven.access.terms.term_fields import TermNoun
from fairhaven.access.terms.tiers import Tiers
from fairhaven.kernel.errors import Fault, NotFound, check_faults
from fairhaven.kernel.listing import listed
from fairhaven.kernel.toml import Document
from fairhaven.kernel.toml_models import read_model

_N = TypeVar("_N", bound=TermNoun)
_TIERS = "tiers.toml"


@dataclass(frozen=True, kw_only=True)
class ProposedTerms:
    """What the files of a hub's folder say of terms. They propose; they decide nothing.

    Args:
        controllers: by name; those that could be read.
        tiers: of the hub, or those that Fairhaven ships where its file is not there or cannot be read.
        classes: of request, by name.
        faults: of all files.
        warnings: what was read in an older form.
    """

    controllers: Mapping[str, DataController]
    tiers: Tiers
    classes: Mapping[str, RequestClass]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False)

    def named(self, name: str | None) -> tuple[str, ...]:
        """The name of one controller, or of all where none is asked for.

        Raises:
            NotFound: there is none of that name.
        """
        if name is None:
            return tuple(sorted(self.controllers))
        if name not in self.controllers:
            known = ", ".join(sorted(self.controllers)) or "none"
            raise NotFound(f"there is no controllers/{name}.toml; controllers here: {known}")
        return (name,)

    def placed(self, found: Contradiction) -> Fault:
        """A contradiction as a fault of a file, with its line."""
        document = self.documents.get(found.path)
        line = document.line_of(found.field) if document else None
        return Fault(message=found.message, path=found.path, line=line, field=found.field)


def read_proposed_terms(folder: Path) -> ProposedTerms:
    """Read what a hub's folder says of terms. Nothing is raised: what cannot be read is among the faults."""
    documents: dict[str, Document] = {}
    warnings: list[Fault] = []
    controllers = {}
    for path in listed(folder / "controllers", "*.toml"):
        document = documents.setdefault(f"controllers/{path.name}", Document(path, f"controllers/{path.name}"))
        if (controller := _controller(document, warnings)) is not None:
            controllers[path.stem] = controller
    classes = {}
    for path in listed(folder / "classes", "*.toml"):
        document = documents.setdefault(f"classes/{path.name}", Document(path, f"classes/{path.name}"))
        if (read := read_model(document, RequestClass)) is not None:
            classes[path.stem] = read
    tiers = shipped_tiers()
    if (folder / _TIERS).exists():
        document = documents.setdefault(_TIERS, Document(folder / _TIERS, _TIERS))
        tiers = read_model(document, Tiers) or tiers
    return ProposedTerms(
        controllers=controllers,
        tiers=tiers,
        classes=classes,
        faults=tuple(fault for document in documents.values() for fault in document.faults),
        warnings=tuple(warnings),
        documents=documents,
    )


def read_earlier_terms(folder: Path) -> ProposedTerms:
    """What an earlier version of a hub's folder says of terms, looked at by itself.

    Raises:
        NotFound: it has no controllers.
        Invalid: its files cannot be read.
    """
    if not (folder / "controllers").is_dir():
        raise NotFound(f"{folder} has no folder controllers, so it is no earlier version of a hub")
    proposed = read_proposed_terms(folder)
    check_faults(proposed.faults)
    return proposed


@cache
def shipped_tiers() -> Tiers:
    """The four tiers that Fairhaven ships."""
    with as_file(files("fairhaven.access.terms").joinpath(_TIERS)) as path:
        document = Document(path, _TIERS)
        tiers = read_model(document, Tiers)
    assert tiers is not None, document.faults
    return tiers


def _controller(document: Document, warnings: list[Fault]) -> DataController | None:
    """A controller's file; in an older one ``terms`` is the text that is called ``summary`` now."""
    values = dict(document.data)
    if isinstance(words := values.get("terms"), str):
        message = "a text is called summary now, and decides nothing; rename it, and say the terms under [terms.NAME]"
        warnings.append(Fault(message=message, path=document.shown, line=document.line_of("terms"), field="terms"))
        del values["terms"]
        values.setdefault("summary", words)
    return read_model(document, DataController, values)
