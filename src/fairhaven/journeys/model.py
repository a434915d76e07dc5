"""The nouns that journeys share: what a hub says of itself, and its rooms, wired."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairhaven.archive import Archive
from fairhaven.disclosure import Policy
from fairhaven.engine import Engine
from fairhaven.harmonise import CodeMap, MappingFile
from fairhaven.intake import Intake, Source
from fairhaven.kernel.expansion import ExpansionLimits
from fairhaven.kernel.keyring import Keyring
from fairhaven.ledger import Ledger
from fairhaven.linkage import Vault
from fairhaven.query_audit import AuditRules

if TYPE_CHECKING:
    from fairhaven.records import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What hub.toml says.

    Args:
        abbreviation: at most 25 characters, as the CDM's cdm_source table holds no more.
        contact: e-mail address for requests; abstract: the hub in 5 to 500 characters. Without both a release is not
            described in the catalogues' exchange forms.
        engine: ``duckdb`` or ``spark``.
        birth_date: how much of a date of birth a release carries: ``day``, ``month`` or ``year``.
        national_max_age_days: days after which a national data opt-out list is too old to build with.
        disclosure: the policy by which small counts are protected in whatever people read.
        audit: the rules by which counts asked for by projects are audited.
        wait_minutes: how long a command waits for another that changes the same.
        expansion: how large a zip, a gzip or a Parquet file that comes from outside may become.
        readers: group of accounts that may read releases and count; empty where nobody but the owner may.
        database: where the hub's records are, as an address of PostgreSQL without a password; empty: a file of the store.
        database_password_file: that holds its password, from the hub's folder; empty: the environment does, or none is needed.
    """

    name: str
    abbreviation: str
    holder: str
    contact: str
    abstract: str
    engine: str
    birth_date: str
    national_max_age_days: int
    disclosure: Policy
    audit: AuditRules
    wait_minutes: int
    expansion: ExpansionLimits
    readers: str
    database: str
    database_password_file: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project on whose behalf counts may be asked for, and the organisation that its answers belong to."""

    name: str
    organisation: str


@dataclass(frozen=True, kw_only=True)
class HubText:
    """Everything that a hub's reviewable files say.

    Args:
        folder: the hub's folder.
        controllers: names of those that have a file; what it says is read where terms are needed.
        sources: by name, in the order of their names.
        mappings: mapping files by the name that sources use.
        code_maps: how local codes are mapped, by the name of the file in vocabulary/.
        projects: by name, folded as the query audit folds names.
    """

    folder: Path
    settings: Settings
    controllers: frozenset[str]
    sources: Mapping[str, Source]
    mappings: Mapping[str, MappingFile]
    code_maps: Mapping[str, Sequence[CodeMap]]
    projects: Mapping[str, Project]

    @property
    def store(self) -> Path:
        """What Fairhaven makes."""
        return self.folder / "store"


@dataclass(frozen=True, kw_only=True)
class Rooms(HubText):
    """A hub's rooms, wired by `fairhaven.hub`, beside what its files say: what every journey walks through.

    Args:
        database: the hub's own; None for an account that reads what the hub publishes.
        new_engine: opens an engine whose scratch is the folder given.
    """

    keyring: Keyring
    intake: Intake
    vault: Vault
    archive: Archive
    ledger: Ledger
    database: "Database | None"
    new_engine: Callable[[Path], Engine]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of what a command would do, in words: its name, and what it does on how much."""

    name: str
    what: str


def latest_delivery(intake: Intake) -> dt.date | None:
    """Day of the latest delivery, None before the first."""
    return max((delivery.received_on for delivery in intake.deliveries()), default=None)
