"""Content hashes of what is in the store, or should be."""

from collections.abc import Iterator
from pathlib import Path

from fairhaven.ledger import content_hash, content_hashes


class _Counted(list[str]):
    """Paths, and how many of them were looked at one after the other."""

    looked_at = 0

    def __iter__(self) -> Iterator[str]:
        for path in super().__iter__():
            self.looked_at += 1
            yield path


def test_a_folder_stands_for_what_is_in_it_and_what_should_be(tmp_path: Path) -> None:
    for name in ("a/1", "a/2", "a0/1", "a-b"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    found = content_hashes(tmp_path, [tmp_path / "a", tmp_path / "gone"], {"a/2", "a/gone", "a0/1", "a-b", "z/1"})
    assert found == {
        "a/1": content_hash(tmp_path / "a/1"),
        "a/2": content_hash(tmp_path / "a/2"),
        "a/gone": None,
        "gone": None,
    }


def test_what_is_known_is_looked_through_once_however_many_places_are_asked_for(tmp_path: Path) -> None:
    known = _Counted(f"landing/{number:06d}/events.parquet" for number in range(50))
    content_hashes(tmp_path, [tmp_path / "landing" / f"{number:06d}" for number in range(50)], known)
    assert known.looked_at <= len(known)
