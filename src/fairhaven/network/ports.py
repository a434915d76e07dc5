"""What the network room needs of others."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from fairhaven.network.distribution_tables import CodeCount, Demographics
from fairhaven.network.task import AvailabilityTask, DistributionTask


class CountProvider(Protocol):
    """Who counts. Every number that comes back is protected already: it leaves the hub as it is.

    Raises (each of the three):
        Invalid: the question cannot be read, or asks for what is not supported; answered with an error result.
        Refused: it is not answered; the error result does not say why.
        NotAllowedNow, NotFound, anything else: it cannot be answered now; it is kept, tried again, and at last given up.
    """

    def availability(self, query: Mapping[str, Any], *, task: AvailabilityTask) -> int:
        """Persons in a cohort, 0 where too few to be shown.

        Args:
            query: the task's JSON, in the RQuest form.
            task: which task it is. Asked twice with one `uuid` and `question`, the same number must come back: a
                process may be killed before the number is on the disk.
        """

    def code_distribution(self, *, task: DistributionTask) -> Iterable[CodeCount]:
        """Persons by concept, in the order of `distribution_tables.CATEGORIES`."""

    def demographics(self, *, task: DistributionTask) -> Demographics:
        """Persons by sex."""
