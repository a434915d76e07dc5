"""What only the hub can say of a release; the rest is in the description. Nothing here is guessed."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetAbout:
    """The hub's own words on a release.

    Args:
        title: at most 150 characters; abstract: 5 to 500.
        publisher: the organisation that answers requests; publisher_id: its ROR or ODS identifier.
        contact: e-mail address for requests.
        release: ``r0002``; number: 2; as_of: the day the release's data stands at; issued: the day it was made.
        hash: of the release's manifest.
        spatial: the area covered, for example "England".
        access_rights: how access is given, in words or as a link.
        vocabularies: of HDR UK's list, for example "SNOMED CT", "ICD10", "DM+D".
        publishing_frequency, time_lag: of HDR UK's lists.
        landing_page: web address of the release, empty for none.
    """

    title: str
    abstract: str
    publisher: str
    publisher_id: str
    contact: str
    release: str
    number: int
    as_of: dt.date
    issued: dt.date
    hash: str
    spatial: str = "United Kingdom"
    access_rights: str = "In Progress"
    vocabularies: tuple[str, ...] = ("SNOMED CT",)
    publishing_frequency: str = "Irregular"
    time_lag: str = "Variable"
    landing_page: str = ""
