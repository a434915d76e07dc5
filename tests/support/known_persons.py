"""What the persons of a hub are known by, and whether bytes show any of it, however they are packed."""

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import fairhaven

_WORD = re.compile(rb"[a-z][a-z'-]{5,}")
"""Shorter names are met by chance in bytes that are sealed or packed."""
_DIGITS = re.compile(rb"(?<!\d)\d{10}(?!\d)")
_GAP = re.compile(rb"(?<=\d)[ -](?=\d)")
_POSTCODE = re.compile(rb"[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}")


@dataclass(frozen=True, kw_only=True)
class KnownBy:
    """What the persons of a hub are known by, in small letters.

    Args:
        words: names.
        numbers: NHS numbers.
        postcodes: without a blank.
        texts: whole addresses.
    """

    words: frozenset[bytes] = frozenset()
    numbers: frozenset[bytes] = frozenset()
    postcodes: frozenset[bytes] = frozenset()
    texts: frozenset[bytes] = frozenset()

    def in_(self, content: bytes) -> set[bytes]:
        """What of it some bytes show: as they are, in UTF-16, unpacked, and by the rows of tables."""
        return set().union(*map(self._shown, [content, *_unpacked(content)]))

    def _shown(self, content: bytes) -> set[bytes]:
        found: set[bytes] = set()
        for text in {content.lower(), content.replace(b"\0", b"").lower()}:
            found |= self.words.intersection(_WORD.findall(text))
            found |= self.numbers.intersection(_DIGITS.findall(_GAP.sub(b"", text)))
            found |= self.numbers.intersection(_DIGITS.findall(text))
            found |= {code for each in _POSTCODE.findall(text) if (code := each.replace(b" ", b"")) in self.postcodes}
            found |= {each for each in self.texts if each in text}
        return found | {number for number in self.numbers if int(number).to_bytes(8, "little") in content}


def _unpacked(content: bytes) -> Iterator[bytes]:
    """What a file holds that is not to be seen in its bytes; nothing of one that is not whole."""
    if content[:2] == b"\x1f\x8b":
        yield zlib.decompressobj(31).decompress(content)
    elif content[:4] == b"PAR1" and content[-4:] == b"PAR1":
        yield from _of_table(pq.read_table(pa.BufferReader(content)))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for name in archive.namelist():
                yield archive.read(name)
                yield from _unpacked(archive.read(name))


def _of_table(table: pa.Table) -> Iterator[bytes]:
    for column in table.columns:
        values = (
            set(map(str, column.to_pylist())) if not pa.types.is_nested(column.type) else [repr(column.to_pylist())]
        )
        yield "\n".join(values).encode("utf-8", "replace")


def known_by(hub: Path) -> KnownBy:
    """What the persons of a demonstration hub are known by, as its sources and its truth have them.

    Left out are names that are words as well, which the program or the vocabulary has.
    """
    people = pq.read_table(hub / "truth/people").to_pydict()

    def texts(*columns: str) -> set[bytes]:
        return {value.lower().encode() for column in columns for value in people[column] if value}

    names = {word for name in texts("given_name", "family_name") for word in _WORD.findall(name)}
    return KnownBy(
        words=frozenset(names - set(_WORD.findall(b"\n".join(_public(hub)).lower()))),
        numbers=frozenset(number for number in texts("nhs_number", "true_nhs_number") if _DIGITS.fullmatch(number)),
        postcodes=frozenset(code.replace(b" ", b"") for code in texts("postcode")),
        texts=frozenset(texts("address")),
    )


def _public(hub: Path) -> Iterable[bytes]:
    package = Path(fairhaven.__file__).parent
    for file in package.rglob("*.*"):
        if file.suffix != ".pyc" and package / "region/data" not in file.parents:
            yield file.read_bytes()
    for vocabulary in (hub / "store/vocabulary").glob("*/*.parquet"):
        yield from _of_table(pq.read_table(vocabulary))
