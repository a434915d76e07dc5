"""Every number that a page can print is a count as it may be shown, or is listed here with the reason why it may stand as it is.

A page is given a report and nothing else (`test_pages`), so what a report can hold is all that a page can say.
"""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import pytest

from fairhaven.cohort.model import CohortDefinition
from fairhaven.disclosure import Policy, Protected
from fairhaven.journeys.cohorts.attrition import AttritionReport
from fairhaven.journeys.releases.release_report import ReleaseReport
from fairhaven.ledger import Checkpoint
from fairhaven.quality import QualityCheck

_GUARDED = {Protected: "a count as it may be shown"}
_OF_NOBODY = {
    Policy: "the published rule",
    QualityCheck: "what a check asks, not what it found",
    CohortDefinition: "what somebody asks, not what was found",
    Checkpoint: "entries of the ledger",
}
_NUMBERS = {
    "sums of counts that are shown, and of no others": {"RowsShown.made", "ReleaseReport.unmapped"},
    "shares of one shown count in another, or of all its parts where all are shown": {
        "CountAndShare.share",
        "LinkageShown.several",
        "RowsShown.unmapped",
    },
    "protected when the description is made (`catalogue`), by the rule that it names": {
        "Bar.persons",
        "Bar.rows",
        "Description.persons",
        "TableDescription.persons",
        "TableDescription.rows",
        "Variable.highest",
        "Variable.lowest",
        "Variable.middle",
        "Variable.missing",
        "Variable.missing_share",
        "Variable.others",
    },
    "years in which enough persons have something": {
        "Description.first_year",
        "Description.last_year",
        "TableDescription.first_year",
        "TableDescription.last_year",
    },
    "names of columns and rows of a table: years, and how many sources know a person": {
        "LinkageShown.by_sources[key]",
        "ReleaseReport.years[key]",
    },
    "how many checks, tables or different values there are": {
        "Changes.same",
        "Score.failed",
        "Score.passed",
        "Variable.distinct",
    },
    "numbers that things go by": {"AttritionStep.rule", "Description.format", "FileShown.number", "Named.number"},
}
_WORDS = {
    "names and titles that the hub gives": {
        "AttritionReport.place",
        "AttritionReport.release",
        "AttritionStep.words",
        "Description.figures_of",
        "Description.policy",
        "FileShown.source",
        "OptOutShown.kind",
        "OptOutShown.source",
        "PartnerCdmShown.source",
        "QuarantineShown.source",
        "ReleaseReport.asked",
        "ReleaseReport.hub",
        "ReleaseReport.previous",
        "ReleaseReport.release",
        "ReleaseReport.years[key]",
        "SetAside.source",
        "SourceFacts.controller",
        "SourceFacts.kind",
        "SourceFacts.name",
        "SourceFacts.title",
        "TableFlow.source",
        "UnmappedCode.source",
        "WrittenTable.source",
        "ReleaseReport.kinds[key]",
    },
    "names of tables, columns, steps, categories and reasons": {
        "FileShown.dropped",
        "LinkageShown.steps[key]",
        "QuarantineShown.field",
        "QuarantineShown.reason",
        "QuarantineShown.table",
        "RowsShown.lost[key]",
        "Score.category",
        "Score.table",
        "SetAside.reason",
        "SourceFlow.lost[key]",
        "SourceFlow.written[key]",
        "TableChange.table",
        "TableDescription.name",
        "TableFlow.table",
        "UnmappedCode.cdm_table",
        "Variable.kind",
        "Variable.name",
        "Variable.type",
        "WrittenTable.table",
    },
    "codes and values of which enough persons have one": {"Bar.code", "Bar.label", "UnmappedCode.code"},
    "hashes, versions and the words of the rule": {
        "AttritionReport.code_version",
        "AttritionReport.vocabulary",
        "Description.figures_content",
        "Description.rule",
        "FileShown.sha256",
        "ReleaseReport.code_version",
        "ReleaseReport.hash",
        "ReleaseReport.vocabulary",
        "TableDescription.content",
    },
    "sentences made without any count (`protected_counts` takes those away)": {
        "PartnerCdmShown.doubts",
        "PartnerCdmShown.said",
    },
}
_SILENT = {bool: "a choice", type(None): "nothing"}


def _unguarded(of: Any, name: str, seen: set[type]) -> Iterator[tuple[str, str]]:
    """What of a type is a number, or words: (its kind, where it is)."""
    origin = get_origin(of)
    if of in _GUARDED or of in _OF_NOBODY or of in _SILENT:
        return
    if isinstance(of, type) and is_dataclass(of):
        if of not in seen:
            seen.add(of)
            hints = get_type_hints(of)
            for field in fields(of):
                yield from _unguarded(hints[field.name], f"{of.__name__}.{field.name}", seen)
    elif origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        key, value = get_args(of)
        yield from _unguarded(key, f"{name}[key]", seen)
        yield from _unguarded(value, name, seen)
    elif origin in (Union, types.UnionType, tuple, list, frozenset) or (origin and hasattr(origin, "__iter__")):
        for part in get_args(of):
            if part is not Ellipsis:
                yield from _unguarded(part, name, seen)
    elif origin is not None and str(origin) == "typing.Literal":
        yield ("number" if isinstance(get_args(of)[0], int) else "words"), name
    elif isinstance(of, type) and issubclass(of, str):
        yield "words", name
    elif isinstance(of, type) and of.__module__ in ("datetime", "pathlib"):
        return
    else:  # a number, or something that may be one
        yield "number", name


def _found(*reports: type) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {"number": set(), "words": set()}
    seen: set[type] = set()
    for report in reports:
        for kind, name in _unguarded(report, report.__name__, seen):
            found[kind].add(name)
    return found


def test_every_number_of_a_report_is_protected_or_has_a_reason_to_stand_as_it_is() -> None:
    assert _found(ReleaseReport, AttritionReport)["number"] == set[str]().union(*_NUMBERS.values())


def test_words_of_a_report_in_which_a_number_could_stand_are_known() -> None:
    assert _found(ReleaseReport, AttritionReport)["words"] == set[str]().union(*_WORDS.values())


_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class _Planted:
    plain: int
    maybe: float | None
    within: tuple[Mapping[str, tuple[int, ...]], ...]
    anything: Any
    guarded: Protected
    counts: Mapping[int, Protected]


def test_a_raw_number_is_found_however_it_is_wrapped() -> None:
    assert _found(_Planted) == {
        "number": {"_Planted.plain", "_Planted.maybe", "_Planted.within", "_Planted.anything", "_Planted.counts[key]"},
        "words": {"_Planted.within[key]"},
    }


@pytest.mark.parametrize("listed", [_NUMBERS, _WORDS], ids=["numbers", "words"])
def test_nothing_is_listed_for_two_reasons(listed: Mapping[str, set[str]]) -> None:
    names = [name for each in listed.values() for name in each]
    assert len(names) == len(set(names))
