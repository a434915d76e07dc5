"""Which code made a thing: the package's version and a digest of its source."""

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files


@cache
def code_version() -> str:
    """For example ``0.1.0+3f9c2a417b``: two runs with the same text ran the same code."""
    digest = hashlib.sha256()
    root = files("fairhaven")
    pending = [root]
    found = []
    while pending:
        for entry in pending.pop().iterdir():
            if entry.is_dir():
                pending.append(entry)
            elif entry.name.endswith((".py", ".csv", ".toml")):
                found.append((str(entry), entry.read_bytes()))
    for _, content in sorted(found):
        digest.update(hashlib.sha256(content).digest())
    return f"{version('fairhaven')}+{digest.hexdigest()[:10]}"
