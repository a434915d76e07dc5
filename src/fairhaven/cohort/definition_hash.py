"""The hash of a definition: the same for two definitions that mean the same, however they are written."""

import hashlib
from dataclasses import replace
from typing import Any

from fairhaven.cohort.formats.fairhaven.definition_writer import to_json, write_member
from fairhaven.cohort.formats.fairhaven.notation import write_filter, write_item
from fairhaven.cohort.model import (
    CohortDefinition,
    ConceptSet,
    Correlated,
    Criterion,
    Demographic,
    DrugEraExit,
    Eras,
    Events,
    Filter,
    Group,
    InclusionRule,
    InSet,
    Limit,
    Match,
    Numbers,
    OneOf,
)
from fairhaven.kernel.files import canonical_json

_LANGUAGE = 1
"""Goes into each hash; raised when the meaning of a noun changes."""


def definition_hash(definition: CohortDefinition) -> str:
    """SHA-256, as 64 hex digits, over the canonical JSON of what the definition means.

    Left out are names, descriptions, the ids of concept sets, sets that nothing refers to, and the order of things that are
    taken together (lines of a set, concepts of a test, tests of an event, members of a group, censoring events). The order
    of rules and of entry events counts: the attrition follows it, and it decides ties.
    """
    return hashlib.sha256(canonical_json(_meaning(definition)).encode("utf-8", "surrogatepass")).hexdigest()


def _meaning(definition: CohortDefinition) -> dict[str, Any]:
    sets = {item.id: _content(item) for item in definition.concept_sets}
    plain = _Plain(sets)
    qualifying = definition.qualifying
    exit_ = definition.exit
    meant = replace(
        definition,
        name="",
        description="",
        concept_sets=(),
        entry=replace(
            definition.entry, events=tuple(plain.criterion(criterion) for criterion in definition.entry.events)
        ),
        qualifying=None if qualifying is None else plain.group(qualifying),
        # Without a qualifying group its limit has no effect.
        qualified_limit=Limit.ALL if qualifying is None else definition.qualified_limit,
        rules=tuple(InclusionRule(name="", group=plain.group(rule.group)) for rule in definition.rules),
        exit=replace(exit_, concepts=plain.set(exit_.concepts)) if isinstance(exit_, DrugEraExit) else exit_,
        censoring=tuple(
            sorted((plain.criterion(criterion) for criterion in definition.censoring), key=_criterion_text)
        ),
    )
    return {"language": _LANGUAGE, "definition": to_json(meant)}


class _Plain:
    """Parts of a definition with each concept set named by its content, and with what has no order in one order."""

    def __init__(self, sets: dict[str, str]) -> None:
        self.sets = sets

    def set(self, name: str) -> str:
        """A set's content stands for it; one that is not there keeps its name, so that hashing needs no checked definition."""
        return self.sets.get(name, name)

    def criterion(self, criterion: Criterion) -> Criterion:
        match criterion:
            case Events():
                return replace(
                    criterion,
                    concepts=None if criterion.concepts is None else self.set(criterion.concepts),
                    source_concepts=None if criterion.source_concepts is None else self.set(criterion.source_concepts),
                    filters=self.filters(criterion.filters),
                    nested=None if criterion.nested is None else self.group(criterion.nested),
                )
            case Eras():
                parts = {_criterion_text(part): part for part in map(self.criterion, criterion.of)}
                return replace(
                    criterion, of=tuple(parts[text] for text in sorted(parts)), filters=self.filters(criterion.filters)
                )

    def group(self, group: Group) -> Group:
        members = sorted((self.member(member) for member in group.members), key=_member_text)
        return replace(
            group,
            count=group.count if group.match in (Match.AT_LEAST, Match.AT_MOST) else None,
            members=tuple(members),
        )

    def member(self, member: Correlated | Demographic | Group) -> Correlated | Demographic | Group:
        match member:
            case Group():
                return self.group(member)
            case Demographic():
                return Demographic(filters=self.filters(member.filters))
            case Correlated():
                return replace(member, events=self.criterion(member.events))

    def filters(self, filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
        plain = {write_filter(item): item for item in map(self.filter, filters)}
        return tuple(plain[text] for text in sorted(plain))

    def filter(self, item: Filter) -> Filter:
        match item.test:
            case InSet(concept_set=name):
                return replace(item, test=replace(item.test, concept_set=self.set(name)))
            case OneOf(concepts=concepts):
                return replace(item, test=replace(item.test, concepts=tuple(sorted(set(concepts)))))
            case Numbers(value=value, to=to):
                return replace(item, test=replace(item.test, value=float(value), to=None if to is None else float(to)))
            case _:
                return item


def _content(concept_set: ConceptSet) -> str:
    lines = sorted({write_item(replace(item, name="")) for item in concept_set.items})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _criterion_text(criterion: Criterion) -> str:
    return canonical_json(write_member(Correlated(events=criterion)))


def _member_text(member: Correlated | Demographic | Group) -> str:
    return canonical_json(write_member(member))
