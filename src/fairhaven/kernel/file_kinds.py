"""What a file is, by its first bytes; a name's ending is only what somebody called it."""

from enum import StrEnum
from pathlib import Path


class FileKind(StrEnum):
    """Kinds of files that Fairhaven is given. What is none of the others is taken for text: delimited, or lines of JSON."""

    DUCKDB = "duckdb"
    GZIP = "gzip"
    PARQUET = "parquet"
    TEXT = "text"
    ZIP = "zip"


_MAGIC = {
    FileKind.DUCKDB: (8, b"DUCK"),  # after the checksum of the first block
    FileKind.GZIP: (0, b"\x1f\x8b"),
    FileKind.PARQUET: (0, b"PAR1"),
    FileKind.ZIP: (0, b"PK\x03\x04"),
}
"""Kind -> place and bytes: RFC 1952 (gzip), APPNOTE 4.3.7 (zip), and the formats' own documents."""


def kind_of(path: Path) -> FileKind:
    """The kind of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
    return next((kind for kind, (place, magic) in _MAGIC.items() if head[place:].startswith(magic)), FileKind.TEXT)
