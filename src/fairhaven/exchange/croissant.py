"""A release in Croissant 1.0 (JSON-LD of MLCommons): its files and the fields in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fairhaven.exchange.about import DatasetAbout
from fairhaven.release.description import Description, TableDescription

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"integer": "sc:Integer", "float": "sc:Float", "date": "sc:Date", "datetime": "sc:Date"}
_PARQUET = "application/x-parquet"


def croissant_dataset(
    description: Description, about: DatasetAbout, *, files: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, Any]:
    """The release as a ``sc:Dataset``.

    Args:
        files: table -> (path inside the release, sha256) of each of its Parquet files, as the manifest has them. Tables
            without files are left out.
    """
    tables = [table for table in description.tables if files.get(table.name)]
    dataset: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": about.title,
        "description": about.abstract,
        "version": f"{about.number}.0.0",
        "datePublished": about.issued.isoformat(),
        "creator": {"@type": "sc:Organization", "name": about.publisher, "email": about.contact},
        "distribution": [part for table in tables for part in _distribution(table.name, files[table.name])],
        "recordSet": [_records(table, _source(table.name, files[table.name])) for table in tables],
    }
    return dataset | ({"url": about.landing_page} if about.landing_page else {})


def _distribution(table: str, files: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": path,
            "encodingFormat": _PARQUET,
            "sha256": sha256,
        }
        for path, sha256 in files
    ]
    if len(files) == 1:
        return objects
    together = {
        "@type": "cr:FileSet",
        "@id": f"{table}-files",
        "name": f"{table}-files",
        "containedIn": [{"@id": path} for path, _ in files],
        "encodingFormat": _PARQUET,
        "includes": "*.parquet",
    }
    return [*objects, together]


def _source(table: str, files: Sequence[tuple[str, str]]) -> dict[str, Any]:
    if len(files) == 1:
        return {"fileObject": {"@id": files[0][0]}}
    return {"fileSet": {"@id": f"{table}-files"}}


def _records(table: TableDescription, source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table.name}/{variable.name}",
                "name": f"{table.name}/{variable.name}",
                "dataType": _TYPES.get(variable.type, "sc:Text"),
                "source": {**source, "extract": {"column": variable.name}},
            }
            for variable in table.variables
        ],
    }
