"""The list of all documents that are made from the code."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from docs.generators import (
    analyst_commands,
    cohort_language,
    cohort_picture,
    commands,
    disclosure_policies,
    fhir_mapping,
    house_picture,
    hub_files,
    json_results,
    licences,
    page_components,
    terms,
    way_of_the_data,
)

DOCS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A document, its place under ``docs/`` and what makes its text."""

    place: str
    text: Callable[[], str]

    @property
    def path(self) -> Path:
        """Where it is committed."""
        return DOCS / self.place


DOCUMENTS = (
    Document(place="reference/commands.md", text=commands.page),
    Document(place="reference/commands-by-account.md", text=analyst_commands.page),
    Document(place="reference/json.md", text=json_results.page),
    Document(place="reference/licences.md", text=licences.page),
    Document(place="reference/files.md", text=hub_files.page),
    Document(place="reference/terms.md", text=terms.page),
    Document(place="reference/fhir-mapping.md", text=fhir_mapping.page),
    Document(place="reference/cohort-language.md", text=cohort_language.page),
    Document(place="reference/components.html", text=page_components.page),
    Document(place="explanation/disclosure.md", text=disclosure_policies.page),
    Document(place="the-house.svg", text=house_picture.picture),
    Document(place="way-of-the-data.svg", text=way_of_the_data.picture),
    Document(place="cohort.svg", text=cohort_picture.picture),
)
"""Whatever is listed here is written by ``make docs`` and held by a test."""
