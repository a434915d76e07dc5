"""Rules that a hub chooses by name: published ones, or one of its own in a file of its folder, in the same form."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from fairhaven.kernel.errors import Fault, Invalid, NotFound, check_faults
from fairhaven.kernel.toml import Document, Section


class NamedRules(Protocol):
    """What has a name of its own."""

    @property
    def name(self) -> str:
        """As a hub's settings and a release say it."""


_RulesT = TypeVar("_RulesT", bound=NamedRules)


def published(rules: Mapping[str, _RulesT], name: str, *, missing: str) -> _RulesT:
    """One of the published rules.

    Args:
        missing: what is said where there is none, for example ``there is no disclosure policy``.

    Raises:
        NotFound: with the names that there are.
    """
    if name not in rules:
        raise NotFound(f"{missing} {name!r}; use one of {', '.join(sorted(rules))}, or a file of your own")
    return rules[name]


def own_rules(
    folder: Path, setting: str, *, read: Callable[[Path, str], _RulesT], taken: Mapping[str, _RulesT], why: str
) -> _RulesT:
    """A hub's own rules, from a file of its folder.

    Args:
        read: of the file and of what it is called in messages.
        taken: published rules, whose names it may not have; *why*, in words.

    Raises:
        Invalid: every fault of the file, or a file that is not in the hub's folder or takes a published name.
    """
    path = folder / setting
    if not path.resolve().is_relative_to(folder.resolve()):
        raise Invalid(Fault(message="must be a file in the hub's folder", path=setting))
    rules = read(path, setting)
    if rules.name in taken:
        raise Invalid(Fault(message=why, path=setting, field=rules.name))
    return rules


def read_one(document: Document, rules_of: Callable[[str, Section], _RulesT | None], *, what: str) -> _RulesT:
    """The rules of a file that has one table.

    Raises:
        Invalid: every fault of the file, with its line; or another number of tables.
    """
    found = [rules_of(name, section) for name, section in document.root.named()]
    check_faults(document.faults)
    if len(found) != 1 or found[0] is None:
        raise Invalid(Fault(message=f"must hold exactly one {what}, as [name]", path=document.shown))
    return found[0]
