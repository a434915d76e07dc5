"""What a delivered CDM says of itself (CDM_SOURCE, VOCABULARY), what version its tables have the shape of, and what it lacks.

Source of the versions' columns: OHDSI CommonDataModel, versions 5.3, 5.4 and 6.0.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping

import duckdb

from fairhaven.engine.duckdb_connection import count_of
from fairhaven.engine.sql import identifier
from fairhaven.intake.reader import StagedTable
from fairhaven.intake.repeated_keys import kept
from fairhaven.kernel.errors import Fault
from fairhaven.omop import CDM
from fairhaven.release.facts import PartnerCdm
from fairhaven.release.partner_cdms import version_said

_SINCE_5_4 = {
    "visit_occurrence": ("admitted_from_concept_id", "discharged_to_concept_id"),
    "visit_detail": ("admitted_from_concept_id", "discharged_to_concept_id", "parent_visit_detail_id"),
    "procedure_occurrence": ("procedure_end_date", "procedure_end_datetime"),
    "device_exposure": ("production_id", "unit_concept_id"),
    "measurement": ("unit_source_concept_id", "measurement_event_id"),
    "observation": ("value_source_value", "observation_event_id"),
    "location": ("country_concept_id", "country_source_value", "latitude", "longitude"),
    "note": ("note_event_id", "note_event_field_concept_id"),
}
"""Table -> columns that it has since CDM 5.4."""
OTHER_BIRTH = (
    "coalesce(year(birth_datetime) <> year_of_birth OR month(birth_datetime) <> month_of_birth "
    "OR day(birth_datetime) <> day_of_birth, false)"
)
"""SQL over PERSON: ``birth_datetime`` is of another day than year, month and day, of which the CDM requires the year, and which count."""
_OF_6_0 = ("person", "death_datetime")
_KEPT_VALUES, _LONGEST = 20, 255
_NEEDS = {
    "person": ("person_id", "year_of_birth/birth_datetime"),
    "provider": ("provider_id",),
    "care_site": ("care_site_id",),
    "location": ("location_id",),
    "visit_occurrence": ("visit_occurrence_id",),
    "visit_detail": ("visit_detail_id", "visit_occurrence_id"),
}
"""Table -> columns without which its rows cannot be placed, beside its date and its concept; of those parted by a slash one will do."""
_DATED = ("death", "note", "observation_period", "payer_plan_period")
"""Tables that need their date beside those that have a concept."""


def contents_of(connection: duckdb.DuckDBPyConnection, staged: Mapping[str, StagedTable]) -> PartnerCdm:
    """What the staged tables say of their CDM."""
    said = {name: _said(connection, staged, "cdm_source", name) for name in ("cdm_version", "cdm_etl_reference")}
    versions = [
        *_said(connection, staged, "cdm_source", "vocabulary_version"),
        *_said(connection, staged, "vocabulary", "vocabulary_version", "vocabulary_id = 'None'"),
    ]
    return PartnerCdm(
        rows=staged["cdm_source"].received if "cdm_source" in staged else 0,
        cdm_versions=said["cdm_version"],
        vocabulary_versions=tuple(dict.fromkeys(versions)),
        etl_references=said["cdm_etl_reference"],
        source_released_on=_latest(connection, staged, "source_release_date"),
        cdm_released_on=_latest(connection, staged, "cdm_release_date"),
        shapes=tuple(_shapes(staged)),
        other_births=count_of(
            connection, f"SELECT count(*) FROM {identifier(staged['person'].rows)} WHERE {OTHER_BIRTH}"
        ),
        shared_keys={
            table: found.rows
            for table, its in staged.items()
            if CDM[table].schema == "CDM"
            and its.shared_key == (CDM[table].primary_key,)
            and (found := kept(connection, its))
        },
    )


def faults_of(cdm: PartnerCdm, staged: Mapping[str, StagedTable], name: str) -> Iterator[Fault]:
    """Why a CDM cannot be read: it is of version 6, or a table with rows lacks what says what and when they are."""
    for version in cdm.cdm_versions:
        if re.search(r"(?<![0-9.])6(\.| |$)", version):
            message = (
                f"is of CDM {version}, and of CDM 6 nothing is read: its tables are other ones (deaths are in PERSON, times instead of "
                "days). Deliver it as CDM 5.4 or 5.3"
            )
            yield Fault(path=name, message=message)
    for table, its in staged.items():
        definition = CDM[table]
        needs = list(_NEEDS.get(table, ()))
        if definition.concept or table in _DATED:
            moment = f"{definition.date}time"
            needs += [
                definition.concept,
                f"{definition.date}/{moment}" if moment in definition.names else definition.date,
            ]
        for column in filter(None, needs):
            if its.received and set(column.split("/")) <= set(its.missing):
                what = column.replace("/", " (or ") + ")" * ("/" in column)
                message = f"the column {what} is missing, without which its rows cannot be placed. Deliver it, or leave the table out"
                yield Fault(path=f"{name}/{table}", message=message)


def _said(
    connection: duckdb.DuckDBPyConnection,
    staged: Mapping[str, StagedTable],
    table: str,
    column: str,
    where: str = "true",
) -> tuple[str, ...]:
    if table not in staged:
        return ()
    text = f"left(trim({identifier(column)}::VARCHAR), {_LONGEST})"
    found = connection.execute(
        f"SELECT {text}, min(row_line) FROM {identifier(staged[table].rows)} WHERE {where} AND {text} <> '' "
        f"GROUP BY 1 ORDER BY 2 LIMIT {_KEPT_VALUES}"
    ).fetchall()
    return tuple(dict.fromkeys(version_said(value) for value, _ in found))


def _latest(connection: duckdb.DuckDBPyConnection, staged: Mapping[str, StagedTable], column: str) -> dt.date | None:
    if "cdm_source" not in staged:
        return None
    [(day,)] = connection.execute(f"SELECT max({column}) FROM {identifier(staged['cdm_source'].rows)}").fetchall()
    return day if isinstance(day, dt.date) else None


def _shapes(staged: Mapping[str, StagedTable]) -> Iterator[str]:
    """The versions of the CDM of which a table has a column that the other has not."""
    if any(column.header != column.name for its in staged.values() for column in its.declaration.columns):
        yield "5.3"
    since = {(table, column) for table, columns in _SINCE_5_4.items() for column in columns}
    has = {
        (table, column.name)
        for table, its in staged.items()
        for column in its.declaration.columns
        if column.header == column.name and column.name not in its.missing
    }
    if since & has:
        yield "5.4"
    table, column = _OF_6_0
    if column in {header.casefold() for header in staged[table].dropped}:
        yield "6.0"
