"""Which code made a thing: the package's version and a digest of its source."""

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def code_version() -> str:
    """For example ``0.1.0+3f9c2a417b``: two runs with the same text ran the same code."""
    return f"{version('fairhaven')}+{source_digest(files('fairhaven'))[:10]}"


def source_digest(package: Traversable) -> str:
    """Digest of every file of a package: code, tables, settings, and the templates and the sheet of pages.

    Only what Python makes of its own is left out.
    """
    digest = hashlib.sha256()
    pending = [package]
    found = []
    while pending:
        for entry in pending.pop().iterdir():
            if entry.is_dir():
                if entry.name != "__pycache__":
                    pending.append(entry)
            else:
                found.append((str(entry), entry.read_bytes()))
    for _, content in sorted(found):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
