"""Which code made a thing: the package's version and a digest of its source."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from fairhaven.kernel.files import sha256_of
from fairhaven.kernel.listing import listed_below


@cache
def code_version() -> str:
    """For example ``0.1.0+3f9c2a417b``: two runs with the same text ran the same code."""
    return f"{version('fairhaven')}+{source_digest(Path(__file__).parents[1])[:10]}"


def source_digest(package: Path) -> str:
    """Digest of every file of a package: code, tables, settings, and the templates and the sheet of pages.

    Only what Python makes of its own is left out.
    """
    files = [
        path for path in listed_below(package, is_left_out=lambda path: path.name == "__pycache__") if path.is_file()
    ]
    return hashlib.sha256(b"".join(bytes.fromhex(sha256_of(file)) for file in files)).hexdigest()
