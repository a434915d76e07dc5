"""First pass: definitions become numbered parts; equal parts, of whichever definition, get one number."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Generic, TypeVar

from fairhaven.cohort import model
from fairhaven.cohort.domains import DOMAINS
from fairhaven.cohort.engines.relational.parts import (
    Cohort,
    Condition,
    CountTest,
    Criterion,
    EntryIndex,
    EraSet,
    FieldTest,
    GroupTest,
    Index,
    Items,
    NestedIndex,
    PersonTest,
    QualifiedIndex,
    Restricted,
    Scan,
)

SharedPart = TypeVar("SharedPart", bound=Hashable)


@dataclass(slots=True)
class NumberedParts(Generic[SharedPart]):
    """Parts by number, each once."""

    parts: list[SharedPart] = field(default_factory=list)
    numbers: dict[SharedPart, int] = field(default_factory=dict)

    def number(self, part: SharedPart) -> int:
        """The part's number; a new one for a new part."""
        found = self.numbers.setdefault(part, len(self.parts))
        if found == len(self.parts):
            self.parts.append(part)
        return found


@dataclass(slots=True)
class Program:
    """A batch of definitions in numbers."""

    concept_sets: NumberedParts[Items] = field(default_factory=NumberedParts)
    criteria: NumberedParts[Criterion] = field(default_factory=NumberedParts)
    indexes: NumberedParts[Index] = field(default_factory=NumberedParts)
    conditions: NumberedParts[Condition] = field(default_factory=NumberedParts)
    cohorts: dict[int, Cohort] = field(default_factory=dict)


def number_parts(definitions: Mapping[int, model.CohortDefinition]) -> Program:
    """The program of a batch.

    Args:
        definitions: checked definitions by cohort definition id.
    """
    program = Program()
    for cohort, definition in definitions.items():
        program.cohorts[cohort] = _Numbering(program, definition).cohort()
    return program


class _Numbering:
    """Numbers the parts of one definition."""

    def __init__(self, program: Program, definition: model.CohortDefinition) -> None:
        self._program = program
        self._definition = definition
        # The order of items and their names mean nothing: sets that hold the same are one.
        self._sets: dict[str, Items] = {
            each.id: tuple(
                sorted(
                    {replace(item, name="") for item in each.items},
                    key=attrgetter("concept_id", "descendants", "mapped", "excluded"),
                )
            )
            for each in definition.concept_sets
        }

    def cohort(self) -> Cohort:
        asked = self._definition
        entry = index = self._program.indexes.number(
            EntryIndex(
                # In the order of the entry, which decides between events of one day and one id.
                criteria=tuple(dict.fromkeys(self._criterion(each) for each in asked.entry.events)),
                prior_days=asked.entry.prior_days,
                post_days=asked.entry.post_days,
                limit=asked.entry.limit,
                observed=asked.entry.observed,
            )
        )
        if asked.qualifying is not None:
            index = self._program.indexes.number(
                QualifiedIndex(base=entry, condition=self._group(asked.qualifying, entry), limit=asked.qualified_limit)
            )
        return Cohort(
            entry=entry,
            index=index,
            rules=tuple(self._group(rule.group, index) for rule in asked.rules),
            limit=asked.limit,
            exit=asked.exit,
            drug_eras=self._drug_eras(asked.exit) if isinstance(asked.exit, model.DrugEraExit) else None,
            censoring=tuple(sorted({self._criterion(each) for each in asked.censoring})),
            gap_days=asked.gap_days,
            window=asked.window,
        )

    def _concept_set(self, name: str | None) -> int | None:
        return None if name is None else self._program.concept_sets.number(self._sets[name])

    def _criterion(self, asked: model.Criterion, counted: str | None = None) -> int:
        if isinstance(asked, model.Eras):
            return self._program.criteria.number(
                EraSet(
                    of=tuple(sorted({self._criterion(each) for each in asked.of})),
                    gap_days=asked.gap_days,
                    first=asked.first,
                    dates=asked.dates,
                    filters=self._filters(asked.filters),
                    counted=counted,
                )
            )
        concepts, filters = self._own_concepts(asked)
        base = self._program.criteria.number(
            Scan(
                domain=asked.domain,
                concepts=concepts,
                source_concepts=self._concept_set(asked.source_concepts),
                first=asked.first,
                dates=asked.dates,
                period=asked.period,
                filters=filters,
                counted=counted,
            )
        )
        if asked.nested is None or not asked.nested.members:
            return base
        index = self._program.indexes.number(NestedIndex(base=base))
        return self._program.criteria.number(Restricted(base=base, condition=self._group(asked.nested, index)))

    def _own_concepts(self, asked: model.Events) -> tuple[int | None, tuple[FieldTest, ...]]:
        """Ids or a set held against the table's own concept are its concept set in other words: a join in place of a filter.

        Not with `first`, which is taken before the filters.
        """
        filters = self._filters(asked.filters)
        if asked.concepts is not None or asked.first:
            return self._concept_set(asked.concepts), filters
        own = DOMAINS[asked.domain].concept
        for each in filters:
            if each.field == own and isinstance(each.test, model.InSet) and not each.test.excluded:
                return each.concept_set, tuple(other for other in filters if other != each)
        return None, filters

    def _filters(self, filters: tuple[model.Filter, ...]) -> tuple[FieldTest, ...]:
        return tuple(sorted({self._filter(each) for each in filters}, key=repr))

    def _filter(self, asked: model.Filter) -> FieldTest:
        match asked.test:
            case model.InSet(concept_set=name, excluded=excluded):
                number = self._concept_set(name)
            case model.OneOf(concepts=concepts, excluded=excluded):
                number = self._program.concept_sets.number(tuple(sorted(set(concepts))))
            case _:
                return FieldTest(field=asked.field, test=asked.test)
        # By its number, not by the name that this definition gives it.
        return FieldTest(field=asked.field, test=model.InSet(concept_set="", excluded=excluded), concept_set=number)

    def _group(self, asked: model.Group, index: int) -> int:
        return self._program.conditions.number(
            GroupTest(
                index=index,
                match=asked.match,
                count=asked.count,
                # Not as a set: a member that is written twice counts twice.
                members=tuple(sorted(self._member(member, index) for member in asked.members)),
            )
        )

    def _member(self, asked: model.Correlated | model.Demographic | model.Group, index: int) -> int:
        if isinstance(asked, model.Group):
            return self._group(asked, index)
        if isinstance(asked, model.Demographic):
            return self._program.conditions.number(PersonTest(index=index, filters=self._filters(asked.filters)))
        return self._program.conditions.number(
            CountTest(
                index=index,
                criterion=self._criterion(asked.events, asked.occurrence.distinct),
                occurrence=asked.occurrence,
                start=asked.start,
                end=asked.end,
                within_observation=asked.within_observation,
                same_visit=asked.same_visit,
            )
        )

    def _drug_eras(self, asked: model.DrugEraExit) -> int:
        """Exposures to the drugs, by standard or by source concept, joined into eras."""
        drugs = self._concept_set(asked.concepts)
        dates = model.DateAdjustment(
            end=model.DateField.END if asked.days_supply is None else model.DateField.START,
            end_days=asked.offset + (asked.days_supply or 0),
        )
        exposures = [
            Scan(domain=model.Domain.DRUG_EXPOSURE, dates=dates, backwards=True, **concepts)  # type: ignore[arg-type]
            for concepts in ({"concepts": drugs}, {"source_concepts": drugs})
        ]
        return self._program.criteria.number(
            EraSet(of=tuple(self._program.criteria.number(each) for each in exposures), gap_days=asked.gap_days)
        )
