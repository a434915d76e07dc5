"""Every bench at a small size, one table each: `python -m bench` (a few minutes; sizes of the documents: bench/README.md)."""

import os
import subprocess
import sys
from pathlib import Path

_SHARED = Path(os.environ.get("FAIRHAVEN_SHARED", Path(__file__).resolve().parents[2] / "shared"))
_SMALL = {
    "build": ("--times", "1", "3"),
    "harmonise": ("--rows", "500000"),
    "linkage": ("--records", "20000"),
    "quality": ("--times", "5"),
    "intake": ("--rows", "400000"),
    "fhir": (),
    "archive": ("--rows", "500000"),
    "catalogue": ("--rows", "1000000"),
    "discovery": ("--persons", "20000"),
    "cohort_reading": (),
    "cohorts": (),
    "disclosure": (),
    "audit": (),
    "network": (),
    "protections": (),
}
_LIBRARY = _SHARED / "data" / "cohorts"
_NEEDS = {"quality": _SHARED / "data" / "omop_gibleed_5.3", "cohort_reading": _LIBRARY, "cohorts": _LIBRARY}


def main() -> int:
    """Run them one after the other, each in a process of its own; the number that failed."""
    failed = []
    for name, options in _SMALL.items():
        print(f"\n== bench.{name} {' '.join(options)}", flush=True)
        if name in _NEEDS and not _NEEDS[name].exists():
            print("skipped: the shared test data is not here (FAIRHAVEN_SHARED)")
        elif subprocess.run([sys.executable, "-m", f"bench.{name}", *options, *_peer(name)], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return len(failed)


def _peer(name: str) -> list[str]:
    """What was given to the whole, for the bench that takes it."""
    return sys.argv[1:] if name == "build" else []


if __name__ == "__main__":
    sys.exit(main())
