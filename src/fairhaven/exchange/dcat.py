"""A release as a DCAT-AP 3 dataset in JSON-LD, with the two counts that HealthDCAT-AP adds."""

from typing import Any

from fairhaven.exchange.about import DatasetAbout
from fairhaven.release.description import Description

_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_ACCESS = "http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC"
_OMOP = "https://ohdsi.github.io/CommonDataModel/cdm54.html"


def dcat_dataset(description: Description, about: DatasetAbout) -> dict[str, Any]:
    """The release as one ``dcat:Dataset``. It has no distribution: the data are used in a secure environment."""
    dataset: dict[str, Any] = {
        "@context": _CONTEXT,
        "@id": about.landing_page or f"urn:sha256:{about.hash}",
        "@type": "dcat:Dataset",
        "dct:title": _said(about.title),
        "dct:description": _said(about.abstract),
        "dct:identifier": about.hash,
        "dcat:version": about.release,
        "dct:issued": _date(about.issued.isoformat()),
        "dct:publisher": {
            "@type": "foaf:Agent",
            "foaf:name": _said(about.publisher),
            "dct:identifier": about.publisher_id,
        },
        "dcat:contactPoint": {
            "@type": "vcard:Organization",
            "vcard:fn": about.publisher,
            "vcard:hasEmail": {"@id": f"mailto:{about.contact}"},
        },
        "dct:accessRights": {"@id": _ACCESS, "@type": "dct:RightsStatement"},
        "dct:conformsTo": {"@id": _OMOP, "@type": "dct:Standard", "rdfs:label": _said("OMOP common data model 5.4")},
        "dct:spatial": {"@type": "dct:Location", "rdfs:label": _said(about.spatial)},
    }
    if about.landing_page:
        dataset["dcat:landingPage"] = {"@id": about.landing_page, "@type": "foaf:Document"}
    if description.first_year is not None:
        dataset["dct:temporal"] = {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _date(f"{description.first_year}-01-01"),
            "dcat:endDate": _date(about.as_of.isoformat()),
        }
    if description.persons is not None:
        dataset["healthdcatap:numberOfUniqueIndividuals"] = _count(description.persons)
    rows = [table.rows for table in description.tables]
    if all(count is not None for count in rows):
        dataset["healthdcatap:numberOfRecords"] = _count(sum(count or 0 for count in rows))
    return dataset


def _said(text: str) -> dict[str, str]:
    return {"@value": text, "@language": "en"}


def _date(text: str) -> dict[str, str]:
    return {"@value": text, "@type": "xsd:date"}


def _count(count: int) -> dict[str, str]:
    return {"@value": str(count), "@type": "xsd:nonNegativeInteger"}
