"""Results about what data controllers want."""

from dataclasses import dataclass
from typing import Self

from fairhaven.access.terms.model import DataController
from fairhaven.access.terms.terms_difference import TermChange, changes
from fairhaven.access.terms.terms_english import TermLine, lines_of
from fairhaven.access.terms.terms_files import ProposedTerms


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownTermSet:
    """One of a controller's sets of terms, or what its owner says of the sensitivity of a dataset.

    Args:
        name: as in the controller's file.
        lines: what is said, in order.
    """

    name: str
    lines: tuple[TermLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownController:
    """What a data controller wants.

    Args:
        name: of its file.
        lines: what is said of itself.
        terms: without any, the hub may read the controller's data for itself, and nobody else.
        sensitivity: by dataset.
    """

    name: str
    lines: tuple[TermLine, ...]
    terms: tuple[ShownTermSet, ...]
    sensitivity: tuple[ShownTermSet, ...]

    @classmethod
    def of(cls, name: str, controller: DataController) -> Self:
        """A controller of the files."""
        return cls(
            name=name,
            lines=tuple(lines_of(controller)),
            terms=tuple(ShownTermSet(name=key, lines=tuple(lines_of(each))) for key, each in controller.terms.items()),
            sensitivity=tuple(
                ShownTermSet(name=key, lines=tuple(lines_of(each))) for key, each in controller.sensitivity.items()
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownTerms:
    """What data controllers want, in plain English.

    Args:
        controllers: by name.
    """

    controllers: tuple[ShownController, ...]

    @classmethod
    def of(cls, proposed: ProposedTerms, name: str | None) -> Self:
        """Of one controller, or of all. Raises NotFound."""
        return cls(
            controllers=tuple(ShownController.of(each, proposed.controllers[each]) for each in proposed.named(name))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedController:
    """What is otherwise in what a data controller wants.

    Args:
        name: of its file.
        is_new: the earlier version has no such controller.
        is_gone: the later version has none.
        changes: in the order of the file; empty for a controller that is new or gone.
    """

    name: str
    is_new: bool
    is_gone: bool
    changes: tuple[TermChange, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedTerms:
    """What data controllers want otherwise than before.

    Args:
        controllers: those of whom something is otherwise.
    """

    controllers: tuple[ComparedController, ...]

    @classmethod
    def of(cls, earlier: ProposedTerms, now: ProposedTerms, name: str | None) -> Self:
        """Of one controller, or of all. Raises NotFound: neither version has it."""
        if name is not None and name not in earlier.controllers:
            now.named(name)
        names = sorted({*earlier.controllers, *now.controllers}) if name is None else [name]
        found = []
        for each in names:
            before, after = earlier.controllers.get(each), now.controllers.get(each)
            both = changes(before, after) if before is not None and after is not None else ()
            if both or before is None or after is None:
                found.append(ComparedController(name=each, is_new=before is None, is_gone=after is None, changes=both))
        return cls(controllers=tuple(found))
