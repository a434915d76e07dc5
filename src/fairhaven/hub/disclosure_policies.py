"""Disclosure policies as dated files: the published ones in `disclosure/policies/`, and a hub's own in the same form.

Reading stands here, with the other files that a hub names, so that `disclosure` itself opens nothing.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from fairhaven.disclosure.policy import ACRO, Dominance, Groups, Policy, Small, Ties, Zeros
from fairhaven.kernel.published_rules import own_rules, published, read_one
from fairhaven.kernel.toml import Document, Section

_PUBLISHED = ("ons", "hdr-uk", "opensafely", "hes")
_ORDER = Policy.ORDER


@cache
def published_policies() -> Mapping[str, Policy]:
    """The rules that Fairhaven ships, by name."""
    with as_file(files("fairhaven.disclosure").joinpath("policies")) as folder:
        return {name: read_policy(folder / f"{name}.toml", f"policies/{name}.toml") for name in _PUBLISHED}


def policy_named(name: str) -> Policy:
    """A published rule. Raises NotFound with the names that there are."""
    return published(published_policies(), name, missing="there is no disclosure policy")


def policy_in(folder: Path, setting: str) -> Policy:
    """The rule that a hub names: a published one, or a file of its own in its folder (``disclosure.toml``).

    Raises:
        NotFound: no published rule has that name.
        Invalid: every fault of the file, or a file that is not in the hub's folder or takes a published rule's name.
    """
    if not setting.endswith(".toml"):
        return policy_named(setting)
    why = "is the name of a published policy; a hub's own needs another, because releases name it"
    return own_rules(folder, setting, read=read_policy, taken=published_policies(), why=why)


def read_policy(path: Path, shown: str = "") -> Policy:
    """A rule from a TOML file with one table in the form of `policies/ons.toml`.

    Raises:
        Invalid: every fault of the file, with its line.
    """
    return read_one(Document(path, shown or path.name), _policy, what="policy")


def _policy(name: str, section: Section) -> Policy | None:
    threshold, round_to = section.whole("threshold", at_least=1), section.whole("round_to", 1, at_least=1)
    if section.texts("order", list(_ORDER)) != _ORDER:
        section.fault("order", f"must be {list(_ORDER)}: rounding first would show counts under the threshold")
    title, source, since = section.text("title"), section.text("source"), section.day("since")
    read = section.day("read") if "read" in section else None
    small, zeros = section.choice("small", Small.HIDE), section.choice("zeros", Zeros.SHOW)
    ties, groups = section.choice("ties", Ties.UP), section.choice("groups", Groups.TELL)
    mark, secondary = section.text("mark", ""), section.yes("secondary", small is not Small.ZERO)
    dominance = _dominance(section.section("dominance")) if "dominance" in section else ACRO
    if small is Small.ZERO and zeros is Zeros.HIDE:
        section.fault("zeros", 'cannot be "hide" where small counts are shown as zero')
    if small is Small.ZERO and secondary:
        section.fault("secondary", "must be false where small counts are shown as zero: further cells are hidden")
    section.finish()
    if section.document.faults or dominance is None:
        return None
    return Policy(
        name=name,
        title=title,
        threshold=threshold,
        small=small,
        mark=mark,
        round_to=round_to,
        ties=ties,
        zeros=zeros,
        groups=groups,
        secondary=secondary,
        dominance=dominance,
        since=since,
        read=read,
        source=source,
    )


def _dominance(section: Section) -> Dominance | None:
    n, k, p, source = section.whole("n", at_least=1), section.number("k"), section.number("p"), section.text("source")
    if "k" in section and not 0 < k <= 1:
        section.fault("k", "is a share: over 0 and at most 1")
    if "p" in section and p <= 0:
        section.fault("p", "is a share over 0")
    return None if section.document.faults else Dominance(n=n, k=k, p=p, source=source)
