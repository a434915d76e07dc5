"""Who was erased, known again without being named: keyed digests of pseudonyms, by source."""

from collections.abc import Collection
from pathlib import Path

from fairhaven.kernel.files import read_json, write_json


class Tombstones:
    """The tombstones of a store: one file for each source, and the erasures that have not ended."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "erased"

    def of(self, source: str) -> frozenset[str]:
        """Digests of a source's erased patients."""
        path = self._folder / f"{source}.json"
        return frozenset(read_json(path)) if path.exists() else frozenset()

    def add(self, source: str, digests: Collection[str]) -> None:
        """Remember patients as erased; the file is there whole or not at all."""
        before = self.of(source)
        if not before.issuperset(digests):
            write_json(self._folder / f"{source}.json", sorted(before.union(digests)))
