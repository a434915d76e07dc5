"""The tables of the two distributions, column by column as hutch-bunny 1.9 writes them.

Counts come in protected. A count of 0 leaves no line in the table of codes: the line itself would reveal that a concept
occurs, in fewer persons than may be shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from fairhaven.network.result import ResultFile, TaskResult
from fairhaven.network.task import DistributionTask

CATEGORIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "Condition": ("condition_occurrence", "condition_concept_id"),
        "Ethnicity": ("person", "ethnicity_concept_id"),
        "Drug": ("drug_exposure", "drug_concept_id"),
        "Gender": ("person", "gender_concept_id"),
        "Race": ("person", "race_concept_id"),
        "Measurement": ("measurement", "measurement_concept_id"),
        "Observation": ("observation", "observation_concept_id"),
        "Procedure": ("procedure_occurrence", "procedure_concept_id"),
        "Specimen": ("specimen", "specimen_concept_id"),
    }
)
"""What GENERIC counts, in its order: category to (OMOP table, column). Persons are counted, each once a concept; concept
0 is a concept like others; a concept that is not in the vocabulary is left out."""

SEXES: Mapping[int, str] = MappingProxyType({8507: "Male", 8532: "Female"})
"""What DEMOGRAPHICS counts by, in its order: gender_concept_id to its name in the table."""

_BEFORE = ("BIOBANK", "CODE")
_AFTER = ("MIN", "Q1", "MEDIAN", "MEAN", "Q3", "MAX", "ALTERNATIVES", "DATASET", "OMOP", "OMOP_DESCR", "CATEGORY")
CODE_COLUMNS = (*_BEFORE, "COUNT", "DESCRIPTION", *_AFTER)
DEMOGRAPHICS_COLUMNS = (*_BEFORE, "DESCRIPTION", "COUNT", *_AFTER)
METADATA_COLUMNS = ("BIOBANK", "PROTOCOL", "OS", "BCLINK", "DATAMODEL", "ROUNDING", "THRESHOLD")
_DESCRIPTION = "Result of code.distribution analysis"


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeCount:
    """Persons with a concept, protected.

    Args:
        concept_id: the OMOP concept.
        concept_name: its name in the vocabulary.
        category: one of `CATEGORIES`.
        count: persons.
    """

    concept_id: int
    concept_name: str
    category: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Demographics:
    """Persons by sex, protected.

    Args:
        total: persons of the collection.
        sexes: (name, persons) in the order of `SEXES`; one of 0 is left out, as the reference does with too few.
    """

    total: int
    sexes: Sequence[tuple[str, int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionAbout:
    """What the metadata of a distribution says of who answers.

    Args:
        software: the program, in the column PROTOCOL.
        version: its version, in the column BCLINK.
        rounding: counts are rounded to this; 0 for not.
        threshold: smaller counts are not shown; 0 for all are.
    """

    software: str
    version: str
    rounding: int = 0
    threshold: int = 0


def code_result(task: DistributionTask, counts: Iterable[CodeCount], about: CollectionAbout) -> TaskResult:
    """The answer to GENERIC: the table of codes, in the order given, and who made it."""
    rows = [
        {
            "BIOBANK": task.collection,
            "CODE": f"OMOP:{one.concept_id}",
            "COUNT": one.count,
            "OMOP": one.concept_id,
            "OMOP_DESCR": one.concept_name,
            "CATEGORY": one.category,
        }
        for one in counts
        if one.count
    ]
    codes = ResultFile(
        name="code.distribution", text=_table(CODE_COLUMNS, rows), description=_DESCRIPTION, is_sensitive=True
    )
    return _result(task, len(rows), codes, _metadata(task.collection, about))


def demographics_result(task: DistributionTask, answer: Demographics) -> TaskResult:
    """The answer to DEMOGRAPHICS: one line for sex, one for genomics, which no known worker says more of than "No"."""
    alternatives = {
        "SEX": ("Sex", [(name, count) for name, count in answer.sexes if count]),
        "GENOMICS": ("Genomics", [("No", answer.total)]),
    }
    rows = [
        {
            "BIOBANK": task.collection,
            "CODE": code,
            "DESCRIPTION": description,
            "COUNT": answer.total,
            "ALTERNATIVES": _alternatives(counts),
            "DATASET": "person",
            "CATEGORY": "DEMOGRAPHICS",
        }
        for code, (description, counts) in alternatives.items()
    ]
    table = ResultFile(
        name="demographics.distribution",
        text=_table(DEMOGRAPHICS_COLUMNS, rows),
        description=_DESCRIPTION,
        is_sensitive=True,
    )
    return _result(task, len(rows), table)


def _metadata(collection: str, about: CollectionAbout) -> ResultFile:
    row = {
        "BIOBANK": collection,
        "PROTOCOL": about.software,
        "BCLINK": about.version,
        "DATAMODEL": "OMOP",
        "ROUNDING": about.rounding,
        "THRESHOLD": about.threshold,
    }
    return ResultFile(
        name="metadata.bcos",
        text=_table(METADATA_COLUMNS, [row]),
        description="Metadata for the result of code.distribution analysis",
        is_sensitive=False,
    )


def _result(task: DistributionTask, count: int, *files: ResultFile) -> TaskResult:
    return TaskResult(uuid=task.uuid, collection=task.collection, count=count, datasets=1, files=files)


def _table(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    lines = [columns, *([_cell(row.get(column, "")) for column in columns] for row in rows)]
    return "\n".join("\t".join(line) for line in lines)


def _cell(value: object) -> str:
    # The form knows no quoting, so a name must not hold what ends a field or a line.
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


def _alternatives(counts: Iterable[tuple[str, int]]) -> str:
    return "^" + "".join(f"{_cell(name).translate(_NO_MARKS)}|{count}^" for name, count in counts)


_NO_MARKS = str.maketrans({"^": " ", "|": " "})
