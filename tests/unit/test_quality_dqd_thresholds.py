"""Threshold files of DataQualityDashboard become checks, row by row."""

import datetime as dt
from pathlib import Path
from typing import Any

import ibis
import pytest

from fairhaven.kernel.errors import Invalid
from fairhaven.quality import DqdThresholds, QualityCheck, Severity
from fairhaven.quality.column_types import TypedTables
from fairhaven.quality.concept_checks import concept_list
from fairhaven.quality.not_applicable import obstacle
from fairhaven.quality.row_checks import UnreadableError, limit_of
from tests.support.shared_data import shared

TODAY = dt.date(2026, 3, 1)
KINDS = (
    "checkLevel,checkName,checkDescription,kahnContext,kahnCategory,kahnSubcategory,evaluationFilter,severity\n"
    "TABLE,cdmTable,is @cdmTableName there,Verification,Conformance,Relational,cdmTableName!='',fatal\n"
    "FIELD,fkDomain,domain @fkDomain,Verification,Conformance,Value,isForeignKey=='Yes' & fkDomain!= '',convention\n"
)
TABLES = "cdmTableName,isRequired\nPERSON,Yes\n"
FIELDS = (
    "cdmTableName,cdmFieldName,isForeignKey,fkDomain,fkDomainThreshold\n"
    "PERSON,gender_concept_id,Yes,Gender,5\nPERSON,race_concept_id,Yes,NA,\nPERSON,person_id,No,Gender,\n"
)
CONCEPTS = "cdmTableName,cdmFieldName,conceptId\n"


def folder(path: Path, **files: str) -> Path:
    named = {"Check_Descriptions": KINDS, "Table_Level": TABLES, "Field_Level": FIELDS, "Concept_Level": CONCEPTS}
    for name, text in (named | files).items():
        if text:
            (path / f"OMOP_CDMv5.4_{name}.csv").write_text(text)
    return path


def test_a_check_exists_for_each_row_that_its_filter_lets_through(tmp_path: Path) -> None:
    thresholds = DqdThresholds.read(folder(tmp_path))

    assert thresholds.name == "OMOP_CDMv5.4"
    assert [check.id for check in thresholds.checks] == [
        "table_cdmtable_person",
        "field_fkdomain_person_gender_concept_id",
    ]
    domain = thresholds.checks[1]
    assert (domain.severity, domain.threshold, domain.description) == (Severity.CONVENTION, 5, "domain Gender")


def test_every_missing_file_and_column_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        DqdThresholds.read(folder(tmp_path, Field_Level="", Concept_Level=""))
    assert len(refused.value.faults) == 2

    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(Invalid) as refused:
        DqdThresholds.read(folder(other, Field_Level="a,b\n1,2\n", Table_Level="x\n1\n"))
    assert [fault.path for fault in refused.value.faults] == [
        "OMOP_CDMv5.4_Table_Level.csv",
        "OMOP_CDMv5.4_Field_Level.csv",
        "OMOP_CDMv5.4_Field_Level.csv",
    ]


def test_a_filter_that_cannot_be_read_is_a_fault_with_its_line(tmp_path: Path) -> None:
    broken = KINDS + "FIELD,other,words,,,,is.na(x) | TRUE,fatal\n"
    with pytest.raises(Invalid, match=r"Check_Descriptions\.csv:4"):
        DqdThresholds.read(folder(tmp_path, Check_Descriptions=broken))


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("31", 31),
        ("0.0000001", 1e-7),
        ("'19500101'", dt.date(1950, 1, 1)),
        ("DATEADD(dd,1,GETDATE())", dt.date(2026, 3, 2)),
        ("YEAR(GETDATE())+1", 2027),
    ],
)
def test_limits_are_read_as_threshold_files_write_them(text: str, limit: object) -> None:
    assert limit_of(text, TODAY) == limit


@pytest.mark.parametrize(
    "text",
    [
        *("SELECT 1", "", "²", "9" * 40_000 + "x", "9" * 5000, "'2020-13-45'", "'00000101'", "1E999"),
        *("DATEADD(dd,999999999,GETDATE())", "YEAR(GETDATE())+99999"),
    ],
)
def test_a_limit_that_is_none_is_not_guessed(text: str) -> None:
    with pytest.raises(UnreadableError):
        limit_of(text, TODAY)


def test_what_is_no_concept_in_a_list_is_passed_over() -> None:
    assert concept_list(f"7, -8 ,--9,²,x,,{'9' * 5000}") == [7, -8]


def test_the_published_files_give_the_checks_that_dqd_runs() -> None:
    checks = DqdThresholds.read(shared("data", "dqd")).checks
    assert len(checks) == 2535
    assert len({check.kind for check in checks}) == 27
    assert len({check.id for check in checks}) == 2535


def test_a_threshold_that_is_no_number_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"Field_Level\.csv:2: the threshold is not a number"):
        DqdThresholds.read(folder(tmp_path, Field_Level=FIELDS.replace("Gender,5", "Gender,five")))


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("isForeignKey", {}, "The threshold file gives no fkTableName."),
        ("sourceValueCompleteness", {}, "The threshold file gives no standardConceptFieldName."),
        ("nobodyKnows", {}, "There is no check of the kind nobodyKnows."),
        (
            "plausibleValueLow",
            {"settings": {"plausibleValueLow": "a lot"}},
            "The threshold file's setting cannot be read",
        ),
        (
            "plausibleUnitConceptIds",
            {"level": "CONCEPT", "concept": "1,2"},
            "The threshold file's concept, unit or limit",
        ),
    ],
)
def test_a_check_that_cannot_be_run_is_an_error_and_not_a_pass(kind: str, changes: dict[str, Any], reason: str) -> None:
    given: dict[str, Any] = {"level": "FIELD", "field": "person_id", **changes}
    item = QualityCheck(kind=kind, table="person", severity=Severity.FATAL, **given)
    shapes = TypedTables({"person": ibis.table({"person_id": "int64", "unit_concept_id": "int64"}, name="person")})
    assert obstacle(item, shapes, today=TODAY).startswith(reason)
