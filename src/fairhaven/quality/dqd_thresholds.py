"""Checks from the threshold files of OHDSI's DataQualityDashboard, exactly as DQD instantiates them.

A folder holds four CSV files: ``*Check_Descriptions.csv`` (one row for each kind of check, with a filter in R's
notation) and ``*Table_Level.csv``, ``*Field_Level.csv``, ``*Concept_Level.csv`` (one row for each table, field and
concept). A check exists for each row that its kind's filter lets through.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.listing import listed
from fairhaven.quality.model import QualityCheck, Severity

_CONDITION = re.compile(r"^\s*(\w+)\s*(==|!=)\s*'([^']*)'\s*$")
_ABSENT = ("", "NA")
_ENDINGS = {
    "TABLE": "Table_Level.csv",
    "FIELD": "Field_Level.csv",
    "CONCEPT": "Concept_Level.csv",
    "CHECK": "Check_Descriptions.csv",
}
_NEEDED = {
    "TABLE": ("cdmTableName",),
    "FIELD": ("cdmTableName", "cdmFieldName"),
    "CONCEPT": ("cdmTableName", "cdmFieldName", "conceptId"),
    "CHECK": ("checkLevel", "checkName", "evaluationFilter"),
}


@dataclass(frozen=True, kw_only=True)
class DqdThresholds:
    """Checks with the thresholds a community or a hub has agreed on.

    Args:
        name: what the files call themselves, for example ``OMOP_CDMv5.4``.
    """

    name: str
    checks: tuple[QualityCheck, ...]

    @classmethod
    def read(cls, folder: Path) -> "DqdThresholds":
        """Read the four files.

        Raises:
            Invalid: a file or a column is missing, or a filter cannot be read; all faults at once.
        """
        if not folder.is_dir():
            raise Invalid(Fault(path=str(folder), message="is not a folder of DataQualityDashboard threshold files"))
        faults: list[Fault] = []
        files = {level: _find(folder, ending, faults) for level, ending in _ENDINGS.items()}
        check_faults(faults)
        rows = {level: _rows(file, _NEEDED[level], faults) for level, file in files.items()}
        kinds = enumerate(rows.pop("CHECK"), 2)
        checks = tuple(check for number, kind in kinds for check in _checks(kind, number, rows, faults))
        check_faults(faults)
        name = re.sub(r"_?Check_Descriptions.csv$", "", files["CHECK"].name, flags=re.I)
        return cls(name=name, checks=checks)


def _find(folder: Path, ending: str, faults: list[Fault]) -> Path:
    """The file of that ending; of several CDM versions the newest."""
    found = [file for file in listed(folder) if file.name.lower().endswith(ending.lower())]
    if not found:
        faults.append(Fault(path=str(folder), message=f"there is no file *{ending}"))
    return max(found, key=lambda file: file.name, default=folder)


def _rows(file: Path, needed: Sequence[str], faults: list[Fault]) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = [{name: value or "" for name, value in row.items() if name} for row in reader]
            columns = reader.fieldnames or ()
    except (UnicodeDecodeError, csv.Error) as error:
        faults.append(Fault(path=file.name, message=f"cannot be read as UTF-8 CSV ({type(error).__name__})"))
        return []
    missing = [name for name in needed if name not in columns]
    faults.extend(Fault(path=file.name, line=1, message=f"the column {name} is missing") for name in missing)
    return [] if missing else rows


def _checks(
    kind: Mapping[str, str], line: int, rows: Mapping[str, Sequence[Mapping[str, str]]], faults: list[Fault]
) -> Iterator[QualityCheck]:
    level = kind["checkLevel"].upper()
    conditions = [_CONDITION.match(part) for part in kind["evaluationFilter"].split("&")]
    if level not in rows or not all(conditions):
        faults.append(Fault(path="Check_Descriptions.csv", line=line, message="level or filter cannot be read"))
        return
    for row_line, row in enumerate(rows[level], 2):
        if all(condition and _holds(condition, row) for condition in conditions):
            threshold = row.get(f"{kind['checkName']}Threshold", "")
            if threshold not in _ABSENT and not re.fullmatch(r"\d+(\.\d+)?", threshold):
                where = f"{level.title()}_Level.csv"
                faults.append(Fault(path=where, line=row_line, message="the threshold is not a number of percent"))
                continue
            yield _check(kind, level, row)


def _holds(condition: re.Match[str], row: Mapping[str, str]) -> bool:
    """R's filter: an empty cell is NA, and a comparison with NA lets nothing through."""
    name, operator, wanted = condition.groups()
    value = row.get(name, "")
    return value not in _ABSENT and ((value == wanted) if operator == "==" else (value != wanted))


def _check(kind: Mapping[str, str], level: str, row: Mapping[str, str]) -> QualityCheck:
    name = kind["checkName"]
    threshold = row.get(f"{name}Threshold", "")
    severity = kind.get("severity", "")
    return QualityCheck(
        kind=name,
        level=level,
        table=row["cdmTableName"].lower(),
        field=row.get("cdmFieldName", "").lower() if level != "TABLE" else "",
        concept=row.get("conceptId", "") if level == "CONCEPT" else "",
        unit=row.get("unitConceptId", "")
        if level == "CONCEPT" and name in ("plausibleValueLow", "plausibleValueHigh")
        else "",
        threshold=float(threshold) if threshold not in _ABSENT else None,
        severity=Severity(severity) if severity in list(Severity) else Severity.CHARACTERIZATION,
        context=kind.get("kahnContext", ""),
        category=kind.get("kahnCategory", ""),
        subcategory=kind.get("kahnSubcategory", ""),
        description=_filled(kind.get("checkDescription", ""), row),
        settings={key: value for key, value in row.items() if value not in _ABSENT and key in _SETTINGS},
    )


_SETTINGS = frozenset(
    (
        "cdmFieldName",
        "cdmDatatype",
        "fkTableName",
        "fkFieldName",
        "fkDomain",
        "fkClass",
        "standardConceptFieldName",
        "plausibleValueLow",
        "plausibleValueHigh",
        "plausibleTemporalAfterTableName",
        "plausibleTemporalAfterFieldName",
        "plausibleStartBeforeEndFieldName",
        "plausibleGender",
        "plausibleGenderUseDescendants",
        "plausibleUnitConceptIds",
    )
)


def _filled(description: str, row: Mapping[str, str]) -> str:
    """The description with the row's values for ``@cdmFieldName`` and the like."""
    text = re.sub(r"@(\w+)", lambda found: row.get(found[1], "") or found[0], description)
    return re.sub(r"\s+", " ", text).strip()
