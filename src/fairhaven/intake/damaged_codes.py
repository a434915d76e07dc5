"""Codes and numbers of landed rows that look as if a spreadsheet had changed them, so that what they were is not certain.

A damaged code leads to no concept, and a rounded number is that of many: rows of several patients, or several events, become one's. Whoever
delivered is told of which column, in how many rows and what happened, never the value.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fairhaven.engine.process_key import rows_of
from fairhaven.engine.sql import identifier, literal
from fairhaven.intake.model import Format, Source, TableDeclaration
from fairhaven.omop.spreadsheet_codes import SHORT_NDC, SUSPICIOUS, CodeDamage, damage_of

_OF_MANY = "[0-9][eE][+][0-9]|^[0-9]{15}00+$"
"""Pattern of numbers of rows and patients that are worth a look."""
_SOURCE_VALUE, _CONCEPT, _CODE, _VOCABULARY = "_source_value", "_concept_id", "code", "vocabulary_id"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    """A landed column of codes, or of numbers of rows.

    Args:
        value: SQL of the text over landed rows.
        vocabulary: SQL of the vocabulary where rows say it.
        vocabularies: of which its codes can be where they do not; '' where nobody says.
        is_number: numbers of rows or patients, in which a date is a date.
    """

    name: str
    value: str
    vocabulary: str = "NULL"
    vocabularies: Collection[str] = ("",)
    is_number: bool = False

    @property
    def is_suspicious(self) -> str:
        """SQL: whether a value is worth a look."""
        is_ndc = "NDC" in self.vocabularies or self.vocabulary != "NULL"
        pattern = _OF_MANY if self.is_number else f"{SUSPICIOUS}|{SHORT_NDC}" if is_ndc else SUSPICIOUS
        return f"coalesce(regexp_matches({self.value}, {literal(pattern)}), false)"

    def damage(self, value: str, vocabulary: str | None) -> CodeDamage | None:
        """What happened to a value, as the first of its vocabularies has it that says so."""
        of = [vocabulary] if vocabulary else sorted(self.vocabularies)
        kinds = [kind for each in of if (kind := damage_of(value, each))]
        return next((kind for kind in kinds if not self.is_number or kind is not CodeDamage.DATE), None)


def damaged_codes(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    declaration: TableDeclaration,
    landed: Path,
    columns: Collection[str],
) -> dict[str, dict[str, int]]:
    """Column -> kind of damage -> landed rows.

    Args:
        connection: has ``patients (patient, patient_ref)``, in which each patient's number is.
        columns: names of those that landed.
    """
    rows = f"{rows_of(landed)} AS r"
    found = defaultdict[str, Counter[str]](Counter)
    if declaration.name in source.tables and declaration.patient:
        _count_patients(connection, declaration.patient, rows, found)
    for column in _suspicious(connection, rows, list(_columns(source, declaration, columns))):
        query = f"SELECT {column.value}, {column.vocabulary}, count(*) FROM {rows} WHERE {column.is_suspicious} GROUP BY ALL"
        for value, vocabulary, number in connection.execute(query).fetchall():
            if kind := column.damage(value, vocabulary):
                found[column.name][kind.value] += number
    return {name: dict(sorted(kinds.items())) for name, kinds in found.items() if kinds.total()}


def _count_patients(
    connection: duckdb.DuckDBPyConnection, column: str, rows: str, found: Mapping[str, Counter[str]]
) -> None:
    """Count the rows of patients whose number is that of many. The number did not land; whose rows they are did."""
    number = _Column(name=column, value="patient", is_number=True)
    suspicious = connection.execute(
        f"SELECT patient_ref, patient FROM patients WHERE {number.is_suspicious}"
    ).fetchall()
    kinds = {ref: kind.value for ref, patient in suspicious if (kind := number.damage(patient, None))}
    if kinds:
        query = f"SELECT patient_ref, count(*) FROM {rows} WHERE patient_ref IN (SELECT unnest($refs::VARCHAR[])) GROUP BY ALL"
        for ref, several in connection.execute(query, {"refs": [*kinds]}).fetchall():
            found[column][kinds[ref]] += several


def _suspicious(connection: duckdb.DuckDBPyConnection, rows: str, columns: Sequence[_Column]) -> list[_Column]:
    """Those of the columns in which a value is worth a look."""
    if not columns:
        return []
    # Hardly any column has one, and a test of all in one scan costs less than the different values of each.
    tests = connection.execute(
        f"SELECT {', '.join(f'bool_or({column.is_suspicious})' for column in columns)} FROM {rows}"
    )
    [has_one] = tests.fetchall()
    return [column for column, has in zip(columns, has_one, strict=True) if has]


def _columns(source: Source, declaration: TableDeclaration, columns: Collection[str]) -> Iterator[_Column]:
    match source.format:
        case Format.FHIR:
            yield from _of_fhir(columns)
        case Format.OMOP:
            yield from _of_cdm(columns)
        case _:
            yield from _declared(source, declaration, columns)


def _of_fhir(columns: Collection[str]) -> Iterator[_Column]:
    """Codes of concepts, beside which their vocabularies land."""
    for column in columns:
        named = column.replace(_CODE, _VOCABULARY)
        if _CODE in column and named in columns:
            yield _Column(name=column, value=f"r.{identifier(column)}", vocabulary=f"r.{identifier(named)}")


def _of_cdm(columns: Collection[str]) -> Iterator[_Column]:
    """Source values that the partner's own mapping led to no concept."""
    for column in columns:
        concept = column.replace(_SOURCE_VALUE, _CONCEPT)
        if column.endswith(_SOURCE_VALUE) and concept in columns:
            value = f"CASE WHEN coalesce(r.{identifier(concept)}, 0) = 0 THEN r.{identifier(column)}::VARCHAR END"
            yield _Column(name=column, value=value)


def _declared(source: Source, declaration: TableDeclaration, columns: Collection[str]) -> Iterator[_Column]:
    reads = (source.reads or {}).get(declaration.name)
    codes: Mapping[str, Collection[str]] = reads.codes if reads else {}
    for column in declaration.columns:
        value = f"r.{identifier(column.name)}::VARCHAR"
        if column.name in columns and column.name in codes and column.type in ("text", "number", "whole"):
            yield _Column(name=column.name, value=value, vocabularies=codes[column.name])
        elif column.name in columns and column.name in declaration.key and column.type in ("text", "whole"):
            yield _Column(name=column.name, value=value, is_number=True)
