"""What is wrong with local code maps beside the rules that use them and the vocabulary that is loaded."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.code_mapping import VocabularyTables, standard_targets
from fairhaven.harmonise.local_maps import CodeMap, MapPart, codes_told_apart_by_text, omop_spelling
from fairhaven.harmonise.mapping_file import MapRule
from fairhaven.harmonise.mapping_values import ConstantValue, MappedValue, MappingValue
from fairhaven.kernel.errors import Fault
from fairhaven.omop.concepts import OWN_CONCEPTS, TABLE_OF_DOMAIN
from fairhaven.omop.spreadsheet_codes import damage_of

_SHOWN = 5
"""Codes or lines of one kind that are named; the rest is counted."""


def missing_texts(rules: Iterable[MapRule], files: Mapping[str, Sequence[CodeMap]]) -> Iterator[Fault]:
    """Rules that give no text although a map tells codes of their vocabulary apart by it: those codes would become concept 0."""
    wordless = [
        (rule, sorted({name for code in rule.codes for name in _vocabularies(code.vocabulary)}))
        for rule in rules
        if not (rule.text or rule.python)
    ]
    asked = frozenset(name for _, names in wordless for name in names)
    by_file = {file: codes_told_apart_by_text(entries, asked) for file, entries in files.items()} if asked else {}
    for rule, vocabularies in wordless:
        for vocabulary in vocabularies:
            for file, codes in by_file.items():
                if found := codes.get(vocabulary):
                    yield rule.fault(
                        f"vocabulary/{file} tells {_some(found)} of {vocabulary} apart by the source's words, and the rule gives "
                        'none. Add text = "COLUMN" to [map.code], the column that holds them'
                    )


def contradictions(files: Mapping[str, Sequence[CodeMap]]) -> Iterator[Fault]:
    """Codes that a file maps to something else than the file before it by name, whose entries count (`local_maps`)."""
    first: dict[tuple[str, ...], tuple[str, list[CodeMap]]] = {}
    for file, given in sorted(files.items()):
        mine: dict[tuple[str, ...], list[CodeMap]] = defaultdict(list)
        for entry in given:
            mine[entry.subject].append(entry)
        found: dict[str, list[CodeMap]] = defaultdict(list)
        for subject, several in mine.items():
            other, ones = first.setdefault(subject, (file, several))
            if other != file and _contradict(ones, several):
                found[other].append(several[0])
        for other, about in found.items():
            yield Fault(
                path=f"vocabulary/{file}",
                line=about[0].line or None,
                message=f"maps {len(about):,} codes otherwise than vocabulary/{other}, whose entries count as its name comes first: "
                + _some([each.code or each.text for each in about]),
            )


def damaged_keys(files: Mapping[str, Sequence[CodeMap]]) -> Iterator[Fault]:
    """Codes of maps that a spreadsheet seems to have changed so that one stands for many (`omop.spreadsheet_codes`)."""
    for file, given in sorted(files.items()):
        found = [entry for entry in given if damage_of(entry.code, omop_spelling(entry.vocabulary.strip()))]
        if found:
            yield Fault(
                path=f"vocabulary/{file}",
                line=found[0].line or None,
                message=f"maps {len(found):,} codes that look damaged by a spreadsheet (an exponent, digits cut off, a date): one may stand for many, "
                f"and whatever is delivered as damaged is mapped by it. Write the map anew, with its codes as text: {_some([each.code for each in found])}",
            )


def _contradict(ones: Sequence[CodeMap], others: Sequence[CodeMap]) -> bool:
    """Whether entries of two files give different targets for the days on which both have some."""

    def targets(entries: Sequence[CodeMap], beside: Sequence[CodeMap]) -> set[int]:
        return {
            entry.target_concept_id
            for entry in entries
            if any(entry.valid_from <= each.valid_to and each.valid_from <= entry.valid_to for each in beside)
        }

    return targets(ones, others) != targets(others, ones)


def target_warnings(
    engine: Engine, vocabulary: VocabularyTables, files: Mapping[str, Sequence[CodeMap]], rules: Iterable[MapRule]
) -> Iterator[Fault]:
    """Targets of maps that a release cannot hold as they are, or that their rules put into a table of another domain."""
    entries = {
        file: [entry for entry in given if 0 < entry.target_concept_id < OWN_CONCEPTS] for file, given in files.items()
    }
    targets = {entry.target_concept_id for given in entries.values() for entry in given}
    known = _known(engine, vocabulary, targets)
    tables = _tables(rules)
    for file, given in entries.items():
        found: dict[str, list[CodeMap]] = defaultdict(list)
        for entry in given:
            for words in _said_of(entry, known.get(entry.target_concept_id), tables.get(entry.key[0], {})):
                found[words].append(entry)
        for words, about in found.items():
            yield Fault(
                path=f"vocabulary/{file}",
                line=about[0].line or None,
                message=f"{words} {_some([f'{each.code} -> {each.target_concept_id}' for each in about])}",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    domain: str
    is_standard: bool
    leads_on: bool


def _known(engine: Engine, vocabulary: VocabularyTables, targets: Iterable[int]) -> Mapping[int, _Target]:
    """What the vocabulary says of concepts; those that it does not know are left out."""
    asked = engine.arrow(pa.table({"target": pa.array(sorted(targets), pa.int64())}))
    concept = vocabulary.concept
    named = concept.select(
        target=concept["concept_id"].cast("int64"),
        domain=concept["domain_id"],
        is_standard=concept["standard_concept"].fill_null("") == "S",
    ).semi_join(asked, "target")
    leading = standard_targets(vocabulary)
    leads_on = ibis.literal(False) if leading is None else named["target"].isin(leading["concept_id"])
    rows = engine.fetch(named.mutate(leads_on=leads_on)).to_pylist()
    return {
        row["target"]: _Target(domain=row["domain"], is_standard=row["is_standard"], leads_on=row["leads_on"])
        for row in rows
    }


def _tables(rules: Iterable[MapRule]) -> Mapping[str, Mapping[str, str]]:
    """Vocabulary, as compared -> tables that rules put its codes into whatever their domain -> name of the rule."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for rule in rules:
        for code in rule.codes if rule.target else ():
            for vocabulary in _vocabularies(code.vocabulary):
                found[vocabulary].setdefault(rule.target, rule.name)
    return found


def _said_of(entry: CodeMap, target: _Target | None, tables: Mapping[str, str]) -> Iterator[str]:
    if target is None:
        yield "targets are not in the vocabulary, so these codes get concept 0:"
    elif not target.is_standard:
        yield (
            "targets are not standard, so these codes get what they map to:"
            if target.leads_on
            else "targets are not standard and map to nothing, so these codes get concept 0:"
        )
    elif entry.part is MapPart.UNIT and target.domain != "Unit":
        yield f"units are of the domain {target.domain}:"
    elif entry.part is MapPart.CONCEPT:
        for table, rule in tables.items():
            if TABLE_OF_DOMAIN.get(target.domain, "observation") != table:
                yield f"targets are of the domain {target.domain}, and rule {rule} puts them into {table}:"


def _vocabularies(given: MappingValue) -> Iterator[str]:
    """The vocabularies that a rule's value can name, as compared, as far as the rule itself says which."""
    named = [given.source.value] if isinstance(given.source, ConstantValue) and not given.steps else []
    for step in given.steps:
        if isinstance(step, MappedValue):
            named = [*(name for _, name in step.pairs), step.default]
    for name in named:
        if isinstance(name, str):
            yield omop_spelling(name.strip()).lower()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
