"""What intake needs of others."""

from collections.abc import Collection
from typing import Protocol

import pyarrow as pa

from fairhaven.identifiers.known_identifiers import KnownIdentifiers


class IdentityVault(Protocol):
    """Where identities go; the linkage room has one."""

    def add(self, extract: int, records: pa.Table) -> None:
        """Keep the identity records of one extract in place of what was kept for that extract before.

        Args:
            records: ``source, patient_ref, row_extract, nhs_number, given_name, family_name, birth_date, sex,
                postcode, address, ethnicity``; one row for each patient of the extract.
        """

    def keep_only(self, extracts: Collection[int]) -> None:
        """Drop the records of every other extract: their delivery was never committed."""

    def known_identifiers(self, *, key: bytes, source: str) -> KnownIdentifiers:
        """What everybody of whom there is a record is known by; names and births of each patient for one source's.

        Args:
            key: of the tokens.
        """
