"""What a scrub of the store found, in words."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairhaven.journeys.store_verification import StoreVerification


def verification(found: "StoreVerification") -> Iterator[str]:
    """Whether every file is as it was written."""
    for problem in found.problems:
        # What a key or the ledger's head says of itself has its remedy within.
        yield f"{problem.path}: {problem.message}" + (f". {problem.remedy}" if problem.remedy else "")
    if found.pending:
        yield f"Not finished: {', '.join(found.pending)}."
        yield (
            "A command is running or was killed. Where it was killed, run the next command (for instance `fairhaven build DIR`), which "
            "finishes it, and remove or restore none of these files; then verify again."
        )
    for thing in found.without_stock:
        yield (
            f"{thing}: an earlier version wrote these, and kept no hashes. The next command that changes them takes stock "
            "of what is there (a build: of deliveries and releases)."
        )
    if found.is_good:
        yield f"Verified: {found.files:,} files, each as it was written."
    if found.outside:
        yield f"Not compared: {', '.join(found.outside)} (`--json` says why)."
