"""A release in the HDR UK dataset form 4.0.0, which the Health Data Research Gateway takes in.

Source: github.com/HDRUK/schemata, hdruk 4.0.0. Fields that Fairhaven does not know are left out, never filled with words.
"""

from typing import Any

from fairhaven.exchange.about import DatasetAbout
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.release.description import Description, TableDescription, Variable

_EVENTS = {
    "condition_occurrence": "Findings",
    "measurement": "Findings",
    "observation": "Findings",
}
_SENSITIVE = frozenset({"identifier", "text"})


def hdruk_dataset(description: Description, about: DatasetAbout) -> dict[str, Any]:
    """The release as JSON values of the schema ``Hdruk400``.

    Raises:
        NotAllowedNow: the release holds too few persons to say how many, which the form requires.
    """
    if description.persons is None:
        raise NotAllowedNow(
            "the release holds too few persons for their number to be published, and the HDR UK form requires it"
        )
    issued = f"{about.issued.isoformat()}T00:00:00.000Z"
    dataset: dict[str, Any] = {
        "identifier": about.landing_page or None,
        "version": f"{about.number}.0.0",
        "revisions": [{"version": f"{earlier}.0.0", "url": None} for earlier in range(1, about.number)],
        "issued": issued,
        "modified": issued,
        "summary": {
            "title": about.title,
            "abstract": about.abstract,
            "dataCustodian": {
                "identifier": about.publisher_id,
                "name": about.publisher,
                "contactPoint": about.contact,
            },
            "populationSize": description.persons,
            "contactPoint": about.contact,
        },
        "coverage": {"spatial": about.spatial},
        "accessibility": {
            "access": {"accessRights": about.access_rights, "accessServiceCategory": "TRE/SDE"},
            "formatAndStandards": {
                "vocabularyEncodingScheme": list(about.vocabularies),
                "conformsTo": ["OMOP"],
                "language": ["en"],
                "format": ["application/vnd.apache.parquet"],
            },
        },
        "observations": _observations(description, about),
        "structuralMetadata": {"tables": [_table(table) for table in description.tables if table.rows != 0]},
    }
    if description.first_year is not None:
        dataset["provenance"] = {
            "temporal": {
                "publishingFrequency": about.publishing_frequency,
                "startDate": f"{description.first_year}-01-01",
                "endDate": about.as_of.isoformat(),
                "timeLag": about.time_lag,
                "distributionReleaseDate": about.issued.isoformat(),
            }
        }
    return dataset


def _observations(description: Description, about: DatasetAbout) -> list[dict[str, Any]]:
    date = about.as_of.isoformat()
    persons = {
        "observedNode": "Persons",
        "measuredValue": description.persons,
        "observationDate": date,
        "measuredProperty": "Count",
    }
    rows = [
        {
            "observedNode": _EVENTS.get(table.name, "Events"),
            "measuredValue": table.rows,
            "disambiguatingDescription": f"Rows of {table.name}",
            "observationDate": date,
            "measuredProperty": "Count",
        }
        for table in description.tables
        if table.rows and table.persons is not None and table.name != "person"
    ]
    return [persons, *rows]


def _table(table: TableDescription) -> dict[str, Any]:
    return {
        "name": table.name,
        "description": f"Table {table.name} of the OMOP common data model 5.4.",
        "columns": [_column(variable) for variable in table.variables],
    }


def _column(variable: Variable) -> dict[str, Any]:
    column: dict[str, Any] = {
        "name": variable.name,
        "dataType": variable.type,
        "sensitive": variable.kind in _SENSITIVE,
    }
    if variable.kind in ("concept", "category") and variable.bars:
        column["values"] = [
            {"name": bar.code, "frequency": bar.rows} | ({"description": bar.label} if bar.label != bar.code else {})
            for bar in variable.bars
        ]
    return column
